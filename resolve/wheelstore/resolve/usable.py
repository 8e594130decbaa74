"""Which files of one version may be taken for a target, and if none: why."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from wheelstore.resolve.candidates import admits_python
from wheelstore.resolve.filenames import split_wheel
from wheelstore.resolve.moments import upload_moment
from wheelstore.resolve.problem import Rules
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.target import Target


class Why(Enum):
    """Why a version cannot be taken."""

    YANKED = "yanked"
    PYTHON = "requires another Python"
    PLATFORM = "no wheel for this platform"
    NEWER = "published too late"
    FORMAT = "only in a format that was excluded"
    METADATA = "unusable metadata"
    DIRECT = "depends on a URL that was not asked for"


class Refusal(NamedTuple):
    """Why one version cannot be taken; ``detail`` is for people: a Requires-Python, tags, a reason."""

    why: Why
    detail: str = ""


class Usable(NamedTuple):
    """The files to lock, also those for other Pythons and platforms; ``source``'s metadata speaks for the version."""

    source: IndexFile
    files: tuple[IndexFile, ...]


def judge(files: Iterable[IndexFile], name: str, *, rules: Rules, target: Target, yanked: bool) -> Usable | Refusal:
    """Sort out the files of one version.

    Any wheel's metadata speaks for a version that is taken as an sdist, so that nothing is built to learn it.

    Args:
        yanked: whether a yanked version may be taken, because it is pinned.
    """
    refusal = Refusal(Why.FORMAT)
    taken: list[IndexFile] = []
    best: tuple[int, IndexFile] | None = None
    sdist: IndexFile | None = None
    other: IndexFile | None = None
    wheels, sdists = not rules.no_binary.has(name), not rules.only_binary.has(name)
    limit = rules.exclude_newer_package.get(name, rules.exclude_newer)
    tags: set[str] = set()
    for file in files:
        wheel = split_wheel(file.filename)
        if limit is not None and not _is_older(file.upload_time, limit):
            refusal = Refusal(Why.NEWER, file.upload_time or "")
            continue
        if file.yanked is not None and not yanked:
            refusal = Refusal(Why.YANKED, file.yanked)
            continue
        if wheels if wheel is not None else sdists:
            taken.append(file)
        if not admits_python(file.requires_python, target.python):
            refusal = Refusal(Why.PYTHON, file.requires_python or "")
            continue
        if wheel is None:
            sdist = sdist or (file if sdists else None)
            continue
        rank = target.rank_tags(wheel.tags) if wheels else None
        other = other or file
        if rank is None:
            tags.add(wheel.tags)
        elif best is None or rank < best[0]:
            best = (rank, file)
    if best is not None:
        return Usable(best[1], tuple(taken))
    if sdist is not None:
        return Usable(other or sdist, tuple(taken))
    return Refusal(Why.PLATFORM, " ".join(sorted(tags))) if tags and wheels else refusal


@lru_cache(maxsize=65536)
def _uploaded(text: str) -> float | None:
    moment = upload_moment(text)
    return moment.timestamp() if moment is not None else None


def _is_older(upload_time: str | None, limit: float) -> bool:
    uploaded = _uploaded(upload_time) if upload_time else None
    return uploaded is not None and uploaded < limit
