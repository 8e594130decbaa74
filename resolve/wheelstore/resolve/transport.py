"""Fetches pages and files: ``http:``, ``https:`` and ``file:``, with retries, redirects, logins and proxies.

Nothing here imports a network library before the first request that needs it: a sync that finds everything in
the store must not pay for one.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Collection, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self
from urllib.parse import urljoin, urlsplit

from wheelstore.resolve import local_files
from wheelstore.resolve.addresses import origin_of, redact, split_login
from wheelstore.resolve.credentials import Credentials
from wheelstore.resolve.download import Downloaded, download
from wheelstore.resolve.fetch_errors import Cancelled, FetchFailed, HashMismatch, Offline, Trouble, refusal
from wheelstore.resolve.proxies import choose_proxy
from wheelstore.resolve.retry import Retries, read_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelstore.resolve.http1 import Http1
    from wheelstore.resolve.http2 import Http2
    from wheelstore.resolve.tls import Trust

__all__ = [
    "Cancelled",
    "Downloaded",
    "FetchFailed",
    "HashMismatch",
    "Offline",
    "Reply",
    "Transport",
    "TransportOptions",
    "redact",
]

MAX_REDIRECTS = 10
MAX_PAGE = 512 * 1024 * 1024
"""Bytes of one page, also after decoding: beyond it is an attack or an accident."""

CROWD = 8
"""With so many page requests underway at once, the next ones share one HTTP/2 connection.

Its import takes 150 ms and each request 0.7 ms more than over HTTP/1.1, which a few pages do not win back;
a crowd does on networks with some distance, where it saves a round trip for every batch of connections.
"""

_CHUNK = 128 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ANSWERS = frozenset({200, 203, 204, 206, 304, 404, 410, 416})
_NOTHING: Mapping[str, str] = {}
_LOST = "check the address, and what the server makes of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """How to reach the network.

    ``proxy`` is for every request; without it ``proxies`` decide, in the shape of
    ``urllib.request.getproxies()`` (by scheme; ``all``; ``no``: what is reached directly). ``cert`` is a CA
    bundle, ``client_cert`` a PEM file with certificate and key, ``trusted_hosts`` are ``host`` or
    ``host:port`` whose certificates are not checked. ``timeout`` is in seconds, for connecting and for each
    silence; ``retries`` is how often a failed try is repeated. ``logins`` are URLs whose user and password
    are used for everything on their origins.
    """

    proxy: str | None = field(default=None, repr=False)
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    cert: Path | None = None
    client_cert: Path | None = None
    trusted_hosts: Collection[str] = ()
    timeout: float = 15.0
    retries: int = 4
    netrc: Path | None = None
    logins: Collection[str] = field(default=(), repr=False)
    offline: bool = False
    user_agent: str = "wheelstore"


class Reply(NamedTuple):
    """A whole answer: 2xx, 304, 404, 410 or 416. Header names are lower-case; ``url`` is the final one, bare."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Response(Protocol):
    """An answer that is being read."""

    status: int
    headers: dict[str, str]

    def read(self, size: int, /) -> bytes:
        """Wait for some bytes of the body; empty at the end."""
        ...

    def close(self) -> None:
        """Be done with it."""
        ...


