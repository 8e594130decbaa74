from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.resolve.pages import Page, digest_by_project, digest_by_version
from wheelstore.resolve.simple import IndexFile

A = "sha256:" + "a" * 64


def wheel(version: str, url: str | None = None, **more: Any) -> IndexFile:
    filename = f"demo-{version}-py3-none-any.whl"
    return IndexFile(filename, url or f"https://host/files/ab/{filename}", **more)


def test_a_page_is_grouped_by_public_version() -> None:
    files = (
        wheel("1.0"),
        wheel("1.0.0+cpu"),
        wheel("2.0rc1"),
        IndexFile("demo-1.tar.gz", "https://host/demo-1.tar.gz"),
    )
    page = Page(digest_by_version(files, "demo"))
    assert page.keys == ("1", "2rc1")
    assert page.group("1") == (files[0], files[1], files[3])
    assert page.group("3") == ()


def test_other_projects_and_invalid_versions_are_left_out() -> None:
    other = IndexFile("other-1.0-py3-none-any.whl", "https://host/other-1.0-py3-none-any.whl")
    page = Page(digest_by_version((other, wheel("not_a_version")), "demo"))
    assert page.files() == ()


def test_a_page_of_links_is_grouped_by_project() -> None:
    files = (wheel("1"), IndexFile("foo-2-bar-1.0.tar.gz", "https://host/x/foo-2-bar-1.0.tar.gz"))
    page = Page(digest_by_project(files))
    assert page.group("demo") == files[:1]
    assert page.group("foo") == page.group("foo-2-bar") == files[1:]


def test_a_digest_of_another_format_is_refused() -> None:
    blob = digest_by_version((wheel("1"),), "demo")
    for broken in (b"", b"[0" + blob[2:], blob.partition(b"\n")[0]):
        with pytest.raises(ValueError, match="format"):
            Page(broken)


def test_a_digest_repeats_neither_directories_nor_names() -> None:
    files = [wheel(str(number), hashes=(A,)) for number in range(20)]
    blob = digest_by_version(files, "demo")
    assert blob.count(b"host/files/ab/") == 1
    assert blob.count(b"demo-7-") == 1
    assert b"sha256" not in blob


texts = st.none() | st.text(st.characters(codec="utf-8"), max_size=5)
urls = st.sampled_from(
    [
        "https://host/files/{}",
        "https://host/files/ab/cd/{}",
        "https://other/{}",
        "file:///a/{}",
        "{}",
        "https://host/download/123/",
        "https://host/x{}",
        "https://host/files/{}?token=1",
    ]
)
files = st.builds(
    lambda version, url, file: file._replace(
        filename=f"demo-{version}-py3-none-any.whl", url=url.format(f"demo-{version}-py3-none-any.whl")
    ),
    st.sampled_from(["1", "1.0", "2.0+l", "3rc1"]),
    urls,
    st.builds(
        IndexFile,
        st.just(""),
        st.just(""),
        hashes=st.sampled_from([(), (A,), (A, "sha512:" + "b" * 128)]),
        size=st.none() | st.integers(0, 2**40),
        requires_python=texts,
        yanked=texts,
        upload_time=texts,
        core_metadata=texts,
    ),
)


@given(st.lists(files, max_size=6))
def test_a_digest_keeps_everything(pages_files: list[IndexFile]) -> None:
    kept = Page(digest_by_version(pages_files, "demo")).files()
    assert sorted(map(repr, kept)) == sorted(map(repr, pages_files))
