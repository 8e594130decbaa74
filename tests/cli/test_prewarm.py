"""`store prewarm`: what is ready, for whom, how long; and environments that were spares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.commands import UV, Running, store_script
from support.front_door import FrontDoor, call_store
from support.mounts import mounted
from support.soundness import flaws_of, read_index
from support.trees import files_below
from support.universe import Universe

from wheelstore.cli import answering
from wheelstore.cli.goals import goal_of
from wheelstore.cli.registering import Goal
from wheelstore.store.index import open_index

pytestmark = pytest.mark.skipif(os.name == "nt", reason="held at what POSIX has")


class Yard:
    """A directory with locks, and a store that has all of their wheels."""

    def __init__(self, universe: Universe, work: Path, store: Path) -> None:
        self.work, self.store = work, store
        universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")
        universe.lock(work / "new.txt", "alpha==2.0", "gamma==1.0")
        self.sources = ("--no-index", "-f", str(universe.directory))

    def prewarm(self, *words: str, lock: str = "lock.txt") -> list[dict[str, object]]:
        """What is said to be ready after a prewarm."""
        ran = call_store("prewarm", lock, *words, "--json", *self.sources)
        assert ran.status == 0, ran.stderr
        found: list[dict[str, object]] = json.loads(ran.stdout).get("ready", [])
        return found

    def sync(self, *words: str, lock: str = "lock.txt", venv: str = ".venv") -> Path:
        """An environment."""
        ran = call_store("sync", lock, "--venv", venv, *words, *self.sources)
        assert ran.status == 0, ran.stderr
        return self.work / venv

    def spares(self) -> list[Path]:
        """The spares that are there."""
        return sorted((self.store / "spares").glob("*/*"))

    def rows(self) -> list[tuple[object, ...]]:
        """What shall be ready."""
        return read_index(self.store, "SELECT spares, mode FROM prewarmed ORDER BY 1, 2")


@pytest.fixture
def yard(universe: Universe, full_store: Path, work: Path) -> Yard:
    return Yard(universe, work, full_store)


def looks(venv: Path) -> dict[str, tuple[object, ...]]:
    """Every file and directory of an environment but what it knows of itself: mode, and for files all that counts."""
    found: dict[str, tuple[object, ...]] = {}
    for directory, _, _ in os.walk(venv):
        found[os.path.relpath(directory, venv)] = (os.stat(directory).st_mode,)
    for path in files_below(venv):
        name, status = path.relative_to(venv).as_posix(), path.lstat()
        linked = status.st_nlink > 1
        body: object = status.st_ino if linked else path.is_symlink() or path.read_bytes().replace(*_named(venv))
        found[name] = (status.st_mode, linked and status.st_mtime_ns, body)
    return {
        name: look
        for name, look in found.items()
        if not name.startswith(".wheelstore/") and not name.endswith("RECORD") and name not in ("pyvenv.cfg", ".lock")
    }


def _named(venv: Path) -> tuple[bytes, bytes]:
    return os.fsencode(venv.name), b"NAME"


def test_an_environment_from_a_spare_is_like_any_other(yard: Yard) -> None:
    ordinary = yard.sync(venv="one.env")
    plain, compiled = yard.prewarm("--spares", "1")
    assert (plain["spares"], plain["made"], plain["bytecode"]) == (1, 1, "")
    assert (compiled["spares"], compiled["image"] is not None, compiled["bytecode"]) == (0, True, "0")
    (spare,) = yard.spares()
    identity = spare.stat().st_ino
    taken = yard.sync(venv="two.env")
    assert taken.stat().st_ino == identity
    assert yard.spares() == []
    assert looks(taken) == looks(ordinary)
    for record in ordinary.rglob("RECORD"):
        other = taken / record.relative_to(ordinary)
        assert len(record.read_text().splitlines()) == len(other.read_text().splitlines())
    listed = subprocess.run(
        [UV, "pip", "check", "--python", f"{taken}/bin/python"], capture_output=True, text=True, check=False
    )
    assert listed.returncode == 0, listed.stderr
    assert read_index(yard.store, "SELECT DISTINCT mode FROM environments") == [("hardlink",)]


def test_what_becomes_of_it_later(yard: Yard) -> None:
    yard.prewarm("--spares", "1")
    venv = yard.sync()
    before = looks(venv)
    again = call_store("sync", "lock.txt")
    assert "Audited 2 packages" in again.stderr
    yard.sync(lock="new.txt")
    python = f"{venv}/bin/python"
    code = "import alpha, gamma; print(alpha.value)"
    assert subprocess.check_output([python, "-c", code], text=True) == "2\n"
    assert not (venv / "share/beta/beta.txt").exists()
    assert call_store("rollback").status == 0
    assert looks(venv) == before
    gone = subprocess.run([UV, "pip", "uninstall", "--python", python, "alpha"], check=False, capture_output=True)
    assert gone.returncode == 0
    assert not list(venv.glob("lib/*/site-packages/alpha*"))
    yard.sync()
    assert looks(venv) == before
    assert call_store("verify").status == 0
    assert flaws_of(yard.store, collected=False) == []


def test_clear_takes_one_too(yard: Yard) -> None:
    venv = yard.sync(lock="new.txt")
    yard.prewarm("--spares", "2")
    (venv / "mine").write_text("old")
    yard.sync("--clear")
    assert len(yard.spares()) == 1
    assert not (venv / "mine").exists()
    assert subprocess.check_output([f"{venv}/bin/beta-tool"], text=True) == "1.0\n"


def test_a_warm_sync_from_a_spare_needs_no_click(yard: Yard) -> None:
    broken = yard.work / "broken"
    broken.mkdir()
    for name in ("click", "httpcore", "rich"):
        (broken / f"{name}.py").write_text("raise SystemError('imported')")
    yard.prewarm("--spares", "1")
    ran = call_store("sync", "lock.txt", PYTHONPATH=str(broken))
    assert ran.status == 0, ran.stderr
    assert yard.spares() == []


def test_syncs_that_want_the_last_spare(yard: Yard) -> None:
    yard.prewarm("--spares", "2")
    words = [store_script(), "sync", "lock.txt", *yard.sources, "--venv"]
    running = [Running([*words, f"{number}.env"], environ={**os.environ}, cwd=yard.work) for number in range(4)]
    ended = [one.finish() for one in running]
    assert [one.status for one in ended] == [0] * 4, ended
    assert yard.spares() == []
    environments = [yard.work / f"{number}.env" for number in range(4)]
    for environment in environments[1:]:
        assert looks(environment) == looks(environments[0])
    assert flaws_of(yard.store, collected=False) == []


@pytest.fixture
def elsewhere(work: Path) -> Iterator[Path]:
    """A directory on another filesystem than the store."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shared.stat().st_dev == work.stat().st_dev:
        pytest.skip("there is no other filesystem at hand")
    with tempfile.TemporaryDirectory(dir=shared) as directory:
        yield Path(directory)


