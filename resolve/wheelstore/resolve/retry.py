"""When to try again, and how long to wait before."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wheelstore.resolve.fetch_errors import Trouble

FIRST_WAIT = 0.25
LONGEST_WAIT = 8.0
LONGEST_ASKED_WAIT = 30.0


def backoff(failures: int, retry_after: float | None = None) -> float:
    """Seconds to wait after so many failures in a row: doubling, or what the server asked for, both capped.

    There is no jitter: the clients of one index are not in step with each other to begin with, and a test
    can then state the waits.
    """
    if retry_after is not None:
        return min(retry_after, LONGEST_ASKED_WAIT)
    return min(FIRST_WAIT * 2.0 ** (failures - 1), LONGEST_WAIT)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After`` (RFC 9110, section 10.2.3): seconds, or a date relative to the answer's own Date."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):  # no date, or only one of them knows its zone
        return None
    return max(0.0, wait.total_seconds())


class Retries:
    """The failures of one operation so far; ``limit`` further tries are allowed after the first."""

    def __init__(self, limit: int, sleep: Callable[[float], object]) -> None:
        self._limit, self._sleep = limit, sleep
        self.failures = 0

    def reset(self) -> None:
        """Count from zero again: the last try got further than those before."""
        self.failures = 0

    def again(self, trouble: Trouble) -> bool:
        """Note a failure; wait and say True where another try is due."""
        self.failures += 1
        if not trouble.transient or self.failures > self._limit:
            return False
        self._sleep(backoff(self.failures, trouble.retry_after))
        return True
