"""Links on real filesystems, each in an image or in memory of its own."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.extents import extents
from support.mounts import mounted
from support.stores import SITE, Stock, make_stock, put_blob, tree_of
from support.wheels import make_wheel

from wheelstore.materialize.link import Linker, probe
from wheelstore.store.blobs import blob_key, blob_mtime, blob_name

if TYPE_CHECKING:
    from wheelstore.materialize.link import Mode

CONTENT = b"large enough for btrfs to keep it apart from its name\n" * 1000
MEGABYTES = {"btrfs": 128, "xfs": 320, "ext4": 64, "tmpfs": 64}
CLONING = ["btrfs", "xfs"]


@pytest.fixture(scope="module", params=list(MEGABYTES))
def filesystem(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    with mounted(request.param, tmp_path_factory.mktemp("filesystem"), megabytes=MEGABYTES[request.param]) as place:
        yield request.param, place


@pytest.fixture(scope="module")
def here(filesystem: tuple[str, Path]) -> Stock:
    """A store on the filesystem."""
    return make_stock(filesystem[1] / "store")


@pytest.fixture
def root(filesystem: tuple[str, Path]) -> Path:
    """A new directory on the filesystem."""
    return Path(tempfile.mkdtemp(dir=filesystem[1]))


def put(stock: Stock, content: bytes = CONTENT) -> str:
    return blob_name(put_blob(stock.store.blobs, stock.store.tmp, content))


def linked(stock: Stock, root: Path, mode: "Mode", source: str) -> tuple[Path, dict["Mode", int]]:
    linker = Linker(stock.store.blobs, str(root), mode)
    linker.run([source], ["file"])
    return root / "file", linker.used


def is_private(path: Path, blob: Path) -> bool:
    """Whether the file has the blob's content and time, can be written to, and the blob does not change with it."""
    assert path.read_bytes() == blob.read_bytes()
    assert (
        path.stat().st_mtime_ns == blob.stat().st_mtime_ns == blob_mtime(blob_key(blob.parent.name + blob.name)) * 10**9
    )
    assert path.stat().st_ino != blob.stat().st_ino
    assert path.stat().st_mode & 0o200
    before = blob.read_bytes()
    with path.open("r+b") as stream:
        stream.write(b"edited")
    assert path.read_bytes() != before
    return blob.read_bytes() == before


def test_what_works_is_found_out(filesystem: tuple[str, Path], here: Stock, root: Path) -> None:
    expected = {"copy", "hardlink", "clone"} if filesystem[0] in CLONING else {"copy", "hardlink"}
    assert probe(here.store.tmp, str(root)) == expected
    assert os.listdir(root) == os.listdir(here.store.tmp) == []


def test_across_filesystems_only_copies_work(here: Stock, tmp_path: Path) -> None:
    assert probe(here.store.tmp, str(tmp_path)) == {"copy"}
    assert os.listdir(tmp_path) == os.listdir(here.store.tmp) == []


def test_clones_share_extents_and_are_private(filesystem: tuple[str, Path], here: Stock, root: Path) -> None:
    source = put(here)
    blob = Path(here.store.blobs, source)
    path, used = linked(here, root, "clone", source)
    if filesystem[0] not in CLONING:
        assert used == {"clone": 0, "hardlink": 1, "copy": 0}
        return
    assert used == {"clone": 1, "hardlink": 0, "copy": 0}
    assert extents(path) == extents(blob)
    assert all(extent.shared for extent in extents(path))
    assert is_private(path, blob)
    assert [extent.physical for extent in extents(path)] != [extent.physical for extent in extents(blob)]


def test_hardlinks_are_the_blob(here: Stock, root: Path) -> None:
    source = put(here)
    path, used = linked(here, root, "hardlink", source)
    assert used == {"clone": 0, "hardlink": 1, "copy": 0}
    assert path.samefile(f"{here.store.blobs}/{source}")


def test_copies_share_nothing(here: Stock, root: Path) -> None:
    source = put(here)
    path, used = linked(here, root, "copy", source)
    assert used == {"clone": 0, "hardlink": 0, "copy": 1}
    assert is_private(path, Path(here.store.blobs, source))


@pytest.mark.parametrize("mode", ["clone", "hardlink"])
def test_from_elsewhere_files_are_copied(root: Path, tmp_path: Path, mode: "Mode") -> None:
    stock = make_stock(tmp_path / "store")
    source = put(stock)
    path, used = linked(stock, root, mode, source)
    assert used == {"clone": 0, "hardlink": 0, "copy": 1}
    assert is_private(path, Path(stock.store.blobs, source))


@pytest.mark.parametrize("mode", ["clone", "hardlink", "copy"])
def test_environments_are_the_same_everywhere(
    here: Stock, filesystem: tuple[str, Path], tmp_path: Path, mode: "Mode"
) -> None:
    files = {"demo/__init__.py": CONTENT, "demo/small.py": b"x = 1\n", "demo/empty.py": b"", "demo/run": b"#!/bin/sh\n"}
    wheel = make_wheel(tmp_path, files=files, executable=["demo/run"], scripts={"tool": b"#!/bin/sh\n"})
    built = here.build(filesystem[1] / f"env-{mode}", here.plan([wheel]), mode)
    stock = make_stock(tmp_path / "store")
    assert tree_of(built) == tree_of(stock.build(tmp_path / "env", stock.plan([wheel]), "copy"))
    found = built / SITE / "demo"
    assert os.access(found / "run", os.X_OK)
    assert not os.access(found / "small.py", os.X_OK)


def test_a_blob_of_as_many_links_as_there_can_be_is_copied(tmp_path: Path) -> None:
    with mounted("ext4", tmp_path, megabytes=64) as place:
        stock = make_stock(place / "store")
        full, other = put(stock, b"of many links"), put(stock, b"of two")
        names = [f"{number:05}" for number in range(65_000)]
        linker = Linker(stock.store.blobs, str(place), "hardlink")
        linker.run([full] * 65_000, names)
        assert linker.used == {"clone": 0, "hardlink": 64_999, "copy": 1}
        linker.run([full, other, full], ["a", "b", "c"])
        assert linker.used == {"clone": 0, "hardlink": 65_000, "copy": 3}
        assert (place / "c").read_bytes() == b"of many links"
