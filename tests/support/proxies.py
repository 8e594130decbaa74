"""A forward proxy on loopback: CONNECT tunnels and absolute-form requests (RFC 9112, section 3.2.2).

``routes`` sends a name to a port of this machine, so that tests can have as many hosts as they like.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from support.loopback import LoopbackServer


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxiedRequest:
    """What the proxy was asked."""

    method: str
    target: str
    authorization: str | None


class ProxyServer(LoopbackServer):
    """Forwards to ``routes``, else to the named host itself; with ``credentials`` only who has them."""

    def __init__(self, *, routes: Mapping[str, int] | None = None, credentials: tuple[str, str] | None = None) -> None:
        super().__init__()
        self.routes = dict(routes or {})
        self.credentials = credentials
        self.log: list[ProxiedRequest] = []

    def serve(self, connection: socket.socket | ssl.SSLSocket) -> None:
        """Forward one request, or one tunnel."""
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return
            head += piece
        lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        login = fields.get("proxy-authorization")
        self.log.append(ProxiedRequest(method=method, target=target, authorization=login))
        if self.credentials and login != f"Basic {base64.b64encode(':'.join(self.credentials).encode()).decode()}":
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif method == "CONNECT":
            host, _, port = target.rpartition(":")
            with self._dial(host.strip("[]"), int(port)) as upstream:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._relay(connection, upstream)
        else:
            parts = urlsplit(target)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            kept = [line for line in lines[1:] if not line.lower().startswith(("proxy-", "connection:"))]
            with self._dial(parts.hostname or "", parts.port or 80) as upstream:
                request = "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""])
                upstream.sendall(request.encode("latin-1"))
                self._relay(connection, upstream)

    def _dial(self, host: str, port: int) -> socket.socket:
        if host in self.routes:
            host, port = "127.0.0.1", self.routes[host]
        return socket.create_connection((host, port), timeout=5)

    def _relay(self, one: socket.socket, other: socket.socket) -> None:
        while not self.closing.is_set():
            for source in select.select([one, other], [], [], 0.05)[0]:
                data = source.recv(65536)
                if not data:
                    return
                (other if source is one else one).sendall(data)
