from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.front_door import FrontDoor
from support.interpreters import facts_of
from support.places import cpythons
from support.trees import status_below
from support.universe import Universe
from support.wheels import sha256_of

from wheelstore.materialize.interpreter import Interpreter
from wheelstore.store.index import Index, open_index

FACTS = facts_of(sys.executable)

_KILLED = """
import os, signal, sys
from wheelstore.materialize import change

move, left = change._move, int(sys.argv[1])

def move_or_die(source, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return move(source, target)

change._move = move_or_die
sys.argv = ["store", *sys.argv[2:]]
from wheelstore.cli.front import script
script()
"""


def killed_after(moves: int, *words: str) -> None:
    """Run the command, and kill it in the middle of a change that is decided, after so many moves."""
    assert subprocess.run([sys.executable, "-c", _KILLED, str(moves), *words]).returncode == -signal.SIGKILL


@pytest.fixture
def venv(work: Path) -> Path:
    return work / ".venv"


def sync(store: FrontDoor, universe: Universe, lock: str, *spellings: str, options: tuple[str, ...] = ()) -> None:
    """Make the environment hold these, by the lock of that name."""
    universe.lock(Path(lock), *spellings)
    ran = store("sync", lock, "--offline", *options)
    assert ran.status == 0, ran.stderr


@pytest.fixture
def three(store: FrontDoor, universe: Universe, full_store: Path) -> None:
    """An environment with three generations."""
    sync(store, universe, "first.txt", "alpha==1.0", "beta==1.0")
    sync(store, universe, "second.txt", "alpha==2.0", "beta==1.0")
    sync(store, universe, "third.txt", "alpha==2.0", "gamma==1.0")


def installed(venv: Path) -> set[str]:
    """What the metadata in the environment says, ``name==version``."""
    names = (path.name.removesuffix(".dist-info") for path in venv.glob("lib/python*/site-packages/*.dist-info"))
    return {"==".join(name.split("-")) for name in names}


def at(store: FrontDoor, venv: Path) -> tuple[int, list[int]]:
    """The environment's current generation, and all of them."""
    (one,) = json.loads(store("envs", str(venv), "--json").stdout)
    assert [stage["current"] for stage in one["generations"]].count(True) == 1
    return one["generation"], [stage["number"] for stage in one["generations"]]


def index_of(root: Path) -> Index:
    return open_index(str(root / "index.sqlite3"))


@pytest.mark.usefixtures("three")
def test_back_to_what_it_was_before(store: FrontDoor, venv: Path, work: Path) -> None:
    ran = store("rollback")
    assert (ran.status, ran.stdout) == (0, "")
    lines = ran.stderr.splitlines()
    assert [line.split(" in ")[0] for line in lines[:2]] == ["Uninstalled 1 package", "Installed 1 package"]
    assert lines[2:4] == [" + beta==1.0", " - gamma==1.0"]
    assert lines[4].startswith("Rolled back .venv to generation 2 of 20")
    assert lines[4].endswith(f", {work}/second.txt")
    assert installed(venv) == {"alpha==2.0", "beta==1.0"}
    assert at(store, venv) == (2, [1, 2, 3])


@pytest.mark.usefixtures("three")
def test_twice_in_a_row_goes_back_twice_and_then_no_further(store: FrontDoor, venv: Path) -> None:
    assert [store("rollback").status for _ in range(2)] == [0, 0]
    assert installed(venv) == {"alpha==1.0", "beta==1.0"}
    ran = store("rollback")
    assert (ran.status, ran.errors) == (1, [f"{venv} is at generation 1, and there is none before it"])
    assert ran.hints == ["it has 1 (the current one), 2 and 3; name one with --to"]


@pytest.mark.usefixtures("three")
def test_to_any_generation_and_forth_again(store: FrontDoor, venv: Path) -> None:
    assert store("rollback", "--to", "1").status == 0
    assert (installed(venv), at(store, venv)[0]) == ({"alpha==1.0", "beta==1.0"}, 1)
    assert store("rollback", "--to", "3").status == 0
    assert (installed(venv), at(store, venv)) == ({"alpha==2.0", "gamma==1.0"}, (3, [1, 2, 3]))


