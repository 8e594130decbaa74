"""Worker processes for ingest: as many as there are processors, made once per command."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """A pool of processes; a context manager that leaves none behind, whatever happens inside.

    On Linux they are forked, which must happen before this process starts threads: make the pool before the
    network client. Elsewhere they are spawned.
    """

    def __init__(self, count: int | None = None) -> None:
        method = "fork" if sys.platform.startswith("linux") else "spawn"
        self._pool = ProcessPoolExecutor(
            max_workers=count or os.cpu_count() or 1,
            mp_context=multiprocessing.get_context(method),
            initializer=_ignore_interrupts,
        )
        self._pool.submit(os.getpid)  # fork now, while there are no threads

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `function` in a worker; it, its arguments, result and exceptions are pickled."""
        return self._pool.submit(function, *args, **kwargs)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)


def _ignore_interrupts() -> None:
    # Ctrl-C goes to the whole group; only the parent answers it, and then shuts the pool down.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
