"""A server on loopback that speaks HTTP/2, and HTTP/1.1 with who does not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from support.loopback import LoopbackServer


@dataclass(slots=True)
class Conversation:
    """One connection: the protocol that TLS agreed on, and the paths that were asked for."""

    protocol: str
    paths: list[str] = field(default_factory=list)


class Http2Server(LoopbackServer):
    """Answers paths with ``documents``; it answers nobody before ``hold`` requests have come in all.

    With ``breaks_http2`` it hangs up on those who speak HTTP/2 when the time has come to answer.
    """

    def __init__(self, documents: Mapping[str, bytes], *, tls: ssl.SSLContext, hold: int = 1) -> None:
        tls.set_alpn_protocols(["h2", "http/1.1"])
        super().__init__(tls=tls)
        self.documents = documents
        self.hold = hold
        self.breaks_http2 = False
        self.conversations: list[Conversation] = []
        self._arrived = threading.Condition()

    def serve(self, connection: socket.socket | ssl.SSLSocket) -> None:
        """Talk until the client closes."""
        agreed = connection.selected_alpn_protocol() if isinstance(connection, ssl.SSLSocket) else None
        protocol = agreed or "http/1.1"
        conversation = Conversation(protocol)
        self.conversations.append(conversation)
        (self._serve_2 if protocol == "h2" else self._serve_1)(connection, conversation)

    def _note(self, conversation: Conversation, path: str) -> None:
        with self._arrived:
            conversation.paths.append(path)
            self._arrived.notify_all()

    def _is_time(self) -> bool:
        return self.closing.is_set() or sum(len(each.paths) for each in self.conversations) >= self.hold

    def _serve_1(self, connection: socket.socket, conversation: Conversation) -> None:
        with connection.makefile("rb") as lines:
            while line := lines.readline():
                while lines.readline().strip():
                    pass
                path = line.split()[1].decode()
                self._note(conversation, path)
                with self._arrived:
                    self._arrived.wait_for(self._is_time, timeout=5)
                body = self.documents.get(path, b"")
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    def _serve_2(self, connection: socket.socket, conversation: Conversation) -> None:
        engine = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        engine.initiate_connection()
        waiting: list[tuple[int, str]] = []
        connection.settimeout(0.01)  # to see that requests on other connections have arrived
        while not self.closing.is_set():
            connection.sendall(engine.data_to_send())
            try:
                data = connection.recv(65536)
            except TimeoutError:
                data = None
            if data == b"":
                return
            for event in engine.receive_data(data) if data else ():
                if isinstance(event, RequestReceived):
                    path = {str(name): str(value) for name, value in event.headers or []}[":path"]
                    self._note(conversation, path)
                    waiting.append((event.stream_id or 0, path))
            if waiting and self._is_time():
                if self.breaks_http2:
                    return
                for stream, path in waiting:
                    self._answer(engine, stream, path)
                waiting.clear()

    def _answer(self, engine: H2Connection, stream: int, path: str) -> None:
        body = self.documents.get(path)
        headers = [(":status", "200" if body is not None else "404"), ("content-type", "text/plain")]
        engine.send_headers(stream, headers)
        engine.send_data(stream, body or b"", end_stream=True)