@pytest.mark.usefixtures("three")
def test_a_generation_that_there_is_not(store: FrontDoor, venv: Path) -> None:
    before = status_below(venv)
    ran = store("rollback", "--to", "7")
    assert (ran.status, ran.errors) == (1, [f"{venv} has no generation 7"])
    assert ran.hints == ["it has 1, 2 and 3 (the current one); name one with --to"]
    assert store("rollback", "--to", "0").status == 2
    assert status_below(venv) == before


@pytest.mark.usefixtures("three")
def test_a_sync_of_the_same_lock_has_nothing_to_do_then(store: FrontDoor, venv: Path) -> None:
    assert store("rollback").status == 0
    before = status_below(venv)
    assert store("sync", "second.txt", "--offline").stderr.startswith("Audited 2 packages")
    assert (status_below(venv), at(store, venv)) == (before, (2, [1, 2, 3]))


@pytest.mark.usefixtures("three")
def test_a_sync_of_something_else_comes_after_the_last_generation(
    store: FrontDoor, universe: Universe, venv: Path
) -> None:
    assert store("rollback", "--to", "1").status == 0
    sync(store, universe, "fourth.txt", "delta==1.0")
    assert at(store, venv) == (4, [1, 2, 3, 4])
    assert store("rollback").status == 0
    assert at(store, venv)[0] == 3


@pytest.mark.usefixtures("three")
def test_a_rehearsal_changes_nothing(store: FrontDoor, venv: Path) -> None:
    before = status_below(venv)
    ran = store("rollback", "--dry-run")
    assert ran.status == 0
    assert ran.stderr.splitlines()[:4] == [
        *(line for line in ran.stderr.splitlines()[:2] if line.startswith("Would ")),
        *(" + beta==1.0", " - gamma==1.0"),
    ]
    assert ran.stderr.splitlines()[4].startswith("Would roll back .venv to generation 2 of ")
    assert (status_below(venv), at(store, venv)[0]) == (before, 3)


@pytest.mark.usefixtures("three")
def test_as_json(store: FrontDoor, venv: Path, work: Path) -> None:
    ran = store("rollback", "--json")
    told = json.loads(ran.stdout)
    assert (ran.stderr, told["environment"], told["generation"]) == ("", str(venv), 2)
    assert (told["source"], told["dry_run"], told["packages"]) == (f"{work}/second.txt", False, 2)
    assert told["added"] == [{"name": "beta", "version": "1.0"}]
    assert told["removed"] == [{"name": "gamma", "version": "1.0"}]


@pytest.mark.usefixtures("three")
def test_quietly(store: FrontDoor) -> None:
    ran = store("rollback", "-q")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.usefixtures("three")
def test_after_others_have_changed_the_environment(store: FrontDoor, venv: Path) -> None:
    """As pip does: a file edited, one removed, a distribution added."""
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "alpha/__init__.py").unlink()
    (site / "zulu-1.0.dist-info").mkdir()
    (site / "zulu-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: zulu\nVersion: 1.0\n")
    (site / "zulu-1.0.dist-info/RECORD").write_text("zulu-1.0.dist-info/METADATA,,\nzulu-1.0.dist-info/RECORD,,\n")
    assert store("rollback").status == 0
    assert installed(venv) == {"alpha==2.0", "beta==1.0"}
    assert (site / "alpha/__init__.py").read_bytes() == b"value = 2\n"
    assert store("sync", "second.txt", "--offline").stderr.startswith("Audited 2 packages")


@pytest.mark.usefixtures("three")
def test_after_a_sync_that_failed(store: FrontDoor, universe: Universe, venv: Path) -> None:
    universe.lock(Path("conflict.txt"), "delta==1.0", "echo==1.0")
    assert store("sync", "conflict.txt", "--offline").status == 1
    assert store("rollback").status == 0
    assert (installed(venv), at(store, venv)) == ({"alpha==2.0", "beta==1.0"}, (2, [1, 2, 3]))


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("moves", [0, 1, 3])
def test_a_rollback_that_was_killed_is_finished_by_the_next(store: FrontDoor, venv: Path, moves: int) -> None:
    killed_after(moves, "rollback", "--to", "1")
    assert store("rollback", "--to", "1").status == 0
    assert (installed(venv), at(store, venv)) == ({"alpha==1.0", "beta==1.0"}, (1, [1, 2, 3]))
    assert not [*(venv / ".wheelstore").glob("change-*")]
    assert store("sync", "first.txt", "--offline").stderr.startswith("Audited 2 packages")


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.usefixtures("three")
def test_a_sync_that_was_killed_is_taken_back(store: FrontDoor, universe: Universe, venv: Path) -> None:
    universe.lock(Path("fourth.txt"), "delta==1.0")
    killed_after(1, "sync", "fourth.txt", "--offline")
    assert store("rollback", "--to", "3").status == 0
    assert (installed(venv), at(store, venv)[0]) == ({"alpha==2.0", "gamma==1.0"}, 3)