def test_a_spare_on_another_filesystem_stays_where_it_is(yard: Yard, elsewhere: Path) -> None:
    yard.prewarm("--spares", "1")
    for _ in range(2):  # by the front door, then in full
        venv = yard.sync("--clear", venv=str(elsewhere / "env"))
        assert subprocess.check_output([f"{venv}/bin/beta-tool"], text=True) == "1.0\n"
        assert len(yard.spares()) == 1
        assert os.listdir(elsewhere) == ["env"]
    assert read_index(yard.store, "SELECT mode FROM environments") == [("copy",)]


@pytest.mark.parametrize("mode", ["copy", "clone", "layered"])
def test_a_spare_of_another_mode_stays_where_it_is(yard: Yard, mode: str) -> None:
    yard.prewarm("--spares", "1")
    venv = yard.sync("--link-mode", mode)
    assert len(yard.spares()) == 1
    assert subprocess.check_output([f"{venv}/bin/beta-tool"], text=True) == "1.0\n"


def test_spares_are_of_the_mode_that_was_said_last(yard: Yard) -> None:
    assert yard.prewarm("--spares", "2")[0]["link_mode"] == "hardlink"
    before = yard.spares()
    assert yard.prewarm("--link-mode", "clone")[0]["made"] == 2
    assert len(yard.spares()) == 2
    assert not set(before) & set(yard.spares())
    assert os.listdir(yard.store / "trash") == []
    assert yard.prewarm()[0]["made"] == 0
    yard.sync("--link-mode", "hardlink", venv="ordinary")
    assert len(yard.spares()) == 2
    yard.sync(venv="any")
    assert read_index(yard.store, "SELECT mode FROM environments ORDER BY path") == [("clone",), ("hardlink",)]
    assert len(yard.spares()) == 1


