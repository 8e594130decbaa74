"""What the store keeps of environments: where they are, what they have been, and whether they are on the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from support.commands import store_script
from support.front_door import FrontDoor, call_store
from support.interpreters import facts_of
from support.trees import check_records
from support.universe import Universe

from wheelstore.cli import registering
from wheelstore.materialize import change
from wheelstore.materialize.environment import State, read_state, write_state
from wheelstore.store import tokens
from wheelstore.store.index import EnvironmentRow, Generation, open_index

FACTS = facts_of(sys.executable)


@pytest.fixture(autouse=True)
def offline(full_store: Path, universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))


def rows(full_store: Path) -> list[EnvironmentRow]:
    with open_index(f"{full_store}/index.sqlite3") as index:
        return index.environments()


def history(full_store: Path, identifier: str) -> list[Generation]:
    with open_index(f"{full_store}/index.sqlite3") as index:
        return index.generations(identifier)


def state_of(path: Path) -> State:
    state = read_state(str(path))
    assert state is not None
    return state


def test_an_environment_shares_a_token_with_the_store(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path
) -> None:
    store("sync", universe.lock(work / "lock.txt", "alpha==1.0"))
    (row,) = rows(full_store)
    assert (row.id, row.path, row.generation) == (state_of(work / ".venv").id, str(work / ".venv"), 1)
    assert os.path.samefile(work / ".venv/.wheelstore/token", full_store / "tokens" / row.id)
    assert (full_store / "tokens" / row.id).read_text() == f"{row.id}\n{work}/.venv\n"


def test_what_an_environment_was_is_numbered(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path
) -> None:
    first = universe.lock(work / "first.txt", "alpha==1.0")
    for lock in (first, universe.lock(work / "second.txt", "alpha==2.0"), first):
        assert store("sync", lock).status == 0
        assert store("sync", lock).stderr.startswith("Audited")
    first.write_text(first.read_text() + "# the same\n")
    store("sync", first)
    (row,) = rows(full_store)
    listed = history(full_store, row.id)
    assert [(one.number, Path(one.source).name) for one in listed] == [
        (1, "first.txt"),
        (2, "second.txt"),
        (3, "first.txt"),
    ]
    assert listed[0].manifest == listed[2].manifest != listed[1].manifest
    assert (row.generation, row.manifest) == (3, listed[2].manifest)


def test_a_moved_environment_is_mended_and_keeps_its_history(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock)
    (before,) = rows(full_store)
    (work / ".venv").rename(work / "moved")
    ran = store("sync", lock, "--venv", "moved")
    assert (ran.status, ran.stderr.split()[0]) == (0, "Repaired")  # its scripts name the old path
    assert str(work / ".venv") not in (work / "moved/bin/activate").read_text()
    assert rows(full_store) == [before._replace(path=str(work / "moved"), synced=rows(full_store)[0].synced)]
    assert store("sync", lock, "--venv", "moved").stderr.startswith("Audited")


def test_a_copied_environment_is_another(store: FrontDoor, universe: Universe, work: Path, full_store: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock)
    (before,) = rows(full_store)
    shutil.copytree(work / ".venv", work / "copy", symlinks=True)
    assert store("sync", lock, "--venv", "copy").status == 0
    by_path = {row.path: row for row in rows(full_store)}
    assert by_path.pop(str(work / ".venv")) == before
    assert list(by_path) == [str(work / "copy")]
    assert by_path[str(work / "copy")].id == state_of(work / "copy").id != before.id


def test_an_environment_in_a_link_s_place_is_up_to_date_by_either_name(
    store: FrontDoor, universe: Universe, work: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    (work / "real").mkdir()
    (work / "link").symlink_to("real")
    store("sync", lock, "--venv", "link/.venv")
    for path in ("link/.venv", "real/.venv", "link/.venv"):
        assert store("sync", lock, "--venv", path).status == 0
    (work / ".venv").symlink_to("real/.venv")
    assert store("sync", lock).stderr.startswith("Audited")


def test_after_the_machine_started_again_files_are_looked_at_once(
    store: FrontDoor, universe: Universe, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock, "--link-mode", "copy")
    environment = work / ".venv"
    damaged = environment / FACTS.purelib / "alpha/data.bin"
    size = damaged.stat().st_size
    times = damaged.stat().st_mtime
    for content in (b"", bytes(size - 1)):  # what delayed allocation leaves of a file after a power cut
        write_state(str(environment), state_of(environment)._replace(boot="an earlier one"))
        damaged.write_bytes(content)
        os.utime(damaged, (times, times))
        assert store("sync", lock, "--link-mode", "copy").stderr.startswith("Repaired 1 package")
        assert damaged.stat().st_size == size
        assert store("sync", lock, "--link-mode", "copy").stderr.startswith("Audited")


def test_an_environment_that_had_time_to_reach_the_disk_is_not_doubted(
    store: FrontDoor, universe: Universe, work: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock)
    environment = work / ".venv"
    boot, _, seconds = state_of(environment).boot.partition(" ")
    if not boot:
        pytest.skip("this system does not tell one start from another")
    store("sync", lock)
    assert state_of(environment).boot == f"{boot} {seconds}"
    earlier = state_of(environment)._replace(boot=f"{boot} {int(seconds) - 200}")
    write_state(str(environment), earlier)
    with held(environment / ".wheelstore/lock", "0" * 64):  # somebody changes it just now
        assert store("sync", lock).stderr.startswith("Audited")
        assert state_of(environment) == earlier
    assert store("sync", lock).stderr.startswith("Audited")
    assert not state_of(environment).boot
    assert store("sync", lock).stderr.startswith("Audited")


def test_an_environment_without_its_configuration_is_given_it_again(
    store: FrontDoor, universe: Universe, work: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock)
    (work / ".venv/pyvenv.cfg").unlink()
    assert store("sync", lock).stderr.startswith("Put 1 file right")
    assert (work / ".venv/pyvenv.cfg").exists()
    assert store("sync", lock).stderr.startswith("Audited")


@pytest.mark.parametrize("command", ["sync", "venv"])
def test_no_environment_is_made_in_the_store(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path, command: str
) -> None:
    place = full_store / "tmp/env"
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    ran = store("venv", place) if command == "venv" else store("sync", lock, "--venv", place)
    assert (ran.status, len(ran.errors), place.exists()) == (1, 1, False)
    assert "it is in the store" in ran.errors[0]


def test_a_command_that_is_done_leaves_no_lease(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path
) -> None:
    for version in ("1.0", "2.0"):
        for _ in range(2):
            store("sync", universe.lock(work / "lock.txt", f"alpha=={version}"))
    store("add", universe.lock(work / "other.txt", "alpha==1.0"))
    assert [name for name in os.listdir(full_store / "locks") if name.startswith("lease-")] == []
    with open_index(f"{full_store}/index.sqlite3") as index:
        assert index._rows("SELECT * FROM leases") == index._rows("SELECT * FROM lease_wheels") == []


HOLD = """
import sys
from wheelstore.store.claims import Claims
with Claims(sys.argv[1], [sys.argv[2]]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(path: Path, claim: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has a claim until its input ends."""
    command = [sys.executable, "-c", HOLD, str(path), claim]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.mark.parametrize("existing", [False, True])
def test_two_commands_for_one_environment_queue(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path, existing: bool
) -> None:
    environment = work / ".venv"
    if existing:
        store("sync", universe.lock(work / "first.txt", "alpha==1.0"))
        lock, claim = environment / ".wheelstore/lock", "0" * 64
    else:
        lock, claim = full_store / "locks/places", blake3(str(environment).encode()).hexdigest()
    second = universe.lock(work / "second.txt", "alpha==2.0")
    command = [store_script(), "sync", str(second), "--store", str(full_store)]
    with held(lock, claim) as holder, subprocess.Popen(command, cwd=work, stderr=subprocess.PIPE, text=True) as sync:
        assert sync.stderr is not None
        told = sync.stderr.readline()
        assert told == f"Waiting for another store command (process {holder.pid}) that changes {environment}\n"
        holder.communicate()
        assert "alpha" in sync.stderr.read()
    assert sync.returncode == 0


def test_an_environment_by_another_path_to_it_goes_on_with_its_history(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path
) -> None:
    one = universe.lock(work / "one.txt", "alpha==1.0")
    two = universe.lock(work / "two.txt", "alpha==1.0", "beta==1.0")
    (work / "real").mkdir()
    (work / "link").symlink_to("real")
    for lock, path in ((one, "real/.venv"), (two, "link/.venv"), (one, "real/.venv")):
        assert store("sync", lock, "--venv", path).status == 0
    (row,) = rows(full_store)
    assert [one.number for one in history(full_store, row.id)] == [1, 2, 3]
    ran = store("rollback", "--venv", "link/.venv")
    assert (ran.status, "to generation 2" in ran.stderr) == (0, True), ran.stderr
    (row,) = rows(full_store)
    assert (row.generation, row.path) == (2, str(work / "link/.venv"))


def test_a_store_by_another_path_to_it_is_the_same(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path
) -> None:
    one, two = universe.lock(work / "one.txt", "alpha==1.0"), universe.lock(work / "two.txt", "beta==1.0")
    (work / "link").symlink_to(full_store)
    store("sync", one)
    assert store("sync", two, "--store", work / "link").status == 0
    (row,) = rows(full_store)
    assert [one.number for one in history(full_store, row.id)] == [1, 2]
    assert store("rollback").status == 0


def test_an_environment_that_is_forgotten_meanwhile_is_told_again_by_the_next_sync(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    trust = tokens.trust_token

    def forget_before(*arguments: Any) -> None:
        assert call_store("forget", ".venv").status == 0
        trust(*arguments)

    store("sync", universe.lock(work / "other.txt", "beta==1.0"))
    with monkeypatch.context() as patch:
        patch.setattr(registering, "trust_token", forget_before)
        ran = store("sync", lock)
    assert (ran.status, ran.errors) == (0, [])
    assert rows(full_store) == []
    assert store("sync", lock).status == 0
    assert [row.path for row in rows(full_store)] == [str(work / ".venv")]


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_lock_s_name_need_not_be_text(store: FrontDoor, universe: Universe, work: Path, full_store: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    name = os.fsdecode(b"lock-\xff.txt")
    lock.rename(work / name)
    for words in ((), (), ("--venv", "other"), ("--venv", "more", "-v")):
        ran = call_store("sync", name, *words)
        assert (ran.status, ran.errors) == (0, []), words
    assert {one.source for row in rows(full_store) for one in history(full_store, row.id)} == {
        f"{work}/lock-\ufffd.txt"
    }


def test_an_environment_of_a_store_that_was_moved_goes_on_with_its_history(
    universe: Universe, work: Path, full_store: Path
) -> None:
    one, two = universe.lock(work / "one.txt", "alpha==1.0"), universe.lock(work / "two.txt", "beta==1.0")
    assert call_store("sync", one).status == 0
    moved = str(full_store.rename(full_store.parent / "moved"))
    assert call_store("sync", two, "--store", moved).status == 0
    assert call_store("rollback", "--store", moved).status == 0
    (row,) = rows(Path(moved))
    assert [generation.number for generation in history(Path(moved), row.id)] == [1, 2]
    Path(moved).rename(full_store)
    assert call_store("rollback", "--to", "2").status == 0


def test_what_a_shell_s_star_leaves_of_an_environment_is_no_obstacle(
    store: FrontDoor, universe: Universe, work: Path, full_store: Path
) -> None:
    """`rm -rf .venv/*` does not see names that begin with a dot."""
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock)
    (before,) = rows(full_store)
    for path in (work / ".venv").iterdir():
        if not path.name.startswith("."):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    ran = store("sync", lock)
    assert (ran.status, ran.errors) == (0, [])
    assert [row.id for row in rows(full_store)] == [before.id]
    check_records(work / ".venv")
    (work / ".venv/pyvenv.cfg").unlink()
    (work / ".venv/precious").touch()
    assert store("sync", lock).status == 0
    assert (work / ".venv/precious").exists()


def test_an_environment_is_not_replaced_while_it_is_changed(
    store: FrontDoor, universe: Universe, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store("sync", universe.lock(work / "first.txt", "alpha==1.0"))
    second = universe.lock(work / "second.txt", "alpha==2.0", "beta==1.0")
    third = universe.lock(work / "third.txt", "gamma==1.0")
    command = [store_script(), "sync", str(third), "--clear"]
    finish, replacing = change._finish, list[subprocess.Popen[str]]()

    def replace_before(root: str, directory: str) -> None:
        replacing.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        assert replacing[0].stderr is not None
        assert "Waiting" in next((line for line in replacing[0].stderr if "Waiting" in line), "not waiting")
        finish(root, directory)

    with monkeypatch.context() as patch:
        patch.setattr(change, "_finish", replace_before)
        ran = store("sync", second)
    assert (ran.status, ran.errors) == (0, [])
    replacing[0].communicate()
    assert replacing[0].returncode == 0
    check_records(work / ".venv")
    assert store("sync", third).stderr.startswith("Audited 1 package")


def test_who_waited_for_an_environment_that_was_replaced_waits_for_the_new_one(
    store: FrontDoor, universe: Universe, work: Path
) -> None:
    environment = work / ".venv"
    store("sync", universe.lock(work / "first.txt", "alpha==1.0"))
    second = universe.lock(work / "second.txt", "alpha==2.0")
    command, lock = [store_script(), "sync", str(second)], environment / ".wheelstore/lock"
    with (
        held(lock, "0" * 64) as holder,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as sync,
    ):
        assert sync.stderr is not None
        assert f"process {holder.pid}" in sync.stderr.readline()
        environment.rename(work / "old")
        shutil.copytree(work / "old", environment, symlinks=True)
        with held(lock, "0" * 64) as another:
            holder.communicate()
            assert f"process {another.pid}" in sync.stderr.readline()
            another.communicate()
        sync.stderr.read()
    assert sync.returncode == 0
    check_records(environment)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
@pytest.mark.parametrize("name", [b"st\nore", b"st\xffore"], ids=["two-lines", "no-text"])
def test_a_store_may_have_any_name(universe: Universe, work: Path, full_store: Path, name: bytes) -> None:
    one, two = universe.lock(work / "one.txt", "alpha==1.0"), universe.lock(work / "two.txt", "beta==1.0")
    root = str(full_store.rename(full_store.parent / os.fsdecode(name)))
    for lock in (one, two):
        assert call_store("sync", lock, "--store", root).status == 0
    assert state_of(work / ".venv").store == root
    assert call_store("sync", two, "--store", root).stderr.startswith("Audited 1 package")
    assert call_store("rollback", "--store", root).status == 0
    (row,) = rows(Path(root))
    assert [generation.number for generation in history(Path(root), row.id)] == [1, 2]
    assert call_store("gc", "--store", root).status == 0
    assert call_store("verify", "--store", root).status == 0
