from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.resolve.pages import Page
from wheelstore.resolve.raw_pages import RawPage, digest_raw, is_raw, pack_raw
from wheelstore.resolve.simple import BadPage

URL = "https://index.example/simple/demo/"

versions = st.sampled_from(["1.0", "1.0.0", "1.0+cpu", "2.0rc1", "2.0.post1", "nonsense"])


def entry_of(version: str, tag: str, digest: str) -> dict[str, Any]:
    return {
        "filename": f"demo-{version}-{tag}.whl" if tag else f"demo-{version}.tar.gz",
        "url": f"../../files/{digest}/demo",
        "hashes": {"sha256": digest},
        "requires-python": ">=3.8",
    }


def digest_in(entry: dict[str, Any]) -> str:
    return str(entry["hashes"]["sha256"])


entries = st.lists(
    st.builds(
        entry_of,
        versions,
        st.sampled_from(["", "py3-none-any", "cp312-cp312-win_amd64"]),
        st.sampled_from([letter * 64 for letter in "0123456789abcdef"]),
    ),
    unique_by=digest_in,
)


def body_of(listed: Any) -> bytes:
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": listed}).encode()


@given(entries)
def test_a_page_says_the_same_raw_and_digested(listed: list[dict[str, Any]]) -> None:
    body = body_of(listed)
    raw = RawPage.parse(body, url=URL, project="demo")
    packed = pack_raw(body, url=URL, project="demo")
    assert is_raw(packed)
    digested = Page(digest_raw(packed))
    assert raw.keys == digested.keys
    assert sorted(raw.files()) == sorted(digested.files())
    for key in raw.keys:
        assert raw.group(key) == digested.group(key)


@given(entries, st.integers(0, 15))
def test_hashes_name_files_without_a_look_at_the_others(listed: list[dict[str, Any]], number: int) -> None:
    wanted = "0123456789abcdef"[number] * 64
    found = RawPage.parse(body_of(listed), url=URL, project="demo").candidates("1", [f"sha256:{wanted}"])
    page = RawPage.parse(body_of(listed), url=URL, project="demo")
    named = [file.filename for file in page.group("1") if file.sha256 == wanted]
    if named:
        assert [file.filename for file in found] == named
        assert found[0].url == f"https://index.example/files/{wanted}/demo"
    else:
        assert found == RawPage.parse(body_of(listed), url=URL, project="demo").group("1")


def test_hashes_of_another_kind_are_looked_for_in_the_whole_version() -> None:
    entry = {"filename": "demo-1.0.tar.gz", "url": "a", "hashes": {"sha512": "a" * 128}}
    page = RawPage.parse(body_of([entry]), url=URL, project="demo")
    assert [file.filename for file in page.candidates("1", ["sha512:" + "a" * 128])] == ["demo-1.0.tar.gz"]


@pytest.mark.parametrize(
    "listed", [[{"filename": "demo-1.0.tar.gz"}], [{"filename": "demo-1.tar.gz", "url": 3, "hashes": {}}], [3], "x"]
)
def test_what_is_no_page_is_refused_at_once(listed: object) -> None:
    with pytest.raises(BadPage, match="PEP 691"):
        RawPage.parse(body_of(listed), url=URL, project="demo")


def test_a_damaged_memory_is_no_page() -> None:
    with pytest.raises(ValueError):
        digest_raw(b"raw-1 demo https://index.example/\nnot compressed")
