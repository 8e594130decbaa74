"""A package index on loopback, in this process, that can be told to misbehave.

    with IndexServer(directory_of_wheels) as server:
        server.fault("six-1.0-py3-none-any.whl", Fault(cut_after=1000, times=1))
        ...
        assert [request.range for request in server.requests_for("six-1.0-py3-none-any.whl")] == [...]

``/simple/`` and ``/simple/NAME/`` are a Simple index (JSON or HTML by ``Accept``), ``/files/NAME`` the files,
``/files/NAME.metadata`` their PEP 658 metadata; ``server.documents`` adds anything else.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import socket
import ssl
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

from support import simple_pages
from support.loopback import LoopbackServer
from support.simple_pages import HTML_TYPE, JSON_TYPE, PageOptions

CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How answers for one path go wrong; ``times`` is for how many requests (None: all of them).

    ``cut_after`` closes the connection after so many body bytes (``reset``: with a TCP reset) and
    ``stall_after`` falls silent there, both under the full Content-Length; ``drop`` closes it without any
    answer; ``truncate_to`` sends a shorter but complete body; ``content_length`` lies about the length, and
    ``without_length`` lets the end of the connection be the end of the body.
    """

    times: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str | None = None
    redirect: str | None = None
    truncate_to: int | None = None
    content_length: int | None = None
    without_length: bool = False
    cut_after: int | None = None
    reset: bool = False
    drop: bool = False
    stall_after: int | None = None
    bytes_per_second: int | None = None


NO_FAULT = Fault()


@dataclass(slots=True, kw_only=True)
class LoggedRequest:
    """One request as it came; ``sent`` counts body bytes handed to the socket so far."""

    method: str
    path: str
    range: str | None
    headers: Mapping[str, str]
    status: int = 0
    sent: int = 0

    @property
    def name(self) -> str:
        """The path's last component: a filename, or a project's name."""
        return self.path.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response before ranges, conditions and faults have changed it."""

    body: bytes | Path = b""
    status: int = 200
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)


class IndexServer(LoopbackServer):
    """Serves one directory as a Simple index; options are attributes and may change while it runs."""

    def __init__(
        self,
        directory: Path,
        *,
        html_only: bool = False,
        page_max_age: int | None = 600,
        etags: bool = True,
        ranges: bool = True,
        credentials: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(tls=tls)
        self.directory = directory
        self.html_only = html_only
        self.page_max_age = page_max_age
        self.etags = etags
        self.ranges = ranges
        self.credentials = credentials
        self.pages = PageOptions()
        self.documents: dict[str, Answer] = {}
        self.log: list[LoggedRequest] = []
        self._faults: dict[str, list[Fault]] = {}

    @property
    def index_url(self) -> str:
        """What a user gives as ``--index-url``."""
        return self.url + "/simple/"

    def file_url(self, filename: str) -> str:
        """Where a file of the directory is."""
        return f"{self.url}/files/{quote(filename)}"

    def requests_for(self, name: str) -> list[LoggedRequest]:
        """The requests, in order, for one path or for what has this last path component."""
        with self._lock:
            return [request for request in self.log if name in (request.path, request.name)]

    def fault(self, name: str, *faults: Fault) -> None:
        """Let requests for a path, or for what has this last component, meet these faults in order."""
        with self._lock:
            self._faults[name] = list(faults)

    def lie_about(self, filename: str, sha256: str | None = "0" * 64) -> None:
        """Let the pages claim another hash for the file; None: let them not mention any."""
        self.pages.claimed_sha256[filename] = sha256

    def lie_beside(self, filename: str, sidecar: bytes) -> None:
        """Serve other metadata than the file's own beside it, under its right hash (PEP 658)."""
        self.pages.sidecars[filename] = sidecar

    def yank(self, filename: str, reason: str = "") -> None:
        """Mark the file as yanked (PEP 592)."""
        self.pages.yanked[filename] = reason

    def serve(self, connection: socket.socket) -> None:
        """Answer requests until the client closes."""
        _Handler(connection, self)

    def record(self, request: LoggedRequest) -> Fault:
        """Log a request, and say what goes wrong with it."""
        with self._lock:
            self.log.append(request)
            queue = self._faults.get(request.path) or self._faults.get(request.name) or []
            while queue:
                fault = queue[0]
                if fault.times is None:
                    return fault
                if fault.times > 0:
                    queue[0] = replace(fault, times=fault.times - 1)
                    return fault
                queue.pop(0)
        return NO_FAULT

    def answer(self, path: str, accept: str) -> Answer:
        """Find what a path is."""
        if path in self.documents:
            return self.documents[path]
        if path.startswith("/files/"):
            return self._file(path.removeprefix("/files/"))
        if path.startswith("/simple/"):
            return self._page(path.removeprefix("/simple/"), as_json=JSON_TYPE in accept and not self.html_only)
        return _NOT_FOUND

    def _file(self, filename: str) -> Answer:
        cache = {"Cache-Control": "max-age=365000000, immutable, public"}
        if filename.endswith(".metadata"):
            for file in simple_pages.list_files(self.directory):
                if file.filename + ".metadata" == filename:
                    sidecar = simple_pages.sidecar_of(file, self.pages)
                    return _NOT_FOUND if sidecar is None else Answer(body=sidecar, headers=cache)
        path = self.directory / filename
        if "/" in filename or not path.is_file():
            return _NOT_FOUND
        return Answer(body=path, headers=cache)

    def _page(self, project: str, *, as_json: bool) -> Answer:
        cache = {"Vary": "Accept"}
        if self.page_max_age is not None:
            cache["Cache-Control"] = f"max-age={self.page_max_age}"
        kind = JSON_TYPE if as_json else HTML_TYPE
        every = simple_pages.list_files(self.directory)
        if not project:
            names = sorted({file.project for file in every})
            write_root = simple_pages.root_json if as_json else simple_pages.root_html
            return Answer(body=write_root(names), content_type=kind, headers=cache)
        name = simple_pages.normalize(project.rstrip("/"))
        files = [file for file in every if file.project == name]
        if not files:
            return _NOT_FOUND
        if project != name + "/":
            return Answer(status=301, headers={"Location": f"/simple/{name}/"})
        write = simple_pages.project_json if as_json else simple_pages.project_html
        return Answer(body=write(name, files, self.pages), content_type=kind, headers=cache)


