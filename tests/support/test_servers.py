"""The index that other tests rely on keeps to the specifications it stands for."""

import http.client
import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.servers import Answer, Fault, IndexServer

NAME = "Demo_Pkg-1.0-py3-none-any.whl"
Get = Callable[..., tuple[http.client.HTTPResponse, bytes]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    with zipfile.ZipFile(tmp_path / NAME, "w") as wheel:
        wheel.writestr("Demo_Pkg-1.0.dist-info/METADATA", "Name: Demo_Pkg\nVersion: 1.0\nRequires-Python: >=3.8\n")
    with tarfile.open(tmp_path / "demo_pkg-0.9.tar.gz", "w:gz") as sdist:
        member = tarfile.TarInfo("demo_pkg-0.9/PKG-INFO")
        member.size = 23
        sdist.addfile(member, io.BytesIO(b"Requires-Python: >=3.7\n"))
    with IndexServer(tmp_path) as server:
        yield server


@pytest.fixture
def get(server: IndexServer) -> Iterator[Get]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)

    def get(path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer, answer.read()

    yield get
    connection.close()


def test_pages_come_as_json_or_html(server: IndexServer, get: Get) -> None:
    answer, body = get("/simple/demo-pkg/", Accept="application/vnd.pypi.simple.v1+json")
    assert answer.headers["Content-Type"] == "application/vnd.pypi.simple.v1+json"
    files = {file["filename"]: file for file in json.loads(body)["files"]}
    assert files[NAME]["requires-python"] == ">=3.8"
    assert files["demo_pkg-0.9.tar.gz"]["requires-python"] == ">=3.7"
    answer, body = get("/simple/demo-pkg/")
    assert "text/html" in answer.headers["Content-Type"]
    assert b'data-requires-python="&gt;=3.8"' in body
    assert files[NAME]["hashes"]["sha256"].encode() in body
    server.html_only = True
    answer, _ = get("/simple/demo-pkg/", Accept="application/vnd.pypi.simple.v1+json")
    assert "text/html" in answer.headers["Content-Type"]


def test_names_are_redirected_to_their_normal_form(server: IndexServer, get: Get) -> None:
    answer, _ = get("/simple/Demo.Pkg/")
    assert (answer.status, answer.headers["Location"]) == (301, "/simple/demo-pkg/")
    assert get("/simple/unknown/")[0].status == 404


def test_files_have_ranges_and_validators(server: IndexServer, get: Get) -> None:
    answer, whole = get(f"/files/{NAME}")
    etag = answer.headers["ETag"]
    assert "immutable" in answer.headers["Cache-Control"]
    assert get(f"/files/{NAME}", Range="bytes=2-4")[1] == whole[2:5]
    assert get(f"/files/{NAME}", Range="bytes=-4", If_Range=etag)[1] == whole[-4:]
    assert get(f"/files/{NAME}", Range="bytes=2-4", If_Range='"other"')[1] == whole
    assert get(f"/files/{NAME}", Range="bytes=100000-")[0].status == 416
    assert get(f"/files/{NAME}", If_None_Match=etag)[0].status == 304
    assert get(f"/files/{NAME}.metadata")[1].startswith(b"Name: Demo_Pkg")
    assert [request.status for request in server.requests_for(NAME)] == [200, 206, 206, 200, 416, 304]


def test_pages_can_lie_and_yank(server: IndexServer, get: Get) -> None:
    server.lie_about(NAME)
    server.yank(NAME)
    _, body = get("/simple/demo-pkg/", Accept="application/vnd.pypi.simple.v1+json")
    file = next(file for file in json.loads(body)["files"] if file["filename"] == NAME)
    assert file["hashes"]["sha256"] == "0" * 64
    assert file["yanked"] is True


def test_faults_happen_as_often_as_asked_and_in_order(server: IndexServer, get: Get) -> None:
    server.fault(NAME, Fault(status=503, times=2, headers={"Retry-After": "7"}), Fault(status=404, times=1))
    assert [get(f"/files/{NAME}")[0].status for _ in range(4)] == [503, 503, 404, 200]


def test_a_cut_answer_is_logged_with_what_was_sent(server: IndexServer, get: Get) -> None:
    server.fault(NAME, Fault(cut_after=10))
    with pytest.raises(http.client.IncompleteRead):
        get(f"/files/{NAME}")
    assert [request.sent for request in server.requests_for(NAME)] == [10]


def test_other_documents_and_bodies_can_be_served(server: IndexServer, get: Get) -> None:
    server.documents["/robots.txt"] = Answer(body=b"no", content_type="text/plain")
    assert get("/robots.txt")[1] == b"no"
    server.fault("/robots.txt", Fault(truncate_to=1, content_type="text/html"))
    answer, body = get("/robots.txt")
    assert (body, answer.headers["Content-Type"]) == (b"n", "text/html")


def test_credentials_are_wanted_when_set(server: IndexServer, get: Get) -> None:
    server.credentials = ("me", "secret")
    assert get(f"/files/{NAME}")[0].status == 401
    assert get(f"/files/{NAME}", Authorization="Basic bWU6c2VjcmV0")[0].status == 200


def test_a_stalling_server_still_closes_at_once(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"x" * 100)
    with IndexServer(tmp_path) as server:
        server.fault(NAME, Fault(stall_after=10))
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", f"/files/{NAME}")
        assert connection.getresponse().read(10) == b"x" * 10
        started = time.monotonic()
    assert time.monotonic() - started < 1
    connection.close()