@pytest.mark.usefixtures("three")
def test_an_environment_that_was_moved(store: FrontDoor, venv: Path, work: Path) -> None:
    os.rename(venv, work / "moved")
    assert store("rollback", "--venv", "moved").status == 0
    assert installed(work / "moved") == {"alpha==2.0", "beta==1.0"}
    assert at(store, work / "moved") == (2, [1, 2, 3])
    beta = subprocess.run([work / "moved/bin/beta-tool"], capture_output=True, text=True, check=True)
    assert beta.stdout == "1.0\n"
    assert len(store("envs").stdout.splitlines()) == 1


@pytest.mark.usefixtures("three")
def test_a_copy_of_an_environment_begins_a_history_of_its_own(store: FrontDoor, venv: Path, work: Path) -> None:
    subprocess.run(["cp", "-a", venv, work / "copy"], check=True)
    assert store("rollback", "--venv", "copy").status == 0
    assert (installed(work / "copy"), at(store, work / "copy")) == ({"alpha==2.0", "beta==1.0"}, (1, [1]))
    assert at(store, venv) == (3, [1, 2, 3])


@pytest.mark.usefixtures("three")
def test_a_plan_that_was_dropped_is_made_again(store: FrontDoor, venv: Path, full_store: Path) -> None:
    with index_of(full_store) as index, index.writing():
        assert [*index.stream("UPDATE manifests SET plan = x''")] == []
    assert store("rollback").status == 0
    assert installed(venv) == {"alpha==2.0", "beta==1.0"}
    assert store("sync", "second.txt", "--offline").stderr.startswith("Audited 2 packages")


@pytest.mark.usefixtures("three")
def test_wheels_that_were_collected(store: FrontDoor, universe: Universe, venv: Path, full_store: Path) -> None:
    before = status_below(venv)
    with index_of(full_store) as index, index.writing():
        beta = (sha256_of(universe.wheels["beta==1.0"]),)
        assert [*index.stream("UPDATE manifests SET plan = x''")] == []
        assert [*index.stream("DELETE FROM wheels WHERE sha256 = ?", beta)] == []
    ran = store("rollback")
    assert ran.errors == [f"generation 2 of {venv} cannot come back: beta 1.0 was collected since"]
    assert ran.hints == [f"sync its lock again: {venv.parent}/second.txt"]
    with index_of(full_store) as index, index.writing():
        assert [*index.stream("DELETE FROM manifests")] == []
    assert store("rollback").errors == [f"generation 2 of {venv} cannot come back: what it needs was collected since"]
    assert status_below(venv) == before


# what cannot be rolled back


def test_where_no_environment_is(store: FrontDoor, full_store: Path, work: Path) -> None:
    (work / "files").mkdir()
    (work / "files/one").write_text("")
    for name in (".venv", "files"):
        ran = store("rollback", "--venv", name)
        assert (ran.status, ran.errors) == (1, [f"there is no environment at {work}/{name}"])
    assert ran.hints == ["name one with --venv; store envs lists those that there are"]


def test_an_environment_of_another_tool(store: FrontDoor, full_store: Path, venv: Path) -> None:
    subprocess.run([FACTS.executable, "-m", "venv", "--without-pip", venv], check=True)
    ran = store("rollback")
    assert ran.errors == [f"the store {full_store} has no history of the environment {venv}"]
    assert ran.hints == ["sync it first"]


@pytest.mark.usefixtures("three")
def test_an_environment_of_another_store(store: FrontDoor, full_store: Path, venv: Path, tmp_path: Path) -> None:
    for there in (False, True):
        if there:
            assert store("venv", "elsewhere", "--store", tmp_path / "other").status == 0
        ran = store("rollback", "--store", tmp_path / "other")
        assert ran.errors == [f"the store {tmp_path}/other has no history of the environment {venv}"]
        assert ran.hints == [f"it was made from the store {full_store}: name that with --store"]
        assert (tmp_path / "other").exists() is there


