"""Metadata of files on a server on loopback and on this disk: where it comes from, and what is not believed."""

from __future__ import annotations

import hashlib
import io
import random
import sqlite3
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.servers import Answer, Fault, IndexServer
from support.wheels import make_wheel, sha256_of

from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.facts import Facts
from wheelstore.resolve.fetch_errors import FetchFailed, HashMismatch
from wheelstore.resolve.metadata import BadMetadata
from wheelstore.resolve.metadata_source import Builder, BuildNeeded, MetadataSource
from wheelstore.resolve.page_cache import UnknownOffline
from wheelstore.resolve.problem import Metadata
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.transport import Transport, TransportOptions

READ = Metadata("demo", "1.0", ("one>=1",), ">=3.8")
STATIC = b"Metadata-Version: 2.2\nName: demo\nVersion: 1.0\nRequires-Python: >=3.8\nRequires-Dist: one>=1\n"
DYNAMIC = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
FILENAME = "demo-1.0-py3-none-any.whl"
SIDECAR = FILENAME + ".metadata"

Make = Callable[..., MetadataSource]


class FakeBuilder:
    """Answers at once, and counts."""

    def __init__(self, answer: bytes | ResolveError = STATIC, *, identity: str = "one") -> None:
        self.answer, self.identity = answer, identity
        self.built: list[tuple[str, str]] = []

    def metadata(self, name: str, file: IndexFile) -> bytes:
        self.built.append((name, file.filename))
        if isinstance(self.answer, ResolveError):
            raise self.answer
        return self.answer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    (tmp_path / "files").mkdir()
    with IndexServer(tmp_path / "files") as server:
        yield server


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with (
        Facts(tmp_path / "resolve.sqlite3") as facts,
        Transport(TransportOptions(retries=1), sleep=lambda _: None) as transport,
    ):

        def make(*, builder: Builder | None = None, offline: bool = False) -> MetadataSource:
            return MetadataSource(transport, facts, builder=builder, offline=offline, scratch=tmp_path)

        yield make


def wheel(server: IndexServer, **options: object) -> Path:
    options = {"requires": ["one>=1"], "requires_python": ">=3.8", **options}
    return make_wheel(server.directory, files={"demo/x": random.Random(1).randbytes(99_999)}, **options)  # type: ignore[arg-type]


def sdist(directory: Path, pkg_info: bytes | None, filename: str = "demo-1.0.tar.gz", *, top: str = "demo-1.0") -> Path:
    members = {f"{top}/src/demo.egg-info/PKG-INFO": b"no", f"{top}/pyproject.toml": b""}
    if pkg_info is not None:
        members[f"{top}/PKG-INFO"] = pkg_info
    path = directory / filename
    if filename.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def served(server: IndexServer, path: Path, *, hashed: bool = True, core_metadata: str | None = None) -> IndexFile:
    hashes = (f"sha256:{sha256_of(path)}",) if hashed else ()
    return IndexFile(path.name, server.file_url(path.name), hashes, path.stat().st_size, core_metadata=core_metadata)


def asked(server: IndexServer) -> list[tuple[str, int]]:
    return [(request.name, request.status) for request in server.log]


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def sidecar_of(server: IndexServer) -> bytes:
    body = server.answer(f"/files/{SIDECAR}", "").body
    assert isinstance(body, bytes)
    return body


def test_a_sidecar_comes_first(server: IndexServer, make: Make) -> None:
    path = wheel(server)
    for core_metadata in ("", digest(sidecar_of(server))):
        file = served(server, path, core_metadata=core_metadata)
        assert make().metadata(file, "demo") == READ
    assert asked(server) == [(SIDECAR, 200)] * 2


def test_what_a_sidecar_said_is_remembered_with_its_hash(server: IndexServer, make: Make, tmp_path: Path) -> None:
    path = wheel(server)
    source = make()
    source.metadata(served(server, path, core_metadata=""), "demo")
    source.flush()
    with Facts(tmp_path / "resolve.sqlite3") as facts:
        assert facts.sidecars([sha256_of(path)]) == {sha256_of(path): digest(sidecar_of(server))[7:]}


