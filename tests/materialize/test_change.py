from __future__ import annotations

import os
import shutil
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from support.stores import SITE, Stock, make_stock
from support.wheels import make_wheel

from wheelstore.materialize import change
from wheelstore.materialize.change import apply, finish_changes, hold
from wheelstore.materialize.environment import DIRECTORY, State, marks_hold, marks_of, read_state, write_state
from wheelstore.materialize.plan import Plan
from wheelstore.materialize.sync import compare_disk, compare_plans
from wheelstore.materialize.tree import Tree

STATE = State(*(name for name in State._fields))


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return make_stock(tmp_path / "store")


@pytest.fixture
def old(stock: Stock, tmp_path: Path) -> Plan:
    """Package, module that becomes a package, package that becomes a module, and a script."""
    files = {
        "alpha/__init__.py": b"1",
        "alpha/old.py": b"old",
        "alpha/deep/er/x.py": b"x",
        "module.py": b"module",
        "package/__init__.py": b"package",
        "file": b"file",
        "directory/file": b"in a directory",
    }
    alpha = make_wheel(tmp_path, "alpha", files=files, entry_points={"console_scripts": {"alpha": "alpha:main"}})
    return stock.plan([alpha, make_wheel(tmp_path, "beta")])


@pytest.fixture
def new(stock: Stock, tmp_path: Path) -> Plan:
    files = {
        "alpha/__init__.py": b"2",
        "alpha/new.py": b"new",
        "alpha/fresh/er/x.py": b"x",
        "module/__init__.py": b"module",
        "package.py": b"package",
        "file/file": b"in a directory",
        "directory": b"file",
    }
    alpha = make_wheel(tmp_path, "alpha", "2.0", files=files, entry_points={"console_scripts": {"a": "alpha:main"}})
    return stock.plan([alpha, make_wheel(tmp_path, "gamma", data={"data/share/gamma/x": b"x"})])


@pytest.fixture
def tree(stock: Stock, old: Plan, tmp_path: Path) -> Tree:
    """An environment as `old` says."""
    root = tmp_path / "env"
    root.mkdir()
    made = Tree(root=str(root), final=str(root), blobs=stock.store.blobs, mode="hardlink", python=f"{root}/bin/python")
    made.create(old, SITE, processes=1)
    write_state(str(root), STATE._replace(marks=marks_of(str(root), (SITE, "bin"))))
    return made


def run(tree: Tree, old: Plan, new: Plan, stock: Stock) -> None:
    with hold(tree.root):
        apply(tree, new, compare_plans(old, new), blobs=stock.store.blobs, mode="hardlink", site=SITE)


def content(tree: Tree) -> dict[str, bytes]:
    """Every file but our own, and every directory (with a slash)."""
    found: dict[str, bytes] = {}
    for directory, names, files in os.walk(tree.root):
        below = os.path.relpath(directory, tree.root)
        if below == ".":
            names.remove(DIRECTORY)
        found |= {f"{below}/{name}/": b"" for name in names}
        found |= {f"{below}/{name}": Path(directory, name).read_bytes() for name in files}
    return found


@pytest.fixture
def wanted(tree: Tree, old: Plan, new: Plan, stock: Stock, tmp_path: Path) -> dict[str, bytes]:
    """What `new` makes of an empty directory."""
    fresh = tmp_path / "fresh"
    (fresh / DIRECTORY).mkdir(parents=True)
    other = Tree(
        root=str(fresh), final=tree.root, blobs=stock.store.blobs, mode="hardlink", python=f"{tree.root}/bin/python"
    )
    other.create(new, SITE, processes=1)
    return content(other)


def test_a_change_ends_as_a_new_environment_would_be(
    tree: Tree, old: Plan, new: Plan, stock: Stock, wanted: dict[str, bytes]
) -> None:
    run(tree, old, new, stock)
    assert content(tree) == wanted
    assert sorted(os.listdir(f"{tree.root}/{DIRECTORY}")) == ["lock", "state"]


