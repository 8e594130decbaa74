"""Environments that are snapshots of an image, on a btrfs of their own: what they are, and how they change and go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.commands import StoreCommand, run, store_script
from support.mounts import mounted
from support.places import cpythons
from support.trees import environment_content
from support.universe import Universe, make_universe

from wheelstore.materialize.environment import read_state
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.store.btrfs import is_subvolume
from wheelstore.store.leftovers import remove

SNAPSHOT = ("--link-mode", "snapshot")


@pytest.fixture(scope="module")
def universe(tmp_path_factory: pytest.TempPathFactory) -> Universe:
    return make_universe(tmp_path_factory.mktemp("universe"))


@pytest.fixture(scope="module")
def btrfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with mounted("btrfs", tmp_path_factory.mktemp("snapshots"), megabytes=256) as place:
        yield place


@pytest.fixture
def command(btrfs: Path, universe: Universe, python: Interpreter, environ: dict[str, str]) -> Iterator[StoreCommand]:
    root = btrfs / "work"
    root.mkdir()
    environ = {**environ, "STORE_NO_INDEX": "1", "STORE_FIND_LINKS": str(universe.directory)}
    yield StoreCommand(root=root, store=root / "store", python=python.executable, environ=environ)
    for image in (root / "store/images").iterdir():  # which are read-only
        remove(str(image))
    subprocess.run(["rm", "-rf", root], check=True)


@pytest.fixture
def lock(command: StoreCommand, universe: Universe) -> Path:
    return universe.lock(command.root / "lock.txt", "alpha==1.0", "beta==1.0")


def sync(command: StoreCommand, lock: Path, name: str, *options: str) -> Path:
    venv = command.root / name
    ran = command.sync(lock, venv=venv, options=options)
    assert (ran.status, ran.errors, ran.warnings) == (0, [], []), ran.stderr
    return venv


def mode_of(venv: Path) -> str:
    state = read_state(str(venv))
    assert state is not None
    return state.mode


def test_a_snapshot_is_what_any_environment_is_but_for_how_it_came(command: StoreCommand, lock: Path) -> None:
    snapshot, ordinary = (
        sync(command, lock, "snapshot", *SNAPSHOT),
        sync(command, lock, "clone", "--link-mode", "clone"),
    )
    assert environment_content(snapshot) == environment_content(ordinary)
    assert (is_subvolume(str(snapshot)), mode_of(snapshot)) == (True, "snapshot")
    assert subprocess.run([snapshot / "bin/beta-tool"], check=True, capture_output=True).stdout == b"1.0\n"


def test_its_files_are_its_own_to_change(command: StoreCommand, lock: Path) -> None:
    one, other = sync(command, lock, "one", *SNAPSHOT), sync(command, lock, "other", *SNAPSHOT)
    (module,) = one.glob("lib/python*/site-packages/alpha/__init__.py")
    module.write_text("value = 'mine'\n")
    assert next(other.glob("lib/python*/site-packages/alpha/__init__.py")).read_text() == "value = 1\n"
    third = sync(command, lock, "third", *SNAPSHOT)
    assert next(third.glob("lib/python*/site-packages/alpha/__init__.py")).read_text() == "value = 1\n"


def test_it_changes_as_others_do(command: StoreCommand, lock: Path, universe: Universe) -> None:
    venv = sync(command, lock, "changed", *SNAPSHOT)
    two = universe.lock(command.root / "two.txt", "alpha==2.0", "beta==1.0")
    sync(command, two, "changed", *SNAPSHOT)
    assert environment_content(venv) == environment_content(sync(command, two, "new", "--link-mode", "clone"))
    assert sync(command, two, "changed").exists()
    assert not os.access(venv / "bin/alpha-old", os.F_OK)


def test_auto_takes_a_snapshot_where_there_is_an_image(command: StoreCommand, lock: Path) -> None:
    assert mode_of(sync(command, lock, "first")) == "hardlink"
    sync(command, lock, "second", *SNAPSHOT)
    assert mode_of(sync(command, lock, "third")) == "snapshot"


@pytest.mark.parametrize("mode", ["snapshot", "clone"])
@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_a_same_size_upgrade_never_runs_old_bytecode(
    command: StoreCommand, universe: Universe, version: str, mode: str
) -> None:
    if version not in cpythons():
        pytest.skip(f"there is no Python {version}")
    there = replace(command, python=cpythons()[version].executable)
    cached = {name: value for name, value in there.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    locks = {n: universe.lock(command.root / f"{n}.txt", f"alpha=={n}.0") for n in (1, 2)}
    for n, options in ((1, ()), (2, ("--compile-bytecode",)), (1, ("--clear",)), (2, ("--clear",)), (1, ())):
        venv = sync(there, locks[n], "venv", "--link-mode", mode, *options)
        for flags in ([], ["-O"]):
            words = [str(venv / "bin/python"), *flags, "-c", "import alpha; print(alpha.value)"]
            ran = subprocess.run(words, env=cached, check=True, capture_output=True, text=True)
            assert ran.stdout.strip() == str(n)


def test_a_subvolume_can_be_looked_into_as_well(command: StoreCommand, lock: Path) -> None:
    sync(command, lock, "snapshot", *SNAPSHOT)
    layered = sync(command, lock, "layered", "--link-mode", "layered", "--no-compile-bytecode")
    code = "import alpha; print(alpha.__file__)"
    said = subprocess.run([layered / "bin/python", "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.startswith(str(command.store / "images"))
    with pytest.raises(OSError, match="Read-only"):  # by root, too
        Path(said.strip()).with_name("more.py").touch()


def test_it_can_be_cleared_and_removed_by_hand(command: StoreCommand, lock: Path) -> None:
    venv = sync(command, lock, "gone", *SNAPSHOT)
    sync(command, lock, "gone", *SNAPSHOT, "--clear")
    assert is_subvolume(str(venv))
    shutil.rmtree(venv)
    assert sorted(path.name for path in command.root.iterdir()) == ["lock.txt", "store"]


def test_one_that_was_removed_is_missing_and_keeps_nothing(command: StoreCommand, lock: Path) -> None:
    """Its own filesystem's number, which each subvolume has, went with it; its parent's did not."""
    shutil.rmtree(sync(command, lock, "gone", *SNAPSHOT))
    words = ["gc", "--grace", "0s", "--json", "--store", str(command.store)]
    ran = run([store_script(), *words], environ=command.environ, cwd=command.root)
    assert json.loads(ran.stdout)["environments"]["paths"] == [str(command.root / "gone")]
    assert list((command.store / "images").iterdir()) == []


def test_a_store_on_another_filesystem_has_none_and_says_so(command: StoreCommand, lock: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    ran = command.sync(lock, venv=venv, options=SNAPSHOT)
    assert (ran.status, len(ran.errors), "is not btrfs" in ran.errors[0]) == (1, 1, True)
    assert not venv.exists()
    elsewhere = replace(command, store=tmp_path / "store")
    ran = elsewhere.sync(lock, venv=command.root / "venv", options=SNAPSHOT)
    assert (ran.status, "is not btrfs" in ran.errors[0]) == (1, True)
    sync(command, lock, "image", *SNAPSHOT)
    assert command.sync(lock, venv=venv).status == 0  # auto does without
    assert mode_of(venv) == "copy"
