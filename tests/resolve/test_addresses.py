import os
from urllib.parse import urlsplit

import pytest

from wheelstore.resolve.addresses import Login, Origin, file_url_path, origin_of, redact, request_target, split_login


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://Index.Example/simple/", Origin("http", "index.example", 80)),
        ("HTTPS://u:p@index.example/", Origin("https", "index.example", 443)),
        ("https://index.example:8443/x", Origin("https", "index.example", 8443)),
        ("http://[::1]:8080/x", Origin("http", "::1", 8080)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: Origin) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("url", "bare", "login"),
    [
        ("https://h/x", "https://h/x", None),
        ("https://me:s%40crt@h:8/x?y#z", "https://h:8/x?y#z", Login("me", "s@crt")),
        ("https://token@h/x", "https://h/x", Login("token", "")),
        ("https://@h/x", "https://h/x", None),
        ("file:///a@b", "file:///a@b", None),
    ],
)
def test_a_login_is_taken_out_of_a_url(url: str, bare: str, login: Login | None) -> None:
    assert split_login(url) == (bare, login)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/x", "https://h/x"),
        ("https://me:secret@h:8/x", "https://****@h:8/x"),
        ("https://secret@h/x#sha256=0", "https://****@h/x"),
        ("https://h/x?signature=secret", "https://h/x?..."),
        ("http://me:secret@[::1", "(an invalid URL)"),
        ("http://h/a\nb", "http://h/ab"),
    ],
)
def test_a_shown_url_keeps_secrets_and_is_one_line(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_a_login_does_not_show_itself() -> None:
    assert "secret" not in f"{Login('me', 'secret')!r}"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h", "/"),
        ("http://h/a%20b/c+d", "/a%20b/c+d"),
        ("http://h/a b/ü?q=ä b", "/a%20b/%C3%BC?q=%C3%A4%20b"),
    ],
)
def test_a_request_target_is_what_http_allows(url: str, target: str) -> None:
    assert request_target(urlsplit(url)) == target


@pytest.mark.skipif(os.name == "nt", reason="paths have drives there")
def test_a_file_url_is_a_path() -> None:
    assert file_url_path("file:///a/b%20c") == "/a/b c"
    assert file_url_path("file://localhost/a") == "/a"
    assert file_url_path("file:///caf%E9/%C3%A9") == "/caf\udce9/é"
    with pytest.raises(ValueError, match="another machine"):
        file_url_path("file://elsewhere/a")
