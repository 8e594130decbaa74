"""Fetch many files at once, and hand each over as soon as it is there.

Measured (2 cores, loopback, 100 files of 20 kB): 8, 16 and 32 threads take the same time, so the number is
chosen for networks, where waiting dominates.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

from wheelstore.resolve.download import Downloaded
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.fetch_errors import FetchErrors, FetchFailed
from wheelstore.resolve.transport import Transport

THREADS = 16
_PATIENCE = 0.8
"""Seconds that leaving early waits for the threads; they are daemons, so one that hangs holds up nobody."""
_TICK = 0.2
"""Seconds between chances for Ctrl-C where a blocking wait does not see it (Windows)."""

_ELSEWHERE = frozenset({401, 403, 404, 410})
"""What servers say of a file that has moved, or of an address that was signed for a short time."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[Key]):
    """One file to fetch, as :func:`wheelstore.resolve.download.download` takes it, under the caller's key.

    `moved` is asked for another address when the server says that the file is not at this one.
    """

    key: Key
    url: str
    target: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    accepted: Collection[str] = ()
    size: int | None = None
    limit: int | None = None
    moved: Callable[[], str | None] | None = None


class Downloads(Generic[Key]):
    """Downloads underway. Iterate for each (key, file) in order of arrival; leaving the block ends the rest.

        with Downloads(transport, jobs) as downloads:
            for key, downloaded in downloads:
                ...

    Jobs start in the given order: put the large ones first. After the first failure none is started; those
    underway finish and are handed over, and then FetchErrors has every failure. ``progress`` is called in the
    threads that fetch.
    """

    def __init__(
        self,
        transport: Transport,
        jobs: Iterable[Job[Key]],
        *,
        threads: int = THREADS,
        progress: Callable[[int], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        self._transport = transport
        self._waiting = deque(jobs)
        self._progress = progress
        self._cancelled = cancelled or threading.Event()
        self._outcomes: SimpleQueue[tuple[Key, Downloaded | Exception] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"download-{number}", daemon=True)
            for number in range(min(threads, len(self._waiting)))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.clear()
        self._cancelled.set()
        deadline = time.monotonic() + _PATIENCE
        for thread in self._threads:
            while thread.is_alive() and time.monotonic() < deadline:
                self._transport.interrupt()
                thread.join(0.02)

    def __iter__(self) -> Iterator[tuple[Key, Downloaded]]:
        """Wait for each file.

        Raises:
            FetchErrors: what failed, after everything else was handed over.
        """
        errors: list[Exception] = []
        running = len(self._threads)
        while running:
            outcome = self._next_outcome()
            if outcome is None:
                running -= 1
            elif isinstance(outcome[1], Exception):
                errors.append(outcome[1])
            else:
                yield outcome[0], outcome[1]
        for error in errors:
            if not isinstance(error, ResolveError):
                raise error
        if errors:
            raise FetchErrors([error for error in errors if isinstance(error, ResolveError)])

    def _next_outcome(self) -> tuple[Key, Downloaded | Exception] | None:
        while True:
            try:
                return self._outcomes.get(timeout=_TICK)
            except Empty:
                continue

    def _work(self) -> None:
        try:
            while True:
                try:
                    job = self._waiting.popleft()
                except IndexError:
                    return
                self._outcomes.put((job.key, self._attempt(job)))
        finally:
            self._outcomes.put(None)

    def _attempt(self, job: Job[Key]) -> Downloaded | Exception:
        try:
            try:
                return self._download(job, job.url)
            except FetchFailed as error:
                url = job.moved() if job.moved is not None and error.status in _ELSEWHERE else None
                if url is None or url == job.url:
                    raise
                return self._download(job, url)
        except Exception as error:
            self._waiting.clear()
            return error

    def _download(self, job: Job[Key], url: str) -> Downloaded:
        return self._transport.download(
            url,
            job.target,
            hashes=job.hashes,
            accepted=job.accepted,
            size=job.size,
            limit=job.limit,
            progress=self._progress,
            cancelled=self._cancelled,
        )
