from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.servers import Answer as ServerAnswer
from support.servers import IndexServer
from support.wheels import make_wheel, sha256_of

from wheelstore.resolve.facts import Facts
from wheelstore.resolve.fetch_errors import FetchFailed
from wheelstore.resolve.indexes import Indexes, IndexOptions, Strategy
from wheelstore.resolve.page_cache import PageReply
from wheelstore.resolve.transport import Transport, TransportOptions


@pytest.fixture
def facts(tmp_path: Path) -> Iterator[Facts]:
    with Facts(tmp_path / "resolve.sqlite3") as facts:
        yield facts


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(TransportOptions(retries=0)) as transport:
        yield transport


class Unreachable:
    """A source that must not be asked."""

    def get(self, url: str, *, accept: str, headers: Mapping[str, str]) -> PageReply:
        raise AssertionError(url)


def indexes(
    options: IndexOptions, transport: Transport | Unreachable, facts: Facts, *, offline: bool = False
) -> Indexes:
    return Indexes(options, pages=transport, facts=facts, now=lambda: 1000.0, offline=offline)


def names(found: Indexes, project: str = "demo") -> list[str]:
    return [file.filename for file in found.files(project)]


def write_index(root: Path, *wheels: Path) -> str:
    """Write an index of directories with an index.html each, whose links are relative; its URL."""
    for wheel in wheels:
        page = root / wheel.name.split("-")[0] / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a") as file:
            file.write(f'<a href="../../{wheel.parent.name}/{wheel.name}#sha256={sha256_of(wheel)}">x</a>')
    return root.as_uri()


@pytest.mark.parametrize("html_only", [False, True])
def test_an_index_over_http(tmp_path: Path, transport: Transport, facts: Facts, *, html_only: bool) -> None:
    wheel = make_wheel(tmp_path / "wheels", requires_python=">=3.8")
    with IndexServer(tmp_path / "wheels", html_only=html_only) as server:
        found = indexes(IndexOptions(index_urls=(server.index_url,)), transport, facts)
        (file,) = found.files("demo")
        assert (file.filename, file.sha256, file.requires_python) == (wheel.name, sha256_of(wheel), ">=3.8")
        assert file.url == server.file_url(wheel.name)
        assert found.files("absent") == ()
        assert found.sources == (server.index_url,)
        assert not found.is_local


