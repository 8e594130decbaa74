"""Whether an image, or a spare, holds what its plan says and nothing else: the proof that whoever uses it does without.

What is one file with its blob is as good as that. Everything else is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from typing import NamedTuple

from wheelstore.materialize.image import DIRECTORY, SUBVOLUME
from wheelstore.materialize.plan import Plan, PlanDamaged, unpack
from wheelstore.materialize.shapes import image_of
from wheelstore.store.audit import digest_of
from wheelstore.store.blobs import blob_key, name_mtime
from wheelstore.store.btrfs import is_read_only

SPARE = "spare"
"""A kind of tree, beside the kinds of images: it is like one, but can be written to."""

MISSING, ALTERED, STRANGE, OPEN = "missing", "altered", "strange", "open"
"""What can be wrong with a file or directory: not there; other bytes, time or mode; nothing of the plan's; writable."""

UNREADABLE, UNKNOWN = "unreadable", "unknown"
"""What can be wrong with all of a tree, too: it cannot be read; there is no plan that says what it should be."""

_WRITABLE = 0o222


class Flaw(NamedTuple):
    """What is wrong with a file or directory of a tree; the path is empty for the tree itself."""

    path: str
    fault: str


def audit_tree(root: str, packed: bytes | None, kind: str, *, blobs: str, bad: Collection[str] = ()) -> list[Flaw]:
    """Hold the image or spare at `root` to its long plan; what is wrong, by path. `bad` are blobs that are, by name."""
    if not os.path.isdir(root):
        return [Flaw("", MISSING)]
    try:
        content = image_of(unpack(packed or b""))
    except PlanDamaged:
        return [Flaw("", UNKNOWN)]
    try:
        return _flaws(root, content, kind, blobs, bad)
    except OSError:  # a part of it, or it has gone meanwhile
        return [Flaw("", UNREADABLE)]


def _flaws(root: str, content: Plan, kind: str, blobs: str, bad: Collection[str]) -> list[Flaw]:
    expected = dict(zip(content.targets, content.sources, strict=True))
    directories = set(content.directories)
    flaws, seen = [], set()
    for path, status in _entries(root, directories):
        if path in expected:
            seen.add(path)
            if not _is_right(f"{root}/{path}", status, expected[path], blobs, bad):
                flaws.append(Flaw(path, ALTERED))
        elif path in directories and stat.S_ISDIR(status.st_mode):
            seen.add(path)
            if kind == DIRECTORY and status.st_mode & _WRITABLE:
                flaws.append(Flaw(path, OPEN))
        elif kind == SPARE or not _is_cache(root, path, status, expected):
            flaws.append(Flaw(path, STRANGE))
    if kind == SUBVOLUME and not is_read_only(root):
        flaws.append(Flaw("", OPEN))
    lacking = {*expected, *content.directories[1:]} - seen
    return sorted([*flaws, *(Flaw(path, MISSING) for path in lacking)])


def _entries(root: str, directories: Collection[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below `root`; of directories that nobody expects, only those themselves and what Python caches."""
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        with os.scandir(f"{root}/{directory}") as entries:
            for entry in entries:
                path = f"{directory}/{entry.name}".lstrip("/")
                yield path, entry.stat(follow_symlinks=False)
                inside = path in directories or (entry.name == "__pycache__" and directory in directories)
                if inside and entry.is_dir(follow_symlinks=False):
                    waiting.append(path)


def _is_right(path: str, status: os.stat_result, source: str, blobs: str, bad: Collection[str]) -> bool:
    if not stat.S_ISREG(status.st_mode):
        return False
    if len(source) < 2:
        return status.st_size == 0
    try:
        if os.path.samestat(status, os.lstat(f"{blobs}/{source}")):
            return source not in bad
    except FileNotFoundError:
        pass
    executable = bool(status.st_mode & 0o111)
    if int(status.st_mtime) != name_mtime(source) or (os.name != "nt" and executable != source.endswith("-x")):
        return False
    try:
        return digest_of(path) == blob_key(source)[:32]
    except OSError:
        return False


def _is_cache(root: str, path: str, status: os.stat_result, expected: Collection[str]) -> bool:
    """Whether it is what a Python that may write anywhere has put there, and still fits the module beside it."""
    directory, _, name = path.rpartition("/")
    if name == "__pycache__":
        return stat.S_ISDIR(status.st_mode)
    parent, _, cache = directory.rpartition("/")
    source = f"{parent}/{name.partition('.')[0]}.py".lstrip("/")
    if cache != "__pycache__" or not name.endswith(".pyc") or source not in expected:
        return False
    if not stat.S_ISREG(status.st_mode):
        return False
    with open(f"{root}/{path}", "rb") as stream:
        header = stream.read(16)
    try:
        module = os.stat(f"{root}/{source}")
    except FileNotFoundError:
        return False
    fields = [int.from_bytes(header[at : at + 4], "little") for at in (4, 8, 12)]  # PEP 552
    return fields == [0, int(module.st_mtime) & 0xFFFFFFFF, module.st_size & 0xFFFFFFFF]
