import pytest

from wheelstore.resolve.addresses import Login, Origin, origin_of
from wheelstore.resolve.fetch_errors import Trouble
from wheelstore.resolve.proxies import Proxy, bypasses, choose_proxy

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
