from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from wheelstore.resolve.find_links import as_url, hash_file, local_path, scan_directory, stamp_of


def test_a_directory_is_listed_by_name(tmp_path: Path) -> None:
    for name in ("b-1-py3-none-any.whl", "a-1+cpu-py3-none-any.whl", "a-1.tar.gz", "README", "a-1.whl", "b-2.zip"):
        (tmp_path / name).write_bytes(b"xy")
    (tmp_path / "c-1-py3-none-any.whl").mkdir()
    found = scan_directory(str(tmp_path))
    assert [file.filename for file in found] == [
        "a-1+cpu-py3-none-any.whl",
        "a-1.tar.gz",
        "b-1-py3-none-any.whl",
        "b-2.zip",
    ]
    assert found[0].url == (tmp_path / "a-1+cpu-py3-none-any.whl").as_uri()
    assert (found[0].size, found[0].hashes) == (2, ())


def test_a_missing_directory_and_a_file_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert scan_directory(str(tmp_path / "missing")) == scan_directory(str(tmp_path / "file")) == []


def test_locations_are_paths_or_urls(tmp_path: Path) -> None:
    assert as_url("https://host/x") == "https://host/x"
    assert as_url("file:///a%20b") == "file:///a%20b"
    assert as_url(str(tmp_path / "a b")) == (tmp_path / "a b").as_uri()
    with pytest.raises(ValueError, match="relative"):
        as_url("wheels")


def test_only_local_locations_have_a_path(tmp_path: Path) -> None:
    assert local_path("https://host/x") is None
    assert local_path((tmp_path / "a b").as_uri()) == str(tmp_path / "a b")
    assert local_path(str(tmp_path)) == str(tmp_path)


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"1")
    before = stamp_of(str(path))
    path.write_bytes(b"22")
    assert stamp_of(str(path)) != before
    assert hash_file(str(path)) == hashlib.sha256(b"22").hexdigest()
