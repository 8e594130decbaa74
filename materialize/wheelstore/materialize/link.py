"""One blob into one place: clone, hardlink or copy, and what to do when the filesystem says no.

Hot path: `Linker.run` is called once for each half of an environment and loops over names; a loop's body is two
system calls for a hardlink, seven for a clone. Its fallback is a small state machine per file:

    clone ──EOPNOTSUPP, EXDEV, EINVAL, ENOTTY, ENOSYS──► hardlink ──EMLINK, EXDEV, EPERM, EOPNOTSUPP…──► copy

`EPERM` is what ``fs.protected_hardlinks`` says of another user's file (which no clone falls back to); `EMLINK` is
ext4's 65,000 links. A file that falls back does not take the others with it.

No file is made from a blob that shows in one `stat` that it was changed, which takes 2.5 µs a file: 30 ms of 130 for
12,000 hardlinks in one process.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

from wheelstore.store.blobs import name_mtime
from wheelstore.store.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Literal

    Mode = Literal["clone", "hardlink", "copy"]

MODES: tuple[Mode, ...] = ("clone", "hardlink", "copy")

_NEXT: dict[Mode, Mode | None] = {"clone": "hardlink", "hardlink": "copy", "copy": None}
_REFUSALS: dict[Mode, frozenset[int]] = {
    "clone": frozenset(
        {errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}
    ),
    "hardlink": frozenset(
        {errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
    ),
    "copy": frozenset(),
}
_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_EMPTY_TIMES = (name_mtime("af/1349b9f5f9a1a6"),) * 2  # the BLAKE3 of nothing begins so
_UTIME_TAKES_DESCRIPTOR = os.utime in os.supports_fd
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class BlobUnusable(StoreError):
    """A file cannot be made, because the store's blob for it is not there or not what it was."""

    def __init__(self, target: str, blob: str, reason: str) -> None:
        super().__init__(target, blob, reason)
        self.target, self.blob, self.reason = target, blob, reason
        self.hint = "store verify --repair finds out what else is, and gets it anew"

    def __str__(self) -> str:
        return f"{self.target} cannot be made: the store's file {self.blob} {self.reason}"


class _Doubtful(Exception):
    """The blob is missing, or was changed: the text says which."""


class Linker:
    """Makes files under `root` from the blobs under `blobs`; both absolute.

    `mode` is how it starts on each file; `used` counts the files that each mode made.
    """

    def __init__(self, blobs: str, root: str, mode: Mode) -> None:
        self._blobs, self._root, self._mode = f"{blobs}/", f"{root}/", mode
        self.used: dict[Mode, int] = {"clone": 0, "hardlink": 0, "copy": 0}

    def run(self, sources: Iterable[str], targets: Iterable[str]) -> None:
        """Make each target, which must not exist, from the blob of the same position; an empty source is an empty file.

        Raises:
            BlobUnusable: a blob is missing, or was changed; its target is not made.
            OSError: the target cannot be made in any mode.
        """
        make = _MAKERS[self._mode]
        blobs, root, made = self._blobs, self._root, 0
        try:
            for source, target in zip(sources, targets, strict=True):
                if len(source) < 2:
                    make_empty(root + target, executable=bool(source))
                    continue
                try:
                    make(blobs + source, root + target, source)
                    made += 1
                except OSError as error:
                    if error.errno not in _REFUSALS[self._mode]:
                        raise
                    self._fall_back(source, target)
        except _Doubtful as doubt:
            raise BlobUnusable(target, source, str(doubt)) from None
        self.used[self._mode] += made

    def _fall_back(self, source: str, target: str) -> None:
        mode = _NEXT[self._mode]
        while mode is not None:
            if mode == "hardlink" and not _is_ours(self._blobs + source):
                mode = _NEXT[mode]
                continue
            try:
                _MAKERS[mode](self._blobs + source, self._root + target, source)
            except OSError as error:
                if error.errno not in _REFUSALS[mode]:
                    raise
                mode = _NEXT[mode]
            else:
                self.used[mode] += 1
                return


def _is_ours(blob: str) -> bool:
    """Whether a link to a blob would not be one to someone else's, which would change it."""
    return not hasattr(os, "geteuid") or os.stat(blob).st_uid == os.geteuid()


def make_empty(path: str, *, executable: bool) -> None:
    """An empty file of its own; never linked, since one inode for all would soon have too many links.

    It has a blob's time all the same, so that its bytecode is valid everywhere (2 µs).
    """
    descriptor = os.open(path, _CREATE, 0o777 if executable else 0o666)
    try:
        if _UTIME_TAKES_DESCRIPTOR:
            os.utime(descriptor, _EMPTY_TIMES)
    finally:
        os.close(descriptor)
    if not _UTIME_TAKES_DESCRIPTOR:
        os.utime(path, _EMPTY_TIMES)


