import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.stores import tree_of
from support.users import as_nobody, needs_root, public_directory

from wheelstore.materialize import fresh
from wheelstore.materialize.fresh import FreshEnvironment, TargetUnwritable, remove_tree

without_exchange = pytest.param(lambda _one, _other: False, id="two renames")
exchange = pytest.param(fresh.exchange, id="one exchange")
EXCHANGES = pytest.mark.parametrize("swap", [exchange, without_exchange])
Swap = Callable[[str, str], bool]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "trash").mkdir()
    (tmp_path / "project").mkdir()
    return tmp_path / "project" / "env"


@pytest.fixture
def trash(tmp_path: Path) -> Path:
    return tmp_path / "trash"


def fill(made: FreshEnvironment) -> None:
    Path(made.directory, "bin").mkdir()
    Path(made.directory, "bin/python").write_text("new")


def make(path: Path, trash: Path, *, replace: bool = True) -> None:
    with FreshEnvironment(str(path)) as made:
        fill(made)
        replaced = made.publish(replace=replace, trash=str(trash))
    if replaced is not None:
        replaced.remove()
        replaced.leave()


def is_new(path: Path, trash: Path) -> bool:
    """Whether the new environment is there, alone, and nothing else is left."""
    assert os.listdir(trash) == []
    assert os.listdir(path.parent) == [path.name]
    return tree_of(path) == {"bin": ("directory", None), "bin/python": ("file", b"new")}


def test_an_environment_appears_with_one_rename(path: Path, trash: Path) -> None:
    with FreshEnvironment(str(path)) as made:
        fill(made)
        assert not path.exists()
        assert os.path.dirname(made.directory) == str(path.parent)
        made.publish(replace=False, trash=str(trash))
    assert is_new(path, trash)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="there is no list of descriptors")
def test_no_descriptor_is_left_open(path: Path, trash: Path) -> None:
    (path.parent / ".env.1-abcdefgh.tmp").mkdir()
    before = os.listdir("/proc/self/fd")
    make(path, trash)
    assert os.listdir("/proc/self/fd") == before


def test_the_directories_above_are_made(path: Path, trash: Path) -> None:
    make(path / "deep" / "env", trash, replace=False)
    assert is_new(path / "deep" / "env", trash)


@pytest.mark.parametrize("replace", [False, True])
def test_an_empty_directory_is_no_obstacle(path: Path, trash: Path, replace: bool) -> None:
    path.mkdir()
    make(path, trash, replace=replace)
    assert is_new(path, trash)


def occupy(path: Path) -> None:
    (path / "lib").mkdir(parents=True)
    (path / "lib/mine.py").write_text("mine")


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_what_is_there_is_not_replaced_without_saying_so(path: Path, trash: Path, kind: str) -> None:
    if kind == "file":
        path.write_text("mine")
    else:
        occupy(path)
    before = tree_of(path.parent)
    with pytest.raises(TargetUnwritable, match="something else was put there meanwhile"):
        make(path, trash, replace=False)
    assert tree_of(path.parent) == before
    assert os.listdir(trash) == []


@EXCHANGES
@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_what_is_there_is_replaced_and_removed(
    path: Path, trash: Path, kind: str, swap: Swap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh, "exchange", swap)
    occupy(trash.parent / "elsewhere")
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to(trash.parent / "elsewhere")
    else:
        occupy(path)
    make(path, trash)
    assert is_new(path, trash)
    assert (trash.parent / "elsewhere/lib/mine.py").read_text() == "mine"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="renameat2 is Linux's")
def test_there_is_an_environment_at_every_moment(path: Path, trash: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FreshEnvironment, "_supplant")
    occupy(path)
    make(path, trash)
    assert is_new(path, trash)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="renameat2 is Linux's")
def test_linux_can_exchange(path: Path, trash: Path) -> None:
    occupy(path)
    (trash / "a").mkdir()
    assert fresh.exchange(str(path), str(trash / "a"))
    assert (trash / "a/lib/mine.py").exists()
    assert os.listdir(path) == []
    assert not fresh.exchange(str(path), str(trash / "none"))


