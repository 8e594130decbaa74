"""What several threads need and one of them finds out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Once(Generic[Key, Value]):
    """Outcomes by key: a value or an error, found by the first who asks, for which the others wait. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: dict[Key, _Outcome[Value]] = {}

    def get(self, key: Key, find: Callable[[], Value]) -> Value:
        """Call `find` for the first caller with this key; all others get (or wait for) its outcome."""
        with self._lock:
            is_first = key not in self._outcomes
            outcome = self._outcomes.setdefault(key, _Outcome())
        if is_first:
            outcome.settle(find)
        return outcome.result()

    def knows(self, key: Key) -> bool:
        """Whether somebody asked for this key, so that it need not be looked for."""
        with self._lock:
            return key in self._outcomes


class _Outcome(Generic[Value]):
    """One value or error (a `Future` without the import of logging, 6 ms)."""

    def __init__(self) -> None:
        self._settled = threading.Event()
        self._values: list[Value] = []
        self._error: BaseException | None = None

    def settle(self, find: Callable[[], Value]) -> None:
        try:
            self._values.append(find())
        except BaseException as error:
            self._error = error
        finally:
            self._settled.set()

    def result(self) -> Value:
        self._settled.wait()
        if self._error is not None:
            raise self._error
        return self._values[0]
