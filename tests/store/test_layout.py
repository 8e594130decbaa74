import os
from pathlib import Path

import pytest

from wheelstore.store.layout import FORMAT, NotAStore, StoreTooNew, StoreUnwritable, UnsafeStore, open_store


def test_a_store_is_made_where_there_is_nothing(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "store"
    store = open_store(str(root))
    assert store.writable
    assert root.stat().st_mode & 0o777 == 0o700
    assert (root / "format").read_text() == f"{FORMAT}\n"
    assert (root / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert len(os.listdir(store.blobs)) == 256
    assert open_store(str(root)) == store


def test_what_a_killed_creation_left_is_completed(tmp_path: Path) -> None:
    open_store(str(tmp_path / "store"))
    (tmp_path / "store" / "format").unlink()
    assert open_store(str(tmp_path / "store")).writable


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    open_store(str(tmp_path / "store"))
    (tmp_path / "store" / "format").write_text("7\n")
    with pytest.raises(StoreTooNew, match="has format 7; this version knows format 1"):
        open_store(str(tmp_path / "store"))


def test_a_directory_with_other_things_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("\\begin{document}")
    with pytest.raises(NotAStore, match=r"thesis\.tex"):
        open_store(str(tmp_path))
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_format_file_that_is_not_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("hello")
    with pytest.raises(NotAStore, match="format file"):
        open_store(str(tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_store_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    open_store(str(tmp_path / "store"))
    (tmp_path / "store").chmod(0o770)
    with pytest.raises(UnsafeStore) as caught:
        open_store(str(tmp_path / "store"))
    assert caught.value.hint is not None
    assert "chmod -R go-w" in caught.value.hint


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a directory away")
def test_someone_else_s_store_is_read_only(tmp_path: Path) -> None:
    open_store(str(tmp_path / "store"))
    os.chown(tmp_path / "store", 12345, 12345)
    assert not open_store(str(tmp_path / "store")).writable


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((StoreUnwritable, NotAStore), match="file"):
        open_store(str(tmp_path / "file" / "store"))
