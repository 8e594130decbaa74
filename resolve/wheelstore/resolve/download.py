"""Fetch one file to a path: hashed as it comes, resumed where the connection breaks, checked at the end.

Hot: the loop per chunk does one read, one write, one hash update per algorithm, and nothing else.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wheelstore.resolve import local_files
from wheelstore.resolve.fetch_errors import Cancelled, FetchFailed, HashMismatch, Trouble, refusal
from wheelstore.resolve.partial import Partial
from wheelstore.resolve.retry import read_retry_after

if TYPE_CHECKING:
    from wheelstore.resolve.transport import Response, Transport

CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A file that is on disk whole and has the hashes that were expected of it."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a file must be: ``hashes`` all hold, of ``accepted`` (``algorithm:hex``) at least one if any."""

    hashes: Mapping[str, str]
    accepted: Collection[str]
    size: int | None
    limit: int | None

    @property
    def algorithms(self) -> frozenset[str]:
        """Which hashes have to be computed."""
        return frozenset({*self.hashes, *(text.partition(":")[0] for text in self.accepted)})

    @property
    def is_checkable(self) -> bool:
        """Whether wrong bytes would be noticed at the end, so that resuming on trust does no harm."""
        return bool(self.hashes or self.accepted)

    def mismatch(self, url: str, actual: Mapping[str, str]) -> HashMismatch | None:
        """Compare with the hashes that a file has."""
        for algorithm, digest in self.hashes.items():
            if actual[algorithm] != digest.lower():
                expected = [f"{algorithm}:{digest}"]
                return HashMismatch(url, expected=expected, actual=f"{algorithm}:{actual[algorithm]}")
        wanted = [text.lower().partition(":") for text in self.accepted]
        if wanted and not any(actual[algorithm] == digest for algorithm, _, digest in wanted):
            algorithm = min(algorithm for algorithm, _, _ in wanted)
            return HashMismatch(url, expected=sorted(self.accepted), actual=f"{algorithm}:{actual[algorithm]}")
        return None


def download(
    transport: Transport,
    url: str,
    target: str,
    *,
    hashes: Mapping[str, str],
    accepted: Collection[str] = (),
    size: int | None = None,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
    cancelled: threading.Event | None = None,
) -> Downloaded:
    """Fetch a file to ``target``, in a directory that exists.

    What is at ``target`` already is taken for the start of the file, if ``hashes`` or ``accepted`` can tell
    at the end whether it was. After any error but HashMismatch the bytes stay there for another attempt.

    Args:
        transport: how to reach the URL.
        url: ``http:``, ``https:`` or ``file:``.
        target: the path to write.
        hashes: hex digests by algorithm that must all hold.
        accepted: ``algorithm:hex`` of which one must hold, if there are any (pip's ``--hash``).
        size: the file's size as far as known; enforced where there is no hash.
        limit: the largest size that is let in, in bytes.
        progress: told how many more bytes are there; fewer than none when the file starts over.
        cancelled: set in another thread, ends this within a chunk.

    Raises:
        HashMismatch: the file is another one; it was removed.
        FetchFailed: the server refused, or failed too often without getting any further.
        Offline, Cancelled: as they say.
    """
    expectation = Expectation(hashes=hashes, accepted=accepted, size=size, limit=limit)
    with Partial(target, expectation.algorithms, progress) as partial:
        transfer = _Transfer(transport, url, partial, expectation, cancelled or threading.Event())
        try:
            return transfer.run()
        except HashMismatch:
            partial.discard()
            raise


