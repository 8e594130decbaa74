"""Every edge of the fallback, on real filesystems where this machine has them."""

import errno
import os
from pathlib import Path
from typing import Literal

import pytest
from support.stores import put_blob

from wheelstore.materialize import link
from wheelstore.materialize.link import BlobUnusable, Linker, probe, read_blob
from wheelstore.store.blobs import blob_key, blob_mtime, blob_name

CONTENT = b"print('hello')\n"


@pytest.fixture
def blobs(tmp_path: Path) -> str:
    directory = tmp_path / "blobs"
    for number in range(256):
        (directory / f"{number:02x}").mkdir(parents=True)
    return str(directory)


@pytest.fixture
def source(blobs: str, tmp_path: Path) -> str:
    return blob_name(put_blob(blobs, str(tmp_path), CONTENT))


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "root").mkdir()
    return str(tmp_path / "root")


def check_private(path: str, source: str) -> None:
    """The file has the blob's content and time, and can be changed without changing the blob."""
    with open(path, "rb") as stream:
        assert stream.read() == CONTENT
    assert int(os.stat(path).st_mtime) == blob_mtime(blob_key(source))
    assert os.stat(path).st_nlink == 1
    assert os.stat(path).st_mode & 0o200


def test_a_hardlink_is_the_blob(blobs: str, source: str, root: str) -> None:
    linker = Linker(blobs, root, "hardlink")
    linker.run([source], ["a"])
    assert os.path.samefile(f"{root}/a", f"{blobs}/{source}")
    assert linker.used == {"clone": 0, "hardlink": 1, "copy": 0}


def test_a_copy_is_private(blobs: str, source: str, root: str) -> None:
    Linker(blobs, root, "copy").run([source], ["a"])
    check_private(f"{root}/a", source)


def test_an_executable_blob_stays_executable(blobs: str, source: str, root: str) -> None:
    os.rename(f"{blobs}/{source}", f"{blobs}/{source}-x")
    modes: tuple[Literal["hardlink", "copy"], ...] = ("hardlink", "copy")
    for mode in modes:
        os.chmod(f"{blobs}/{source}-x", 0o555)
        Linker(blobs, root, mode).run([f"{source}-x"], [mode])
        assert os.access(f"{root}/{mode}", os.X_OK)


@pytest.mark.parametrize(("word", "executable"), [("", False), ("x", True)])
def test_empty_files_are_never_linked(blobs: str, root: str, word: str, executable: bool) -> None:
    linker = Linker(blobs, root, "hardlink")
    linker.run([word, word], ["a", "b"])
    assert not os.path.samefile(f"{root}/a", f"{root}/b")
    assert bool(os.stat(f"{root}/a").st_mode & 0o100) is executable
    assert linker.used["hardlink"] == 0


def refuse(mode: Literal["clone", "hardlink"], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_blob: str, path: str, _: object) -> None:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setitem(link._MAKERS, mode, refused)