class Transport:
    """Everything that is fetched comes through one of these. Thread-safe; close it when done."""

    def __init__(
        self, options: TransportOptions | None = None, *, sleep: Callable[[float], object] | None = None
    ) -> None:
        self.options = options or TransportOptions()
        self._sleep = sleep
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._pages_underway = 0
        self._credentials = Credentials(self.options.netrc)
        for url in self.options.logins:
            self._credentials.learn(url)
        self._trust_made: Trust | None = None
        self._http1_made: Http1 | None = None
        self._http2_made: Http2 | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cut what is underway and close every connection."""
        self._closed.set()
        with self._lock:
            made = [wire for wire in (self._http1_made, self._http2_made) if wire is not None]
        for wire in made:
            wire.close()

    def interrupt(self) -> None:
        """Cut the downloads that are underway: each of their threads meets an error at once.

        One that was given ``cancelled`` ends there; another tries again.
        """
        if self._http1_made is not None:
            self._http1_made.interrupt()

    def get(self, url: str, *, accept: str = "*/*", headers: Mapping[str, str] = _NOTHING) -> Reply:
        """Fetch a page whole.

        Raises:
            FetchFailed: no answer, or one that is neither a page nor an absence.
            Offline: this is for the network, and that is forbidden.
        """
        if url[:5].lower() == "file:":
            return Reply(*local_files.read(url, headers))
        encoding = "identity" if any(name.lower() == "range" for name in headers) else "gzip"
        wanted = {"Accept": accept, "Accept-Encoding": encoding, **headers}
        retries = self.retries()
        while True:
            try:
                return self._get_once(url, wanted, may_crowd=retries.failures == 0)
            except Trouble as trouble:
                if not retries.again(trouble):
                    raise trouble.final(url, tries=retries.failures) from None

    def download(
        self,
        url: str,
        target: str,
        *,
        hashes: Mapping[str, str] = _NOTHING,
        accepted: Collection[str] = (),
        size: int | None = None,
        limit: int | None = None,
        progress: Callable[[int], None] | None = None,
        cancelled: threading.Event | None = None,
    ) -> Downloaded:
        """Fetch a file to ``target``; see :func:`wheelstore.resolve.download.download`."""
        return download(
            self,
            url,
            target,
            hashes=hashes,
            accepted=accepted,
            size=size,
            limit=limit,
            progress=progress,
            cancelled=cancelled,
        )

    def retries(self, cancelled: threading.Event | None = None) -> Retries:
        """Count the failures of one operation; its waits end when it is called off."""
        return Retries(self.options.retries, self._sleep or (cancelled or self._closed).wait)

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str], *, crowd: bool = False) -> Iterator[tuple[Response, str]]:
        """Make one try at a URL, through its redirects: the answer, of any status, and its bare URL.

        Logins go to the origin that they are for, never along a redirect to another one.

        Raises:
            Trouble: no answer.
            Offline: this run must not use the network.
            Cancelled: the transport is closed.
        """
        response, where = self._follow(url, headers, crowd=crowd)
        try:
            yield response, where
        finally:
            response.close()

    def _follow(self, url: str, headers: Mapping[str, str], *, crowd: bool) -> tuple[Response, str]:
        bare = self._admit(url)
        self._credentials.learn(url)
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(bare, headers, crowd=crowd)
            location = response.headers.get("location")
            if response.status not in _REDIRECTS or location is None:
                return response, bare
            response.close()
            try:
                target = urljoin(bare, location)
            except ValueError as error:
                raise Trouble(f"redirected to what is no URL: {error}", hint=_LOST) from None
            self._check_redirect(bare, target)
            try:
                bare = self._admit(target)
            except Trouble as trouble:
                raise Trouble(f"redirected to {redact(target)}: {trouble}", hint=_LOST) from None
        raise Trouble(f"more than {MAX_REDIRECTS} redirects")

    def _admit(self, url: str) -> str:
        if self.options.offline:
            raise Offline(url)
        if self._closed.is_set():
            raise Cancelled(url)
        try:
            origin = origin_of(url)
        except ValueError as error:
            raise Trouble(f"this is no URL: {error}") from None
        if origin.scheme not in ("http", "https") or not origin.host:
            raise Trouble("only http:, https: and file: URLs can be fetched")
        return split_login(url)[0].partition("#")[0]

    def _check_redirect(self, source: str, target: str) -> None:
        """A redirect may not leave the network for our files, nor TLS for plain text, unless trusted."""
        if urlsplit(source).scheme == "https" and urlsplit(target).scheme == "http":
            host = urlsplit(source).hostname
            if not self._trust().is_exempt(origin_of(source)):
                hint = f"if that is meant: --trusted-host {host}"
                raise Trouble(f"redirected from https: to {redact(target)}", hint=hint)

    def _send(self, url: str, headers: Mapping[str, str], *, crowd: bool) -> Response:
        origin = origin_of(url)
        sent = {"User-Agent": self.options.user_agent, **headers}
        authorization = self._credentials.header_for(url)
        if authorization is not None:
            sent["Authorization"] = authorization
        proxy = choose_proxy(origin, proxy=self.options.proxy, proxies=self.options.proxies)
        if crowd and origin.scheme == "https" and not self._trust().is_exempt(origin):
            return self._http2().open(url, sent, proxy)
        return self._http1().open(url, sent, proxy)

    def _get_once(self, url: str, headers: Mapping[str, str], *, may_crowd: bool) -> Reply:
        with self._lock:
            self._pages_underway += 1
            crowd = may_crowd and self._pages_underway >= CROWD
        try:
            with self.open(url, headers, crowd=crowd) as (response, where):
                if response.status not in _ANSWERS:
                    raise _refused(response, url, where)
                return Reply(response.status, response.headers, _read_page(response), where)
        finally:
            with self._lock:
                self._pages_underway -= 1

    def _trust(self) -> Trust:
        with self._lock:
            if self._trust_made is None:
                from wheelstore.resolve.tls import Trust

                self._trust_made = Trust(
                    cert=self.options.cert,
                    client_cert=self.options.client_cert,
                    trusted_hosts=self.options.trusted_hosts,
                )
            return self._trust_made

    def _http1(self) -> Http1:
        trust = self._trust()
        with self._lock:
            if self._http1_made is None:
                from wheelstore.resolve.http1 import Http1

                self._http1_made = Http1(trust=trust, timeout=self.options.timeout)
            return self._http1_made

    def _http2(self) -> Http2:
        trust = self._trust()
        with self._lock:
            if self._http2_made is None:
                from wheelstore.resolve.http2 import Http2

                self._http2_made = Http2(trust=trust, timeout=self.options.timeout)
            return self._http2_made


def _refused(response: Response, url: str, where: str) -> Trouble:
    """Explain a refusal, maybe by somebody else than who was asked."""
    trouble = refusal(response.status, retry_after=read_retry_after(response.headers))
    if origin_of(where) != origin_of(url):
        trouble.reason += f" (redirected to {redact(where)})"
    return trouble


def _read_page(response: Response) -> bytes:
    """Read the body whole, and decode it.

    Raises:
        Trouble: it ended early, is too long, or is not what its Content-Encoding says.
    """
    gzipped = response.headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip")
    inflate = zlib.decompressobj(wbits=31) if gzipped else None
    pieces: list[bytes] = []
    received = held = 0
    while piece := response.read(_CHUNK):
        received += len(piece)
        if inflate is not None:
            try:
                piece = inflate.decompress(piece, MAX_PAGE)
            except zlib.error as error:
                raise Trouble(f"the answer is not gzip, as it claims: {error}", transient=True) from None
        held += len(piece)
        if held >= MAX_PAGE:
            raise Trouble(f"the page is larger than {MAX_PAGE // 2**20} MiB")
        pieces.append(piece)
    promised = response.headers.get("content-length", "")
    bodiless = response.status in (204, 304)
    if promised.isdecimal() and received < int(promised) and not bodiless:
        raise Trouble(f"the connection closed after {received} of {promised} bytes", transient=True)
    if inflate is not None and received and not inflate.eof:
        raise Trouble("the compressed answer ends early", transient=True)
    return b"".join(pieces)
