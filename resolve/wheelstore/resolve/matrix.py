"""The cells of a lock for several targets: which Pythons, on which platforms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.marker_algebra import Point, minor_of
from wheelstore.resolve.platforms import MACOS, OLDEST_PYTHON, python_of, target_for

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from wheelstore.resolve.target import Target

NEWEST_PYTHON = (3, 14)
"""A lock for every Python ends here, and says that it is for the later ones, too."""

PLATFORMS = ("linux", "macos", "windows")
"""The platforms of a lock for every platform."""

_MOST_PATCHES = 40  # of one minor version, in search of the first that a Requires-Python admits


class BadTarget(ResolveError):
    """A ``--target`` that does not name a Python and a platform."""

    hint = "write it as 3.12-linux or 3.12-x86_64-unknown-linux-musl"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"{self.text!r} is not a Python version, a hyphen and a platform"


class NoPython(ResolveError):
    """A Requires-Python that no Python satisfies which can be locked for."""

    def __init__(self, requires_python: str) -> None:
        super().__init__(requires_python)
        self.requires_python = requires_python

    def __str__(self) -> str:
        oldest, newest = (".".join(map(str, version)) for version in (OLDEST_PYTHON, NEWEST_PYTHON))
        return f"no Python from {oldest} to {newest} satisfies {self.requires_python!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One target of several.

    Attributes:
        python: its minor version.
        platform: as it was asked for.
        marker: what is true there; the Python as its minor version.
    """

    target: Target
    python: str
    platform: str
    marker: str

    @property
    def point(self) -> Point:
        """What markers can tell of it."""
        return Point.of(self.target)

    def __str__(self) -> str:
        pypy = self.target.markers["implementation_name"] == "pypy"
        return f"{'PyPy' if pypy else 'Python'} {self.python} on {self.platform}"


def cell_for(python: str, platform: str, *, macos: str = MACOS) -> Cell:
    """Describe one target; errors are those of `platforms.target_for`."""
    target = target_for(python, platform, macos=macos)
    point = Point.of(target)
    marker = f"python_version == '{point.minor}' and {point.platform_marker}"
    return Cell(target=target, python=point.minor, platform=platform, marker=marker)


def matrix(pythons: Sequence[str], platforms: Sequence[str] = PLATFORMS, *, macos: str = MACOS) -> tuple[Cell, ...]:
    """Every Python on every platform, each once; errors are those of `platforms.target_for`."""
    return unique(cell_for(python, platform, macos=macos) for python in pythons for platform in platforms)


def unique(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Leave out what is there already, under whatever name."""
    found: dict[tuple[Point, tuple[str, ...]], Cell] = {}
    for cell in cells:
        found.setdefault((cell.point, cell.target.tags), cell)
    return tuple(found.values())


def parse_target(text: str, *, macos: str = MACOS) -> Cell:
    """Read ``3.12-linux``.

    Raises:
        BadTarget: a part is missing.
        UnknownPython, UnknownPlatform: a part stands for nothing.
    """
    python, hyphen, platform = text.strip().partition("-")
    if python.lower() in {"cpython", "pypy", "python"}:
        implementation = python
        python, hyphen, platform = platform.partition("-")
        python = f"{implementation}{python}"
    if not hyphen or not python or not platform:
        raise BadTarget(text)
    return cell_for(python, platform, macos=macos)


def pythons_from(oldest: str) -> tuple[str, ...]:
    """Every minor version from this one on, which may be a full version; only this one if it is very new.

    Raises:
        UnknownPython: it is none, or too old.
    """
    first = python_of(oldest)
    minor = int(first.minor.split(".")[1])
    start = first.minor if first.version == f"{first.minor}.0" else first.version
    return (start, *(f"3.{later}" for later in range(minor + 1, NEWEST_PYTHON[1] + 1)))


def pythons_of(requires_python: SpecifierSet) -> tuple[str, ...]:
    """Every minor version that a Requires-Python admits; as the first release that it admits, if that is not ``.0``.

    Raises:
        NoPython: there is none.
    """
    found = []
    for minor in range(OLDEST_PYTHON[1], NEWEST_PYTHON[1] + 1):
        releases = (f"3.{minor}.{patch}" for patch in range(_MOST_PATCHES))
        first = next((release for release in releases if requires_python.contains(release)), None)
        if first is not None:
            found.append(first.removesuffix(".0"))
    if not found:
        raise NoPython(str(requires_python))
    return tuple(found)


def requires_python_of(cells: Sequence[Cell]) -> str:
    """What the Pythons of the cells have in common: ``>=3.9``, and ``,<3.13`` where the newest is not among them."""
    from packaging.version import Version

    versions = sorted(Version(cell.target.python) for cell in cells)
    oldest, newest = versions[0], versions[-1]
    floor = str(oldest) if oldest.micro else f"{oldest.major}.{oldest.minor}"
    if newest.release[:2] >= NEWEST_PYTHON:
        return f">={floor}"
    return f">={floor},<{newest.major}.{newest.minor + 1}"


def environments_of(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Return markers that are true on the cells: one for each platform, as the Pythons stand in Requires-Python.

    Where a platform has not all of them, or they have gaps, there is one for each of its Pythons.
    """
    minors: dict[str, dict[str, None]] = {}
    for cell in cells:
        minors.setdefault(cell.point.platform_marker, {})[minor_of(cell.target.python)] = None
    everything = {minor for each in minors.values() for minor in each}
    found = []
    for platform, here in minors.items():
        if set(here) == everything and _has_no_gaps(everything):
            found.append(platform)
        else:
            found += [f"python_version == '{minor}' and {platform}" for minor in here]
    return tuple(found)


def _has_no_gaps(minors: Iterable[str]) -> bool:
    numbers = [int(minor.split(".")[1]) for minor in minors]
    return max(numbers) - min(numbers) + 1 == len(numbers)
