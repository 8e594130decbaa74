"""A zip archive on a server, of which a few kilobytes are fetched by range requests (RFC 9110, section 14).

What servers can do is found out by asking, and remembered by host: most take ``bytes=-N``, some only ranges
with a beginning, some send the whole file whatever they are asked for.
"""

from __future__ import annotations

import re
import threading
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from wheelstore.resolve.addresses import Origin, origin_of
from wheelstore.resolve.fetch_errors import Trouble, refusal
from wheelstore.resolve.retry import read_retry_after
from wheelstore.resolve.zip_member import TAIL, BadZip, TooLarge, is_wheel_metadata, read_member

if TYPE_CHECKING:
    from wheelstore.resolve.transport import Response, Transport

_CHUNK = 128 * 1024
_UNWILLING = frozenset({400, 405, 416, 501})
"""What servers say of ranges, or of forms of them, that they do not serve."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})").fullmatch


class Ability(IntEnum):
    """What a host can do, as far as known."""

    WHOLE = 0
    RANGES = 1
    SUFFIXES = 2


class _Part(NamedTuple):
    start: int
    data: bytes
    total: int


class _Unserved(Exception):
    """The server did not send the range; `may_serve_others` when one with a beginning could be another matter."""

    def __init__(self, *, may_serve_others: bool, total: int | None = None) -> None:
        self.may_serve_others, self.total = may_serve_others, total
        super().__init__()


class RemoteZips:
    """Reads METADATA out of wheels on servers. Thread-safe."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._abilities: dict[Origin, Ability] = {}

    def ability(self, url: str) -> Ability:
        """What the URL's host is known, or else expected, to do."""
        with self._lock:
            return self._abilities.get(origin_of(url), Ability.SUFFIXES)

    def metadata(self, url: str, *, size: int | None = None) -> bytes | None:
        """Read the METADATA of the wheel at `url`; None if the file has to be fetched whole for that.

        `size` is the file's, as the index says.

        Raises:
            FetchFailed: the server refused, or failed too often.
            TooLarge: the metadata is too large to be any.
        """
        try:
            tail = self._tail(url, size)
            return read_member(_Pieces(self, url, tail), is_wheel_metadata) if tail is not None else None
        except (_Unserved, BadZip) as error:  # perhaps of pieces that do not belong together
            if isinstance(error, TooLarge):
                raise
            return None

    def fetch(self, url: str, wanted: str) -> _Part:
        """Fetch one range.

        Raises:
            FetchFailed: the server refused, or failed too often.
            _Unserved: it answered something else.
        """
        retries = self._transport.retries()
        while True:
            try:
                return self._fetch_once(url, wanted)
            except Trouble as trouble:
                if not retries.again(trouble):
                    raise trouble.final(url, tries=retries.failures) from None

    def _tail(self, url: str, size: int | None) -> _Part | None:
        """The last bytes of a file, in the first way that its host understands."""
        if self.ability(url) is Ability.SUFFIXES:
            try:
                return self.fetch(url, f"-{TAIL}")
            except _Unserved as unserved:
                self._learn(url, Ability.RANGES if unserved.may_serve_others else Ability.WHOLE)
                size = unserved.total or size
        if self.ability(url) is Ability.WHOLE:
            return None
        try:
            if not size:
                size = self.fetch(url, "0-0").total
            return self.fetch(url, f"{max(0, size - TAIL)}-{size - 1}")
        except _Unserved as unserved:
            if not unserved.may_serve_others:
                self._learn(url, Ability.WHOLE)
            return None

    def _learn(self, url: str, ability: Ability) -> None:
        with self._lock:
            origin = origin_of(url)
            self._abilities[origin] = min(ability, self._abilities.get(origin, ability))

    def _fetch_once(self, url: str, wanted: str) -> _Part:
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "Range": f"bytes={wanted}"}
        with self._transport.open(url, headers) as (response, _):
            if response.status == 200:
                raise _Unserved(may_serve_others=wanted[0] == "-" and _claims_ranges(response))
            if response.status in _UNWILLING:
                raise _Unserved(may_serve_others=wanted[0] == "-" or response.status == 416)
            if response.status != 206:
                raise refusal(response.status, retry_after=read_retry_after(response.headers))
            start, end, total = _placed(response, wanted)
            return _Part(start, _body(response, end - start), total)


class _Pieces:
    """A file whose end is here already; what else is read of it is fetched."""

    def __init__(self, owner: RemoteZips, url: str, tail: _Part) -> None:
        self._owner, self._url, self._tail = owner, url, tail
        self.size = tail.total

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`."""
        known, data, _ = self._tail
        if start >= known:
            return data[start - known : end - known]
        missing = min(end, known)
        part = self._owner.fetch(self._url, f"{start}-{missing - 1}")
        if part.total != self.size:  # the file has changed meanwhile
            raise _Unserved(may_serve_others=True)
        return part.data + data[: max(0, end - known)]


def _claims_ranges(response: Response) -> bool:
    return response.headers.get("accept-ranges", "").strip().lower() == "bytes"


def _placed(response: Response, wanted: str) -> tuple[int, int, int]:
    """Where the body of a 206 begins and ends in the file, and the file's size; it must be what was wanted."""
    match = _CONTENT_RANGE(response.headers.get("content-range", "").strip())
    if match is None:
        raise _Unserved(may_serve_others=False)
    start, end, total = int(match[1]), int(match[2]) + 1, int(match[3])
    first, _, last = wanted.partition("-")
    expected = (int(first), min(int(last) + 1, total)) if first else (max(0, total - int(last)), total)
    if (start, end) != expected or start >= end:
        raise _Unserved(may_serve_others=not first, total=total)
    return start, end, total


def _body(response: Response, length: int) -> bytes:
    pieces = []
    received = 0
    while received < length and (piece := response.read(min(_CHUNK, length - received))):
        pieces.append(piece)
        received += len(piece)
    if received < length:
        raise Trouble(f"the connection closed after {received} of {length} bytes", transient=True)
    return b"".join(pieces)