@pytest.mark.usefixtures("three")
def test_a_forgotten_environment(store: FrontDoor, full_store: Path, venv: Path) -> None:
    assert store("forget", ".venv").status == 0
    assert store("rollback").errors == [f"the store {full_store} has no history of the environment {venv}"]


def test_the_first_generation_has_none_before_it(
    store: FrontDoor, universe: Universe, full_store: Path, venv: Path
) -> None:
    sync(store, universe, "first.txt", "alpha==1.0")
    ran = store("rollback")
    assert ran.errors == [f"{venv} is at generation 1, and there is none before it"]
    assert ran.hints == ["it has no other"]


# another Python


def other_python() -> Interpreter:
    """A Python of this machine that is not the one that runs."""
    for facts in cpythons().values():
        if facts.release != FACTS.release:
            return facts
    pytest.skip("needs a second Python")


def test_back_to_another_python(store: FrontDoor, universe: Universe, full_store: Path, venv: Path) -> None:
    other = other_python()
    sync(store, universe, "first.txt", "alpha==1.0", options=("--python", other.executable))
    sync(store, universe, "second.txt", "alpha==2.0", options=("--clear",))
    assert at(store, venv) == (2, [1, 2])
    assert store("rollback").status == 0
    version = subprocess.run(
        [venv / "bin/python", "-c", "import alpha, platform; print(platform.python_version(), alpha.value)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout == f"{other.version} 1\n"
    assert len([*venv.glob("lib/python*")]) == 1
    assert at(store, venv) == (1, [1, 2])
    assert store("sync", "first.txt", "--offline", "--python", other.executable).stderr.startswith("Audited 1 package")


def test_a_python_that_is_gone(store: FrontDoor, universe: Universe, full_store: Path, venv: Path) -> None:
    other = other_python()
    sync(store, universe, "first.txt", "alpha==1.0", options=("--python", other.executable))
    sync(store, universe, "second.txt", "alpha==2.0", options=("--clear",))
    with index_of(full_store) as index, index.writing():
        (first, _) = index.generations(index.environments()[0].id)
        index.put_generation(first._replace(interpreter="/nowhere/python3"))
    before = status_below(venv)
    ran = store("rollback")
    (error,) = ran.errors
    assert error.startswith(f"generation 1 of {venv} needs Python {other.version}: ")
    assert "/nowhere/python3" in error
    assert ran.hints == ["sync its lock again, with a --python that there is"]
    with index_of(full_store) as index, index.writing():
        index.put_generation(first._replace(interpreter=FACTS.executable))
    assert store("rollback").errors == [
        f"generation 1 of {venv} needs Python {other.version}: {FACTS.executable} is Python {FACTS.version} now"
    ]
    assert status_below(venv) == before


# what gc leaves


@pytest.mark.usefixtures("three")
def test_gc_leaves_the_generation_before(store: FrontDoor, venv: Path) -> None:
    assert store("gc").status == 0
    assert at(store, venv) == (3, [2, 3])
    assert store("rollback").status == 0
    assert installed(venv) == {"alpha==2.0", "beta==1.0"}
    ran = store("rollback")
    assert (ran.status, ran.errors) == (1, [f"{venv} is at generation 2, and there is none before it"])


def test_an_environment_that_takes_the_place_of_another_goes_on_with_its_history(
    store: FrontDoor, universe: Universe, full_store: Path, venv: Path
) -> None:
    sync(store, universe, "first.txt", "alpha==1.0")
    assert store("venv", "--clear").status == 0
    assert (installed(venv), at(store, venv)) == (set(), (2, [1, 2]))
    assert store("rollback").status == 0
    assert (installed(venv), at(store, venv)) == ({"alpha==1.0"}, (1, [1, 2]))


def test_what_an_environment_is_like_stays_when_its_python_changes(
    store: FrontDoor, universe: Universe, full_store: Path, venv: Path
) -> None:
    other = other_python()
    options = ("--prompt", "demo", "--system-site-packages")
    assert store("venv", "--python", other.executable, *options).status == 0
    assert store("venv", "--clear", *options).status == 0
    assert store("rollback").status == 0
    config = (venv / "pyvenv.cfg").read_text()
    assert f"version = {other.version}\n" in config
    assert "prompt = demo\n" in config
    assert "include-system-site-packages = true\n" in config