def test_how_many(yard: Yard) -> None:
    assert [one["spares"] for one in yard.prewarm()] == [0, 0]
    assert yard.rows() == [(0, "hardlink"), (0, "hardlink")]
    assert yard.prewarm("--spares", "3")[0]["made"] == 3
    yard.sync()
    plain = yard.prewarm()[0]
    assert (plain["spares"], plain["made"]) == (3, 1)
    assert yard.prewarm("--spares", "1")[0]["spares"] == 1
    assert len(yard.spares()) == 1
    assert yard.prewarm("--spares", "0")[0]["spares"] == 0
    assert yard.spares() == []
    assert len(yard.rows()) == 2
    assert os.listdir(yard.store / "trash") == []


def test_several_at_once_make_no_more_than_are_wanted(yard: Yard) -> None:
    yard.prewarm()
    words = [store_script(), "prewarm", "lock.txt", "--spares", "3", *yard.sources]
    running = [Running(words, environ={**os.environ}, cwd=yard.work) for _ in range(3)]
    assert [one.finish().status for one in running] == [0, 0, 0]
    assert len(yard.spares()) == 3
    assert os.listdir(yard.store / "tmp") == []


@pytest.mark.parametrize(
    ("words", "bytecodes"),
    [([], ["", "0"]), (["--compile-bytecode"], ["0"]), (["--no-compile-bytecode"], [""]), (["--optimize", "2"], ["2"])],
)
def test_which_bytecode_is_ready(yard: Yard, words: list[str], bytecodes: list[str]) -> None:
    ready = yard.prewarm("--spares", "1", *words)
    assert [one["bytecode"] for one in ready] == bytecodes
    assert ready[0]["spares"] == 1
    assert ready[-1]["image"] is not None
    yard.sync(*words)
    assert yard.spares() == []


def test_what_is_ready_stays_through_gc_and_needs_no_network(yard: Yard, universe: Universe) -> None:
    yard.prewarm("--spares", "1")
    images = os.listdir(yard.store / "images")
    assert call_store("gc", "--grace", "0s").status == 0
    assert os.listdir(yard.store / "images") == images
    assert len(yard.spares()) == 1
    for words in (["sync", "lock.txt"], ["sync", "lock.txt", "--venv", "layered", "--link-mode", "layered"]):
        assert call_store(*words, "--offline", "--no-index").status == 0
    assert call_store("run", "lock.txt", "--offline", "--no-index", "--", "beta-tool").stdout == "1.0\n"
    assert flaws_of(yard.store, collected=False) == []


@pytest.mark.parametrize("change", ["nothing", "another lock", "gone"])
def test_nothing_is_kept_ready_after_drop(yard: Yard, universe: Universe, change: str) -> None:
    yard.prewarm("--spares", "2", "--optimize", "1")
    yard.prewarm("--spares", "1")
    yard.prewarm("--spares", "1", lock="new.txt")
    if change == "another lock":
        universe.lock(yard.work / "lock.txt", "alpha==1.0")
    elif change == "gone":
        (yard.work / "lock.txt").unlink()
    ran = call_store("prewarm", "lock.txt", "--drop", "--json")
    assert (ran.status, json.loads(ran.stdout)["dropped"]) == (0, 3), ran.stderr
    assert len(yard.rows()) == 2
    assert len(yard.spares()) == 1
    assert os.listdir(yard.store / "trash") == []
    assert call_store("gc", "--grace", "0s").status == 0
    assert len(os.listdir(yard.store / "images")) == 1
    assert "Nothing was kept ready" in call_store("prewarm", "lock.txt", "--drop").stderr
    assert flaws_of(yard.store, collected=True) == []


