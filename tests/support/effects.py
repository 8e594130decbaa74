"""Number everything that a process and its children do to files and databases; at one of these effects, go wrong.

What Python code does through `os`, `open`, `sqlite3`, `fcntl.ioctl` and ctypes is counted before it happens. SQLite is
atomic by itself, so a transaction's effects are its beginning and its commit. Held to strace once: nothing that
`store` commands do to files is missing, but for what SQLite does within its own, and what child programs do.
"""

from __future__ import annotations

import _sqlite3
import builtins
import ctypes
import errno
import fcntl
import io
import mmap
import os
import signal
import sqlite3
import stat
import threading
from collections.abc import Callable
from typing import Any

_PATHS = (
    *("mkdir", "rename", "replace", "link", "symlink", "unlink", "remove", "rmdir"),
    *("utime", "chmod", "chown", "truncate", "setxattr"),
)
_DESCRIPTORS = ("fchmod", "ftruncate", "fsync", "fdatasync", "posix_fallocate", "sendfile", "copy_file_range")
_TO = ("rename", "replace", "link", "symlink", "sendfile", "copy_file_range")
_FROM_LIBC = ("renameat2", "syncfs")
_PASSIVE = ("SELECT", "EXPLAIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "ATTACH", "DETACH")
_SETTINGS = ("synchronous", "wal_autocheckpoint", "page_size", "busy_timeout", "query_only", "cache_size", "mmap_size")

FAULTS = ("kill", "torn", "ENOSPC", "EIO")
"""What can happen at an effect: death before it, death half-way (of a write), or its failure."""


class Effects:
    """Counts; one for a family of processes, made before they fork. `log` is an open file's descriptor.

    At effect number `at` (the first is 1), `fault` happens: "kill" ends the process group before it; "torn" after half
    of it, if it is a write; "ENOSPC" and "EIO" let it fail, and if `lasting`, all that follow it and take room.
    """

    def __init__(self, log: int, *, at: int = 0, fault: str = "kill", lasting: bool = False) -> None:
        self._log, self._at, self._fault, self._lasting = log, at, fault, lasting
        self._count = mmap.mmap(-1, 8)
        self._mutex = threading.Lock()

    def before(self, kind: str, what: object) -> OSError | None:
        """Count an effect that is about to happen; the error that it is to fail with, if so."""
        with self._mutex:
            fcntl.lockf(self._log, fcntl.LOCK_EX)  # not a semaphore: a killed process lets go of it
            try:
                number = int.from_bytes(self._count[:8], "little") + 1
                self._count[:8] = number.to_bytes(8, "little")
                _write(self._log, f"{number} {kind} {_told(what)}\n".encode(errors="replace"))
                if number == self._at and (self._fault == "kill" or (self._fault == "torn" and kind != "write")):
                    die()
            finally:
                fcntl.lockf(self._log, fcntl.LOCK_UN)
        return self._error(number, kind, what)

    def _error(self, number: int, kind: str, what: object) -> OSError | None:
        if self._fault not in ("ENOSPC", "EIO") or not self._at or number < self._at:
            return None
        if number > self._at and not (self._lasting and kind in _TAKES_ROOM):
            return None
        code = getattr(errno, self._fault)
        return OSError(code, os.strerror(code), *([what] if isinstance(what, str) else []))

    def is_torn(self) -> bool:
        """Whether the effect that was just counted is to be done by half."""
        return self._fault == "torn" and int.from_bytes(self._count[:8], "little") == self._at


_TAKES_ROOM = frozenset({"mkdir", "rename", "replace", "link", "symlink", "open", "write", "ioctl", "commit"})
_write = os.write


def die() -> None:
    """End this process and all of its group, here and now."""
    os.killpg(0, signal.SIGKILL)
    signal.pause()


def _told(what: object) -> str:
    text = what.decode(errors="replace") if isinstance(what, bytes) else str(what)
    return " ".join(text.split())[:400]


def install(effects: Effects) -> None:
    """Count in this process from now on; everything that keeps functions of `os` must have been imported."""
    for name in (*_PATHS, *_DESCRIPTORS):
        if hasattr(os, name):
            _wrap(effects, name, 1 if name in _TO else 0)
    _wrap_open(effects)
    _wrap_write(effects)
    _wrap_ioctl(effects)
    _wrap_sqlite(effects)
    _wrap_libc(effects)


def _replace(name: str, wrapper: Callable[..., Any]) -> None:
    real = getattr(os, name)
    setattr(os, name, wrapper)
    for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        if real in able:
            able.add(wrapper)


def _wrap(effects: Effects, name: str, shown: int) -> None:
    real = getattr(os, name)

    def wrapper(*arguments: Any, **named: Any) -> Any:
        what = arguments[shown] if shown < len(arguments) else ""
        error = effects.before(name, _path_of(what) if isinstance(what, int) else what)
        if error is not None:
            raise error
        return real(*arguments, **named)

    _replace(name, wrapper)


def _wrap_open(effects: Effects) -> None:
    real_os, real = os.open, io.open
    creating = os.O_CREAT | os.O_TRUNC

    def os_open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        new = flags & os.O_CREAT and (flags & os.O_EXCL or not os.path.lexists(path))
        error = effects.before("open", path) if flags & creating and (new or flags & os.O_TRUNC) else None
        if error is not None:
            raise error
        return real_os(path, flags, mode, dir_fd=dir_fd)

    class File(io.FileIO):
        def __init__(self, file: Any, mode: str, closefd: bool, opener: Any) -> None:
            error = effects.before("open", file) if isinstance(file, (str, bytes, os.PathLike)) else None
            if error is not None:
                raise error
            super().__init__(file, mode, closefd, opener)

        def write(self, data: Any) -> int:
            data, error = _written(effects, self.fileno(), data, super().write)
            if error is not None:
                raise error
            return super().write(data)

    def io_open(
        file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
        newline: Any = None, closefd: bool = True, opener: Any = None,
    ) -> Any:  # fmt: skip
        if not set(mode) & set("wax+"):
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = File(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if not buffering:
            return raw
        buffer = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding, errors, newline)

    _replace("open", os_open)
    io.open = builtins.open = io_open


def _written(effects: Effects, descriptor: int, data: Any, write: Callable[[Any], object]) -> tuple[Any, Any]:
    """The data that is to be written, or the error that writing it is to have."""
    if descriptor < 3 or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return data, None
    error = effects.before("write", _path_of(descriptor))
    if effects.is_torn():
        write(memoryview(data)[: len(data) // 2])
        die()
    return data, error


def _wrap_write(effects: Effects) -> None:
    real = os.write

    def write(descriptor: int, data: Any) -> int:
        data, error = _written(effects, descriptor, data, lambda half: real(descriptor, half))
        if error is not None:
            raise error
        return real(descriptor, data)

    _replace("write", write)


def _wrap_ioctl(effects: Effects) -> None:
    real = fcntl.ioctl

    def ioctl(descriptor: int, *arguments: Any) -> Any:
        error = effects.before("ioctl", _path_of(descriptor)) if descriptor > 2 else None
        if error is not None:
            raise error
        return real(descriptor, *arguments)

    fcntl.ioctl = ioctl  # type: ignore[assignment]


def _path_of(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return str(descriptor)


class _Connection(sqlite3.Connection):
    """A connection that counts; of a database that is a file."""

    effects: Effects

    def execute(self, sql: str, *values: Any) -> Any:
        self._count(sql)
        return super().execute(sql, *values)

    def executemany(self, sql: str, values: Any) -> Any:
        self._count(sql)
        return super().executemany(sql, values)

    def executescript(self, sql: str) -> Any:
        self._step("script", sql)
        return super().executescript(sql)

    def commit(self) -> None:
        if self.in_transaction:
            self._step("commit", "")
        super().commit()

    def close(self) -> None:
        if not self.in_transaction:
            self.effects.before("close", "database")
        super().close()

    def _count(self, sql: str) -> None:
        word, *rest = sql.split(None, 2)
        word = word.upper()
        if word == "BEGIN":
            self.effects.before("begin", "")
        elif word in ("COMMIT", "END"):
            self._step("commit", "")
        elif word == "PRAGMA":
            if rest and ("=" in sql or "checkpoint" in sql) and not rest[0].startswith(_SETTINGS):
                self._step("pragma", sql)
        elif word not in _PASSIVE and not self.in_transaction:
            self._step("commit", sql)

    def _step(self, kind: str, what: str) -> None:
        error = self.effects.before(kind, what)
        if error is not None:
            full = error.errno == errno.ENOSPC
            refusal = sqlite3.OperationalError("database or disk is full" if full else "disk I/O error")
            refusal.sqlite_errorname = "SQLITE_FULL" if full else "SQLITE_IOERR_WRITE"
            raise refusal


def _wrap_sqlite(effects: Effects) -> None:
    _Connection.effects = effects
    real = _sqlite3.connect

    def connect(database: Any, **named: Any) -> Any:
        in_memory = ":memory:" in os.fsdecode(database)
        return real(database, **named) if in_memory else real(database, **{"factory": _Connection, **named})

    sqlite3.connect = _sqlite3.connect = connect  # type: ignore[assignment]


def _wrap_libc(effects: Effects) -> None:
    class Library(ctypes.CDLL):
        def __getattr__(self, name: str) -> Any:
            real = super().__getattr__(name)
            if name not in _FROM_LIBC:
                return real

            def wrapper(*arguments: Any) -> Any:
                error = effects.before(name, arguments[1] if len(arguments) > 1 else arguments[0])
                if error is not None:
                    ctypes.set_errno(error.errno or 0)
                    return -1
                return real(*arguments)

            return wrapper

    ctypes.CDLL = Library  # type: ignore[misc]
