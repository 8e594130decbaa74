"""A progress bar on a terminal, and silence elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO


class Progress(Protocol):
    """Where a fetch says how far it is; its methods are called from several threads."""

    def expect(self, count: int, size: int | None) -> None:
        """So many files are to come, of so many bytes in all if that is known."""

    def advance(self, size: int) -> None:
        """So many bytes came."""

    def unpacked(self, count: int = 1) -> None:
        """One more, or so many more, are done."""


class Silent:
    """No progress bar."""

    def expect(self, count: int, size: int | None) -> None:
        """Say nothing."""

    def advance(self, size: int) -> None:
        """Say nothing."""

    def unpacked(self, count: int = 1) -> None:
        """Say nothing."""


class Bar:
    """A rich bar of bytes, with the count of what is done, as in "Fetching wheels 3/4"; it vanishes in the end."""

    def __init__(self, stream: TextIO, doing: str = "Fetching wheels") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        self._lock = threading.Lock()
        self._doing = doing
        self._count = self._done = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._task = self._bar.add_task(doing, total=None, visible=False)

    def expect(self, count: int, size: int | None) -> None:
        """Show the bar."""
        self._count = count
        self._bar.update(self._task, total=size, visible=True, description=self._words())

    def advance(self, size: int) -> None:
        """Move the bar."""
        self._bar.advance(self._task, size)

    def unpacked(self, count: int = 1) -> None:
        """Count what is done."""
        with self._lock:
            self._done += count
        self._bar.update(self._task, description=self._words())

    def _words(self) -> str:
        return f"{self._doing} {self._done}/{self._count}"

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the terminal's lines in order while the bar is there."""
        with self._bar:
            yield


@contextmanager
def progress_on(stream: TextIO, *, wanted: bool, doing: str = "Fetching wheels") -> Iterator[Progress]:
    """The bar if `wanted` and `stream` is a terminal; rich is imported only then."""
    if not (wanted and stream.isatty()):
        yield Silent()
        return
    bar = Bar(stream, doing)
    with bar.shown():
        yield bar
