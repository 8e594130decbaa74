"""Subvolumes on a btrfs of their own, as root and as somebody without root's rights."""

import ctypes
import errno
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.mounts import mounted
from support.users import NOBODY, as_nobody, public_directory

from wheelstore.materialize.fresh import FreshEnvironment
from wheelstore.materialize.subvolumes import SnapshotsUnsupported, clone_directory, snapshot_tree
from wheelstore.store.btrfs import create_subvolume, destroy, is_btrfs, is_read_only, is_subvolume, set_read_only
from wheelstore.store.leftovers import remove

FICLONE = 0x40049409
TIME = 400_000_000
CONTENT = b"x = 1\n" * 1000

Act = Callable[[Callable[[], object]], object]

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about what Linux has and has not")


def as_root(action: Callable[[], object]) -> None:
    action()


@pytest.fixture(scope="module")
def btrfs() -> Iterator[Path]:
    with public_directory() as directory, mounted("btrfs", directory, megabytes=128) as place:
        place.chmod(0o755)
        yield place


@pytest.fixture(params=["root", "nobody"])
def act(request: pytest.FixtureRequest) -> Act:
    """Does something as one user or the other."""
    return as_root if request.param == "root" else as_nobody


@pytest.fixture
def room(btrfs: Path, act: Act, request: pytest.FixtureRequest) -> Path:
    """A new directory of that user's, with the directories `images`, `envs` and `trash`."""
    room: Path = btrfs / request.node.name
    for path in (room, room / "images", room / "envs", room / "trash"):
        path.mkdir()
        if act is as_nobody:
            os.chown(path, NOBODY, NOBODY)
    return room


def make_image(room: Path, *, read_only: bool = True) -> Path:
    image = room / "images/one"
    create_subvolume(str(image))
    (image / "package").mkdir()
    (image / "package/module.py").write_bytes(CONTENT)
    (image / "package/tool").write_bytes(b"#!/bin/sh\n")
    (image / "package/tool").chmod(0o555)
    for path in (image / "package/module.py", image / "package/tool", image / "package"):
        os.utime(path, (TIME, TIME))
    (image / "package").chmod(0o555)
    if read_only:
        set_read_only(str(image), read_only=True)
    return image


def facts(root: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path.relative_to(root)): ((status := path.lstat()).st_mode, status.st_mtime_ns, status.st_uid)
        for path in (root, *root.rglob("*"))
    }


def refused(number: int, action: Callable[[], object]) -> None:
    with pytest.raises(OSError) as caught:
        action()
    assert caught.value.errno == number


def test_a_subvolume_is_recognised(room: Path, act: Act) -> None:
    def check() -> None:
        image = make_image(room, read_only=False)
        assert is_subvolume(str(image))
        assert not is_subvolume(str(room))
        assert not is_subvolume(str(image / "package"))
        assert not is_subvolume(str(room / "nothing"))
        (room / "link").symlink_to(image)
        assert not is_subvolume(str(room / "link"))
        assert all(is_btrfs(str(path)) for path in (room, image, image / "package", room / "link"))
        assert not is_btrfs("/proc")
        refused(errno.ENOENT, lambda: is_btrfs(str(room / "nothing")))

    act(check)


def test_a_snapshot_is_the_same_and_private(room: Path, act: Act) -> None:
    def check() -> None:
        image, copy = make_image(room), room / "envs/copy"
        snapshot_tree(str(image), str(copy))
        assert facts(copy) == facts(image)
        assert is_subvolume(str(copy))
        assert not is_read_only(str(copy))
        with (copy / "package/module.py").open("ab") as stream:
            stream.write(b"more")
        (copy / "new").mkdir()
        assert (copy / "package/module.py").read_bytes() == CONTENT + b"more"
        assert (image / "package/module.py").read_bytes() == CONTENT
        assert not (image / "new").exists()

    act(check)


