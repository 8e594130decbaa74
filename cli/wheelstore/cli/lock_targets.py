"""`store lock --universal` and `--target`: which targets, and one answer for all of them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelstore.cli.lock_request import LockRequest
from wheelstore.resolve.inputs import Inputs
from wheelstore.resolve.matrix import PLATFORMS, Cell, matrix, parse_target, pythons_from, pythons_of, unique
from wheelstore.resolve.problem import Answer, Problem
from wheelstore.resolve.projects import Catalog
from wheelstore.resolve.universal import solve_universal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.version import Version

    from wheelstore.cli.lock_solving import Locker
    from wheelstore.resolve.earlier_pins import EarlierPins


def cells_of(request: LockRequest, inputs: Inputs, python: str) -> tuple[Cell, ...]:
    """The targets: those named, else every platform and every Python that the projects among the inputs admit.

    Without a word on Python, it is `python` and every later one.

    Raises:
        ResolveError: a target that does not exist, or no Python that is admitted.
    """
    if request.targets:
        return unique(parse_target(text) for text in request.targets)
    platforms = (request.python_platform,) if request.python_platform is not None else PLATFORMS
    if request.python_version is not None or not inputs.requires_python:
        return matrix(pythons_from(request.python_version or python), platforms)
    from packaging.specifiers import SpecifierSet

    return matrix(pythons_of(SpecifierSet(",".join(one.specifier for one in inputs.requires_python))), platforms)


def solve_for_targets(locker: Locker, problem: Problem, cells: tuple[Cell, ...], earlier: EarlierPins) -> Answer:
    """One answer for all cells; each keeps the pins that an earlier lock has for it.

    Raises:
        CellError: one of them has none.
        SameMarkers: see there.
    """

    def solve(one: Problem) -> Answer:
        with closing(
            Catalog(locker.sources.indexes, locker.reader, rules=locker.rules)
        ) as catalog:  # which files may be taken is another question on each
            return replace(locker, catalog=catalog).solve(one)

    def kept(cell: Cell) -> Mapping[str, Version]:
        return earlier.preferred_on(cell.target.markers)

    return solve_universal(problem, cells, solve, kept=kept)
