"""What is on disk, to compare: environments by content, directories by everything that `stat` shows."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_OWN = re.compile(
    r"""
    pyvenv\.cfg | CACHEDIR\.TAG | \.gitignore | \.lock | \.wheelstore/.*
    | (bin|Scripts)/(python[\d.]*|pythonw?\.exe|[Aa]ctivate(\.\w+|_this\.py)?|deactivate\.bat|pydoc\.bat)
    | .*/site-packages/_virtualenv\.(py|pth)
    | .*/__pycache__/.*
    """,
    re.VERBOSE,
)
"""What a venv has before anything is installed, with what tools and interpreters add for themselves."""

_INSTALLERS = ("INSTALLER", "REQUESTED", "RECORD")


class Content(NamedTuple):
    """A file's bytes by their hash, and whether it is executable; a symbolic link's target in place of the hash."""

    sha256: str
    executable: bool


def environment_content(root: Path) -> dict[str, Content]:
    """Every file that was installed into an environment, by its path below `root`.

    Left out are the venv's own files, and what says who installed (INSTALLER, REQUESTED, RECORD). Scripts are
    compared without the lines that name the interpreter.
    """
    content = {}
    for path in files_below(root):
        name = path.relative_to(root).as_posix()
        if _OWN.fullmatch(name) or (".dist-info/" in name and path.name in _INSTALLERS):
            continue
        if path.is_symlink():
            content[name] = Content(f"-> {os.readlink(path)}", executable=False)
        else:
            body = path.read_bytes()
            body = without_interpreter(body, root) if name.startswith(("bin/", "Scripts/")) else body
            executable = bool(path.stat().st_mode & stat.S_IXUSR)
            content[name] = Content(hashlib.sha256(body).hexdigest(), executable)
    return content


def without_interpreter(body: bytes, root: Path) -> bytes:
    """A script without the first line or lines, if they start the interpreter of the environment `root`."""
    interpreter = re.escape(os.fsencode(root)) + rb"/bin/python[\d.]*"
    return re.sub(rb"\A#!(/bin/sh\n'''exec' ')?%b(' .*\n' ''')?\n" % interpreter, b"#!\n", body)


def records(root: Path) -> dict[str, dict[str, str]]:
    """Each RECORD of an environment by its path: the hash by path, but for the files that tools may differ in."""
    found = {}
    for path in sorted(root.glob("lib/python*/site-packages/*.dist-info/RECORD")):
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.reader(stream) if row]
        found[path.relative_to(root).as_posix()] = {
            name: digest
            for name, digest, _ in rows
            if name.rpartition("/")[2] not in _INSTALLERS and not _names_interpreter(path, name, root)
        }
    return found


def _names_interpreter(record: Path, name: str, root: Path) -> bool:
    body = Path(os.path.normpath(record.parents[1] / name)).read_bytes()
    return name.startswith("../") and without_interpreter(body, root) != body


def check_records(root: Path) -> int:
    """Hold every RECORD to the files on disk; the number of files that were listed.

    Raises:
        AssertionError: a file is listed twice, is missing, or has another hash or size than listed.
    """
    listed = 0
    for path in sorted(root.glob("lib/python*/site-packages/*.dist-info/RECORD")):
        names: set[str] = set()
        with path.open(newline="", encoding="utf-8") as stream:
            for name, digest, size in csv.reader(stream):
                assert name not in names, f"{path}: {name}"
                names.add(name)
                body = Path(os.path.normpath(path.parents[1] / name)).read_bytes()
                listed += 1
                if digest:
                    algorithm, _, encoded = digest.partition("=")
                    actual = base64.urlsafe_b64encode(hashlib.new(algorithm, body).digest()).rstrip(b"=").decode()
                    assert (encoded, size or str(len(body))) == (actual, str(len(body))), f"{path}: {name}"
    return listed


def files_below(root: Path) -> Iterator[Path]:
    """Every file and symbolic link below `root`; links are not followed."""
    for directory, names, files in os.walk(root):
        for name in (*files, *(name for name in names if os.path.islink(f"{directory}/{name}"))):
            yield Path(directory, name)


class Status(NamedTuple):
    """What `lstat` shows of a file or directory, but for what reading changes."""

    mode: int
    size: int
    mtime_ns: int
    inode: int


def status_below(root: Path) -> dict[str, Status]:
    """Everything below `root` and `root` itself as it is on disk; empty if there is nothing.

    Of directories the size is left out: filesystems differ in when they shrink.
    """
    found: dict[str, Status] = {}
    if root.exists():
        found["."] = _status(root)
    for directory, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(directory, name)
            found[path.relative_to(root).as_posix()] = _status(path)
    return found


def _status(path: Path) -> Status:
    status = path.lstat()
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return Status(status.st_mode, size, status.st_mtime_ns, status.st_ino)


class StoreSnapshot(NamedTuple):
    """All of a store that a failed command leaves alone: what the index says, files outside ``tmp/`` and ``locks/``."""

    files: dict[str, Status]
    tables: dict[str, list[tuple[object, ...]]]


_TABLES = (
    *("wheels", "blobs", "manifests", "manifest_wheels", "answers", "environments", "generations"),
    *("leases", "lease_wheels", "condemned"),
)
_DATABASES = re.compile(r"(index|resolve)\.sqlite3(-wal|-shm|-journal)?")


def store_snapshot(store: Path) -> StoreSnapshot:
    """A store as it is; databases by what is in them, the root directory (where they come and go) without its time."""
    files = {
        name: status
        for name, status in status_below(store).items()
        if not _DATABASES.fullmatch(name) and name.partition("/")[0] not in (".", "tmp", "locks")
    }
    return StoreSnapshot(files, _tables(store / "index.sqlite3"))


def _tables(index: Path) -> dict[str, list[tuple[object, ...]]]:
    if not index.exists():
        return {}
    connection = sqlite3.connect(f"file:{index}?mode=ro", uri=True)
    try:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in _TABLES}
    finally:
        connection.close()