def test_nobody_writes_to_a_read_only_one(room: Path, act: Act) -> None:
    def check() -> None:
        image = make_image(room)
        assert is_read_only(str(image))
        refused(errno.EROFS, lambda: (image / "new").touch())
        refused(errno.EROFS, lambda: os.chmod(image, 0o700))
        refused(errno.EROFS, lambda: os.unlink(image / "package/tool"))
        descriptor = os.open(image, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which is how readers and gc agree
        os.close(descriptor)
        set_read_only(str(image), read_only=False)
        (image / "new").touch()

    act(check)


def test_a_read_only_one_stays_in_its_directory(room: Path, act: Act) -> None:
    def check() -> None:
        image, elsewhere = make_image(room), room / "trash/one"
        os.rename(image, room / "images/two")
        refused(errno.EROFS, lambda: os.rename(room / "images/two", elsewhere))
        set_read_only(str(room / "images/two"), read_only=False)
        os.rename(room / "images/two", elsewhere)
        assert (elsewhere / "package/module.py").read_bytes() == CONTENT

    act(check)


def test_files_get_in_by_clones_alone(room: Path, act: Act) -> None:
    def check() -> None:
        (room / "blob").write_bytes(CONTENT)
        create_subvolume(str(room / "images/one"))
        inside = room / "images/one/file"
        refused(errno.EXDEV, lambda: os.link(room / "blob", inside))
        refused(errno.EXDEV, lambda: os.rename(room / "blob", inside))
        with (room / "blob").open("rb") as reader, inside.open("wb") as writer:
            fcntl.ioctl(writer, FICLONE, reader.fileno())
        assert inside.read_bytes() == CONTENT

    act(check)


def test_a_snapshot_takes_the_place_of_an_empty_directory(room: Path, act: Act) -> None:
    def check() -> None:
        snapshot_tree(str(make_image(room)), str(room / "envs/.new"))
        (room / "envs/env").mkdir()
        os.rename(room / "envs/.new", room / "envs/env")
        assert (room / "envs/env/package/module.py").read_bytes() == CONTENT

    act(check)


def test_an_environment_that_is_a_snapshot_is_replaced(room: Path, act: Act) -> None:
    def check() -> None:
        place = room / "envs/env"
        snapshot_tree(str(make_image(room)), str(place))
        with FreshEnvironment(str(place)) as fresh:
            Path(fresh.directory, "new").touch()
            replaced = fresh.publish(replace=True, trash=str(room / "trash"))
        assert replaced is not None
        replaced.remove()
        replaced.leave()
        assert os.listdir(place) == ["new"]
        assert os.listdir(room / "envs") == ["env"]

    act(check)


def test_a_snapshot_is_removed_like_a_directory(room: Path, act: Act) -> None:
    def check() -> None:
        image = make_image(room)
        for name, command in {"a": ["rm", "-rf"], "b": ["chmod", "-R", "u+w"]}.items():
            snapshot_tree(str(image), str(room / "envs" / name))
            os.chmod(room / "envs" / name / "package", 0o755)
            subprocess.run([*command, str(room / "envs" / name)], check=True)
        shutil.rmtree(room / "envs/b")
        assert os.listdir(room / "envs") == []

    act(check)


def test_what_is_read_only_is_removed(room: Path, act: Act) -> None:
    def check() -> None:
        image = make_image(room)
        remove(str(image))
        assert not image.exists()
        remove(str(image))

    act(check)


def test_subvolumes_anywhere_in_a_tree_are_removed(room: Path, act: Act) -> None:
    def check() -> None:
        image = make_image(room, read_only=False)
        os.rename(image, room / "trash/one")
        create_subvolume(str(room / "trash/one/nested"))
        Path(room / "trash/one/nested/file").touch()
        set_read_only(str(room / "trash/one/nested"), read_only=True)
        set_read_only(str(room / "trash/one"), read_only=True)
        remove(str(room / "trash"))
        assert not (room / "trash").exists()

    act(check)


def test_in_one_step_if_this_user_may(room: Path, act: Act) -> None:
    def check() -> None:
        image = make_image(room)
        assert destroy(str(image)) == (os.geteuid() == 0)
        assert image.exists() == (os.geteuid() != 0)
        assert not image.exists() or not is_read_only(str(image))
        assert not destroy(str(room / "envs"))
        assert (room / "envs").exists()

    act(check)


def test_there_is_none_of_a_plain_directory(room: Path, act: Act) -> None:
    def check() -> None:
        (room / "images/plain").mkdir()
        with pytest.raises(SnapshotsUnsupported, match="not a subvolume"):
            snapshot_tree(str(room / "images/plain"), str(room / "envs/env"))
        assert os.listdir(room / "envs") == []

    act(check)


def test_what_is_there_stays(room: Path, act: Act) -> None:
    def check() -> None:
        image = make_image(room)
        (room / "envs/env").write_bytes(b"mine")
        with pytest.raises(FileExistsError):
            snapshot_tree(str(image), str(room / "envs/env"))
        with pytest.raises(FileNotFoundError):
            snapshot_tree(str(image), str(room / "nothing/env"))
        assert (room / "envs/env").read_bytes() == b"mine"

    act(check)


def test_only_the_owner_has_snapshots(btrfs: Path) -> None:
    room = btrfs / "shared"
    (room / "images").mkdir(parents=True)
    (room / "envs").mkdir()
    (room / "envs").chmod(0o777)
    image = make_image(room)

    def check() -> None:
        assert is_read_only(str(image))
        with pytest.raises(SnapshotsUnsupported, match="another user"):
            snapshot_tree(str(image), str(room / "envs/theirs"))
        refused(errno.EPERM, lambda: set_read_only(str(image), read_only=False))
        assert not destroy(str(image))

    as_nobody(check)
    set_read_only(str(image), read_only=False)
    os.chown(image, NOBODY, NOBODY)
    with pytest.raises(SnapshotsUnsupported, match="another user"):
        snapshot_tree(str(image), str(room / "envs/ours"))
    assert os.listdir(room / "envs") == []


def test_between_filesystems_there_are_none(btrfs: Path, tmp_path: Path) -> None:
    room = btrfs / "between"
    (room / "images").mkdir(parents=True)
    image = make_image(room)
    with mounted("tmpfs", tmp_path, megabytes=8) as place:
        (place / "image").mkdir()
        with pytest.raises(SnapshotsUnsupported, match="not btrfs") as caught:
            snapshot_tree(str(image), str(place / "env"))
        assert "\n" not in f"{caught.value}{caught.value.hint}"
        with pytest.raises(SnapshotsUnsupported, match="different filesystems"):
            snapshot_tree(str(place / "image"), str(room / "env"))


def test_mounts_of_one_btrfs_are_one_filesystem(btrfs: Path, tmp_path: Path) -> None:
    room = btrfs / "mounts"
    (room / "images").mkdir(parents=True)
    image = make_image(room)
    create_subvolume(str(room / "home"))
    device = subprocess.run(["findmnt", "-no", "SOURCE", str(btrfs)], check=True, capture_output=True, text=True)
    home = tmp_path / "home"
    home.mkdir()
    command = ["mount", "-o", "subvol=mounts/home", device.stdout.strip(), str(home)]
    subprocess.run(command, check=True)
    try:
        snapshot_tree(str(image), str(home / "env"))
        assert facts(home / "env") == facts(image)
        refused(errno.EXDEV, lambda: os.rename(home / "env", room / "env"))
        remove(str(home / "env"))
        assert os.listdir(home) == []
    finally:
        subprocess.run(["umount", str(home)], check=True)


@on_linux
def test_linux_has_no_clones_of_directories(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    with pytest.raises(SnapshotsUnsupported, match="this system") as caught:
        clone_directory(str(tmp_path / "image"), str(tmp_path / "env"))
    assert "--link-mode" in (caught.value.hint or "")


class Clones:
    """The C library of a system that has clonefile(2), which fails as it is told."""

    def __init__(self, number: int) -> None:
        self._number = number

    def clonefile(self, source: bytes, target: bytes, flags: int) -> int:
        assert flags == 3
        ctypes.set_errno(self._number)
        if self._number:
            return -1
        shutil.copytree(os.fsdecode(source), os.fsdecode(target))
        return 0


@on_linux
@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.EXDEV, SnapshotsUnsupported), (errno.ENOTSUP, SnapshotsUnsupported), (errno.EEXIST, FileExistsError)],
)
def test_what_clonefile_says_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: Clones(number))
    (tmp_path / "image").mkdir()
    with pytest.raises(expected):
        clone_directory(str(tmp_path / "image"), str(tmp_path / "env"))


@on_linux
def test_a_directory_is_cloned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: Clones(0))
    (tmp_path / "image").mkdir()
    (tmp_path / "image/file").touch()
    clone_directory(str(tmp_path / "image"), str(tmp_path / "env"))
    assert os.listdir(tmp_path / "env") == ["file"]
