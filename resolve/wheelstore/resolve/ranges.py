"""Sets of a project's versions, as bits: bit i stands for the i-th known version, the lowest first.

A specifier becomes one number by a few binary searches, and everything the solver does with it is one operation on
integers. Of 2,500 versions of botocore, `>=1.30,<1.35` takes some ten comparisons of versions; asking a `SpecifierSet`
about each takes 2,500.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from packaging.specifiers import Specifier, SpecifierSet
    from packaging.version import Version


class Relation(NamedTuple):
    """How one set lies to another; both are true only of an empty one."""

    is_subset: bool
    is_disjoint: bool


_RELATIONS = tuple(tuple(Relation(a, b) for b in (False, True)) for a in (False, True))


class Range(int):
    """A set of versions; what `nab_resolver.types.RangeProtocol` asks for. Negative ones have all but finitely many."""

    __slots__ = ()

    @classmethod
    def empty(cls) -> Self:
        """No version."""
        return cls(0)

    @classmethod
    def full(cls) -> Self:
        """Every version, known or not."""
        return cls(-1)

    @classmethod
    def singleton(cls, version: int) -> Self:
        """One version, by its number."""
        return cls(1 << version)

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return self == 0

    def __contains__(self, version: int) -> bool:
        return bool(self >> version & 1)

    def __and__(self, other: object) -> Self:
        return self.__class__(int.__and__(self, other))  # type: ignore[operator]

    def __or__(self, other: object) -> Self:
        return self.__class__(int.__or__(self, other))  # type: ignore[operator]

    def __invert__(self) -> Self:
        return self.__class__(int.__invert__(self))

    def __sub__(self, other: object) -> Self:
        return self.__class__(int.__and__(self, int.__invert__(other)))  # type: ignore[arg-type]

    def is_subset(self, other: int) -> bool:
        """Whether all of this are in the other."""
        return int.__and__(self, ~int(other)) == 0

    def is_superset(self, other: int) -> bool:
        """Whether all of the other are in this."""
        return int.__and__(~int(self), other) == 0

    def is_disjoint(self, other: int) -> bool:
        """Whether no version is in both."""
        return int.__and__(self, other) == 0

    def relation(self, other: int) -> Relation:
        """Both at once."""
        common = int.__and__(self, other)
        return _RELATIONS[common == int(self)][common == 0]

    def numbers(self) -> Iterator[int]:
        """The versions' numbers, ascending; of a finite set."""
        rest = int(self)
        while rest:
            low = rest & -rest
            yield low.bit_length() - 1
            rest ^= low


FULL, EMPTY = Range.full(), Range.empty()


class Versions(Sequence["Version"]):
    """The versions of a project, ascending; each is parsed when it is looked at."""

    __slots__ = ("_keys", "_parsed", "known")

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._parsed: list[Version | None] = [None] * len(keys)
        self.known = Range((1 << len(keys)) - 1)

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, number: int) -> Version:  # type: ignore[override]
        version = self._parsed[number]
        if version is None:
            from packaging.version import Version

            version = self._parsed[number] = Version(self._keys[number])
        return version

    def key(self, number: int) -> str:
        """A version's `version_key`."""
        return self._keys[number]

    def range_of(self, specifiers: SpecifierSet) -> Range:
        """The versions that all `specifiers` allow (PEP 440), pre-releases included."""
        found = int(self.known)
        for specifier in specifiers:
            found &= self._one(specifier)
        return Range(found)

    def exactly(self, version: Version) -> Range:
        """The known ones that ``==`` would allow."""
        return Range(_equal(self, str(version)))

    def _one(self, specifier: Specifier) -> int:
        return _OPERATORS[specifier.operator](self, specifier.version)

    def _from(self, reaches: Callable[[Version], bool]) -> int:
        """All from the first one on that `reaches`, by bisection."""
        low, high = 0, len(self._keys)
        while low < high:
            middle = (low + high) // 2
            if reaches(self[middle]):
                high = middle
            else:
                low = middle + 1
        return int(self.known) >> low << low

    def _matching(self, start: int, belongs: Callable[[Version], bool], step: int = 1) -> int:
        """Those next to each other from `start` on that belong together."""
        found, number = 0, start
        while 0 <= number < len(self._keys) and belongs(self[number]):
            found |= 1 << number
            number += step
        return found


def _first(bits: int, versions: Versions) -> int:
    return (bits & -bits).bit_length() - 1 if bits else len(versions)


def _parse(text: str) -> Version:
    from packaging.version import Version

    return Version(text)


