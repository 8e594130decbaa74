"""Worker processes for ingest: as many as there are processors, made once per command."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from wheelstore.store.errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")

_FORKED = sys.platform.startswith("linux")


class WorkerKilled(StoreError):
    """Somebody has killed a worker: the kernel, most likely, for want of memory."""

    hint = "there may be too little memory; make some free, and run the same command again"

    def __str__(self) -> str:
        return "a process that unpacks or reads files was killed"


class Workers:
    """A pool of processes; a context manager that leaves none behind, whatever happens inside.

    It raises `WorkerKilled` for what had to be left undone because a process was.

    On Linux they are forked, which must happen before this process starts threads: make the pool before the
    network client. Elsewhere they are spawned. They end with this process, also when it is killed.
    """

    def __init__(self, count: int | None = None) -> None:
        self._pool = ProcessPoolExecutor(
            max_workers=count or os.cpu_count() or 1,
            mp_context=multiprocessing.get_context("fork" if _FORKED else "spawn"),
            initializer=_prepare,
        )
        with _without_interrupts():
            self._pool.submit(os.getpid)  # fork now, while there are no threads

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `function` in a worker; it, its arguments, result and exceptions are pickled."""
        return self._pool.submit(function, *args, **kwargs)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if isinstance(error, BrokenProcessPool):
            raise WorkerKilled from error


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold SIGINT back, so that it cannot end a worker between its fork and `_prepare`."""
    if not _FORKED:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare() -> None:
    # Ctrl-C goes to the whole group; only the parent answers it, and then shuts the pool down.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _FORKED:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot tell its workers to end, and each of them keeps the others' queue open."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