def read_blob(blobs: str, source: str, target: str) -> bytes:
    """The content of the blob `source`, of which `target` is to be made.

    Raises:
        BlobUnusable: the blob is missing, or was changed.
    """
    try:
        reader = _open(f"{blobs}/{source}", source)
    except _Doubtful as doubt:
        raise BlobUnusable(target, source, str(doubt)) from None
    with open(reader, "rb") as stream:
        return stream.read()


def _open(blob: str, source: str) -> int:
    try:
        reader = os.open(blob, _READ)
    except FileNotFoundError:
        raise _Doubtful(_MISSING) from None
    if os.fstat(reader)[stat.ST_MTIME] != name_mtime(source):
        os.close(reader)
        raise _Doubtful(_CHANGED)
    return reader


_ATTEMPTS = 5
_MISSING, _CHANGED = "is missing", "was changed"


def _hardlink(blob: str, path: str, source: str) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            time = os.stat(blob)[stat.ST_MTIME]
        except FileNotFoundError:
            raise _Doubtful(_MISSING) from None
        if time != name_mtime(source):
            raise _Doubtful(_CHANGED)
        try:
            os.link(blob, path)
        except FileNotFoundError:  # of a blob, too, that a repair puts another file in the place of just now
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def _copy(blob: str, path: str, source: str) -> None:
    """The bytes, in a writable file of the blob's time."""
    reader = _open(blob, source)
    try:
        writer = os.open(path, _CREATE, 0o777 if source.endswith("-x") else 0o666)
        try:
            while data := os.read(reader, 1 << 20):
                view = memoryview(data)
                while view:
                    view = view[os.write(writer, view) :]
        except BaseException:
            os.close(writer)
            os.unlink(path)
            raise
        os.close(writer)
    finally:
        os.close(reader)
    _set_time(path, source)


def _clone_linux(blob: str, path: str, source: str) -> None:
    """A reflink (ioctl_ficlone(2)): our own call, because reflink-copy's leaves mode and time to two more."""
    from fcntl import ioctl

    reader = _open(blob, source)
    try:
        writer = os.open(path, _CREATE, 0o777 if source.endswith("-x") else 0o666)
        try:
            ioctl(writer, _FICLONE, reader)
            seconds = name_mtime(source)
            os.utime(writer, (seconds, seconds))
        except BaseException:
            os.close(writer)
            os.unlink(path)
            raise
        os.close(writer)
    finally:
        os.close(reader)


def _clone_elsewhere(blob: str, path: str, source: str) -> None:
    """A clone by clonefile(2) on macOS or ReFS on Windows."""
    import reflink_copy

    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    os.close(_open(blob, source))
    reflink_copy.reflink(blob, path)
    os.chmod(path, 0o755 if source.endswith("-x") else 0o644)
    _set_time(path, source)


def _set_time(path: str, source: str) -> None:
    seconds = name_mtime(source)
    os.utime(path, (seconds, seconds))


_MAKERS: dict[Mode, Callable[[str, str, str], None]] = {
    "clone": _clone_linux if sys.platform.startswith("linux") else _clone_elsewhere,
    "hardlink": _hardlink,
    "copy": _copy,
}


_PROBE = ".wheelstore-probe-"


def probe(tmp: str, directory: str) -> frozenset[Mode]:
    """Which modes work between the store and `directory` (which exists); asked once for a pair of devices.

    `tmp` is the store's, where a blob for the trial is made; nothing of it is left.
    """
    name = "00/" + "0" * 62
    # Not the process's number alone: in a container, a killed one's file may have the same.
    unique = f"{os.getpid()}-{os.urandom(4).hex()}"
    trial = f"{tmp}/probe-{unique}"
    there = f"{directory}/{_PROBE}{unique}"
    possible: set[Mode] = {"copy"}
    for left in os.listdir(directory):
        if left.startswith(_PROBE):  # by a killed process; a living one does not mind
            _remove(f"{directory}/{left}")
    try:
        with open(trial, "xb") as stream:
            stream.write(b"probe")
        _set_time(trial, name)
        for mode in ("clone", "hardlink"):
            try:
                _MAKERS[mode](trial, there, name)
            except OSError:
                continue
            possible.add(mode)
            _remove(there)
    finally:
        for path in (there, trial):
            _remove(path)
    return frozenset(possible)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def can_clone(file: str, directory: str) -> bool:
    """Whether a file of someone else's can be cloned into `directory`; `probe` would write beside it."""
    import reflink_copy

    there = f"{directory}/{_PROBE}{os.getpid()}-{os.urandom(4).hex()}"
    try:
        reflink_copy.reflink(file, there)
    except OSError:
        return False
    _remove(there)
    return True
