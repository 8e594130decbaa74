"""A file that is on its way: the bytes that have come, and their hashes so far."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK = 1024 * 1024


class Partial:
    """Appends to a file and hashes what it appends. Belongs to one thread.

    ``size`` is how many bytes are in and hashed, none at first; ``furthest`` the largest ``size`` so far.
    ``progress`` is told each change of ``size``.
    """

    def __init__(self, path: str, algorithms: Collection[str], progress: Callable[[int], None] | None) -> None:
        self._path = path
        self._algorithms = {"sha256", *algorithms}
        self._progress = progress
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self._file = os.open(path, flags, 0o600)
        self._hashes = [hashlib.new(name) for name in self._algorithms]
        self.size = self.furthest = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def rehash(self) -> None:
        """Take the bytes that are in the file already as its start."""
        os.lseek(self._file, 0, os.SEEK_SET)
        while chunk := os.read(self._file, _CHUNK):
            self._count(chunk)

    def append(self, chunk: bytes) -> None:
        """Write a chunk behind the others."""
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._file, view) :]
        self._count(chunk)

    def restart(self) -> None:
        """Forget every byte."""
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._hashes = [hashlib.new(name) for name in self._algorithms]
        if self._progress is not None and self.size:
            self._progress(-self.size)
        self.size = 0

    def digests(self) -> dict[str, str]:
        """Tell the hex digests of what has come, by algorithm."""
        return {digest.name: digest.hexdigest() for digest in self._hashes}

    def discard(self) -> None:
        """Remove the file."""
        self.__exit__(None, None, None)
        with suppress(FileNotFoundError):
            os.unlink(self._path)

    def _count(self, chunk: bytes) -> None:
        for digest in self._hashes:
            digest.update(chunk)
        self.size += len(chunk)
        self.furthest = max(self.furthest, self.size)
        if self._progress is not None:
            self._progress(len(chunk))
