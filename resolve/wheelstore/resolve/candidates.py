"""Choose among the files of one version: pure, and the same whatever order the files come in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from wheelstore.resolve.filenames import WheelName, build_order, split_wheel, version_key, version_of
from wheelstore.resolve.pins import Pin
from wheelstore.resolve.selection_errors import (
    HashNotOnIndex,
    NeedsBuild,
    NoCompatibleWheel,
    RequiresPythonExcludes,
)
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.target import Target


class Formats(Protocol):
    """Which formats are wanted of a project (by normalized name): ``--no-binary``, ``--only-binary``."""

    def allows_wheel(self, name: str, /) -> bool:
        """Whether it may come as a wheel."""

    def allows_sdist(self, name: str, /) -> bool:
        """Whether it may be built from source."""


class Candidate(NamedTuple):
    """A wheel that fits by its tags; ``rank`` is its best tag's, 0 is best."""

    file: IndexFile
    wheel: WheelName
    rank: int


def of_version(pin: Pin, files: Iterable[IndexFile]) -> list[IndexFile]:
    """Keep the files of the pin's project and version (PEP 440 ``==``: without a local label, any fits)."""
    if pin.version is None:
        return list(files)
    wanted = version_key(str(pin.version))
    is_public = pin.version.local is None
    kept = []
    for file in files:
        version = version_of(file.filename, pin.name)
        key = version_key(version) if version is not None else None
        if key is not None and (key.partition("+")[0] if is_public else key) == wanted:
            kept.append(file)
    return kept


def rank_wheels(
    pin: Pin,
    files: Sequence[IndexFile],
    target: Target,
    *,
    formats: Formats | None = None,
    searched: Sequence[str] = (),
) -> list[IndexFile]:
    """Order what the pin may mean, best first; never empty. Of files with one name, the first given is first.

    Best is: a hash of the lock before an unknown one, not yanked, the highest version (they can only
    differ in the local label), the best tag, the highest build number.

    Args:
        files: of the pin's version, wheels and sdists.
        searched: where they are from, for the error.

    Raises:
        HashNotOnIndex, NeedsBuild, NoCompatibleWheel, RequiresPythonExcludes: there is nothing to order.
    """
    allowed = [file for file in files if _is_allowed(pin, file)]
    if not allowed:
        raise HashNotOnIndex(pin, sorted(file.filename for file in files), searched)
    if formats is not None and not formats.allows_wheel(pin.name):
        raise _needs_build(pin, [file for file in allowed if not split_wheel(file.filename)])
    candidates = _fitting(allowed, target)
    if not candidates:
        wheels = sorted(file.filename for file in allowed if split_wheel(file.filename))
        if len(wheels) < len(allowed) and (formats is None or formats.allows_sdist(pin.name)):
            raise _needs_build(pin, allowed)
        raise NoCompatibleWheel(pin, wheels, target.tags)
    ordered = _ordered(pin, candidates)
    admitted = [one.file for one in ordered if admits_python(one.file.requires_python, target.python)]
    if not admitted:
        raise RequiresPythonExcludes(pin, ordered[0].file.requires_python or "", target.python)
    return admitted


@lru_cache(maxsize=4096)
def admits_python(requires_python: str | None, python: str) -> bool:
    """Whether a Requires-Python has the release in it; one that is malformed excludes nobody, as in pip."""
    if not requires_python:
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True


def _is_allowed(pin: Pin, file: IndexFile) -> bool:
    """Whether the lock's hashes have the file: one is the same, or none is of a kind that is known of it."""
    if not set(pin.hashes).isdisjoint(file.hashes):
        return True
    algorithms = {text.partition(":")[0] for text in pin.hashes}
    return algorithms.isdisjoint(text.partition(":")[0] for text in file.hashes)


def _fitting(files: Iterable[IndexFile], target: Target) -> list[Candidate]:
    found = []
    for file in files:
        wheel = split_wheel(file.filename)
        rank = target.rank_tags(wheel.tags) if wheel is not None else None
        if wheel is not None and rank is not None:
            found.append(Candidate(file, wheel, rank))
    return found


def _ordered(pin: Pin, candidates: list[Candidate]) -> list[Candidate]:
    if len(candidates) == 1:
        return candidates
    local = _version_ranks({one.wheel.version for one in candidates})
    ordered = sorted(candidates, key=lambda one: one.file.filename)
    ordered.sort(key=lambda one: build_order(one.wheel.build), reverse=True)
    ordered.sort(
        key=lambda one: (
            set(pin.hashes).isdisjoint(one.file.hashes),
            one.file.yanked is not None,
            local[one.wheel.version],
            one.rank,
        )
    )
    return ordered


def _version_ranks(versions: set[str]) -> dict[str, int]:
    """Number spellings of versions, the highest first; equal ones alike."""
    keys = {version: version_key(version) or "" for version in versions}
    if len(set(keys.values())) == 1:
        return dict.fromkeys(versions, 0)
    from packaging.version import Version

    descending = sorted(set(keys.values()), key=Version, reverse=True)
    return {version: descending.index(key) for version, key in keys.items()}


def _needs_build(pin: Pin, files: Sequence[IndexFile]) -> NeedsBuild:
    wheels = sorted(file.filename for file in files if split_wheel(file.filename))
    sdists = sorted((file for file in files if not split_wheel(file.filename)), key=lambda file: file.filename)
    if not sdists:
        return NeedsBuild(pin, "it", wheels=wheels)
    sdist = next((file for file in sdists if file.filename.endswith(".tar.gz")), sdists[0])
    return NeedsBuild(pin, sdist.filename, filename=sdist.filename, url=sdist.url, sha256=sdist.sha256, wheels=wheels)
