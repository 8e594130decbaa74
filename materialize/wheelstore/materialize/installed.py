"""What an environment on disk holds, whoever installed it: distributions, their files, and what differs from a plan."""

from __future__ import annotations

import os
import stat

from wheelstore.materialize.plan import Distribution
from wheelstore.materialize.record import inside, read_record
from wheelstore.store.blobs import name_mtime
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelstore.materialize.directories import Directories
    from wheelstore.materialize.plan import Plan

SEEDS = frozenset({"pip", "setuptools", "wheel", "uv"})
"""Distributions that a venv may come with; a sync leaves them in venvs that it did not make (as pip-sync and uv do)."""


class Found(NamedTuple):
    """A distribution found on disk, and the files it owns (relative to the environment, none outside of it)."""

    distribution: Distribution
    files: tuple[str, ...]


def find_distributions(root: str, sites: Iterable[str]) -> list[Found]:
    """Every distribution in the `sites` (relative to `root`), sorted.

    One without a RECORD, and the old ``.egg-info``, own just their metadata directory or file. What pip was about to
    remove (``~name``) is none.
    """
    found = []
    for site in dict.fromkeys(sites):
        try:
            names = sorted(os.listdir(f"{root}/{site}"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            stem, _, kind = name.rpartition(".")
            if kind not in ("dist-info", "egg-info") or not stem or stem.startswith("~"):
                continue
            project, _, version = stem.partition("-")
            distribution = Distribution(normalized(project), version.partition("-")[0], f"{site}/{name}")
            found.append(Found(distribution, tuple(_owned(root, site, name))))
    return sorted(found)


def normalized(name: str) -> str:
    """A project's name as PEP 503 normalizes it."""
    words = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(word for at, word in enumerate(words) if word or at in (0, len(words) - 1))


def _owned(root: str, site: str, name: str) -> Iterable[str]:
    listed = read_record(f"{root}/{site}/{name}/RECORD")
    if listed is None:
        return _walk(root, f"{site}/{name}")
    owned = {path for entry in listed if (path := inside(root, site, entry))}
    # Files that are in the metadata directory and not in RECORD go with it all the same.
    return sorted(owned.union(_walk(root, f"{site}/{name}")))


def _walk(root: str, relative: str) -> list[str]:
    """All that is below a directory, without following links: files, and directories with nothing in them."""
    path = f"{root}/{relative}"
    if os.path.islink(path) or not os.path.isdir(path):
        return [relative]
    with os.scandir(path) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    found = [] if names else [relative]
    for name, is_directory in names:
        found += _walk(root, f"{relative}/{name}") if is_directory else [f"{relative}/{name}"]
    return found


def differing(root: str, plan: Plan, directories: Directories, *, blobs: str | None = None) -> set[str]:
    """Which links of `plan` are missing or not what they should be, as far as one `lstat` tells.

    A file made from a blob has the blob's time, in every link mode; so an edit, or another version's file of the same
    size, shows. A file that is found by way of a link to another directory is not there. With `blobs`, sizes are
    compared with theirs, too: after a power cut, a copy may have its time and not its content.
    """
    wrong: set[str] = set()
    lstat, end = os.lstat, 0
    for directory, count in zip(plan.directories, plan.counts, strict=True):
        start, end = end, end + count
        if count and not directories.own(directory):
            wrong.update(plan.targets[start:end])
            continue
        for target, source in zip(plan.targets[start:end], plan.sources[start:end], strict=True):
            try:
                status = lstat(f"{root}/{target}")
            except OSError:
                wrong.add(target)
                continue
            if not _is_made_from(status, source) or (blobs and not _is_as_large(status, blobs, source)):
                wrong.add(target)
    return wrong


def _is_made_from(status: os.stat_result, source: str) -> bool:
    if not stat.S_ISREG(status.st_mode):
        return False
    if os.name != "nt" and bool(status.st_mode & 0o100) != source.endswith("x"):
        return False
    return not status.st_size if len(source) < 2 else int(status.st_mtime) == name_mtime(source)


def _is_as_large(status: os.stat_result, blobs: str, source: str) -> bool:
    try:
        return len(source) < 2 or status.st_size == os.stat(f"{blobs}/{source}").st_size
    except FileNotFoundError:
        return False


def holds(path: str, content: bytes, *, executable: bool) -> bool:
    """Whether the file at `path` is one of its own with this content."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size != len(content):
            return False
        if os.name != "nt" and bool(status.st_mode & 0o100) != executable:
            return False
        with open(path, "rb") as stream:
            return stream.read() == content
    except OSError:
        return False