def test_the_first_is_kept_before_the_second_is_made(
    store: FrontDoor, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []

    def spy(*arguments: Any, **words: Any) -> Goal:
        kept.append(len(yard.rows()))
        return goal_of(*arguments, **words)

    monkeypatch.setattr(answering, "goal_of", spy)
    assert store("prewarm", "lock.txt", *yard.sources).status == 0
    assert kept == [0, 1]


def test_a_lock_from_elsewhere_is_not_what_came_from_there_before(yard: Yard) -> None:
    yard.prewarm()
    with open_index(str(yard.store / "index.sqlite3")) as index, index.writing():
        for row in index.all_prewarmed():
            index.put_prewarmed(row._replace(source="-"))
    ran = call_store("prewarm", "-", "--drop", "--json")
    assert (ran.status, json.loads(ran.stdout)["dropped"]) == (0, 0), ran.stderr
    assert len(yard.rows()) == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names are any bytes on Linux")
def test_a_lock_of_any_name(yard: Yard) -> None:
    name = "lock\udcff.txt"
    (yard.work / "lock.txt").rename(yard.work / name)
    yard.prewarm("--spares", "1", lock=name)
    (yard.work / name).unlink()
    assert json.loads(call_store("prewarm", name, "--drop", "--json").stdout)["dropped"] == 2


def test_what_it_says(yard: Yard) -> None:
    first = call_store("prewarm", "lock.txt", "--spares", "2", *yard.sources)
    assert first.stdout == ""
    assert first.stderr.splitlines()[-1].startswith("Prewarmed 2 packages in ")
    assert first.stderr.splitlines()[-1].endswith(": an image, 2 spares (2 new)")
    again = call_store("prewarm", "lock.txt", *yard.sources)
    assert again.stderr.splitlines()[-1].endswith(": an image, 2 spares")
    assert call_store("prewarm", "lock.txt", "-q", *yard.sources).stderr == ""


def test_a_store_of_someone_else_is_not_for_us_to_fill(yard: Yard) -> None:
    yard.prewarm()
    directories = [path for path in (yard.store, *yard.store.rglob("*")) if path.is_dir() and not path.is_symlink()]
    modes = {path: path.stat().st_mode for path in directories}
    for path in directories:
        path.chmod(0o555)
    try:
        ran = call_store("prewarm", "lock.txt", powerless=True)
        assert (ran.status, len(ran.errors), len(ran.hints)) == (1, 1, 1)
        assert "read-only" in ran.errors[0]
    finally:
        for path, mode in modes.items():
            path.chmod(mode & 0o7777)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="held at Linux's modes")
def test_directories_of_spares_can_be_written_to(yard: Yard) -> None:
    yard.prewarm("--spares", "1")
    (spare,) = yard.spares()
    modes = {os.stat(directory).st_mode & 0o777 for directory, _, _ in os.walk(spare)}
    umask = os.umask(0o22)
    os.umask(umask)
    assert modes == {0o777 & ~umask}


def test_on_btrfs_every_sync_has_an_image(yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mounted("btrfs", tmp_path / "disk", megabytes=256) as disk:
        monkeypatch.setenv("STORE_DIR", str(disk / "store"))
        here = Yard.__new__(Yard)
        here.work, here.store, here.sources = disk, disk / "store", yard.sources
        lock = str(yard.work / "lock.txt")
        ready = here.prewarm("--link-mode", "clone", "--spares", "1", lock=lock)
        assert [one["image"] for one in ready] == ["subvolume", "subvolume"]
        for name in ("spare", "snapshot"):  # the second finds no spare left
            venv = here.sync(lock=lock, venv=str(disk / name))
            assert subprocess.check_output([f"{venv}/bin/beta-tool"], text=True) == "1.0\n"
        assert read_index(here.store, "SELECT mode FROM environments ORDER BY path") == [("snapshot",), ("clone",)]
        assert call_store("run", lock, "beta-tool").stdout == "1.0\n"
        assert os.listdir(here.store / "tmp") == []