def test_files_of_the_user_and_their_directories_stay(tree: Tree, old: Plan, new: Plan, stock: Stock) -> None:
    mine = Path(tree.root, SITE, "alpha/deep/mine.py")
    mine.write_text("mine")
    run(tree, old, new, stock)
    assert mine.read_text() == "mine"
    assert not Path(tree.root, SITE, "alpha/deep/er").exists()


def test_bytecode_goes_with_its_source(tree: Tree, old: Plan, new: Plan, stock: Stock) -> None:
    for name in ("deep/er/__pycache__/x.cpython-312.pyc", "__pycache__/old.cpython-312.opt-1.pyc"):
        path = Path(tree.root, SITE, "alpha", name)
        path.parent.mkdir()
        path.write_bytes(b"")
    run(tree, old, new, stock)
    assert sorted(os.listdir(f"{tree.root}/{SITE}/alpha")) == ["__init__.py", "fresh", "new.py"]


def test_a_directory_that_cannot_go_is_seen_before_anything_is_changed(
    tree: Tree, old: Plan, new: Plan, stock: Stock
) -> None:
    Path(tree.root, SITE, "directory/mine.txt").write_text("mine")
    before = content(tree)
    with pytest.raises(OSError, match="not empty"):
        run(tree, old, new, stock)
    assert content(tree) == before
    assert sorted(os.listdir(f"{tree.root}/{DIRECTORY}")) == ["lock", "state"]