class _Transfer:
    """One download: makes tries until the partial file is whole and right."""

    def __init__(
        self,
        transport: Transport,
        url: str,
        partial: Partial,
        expectation: Expectation,
        cancelled: threading.Event,
    ) -> None:
        self._transport, self._url, self._partial = transport, url, partial
        self._expectation, self._cancelled = expectation, cancelled
        self._validator: str | None = None
        self._pieced = False

    def run(self) -> Downloaded:
        self._take_over()
        if self._pieced and self._expectation.mismatch(self._url, self._partial.digests()) is None:
            return self._finished()
        is_local = self._url[:5].lower() == "file:"
        while True:
            if is_local:
                self._copy()
            else:
                self._fetch()
            mismatch = self._expectation.mismatch(self._url, self._partial.digests())
            if mismatch is None:
                return self._finished()
            if not self._pieced:
                raise mismatch
            self._partial.restart()  # pieces of two versions of the file, perhaps: once more in one piece

    def _take_over(self) -> None:
        """Start from the bytes that an earlier attempt left."""
        if self._expectation.is_checkable:
            self._partial.rehash()
        else:
            self._partial.restart()
        self._pieced = self._partial.size > 0

    def _finished(self) -> Downloaded:
        size = self._expectation.size
        if size is not None and size != self._partial.size and not self._expectation.is_checkable:
            reason = f"{self._partial.size} bytes came where the index announces {size}"
            raise FetchFailed(self._url, reason)
        return Downloaded(sha256=self._partial.digests()["sha256"], size=self._partial.size)

    def _copy(self) -> None:
        self._partial.restart()
        self._pieced = False
        path = local_files.path_of(self._url)
        try:
            with open(path, "rb", buffering=0) as source:
                while chunk := source.read(CHUNK):
                    self._keep(chunk)
        except OSError as error:
            if error.filename != path:  # ours, not the source: a full disk
                raise
            raise FetchFailed(self._url, error.strerror or str(error)) from None

    def _fetch(self) -> None:
        """Make tries until a server has sent its last byte."""
        retries = self._transport.retries(self._cancelled)
        while True:
            furthest = self._partial.furthest
            try:
                return self._fetch_once()
            except Trouble as trouble:
                if self._cancelled.is_set():
                    raise Cancelled(self._url) from None
                if self._partial.furthest > furthest:
                    retries.reset()
                if not retries.again(trouble):
                    raise trouble.final(self._url, tries=retries.failures) from None

    def _fetch_once(self) -> None:
        partial = self._partial
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if partial.size and not (self._validator or self._expectation.is_checkable):
            partial.restart()
        if partial.size:
            headers["Range"] = f"bytes={partial.size}-"
            if self._validator is not None:
                headers["If-Range"] = self._validator
        if self._cancelled.is_set():
            raise Cancelled(self._url)
        with self._transport.open(self._url, headers) as (response, _):
            total = self._begin(response)
            if total != partial.size:
                self._receive(response, total)

    def _begin(self, response: Response) -> int | None:
        """Place the answer: the partial file ends where the body starts. Return the whole file's size."""
        partial, status, headers = self._partial, response.status, response.headers
        if status == 206 and partial.size:
            match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("content-range", "").strip())
            if match is None or int(match[1]) != partial.size:
                partial.restart()
                raise Trouble("the server sent another range than it was asked for", transient=True)
            self._pieced = True
            return None if match[2] == "*" else int(match[2])
        if status == 416 and partial.size:
            if headers.get("content-range", "").replace(" ", "") == f"bytes*/{partial.size}":
                return partial.size
            partial.restart()
            raise Trouble("the server has less of the file than came before", transient=True)
        if status != 200:
            raise refusal(status, retry_after=read_retry_after(headers))
        partial.restart()
        self._pieced = False
        self._validator = _strong_validator(headers)
        length = headers.get("content-length", "")
        return int(length) if length.isdecimal() else None

    def _receive(self, response: Response, total: int | None) -> None:
        limit = self._expectation.limit
        if limit is not None and total is not None and total > limit:
            raise Trouble(f"{total} bytes are more than the allowed {limit}")
        while chunk := response.read(CHUNK):
            self._keep(chunk)
        if total is not None and self._partial.size < total:
            reason = f"the connection closed after {self._partial.size} of {total} bytes"
            raise Trouble(reason, transient=True)

    def _keep(self, chunk: bytes) -> None:
        if self._cancelled.is_set():
            raise Cancelled(self._url)
        self._partial.append(chunk)
        limit = self._expectation.limit
        if limit is not None and self._partial.size > limit:
            raise FetchFailed(self._url, f"more than the allowed {limit} bytes came")


def _strong_validator(headers: Mapping[str, str]) -> str | None:
    """Choose what If-Range may carry (RFC 9110, section 13.1.5): a strong ETag; dates are too coarse."""
    etag = headers.get("etag")
    return etag if etag and not etag.startswith("W/") else None