def test_where_the_trash_cannot_take_it_the_old_one_waits_beside(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh, "exchange", lambda _one, _other: False)
    occupy(path)
    make(path, tmp_path / "none")
    assert os.listdir(path.parent) == ["env"]
    assert (path / "bin/python").read_text() == "new"


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_replacement_that_fails_puts_the_old_one_back(
    path: Path, trash: Path, call: int, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh, "exchange", lambda _one, _other: False)
    occupy(path)
    before = tree_of(path.parent)
    real, calls = os.rename, []

    def rename(source: str, target: str) -> None:
        calls.append(source)
        if len(calls) == call:
            raise failure
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises((TargetUnwritable, KeyboardInterrupt)):
        make(path, trash)
    assert tree_of(path.parent) == before
    assert os.listdir(trash) == []


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_whatever_goes_wrong_nothing_is_left(path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with FreshEnvironment(str(path)) as made:
            fill(made)
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(path.parent) == []


def test_an_interrupt_of_the_removal_does_not_stop_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = fresh.remove_tree, []

    def interrupted(directory: str) -> None:
        calls.append(directory)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(directory)

    monkeypatch.setattr(fresh, "remove_tree", interrupted)
    with pytest.raises(KeyboardInterrupt), FreshEnvironment(str(path)) as made:
        fill(made)
    assert os.listdir(path.parent) == []


KILLED = """
import os, sys
from wheelstore.materialize.fresh import FreshEnvironment
with FreshEnvironment(sys.argv[1]) as made:
    os.mkdir(f"{made.directory}/bin")
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such claims")
def test_what_a_killed_process_had_begun_goes_and_what_another_is_making_stays(path: Path, trash: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"begun\n"
        make(path, trash)
        assert len(os.listdir(path.parent)) == 2
        process.kill()
    assert len(os.listdir(path.parent)) == 2
    shutil.rmtree(path)
    mine = [".env.local.tmp", ".env.1-2.tmp", ".env.1-abcdefgh-old.tmp", ".env.x-abcdefgh.tmp", ".other.1-abcdefgh.tmp"]
    for name in mine:
        (path.parent / name).mkdir()
    (path.parent / ".env.1-abcdefgh.tmp").write_text("mine")
    (path.parent / ".env.2-abcdefgh.tmp").symlink_to(mine[0])
    make(path, trash)
    assert sorted(os.listdir(path.parent)) == sorted([*mine, ".env.1-abcdefgh.tmp", ".env.2-abcdefgh.tmp", "env"])


@pytest.mark.parametrize("name", ["e" * 250, "x" + "é" * 120, "env "])
def test_a_long_name_is_no_obstacle(path: Path, trash: Path, name: str) -> None:
    make(path.parent / name, trash)
    assert is_new(path.parent / name, trash)


def test_a_slash_at_the_end_is_no_part_of_the_name(path: Path, trash: Path) -> None:
    with FreshEnvironment(f"{path}/") as made:
        fill(made)
        made.publish(replace=False, trash=str(trash))
    assert is_new(path, trash)


def test_a_place_that_cannot_be_written_to_is_named(path: Path) -> None:
    (path.parent / "file").write_text("")
    with pytest.raises(TargetUnwritable, match=r"cannot make the environment .*/file/env: Not a directory") as caught:
        FreshEnvironment(str(path.parent / "file" / "env")).__enter__()
    assert caught.value.path == str(path.parent / "file" / "env")
    assert caught.value.reason


def test_an_interrupt_of_the_beginning_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(fresh, "_claimed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        FreshEnvironment(str(path)).__enter__()
    assert os.listdir(path.parent) == []


@needs_root
def test_someone_else_s_directory_is_refused_by_name() -> None:
    with public_directory() as directory:

        def enter() -> None:
            with pytest.raises(TargetUnwritable, match="Permission denied"):
                FreshEnvironment(f"{directory}/env").__enter__()

        as_nobody(enter)


@needs_root
def test_others_leftovers_do_not_matter() -> None:
    with public_directory() as directory:
        directory.chmod(0o1777)
        (directory / ".env.1-abcdefgh.tmp").mkdir()

        def build() -> None:
            with FreshEnvironment(f"{directory}/env") as made:
                made.publish(replace=False, trash="/nowhere")

        as_nobody(build)
        assert sorted(os.listdir(directory)) == [".env.1-abcdefgh.tmp", "env"]


# Trees


def test_a_tree_is_removed_without_what_its_links_lead_to(tmp_path: Path) -> None:
    occupy(tmp_path / "outside")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(tmp_path / "outside")
    remove_tree(str(tree))
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    remove_tree(str(tmp_path / "link"))
    remove_tree(str(tmp_path / "outside/lib/mine.py"))
    assert sorted(os.listdir(tmp_path)) == ["outside"]
    assert os.listdir(tmp_path / "outside/lib") == []


@needs_root
@pytest.mark.parametrize("mode", [0o500, 0o000, 0o300])
def test_read_only_directories_are_no_obstacle_and_blobs_keep_their_modes(mode: int) -> None:
    with public_directory() as directory:
        directory.chmod(0o777)

        def build_and_remove() -> None:
            (directory / "blob").write_text("blob")
            (directory / "blob").chmod(0o444)
            (directory / "tree/deep/er").mkdir(parents=True)
            os.link(directory / "blob", directory / "tree/deep/er/file")
            for path in ("tree/deep/er", "tree/deep", "tree"):
                (directory / path).chmod(mode)
            remove_tree(str(directory / "tree"))
            assert not (directory / "tree").exists()
            assert (directory / "blob").stat().st_mode & 0o777 == 0o444

        as_nobody(build_and_remove)


def test_what_was_taken_for_abandoned_before_it_was_claimed_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed, others = fresh._claimed, [FreshEnvironment(str(tmp_path / "env"))]

    def claimed_late(directory: str) -> int:
        if others:  # a gc comes between the making of the directory and its claim
            others.pop().remove_abandoned()
        return claimed(directory)

    monkeypatch.setattr(fresh, "_claimed", claimed_late)
    with FreshEnvironment(str(tmp_path / "env")) as begun:
        assert os.listdir(tmp_path) == [os.path.basename(begun.directory)]
    assert os.listdir(tmp_path) == []
