"""One process at a time ingests a wheel: byte-range locks on one file, released by the kernel when a process dies.

A claim on a wheel is a lock on the byte at an offset that follows from its sha256. All claims of an operation are
taken in ascending order, so that two operations with wheels in common cannot wait for each other.
"""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Claims:
    """A context that holds the claims on `wheels` (sha256, hex).

    `waiting` is called once before it has to wait, with the number of the process that it waits for (0: unknown).
    """

    def __init__(self, path: str, wheels: Iterable[str], *, waiting: Callable[[int], None] | None = None) -> None:
        self._path, self._waiting = path, waiting
        self._offsets = sorted({int(sha256[:14], 16) for sha256 in wheels})
        self._descriptor = -1

    def __enter__(self) -> Claims:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            for offset in self._offsets:
                if not _lock(self._descriptor, offset, wait=False):
                    if self._waiting is not None:
                        self._waiting(_holder(self._descriptor, offset))
                        self._waiting = None
                    _lock(self._descriptor, offset, wait=True)
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._descriptor)

    def are_there(self) -> bool:
        """Whether their file is still at its path: another one there is locked by others."""
        try:
            return os.name == "nt" or os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False


def try_claim(path: str, wheel: str) -> int:
    """Claim one wheel if nobody else does: a descriptor that holds the claim until it is closed, or -1."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if _lock(descriptor, int(wheel[:14], 16), wait=False):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return -1


def claim_directory(path: str) -> int:
    """A descriptor that claims a directory, wherever it is moved, until all processes that have it have closed it.

    Raises:
        BlockingIOError: another has it.
        OSError: no directory, or none that can be claimed.
    """
    if sys.platform == "win32":
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def claim_tree(path: str) -> int:
    """As `claim_directory`; -1 if there can be no claim on what is there, or there is nothing.

    Raises:
        BlockingIOError: another has it.
    """
    try:
        return claim_directory(path)
    except BlockingIOError:
        raise
    except OSError:
        return -1


def _holder(descriptor: int, offset: int) -> int:
    """The process that has the byte at `offset` locked (F_GETLK of fcntl(2)); 0 where that is not to be known."""
    if not sys.platform.startswith("linux") or sys.maxsize < 1 << 32:
        return 0
    from struct import pack, unpack

    layout = "hhxxxxqqixxxx"  # struct flock of 64-bit Linux: type, whence, start, length, process
    question = pack(layout, fcntl.F_WRLCK, os.SEEK_SET, offset, 1, 0)
    try:
        kind, _, _, _, process = unpack(layout, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
    except OSError:
        return 0
    return 0 if kind == fcntl.F_UNLCK else int(process)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, offset: int, *, wait: bool) -> bool:
        while True:
            os.lseek(descriptor, offset, os.SEEK_SET)
            try:
                # LK_LOCK tries ten times in ten seconds, then gives up with EDEADLK.
                msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if not wait and error.errno in (errno.EACCES, errno.EAGAIN):
                    return False
                if wait and error.errno in (errno.EACCES, errno.EDEADLK):
                    continue
                raise
            return True

else:
    import fcntl

    def _lock(descriptor: int, offset: int, *, wait: bool) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, offset)
        except OSError as error:
            if not wait and error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True