_NOT_FOUND = Answer(status=404, body=b"404 Not Found", content_type="text/plain")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = CHUNK
    index: IndexServer
    entry: LoggedRequest

    def __init__(self, connection: socket.socket, index: IndexServer) -> None:
        self.index = index
        super().__init__(connection, ("127.0.0.1", 0), index)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent: the log is a list."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.entry = LoggedRequest(method=self.command, path=path, range=headers.get("range"), headers=headers)
        fault = self.index.record(self.entry)
        if fault.drop:
            self._cut(reset=fault.reset)
        elif not self._authorized():
            refusal = {"WWW-Authenticate": 'Basic realm="index"'}
            self._send(Answer(status=401, body=b"who are you?", headers=refusal), fault)
        else:
            self._send(self._spoil(self.index.answer(path, headers.get("accept", "")), fault), fault)

    def _authorized(self) -> bool:
        if self.index.credentials is None:
            return True
        expected = base64.b64encode(":".join(self.index.credentials).encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _spoil(self, answer: Answer, fault: Fault) -> Answer:
        if fault.redirect is not None:
            return Answer(status=fault.status or 302, headers={"Location": fault.redirect})
        headers = {**answer.headers, **fault.headers}
        if fault.status is not None:
            body = fault.body if fault.body is not None else f"status {fault.status}".encode()
            kind = fault.content_type or "text/plain"
            return Answer(status=fault.status, body=body, content_type=kind, headers=headers)
        body_now = fault.body if fault.body is not None else answer.body
        if fault.truncate_to is not None:
            whole = body_now.read_bytes() if isinstance(body_now, Path) else body_now
            body_now = whole[: fault.truncate_to]
        kind = fault.content_type or answer.content_type
        return replace(answer, body=body_now, content_type=kind, headers=headers)

    def _send(self, answer: Answer, fault: Fault) -> None:
        headers = {"Content-Type": answer.content_type, **answer.headers}
        status, first, last = answer.status, 0, self._size(answer.body)
        size = last
        if status == 200:
            if self.index.etags:
                headers.setdefault("ETag", self._etag(answer.body))
            if self.index.ranges:
                headers.setdefault("Accept-Ranges", "bytes")
            if "ETag" in headers and self.headers.get("If-None-Match") == headers["ETag"]:
                status, last = 304, 0
            elif self.index.ranges and (wanted := self._wanted(size, headers)) is not None:
                first, last = wanted
                status = 206 if first < last else 416
                headers["Content-Range"] = f"bytes {first}-{last - 1}/{size}" if first < last else f"bytes */{size}"
        length = last - first
        if fault.without_length:
            headers["Connection"] = "close"
        elif status != 304:
            headers["Content-Length"] = str(fault.content_length if fault.content_length is not None else length)
        self.entry.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and length > 0:
            with answer.body.open("rb") if isinstance(answer.body, Path) else BytesIO(answer.body) as source:
                source.seek(first)
                self._pour(source, length, fault)
        if fault.content_length is not None:
            self._cut(reset=fault.reset)

    def _wanted(self, size: int, headers: Mapping[str, str]) -> tuple[int, int] | None:
        """Read Range (RFC 9110, section 14.2; one range only) as first byte and byte behind the last."""
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        condition = self.headers.get("If-Range")
        if match is None or match.group() == "bytes=-" or condition not in (None, headers.get("ETag")):
            return None
        first, last = match.groups()
        if not first:
            return max(0, size - int(last)), size
        end = min(size, int(last) + 1) if last else size
        return (int(first), end) if int(first) < size else (size, size)

    def _pour(self, source: BinaryIO, length: int, fault: Fault) -> None:
        sent = 0
        limits = [n for n in (fault.cut_after, fault.stall_after) if n is not None]
        limit = min([length, *limits])
        piece = CHUNK if fault.bytes_per_second is None else max(1, fault.bytes_per_second // 50)
        while sent < limit and (chunk := source.read(min(piece, limit - sent))):
            sent += len(chunk)
            self.entry.sent = sent
            self.wfile.write(chunk)
            if fault.bytes_per_second is not None:
                self.wfile.flush()
                if self.index.closing.wait(len(chunk) / fault.bytes_per_second):
                    break
        self.wfile.flush()
        if fault.stall_after is not None and sent < length:
            self._stall()
        if sent < length:
            self._cut(reset=fault.reset)

    def _stall(self) -> None:
        """Say nothing more until the client gives up or the server closes."""
        self.connection.settimeout(60)
        with contextlib.suppress(OSError):
            self.connection.recv(1)

    def _cut(self, *, reset: bool) -> None:
        self.wfile.flush()
        self.close_connection = True
        if reset:  # SO_LINGER with zero seconds: close() sends RST
            self.connection.setsockopt(
                socket.SOL_SOCKET,
                socket.SO_LINGER,
                struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0),
            )
        else:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_WR)

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    @staticmethod
    def _size(body: bytes | Path) -> int:
        return body.stat().st_size if isinstance(body, Path) else len(body)

    @staticmethod
    def _etag(body: bytes | Path) -> str:
        if isinstance(body, Path):
            status = body.stat()
            return f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
