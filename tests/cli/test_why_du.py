from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from support.front_door import FrontDoor, call_store
from support.terminals import on_a_terminal, plain
from support.universe import Universe
from support.wheels import sha256_of

from wheelstore.store.filelist import columns
from wheelstore.store.index import open_index
from wheelstore.store.layout import open_store
from wheelstore.store.lease import Lease


def sync(store: FrontDoor, universe: Universe, *spellings: str, venv: str = ".venv") -> None:
    """Make the environment hold these."""
    lock = universe.lock(Path("lock.txt"), *spellings)
    ran = store("sync", lock, "--venv", venv, "--offline")
    assert ran.status == 0, ran.stderr


# why


def test_who_keeps_a_wheel(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    sync(store, universe, "alpha==1.0", venv="one")
    sync(store, universe, "alpha==1.0", venv="two")
    sync(store, universe, "alpha==2.0", venv="two")
    rows = [line.split("\t") for line in store("why", "Alpha").stdout.splitlines()]
    first, second = (universe.wheels[f"alpha=={version}"].name for version in ("1.0", "2.0"))
    assert rows == [
        ["alpha", "1.0", first, "environment", str(work / "one"), "1"],
        ["alpha", "1.0", first, "generation", str(work / "two"), "1"],
        ["alpha", "2.0", second, "environment", str(work / "two"), "2"],
    ]
    assert [line.split("\t") for line in store("why", "alpha==2").stdout.splitlines()] == rows[2:]


def test_why_as_json(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    sync(store, universe, "gamma==1.0")
    (one,) = json.loads(store("why", "gamma", "--json").stdout)
    assert (one["name"], one["version"], one["sha256"]) == ("gamma", "1.0", sha256_of(universe.wheels["gamma==1.0"]))
    assert one["origin"].endswith(universe.wheels["gamma==1.0"].name)
    (kept,) = one["environments"]
    assert (kept["path"], kept["generation"], kept["current"]) == (str(work / ".venv"), 1, True)
    assert (one["leases"], one["freed_bytes"]) == ([], 0)


def test_a_wheel_that_nothing_uses(store: FrontDoor, universe: Universe, full_store: Path) -> None:
    with open_index(str(full_store / "index.sqlite3")) as index:
        files = {row.name: dict(zip(*columns(row.files), strict=True)) for row in index.all_wheels()}
    others = set().union(*(files[name] for name in files if name != "beta"))
    freed = sum(size for key, size in files["beta"].items() if key not in others)
    name = universe.wheels["beta==1.0"].name
    assert store("why", "beta").stdout == f"beta\t1.0\t{name}\tnothing\t\t{freed}\n"
    shown = plain(on_a_terminal("why", "beta")).splitlines()
    assert shown[0].startswith(f"beta 1.0  {name}  ")
    assert shown[-1] == f"  nothing uses it; gc would free {freed} B"


def test_a_terminal_says_who_uses_a_wheel(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    sync(store, universe, "alpha==1.0")
    sync(store, universe, "alpha==2.0")
    shown = plain(on_a_terminal("why", "alpha")).splitlines()
    assert shown[1].startswith("  from ")
    assert shown[2].startswith(f"  used by {work}/.venv (generation 1, as it was on ")
    assert shown[-1] == f"  used by {work}/.venv (generation 2)"


def test_an_operation_that_lives_keeps_a_wheel(store: FrontDoor, universe: Universe, full_store: Path) -> None:
    opened = open_store(str(full_store))
    with open_index(opened.index_path) as index:
        with Lease(opened, index, now=1.0) as lease:
            lease.wheels([sha256_of(universe.wheels["gamma==1.0"])])
            assert store("why", "gamma").stdout.split("\t")[3:] == ["lease", lease.id, "1970-01-01T00:00:01Z\n"]
        assert store("why", "gamma").stdout.split("\t")[3] == "nothing"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("alhpa", "did you mean alpha?"), ("alpha==3", "did you mean alpha==1.0 or alpha==2.0?"), ("yankee", None)],
    ids=["name", "version", "neither"],
)
def test_a_wheel_that_is_not_there(store: FrontDoor, full_store: Path, name: str, hint: str | None) -> None:
    ran = store("why", name)
    assert (ran.status, ran.errors) == (1, [f"the store {full_store} has no wheel of {name}"])
    assert ran.hints == ([hint] if hint else [])


def test_asking_why_makes_no_store(store: FrontDoor, tmp_path: Path) -> None:
    assert store("why", "alpha").status == 1
    assert not (tmp_path / "store").exists()


# du


def files_below(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def test_what_environments_have_and_share(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    sync(store, universe, "alpha==1.0", "beta==1.0", venv="one")
    sync(store, universe, "alpha==1.0", venv="two")
    told = json.loads(store("du", "--json").stdout)
    one, two = told["environments"]
    assert [one["path"], two["path"]] == [str(work / "one"), str(work / "two")]
    assert two["unique"] < two["shared"] <= one["shared"] < one["apparent"]
    assert told["stored"] == files_below(full_store / "blobs")
    assert told["apparent"] == one["apparent"] + two["apparent"]
    assert 0 < told["saved"] < told["apparent"]
    rows = [line.split("\t") for line in store("du").stdout.splitlines()]
    sizes = [str(one[name]) for name in ("apparent", "shared", "unique", "earlier")]
    assert rows[0] == ["environment", str(work / "one"), *sizes]
    assert rows[2:] == [
        ["total", "environments", str(told["apparent"])],
        ["total", "store", str(told["stored"])],
        ["total", "saved by sharing", str(told["saved"])],
        ["total", "gc would free", str(told["freed_by_gc"])],
    ]


def test_what_gc_would_free_is_what_gc_says(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    sync(store, universe, "alpha==1.0")
    told = json.loads(store("du", "--json").stdout)
    would = json.loads(store("gc", "--dry-run", "--json").stdout)
    assert told["freed_by_gc"] == would["freed_bytes"] > 0


def test_where_gc_would_stop_nobody_knows_what_it_would_free(
    store: FrontDoor, universe: Universe, full_store: Path, work: Path
) -> None:
    sync(store, universe, "alpha==1.0")
    with open_index(str(full_store / "index.sqlite3")) as index, index.writing():
        (row,) = index.environments()
        index.put_environment(row._replace(manifest="unknown"))
    ran = store("du", "--json")
    (warning,) = ran.warnings
    assert warning.startswith("gc would free nothing, because ")
    assert (ran.status, json.loads(ran.stdout)["freed_by_gc"]) == (0, None)
    assert "gc would free" not in store("du").stdout


def test_the_apparent_size_is_that_of_the_files(
    store: FrontDoor, universe: Universe, full_store: Path, work: Path
) -> None:
    sync(store, universe, "alpha==1.0", "gamma==1.0")
    (one,) = json.loads(store("du", "--json").stdout)["environments"]
    (site,) = (work / ".venv").glob("lib/python*/site-packages")
    assert one["apparent"] == pytest.approx(files_below(site), rel=0.1)


def test_copies_save_nothing(store: FrontDoor, universe: Universe, full_store: Path) -> None:
    lock = universe.lock(Path("lock.txt"), "alpha==1.0")
    assert store("sync", lock, "--offline", "--link-mode", "copy").status == 0
    assert json.loads(store("du", "--json").stdout)["saved"] == 0


def test_a_terminal_shows_usage_in_columns(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    sync(store, universe, "alpha==1.0")
    lines = plain(on_a_terminal("du")).splitlines()
    assert lines[0].split() == ["PATH", "SIZE", "SHARED", "UNIQUE", "EARLIER"]
    assert lines[1].split()[0] == str(work / ".venv")
    assert [line.rpartition("  ")[0].strip() for line in lines[3:]] == [
        *("environments", "store", "saved by sharing", "gc would free"),
    ]


def test_the_largest_wheels_first(store: FrontDoor, universe: Universe, full_store: Path) -> None:
    sync(store, universe, "alpha==1.0", venv="one")
    sync(store, universe, "alpha==1.0", venv="two")
    rows = [line.split("\t") for line in store("du", "--wheels").stdout.splitlines()]
    sizes = [int(row[3]) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert {tuple(row[:2]): row[4] for row in rows}[("alpha", "1.0")] == "2"
    assert [one["unpacked"] for one in json.loads(store("du", "--wheels", "--json").stdout)] == sizes


@pytest.mark.parametrize("words", ["envs", "envs --history", "why alpha", "du", "du --wheels"])
def test_a_store_that_cannot_be_written_is_reported_on(
    store: FrontDoor, universe: Universe, full_store: Path, words: str
) -> None:
    sync(store, universe, "alpha==1.0")
    expected = store(*words.split()).stdout
    assert expected
    if words == "du":
        expected = "".join(line for line in expected.splitlines(keepends=True) if "gc would free" not in line)
    directories = [full_store, *(path for path in full_store.iterdir() if path.is_dir())]
    before = sorted(os.listdir(full_store))
    for path in directories:
        path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        ran = call_store(*words.split(), powerless=True)
        assert (ran.status, ran.stdout, ran.stderr) == (0, expected, "")
        assert sorted(os.listdir(full_store)) == before
    finally:
        for path in directories:
            path.chmod(0o700)


def test_a_gone_environment_still_counts(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    sync(store, universe, "alpha==1.0")
    shutil.rmtree(work / ".venv")
    (one,) = json.loads(store("du", "--json").stdout)["environments"]
    assert one["unique"] > 0
