"""The loopback index: conditions, ranges, metadata; and what it records."""

import hashlib
import http.client
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pytest
from benchmarks.index_server import Request, Resource, page, parse_range, respond
from benchmarks.recording import Recording
from benchmarks.workshop import serving

METADATA = b"Metadata-Version: 2.1\nName: foo\nVersion: 1\n"
WHEEL = "foo-1-py3-none-any.whl"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A recording of one project with one wheel."""
    recording = Recording(tmp_path)
    assert recording.page("foo") is None
    with zipfile.ZipFile(tmp_path / "files" / WHEEL, "w") as archive:
        archive.writestr("foo.py", "x = 1\n" * 500)
        archive.writestr("foo-1.dist-info/METADATA", METADATA)
    digest = hashlib.sha256((tmp_path / "files" / WHEEL).read_bytes()).hexdigest()
    file = {"filename": WHEEL, "url": "../elsewhere/" + WHEEL, "hashes": {"sha256": digest}, "size": 1}
    content = {"meta": {"api-version": "1.1"}, "name": "foo", "versions": ["1"], "files": [file]}
    (tmp_path / "pages" / "foo.json").write_text(json.dumps(content))
    (tmp_path / "files" / (WHEEL + ".metadata")).write_bytes(METADATA)
    return tmp_path


@pytest.fixture
def connection(recorded: Path) -> Iterator[http.client.HTTPConnection]:
    with serving(recorded) as address:
        port = urlsplit(address).port
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        yield client
        client.close()


def get(client: http.client.HTTPConnection, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    client.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    reply = client.getresponse()
    return reply, reply.read()


def test_a_page_lists_files_that_this_index_serves(connection: http.client.HTTPConnection) -> None:
    reply, body = get(connection, "/simple/foo/")
    (file,) = json.loads(body)["files"]
    assert reply.headers["Content-Type"] == "application/vnd.pypi.simple.v1+json"
    assert file["url"] == f"../../files/{WHEEL}"
    assert file["core-metadata"] is True


def test_a_page_that_is_known_is_not_sent_again(connection: http.client.HTTPConnection) -> None:
    first, _ = get(connection, "/simple/foo/")
    assert first.headers["Cache-Control"] == "max-age=600, public"
    again, body = get(connection, "/simple/foo/", If_None_Match=first.headers["ETag"])
    assert (again.status, body) == (304, b"")


def test_files_come_whole_or_in_ranges_over_one_connection(
    connection: http.client.HTTPConnection, recorded: Path
) -> None:
    content = (recorded / "files" / WHEEL).read_bytes()
    whole, body = get(connection, f"/files/{WHEEL}")
    assert (whole.status, body) == (200, content)
    assert "immutable" in whole.headers["Cache-Control"]
    part, body = get(connection, f"/files/{WHEEL}", Range="bytes=-22")
    assert (part.status, body) == (206, content[-22:])
    assert part.headers["Content-Range"] == f"bytes {len(content) - 22}-{len(content) - 1}/{len(content)}"
    other, body = get(connection, f"/files/{WHEEL}", Range="bytes=0-9", If_Range='"another"')
    assert (other.status, body) == (200, content)


def test_metadata_stands_beside_a_wheel(connection: http.client.HTTPConnection) -> None:
    _, body = get(connection, f"/files/{WHEEL}.metadata")
    assert body == METADATA


@pytest.mark.parametrize("path", ["/simple/bar/", "/files/bar-1-py3-none-any.whl", "/", "/files/../pages/foo.json"])
def test_what_is_not_recorded_is_not_found(connection: http.client.HTTPConnection, path: str) -> None:
    reply, body = get(connection, path)
    assert (reply.status, body) == (404, b"")


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, 10)),
        ("bytes=5-99", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=10-", None),
        ("bytes=-0", None),
        ("bytes=1-2,4-5", None),
        ("bytes=a-b", None),
        ("lines=1-2", None),
        ("bytes", None),
    ],
)
def test_ranges(value: str, span: tuple[int, int] | None) -> None:
    assert parse_range(value, 10) == span


def resource() -> Resource:
    return page(b"0123456789")


def test_a_range_beyond_the_end_is_refused() -> None:
    response = respond(Request("GET", "/", {"range": "bytes=10-"}), resource())
    assert response.status == 416
    assert response.headers["Content-Range"] == "bytes */10"


def test_head_says_how_much_get_would_send() -> None:
    response = respond(Request("HEAD", "/", {}), resource())
    assert response.headers["Content-Length"] == "10"
    assert response.length == 0


def test_nothing_can_be_changed() -> None:
    assert respond(Request("PUT", "/", {}), resource()).status == 405


class Elsewhere:
    """An index of one page, whose addresses are relative, and one wheel."""

    def __init__(self, wheel: bytes, *, has_ranges: bool) -> None:
        self.asked: list[str] = []
        self._wheel, self._has_ranges = wheel, has_ranges

    def fetch_page(self, project: str) -> tuple[bytes, str] | None:
        self.asked.append(project)
        if project != "foo":
            return None
        content = {"name": "foo", "files": [{"filename": WHEEL, "url": f"../f/{WHEEL}", "hashes": {}}]}
        return json.dumps(content).encode(), "http://elsewhere.invalid/simple/foo/"

    def fetch(self, url: str) -> tuple[bytes, str] | None:
        self.asked.append(url)
        return self._wheel, url

    def open(self, url: str) -> IO[bytes]:
        self.asked.append(f"part of {url}")
        if not self._has_ranges:
            raise OSError(url)
        return io.BytesIO(self._wheel)


@pytest.mark.parametrize("has_ranges", [True, False])
def test_pages_and_files_are_fetched_once_and_metadata_is_made(
    recorded: Path, tmp_path: Path, *, has_ranges: bool
) -> None:
    elsewhere = Elsewhere((recorded / "files" / WHEEL).read_bytes(), has_ranges=has_ranges)
    directory = tmp_path / "new"
    recording = Recording(directory, elsewhere)
    for _ in range(2):
        assert recording.page("foo")
        assert recording.page("bar") is None
        metadata = recording.file(WHEEL + ".metadata")
        assert metadata is not None
        assert metadata.read_bytes() == METADATA
    wheel = f"http://elsewhere.invalid/simple/f/{WHEEL}"
    assert elsewhere.asked == ["foo", "bar", f"part of {wheel}", *([] if has_ranges else [wheel]), "bar"]
    assert (directory / "files" / WHEEL).exists() is not has_ranges
    assert recording.file(WHEEL) == directory / "files" / WHEEL
