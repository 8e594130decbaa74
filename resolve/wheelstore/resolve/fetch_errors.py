"""What can go wrong between an index and this machine, and what to tell the user about it."""

from __future__ import annotations

from collections.abc import Sequence

from wheelstore.resolve.addresses import redact
from wheelstore.resolve.errors import ResolveError

STATUS_HINTS = {
    401: "credentials are missing or wrong: put them into the URL (https://user:password@host/) or into netrc",
    403: "these credentials are not allowed to read this; or the address is wrong",
    404: "check the address; a file may have moved since the lock or the index page was written",
    407: "the proxy wants credentials: give its URL as http://user:password@host:port",
    429: "the server asks for fewer requests; try again later",
}


class FetchFailed(ResolveError):
    """A URL did not give what was asked of it; ``status`` is there when a server answered."""

    def __init__(
        self, url: str, reason: str, *, hint: str | None = None, status: int | None = None, tries: int = 1
    ) -> None:
        self.url = redact(url)
        self.reason = " ".join(reason.split())
        self.hint, self.status, self.tries = hint, status, tries
        super().__init__(self.url, self.reason)

    @property
    def is_outage(self) -> bool:
        """Whether what is at the URL is not known, as another time it may be had."""
        return self.status not in (404, 410)

    def __str__(self) -> str:
        after = f" (after {self.tries} tries)" if self.tries > 1 else ""
        return f"{self.url}: {self.reason}{after}"


class HashMismatch(ResolveError):
    """A file arrived whole and is not the one that was asked for; nothing of it was kept."""

    hint = "the file changed on the index or on its way here: find out why before you accept a new hash"

    def __init__(self, url: str, *, expected: Sequence[str], actual: str) -> None:
        self.url = redact(url)
        self.expected, self.actual = tuple(expected), actual
        super().__init__(self.url, self.expected, actual)

    def __str__(self) -> str:
        return f"{self.url}: expected {' or '.join(self.expected)}, got {self.actual}"


class Offline(ResolveError):
    """The network is needed, and was forbidden."""

    hint = "run once without --offline"

    def __init__(self, url: str) -> None:
        self.url = redact(url)
        super().__init__(self.url)

    def __str__(self) -> str:
        return f"{self.url}: not fetched, because this run is offline"


class Cancelled(ResolveError):
    """The caller called it off; what had come of the file stays for the next attempt."""

    def __init__(self, url: str) -> None:
        self.url = redact(url)
        super().__init__(self.url)

    def __str__(self) -> str:
        return f"{self.url}: cancelled"


class FetchErrors(ResolveError):
    """Several fetches failed; ``errors`` has each."""

    def __init__(self, errors: Sequence[ResolveError]) -> None:
        self.errors = tuple(errors)
        super().__init__(self.errors)

    def __str__(self) -> str:
        more = len(self.errors) - 1
        return f"{self.errors[0]}" + (f" (and {more} more)" if more else "")

    @property
    def hint(self) -> str | None:  # type: ignore[override]
        """What helps with the first of them."""
        return self.errors[0].hint


class Trouble(Exception):
    """One try failed; ``transient`` when another may succeed. Never leaves the network modules."""

    def __init__(
        self,
        reason: str,
        *,
        hint: str | None = None,
        transient: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.hint, self.transient = reason, hint, transient
        self.status, self.retry_after = status, retry_after

    def final(self, url: str, *, tries: int) -> FetchFailed:
        """Say it to the user, when there will be no further try."""
        return FetchFailed(url, self.reason, hint=self.hint, status=self.status, tries=tries)


def refusal(status: int, *, retry_after: float | None = None) -> Trouble:
    """Explain a status that is no success: 5xx (but not 501, 505), 408 and 429 may pass."""
    from http import HTTPStatus

    known = {int(each): each.phrase for each in HTTPStatus}
    phrase = f" {known[status]}" if status in known else ""
    transient = status in (408, 429) or (status >= 500 and status not in (501, 505))
    hint = STATUS_HINTS.get(status, "the server is failing; try again later" if status >= 500 else None)
    return Trouble(f"HTTP {status}{phrase}", hint=hint, transient=transient, status=status, retry_after=retry_after)
