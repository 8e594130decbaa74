from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from support.front_door import FrontDoor, call_store
from support.interpreters import facts_of
from support.terminals import on_a_terminal, plain
from support.universe import Universe

from wheelstore.store.index import open_index

FACTS = facts_of(sys.executable)


def sync(store: FrontDoor, universe: Universe, lock: str, *spellings: str, venv: str = ".venv") -> None:
    """Make the environment hold these, by the lock of that name."""
    universe.lock(Path(lock), *spellings)
    ran = store("sync", lock, "--venv", venv, "--offline")
    assert ran.status == 0, ran.stderr


def test_environments_are_listed_with_what_became_of_them(
    store: FrontDoor, universe: Universe, full_store: Path, work: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0", hashed=False)
    options = ["--no-index", "-f", universe.directory]
    for name, mode in (("a b", "copy"), ("c", "hardlink"), ("d", "hardlink")):
        assert store("sync", lock, "--venv", name, "--link-mode", mode, *options).status == 0
    assert store("venv", "e").status == 0
    assert store("venv", "f").status == 0
    assert store("venv", "f", "--clear", "--store", "other").status == 0
    shutil.rmtree(work / "c")
    shutil.rmtree(work / "d")
    subprocess.run([FACTS.executable, "-m", "venv", "--without-pip", work / "d"], check=True)
    rows = [line.split("\t") for line in store("envs").stdout.splitlines()]
    version = FACTS.version
    assert [[*row[:4], *row[5:]] for row in rows] == [
        [str(work / "a b"), version, "2", "copy", "live", "1"],
        [str(work / "c"), version, "2", "hardlink", "missing", "1"],
        [str(work / "d"), version, "2", "hardlink", "missing", "1"],
        [str(work / "e"), version, "0", "hardlink", "live", "1"],
        [str(work / "f"), version, "0", "hardlink", "missing", "1"],
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rows[0][4])
    listed = json.loads(store("envs", "--json").stdout)
    assert [one["exists"] for one in listed] == [True, False, False, True, False]
    assert [one["status"] for one in listed] == ["live", "missing", "missing", "live", "missing"]
    assert (listed[0]["packages"], listed[0]["generation"], len(listed[0]["generations"])) == (2, 1, 1)
    assert listed[0].keys() == {
        *("id", "path", "status", "exists", "python", "packages", "mode", "created", "synced", "missing", "manifest"),
        *("generation", "generations"),
    }


def test_an_environment_made_anew_is_listed_once(store: FrontDoor, full_store: Path) -> None:
    for _ in range(2):
        assert store("venv", "--clear").status == 0
    assert len(store("envs").stdout.splitlines()) == 1


def test_a_sync_is_the_last_one(
    store: FrontDoor, universe: Universe, full_store: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 5000)
    assert store("venv").status == 0
    monkeypatch.setattr(time, "time", lambda: now)
    lock = universe.lock(work / "lock.txt", "alpha==1.0", hashed=False)
    assert store("sync", lock, "--no-index", "-f", universe.directory).status == 0
    (one,) = json.loads(store("envs", "--json").stdout)
    made, synced = (datetime.fromisoformat(one[name]).timestamp() for name in ("created", "synced"))
    assert (made, synced) == (int(now - 5000), int(now))


def test_a_terminal_shows_environments_in_columns(store: FrontDoor, full_store: Path, work: Path) -> None:
    store("venv")
    store("venv", "other")
    shutil.rmtree(work / "other")
    head, first, second = plain(on_a_terminal("envs", TZ="UTC")).splitlines()
    assert head.split() == ["PATH", "PYTHON", "PACKAGES", "MODE", "LAST", "SYNC", "STATUS", "GENERATION"]
    assert re.fullmatch(rf"{work}/\.venv  +{FACTS.version}  +0  hardlink  \d{{4}}-\d\d-\d\d \d\d:\d\d  live +1", first)
    assert re.search(r"  missing +1$", second)
    assert head.index("LAST SYNC") == first.index(time.strftime("%Y-", time.gmtime()))


def test_no_environments(store: FrontDoor, full_store: Path) -> None:
    ran = store("envs")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", f"No environments in {full_store}\n")
    assert store("envs", "--json").stdout == "[]\n"


# what became of them


def test_one_environment_by_its_path_or_id(store: FrontDoor, full_store: Path, work: Path) -> None:
    for name in ("one", "two"):
        assert store("venv", name).status == 0
    (one,) = json.loads(store("envs", "two", "--json").stdout)
    assert one["path"] == str(work / "two")
    assert store("envs", one["id"]).stdout.startswith(f"{work}/two\t")
    ran = store("envs", "twoo")
    assert (ran.status, ran.errors) == (1, [f"twoo is no environment of the store {full_store}"])
    assert ran.hints == [f"did you mean {work}/two?"]


def test_a_moved_environment_is_told_from_a_deleted_one(store: FrontDoor, full_store: Path, work: Path) -> None:
    for name in ("one", "two"):
        assert store("venv", name).status == 0
    os.rename(work / "one", work / "three")
    shutil.rmtree(work / "two")
    listed = json.loads(store("envs", "--json").stdout)
    assert [(one["path"], one["status"], one["exists"]) for one in listed] == [
        (str(work / "one"), "moved", False),
        (str(work / "two"), "missing", False),
    ]


def test_an_environment_behind_a_closed_door_is_unreadable(full_store: Path, work: Path) -> None:
    (work / "project").mkdir()
    assert call_store("venv", "project/one").status == 0
    token = next((full_store / "tokens").iterdir())
    os.replace(token, token.with_name("other"))  # as if it were on another filesystem
    (work / "project").chmod(0)
    try:
        (one,) = json.loads(call_store("envs", "--json", powerless=True).stdout)
    finally:
        (work / "project").chmod(0o700)
    assert one["status"] == "unreadable"


def test_an_environment_on_a_disk_that_is_away_is_unreachable(store: FrontDoor, full_store: Path, work: Path) -> None:
    assert store("venv", "one").status == 0
    with open_index(str(full_store / "index.sqlite3")) as index, index.writing():
        (row,) = index.environments()
        index.put_environment(row._replace(filesystem="another one"))
    shutil.rmtree(work / "one")
    assert json.loads(store("envs", "--json").stdout)[0]["status"] == "unreachable"


# history


def test_the_history_of_an_environment(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    sync(store, universe, "first.txt", "alpha==1.0", "beta==1.0")
    sync(store, universe, "second.txt", "alpha==2.0", "gamma==1.0")
    sync(store, universe, "second.txt", "alpha==2.0", "gamma==1.0")
    rows = [line.split("\t") for line in store("envs", "--history").stdout.splitlines()]
    path, version = str(work / ".venv"), FACTS.version
    assert [[*row[:3], *row[4:]] for row in rows] == [
        [path, "1", "", version, "2", str(work / "first.txt"), "+alpha==1.0 +beta==1.0"],
        [path, "2", "*", version, "2", str(work / "second.txt"), "-alpha==1.0 +alpha==2.0 -beta==1.0 +gamma==1.0"],
    ]
    assert store("envs", ".venv", "--history").stdout == store("envs", "--history").stdout
    (one,) = json.loads(store("envs", "--history", "--json").stdout)
    assert one["generation"] == 2
    last = one["generations"][1]
    assert (last["number"], last["current"], last["packages"], last["source"]) == (2, True, 2, str(work / "second.txt"))
    assert last["added"] == [{"name": "alpha", "version": "2.0"}, {"name": "gamma", "version": "1.0"}]
    assert last["removed"] == [{"name": "alpha", "version": "1.0"}, {"name": "beta", "version": "1.0"}]


def test_a_terminal_shows_the_first_of_many_changes(store: FrontDoor, universe: Universe, full_store: Path) -> None:
    sync(store, universe, "first.txt", "alpha==1.0")
    sync(store, universe, "many.txt", "alpha==2.0", "beta==1.0", "gamma==1.0", "delta==1.0", "pip==99.0")
    head, first, second = plain(on_a_terminal("envs", "--history", TZ="UTC")).splitlines()
    assert head.split() == ["PATH", "GENERATION", "WHEN", "PYTHON", "PACKAGES", "FROM", "CHANGES"]
    assert re.search(r"/\.venv  +1  \d{4}-\d\d-\d\d \d\d:\d\d .*/first\.txt  +\+alpha==1\.0$", first)
    assert re.match(r" +\* 2  \d{4}-", second)
    assert second.endswith("-alpha==1.0 +alpha==2.0 +beta==1.0 +delta==1.0 +gamma==1.0 +pip==99.0")
    sync(store, universe, "all.txt", "alpha==1.0", "echo==1.0")
    assert plain(on_a_terminal("envs", "--history")).endswith("-beta==1.0 -delta==1.0 +echo==1.0 and 2 more\n")


def test_names_that_a_terminal_would_obey_are_shown_with_spaces(store: FrontDoor, full_store: Path, work: Path) -> None:
    assert store("venv", "one").status == 0
    odd = f"{work}/a\tb\x1b[31m"
    with open_index(str(full_store / "index.sqlite3")) as index, index.writing():
        (row,) = index.environments()
        index.put_environment(row._replace(path=odd))
    assert store("envs").stdout.startswith(f"{work}/a b [31m\t")
    assert "\x1b[31m" not in on_a_terminal("envs")
    assert json.loads(store("envs", "--json").stdout)[0]["path"] == odd


# forgetting


def test_a_forgotten_environment_keeps_its_files(
    store: FrontDoor, universe: Universe, full_store: Path, work: Path
) -> None:
    for name in ("one", "two"):
        sync(store, universe, f"{name}.txt", "alpha==1.0", venv=name)
    ran = store("forget", "one")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", f"Forgot {work}/one; nothing in it was touched\n")
    assert [line.split("\t")[0] for line in store("envs").stdout.splitlines()] == [str(work / "two")]
    assert len([*(full_store / "tokens").iterdir()]) == 1
    with open_index(str(full_store / "index.sqlite3")) as index:
        assert [*index.stream("SELECT count(*) FROM generations")] == [(1,)]
    assert subprocess.run([work / "one/bin/python", "-c", "import alpha"], check=False).returncode == 0


def test_an_environment_that_is_gone_is_forgotten_by_its_path_or_id(
    store: FrontDoor, full_store: Path, work: Path
) -> None:
    for name in ("one", "two"):
        assert store("venv", name).status == 0
        shutil.rmtree(work / name)
    identifier = json.loads(store("envs", "two", "--json").stdout)[0]["id"]
    ran = store("forget", "one", identifier, "--json")
    assert [one["path"] for one in json.loads(ran.stdout)] == [f"{work}/one", f"{work}/two"]
    assert (ran.stderr, store("envs", "--json").stdout) == ("", "[]\n")


def test_nothing_is_forgotten_if_one_is_unknown(store: FrontDoor, full_store: Path, work: Path) -> None:
    assert store("venv", "project/.venv").status == 0
    ran = store("forget", "project/.venv", "project", "yankee")
    assert ran.status == 1
    assert ran.errors == [f"{name} is no environment of the store {full_store}" for name in ("project", "yankee")]
    assert ran.hints == [
        f"did you mean {work}/project/.venv?",
        "store envs lists the environments that it knows",
    ]
    assert len(store("envs").stdout.splitlines()) == 1


def test_forgetting_makes_no_store(store: FrontDoor, tmp_path: Path) -> None:
    assert store("forget", "one").errors == [f"one is no environment of the store {tmp_path}/store"]
    assert not (tmp_path / "store").exists()


def test_a_forgotten_environment_is_known_again_after_a_sync(
    store: FrontDoor, universe: Universe, full_store: Path, work: Path
) -> None:
    sync(store, universe, "one.txt", "alpha==1.0")
    assert store("forget", ".venv").status == 0
    sync(store, universe, "one.txt", "alpha==1.0")
    assert [one["status"] for one in json.loads(store("envs", "--json").stdout)] == ["live"]
