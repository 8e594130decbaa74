from __future__ import annotations

import json
from typing import Any

import pytest

from wheelstore.resolve.simple import BadPage, IndexFile, parse_page

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"
URL = "https://host/simple/demo/"
A, B = "a" * 64, "b" * 64


def file(filename: str = "demo-1.0-py3-none-any.whl", /, **more: Any) -> dict[str, Any]:
    return {"filename": filename, "url": f"../../files/{filename}", "hashes": {"sha256": A}} | more


def read_json(*files: dict[str, Any], **page: Any) -> tuple[IndexFile, ...]:
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": files} | page).encode()
    return parse_page(body, content_type=JSON, url=URL)


def read_html(*anchors: str, head: str = "") -> tuple[IndexFile, ...]:
    body = f"<!DOCTYPE html><html><head>{head}</head><body>{'<br/>'.join(anchors)}</body></html>"
    return parse_page(body.encode(), content_type=HTML, url=URL)


def anchor(filename: str = "demo-1.0-py3-none-any.whl", fragment: str = f"#sha256={A}", attributes: str = "") -> str:
    return f'<a href="../../files/{filename}{fragment}" {attributes}>{filename}</a>'


def test_json_and_html_say_the_same() -> None:
    (from_json,) = read_json(
        file(
            yanked="broken",
            **{"requires-python": ">=3.8", "core-metadata": {"sha256": B}},
        )
    )
    (from_html,) = read_html(
        anchor(attributes=f'data-requires-python="&gt;=3.8" data-yanked="broken" data-core-metadata="sha256={B}"')
    )
    assert from_json == from_html
    assert from_json == IndexFile(
        filename="demo-1.0-py3-none-any.whl",
        url="https://host/files/demo-1.0-py3-none-any.whl",
        hashes=(f"sha256:{A}",),
        requires_python=">=3.8",
        yanked="broken",
        core_metadata=f"sha256:{B}",
    )
    assert from_json.sha256 == A


def test_json_tells_size_and_time() -> None:
    (found,) = read_json(file(size=7, **{"upload-time": "2024-01-01T00:00:00Z"}))
    assert (found.size, found.upload_time) == (7, "2024-01-01T00:00:00Z")


@pytest.mark.parametrize(("said", "yanked"), [(False, None), (None, None), (True, ""), ("", ""), ("why", "why")])
def test_yanked_in_json(said: object, yanked: str | None) -> None:
    (found,) = read_json(file(yanked=said))
    assert found.yanked == yanked


@pytest.mark.parametrize(
    ("attribute", "yanked"), [("", None), ("data-yanked", ""), ('data-yanked=""', ""), ('data-yanked="why"', "why")]
)
def test_yanked_in_html(attribute: str, yanked: str | None) -> None:
    (found,) = read_html(anchor(attributes=attribute))
    assert found.yanked == yanked


@pytest.mark.parametrize(
    ("entry", "metadata"),
    [
        ({}, None),
        ({"core-metadata": False}, None),
        ({"core-metadata": True}, ""),
        ({"dist-info-metadata": {"sha256": B}}, f"sha256:{B}"),
        ({"core-metadata": False, "dist-info-metadata": True}, None),
        ({"core-metadata": {"md5": "1"}}, ""),
    ],
)
def test_metadata_sidecars_in_json(entry: dict[str, Any], metadata: str | None) -> None:
    (found,) = read_json(file(**entry))
    assert found.core_metadata == metadata


@pytest.mark.parametrize(
    ("attributes", "metadata"),
    [
        ("", None),
        ('data-core-metadata="true"', ""),
        ('data-core-metadata="false"', None),
        (f'data-dist-info-metadata="sha256={B}"', f"sha256:{B}"),
    ],
)
def test_metadata_sidecars_in_html(attributes: str, metadata: str | None) -> None:
    (found,) = read_html(anchor(attributes=attributes))
    assert found.core_metadata == metadata


def test_only_hashes_that_prove_something_are_kept() -> None:
    (found,) = read_json(file(hashes={"md5": "0" * 32, "sha512": "C" * 128, "sha256": "short"}))
    assert found.hashes == (f"sha512:{'c' * 128}",)
    assert found.sha256 is None
    (found,) = read_html(anchor(fragment=f"#md5={'0' * 32}"))
    assert found.hashes == ()
    (found,) = read_html(anchor(fragment=f"#egg=demo&sha256={A}"))
    assert found.hashes == (f"sha256:{A}",)


def test_links_of_an_html_page_begin_at_its_base() -> None:
    (found,) = read_html('<a href="demo-1.0.tar.gz">x</a>', head='<base href="/mirror/">')
    assert found.url == "https://host/mirror/demo-1.0.tar.gz"
    (found,) = read_html('<a href="demo-1.0.tar.gz">x</a>', head='<base href="https://other/m/">')
    assert found.url == "https://other/m/demo-1.0.tar.gz"


def test_a_filename_is_read_off_the_link_not_its_text() -> None:
    (found,) = read_html('<a href=" ../demo-1.0%2Bcpu-py3-none-any.whl#x ">some text</a>')
    assert found.filename == "demo-1.0+cpu-py3-none-any.whl"
    assert found.url == "https://host/simple/demo-1.0%2Bcpu-py3-none-any.whl"


def test_what_is_no_distribution_is_left_out() -> None:
    assert read_html('<a href="..">up</a>', "<a>no link</a>", anchor("demo-1.0.exe"), anchor("demo-1.0.egg")) == ()
    assert read_json(file("demo-1.0.exe"), file("demo-1.0.tar.gz.asc")) == ()


def test_absolute_json_urls_stay_as_they_are_without_credentials() -> None:
    (found,) = read_json(file(url="https://u:p@files/demo-1.0-py3-none-any.whl"))
    assert found.url == "https://files/demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize("kind", ["", "application/octet-stream", "text/plain"])
def test_without_a_telling_type_the_page_itself_tells(kind: str) -> None:
    as_json = json.dumps({"meta": {"api-version": "1.0"}, "files": [file()]}).encode()
    as_html = b"\xef\xbb\xbf\n " + anchor().encode()
    for body in (as_json, as_html):
        (found,) = parse_page(body, content_type=kind, url=URL)
        assert found.sha256 == A


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"hello", "text/plain", "it is text/plain"),
        (b"", "", "neither JSON nor HTML"),
        (b'{"meta": ', JSON, "broken JSON"),
        (b"[]", JSON, "not the JSON of PEP 691"),
        (b'{"meta": {"api-version": "1.0"}}', JSON, "not the JSON of PEP 691"),
        (b'{"meta": {"api-version": "1.0"}, "files": [{"filename": "a-1.zip", "url": 1}]}', JSON, "not the JSON"),
        (
            b'{"meta": {"api-version": "1.0"}, "files": [{"filename": "a-1.zip", "url": "x", "hashes": [1]}]}',
            JSON,
            "not",
        ),
        (b'{"meta": {"api-version": "1.0"}, "files": ["x"]}', JSON, "not the JSON of PEP 691"),
        (b'{"meta": {"api-version": "2.0"}, "files": []}', JSON, "version 2.0"),
        (b'<meta name="pypi:repository-version" content="2.0">', HTML, "version 2.0"),
    ],
)
def test_a_page_that_cannot_be_used_is_refused_in_one_line(body: bytes, kind: str, reason: str) -> None:
    with pytest.raises(BadPage, match=reason) as caught:
        parse_page(body, content_type=kind, url="https://u:secret@host/simple/demo/")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_page_is_a_page() -> None:
    assert read_html() == read_json() == ()
