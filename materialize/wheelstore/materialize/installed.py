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
    from collections.abc import Iterable, Mapping

SEEDS = frozenset({"pip", "setuptools", "wheel", "uv"})
"""Distributions that a venv may come with; a sync leaves them in venvs that it did not make (as pip-sync and uv do)."""


class Found(NamedTuple):
    """A distribution found on disk, and the files it owns (relative to the environment, none outside of it)."""

    distribution: Distribution
    files: tuple[str, ...]


def find_distributions(root: str, sites: Iterable[str]) -> list[Found]:
    """Every distribution in the `sites` (relative to `root`), sorted.

    One without a RECORD, and the old ``.egg-info``, own just their metadata directory or file.
    """
    found = []
    for site in dict.fromkeys(sites):
        try:
            names = sorted(os.listdir(f"{root}/{site}"))
        except FileNotFoundError:
            continue
        for name in names:
            stem, dot, kind = name.rpartition(".")
            if kind not in ("dist-info", "egg-info") or not dot or stem.startswith("~"):
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
    if not os.path.isdir(f"{root}/{relative}") or os.path.islink(f"{root}/{relative}"):
        return [relative]
    found = []
    for directory, _, files in os.walk(f"{root}/{relative}"):
        below = os.path.relpath(directory, root).replace(os.sep, "/")
        found += [f"{below}/{file}" for file in files]
    return found


def differing(root: str, sources: Mapping[str, str]) -> set[str]:
    """Which of the files (blob names by target) are missing or not what they should be, as far as one `lstat` tells.

    A file made from a blob has the blob's time, in every link mode; so an edit, or another version's file of the same
    size, shows.
    """
    wrong = set()
    lstat = os.lstat
    for target, source in sources.items():
        try:
            status = lstat(f"{root}/{target}")
        except OSError:
            wrong.add(target)
            continue
        if not stat.S_ISREG(status.st_mode):
            wrong.add(target)
        elif len(source) < 2:
            if status.st_size or bool(status.st_mode & 0o100) != bool(source):
                wrong.add(target)
        elif int(status.st_mtime) != name_mtime(source) or (
            os.name != "nt" and bool(status.st_mode & 0o100) != source.endswith("-x")
        ):
            wrong.add(target)
    return wrong
