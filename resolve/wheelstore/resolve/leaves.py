"""The facts that a solver's proof rests on, and the steps that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from nab_resolver.types import IncompatibilityCause

from wheelstore.resolve.dependencies import applies
from wheelstore.resolve.provider import Provider, split
from wheelstore.resolve.unavailable import unavailable

if TYPE_CHECKING:
    from nab_resolver.types import Incompatibility, Term

    from wheelstore.resolve.problem import Given


class Kind(Enum):
    """What a step says."""

    ROOT = "root"
    CONSTRAINT = "constraint"
    UNAVAILABLE = "unavailable"
    NEEDED = "needed"
    RULED_OUT = "ruled out"
    SUPPOSED = "supposed"
    CASES = "cases"
    NOTHING = "nothing"


class Clause(NamedTuple):
    """Versions of a package (an int as bits) that all depend on another one, in some of its versions."""

    package: str
    versions: int
    dependency: str
    allowed: int


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Step:
    """One fact, or what follows from `premises` and `clause`.

    ``bits`` are the versions that are left of ``package``, or those that are ruled out. In a step of cases,
    ``likewise`` are all for which it goes the same way, and ``case`` are the clauses for one of them.
    """

    kind: Kind
    package: str
    bits: int
    premises: tuple[Step, ...] = ()
    clause: Clause | None = None
    given: Given | None = None
    reason: str = ""
    likewise: int = 0
    case: tuple[Clause, ...] = ()


class Core(NamedTuple):
    """The facts at a proof's leaves."""

    roots: tuple[Step, ...]
    constraints: tuple[Step, ...]
    unavailable: tuple[Step, ...]
    clauses: dict[tuple[str, str], tuple[Clause, ...]]
    known: dict[str, int]


def core_of(proof: Incompatibility[Any, Any], provider: Provider) -> Core:
    """Collect the leaves, each once, in the order in which the proof comes to them."""
    roots: dict[tuple[str, int], Step] = {}
    clauses: dict[tuple[str, str], dict[Clause, None]] = {}
    constrained: dict[str, None] = {}
    packages: dict[str, None] = {}
    for node in proof.walk():
        named = [term for term in node.terms if isinstance(term.package, str)]
        if node.cause is not IncompatibilityCause.DERIVED:
            packages.update(dict.fromkeys(term.package for term in named))
        if node.cause is IncompatibilityCause.ROOT:
            (term,) = named
            step = Step(kind=Kind.ROOT, package=term.package, bits=bits_of(term), given=node.origin)
            roots.setdefault((term.package, id(node.origin)), step)
        elif node.cause is IncompatibilityCause.CONSTRAINT:
            constrained[split(named[0].package)[0]] = None
        elif node.cause is IncompatibilityCause.DEPENDENCY and len(named) == 2:
            parent, wanted = named
            if split(parent.package)[0] != wanted.package:  # an extra's project is the same version
                clause = Clause(parent.package, bits_of(parent), wanted.package, bits_of(wanted))
                clauses.setdefault((parent.package, wanted.package), {})[clause] = None
    names = sorted({split(package)[0] for package in packages})
    order = {id(given): number for number, given in enumerate(provider.problem.roots)}
    return Core(
        tuple(sorted(roots.values(), key=lambda step: order.get(id(step.given), len(order)))),
        tuple(_constraints(constrained, provider)),
        tuple(_missing(names, provider)),
        {pair: tuple(sorted(clauses[pair])) for pair in _outwards(clauses, roots)},
        {name: int(provider.project(name).known) for name in names},
    )


def bits_of(term: Term[Any, Any]) -> int:
    """A term's range, as a plain int."""
    bits: Any = term.constraint
    return int(bits)


def _outwards(pairs: Iterable[tuple[str, str]], roots: Iterable[tuple[str, int]]) -> list[tuple[str, str]]:
    """The pairs by how far they are from what is required: no run of the solver is to change the words."""
    following: dict[str, list[str]] = {}
    for package, dependency in sorted(pairs):
        following.setdefault(package, []).append(dependency)
    found = dict.fromkeys(sorted({package for package, _ in roots}))
    order: dict[str, None] = {}
    for start in (*found, *following):
        waiting = [start]
        for package in waiting:
            if package not in order:
                order[package] = None
                waiting += following.get(package, ())
                name = split(package)[0]
                waiting += [name] if name != package else []
    return [(package, dependency) for package in order for dependency in following.get(package, ())]


def _constraints(names: Iterable[str], provider: Provider) -> Iterator[Step]:
    for given in provider.problem.constraints:
        dependency = given.dependency
        if dependency.name in names and applies(dependency, provider.problem.target.markers):
            bits = int(provider.range_of(dependency))
            yield Step(kind=Kind.CONSTRAINT, package=dependency.name, bits=bits, given=given)


def _missing(names: Iterable[str], provider: Provider) -> Iterator[Step]:
    for name in names:
        for reason, bits in unavailable(provider, name).items():
            yield Step(kind=Kind.UNAVAILABLE, package=name, bits=bits, reason=reason)
