"""A threaded TCP server on loopback that tests can end at once, whatever its connections are doing."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class LoopbackServer:
    """Accepts on 127.0.0.1 and gives each connection a thread; leaving the block ends them all."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.closing = threading.Event()
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0

    @property
    def url(self) -> str:
        """The origin, without a trailing slash."""
        return self.url_as("127.0.0.1")

    def url_as(self, host: str) -> str:
        """The origin under another name of this machine, for instance ``localhost``."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop accepting, cut what is open, wait for the threads. Repeating it is harmless."""
        if self.closing.is_set():
            return
        self.closing.set()
        with contextlib.suppress(OSError):  # wakes accept() on every platform
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for thread in threads:
            thread.join(timeout=5)
        self._listener.close()

    def drop_connections(self) -> None:
        """Close every connection now, as a server does with idle ones."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def serve(self, connection: socket.socket) -> None:
        """Talk on one connection until it ends."""
        raise NotImplementedError

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, name="loopback-server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self.closing.is_set():
                    connection.close()
                    return
                self._open.add(connection)
                self.connections += 1
                self._start(self._converse, connection)

    def _converse(self, connection: socket.socket) -> None:
        talking = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                talking = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._open.discard(connection)
                    self._open.add(talking)
                talking.do_handshake()
            self.serve(talking)
        except (
            OSError,
            ValueError,
        ):  # the client went away, or close() cut us off: a test's business, not ours
            pass
        finally:
            with self._lock:
                self._open.discard(talking)
            talking.close()
