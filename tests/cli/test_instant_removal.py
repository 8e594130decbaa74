"""What `--clear` replaces goes after the command has answered, and whoever stops that hurts nobody."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import Ran, eventually
from support.front_door import call_store
from support.soundness import flaws_of
from support.universe import Universe

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="held at Linux's ways to move and to fork")

# The process that removes a tree says who it is, and waits until it is told to go on.
HOOK = """
import os, shutil
rmtree = shutil.rmtree
def held(path, *arguments, **named):
    with open(os.environ["HELD"] + "/began", "w") as stream:
        stream.write(str(os.getpid()))
    with open(os.environ["HELD"] + "/gate") as stream:
        stream.read()
    rmtree(path, *arguments, **named)
shutil.rmtree = held
"""


class Removal:
    """The removal by the next `store` command, which is held."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        (directory / "sitecustomize.py").write_text(HOOK)
        os.mkfifo(directory / "began")
        os.mkfifo(directory / "gate")

    def after(self, *words: str, cwd: Path | None = None) -> Ran:
        """Call a `store` command after which something is removed."""
        return call_store(*words, cwd=cwd, STORE_DETACH="1", HELD=str(self._directory), PYTHONPATH=str(self._directory))

    def begun(self) -> int:
        """Wait for it; the process that is at it."""
        return int((self._directory / "began").read_text())

    def go_on(self) -> None:
        """Let it."""
        (self._directory / "gate").write_text("")


@pytest.fixture
def removal(tmp_path: Path) -> Removal:
    return Removal(tmp_path / "held")


@pytest.fixture
def synced(universe: Universe, full_store: Path, work: Path) -> Path:
    """An environment of the store, and a lock beside it."""
    universe.lock(work / "lock.txt", "alpha==1.0")
    assert call_store("sync", "lock.txt", "--no-index", "-f", universe.directory).status == 0
    return work / ".venv"


@pytest.fixture
def elsewhere(work: Path) -> Iterator[Path]:
    """A directory on another filesystem than the store."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shared.stat().st_dev == work.stat().st_dev:
        pytest.skip("there is no other filesystem at hand")
    with tempfile.TemporaryDirectory(dir=shared) as directory:
        yield Path(directory)


CLEARS = pytest.mark.parametrize("words", [["venv", "--clear"], ["sync", "lock.txt", "--clear"]], ids=" ".join)


@CLEARS
def test_the_command_answers_while_the_old_tree_is_still_there(
    words: list[str], synced: Path, removal: Removal, full_store: Path, work: Path, universe: Universe
) -> None:
    (synced / "mine").write_text("old")
    ran = removal.after(*words)  # all that it says is captured, so it has closed everything
    assert ran.status == 0, ran.stderr
    removal.begun()
    assert not (synced / "mine").exists()
    (old,) = (full_store / "trash").iterdir()
    assert (old / "mine").read_text() == "old"
    assert old.stat().st_mode & 0o777 == 0o700  # what was private in its place is private there
    assert call_store("gc").status == 0
    assert old.exists()  # as somebody is at it
    removal.go_on()
    eventually(lambda: not old.exists())
    assert sorted(os.listdir(work)) == [".venv", "lock.txt"]
    assert flaws_of(full_store, collected=True) == []


@CLEARS
def test_a_killed_removal_is_finished_by_gc(words: list[str], synced: Path, removal: Removal, full_store: Path) -> None:
    assert removal.after(*words).status == 0
    os.kill(removal.begun(), signal.SIGKILL)
    assert call_store("gc").status == 0
    assert list((full_store / "trash").iterdir()) == []
    assert flaws_of(full_store, collected=True) == []


def test_where_the_store_is_on_another_filesystem_it_waits_beside(
    full_store: Path, elsewhere: Path, removal: Removal
) -> None:
    assert call_store("venv", "env", cwd=elsewhere).status == 0
    (elsewhere / "env/mine").write_text("old")
    assert removal.after("venv", "env", "--clear", cwd=elsewhere).status == 0
    process = removal.begun()
    assert list((full_store / "trash").iterdir()) == []
    (old,) = elsewhere.glob(".env.*.tmp")
    assert (old / "mine").exists()
    # Somebody is at it, so the next command leaves it alone; and once he is killed, the next finishes.
    assert call_store("venv", "env", "--clear", cwd=elsewhere).status == 0
    assert list(elsewhere.glob(".env.*.tmp")) == [old]
    os.kill(process, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{process}/fd/0").exists())
    assert call_store("venv", "env", "--clear", cwd=elsewhere).status == 0
    assert os.listdir(elsewhere) == ["env"]


@CLEARS
def test_who_can_only_read_the_store_clears_as_well(
    words: list[str], synced: Path, full_store: Path, work: Path
) -> None:
    for path in (full_store, *full_store.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o555)
    (synced / "deep/er").mkdir(parents=True)
    (synced / "deep/er").chmod(0o555)
    try:
        ran = call_store(*words, powerless=True)
        assert ran.status == 0, ran.stderr
        assert not (synced / "deep").exists()
        assert sorted(os.listdir(work)) == [".venv", "lock.txt"]
        assert os.listdir(full_store / "trash") == []
    finally:
        for path in (full_store, *full_store.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)


def test_what_cannot_be_removed_is_no_failure(synced: Path, full_store: Path) -> None:
    if os.geteuid() or shutil.which("chattr") is None:
        pytest.skip("only root can make a file that root cannot remove")
    (synced / "mine").write_text("old")
    if os.system(f"chattr +i '{synced}/mine' 2> {os.devnull}"):
        pytest.skip("this filesystem knows no such files")
    try:
        ran = call_store("venv", "--clear")
        assert (ran.status, ran.errors) == (0, [])
        assert call_store("gc").status == 0
    finally:
        for left in (full_store / "trash").glob("*/mine"):
            os.system(f"chattr -i '{left}'")
    assert call_store("gc").status == 0
    assert list((full_store / "trash").iterdir()) == []
