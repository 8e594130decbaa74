"""HTTP/2 over TLS, for crowds of small answers: one handshake, then every request is underway at once.

Built on httpcore, the engine beneath httpx: what httpx adds (redirects, cookies, authentication, decoding)
is either unwanted here or done by ``Transport``, and its import costs another 65 ms. A server that does not
speak HTTP/2 is spoken to in HTTP/1.1.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import httpcore

from wheelstore.resolve.addresses import origin_of, request_target
from wheelstore.resolve.connection_errors import explain, proxy_refusal
from wheelstore.resolve.credentials import basic
from wheelstore.resolve.proxies import Proxy
from wheelstore.resolve.tls import Trust

MAX_CONNECTIONS = 64
"""For servers without HTTP/2; with it one connection per origin is used."""

_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.ConnectionNotAvailable,
    OSError,
    RuntimeError,  # the pool was closed in another thread
)


class Http2Response:
    """An answer whose body is read piecemeal. ``headers`` have lower-case names."""

    def __init__(self, owner: Http2, answer: httpcore.Response) -> None:
        self._owner, self._answer = owner, answer
        self._chunks = answer.iter_stream()
        self.status = answer.status
        self.version: bytes = answer.extensions["http_version"]
        self.headers: dict[str, str] = {}
        for raw_name, raw_value in answer.headers:
            name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value

    def read(self, _size: int, /) -> bytes:
        """Wait for the next piece of the body, of any size; empty at the end.

        Raises:
            Trouble: the connection broke, or closed before the end.
        """
        with self._owner.translated():
            return next(self._chunks, b"")

    def close(self) -> None:
        """Give the stream back."""
        with suppress(*_ERRORS):
            self._answer.close()


class Http2:
    """One pool of connections per proxy. Thread-safe."""

    def __init__(self, *, trust: Trust, timeout: float) -> None:
        self._context = trust.new_context()  # its own: httpcore sets the ALPN protocols of what it is given
        self._timeout = timeout
        self._timeouts = {"timeout": {"connect": timeout, "read": timeout, "write": timeout, "pool": timeout}}
        self._pools: dict[Proxy | None, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def open(self, url: str, headers: Mapping[str, str], proxy: Proxy | None) -> Http2Response:
        """Send a GET and wait for the head of the answer. The URL has no login in it.

        Raises:
            Trouble: no answer came.
        """
        parts = urlsplit(url)
        origin = origin_of(url)
        where = httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=request_target(parts))
        sent = [("Host", parts.netloc), *headers.items()]
        request = httpcore.Request("GET", where, headers=sent, extensions=self._timeouts)
        with self.translated():
            return Http2Response(self, self._pool(proxy).handle_request(request))

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            with suppress(*_ERRORS):
                pool.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what httpcore raises into Trouble."""
        try:
            yield
        except httpcore.TimeoutException as error:
            raise explain(TimeoutError(), timeout=self._timeout) from error
        except httpcore.ProxyError as error:
            raise proxy_refusal(str(error)) from error
        except _ERRORS as error:
            raise explain(_root(error), timeout=self._timeout) from error

    def _pool(self, proxy: Proxy | None) -> httpcore.ConnectionPool:
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = httpcore.ConnectionPool(
                    ssl_context=self._context,
                    proxy=_spell(proxy) if proxy else None,
                    http2=True,
                    max_connections=MAX_CONNECTIONS,
                    max_keepalive_connections=MAX_CONNECTIONS,
                )
            return self._pools[proxy]


def _spell(proxy: Proxy) -> httpcore.Proxy:
    where = httpcore.URL(scheme="http", host=proxy.host, port=proxy.port, target="/")
    return httpcore.Proxy(where, headers={"Proxy-Authorization": basic(proxy.login)} if proxy.login else None)


def _root(error: BaseException) -> BaseException:
    """Find the socket's or TLS's own error beneath what httpcore made of it."""
    inner = error.__cause__ or error.__context__
    while inner is not None and not isinstance(inner, OSError):
        inner = inner.__cause__ or inner.__context__
    return inner or error
