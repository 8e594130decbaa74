"""Crowds of pages over one HTTP/2 connection, and one page at a time without it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.certificates import server_context, write_bundle
from support.http2_servers import Http2Server
from support.loopback import LoopbackServer
from support.proxies import ProxyServer
from support.servers import Answer, IndexServer

from wheelstore.resolve.addresses import Login
from wheelstore.resolve.fetch_errors import Trouble
from wheelstore.resolve.http2 import Http2
from wheelstore.resolve.proxies import Proxy
from wheelstore.resolve.tls import Trust
from wheelstore.resolve.transport import CROWD, Transport, TransportOptions


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "ca.pem")


@pytest.fixture
def wire(bundle: Path) -> Iterator[Http2]:
    wire = Http2(trust=Trust(cert=bundle, client_cert=None, trusted_hosts=()), timeout=2.0)
    yield wire
    wire.close()


def fetch(wire: Http2, url: str, proxy: Proxy | None = None) -> tuple[int, bytes, bytes]:
    response = wire.open(url, {"Accept": "*/*"}, proxy)
    body = b""
    while piece := response.read(1000):
        body += piece
    response.close()
    return response.status, body, response.version


def test_requests_share_one_connection(wire: Http2) -> None:
    documents = {f"/{number}": b"%d" % number for number in range(20)}
    with Http2Server(documents, tls=server_context(), hold=20) as server, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda path: fetch(wire, server.url + path), documents))
        assert answers == [(200, body, b"HTTP/2") for body in documents.values()]
        assert [len(each.paths) for each in server.conversations] == [20]
        wire.close()


def test_absence_and_headers_come_through(wire: Http2) -> None:
    with Http2Server({}, tls=server_context()) as server:
        response = wire.open(server.url + "/absent", {}, None)
        assert (response.status, response.headers["content-type"]) == (404, "text/plain")
        assert response.read(1) == b""
        response.close()
        wire.close()


def test_a_server_without_http_2_is_spoken_to_in_http_1(wire: Http2, tmp_path: Path) -> None:
    with IndexServer(tmp_path, tls=server_context()) as server:
        server.documents["/"] = Answer(body=b"old")
        assert fetch(wire, server.url) == (200, b"old", b"HTTP/1.1")
        wire.close()


def test_http_2_goes_through_a_proxy_with_its_login(wire: Http2) -> None:
    with (
        Http2Server({"/": b"far"}, tls=server_context("index.example.test")) as server,
        ProxyServer(routes={"index.example.test": server.port}, credentials=("mé", "s3cret")) as proxy,
    ):
        near = Proxy("127.0.0.1", proxy.port, Login("mé", "s3cret"))
        url = f"https://index.example.test:{server.port}/"
        assert fetch(wire, url, near) == (200, b"far", b"HTTP/2")
        with pytest.raises(Trouble, match="the proxy refused: 407") as caught:
            fetch(wire, url, Proxy("127.0.0.1", proxy.port, None))
        assert "user:password" in (caught.value.hint or "")
        wire.close()


def test_failures_are_explained_as_over_http_1(wire: Http2, tmp_path: Path) -> None:
    with LoopbackServer() as gone:
        url = gone.url.replace("http:", "https:")
    with pytest.raises(Trouble, match="refused") as caught:
        fetch(wire, url)
    assert caught.value.transient
    strict = Http2(trust=Trust(cert=None, client_cert=None, trusted_hosts=()), timeout=2.0)
    with IndexServer(tmp_path, tls=server_context()) as server, pytest.raises(Trouble, match="TLS verification failed"):
        fetch(strict, server.url)
    strict.close()


def test_silence_is_a_timeout(bundle: Path) -> None:
    wire = Http2(trust=Trust(cert=bundle, client_cert=None, trusted_hosts=()), timeout=0.2)
    with Http2Server({}, tls=server_context(), hold=2) as server:
        with pytest.raises(Trouble, match=r"no answer within 0\.2 s"):
            fetch(wire, server.url)
        wire.close()


def test_only_a_crowd_of_pages_takes_http_2(bundle: Path) -> None:
    """The server answers nobody before all have come, so the first few, still alone, are underway too."""
    documents = {f"/{number}": b"%d" % number for number in range(30)}
    with (
        Http2Server(documents, tls=server_context(), hold=30) as server,
        Transport(TransportOptions(cert=bundle, retries=0)) as transport,
        ThreadPoolExecutor(30) as pool,
    ):
        bodies = list(pool.map(lambda path: transport.get(server.url + path).body, documents))
        assert bodies == list(documents.values())
        served = sorted((each.protocol, len(each.paths)) for each in server.conversations)
        assert served == sorted([("h2", 30 - (CROWD - 1)), *[("http/1.1", 1)] * (CROWD - 1)])


def test_a_retry_does_not_take_http_2(bundle: Path) -> None:
    """Some middleboxes break HTTP/2: what failed over it gets another chance without."""
    documents = {f"/{number}": b"%d" % number for number in range(10)}
    with (
        Http2Server(documents, tls=server_context(), hold=10) as server,
        Transport(TransportOptions(cert=bundle), sleep=lambda _: None) as transport,
        ThreadPoolExecutor(10) as pool,
    ):
        server.breaks_http2 = True
        bodies = list(pool.map(lambda path: transport.get(server.url + path).body, documents))
        assert bodies == list(documents.values())


def test_one_page_after_the_other_is_no_crowd(bundle: Path) -> None:
    with (
        Http2Server({"/": b"x"}, tls=server_context()) as server,
        Transport(TransportOptions(cert=bundle)) as transport,
    ):
        for _ in range(2 * CROWD):
            transport.get(server.url + "/")
        assert [each.protocol for each in server.conversations] == ["http/1.1"]


def test_a_crowd_at_a_trusted_host_is_served_without_http_2() -> None:
    with (
        Http2Server({"/": b"x"}, tls=server_context(), hold=10) as server,
        Transport(TransportOptions(trusted_hosts=["127.0.0.1"])) as transport,
        ThreadPoolExecutor(10) as pool,
    ):
        assert list(pool.map(lambda _: transport.get(server.url + "/").body, range(10))) == [b"x"] * 10
        assert {each.protocol for each in server.conversations} == {"http/1.1"}
