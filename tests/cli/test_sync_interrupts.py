"""Ctrl-C, wherever it is heard: exit 130, the environment as it was or as it is to be, nothing left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import Ran, store_script
from support.front_door import FrontDoor
from support.interpreters import facts_of
from support.servers import Fault, IndexServer
from support.trees import status_below, store_snapshot
from support.universe import Universe
from support.wheels import make_wheel, sha256_of

from wheelstore.materialize import change, fresh, link, tree
from wheelstore.store.index import Index

FACTS = facts_of(sys.executable)
SAID = "interrupted; nothing was left half-done"


@pytest.fixture
def venv(work: Path) -> Path:
    return work / ".venv"


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def interrupted_when(condition: Callable[[], object], *words: object, signals: int = 1) -> Ran:
    """Start the command in a session of its own, and press Ctrl-C once (or more often) the condition holds."""
    process = subprocess.Popen(
        [store_script(), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: condition() or process.poll() is not None)
        for _ in range(signals):
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    return Ran(status=process.returncode, stdout=out, stderr=err)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("existing", [False, True])
def test_while_downloading_and_the_next_sync_goes_on_from_there(
    store: FrontDoor, universe: Universe, work: Path, venv: Path, full_store: Path, tmp_path: Path, existing: bool
) -> None:
    wheels = tmp_path / "wheels"
    large = make_wheel(wheels, "hotel", files={"hotel.bin": os.urandom(600_000)})
    small = make_wheel(wheels, "india")
    lock = work / "lock.txt"
    if existing:
        universe.lock(lock, "alpha==1.0")
        assert store("sync", lock, "--no-index", "-f", universe.directory).status == 0
    lock.write_text("".join(f"{w.name.split('-')[0]}==1.0 --hash=sha256:{sha256_of(w)}\n" for w in (large, small)))
    before = status_below(work), store_snapshot(full_store)
    with IndexServer(wheels) as index:
        index.fault(large.name, Fault(stall_after=300_000, times=1))
        words = ["sync", lock, "--index-url", index.index_url]
        partial = full_store / f"tmp/{sha256_of(large)}.whl"
        ran = interrupted_when(lambda: partial.exists() and partial.stat().st_size >= 200_000, *words)
        assert (ran.status, ran.errors, ran.stdout) == (130, [SAID], "")
        assert (status_below(work), store_snapshot(full_store)) == before
        left = {path.name for path in (full_store / "tmp").iterdir()}
        assert partial.name in left
        assert left <= {partial.name, f"{sha256_of(small)}.whl"}
        done = store_process(*words)
        assert (done.status, done.stderr.splitlines()[-1]) == (0, " + india==1.0")
        first, second = index.requests_for(large.name)
        assert first.range is None
        assert second.range is not None
        assert second.range.startswith("bytes=")
        assert os.listdir(full_store / "tmp") == []
    assert (venv / FACTS.purelib / "hotel.bin").stat().st_size == 600_000


def store_process(*words: object) -> Ran:
    done = subprocess.run([store_script(), *map(str, words)], capture_output=True, text=True, check=False)
    return Ran(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_while_asking_the_index(universe: Universe, work: Path, index: IndexServer) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    index.fault("alpha", Fault(stall_after=10))
    ran = interrupted_when(lambda: index.requests_for("alpha"), "sync", lock, "--index-url", index.index_url, signals=2)
    assert (ran.status, ran.errors) == (130, [SAID])
    assert os.listdir(work) == ["lock.txt"]


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_while_an_interpreter_answers(work: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\ntouch '{started}'\nexec sleep 60\n")
    python.chmod(0o755)
    ran = interrupted_when(started.exists, "venv", "-p", python)
    assert (ran.status, ran.errors) == (130, [SAID])
    assert os.listdir(work) == []


@pytest.fixture
def lock(store: FrontDoor, universe: Universe, work: Path, full_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock that needs nothing from anywhere."""
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))
    return universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0", "gamma==1.0")


def press_in(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *, at: int) -> pytest.MonkeyPatch:
    """Press Ctrl-C in the `at`-th call of a function, before it does anything."""
    real, calls = getattr(owner, name), []

    def press(*arguments: object, **named: object) -> object:
        calls.append(name)
        if len(calls) == at:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, press)
    return monkeypatch


