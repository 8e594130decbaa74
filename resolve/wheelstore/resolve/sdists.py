"""Unpack an sdist: nothing lands outside of its directory, whatever the archive says.

The kind of an archive is told by its bytes, as URLs of archives need not end in a suffix. What is refused: absolute
paths, ``..``, links that lead out, devices, encryption, more than one top directory, and more than a project needs.
"""

from __future__ import annotations

import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

from wheelstore.resolve.errors import ResolveError

LARGEST = 8 << 30
"""The most bytes that are unpacked."""
MOST_FILES = 250_000
"""The most entries that an archive may have."""

_HEADER = "pax_global_header"
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, ValueError)


class BadSdist(ResolveError):
    """An archive that is no source distribution, or not one to be unpacked."""

    hint = "get the file anew, or tell whoever made it; nothing of it was used"

    def __init__(self, filename: str, reason: str) -> None:
        super().__init__(filename, reason)
        self.filename, self.reason = filename, reason

    def __str__(self) -> str:
        return f"{self.filename} is not a usable source distribution: {self.reason}"


def unpack_sdist(archive: Path, into: Path, *, filename: str = "") -> Path:
    """Unpack `archive` into the directory `into`, which is new or empty; the one directory that it has.

    `filename` is what errors call the archive.

    Raises:
        BadSdist: it is refused, or cannot be read.
        OSError: as the disk says.
    """
    filename = filename or archive.name
    into.mkdir(parents=True, exist_ok=True)
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, into, filename)
        else:
            _unpack_tar(archive, into, filename)
    except _BROKEN as error:
        raise BadSdist(filename, str(error) or type(error).__name__) from None
    except (RuntimeError, NotImplementedError) as error:  # encryption, and methods that zipfile does not know
        raise BadSdist(filename, str(error)) from None
    return _top(into, filename)


def _top(into: Path, filename: str) -> Path:
    found = sorted(path for path in into.iterdir() if path.name != _HEADER)
    if len(found) != 1 or found[0].is_symlink() or not found[0].is_dir():
        raise BadSdist(filename, f"it has {len(found)} entries at the top instead of one directory")
    return found[0]


class _Limits:
    """What was unpacked so far."""

    def __init__(self, filename: str) -> None:
        self._filename, self._size, self._files = filename, 0, 0

    def count(self, name: str, size: int) -> None:
        """Count one entry.

        Raises:
            BadSdist: its name leads out, or it is one too many.
        """
        if name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in name.replace("\\", "/").split("/"):
            raise BadSdist(self._filename, f"its entry {name!r} leads out of it")
        if "\0" in name:
            raise BadSdist(self._filename, f"its entry {name!r} is no name of a file")
        self._size, self._files = self._size + size, self._files + 1
        if self._size > LARGEST or self._files > MOST_FILES:
            raise BadSdist(self._filename, f"it has more than {LARGEST} bytes or {MOST_FILES} files")


def _unpack_tar(archive: Path, into: Path, filename: str) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise BadSdist(filename, "this Python cannot unpack it safely, 3.11.4 or newer is needed")
    limits = _Limits(filename)
    with _opened(archive, filename) as source:
        source.errorlevel = 1  # what cannot be written is an error, not something that is missing
        for member in source:
            limits.count(member.name, member.size)
            if member.islnk() or member.issym():
                _check_link(member, filename)
            source.extract(member, into, set_attrs=True, filter=_filtered)


def _opened(archive: Path, filename: str) -> tarfile.TarFile:
    try:
        return tarfile.open(archive, "r:*")
    except tarfile.ReadError:  # which says of each compression why it is not that
        raise BadSdist(filename, "it is no archive, neither tar nor zip") from None


def _check_link(member: tarfile.TarInfo, filename: str) -> None:
    """Refuse a link that leads out, by its text alone, whatever is on the disk."""
    start = os.path.dirname(member.name) if member.issym() else ""
    place = os.path.normpath(os.path.join(start, member.linkname))
    if os.path.isabs(member.linkname) or place.split(os.sep)[0] == "..":
        raise BadSdist(filename, f"its link {member.name!r} leads out of it")


def _filtered(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    """Python's own rules for data (PEP 706), and directories that can be entered."""
    if member.name == _HEADER:
        return None
    found = tarfile.data_filter(member, path)
    return found.replace(mode=0o755, deep=False) if found.isdir() else found


def _unpack_zip(archive: Path, into: Path, filename: str) -> None:
    limits = _Limits(filename)
    with zipfile.ZipFile(archive) as source:
        for entry in source.infolist():
            limits.count(entry.filename, entry.file_size)
        for entry in source.infolist():
            mode = entry.external_attr >> 16
            if mode & 0o170000 == 0o120000:
                raise BadSdist(filename, f"its entry {entry.filename!r} is a link")
            if entry.is_dir():
                (into / entry.filename).mkdir(parents=True, exist_ok=True)
                continue
            target = into / entry.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open(entry) as stream, target.open("xb") as out:
                _copy(stream, out)
            if mode & 0o100:
                target.chmod(0o755)


def _copy(stream: IO[bytes], out: IO[bytes]) -> None:
    shutil.copyfileobj(stream, out, 1 << 20)
