from __future__ import annotations

import pytest

from wheelstore.resolve.metadata import (
    BadMetadata,
    check_identity,
    pack_metadata,
    parse_metadata,
    static_sdist_metadata,
    unpack_metadata,
)
from wheelstore.resolve.problem import Metadata

PLAIN = b"""Metadata-Version: 2.1
Name: Demo.Pkg
Version: 1.0
Requires-Python: >=3.8
Provides-Extra: all
Requires-Dist: one>=1
Requires-Dist: two; extra == 'all'
Summary: Requires-Dist: not this

Requires-Dist: nor this
"""
READ = Metadata("Demo.Pkg", "1.0", ("one>=1", "two; extra == 'all'"), ">=3.8", ("all",))


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.upper()
        .replace(b"DEMO.PKG", b"Demo.Pkg")
        .replace(b"ONE>=1", b"one>=1")
        .replace(b": ALL", b": all")
        .replace(b"TWO; EXTRA == 'ALL'", b"two; extra == 'all'"),
        PLAIN.replace(b"two; ", b"two;\n      "),
        PLAIN.replace(b"Summary", b"Description: one\n        two\n        \n        three\nSummary"),
        PLAIN.replace(b"Name", b"Author: J\xf6rg\nName"),
        PLAIN.partition(b"Summary")[0].rstrip(),
        PLAIN.replace(b"Summary", b"this is no field\nRequires-Dist: three\nSummary"),
    ],
    ids=["plain", "crlf", "bom", "case", "folded", "old description", "latin-1", "header only", "stray line"],
)
def test_the_header_is_read_as_email_parsers_do(data: bytes) -> None:
    assert parse_metadata(data) == READ


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it has no Name"),
        (b"<!DOCTYPE html>\n<html>\nName: demo\nVersion: 1\n", "it has no Name"),
        (b"Name: demo\n\nVersion: 1\n", "it has no Version"),
        (b"Name: demo\nVersion:\n", "it has no Version"),
        (b"Name: demo\nVersion: one\n", "its version 'one' is none (PEP 440)"),
        (b"Metadata-Version: 3.0\nName: demo\nVersion: 1\n", "it is of version 3.0; this program reads 2.x"),
    ],
)
def test_what_is_no_metadata_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadMetadata) as caught:
        parse_metadata(data)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("version", "dynamic", "is_static"),
    [
        ("2.1", "", False),
        ("2.2", "", True),
        ("2.10", "", True),
        ("2.4", "Dynamic: License\n", True),
        ("2.2", "Dynamic: requires-dist\n", False),
        ("2.2", "Dynamic: Summary\nDynamic: Requires-Python\n", False),
        ("2.2", "Dynamic: Provides-Extra\n", False),
        ("", "", False),
    ],
)
def test_an_sdists_pkg_info_counts_if_it_is_static(version: str, dynamic: str, *, is_static: bool) -> None:
    data = f"Metadata-Version: {version}\n{dynamic}".encode() + PLAIN.partition(b"\n")[2]
    assert static_sdist_metadata(data) == (READ if is_static else None)


def test_metadata_must_be_of_the_file() -> None:
    where = "https://me:secret@host/demo_pkg-1.0.tar.gz"
    for filename in ("demo_pkg-1.tar.gz", "demo_pkg-1.0.0-py3-none-any.whl", "archive.zip"):
        assert check_identity(READ, filename=filename, name="demo-pkg", where=where) is READ
    with pytest.raises(BadMetadata) as caught:
        check_identity(READ, filename="other-1.0.zip", name="other", where=where)
    text = "https://****@host/demo_pkg-1.0.tar.gz: its metadata is unusable: it is of Demo.Pkg, not of other"
    assert str(caught.value) == text
    with pytest.raises(BadMetadata, match=r"it is of version 1\.0, not 2\.0$"):
        check_identity(READ, filename="demo_pkg-2.0.zip", name="demo-pkg", where=where)


def test_packed_metadata_is_the_same_again() -> None:
    for metadata in (READ, Metadata("demo", "1")):
        assert unpack_metadata(pack_metadata(metadata)) == metadata
    for damaged in (b"", b"[1, 2]", b"{}", b"[1, 2, 3, 4, 5]", b"\xff"):
        with pytest.raises(ValueError):
            unpack_metadata(damaged)
