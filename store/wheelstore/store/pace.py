"""How long a collection may keep others waiting: a few ms at a time, and maybe so much in all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

from wheelstore.store.index import Index

T = TypeVar("T")

_TURN = 0.004  # seconds for which the index's write lock is held, about


class Turn:
    """`Index.writing`, and a rest after it; see `Pace`."""

    def __init__(self, pace: Pace, index: Index) -> None:
        self._pace, self._writing = pace, index.writing()
        self._begun = 0.0

    def __enter__(self) -> Turn:
        self._writing.__enter__()
        self._begun = time.perf_counter()
        return self

    @property
    def is_over(self) -> bool:
        """Whether the lock was held for long enough."""
        return time.perf_counter() - self._begun > _TURN or self._pace.is_over

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writing.__exit__(kind, error, trace)
        if kind is None:
            self._pace.rest(time.perf_counter() - self._begun)


class Pace:
    """Takes turns with whoever else wants to write.

    SQLite tells nobody that a lock is free; those who wait look again after 1, 2, 5, 10 … ms. So each turn is followed
    by a rest of the same length, in which they find it free. `seconds` limits the whole, and `rests` is false where
    nobody waits.
    """

    def __init__(self, *, seconds: float | None = None, rests: bool = True) -> None:
        self._end = None if seconds is None else time.perf_counter() + seconds
        self._rests = rests

    @property
    def is_over(self) -> bool:
        """Whether the time for the whole is used up."""
        return self._end is not None and time.perf_counter() >= self._end

    @property
    def is_short(self) -> bool:
        """Whether there is only so much time for the whole."""
        return self._end is not None

    def rest(self, seconds: float) -> None:
        """Let others have the lock."""
        if self._rests:
            time.sleep(min(seconds, 10 * _TURN))

    def turn(self, index: Index) -> Turn:
        """`Index.writing` as a context whose `is_over` says when to end it; at least one thing is done in it."""
        return Turn(self, index)

    def each(self, index: Index, items: Sequence[T], act: Callable[[T], object]) -> None:
        """Call `act` for each of the items inside `Index.writing`, as many in a transaction as fit into a turn."""
        at = 0
        while at < len(items) and not self.is_over:
            with self.turn(index) as turn:
                while at < len(items):
                    act(items[at])
                    at += 1
                    if turn.is_over:
                        break
