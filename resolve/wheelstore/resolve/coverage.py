"""Whom a lock is for: markers, what a PEP 751 lock says of itself, and what both mean for one target."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from wheelstore.resolve.pins import LockError, NotCovered, Pin, Position

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet


_EXCERPT = 40


class BadMarker(ValueError):
    """A text that is no marker (PEP 508); the message says where, in one line."""


@lru_cache(maxsize=4096)
def parse_marker(text: str) -> Marker:
    """Parse a marker once per text: 77 µs each, and a lock repeats a handful.

    Raises:
        BadMarker: it does not parse.
    """
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(text)
    except InvalidMarker as error:
        raise BadMarker(f"{text!r} is not a marker: {condensed(error)}") from None


def condensed(error: ValueError) -> str:
    """Return packaging's message in one line: it draws the text and an arrow below."""
    cause = error.__cause__
    span, source = getattr(cause, "span", None), getattr(cause, "source", "")
    if span is None:
        return str(error).splitlines()[0]
    rest = source[span[0] :].strip()
    place = f"at {rest[:_EXCERPT]!r}" if rest else "at the end"
    return f"{getattr(cause, 'message', error)} {place}"


class Coverage(NamedTuple):
    """What one PEP 751 lock says about itself.

    Attributes:
        position: the file.
        requires_python: the Python versions it was made for, None for all.
        environments: markers, one of which the target has to satisfy; empty for every target.
        extras, groups: what can be asked of it; `default_groups` is asked unless something else is.
    """

    position: Position
    requires_python: SpecifierSet | None
    environments: tuple[Marker, ...]
    extras: frozenset[str]
    groups: frozenset[str]
    default_groups: frozenset[str]


class LockTarget:
    """Evaluates markers and Python ranges for one target, each marker object once."""

    def __init__(
        self,
        markers: Mapping[str, str],
        coverage: Sequence[Coverage],
        *,
        extras: frozenset[str],
        groups: Collection[str] | None,
    ) -> None:
        self.errors: list[LockError] = []
        version = markers["python_full_version"]
        self._python = f"{version}local" if version.endswith("+") else version  # an untagged build
        self._markers = {**markers, "python_full_version": self._python, "extra": ""}
        self._coverage = {each.position.file: each for each in coverage}
        self._extras = extras
        self._groups = None if groups is None else frozenset(groups)
        self._known: dict[tuple[int, str], bool] = {}

    def uncovered(self) -> Iterator[LockError]:
        """Find what speaks against the lock as a whole."""
        for each in self._coverage.values():
            if each.requires_python is not None and not self._suits(each.requires_python):
                message = f"is for Python {each.requires_python}, not for {self._python}"
                yield NotCovered(each.position, message)
            elif each.environments and not any(self._true(e, each.position) for e in each.environments):
                yield NotCovered(each.position, "is for other environments than the interpreter's")
        for extra in sorted(self._extras.difference(*(each.extras for each in self._coverage.values()))):
            yield NotCovered(self._somewhere(), f"offers no extra {extra!r}")
        groups = self._groups or frozenset()
        for group in sorted(groups.difference(*(each.groups for each in self._coverage.values()))):
            yield NotCovered(self._somewhere(), f"offers no dependency group {group!r}")

    def _somewhere(self) -> Position:
        return next((each.position for each in self._coverage.values()), Position("the lock"))

    def holds(self, pin: Pin) -> bool:
        """Tell whether a pin's marker is true here; one that cannot be evaluated is an error."""
        return pin.marker is None or self._true(pin.marker, pin.position)

    def unsuited(self, pin: Pin) -> Iterator[LockError]:
        """Find what keeps a pin that holds here from being installed here (PEP 751)."""
        if pin.requires_python is not None and not self._suits(pin.requires_python):
            message = f"{pin.spelling} is for Python {pin.requires_python}, not for {self._python}"
            yield NotCovered(pin.position, message)

    def _suits(self, requires_python: SpecifierSet) -> bool:
        return requires_python.contains(self._python, prereleases=True)

    def _true(self, marker: Marker, position: Position) -> bool:
        key = (id(marker), position.file)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._evaluate(marker, position)
        return known

    def _evaluate(self, marker: Marker, position: Position) -> bool:
        from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

        coverage = self._coverage.get(position.file)
        try:
            if coverage is None:
                return marker.evaluate(self._markers, "requirement")
            groups = coverage.default_groups if self._groups is None else self._groups
            asked = {"extras": self._extras, "dependency_groups": groups}
            return marker.evaluate({**self._markers, **asked}, "lock_file")
        except (UndefinedComparison, UndefinedEnvironmentName) as error:
            self.errors.append(LockError(position, f"the marker {marker} cannot be evaluated: {error}"))
            return False
