from __future__ import annotations

from urllib.parse import urljoin

import pytest

from wheelstore.resolve.links import Links, filename_of, without_credentials

BASE = "https://user:secret@host:8443/simple/six/"


@pytest.mark.parametrize(
    "link",
    [
        "../../files/six-1.0.whl",
        "six-1.0.whl",
        "/files/six-1.0.whl#sha256=a/b",
        "//other/files/six-1.0.whl",
        "./six-1.0.whl?a=/b/c",
        "https://other/six-1.0.whl",
        "a/..",
        "",
    ],
)
def test_links_resolve_as_urls_do(link: str) -> None:
    links = Links(BASE)
    expected = urljoin("https://host:8443/simple/six/", link)
    assert links.resolve(link) == expected
    assert links.resolve(link) == expected  # the second of a directory is answered from memory


def test_no_link_carries_the_pages_credentials() -> None:
    assert "secret" not in Links(BASE).resolve("../six-1.0.whl")
    assert Links(BASE).resolve("https://me:pw@other/a.whl") == "https://other/a.whl"


def test_file_links_resolve() -> None:
    assert Links("file:///a/simple/six/").resolve("../../files/x.whl") == "file:///a/files/x.whl"


@pytest.mark.parametrize(
    ("url", "filename"),
    [
        ("https://host/a/six-1.0+cpu.whl?x=/y#sha256=/z", "six-1.0+cpu.whl"),
        ("https://host/a/six-1.0%2Bcpu.whl", "six-1.0+cpu.whl"),
        ("https://host/a/", ""),
    ],
)
def test_filenames_are_read_off_urls(url: str, filename: str) -> None:
    assert filename_of(url) == filename


def test_credentials_are_taken_out() -> None:
    assert without_credentials("https://u:p@host/a@b") == "https://host/a@b"
    assert without_credentials("https://host/a@b") == "https://host/a@b"
