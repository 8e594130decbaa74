"""Markers that are true on exactly some of the targets of a lock.

A target is a point: Python version, system, machine, implementation. A set of points is a bit mask over a universe
that also has a point for "any other" system, machine and implementation, so that markers which have to exclude each
other do so on platforms that nobody asked for, too. A marker is a sum of terms, a term has at most a literal for each
axis; terms are taken greedily, the widest first, and the shortest of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wheelstore.resolve.target import Target

_OTHER = ""
_VARIABLES = ("sys_platform", "platform_machine", "implementation_name")
_RANKS = (0, 0, 2, 1)  # of python, system, machine, implementation: which literal says it best
_Values = tuple[str, ...]


class Point(NamedTuple):
    """What markers can tell of a target."""

    python: str
    system: str
    machine: str
    implementation: str

    @classmethod
    def of(cls, target: Target) -> Point:
        """Where a target is."""
        python = target.markers["python_full_version"]
        return cls(python, *(target.markers[name] for name in _VARIABLES))

    @property
    def minor(self) -> str:
        """``3.12``."""
        return minor_of(self.python)

    @property
    def platform_marker(self) -> str:
        """What is true on this system, machine and implementation only."""
        return " and ".join(f"{name} == '{value}'" for name, value in zip(_VARIABLES, self[1:], strict=True))


def minor_of(version: str) -> str:
    """``3.12`` of ``3.12.1``."""
    return ".".join(version.split(".")[:2])


class _Literal(NamedTuple):
    atoms: tuple[str, ...]
    values: frozenset[str]
    negated: bool = False


class _Term(NamedTuple):
    cost: tuple[int, int, int]
    atoms: tuple[str, ...]
    mask: int


class Space:
    """The points of a lock, and the terms that can be said of them."""

    def __init__(self, points: Iterable[Point]) -> None:
        self.points = frozenset(points)
        axes = [_ordered(values) for values in zip(*sorted(self.points), strict=True)]
        others: list[tuple[str, ...]] = [(_OTHER,) if len(axis) > 1 else () for axis in axes[1:]]
        universe: list[_Values] = list(product(axes[0], *(a + o for a, o in zip(axes[1:], others, strict=True))))
        self._bits = {values: 1 << place for place, values in enumerate(universe)}
        self._here = self._mask(self.points)
        self._terms = self._all_terms(universe, axes)
        self._known: dict[tuple[int, int], tuple[_Term, ...]] = {}

    def marker(self, points: Iterable[Point]) -> str | None:
        """Return what is true on these points and on none of the others; None if these are all."""
        return self.markers((points,))[0]

    def markers(self, groups: Sequence[Iterable[Point]]) -> tuple[str | None, ...]:
        """Return a marker for each of several sets that have no point in common; no two are true anywhere at once."""
        taken = 0
        texts = []
        for group in groups:
            terms = self._cover(self._mask(group), taken)
            for term in terms:
                taken |= term.mask
            texts.append(_text(terms))
        return tuple(texts)

    def _mask(self, points: Iterable[Point]) -> int:
        mask = 0
        for point in points:
            mask |= self._bits[tuple(point)]
        return mask

    def _all_terms(self, universe: Sequence[_Values], axes: Sequence[tuple[str, ...]]) -> list[_Term]:
        literals = [list(_python_literals(axes[0]))]
        literals += [list(_name_literals(name, axis)) for name, axis in zip(_VARIABLES, axes[1:], strict=True)]
        masks = [
            [(each, _mask_of(universe, place, each.values)) for each in axis] for place, axis in enumerate(literals)
        ]
        cheapest: dict[int, _Term] = {}
        for combination in product(*masks):
            mask = -1
            for _, each in combination:
                mask &= each
            cost, atoms = _cost([literal for literal, _ in combination])
            if mask & self._here and (mask not in cheapest or cost < cheapest[mask].cost):
                cheapest[mask] = _Term(cost, atoms, mask)
        return sorted(cheapest.values())

    def _cover(self, wanted: int, taken: int) -> tuple[_Term, ...]:
        known = self._known.get((wanted, taken))
        if known is None:
            forbidden = taken | (self._here & ~wanted)
            usable = [term for term in self._terms if not term.mask & forbidden and term.mask & wanted]
            known = self._known[wanted, taken] = _greedy(usable, wanted)
        return known


def _greedy(usable: Sequence[_Term], wanted: int) -> tuple[_Term, ...]:
    """Choose terms until all is covered; of terms that cover as much the first, which is the shortest."""
    chosen: list[_Term] = []
    missing = wanted
    while missing:
        best = max(usable, key=lambda term: (term.mask & missing).bit_count())
        chosen.append(best)
        missing &= ~best.mask
    for term in tuple(chosen):
        rest = 0
        for other in chosen:
            rest |= other.mask if other is not term else 0
        if not wanted & ~rest:
            chosen.remove(term)
    return tuple(chosen)


def _text(terms: Sequence[_Term]) -> str | None:
    if any(not term.atoms for term in terms):
        return None
    several = len(terms) > 1
    texts = [" and ".join(term.atoms) for term in terms]
    bracketed = [
        f"({text})" if several and len(term.atoms) > 1 else text for text, term in zip(texts, terms, strict=True)
    ]
    return " or ".join(bracketed)


def _cost(literals: Sequence[_Literal]) -> tuple[tuple[int, int, int], tuple[str, ...]]:
    atoms = tuple(atom for literal in literals for atom in literal.atoms)
    ranks = sum(rank for rank, literal in zip(_RANKS, literals, strict=True) if literal.atoms)
    return (len(atoms), sum(literal.negated for literal in literals), ranks), atoms


def _mask_of(universe: Sequence[_Values], place: int, values: frozenset[str]) -> int:
    return sum(1 << bit for bit, point in enumerate(universe) if point[place] in values)


def _ordered(values: Iterable[str]) -> tuple[str, ...]:
    from packaging.version import InvalidVersion, Version

    unique = sorted(set(values))
    try:
        return tuple(sorted(unique, key=Version))
    except InvalidVersion:  # a name
        return tuple(unique)


def _name_literals(variable: str, values: tuple[str, ...]) -> Iterator[_Literal]:
    everything = frozenset((*values, _OTHER))
    yield _Literal((), everything)
    if len(values) == 1:
        return
    for value in values:
        yield _Literal((f"{variable} == '{value}'",), frozenset((value,)))
        yield _Literal((f"{variable} != '{value}'",), everything - {value}, negated=True)


def _python_literals(versions: tuple[str, ...]) -> Iterator[_Literal]:
    """Ranges: without a bound towards the versions that are not there."""
    last = len(versions) - 1
    for first in range(len(versions)):
        for final in range(first, last + 1):
            lower = () if first == 0 else (_bound(versions, first, ">="),)
            upper = () if final == last else (_bound(versions, final + 1, "<"),)
            values = frozenset(versions[first : final + 1])
            if first == final and lower and upper and _is_only_one_of_its_minor(versions, first):
                minor = minor_of(versions[first])
                yield _Literal((f"python_version == '{minor}'",), values)
                yield _Literal((f"python_version != '{minor}'",), frozenset(versions) - values, negated=True)
            else:
                yield _Literal(lower + upper, values)


def _bound(versions: Sequence[str], place: int, operator: str) -> str:
    """Compare minors where that is enough: ``python_version < '3.11'``."""
    here, before = minor_of(versions[place]), minor_of(versions[place - 1])
    if here != before:
        return f"python_version {operator} '{here}'"
    return f"python_full_version {operator} '{versions[place]}'"


def _is_only_one_of_its_minor(versions: Sequence[str], place: int) -> bool:
    minor = minor_of(versions[place])
    return sum(minor_of(version) == minor for version in versions) == 1