def test_what_the_archive_said_is_remembered_without(server: IndexServer, make: Make, tmp_path: Path) -> None:
    path = wheel(server)
    source = make()
    source.metadata(served(server, path), "demo")
    source.flush()
    with Facts(tmp_path / "resolve.sqlite3") as facts:
        assert facts.sidecars([sha256_of(path)]) == {}
        assert facts.metadata([bytes.fromhex(sha256_of(path))])


def test_a_sidecar_that_is_not_what_the_index_says_is_an_error(server: IndexServer, make: Make) -> None:
    file = served(server, wheel(server), core_metadata="sha256:" + "0" * 64)
    with pytest.raises(HashMismatch, match=r"\.metadata: expected sha256:000"):
        make().metadata(file, "demo")


@pytest.mark.parametrize(
    "fault",
    [Fault(status=404), Fault(status=403), Fault(body=b"<html>Sign in</html>", content_type="text/html")],
    ids=["absent", "forbidden", "HTML"],
)
def test_without_a_usable_sidecar_the_archive_is_read(fault: Fault, server: IndexServer, make: Make) -> None:
    server.fault(SIDECAR, fault)
    assert make().metadata(served(server, wheel(server), core_metadata=""), "demo") == READ
    assert asked(server)[1:] == [(FILENAME, 206)]


def test_a_failing_server_is_an_error(server: IndexServer, make: Make) -> None:
    server.fault(SIDECAR, Fault(status=503))
    with pytest.raises(FetchFailed, match=r"503 .*\(after 2 tries\)"):
        make().metadata(served(server, wheel(server), core_metadata=""), "demo")


def test_a_server_without_ranges_sends_the_whole_file(server: IndexServer, make: Make, tmp_path: Path) -> None:
    server.ranges = False
    file = served(server, wheel(server))
    assert make().metadata(file, "demo") == READ
    assert asked(server) == [(FILENAME, 200)] * 2
    assert not list(tmp_path.glob("metadata-*"))


def test_a_whole_file_is_checked(server: IndexServer, make: Make) -> None:
    server.ranges = False
    file = served(server, wheel(server))._replace(hashes=("sha256:" + "0" * 64,))
    with pytest.raises(HashMismatch):
        make().metadata(file, "demo")


@pytest.mark.parametrize("hashed", [True, False])
def test_a_page_in_place_of_a_wheel_is_an_error(hashed: bool, server: IndexServer, make: Make) -> None:
    file = served(server, wheel(server), hashed=hashed)._replace(size=None)
    server.fault(FILENAME, Fault(body=b"<html>no</html>", content_type="text/html"))
    with pytest.raises(ResolveError) as caught:
        make().metadata(file, "demo")
    expected = "expected sha256" if hashed else "its metadata is unusable: it is no zip archive"
    assert expected in str(caught.value)


def test_a_redirect_is_followed(server: IndexServer, make: Make) -> None:
    file = served(server, wheel(server))
    server.fault("moved.whl", Fault(redirect=file.url))
    assert make().metadata(file._replace(url=server.file_url("moved.whl")), "demo") == READ


@pytest.mark.parametrize(
    ("filename", "name", "said"),
    [
        ("other-1.0-py3-none-any.whl", "other", "it is of demo, not of other"),
        ("demo-2.0-py3-none-any.whl", "demo", "it is of version 1.0, not 2.0"),
    ],
)
def test_metadata_of_something_else_is_an_error(
    filename: str, name: str, said: str, server: IndexServer, make: Make
) -> None:
    file = served(server, wheel(server, filename=filename))
    source = make()
    for _ in range(2):
        with pytest.raises(BadMetadata) as caught:
            source.metadata(file, name)
        assert str(caught.value) == f"{file.url}: its metadata is unusable: {said}"


def test_a_wheel_without_metadata_is_an_error(server: IndexServer, make: Make) -> None:
    path = wheel(server, archive=lambda archive: archive.entries.clear())
    with pytest.raises(BadMetadata, match=r"demo-1\.0-.*: its metadata is unusable: it has no METADATA"):
        make().metadata(served(server, path), "demo")


def test_absurd_metadata_does_not_cost_the_whole_file(server: IndexServer, make: Make) -> None:
    path = wheel(server, archive=lambda archive: archive["demo-1.0.dist-info/METADATA"].central.update(size=1 << 30))
    with pytest.raises(BadMetadata, match="at most 16777216 are read"):
        make().metadata(served(server, path), "demo")
    assert asked(server) == [(FILENAME, 206)]