MOMENTS = [
    (fresh.FreshEnvironment, "__enter__", 1),
    (link.Linker, "run", 1),
    (os, "link", 1),
    (os, "link", 9),
    (tree, "write_file", 2),
    (fresh.FreshEnvironment, "publish", 1),
    (os, "rename", 1),
    (Index, "put_environment", 1),
]


@pytest.mark.parametrize(("owner", "name", "at"), MOMENTS, ids=str)
@pytest.mark.parametrize("command", ["sync", "sync --clear", "venv"])
def test_while_a_new_environment_is_made(
    store: FrontDoor, lock: Path, work: Path, owner: object, name: str, at: int, command: str
) -> None:
    words = [*command.split(), *([lock] if "sync" in command else [])]
    if "clear" in command:
        (work / ".venv").mkdir()
        (work / ".venv/mine").touch()
    before = status_below(work)
    with pytest.MonkeyPatch.context() as patch:
        press_in(patch, owner, name, at=at)
        ran = store(*words)
    if ran.status == 0:  # this command does not come there
        return
    assert (ran.status, ran.errors, ran.stdout) == (130, [SAID], "")
    if name != "rename" or "clear" not in command:
        assert status_below(work).keys() == before.keys()
    assert sorted(os.listdir(work)) in ([".venv", "lock.txt"], ["lock.txt"])
    assert store(*words).status == 0


CHANGES = [
    (link.Linker, "run", 1),
    (os, "link", 1),
    (os, "link", 3),
    (os, "link", 5),
    (os, "replace", 1),
    (os, "replace", 2),
    (os, "unlink", 1),
    (os, "unlink", 3),
    (os, "rmdir", 1),
    (change, "write_file", 1),
    (change, "_decide", 1),
    (change, "_finish", 1),
    (change, "_move", 1),
    (change, "_move", 2),
    (os, "rename", 1),
    (os, "scandir", 1),
    (change, "_clear", 1),
    (Index, "put_environment", 1),
]


@pytest.mark.parametrize(("owner", "name", "at"), CHANGES, ids=str)
@pytest.mark.parametrize("then", ["forward", "back"])
def test_while_an_environment_is_changed_and_the_next_sync_puts_it_right(
    store: FrontDoor,
    universe: Universe,
    lock: Path,
    work: Path,
    venv: Path,
    owner: object,
    name: str,
    at: int,
    then: str,
) -> None:
    other = universe.lock(work / "other.txt", "alpha==2.0", "beta==1.0", "pip==99.0")
    wanted = {}
    for one in (other, lock):
        store("sync", one)
        wanted[one] = modes(venv)
    with pytest.MonkeyPatch.context() as patch:
        press_in(patch, owner, name, at=at)
        ran = store("sync", other)
    assert (ran.status, ran.errors) == (130, [SAID])
    assert modes(venv) in (wanted[lock], wanted[other])
    goal = other if then == "forward" else lock
    assert store("sync", goal).status == 0
    assert modes(venv) == wanted[goal]
    check_content(venv, universe, "2" if goal is other else "1")
    assert store("sync", goal).stderr.startswith("Audited 3 packages")


def modes(venv: Path) -> dict[str, int]:
    return {path: status.mode for path, status in status_below(venv).items() if path != ".wheelstore/lock"}


def check_content(venv: Path, universe: Universe, version: str) -> None:
    assert (venv / FACTS.purelib / "alpha/__init__.py").read_text() == f"value = {version}\n"
    for record in (venv / FACTS.purelib).glob("*.dist-info/RECORD"):
        for line in record.read_text().splitlines():
            assert (venv / FACTS.purelib / line.partition(",")[0]).exists()


@pytest.mark.parametrize("then", ["forward", "back"])
def test_pressed_twice_in_the_middle_of_a_change_the_next_sync_finishes_it(
    store: FrontDoor, universe: Universe, lock: Path, work: Path, venv: Path, then: str
) -> None:
    other = universe.lock(work / "other.txt", "alpha==2.0", "beta==1.0")
    wanted = {}
    for one in (other, lock):
        store("sync", one)
        wanted[one] = modes(venv)

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(change, "_finish", press)
        assert store("sync", other).status == 130
    assert modes(venv) not in wanted.values()
    goal = other if then == "forward" else lock
    assert store("sync", goal).status == 0
    assert modes(venv) == wanted[goal]
    check_content(venv, universe, "2" if goal is other else "1")
