"""A server on loopback that speaks HTTP/2 only, over TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from support.loopback import LoopbackServer


class Http2Server(LoopbackServer):
    """Answers paths with ``documents``; ``streams`` has what came, by connection and in order.

    With ``hold`` it answers nothing until so many requests wait on one connection.
    """

    def __init__(self, documents: Mapping[str, bytes], *, tls: ssl.SSLContext, hold: int = 1) -> None:
        tls.set_alpn_protocols(["h2"])
        super().__init__(tls=tls)
        self.documents = documents
        self.hold = hold
        self.streams: list[list[str]] = []

    def serve(self, connection: socket.socket | ssl.SSLSocket) -> None:
        """Talk HTTP/2 until the client closes."""
        engine = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        engine.initiate_connection()
        connection.sendall(engine.data_to_send())
        paths: list[str] = []
        self.streams.append(paths)
        waiting: list[tuple[int, str]] = []
        while data := connection.recv(65536):
            for event in engine.receive_data(data):
                if isinstance(event, RequestReceived):
                    path = {str(name): str(value) for name, value in event.headers or []}[":path"]
                    paths.append(path)
                    waiting.append((event.stream_id or 0, path))
            if len(paths) >= self.hold:
                for stream, path in waiting:
                    self._answer(engine, stream, path)
                waiting.clear()
            connection.sendall(engine.data_to_send())

    def _answer(self, engine: H2Connection, stream: int, path: str) -> None:
        body = self.documents.get(path)
        headers = [(":status", "200" if body is not None else "404"), ("content-type", "text/plain")]
        engine.send_headers(stream, headers)
        engine.send_data(stream, body or b"", end_stream=True)