@pytest.mark.parametrize("hashed", [True, False])
def test_what_was_found_is_remembered(hashed: bool, server: IndexServer, make: Make) -> None:
    file = served(server, wheel(server), hashed=hashed)
    source = make()
    assert source.metadata(file, "demo") is source.metadata(file, "demo")
    assert len(server.log) == 1
    source.flush()
    offline = make(offline=True)
    assert offline.metadata(file, "demo") == READ
    with pytest.raises(BadMetadata):
        offline.metadata(file, "other")


def test_many_are_written_without_being_told_to(server: IndexServer, make: Make) -> None:
    source = make()
    files = [
        served(server, make_wheel(server.directory, "demo", f"1.{number}"))._replace(core_metadata=None)
        for number in range(64)
    ]
    for file in files:
        source.metadata(file, "demo")
    offline = make(offline=True)
    assert [offline.metadata(file, "demo").version for file in files] == [f"1.{number}" for number in range(64)]


def test_many_are_recalled_at_once(server: IndexServer, make: Make, tmp_path: Path) -> None:
    known, unknown = served(server, wheel(server)), served(server, wheel(server, version="2.0"))
    source = make()
    source.metadata(known, "demo")
    source.flush()
    source = make()
    assert source.remembered(known) is None
    source.prime([known, unknown])
    assert source.remembered(known) == READ
    assert source.remembered(unknown) is None
    damaged = sqlite3.connect(tmp_path / "resolve.sqlite3")
    damaged.execute("DELETE FROM metadata")
    damaged.commit()
    damaged.close()
    source.prime([known])
    assert source.metadata(known, "demo") == READ
    assert source.metadata(unknown, "demo").version == "2.0"


def test_a_damaged_row_is_found_anew(server: IndexServer, make: Make, tmp_path: Path) -> None:
    file = served(server, wheel(server))
    with Facts(tmp_path / "resolve.sqlite3") as facts:
        assert file.sha256 is not None
        facts.remember_metadata({bytes.fromhex(file.sha256): b"[1]"})
    assert make().metadata(file, "demo") == READ


def test_offline_nothing_is_fetched(server: IndexServer, make: Make) -> None:
    file = served(server, wheel(server), core_metadata="")
    with pytest.raises(UnknownOffline, match=r"\.whl is not remembered, and this run is offline"):
        make(offline=True).metadata(file, "demo")
    assert server.log == []


def test_files_of_this_machine_are_read_where_they_are(server: IndexServer, make: Make) -> None:
    path = wheel(server)
    source = make(offline=True)
    assert source.metadata(IndexFile(path.name, path.as_uri()), "demo") == READ
    source.flush()
    wheel(server, requires=["two"])
    assert make(offline=True).metadata(IndexFile(path.name, path.as_uri()), "demo").requires_dist == ("two",)
    path.unlink()
    with pytest.raises(FetchFailed, match=r"\.whl: No such file or directory"):
        make(offline=True).metadata(IndexFile(path.name, path.as_uri()), "demo")


def test_a_wheel_of_this_machine_says_nothing_of_those_with_its_hash(server: IndexServer, make: Make) -> None:
    path = wheel(server)
    hashes = ("sha256:" + "0" * 64,)
    source = make()
    source.metadata(IndexFile(path.name, path.as_uri(), hashes), "demo")
    source.flush()
    with pytest.raises(UnknownOffline):
        make(offline=True).metadata(IndexFile(path.name, server.file_url(path.name), hashes), "demo")


@pytest.mark.parametrize("filename", ["demo-1.0.tar.gz", "demo-1.0.zip"])
def test_static_sdists_need_no_build(filename: str, server: IndexServer, make: Make) -> None:
    path = sdist(server.directory, STATIC, filename)
    assert make().metadata(served(server, path), "demo") == READ
    assert asked(server) == [(filename, 200)]
    assert make(offline=True).metadata(IndexFile(filename, path.as_uri()), "demo") == READ