def _at_least(versions: Versions, text: str) -> int:
    wanted = _parse(text)
    return versions._from(lambda version: _public(version) >= wanted)  # noqa: SLF001


def _at_most(versions: Versions, text: str) -> int:
    wanted = _parse(text)
    return int(versions.known) & ~versions._from(lambda version: _public(version) > wanted)  # noqa: SLF001


def _less(versions: Versions, text: str) -> int:
    """``<2`` has no pre-release of 2, unless it is itself about one; ``<2.post1`` has none of that."""
    wanted = _parse(text)
    found = int(versions.known) & ~versions._from(lambda version: version >= wanted)  # noqa: SLF001
    if wanted.is_prerelease:
        return found
    earliest = _parse(f"{wanted}.dev0")
    below = found & versions._from(lambda version: version >= earliest)  # noqa: SLF001
    if wanted.post is None:  # also those that are before 2.dev0 never were of 2: 2a1 comes after it
        return found & ~below
    return found & ~sum(1 << number for number in Range(below).numbers() if versions[number].dev is not None)


def _greater(versions: Versions, text: str) -> int:
    """``>2`` has no post-release and no local version of 2; ``>2.post1`` has later post-releases."""
    wanted = _parse(text)
    found = versions._from(lambda version: version > wanted)  # noqa: SLF001
    same = (wanted.epoch, _trimmed(wanted.release), wanted.pre)
    start = _first(found, versions)
    nearby = versions._matching(  # noqa: SLF001
        start, lambda version: (version.epoch, _trimmed(version.release), version.pre) == same
    )
    for number in Range(nearby).numbers():
        version = versions[number]
        is_later_post = version.is_postrelease and not wanted.is_postrelease
        is_local_of = version.local is not None and _public(version) == wanted
        if (is_later_post and wanted.dev is None) or is_local_of:
            found &= ~(1 << number)
    return found


def _trimmed(release: tuple[int, ...]) -> tuple[int, ...]:
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    return release


def _equal(versions: Versions, text: str) -> int:
    if text.endswith(".*"):
        return _prefix(versions, _parse(text[:-2]))
    wanted = _parse(text)
    if wanted.local is not None:
        start = _first(versions._from(lambda version: version >= wanted), versions)  # noqa: SLF001
        return versions._matching(start, lambda version: version == wanted)  # noqa: SLF001
    start = _first(versions._from(lambda version: _public(version) >= wanted), versions)  # noqa: SLF001
    return versions._matching(start, lambda version: _public(version) == wanted)  # noqa: SLF001


def _not_equal(versions: Versions, text: str) -> int:
    return int(versions.known) & ~_equal(versions, text)


def _prefix(versions: Versions, prefix: Version) -> int:
    """``==1.2.*``: everything whose release begins so, pre-releases of it included."""
    release = prefix.release
    if prefix.pre or prefix.post is not None or prefix.dev is not None:  # 1.2rc1.*, which hardly anybody writes
        from packaging.specifiers import SpecifierSet

        specifiers = SpecifierSet(f"=={prefix}.*")
        return sum(1 << at for at in range(len(versions)) if specifiers.contains(versions[at], prereleases=True))
    after = (*release[:-1], release[-1] + 1)
    epoch = f"{prefix.epoch}!" if prefix.epoch else ""
    low = _parse(f"{epoch}{'.'.join(map(str, release))}.dev0")
    high = _parse(f"{epoch}{'.'.join(map(str, after))}.dev0")
    from_low = versions._from(lambda version: version >= low)  # noqa: SLF001
    return from_low & ~versions._from(lambda version: version >= high)  # noqa: SLF001


def _compatible(versions: Versions, text: str) -> int:
    wanted = _parse(text)
    epoch = f"{wanted.epoch}!" if wanted.epoch else ""
    prefix = _parse(epoch + ".".join(map(str, wanted.release[:-1])))
    return _at_least(versions, text) & _prefix(versions, prefix)


def _identical(versions: Versions, text: str) -> int:
    """``===``: the same text; known versions are spelled canonically, so equal ones count as such."""
    from packaging.version import InvalidVersion

    try:
        return _equal(versions, text)
    except InvalidVersion:
        return 0


def _public(version: Version) -> Version:
    return version if version.local is None else _parse(version.public)


_OPERATORS: dict[str, Callable[[Versions, str], int]] = {
    ">=": _at_least,
    "<=": _at_most,
    "<": _less,
    ">": _greater,
    "==": _equal,
    "!=": _not_equal,
    "~=": _compatible,
    "===": _identical,
}
