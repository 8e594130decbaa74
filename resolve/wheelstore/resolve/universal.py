"""Lock for several targets: solve for each, prefer what others have, and say in markers who has what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from wheelstore.resolve.coverage import parse_marker
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.marker_algebra import Point, Space
from wheelstore.resolve.matrix import Cell, environments_of, requires_python_of
from wheelstore.resolve.problem import Answer, Chosen, Preference, Problem

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelstore.resolve.pins import Source
    from wheelstore.resolve.simple import IndexFile


class CellError(ResolveError):
    """One target of several has no answer; ``error`` says why."""

    def __init__(self, cell: Cell, error: ResolveError) -> None:
        super().__init__(cell, error)
        self.cell, self.error, self.hint = cell, error, error.hint

    def __str__(self) -> str:
        return f"for {self.cell}: {self.error}"


class SameMarkers(ResolveError):
    """Two targets that no marker tells apart, and that need different distributions."""

    hint = "make a lock for each"

    def __init__(self, name: str, one: Cell, other: Cell) -> None:
        super().__init__(name, one, other)
        self.name, self.one, self.other = name, one, other

    def __str__(self) -> str:
        return f"{self.name} is not the same for {self.one} and {self.other}, which no marker tells apart"


class WrongMarkers(AssertionError):
    """The merged answer is not the answers that went into it: a mistake in this program."""


class _Key(NamedTuple):
    """What is one distribution of the merged answer."""

    name: str
    version: Version
    source: Source
    location: str

    @classmethod
    def of(cls, chosen: Chosen) -> _Key:
        return cls(chosen.name, chosen.version, chosen.source, chosen.location)


def solve_universal(
    problem: Problem,
    cells: Sequence[Cell],
    solve: Callable[[Problem], Answer],
    *,
    kept: Callable[[Cell], Mapping[str, Version]] | None = None,
) -> Answer:
    """Solve for every cell, and merge the answers.

    The newest Python comes first, as its versions are the newest, and old Pythons would hold them back; with
    ``--resolution lowest`` it is the other way round. A cell prefers the pins of an earlier lock, then those that its
    platform had before, then those of other platforms.

    Args:
        problem: for whichever target.
        kept: the pins of an earlier lock that hold in a cell; the problem's for all, if not given.

    Raises:
        CellError: a cell has no answer.
        SameMarkers: see there.
    """
    answers: dict[int, Answer] = {}
    for place in _order(problem, cells):
        cell = cells[place]
        pins = kept(cell) if kept is not None else problem.preferred
        preferred = {**_pins_before(cell, cells, answers), **pins}
        answers[place] = _solved(cell, replace(problem, target=cell.target, preferred=preferred), solve)
    in_order = [answers[place] for place in range(len(cells))]
    merged = merge(cells, in_order)
    verify(merged, cells, in_order)
    return merged


def merge(cells: Sequence[Cell], answers: Sequence[Answer]) -> Answer:
    """Make one answer of those for each cell.

    Raises:
        SameMarkers: see there.
    """
    space = Space(cell.point for cell in cells)
    found: dict[_Key, list[tuple[Point, Chosen]]] = {}
    for cell, answer in zip(cells, answers, strict=True):
        for chosen in answer.chosen:
            found.setdefault(_Key.of(chosen), []).append((cell.point, chosen))
    _check_same_markers(cells, answers)
    by_name: dict[str, list[_Key]] = {}
    for key in sorted(found, key=lambda key: (key.name, key.version, key.location, str(key.source))):
        by_name.setdefault(key.name, []).append(key)
    chosen_in_all: list[Chosen] = []
    for keys in by_name.values():
        markers = space.markers([{point for point, _ in found[key]} for key in keys])
        parts = ([chosen for _, chosen in found[key]] for key in keys)
        chosen_in_all += [_union(each, marker) for each, marker in zip(parts, markers, strict=True)]
    return Answer(
        chosen=tuple(chosen_in_all),
        environments=environments_of(cells),
        requires_python=requires_python_of(cells),
    )


def verify(answer: Answer, cells: Sequence[Cell], answers: Sequence[Answer]) -> None:
    """Check that the merged answer's markers give every cell what was found for it.

    Raises:
        WrongMarkers: they do not.
    """
    for cell, own in zip(cells, answers, strict=True):
        true: dict[str | None, bool] = {None: True}
        for chosen in answer.chosen:
            if chosen.marker not in true:
                true[chosen.marker] = _holds(chosen.marker or "", cell)
        here = {_Key.of(chosen) for chosen in answer.chosen if true[chosen.marker]}
        wrong = here ^ {_Key.of(chosen) for chosen in own.chosen}
        if wrong:
            raise WrongMarkers(f"{', '.join(sorted(key.name for key in wrong))} for {cell}")
        if not any(_holds(marker, cell) for marker in answer.environments):
            raise WrongMarkers(f"no environment for {cell}")


def _holds(marker: str, cell: Cell) -> bool:
    return parse_marker(marker).evaluate(dict(cell.target.markers))


def _order(problem: Problem, cells: Sequence[Cell]) -> list[int]:
    from packaging.version import Version

    newest_first = problem.rules.preference is not Preference.LOWEST
    versions = [Version(cell.target.python) for cell in cells]
    return sorted(range(len(cells)), key=versions.__getitem__, reverse=newest_first)


def _pins_before(cell: Cell, cells: Sequence[Cell], answers: Mapping[int, Answer]) -> dict[str, Version]:
    """Collect what was chosen before; of several versions the one that was last chosen for this platform."""
    pins: dict[str, Version] = {}
    solved = [(cells[place], answer) for place, answer in answers.items()]
    same = [answer for other, answer in reversed(solved) if other.platform == cell.platform]
    others = [answer for other, answer in solved if other.platform != cell.platform]
    for answer in (*same, *others):
        for chosen in answer.chosen:
            pins.setdefault(chosen.name, chosen.version)
    return pins


def _solved(cell: Cell, problem: Problem, solve: Callable[[Problem], Answer]) -> Answer:
    from wheelstore.resolve.solving import NoAnswer

    try:
        return solve(problem)
    except NoAnswer as error:
        raise CellError(cell, error) from error


def _check_same_markers(cells: Sequence[Cell], answers: Sequence[Answer]) -> None:
    """C libraries and free threading are in no marker."""
    first: dict[Point, tuple[Cell, set[_Key]]] = {}
    for cell, answer in zip(cells, answers, strict=True):
        here = {_Key.of(chosen) for chosen in answer.chosen}
        other, there = first.setdefault(cell.point, (cell, here))
        if here != there:
            raise SameMarkers(min(key.name for key in here ^ there), other, cell)


def _union(parts: Sequence[Chosen], marker: str | None) -> Chosen:
    return replace(
        parts[0],
        extras=frozenset().union(*(chosen.extras for chosen in parts)),
        files=_files(parts),
        via=tuple(dict.fromkeys(via for chosen in parts for via in chosen.via)),
        requires_python=next((chosen.requires_python for chosen in parts if chosen.requires_python), None),
        dependencies=_sorted(name for chosen in parts for name in chosen.dependencies),
        marker=marker,
    )


def _files(parts: Sequence[Chosen]) -> tuple[IndexFile, ...]:
    found = {(file.filename, file.url): file for chosen in parts for file in chosen.files}
    return tuple(found[key] for key in sorted(found))


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