@pytest.mark.parametrize("code", sorted(link._REFUSALS["hardlink"]))
def test_a_refused_hardlink_becomes_a_copy(
    blobs: str, source: str, root: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    refuse("hardlink", code, monkeypatch)
    linker = Linker(blobs, root, "hardlink")
    linker.run([source, source], ["a", "b"])
    check_private(f"{root}/a", source)
    assert linker.used == {"clone": 0, "hardlink": 0, "copy": 2}


@pytest.mark.parametrize("code", sorted(link._REFUSALS["clone"]))
def test_a_refused_clone_becomes_a_hardlink(
    blobs: str, source: str, root: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    refuse("clone", code, monkeypatch)
    linker = Linker(blobs, root, "clone")
    linker.run([source], ["a"])
    assert linker.used == {"clone": 0, "hardlink": 1, "copy": 0}


def test_one_refused_file_does_not_take_the_others_along(
    blobs: str, source: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = link._MAKERS["hardlink"]

    def full_at_b(blob: str, path: str, name: str) -> None:
        if path.endswith("/b"):
            raise OSError(errno.EMLINK, "Too many links", path)
        real(blob, path, name)

    monkeypatch.setitem(link._MAKERS, "hardlink", full_at_b)
    linker = Linker(blobs, root, "hardlink")
    linker.run([source] * 3, ["a", "b", "c"])
    assert linker.used == {"clone": 0, "hardlink": 2, "copy": 1}
    check_private(f"{root}/b", source)


def test_other_errors_are_not_swallowed(blobs: str, source: str, root: str) -> None:
    with pytest.raises(FileExistsError):
        Linker(blobs, root, "hardlink").run([source, source], ["a", "a"])


@pytest.mark.parametrize("mode", link.MODES)
def test_nothing_is_made_from_a_blob_that_was_changed_or_is_missing(
    blobs: str, source: str, root: str, mode: Literal["clone", "hardlink", "copy"]
) -> None:
    blob = Path(blobs, source)
    blob.chmod(0o644)
    with blob.open("ab") as stream:
        stream.write(b"#")
    with pytest.raises(BlobUnusable, match=rf"^a cannot be made: the store's file {source} was changed$"):
        Linker(blobs, root, mode).run([source], ["a"])
    with pytest.raises(BlobUnusable, match="changed"):
        read_blob(blobs, source, "a")
    blob.unlink()
    with pytest.raises(BlobUnusable, match="is missing"):
        Linker(blobs, root, mode).run(["", source], ["b", "a"])
    with pytest.raises(BlobUnusable, match="is missing"):
        read_blob(blobs, source, "a")
    assert os.listdir(root) == ["b"]


def test_a_blob_that_goes_while_a_file_falls_back_is_unusable(
    blobs: str, source: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(blob: str, path: str, _: str) -> None:
        os.unlink(blob)
        raise OSError(errno.EMLINK, "Too many links", path)

    monkeypatch.setitem(link._MAKERS, "hardlink", gone)
    with pytest.raises(BlobUnusable, match="is missing"):
        Linker(blobs, root, "hardlink").run([source], ["a"])


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no second filesystem to cross to")
def test_another_device_gets_copies(blobs: str, source: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        assert os.stat(other).st_dev != os.stat(blobs).st_dev
        assert "hardlink" not in probe(os.path.dirname(blobs), other)
        linker = Linker(blobs, other, "clone")
        linker.run([source], ["a"])
        check_private(f"{other}/a", source)
        assert linker.used == {"clone": 0, "hardlink": 0, "copy": 1}


def test_a_failed_copy_leaves_no_half_file(blobs: str, source: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        Linker(blobs, root, "copy").run([source], ["a"])
    assert os.listdir(root) == []


def test_a_probe_leaves_nothing(blobs: str, root: str, tmp_path: Path) -> None:
    before = sorted(os.listdir(tmp_path))
    assert {"copy", "hardlink"} <= probe(str(tmp_path), root)
    assert sorted(os.listdir(tmp_path)) == before
    assert os.listdir(root) == []


def test_a_probe_is_not_misled_by_what_a_killed_one_left(
    blobs: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = probe(str(tmp_path), root)

    def die(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(os, "unlink", die)
        with pytest.raises(KeyboardInterrupt):
            probe(str(tmp_path), root)
    assert len(os.listdir(root)) == 1
    assert probe(str(tmp_path), root) == expected


def test_a_probe_that_cannot_be_made_leaves_nothing(
    blobs: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(os.listdir(tmp_path))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(link._MAKERS, "clone", full)
    monkeypatch.setitem(link._MAKERS, "hardlink", full)
    assert probe(str(tmp_path), root) == {"copy"}
    assert sorted(os.listdir(tmp_path)) == before


def test_an_interrupted_probe_leaves_nothing(
    blobs: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(os.listdir(tmp_path))

    def interrupted(blob: str, path: str, _: str) -> None:
        os.link(blob, path)
        raise KeyboardInterrupt

    monkeypatch.setitem(link._MAKERS, "hardlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        probe(str(tmp_path), root)
    assert sorted(os.listdir(tmp_path)) == before
    assert os.listdir(root) == []


def test_a_blob_that_is_being_replaced_by_its_equal_is_linked(
    blobs: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # link(2) says ENOENT of an inode whose last name went between its look-up and the link.
    make, refusals = os.link, [FileNotFoundError(errno.ENOENT, "")] * 2

    def refuse(blob: str, target: str) -> None:
        if refusals:
            raise refusals.pop()
        make(blob, target)

    monkeypatch.setattr(os, "link", refuse)
    Linker(blobs, str(tmp_path), "hardlink").run([source], ["file"])
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_directory_that_is_missing_is_said_to_be(blobs: str, source: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Linker(blobs, str(tmp_path), "hardlink").run([source], ["none/file"])