def test_an_index_in_a_directory(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    wheel = make_wheel(tmp_path / "files")
    url = write_index(tmp_path / "simple", wheel)
    for index_url in (url, url + "/", str(tmp_path / "simple")):
        found = indexes(IndexOptions(index_urls=(index_url,)), transport, facts, offline=True)
        (file,) = found.files("demo")
        assert (file.url, file.sha256) == (wheel.as_uri(), sha256_of(wheel))
        assert found.files("absent") == ()
        assert found.is_local


def test_the_first_index_that_has_the_project_wins(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    old, new, only = (
        make_wheel(tmp_path / "a"),
        make_wheel(tmp_path / "b", version="2.0"),
        make_wheel(tmp_path / "b", "only"),
    )
    extra, default = write_index(tmp_path / "extra", old), write_index(tmp_path / "default", new, only)
    options = IndexOptions(index_urls=(extra, default))
    found = indexes(options, transport, facts)
    assert names(found) == [old.name]
    assert names(found, "only") == [only.name]
    both = IndexOptions(index_urls=(extra, default), strategy=Strategy.BEST_MATCH)
    assert names(indexes(both, transport, facts)) == [old.name, new.name]


def test_no_index_leaves_find_links(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    wheel = make_wheel(tmp_path / "wheels")
    url = write_index(tmp_path / "simple", make_wheel(tmp_path / "files", version="2.0"))
    options = IndexOptions(index_urls=(url,), find_links=(str(tmp_path / "wheels"),), no_index=True)
    found = indexes(options, transport, facts)
    assert names(found) == [wheel.name]
    assert found.sources == ((tmp_path / "wheels").as_uri(),)
    assert [answer.location for answer in found.search("demo", index=url)] == [(tmp_path / "wheels").as_uri()]


def test_find_links_add_to_the_index(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    near, far = make_wheel(tmp_path / "wheels"), make_wheel(tmp_path / "files", version="2.0")
    url = write_index(tmp_path / "simple", far)
    options = IndexOptions(index_urls=(url,), find_links=((tmp_path / "wheels").as_uri(), str(tmp_path / "missing")))
    found = indexes(options, transport, facts)
    assert names(found) == [near.name, far.name]
    assert [answer.is_index for answer in found.search("demo")] == [False, True]


def test_find_links_pages_over_http_and_on_disk(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    wheel = make_wheel(tmp_path / "wheels")
    body = f'<a href="wheels/{wheel.name}#sha256={sha256_of(wheel)}">x</a><a href="other-1.tar.gz">y</a>'
    (tmp_path / "links.html").write_text(body)
    with IndexServer(tmp_path / "wheels") as server:
        server.documents["/links"] = ServerAnswer(body=body.encode(), content_type="text/html")
        for location in (f"{server.url}/links", str(tmp_path / "links.html"), (tmp_path / "links.html").as_uri()):
            (file,) = indexes(IndexOptions(find_links=(location,)), transport, facts).files("demo")
            assert (file.filename, file.sha256) == (wheel.name, sha256_of(wheel))
        found = indexes(IndexOptions(find_links=(f"{server.url}/links",)), transport, facts)
        assert names(found, "other") == ["other-1.tar.gz"]
        assert names(found, "absent") == []
        assert len(server.requests_for("/links")) == 2


def test_pages_are_remembered_between_runs(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    make_wheel(tmp_path / "wheels")
    with IndexServer(tmp_path / "wheels", page_max_age=None) as server:
        options = IndexOptions(index_urls=(server.index_url,))
        for _ in range(2):
            assert names(indexes(options, transport, facts))
        assert [request.status for request in server.requests_for("demo")] == [200, 304]
        server.page_max_age = 600
        for _ in range(3):
            assert names(indexes(options, transport, facts))
        assert [request.status for request in server.requests_for("demo")] == [200, 304, 304]
        assert [answer.location for answer in indexes(options, Unreachable(), facts).remembered("demo")] == [
            server.index_url
        ]
        assert list(indexes(options, Unreachable(), facts).remembered("absent")) == []


def test_offline_passes_over_what_was_never_seen(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    wheel = make_wheel(tmp_path / "wheels")
    with IndexServer(tmp_path / "wheels") as server:
        options = IndexOptions(index_urls=(server.url + "/other/", server.index_url))
        assert names(indexes(IndexOptions(index_urls=(server.index_url,)), transport, facts)) == [wheel.name]
    assert names(indexes(options, Unreachable(), facts, offline=True)) == [wheel.name]
    assert names(indexes(options, Unreachable(), facts, offline=True), "absent") == []


def test_credentials_reach_the_index_and_nothing_else(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    make_wheel(tmp_path / "wheels")
    with IndexServer(tmp_path / "wheels", credentials=("me", "secret")) as server:
        url = server.index_url.replace("://", "://me:secret@")
        found = indexes(IndexOptions(index_urls=(url,)), transport, facts)
        (file,) = found.files("demo")
        assert "secret" not in f"{file.url} {found.sources} {list(found.search('demo'))}"
    facts.close()
    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_an_index_that_fails_is_not_passed_over(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    make_wheel(tmp_path / "wheels")
    with (
        IndexServer(tmp_path / "wheels", credentials=("me", "secret")) as server,
        pytest.raises(FetchFailed, match="401"),
    ):
        indexes(IndexOptions(index_urls=(server.index_url,)), transport, facts).files("demo")


def test_a_local_file_is_hashed_once_per_state(tmp_path: Path, facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(tmp_path / "wheels")
    options = IndexOptions(find_links=(str(tmp_path / "wheels"),))
    found = indexes(options, Unreachable(), facts)
    (file,) = found.files("demo")
    assert file.sha256 is None
    assert found.hashed(file).sha256 == sha256_of(wheel)
    with monkeypatch.context() as patch:
        patch.setattr("wheelstore.resolve.indexes.hash_file", None)
        assert found.hashed(file).sha256 == sha256_of(wheel)
    wheel.write_bytes(b"changed")
    assert found.hashed(file).sha256 == sha256_of(wheel)
    wheel.unlink()
    assert found.hashed(file) is file
    elsewhere = file._replace(url="https://host/x.whl")
    assert found.hashed(elsewhere) is elsewhere


def test_doubt_asks_again_for_what_was_only_remembered(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    make_wheel(tmp_path / "wheels")
    with IndexServer(tmp_path / "wheels") as server:
        options = IndexOptions(index_urls=(server.index_url,))
        names(indexes(options, transport, facts))
        later = make_wheel(tmp_path / "wheels", version="2.0")
        found = indexes(options, transport, facts)
        assert later.name not in names(found)
        assert found.doubt("demo")
        assert later.name in names(found)
        assert not found.doubt("demo")
        assert len(server.requests_for("/simple/demo/")) == 2


def test_a_file_that_moved_is_found_and_remembered(tmp_path: Path, transport: Transport, facts: Facts) -> None:
    sha256 = sha256_of(make_wheel(tmp_path / "wheels"))
    with IndexServer(tmp_path / "wheels") as server:
        options = IndexOptions(index_urls=(server.index_url,))
        names(indexes(options, transport, facts))
        server.pages.files_url = "../../moved/"
        url = indexes(options, transport, facts).moved("demo", sha256)
        assert url == f"{server.url}/moved/demo-1.0-py3-none-any.whl"
        assert facts.files([sha256])[sha256].file.url == url
        asked = indexes(options, transport, facts)
        asked.doubt("demo")
        names(asked)
        assert asked.moved("demo", sha256) is None
        assert indexes(options, transport, facts).moved("demo", "0" * 64) is None


def test_offline_nothing_is_doubted(tmp_path: Path, facts: Facts) -> None:
    options = IndexOptions(index_urls=("https://host/simple/",))
    assert not indexes(options, Unreachable(), facts, offline=True).doubt("demo")