def test_what_the_user_made_where_a_new_directory_comes_is_kept(
    tree: Tree, old: Plan, new: Plan, stock: Stock, wanted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = change._finish

    def finish(root: str, directory: str) -> None:
        Path(root, "share/gamma").mkdir(parents=True)
        Path(root, "share/gamma/mine").touch()
        real(root, directory)

    monkeypatch.setattr(change, "_finish", finish)
    run(tree, old, new, stock)
    assert content(tree) == wanted | {"share/gamma/mine": b""}


def test_nothing_that_was_there_is_written_through(tree: Tree, old: Plan, new: Plan, stock: Stock) -> None:
    blobs = {name: (Path(stock.store.blobs, name).read_bytes()) for name in stock.names()}
    run(tree, old, new, stock)
    assert {name: Path(stock.store.blobs, name).read_bytes() for name in blobs} == blobs
    assert all(
        stat.S_IMODE(Path(tree.root, SITE, name).stat().st_mode) == 0o444 for name in ("package.py", "alpha/new.py")
    )


def test_another_filesystem_in_the_environment_is_no_obstacle(
    tree: Tree, old: Plan, new: Plan, stock: Stock, wanted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def replace(source: str, target: str) -> None:
        if "/new/" in source:
            raise OSError(18, "Invalid cross-device link", source, None, target)
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    run(tree, old, new, stock)
    assert content(tree) == wanted


CALLS = ("mkdir", "open", "link", "rename", "replace", "unlink", "rmdir", "write", "listdir", "scandir")


def killed_at(number: int, work: Callable[[], None]) -> bool:
    """Do `work` in a fork that is killed before its call `number` to the system; whether it came that far."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if not child:
        made = 0

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object, **named: object) -> object:
                nonlocal made
                made += 1
                if made == number:
                    os._exit(9)
                return real(*arguments, **named)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.fixture
def copies(tree: Tree, tmp_path: Path) -> Callable[[], None]:
    """A function that puts the environment back as it was."""
    shutil.copytree(tree.root, tmp_path / "kept", symlinks=True)

    def restore() -> None:
        shutil.rmtree(tree.root)
        shutil.copytree(tmp_path / "kept", tree.root, symlinks=True)

    return restore


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_point_it_is_the_old_environment_or_the_next_process_makes_it_the_new_one(
    tree: Tree, old: Plan, new: Plan, stock: Stock, wanted: dict[str, bytes], copies: Callable[[], None]
) -> None:
    before = content(tree)
    outcomes = []
    for number in range(1, 1000):
        copies()
        if not killed_at(number, lambda: run(tree, old, new, stock)):
            break
        decided = any(Path(tree.root, DIRECTORY).glob("change-*/list"))
        state = read_state(tree.root)
        assert state is not None
        changed = content(tree) != before
        assert not (changed and marks_hold(tree.root, state.marks))
        killed_at(number // 2, lambda: finish_changes(tree.root))  # and that process is killed, too
        finish_changes(tree.root)
        assert content(tree) == (wanted if decided or changed else before), number
        assert set(os.listdir(f"{tree.root}/{DIRECTORY}")) <= {"lock", "state"}
        outcomes.append(decided)
    assert number > 60
    assert content(tree) == wanted
    assert set(outcomes) == {True, False}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_change_that_no_mark_shows_is_no_secret(
    tree: Tree, old: Plan, stock: Stock, tmp_path: Path, copies: Callable[[], None]
) -> None:
    """Another build of the same version changes files below directories that are there, and those are not marked."""
    other = tmp_path / "other"
    files = {"beta/__init__.py": b"another build\n"}
    beta = make_wheel(other, "beta", files=files)
    alpha = next(tmp_path.glob("alpha-1.0-*.whl"))
    new = stock.plan([alpha, beta])
    before = content(tree)
    seen = False
    for number in range(1, 200):
        copies()
        times = {name: Path(tree.root, name).stat().st_mtime_ns for name in (SITE, "bin")}
        state = read_state(tree.root)
        assert state is not None
        write_state(tree.root, state._replace(marks=marks_of(tree.root, (SITE, "bin"))))
        if not killed_at(number, lambda: run(tree, old, new, stock)):
            break
        assert {name: Path(tree.root, name).stat().st_mtime_ns for name in (SITE, "bin")} == times
        state = read_state(tree.root)
        assert state is not None
        seen |= content(tree) != before
        assert content(tree) == before or not marks_hold(tree.root, state.marks)
    assert seen


def test_a_change_needs_no_state(tree: Tree, old: Plan, new: Plan, stock: Stock, wanted: dict[str, bytes]) -> None:
    os.unlink(f"{tree.root}/{DIRECTORY}/state")
    run(tree, old, new, stock)
    assert content(tree) == wanted
    assert read_state(tree.root) is None


def test_an_environment_of_which_half_is_missing_is_made_whole(
    tree: Tree, old: Plan, new: Plan, stock: Stock, wanted: dict[str, bytes]
) -> None:
    os.unlink(f"{tree.root}/{SITE}/alpha/__init__.py")
    Path(tree.root, SITE, "alpha/new.py").write_text("edited")
    os.unlink(f"{tree.root}/{SITE}/beta-1.0.dist-info/RECORD")
    with hold(tree.root):
        work = compare_disk(tree, old, new, sites=(SITE,), keep=frozenset())
        apply(tree, new, work, blobs=stock.store.blobs, mode="hardlink", site=SITE)
    assert content(tree) == wanted


@pytest.mark.parametrize("text", [b"", b"\0" * 40, b"2 0 0\0bin/x"], ids=["empty", "zeros", "half"])
def test_a_list_that_did_not_reach_the_disk_is_no_decision(
    tree: Tree, old: Plan, new: Plan, stock: Stock, wanted: dict[str, bytes], text: bytes
) -> None:
    """What a power cut leaves of a file that nobody has synced."""
    begun = Path(tree.root, DIRECTORY, "change-1-ab")
    (begun / "new/bin").mkdir(parents=True)
    (begun / "list").write_bytes(text)
    with hold(tree.root):
        finish_changes(tree.root)
    assert not begun.exists()
    run(tree, old, new, stock)
    assert content(tree) == wanted
