"""A package index on loopback with the manners of a good one: `python -m benchmarks.index_server DIR`.

JSON pages (PEP 691, 700) with an ETag and ten minutes of freshness, immutable files with ranges, PEP 658
metadata beside every wheel, kept connections. The first line on stdout is the address of the index; the
server ends when its stdin does. With `--upstream URL`, what DIR lacks is fetched from there and kept, so
that running the contenders once records everything they will ask for later (`recording`).
"""

from __future__ import annotations

import argparse
import asyncio
import email.utils
import hashlib
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.recording import Recording, Upstream

PAGE_TYPE = "application/vnd.pypi.simple.v1+json"
PAGE_CACHING = "max-age=600, public"
FILE_CACHING = "max-age=365000000, immutable, public"
UPSTREAM_REQUESTS = 32  # at once, while recording
REASONS = {
    200: "OK",
    206: "Partial Content",
    304: "Not Modified",
    404: "Not Found",
    405: "Method Not Allowed",
}
REASONS[416] = "Range Not Satisfiable"


class Request(NamedTuple):
    """A request without its body, which an index has no use for."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What an address stands for: bytes in memory, or a file."""

    content: bytes | Path
    size: int
    etag: str
    type: str
    caching: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A status line, headers, and the part of a resource that follows them."""

    status: int
    headers: Mapping[str, str]
    resource: Resource | None = None
    start: int = 0
    length: int = 0

    def head(self) -> bytes:
        """The response up to its body."""
        lines = [f"HTTP/1.1 {self.status} {REASONS[self.status]}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def respond(request: Request, resource: Resource | None) -> Response:
    """Decide on the answer (RFC 9110: conditions, ranges); nothing is sent."""
    if request.method not in {"GET", "HEAD"}:
        return Response(status=405, headers={"Content-Length": "0", "Allow": "GET, HEAD"})
    if resource is None:
        return Response(status=404, headers={"Content-Length": "0"})
    headers = {"ETag": resource.etag, "Cache-Control": resource.caching, "Accept-Ranges": "bytes"}
    if resource.etag in request.headers.get("if-none-match", ""):
        return Response(status=304, headers=headers)
    status, start, stop = 200, 0, resource.size
    wanted = request.headers.get("range")
    if wanted and request.headers.get("if-range", resource.etag) == resource.etag:
        span = parse_range(wanted, resource.size)
        if span is None:
            refusal = {"Content-Range": f"bytes */{resource.size}", "Content-Length": "0"}
            return Response(status=416, headers=headers | refusal)
        status, (start, stop) = 206, span
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{resource.size}"
    headers |= {"Content-Type": resource.type, "Content-Length": str(stop - start)}
    length = stop - start if request.method == "GET" else 0
    return Response(status=status, headers=headers, resource=resource, start=start, length=length)


def parse_range(value: str, size: int) -> tuple[int, int] | None:
    """The span [start, stop) that a Range header with one range means; None if it can't be satisfied."""
    unit, _, span = value.partition("=")
    first, dash, last = span.partition("-")
    if unit.strip() != "bytes" or not dash or "," in span:
        return None
    try:
        if first.strip():
            start, stop = int(first), min(int(last) + 1 if last.strip() else size, size)
        else:
            start, stop = max(size - int(last), 0), size
    except ValueError:
        return None
    return (start, stop) if start < stop else None


class Index:
    """What is served, looked up by path; resources are kept once they were asked for."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._resources: dict[str, Resource] = {}

    async def find(self, path: str) -> Resource | None:
        """The resource at a path, fetched from upstream if need and chance be."""
        resource = self._resources.get(path)
        if resource is None:
            resource = await asyncio.to_thread(self._load, path)
            if resource is not None:
                self._resources[path] = resource
        return resource

    def _load(self, path: str) -> Resource | None:
        match path.strip("/").split("/"):
            case ["simple", project]:
                content = self._recording.page(project)
                return content if content is None else page(content)
            case ["files", name]:
                found = self._recording.file(name)
                return found if found is None else file(found)
            case _:
                return None


def page(content: bytes) -> Resource:
    """An index page; its ETag is its hash."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Resource(content=content, size=len(content), etag=etag, type=PAGE_TYPE, caching=PAGE_CACHING)


def file(path: Path) -> Resource:
    """A distribution or its metadata; files never change, so their names make good ETags."""
    etag = f'"{hashlib.sha256(path.name.encode()).hexdigest()[:32]}"'
    size = path.stat().st_size
    kind = "application/octet-stream"
    return Resource(content=path, size=size, etag=etag, type=kind, caching=FILE_CACHING)


async def serve_connection(index: Index, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection until the client ends it."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            request = parse_request(head)
            await send(respond(request, await index.find(request.path)), writer)
            if request.headers.get("connection", "").lower() == "close":
                break
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass  # the client is done, or gone, or the server ends
    finally:
        writer.close()


def parse_request(head: bytes) -> Request:
    """Take a request's first lines apart; header names in lower case."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Request(method, target.partition("?")[0], headers)


async def send(response: Response, writer: asyncio.StreamWriter) -> None:
    """Write a response; files go by sendfile(2)."""
    headers = {"Date": email.utils.formatdate(usegmt=True), "Server": "benchmark"} | dict(response.headers)
    writer.write(Response(status=response.status, headers=headers).head())
    if response.resource is not None and response.length:
        content = response.resource.content
        if isinstance(content, bytes):
            writer.write(content[response.start : response.start + response.length])
        else:
            await writer.drain()
            with content.open("rb") as stream:
                loop = asyncio.get_running_loop()
                await loop.sendfile(writer.transport, stream, response.start, response.length)
    await writer.drain()


async def serve(recording: Recording) -> None:
    """Serve on a free port of loopback until stdin ends."""
    index = Index(recording)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(UPSTREAM_REQUESTS))
    server = await asyncio.start_server(lambda *streams: serve_connection(index, *streams), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}/simple/", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()  # without waiting for clients that keep their connections


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="Serve a recorded package index on loopback.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--upstream", help="an index to fetch from what the directory lacks")
    options = parser.parse_args()
    upstream = Upstream(options.upstream) if options.upstream else None
    asyncio.run(serve(Recording(options.directory, upstream)))


if __name__ == "__main__":
    main()
