"""Bytecode as `store sync`, `add` and `venv` have it: compiled once for a store, never old, collected like the rest."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from support.commands import Running, eventually, store_script
from support.front_door import FrontDoor, call_store
from support.interpreters import every_python, facts_of
from support.rot import rot
from support.soundness import flaws_of, read_index
from support.stores import tree_of
from support.universe import Universe
from support.wheels import make_wheel, sha256_of

from wheelstore.materialize import bytecode
from wheelstore.materialize.environment import read_state
from wheelstore.store.blobs import blob_key

TAG = facts_of(sys.executable).cache_tag


@pytest.fixture(autouse=True)
def local(universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheels come from their directory, and bytecode goes where Python puts it."""
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))
    monkeypatch.delenv("PYTHONPYCACHEPREFIX")


@pytest.fixture
def no_interpreter(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Inside `context`, compiling anything is an error."""
    with monkeypatch.context() as context:
        yield context


def forbid(context: pytest.MonkeyPatch) -> None:
    """Let nobody start an interpreter to compile from here on."""

    def refuse(executable: str) -> None:
        raise AssertionError(f"{executable} was started")

    context.setattr(bytecode, "_start", refuse)


def pycs(venv: Path) -> set[str]:
    """The names of all bytecode in an environment."""
    return {path.name for path in venv.rglob("*.pyc")}


def shown(venv: Path, expression: str, *options: str) -> str:
    """What an environment's Python says."""
    command = [str(venv / "bin/python"), *options, "-c", f"import alpha; print({expression})"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_module_is_compiled_once_for_all_environments(
    store: FrontDoor, full_store: Path, universe: Universe, work: Path, no_interpreter: pytest.MonkeyPatch
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "gamma==1.0")
    ran = store("sync", lock, "--venv", "first", "--compile-bytecode")
    assert (ran.status, ran.stderr.splitlines()[0].startswith("Compiled 3 modules in ")) == (0, True)
    assert pycs(work / "first") == {f"{name}.{TAG}.pyc" for name in ("__init__", "old", "gamma")}
    forbid(no_interpreter)
    for venv, options in (("warm", ()), ("full", ("--reinstall",))):
        again = store("sync", lock, "--venv", venv, "--compile-bytecode", *options)
        assert (again.status, "Compiled" in again.stderr) == (0, False)
    other = universe.lock(work / "other.txt", "alpha==1.0", "beta==1.0")
    assert store("sync", other, "--venv", "other", "--no-compile-bytecode").status == 0
    no_interpreter.undo()
    ran = store("sync", other, "--venv", "other", "--compile-bytecode")
    assert ran.stderr.splitlines()[0].startswith("Compiled 1 module in ")
    trees = [
        {name: it for name, it in tree_of(work / venv).items() if name.endswith((".py", ".pyc"))}
        for venv in ("first", "warm", "full")
    ]
    assert trees[0] == trees[1] == trees[2]
    inodes = {path.stat().st_ino for venv in ("first", "warm", "full") for path in (work / venv).rglob("old.*.pyc")}
    assert len(inodes) == 1
    assert flaws_of(full_store, collected=False) == []


@every_python
def test_python_takes_what_is_there(
    python: str, store: FrontDoor, full_store: Path, universe: Universe, work: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock, "-p", python, "--optimize", "0", "--optimize=2").status == 0
    before = tree_of(work / ".venv")
    for options in ((), ("-OO",)):
        command = [str(work / ".venv/bin/python"), *options, "-v", "-c", "import alpha, alpha.old"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        for name in ("__init__", "old"):
            assert re.search(rf"alpha/__pycache__/{name}\S* matches \S*/alpha/{name}\.py", ran.stderr)
    assert tree_of(work / ".venv") == before
    assert {name.split(".")[-2] for name in pycs(work / ".venv")} == {facts_of(python).cache_tag, "opt-2"}


@pytest.mark.parametrize("mode", ["hardlink", "copy", "layered"])
@every_python
def test_a_same_size_upgrade_never_runs_old_bytecode(
    python: str, mode: str, store: FrontDoor, full_store: Path, universe: Universe, work: Path
) -> None:
    locks = {n: universe.lock(work / f"{n}.txt", f"alpha=={n}.0") for n in (1, 2)}
    venv = work / ".venv"
    for n, options in ((1, []), (2, ["--compile-bytecode"]), (1, []), (2, ["--no-compile-bytecode"]), (1, []), (2, [])):
        ran = store("sync", locks[n], "--link-mode", mode, "-p", python, *options)
        assert ran.status == 0, ran.stderr
        assert shown(venv, "alpha.value") == str(n)  # which makes Python keep bytecode where there is none
        assert shown(venv, "alpha.value", "-O") == str(n)


@every_python
def test_a_spare_never_runs_old_bytecode(
    python: str, store: FrontDoor, full_store: Path, universe: Universe, work: Path
) -> None:
    for n, options in ((1, ["--compile-bytecode"]), (2, ["--no-compile-bytecode"])):
        lock = universe.lock(work / f"{n}.txt", f"alpha=={n}.0")
        assert store("prewarm", lock, "-p", python, "--spares", "1", *options).status == 0
        assert store("sync", lock, "-p", python, "--clear", *options).status == 0
        assert shown(work / ".venv", "alpha.value") == str(n)
        assert shown(work / ".venv", "alpha.value", "-O") == str(n)
    assert store("rollback").status == 0
    assert shown(work / ".venv", "alpha.value") == "1"


def test_an_environment_keeps_what_was_said(store: FrontDoor, full_store: Path, universe: Universe, work: Path) -> None:
    venv = work / ".venv"
    one, two = (universe.lock(work / f"{n}.txt", f"alpha=={n}.0") for n in (1, 2))
    said: list[tuple[list[str], str]] = [
        ([], ""),
        (["--compile-bytecode"], "0"),
        ([], "0"),
        (["--optimize", "1", "--optimize", "0"], "0,1"),
        (["--compile-bytecode"], "0,1"),
        (["--no-compile-bytecode"], ""),
        ([], ""),
        (["--optimize=2"], "2"),
        (["--clear"], ""),
    ]
    for options, levels in said:
        for lock in (one, two, two):
            assert store("sync", lock, *options).status == 0
            state = read_state(str(venv))
            assert state is not None
            assert state.bytecode == levels
            names = {level: "" if level == "0" else f".opt-{level}" for level in levels.split(",") if level}
            module = "old" if lock == one else "new"
            expected = {f"{name}.{TAG}{infix}.pyc" for name in ("__init__", module) for infix in names.values()}
            assert pycs(venv) == expected


def test_the_setting_says_it_for_every_command(
    store: FrontDoor, full_store: Path, universe: Universe, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_COMPILE_BYTECODE", "1")
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock).status == 0
    assert pycs(work / ".venv")
    assert store("sync", lock, "--no-compile-bytecode").status == 0
    assert not pycs(work / ".venv")


def test_what_does_not_compile_is_passed_over_and_remembered(
    store: FrontDoor, work: Path, tmp_path: Path, no_interpreter: pytest.MonkeyPatch
) -> None:
    files = {"demo/__init__.py": b"", "demo/template.py": b"{% not python %}\n"}
    wheel = make_wheel(tmp_path, "demo", files=files)
    lock = work / "lock.txt"
    lock.write_text(f"demo==1.0 --hash=sha256:{sha256_of(wheel)}\n")
    ran = call_store("sync", lock, "--find-links", tmp_path, "--compile-bytecode")
    assert (ran.status, pycs(work / ".venv")) == (0, {f"__init__.{TAG}.pyc"})
    other = make_wheel(tmp_path, "other", files={"other.txt": b"no module\n"})
    assert call_store("add", other).status == 0
    lock.write_text(f"{lock.read_text()}other==1.0 --hash=sha256:{sha256_of(other)}\n")
    forbid(no_interpreter)
    ran = store("sync", lock, "--find-links", tmp_path, "--venv", "second", "--compile-bytecode")
    assert ran.status == 0, ran.stderr
    assert pycs(work / "second") == {f"__init__.{TAG}.pyc"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory by its addresses")
def test_what_cannot_be_compiled_now_is_compiled_later(full_store: Path, work: Path, tmp_path: Path) -> None:
    large = b"x = 1\n" * 150_000
    wheel = make_wheel(tmp_path, "large", files={"large.py": large, "small.py": b""})
    lock = work / "lock.txt"
    lock.write_text(f"large==1.0 --hash=sha256:{sha256_of(wheel)}\n")
    assert call_store("add", wheel).status == 0
    before = read_index(full_store, "SELECT count(*) FROM manifests")
    command = [store_script(), "sync", str(lock), "--find-links", str(tmp_path), "--compile-bytecode"]
    limited = ["sh", "-c", 'ulimit -v 200000; exec "$@"', "sh", *command]
    ran = subprocess.run(limited, cwd=work, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert re.search(r"cannot compile \S*/large\.py: (out of memory|its process)", ran.stderr), ran.stderr
    assert "--no-compile-bytecode" in ran.stderr
    assert read_index(full_store, "SELECT * FROM bytecode") == []
    assert read_index(full_store, "SELECT count(*) FROM manifests") == before
    assert not (work / ".venv").exists()
    ran = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert (ran.returncode, len(pycs(work / ".venv"))) == (0, 2), ran.stderr
    assert flaws_of(full_store, collected=False) == []


def test_what_is_there_already_gives_way(store: FrontDoor, full_store: Path, universe: Universe, work: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock).status == 0
    assert shown(work / ".venv", "alpha.value") == "1"
    (cached,) = (work / ".venv").rglob("alpha/__pycache__/__init__.*.pyc")
    cached.write_bytes(b"junk")
    assert store("sync", lock, "--compile-bytecode").status == 0
    assert cached.stat().st_nlink == 2
    cached.unlink()
    assert store("sync", lock, "--reinstall").status == 0
    assert cached.stat().st_nlink == 2


def compilers(parent: int) -> list[int]:
    """The processes that a command has started to compile."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            its_parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if its_parent == parent and b"_compile_script.py" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:  # it has just ended
            continue
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_compilation_leaves_neither_processes_nor_files(number: int, work: Path, tmp_path: Path) -> None:
    slow = "".join(f"def f{n}(a): return [a, {n}] + [x for x in range(a) if x != {n}]\n" for n in range(6_000))
    # More than one process is asked for ahead.
    wheel = make_wheel(tmp_path, "slow", files={f"slow{n}.py": f"{slow}{n}\n".encode() for n in range(8)})
    lock = work / "lock.txt"
    lock.write_text(f"slow==1.0 --hash=sha256:{sha256_of(wheel)}\n")
    store = tmp_path / "store"
    assert call_store("add", wheel).status == 0
    command = [store_script(), "sync", str(lock), "--find-links", str(tmp_path), "--compile-bytecode"]
    with Running(command, environ=os.environ, cwd=work) as running:
        eventually(lambda: len(compilers(running.pid)) == min(2, os.cpu_count() or 1))
        started = compilers(running.pid)
        running.send(number)
        ran = running.finish()
    assert ran.status == (130 if number == signal.SIGINT else -9)
    eventually(lambda: not any(os.path.exists(f"/proc/{process}") for process in started))
    assert not (work / ".venv").exists()
    assert call_store("gc").status == 0
    assert flaws_of(store, collected=True) == []
    again = call_store("sync", lock, "--find-links", tmp_path, "--compile-bytecode")
    assert (again.status, len(pycs(work / ".venv"))) == (0, 8)


def test_two_stores_have_the_same_bytecode(universe: Universe, work: Path, tmp_path: Path) -> None:
    names = []
    for store, order in (("one", ["alpha==1.0", "gamma==1.0", "pip==99.0"]), ("two", ["pip==99.0", "alpha==1.0"])):
        lock = universe.lock(work / f"{store}.txt", *order)
        ran = call_store("sync", lock, "--store", tmp_path / store, "--venv", store, "--compile-bytecode")
        assert ran.status == 0, ran.stderr
        names.append(dict(read_index(tmp_path / store, "SELECT source, pyc FROM bytecode")))
    assert names[1].items() < names[0].items()


def test_bytecode_lives_as_long_as_its_manifest(
    store: FrontDoor, full_store: Path, universe: Universe, work: Path
) -> None:
    locks = [universe.lock(work / f"{n}.txt", f"alpha=={n}.0") for n in (1, 2)]
    for lock in locks:
        assert store("sync", lock, "--compile-bytecode").status == 0
    keys = {key for (key,) in read_index(full_store, "SELECT pyc FROM bytecode")}

    def there() -> set[bytes]:
        return keys & {
            blob_key(path.relative_to(full_store / "blobs").as_posix()) for path in full_store.glob("blobs/*/*")
        }

    assert store("gc", "--older-than", "0s").status == 0
    assert there() == keys
    assert store("forget", work / ".venv").status == 0
    assert store("gc", "--older-than", "0s").status == 0
    assert there() == set()
    assert flaws_of(full_store, collected=True) == []


def test_a_rollback_brings_the_bytecode_back_though_its_plan_is_lost(
    store: FrontDoor, full_store: Path, universe: Universe, work: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock, "--compile-bytecode").status == 0
    before = pycs(work / ".venv")
    assert store("sync", lock, "--no-compile-bytecode").status == 0
    for lost in (False, True):
        assert not pycs(work / ".venv")
        if lost:
            with sqlite3.connect(full_store / "index.sqlite3") as connection:
                connection.execute("UPDATE manifests SET plan = x'00'")
            connection.close()
        assert store("rollback", "--to", "1").status == 0
        assert pycs(work / ".venv") == before
        state = read_state(str(work / ".venv"))
        assert state is not None
        assert state.bytecode == "0"
        assert store("sync", lock, "--no-compile-bytecode").status == 0
    assert store("gc").status == 0
    assert flaws_of(full_store, collected=False) == []


def test_add_compiles_in_advance(
    store: FrontDoor, full_store: Path, universe: Universe, work: Path, no_interpreter: pytest.MonkeyPatch
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("add", lock, "--compile-bytecode").status == 0
    forbid(no_interpreter)
    assert store("sync", lock, "--compile-bytecode").status == 0
    assert pycs(work / ".venv")


def test_a_new_environment_s_seeds_are_compiled_and_what_comes_later_too(
    store: FrontDoor, full_store: Path, universe: Universe, work: Path, tmp_path: Path
) -> None:
    for name in ("setuptools", "wheel"):
        make_wheel(tmp_path / "seeds", name)
    ran = call_store("venv", "--seed", "--compile-bytecode", "--find-links", tmp_path / "seeds")
    assert ran.status == 0, ran.stderr
    assert any(name.startswith("__main__") for name in pycs(work / ".venv"))
    assert store("venv", "plain", "--optimize", "1").status == 0
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock, "--venv", "plain").status == 0
    assert {name.split(".")[-2] for name in pycs(work / "plain")} == {"opt-1"}


def test_damaged_bytecode_is_made_anew(store: FrontDoor, full_store: Path, universe: Universe, work: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock, "--compile-bytecode").status == 0
    (cached,) = (work / ".venv").rglob("alpha/__pycache__/__init__.*.pyc")
    good = cached.read_bytes()
    (blob,) = [path for path in full_store.glob("blobs/*/*") if path.stat().st_ino == cached.stat().st_ino]
    rot(blob, Random(1))
    assert cached.read_bytes() != good
    ran = store("verify", "--repair")
    assert ran.status == 0, ran.stderr
    assert (cached.read_bytes(), blob.read_bytes()) == (good, good)


def test_an_environment_of_an_older_version_has_no_bytecode(
    store: FrontDoor, full_store: Path, universe: Universe, work: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock).status == 0
    path = work / ".venv/.wheelstore/state"
    current = read_state(str(work / ".venv"))
    lines = path.read_text().split("\n")
    path.write_text("\n".join(["wheelstore-environment-2", *lines[1:-1]]))
    assert read_state(str(work / ".venv")) == current
