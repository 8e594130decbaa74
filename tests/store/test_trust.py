"""Which stores that other users can reach are used, and which are refused."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.users import NOBODY, as_nobody, needs_root, public_directory

from wheelstore.store.index import open_index
from wheelstore.store.layout import Store, StoreForbidden, UnsafeStore, open_store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
PARTS = (
    *("", "blobs", "blobs/00", "blobs/ff", "tmp", "trash", "images", "spares", "locks", "tokens", "wheels"),
    "index.sqlite3",
)


@pytest.fixture
def root() -> Iterator[Path]:
    """A store that others may read."""
    with public_directory() as directory:
        store = open_store(str(directory / "store"))
        open_index(store.index_path).close()
        os.chmod(store.root, 0o755)
        yield Path(store.root)


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o2775, 0o1777], ids=["group", "others", "setgid", "sticky"])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_others_can_write_to_is_named(root: Path, part: str, mode: int) -> None:
    assert open_store(str(root)).writable
    path = root / part
    path.chmod(mode)
    with pytest.raises(UnsafeStore) as caught:
        open_store(str(root))
    assert str(path) in str(caught.value)
    assert "can be written to by other users" in str(caught.value)
    assert caught.value.hint == f"chmod -R go-w '{root}'"


def test_what_nobody_else_can_enter_may_have_any_modes_inside(root: Path) -> None:
    (root / "blobs").chmod(0o777)
    root.chmod(0o700)
    assert open_store(str(root)).writable


def test_a_store_is_made_the_same_whatever_the_mask(tmp_path: Path) -> None:
    for mask in (0o000, 0o077):
        before = os.umask(mask)
        try:
            store = open_store(str(tmp_path / f"store{mask}"))
            assert os.umask(mask) == mask
        finally:
            os.umask(before)
        assert Path(store.root).stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in Path(store.root).rglob("*") if path.is_dir()} == {0o755}


def test_setgid_directories_are_as_good_as_any(tmp_path: Path) -> None:
    tmp_path.chmod(0o2755)
    root = Path(open_store(str(tmp_path / "store")).root)
    root.chmod(0o2750)
    assert open_store(str(root)).writable


def test_a_link_to_a_store_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert open_store(str(tmp_path / "link")).writable
    (root / "tmp").chmod(0o777)
    with pytest.raises(UnsafeStore):
        open_store(str(tmp_path / "link"))


@needs_root
def test_a_part_that_belongs_to_a_third_user_is_refused(root: Path) -> None:
    os.chown(root / "blobs" / "7f", 12345, 12345)
    with pytest.raises(UnsafeStore, match="7f belongs to user 12345"):
        open_store(str(root))


@needs_root
@pytest.mark.parametrize(
    ("owner", "mode", "used"),
    [(12345, 0o755, True), (12345, 0o1777, False), (0, 0o1777, True), (0, 0o777, False), (12345, 0o775, False)],
)
def test_a_store_that_anybody_could_have_put_there_is_refused(root: Path, owner: int, mode: int, used: bool) -> None:
    for path in (root, *root.rglob("*")):
        os.chown(path, owner, owner)
    root.parent.chmod(mode)

    def open_it() -> None:
        if used:
            assert not open_store(str(root)).writable
        else:
            with pytest.raises(UnsafeStore, match="might be anybody's"):
                open_store(str(root))

    as_nobody(open_it)


@needs_root
def test_a_store_that_cannot_be_entered_is_not_taken_for_something_else(root: Path) -> None:
    root.chmod(0o700)

    def open_it() -> None:
        with pytest.raises(StoreForbidden, match="permission denied"):
            open_store(str(root))

    as_nobody(open_it)


@needs_root
def test_a_store_of_ours_that_cannot_be_written_to_is_only_read(root: Path) -> None:
    """As on a read-only filesystem, or where the kernel maps the owner's number and ours to the same."""
    for path in (root, *root.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    root.chmod(0o555)

    def open_it() -> None:
        assert open_store(str(root)) == Store(str(root), writable=False)

    as_nobody(open_it)