@pytest.mark.parametrize("pkg_info", [DYNAMIC, None, STATIC + b"Dynamic: Requires-Dist\n"])
def test_other_sdists_are_built_once(pkg_info: bytes | None, server: IndexServer, make: Make) -> None:
    file = served(server, sdist(server.directory, pkg_info))
    builder = FakeBuilder()
    source = make(builder=builder)
    for _ in range(2):
        assert source.metadata(file, "demo") == READ
    assert builder.built == [("demo", file.filename)]
    source.flush()
    idle = FakeBuilder()
    assert make(builder=idle, offline=True).metadata(file, "demo") == READ
    assert idle.built == []


def test_each_interpreter_has_its_own_builds(server: IndexServer, make: Make) -> None:
    file = served(server, sdist(server.directory, DYNAMIC))
    source = make(builder=FakeBuilder())
    source.metadata(file, "demo")
    source.flush()
    other = FakeBuilder(identity="other")
    make(builder=other).metadata(file, "demo")
    assert other.built == [("demo", file.filename)]


def test_a_local_sdist_is_built_again_when_it_has_changed(server: IndexServer, make: Make) -> None:
    path = sdist(server.directory, DYNAMIC)
    file = IndexFile(path.name, path.as_uri())
    source = make(builder=FakeBuilder())
    source.metadata(file, "demo")
    source.flush()
    idle = FakeBuilder()
    assert make(builder=idle).metadata(file, "demo") == READ
    assert idle.built == []
    sdist(server.directory, DYNAMIC + b"Summary: changed\n")
    with pytest.raises(BuildNeeded, match=r"gz: what it requires is known only after a build$"):
        make().metadata(file, "demo")


def test_a_local_sdist_has_the_hash_that_is_announced(server: IndexServer, make: Make) -> None:
    path = sdist(server.directory, STATIC)
    with pytest.raises(HashMismatch):
        make().metadata(IndexFile(path.name, path.as_uri(), ("sha256:" + "0" * 64,)), "demo")


def test_a_failed_build_is_said_to_all(server: IndexServer, make: Make) -> None:
    file = served(server, sdist(server.directory, DYNAMIC))
    builder = FakeBuilder(BadMetadata("it does not build", where="demo"))
    source = make(builder=builder)
    for _ in range(2):
        with pytest.raises(BadMetadata, match="it does not build"):
            source.metadata(file, "demo")
    assert len(builder.built) == 1


def test_an_sdists_sidecar_counts_if_it_is_static(server: IndexServer, make: Make) -> None:
    file = served(server, sdist(server.directory, DYNAMIC), core_metadata="")
    sidecar = f"/files/{file.filename}.metadata"
    server.documents[sidecar] = Answer(body=DYNAMIC)
    with pytest.raises(BuildNeeded):
        make().metadata(file, "demo")
    server.documents[sidecar] = Answer(body=STATIC)
    assert make().metadata(file, "demo") == READ


@pytest.mark.parametrize("filename", ["demo-1.0.tar.gz", "demo-1.0.zip"])
def test_a_broken_sdist_is_an_error(filename: str, server: IndexServer, make: Make) -> None:
    path = sdist(server.directory, random.Random(1).randbytes(5000), filename)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"<html>", b"", b"\x1f\x8b\x08" + bytes(50)):
        path.write_bytes(broken)
        with pytest.raises(BadMetadata, match=r"its metadata is unusable: it "):
            make(builder=FakeBuilder()).metadata(served(server, path), "demo")


def test_a_link_is_no_pkg_info(server: IndexServer, make: Make) -> None:
    path = server.directory / "demo-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        link = tarfile.TarInfo("demo-1.0/PKG-INFO")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
    assert make(builder=FakeBuilder()).metadata(served(server, path), "demo") == READ


def test_threads_share_one_search(server: IndexServer, make: Make) -> None:
    file = served(server, wheel(server), core_metadata="")
    server.fault(SIDECAR, Fault(bytes_per_second=500))
    source = make()
    found: list[Metadata] = []
    threads = [threading.Thread(target=lambda: found.append(source.metadata(file, "demo"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [READ] * 8
    assert len(server.log) == 1


def test_credentials_are_not_shown(server: IndexServer, make: Make) -> None:
    file = served(server, wheel(server, filename="other-1.0-py3-none-any.whl"))
    with pytest.raises(BadMetadata) as caught:
        make().metadata(file._replace(url=file.url.replace("://", "://me:secret@")), "other")
    assert "secret" not in str(caught.value)
