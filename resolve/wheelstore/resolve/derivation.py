"""A solver's whole proof as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nab_resolver.types import IncompatibilityCause

from wheelstore.resolve.leaves import bits_of
from wheelstore.resolve.words import Words, asked

if TYPE_CHECKING:
    from nab_resolver.types import Incompatibility, Term

    from wheelstore.resolve.problem import Given

_KINDS = {
    IncompatibilityCause.ROOT: "root",
    IncompatibilityCause.DEPENDENCY: "dependency",
    IncompatibilityCause.NO_VERSIONS: "no-versions",
    IncompatibilityCause.CONSTRAINT: "constraint",
    IncompatibilityCause.DERIVED: "derived",
}


def derivation(proof: Incompatibility[Any, Any], words: Words) -> list[dict[str, Any]]:
    """The nodes of a proof, its conclusion first; ``causes`` are positions in this list."""
    nodes = list(proof.walk())
    numbers = {id(node): number for number, node in enumerate(nodes)}
    return [_node(node, numbers, words) for node in nodes]


def _term(term: Term[Any, Any], words: Words) -> dict[str, Any]:
    text = words.range(term.package, bits_of(term))
    return {"package": term.package, "range": text, "not": not term.is_positive()}


def _node(node: Incompatibility[Any, Any], numbers: dict[int, int], words: Words) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": _KINDS[node.cause],
        "terms": [_term(term, words) for term in node.terms if isinstance(term.package, str)],
        "causes": [numbers[id(cause)] for cause in (node.cause_left, node.cause_right) if cause is not None],
    }
    given: Iterable[Given] = [node.origin] if node.origin is not None else []
    if node.cause is IncompatibilityCause.CONSTRAINT:
        given = [one for one in words.provider.problem.constraints if one.dependency.name == node.terms[0].package]
    stated = [{"requirement": asked(one.dependency), "origin": one.origin, "position": one.position} for one in given]
    return {**found, "given": stated} if stated else found
