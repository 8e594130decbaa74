from collections.abc import Iterator
from pathlib import Path

import pytest
from support.certificates import server_context, write_bundle
from support.proxies import ProxyServer
from support.servers import Answer, IndexServer

from wheelstore.resolve.addresses import Login, Origin, origin_of
from wheelstore.resolve.credentials import basic
from wheelstore.resolve.fetch_errors import Trouble
from wheelstore.resolve.proxies import Proxy, bypasses, choose_proxy
from wheelstore.resolve.transport import FetchFailed, Transport, TransportOptions

HTTPS = origin_of("https://index.example/")
ENVIRONMENT = {"http": "http://plain:3128", "https": "http://me:secret@secure:8080", "no": "localhost,.corp.example"}


def test_the_environment_chooses_by_scheme() -> None:
    assert choose_proxy(origin_of("http://h/"), proxy=None, proxies=ENVIRONMENT) == Proxy("plain", 3128, None)
    assert choose_proxy(HTTPS, proxy=None, proxies=ENVIRONMENT) == Proxy("secure", 8080, Login("me", "secret"))
    assert choose_proxy(HTTPS, proxy=None, proxies={"all": "any:1"}) == Proxy("any", 1, None)
    assert choose_proxy(HTTPS, proxy=None, proxies={}) is None


def test_what_no_proxy_names_is_reached_directly() -> None:
    assert choose_proxy(origin_of("http://localhost/"), proxy=None, proxies=ENVIRONMENT) is None


def test_an_explicit_proxy_serves_everything() -> None:
    for url in ("http://localhost/", "https://index.example/"):
        assert choose_proxy(origin_of(url), proxy="http://p:1", proxies=ENVIRONMENT) == Proxy("p", 1, None)


@pytest.mark.parametrize("url", ["socks5://p:1", "https://p:1", "http://"])
def test_other_kinds_of_proxies_are_refused_with_a_hint(url: str) -> None:
    with pytest.raises(Trouble) as caught:
        choose_proxy(HTTPS, proxy=url, proxies={})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "direct"),
    [
        ("a.corp.example", 443, ".corp.example", True),
        ("a.corp.example", 443, "corp.example", True),
        ("corp.example", 443, ".corp.example", True),
        ("notcorp.example", 443, "corp.example", False),
        ("x", 443, "*", True),
        ("x", 443, "x:443", True),
        ("x", 80, "x:443", False),
        ("10.1.2.3", 80, "10.0.0.0/8", True),
        ("11.1.2.3", 80, "10.0.0.0/8", False),
        ("name", 80, "10.0.0.0/8", False),
        ("b", 80, " a , B ", True),
        ("x", 80, "", False),
    ],
)
def test_no_proxy_names_hosts_domains_ports_and_networks(host: str, port: int, no_proxy: str, direct: bool) -> None:
    assert bypasses(Origin("http", host, port), no_proxy) is direct


@pytest.fixture
def index(tmp_path: Path) -> Iterator[IndexServer]:
    with IndexServer(tmp_path) as server:
        server.documents["/a b"] = Answer(body=b"far")
        yield server


def test_plain_requests_go_through_the_proxy_with_its_login_and_no_other(index: IndexServer) -> None:
    with ProxyServer(routes={"index.example.test": index.port}, credentials=("me", "s3cret")) as proxy:
        options = TransportOptions(
            proxies={"http": f"http://me:s3cret@127.0.0.1:{proxy.port}"},
            logins=["http://you:known@index.example.test/"],
        )
        with Transport(options) as transport:
            assert transport.get("http://index.example.test/a b").body == b"far"
        assert [request.target for request in proxy.log] == ["http://index.example.test:80/a%20b"]
        assert index.log[0].headers["host"] == "index.example.test:80"
        assert index.log[0].headers["authorization"] == basic(Login("you", "known"))
        assert "proxy-authorization" not in index.log[0].headers


def test_tls_goes_through_a_tunnel_that_sees_only_its_own_login(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "ca.pem")
    with (
        IndexServer(tmp_path, tls=server_context("index.example.test")) as index,
        ProxyServer(routes={"index.example.test": index.port}, credentials=("you", "known")) as proxy,
    ):
        index.documents["/"] = Answer(body=b"far")
        options = TransportOptions(
            proxy=f"http://you:known@127.0.0.1:{proxy.port}",
            cert=bundle,
            logins=["https://me:s3cret@index.example.test/"],
        )
        with Transport(options) as transport:
            assert [transport.get("https://index.example.test/").body for _ in range(2)] == [b"far"] * 2
        assert [(request.method, request.target, request.authorization) for request in proxy.log] == [
            ("CONNECT", "index.example.test:443", basic(Login("you", "known")))
        ]
        assert index.log[0].headers["authorization"] == basic(Login("me", "s3cret"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_says_so(index: IndexServer, scheme: str) -> None:
    with (
        ProxyServer(credentials=("me", "s3cret")) as proxy,
        Transport(TransportOptions(proxy=f"http://me:wrong@127.0.0.1:{proxy.port}")) as transport,
        pytest.raises(FetchFailed, match="407") as caught,
    ):
        transport.get(f"{scheme}://index.example.test/")
    assert "user:password" in (caught.value.hint or "")
    assert "wrong" not in str(caught.value)
    assert len(proxy.log) == 1
