from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.commands import store_script
from support.front_door import FrontDoor, call_store
from support.terminals import on_a_terminal, plain
from support.universe import Universe
from support.wheels import make_wheel, sha256_of

# ls


def test_wheels_are_listed_by_name_and_version(store: FrontDoor, universe: Universe, full_store: Path) -> None:
    ran = store("ls")
    rows = [line.split("\t") for line in ran.stdout.splitlines()]
    assert (ran.status, ran.stderr) == (0, "")
    assert [row[:2] for row in rows] == [
        *(["alpha", "1.0"], ["alpha", "2.0"], ["beta", "1.0"], ["delta", "1.0"], ["echo", "1.0"]),
        *(["foxtrot", "1.0"], ["gamma", "1.0"], ["pip", "99.0"]),
    ]
    alpha = universe.wheels["alpha==1.0"]
    assert rows[0][2:] == [alpha.name, str(alpha.stat().st_size)]


def test_versions_are_in_their_own_order(tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path, "alpha", version) for version in ("1.10", "1.9", "1.10rc1", "2.0")]
    assert call_store("add", *wheels).status == 0
    lines = call_store("ls").stdout.splitlines()
    assert [line.split("\t")[1] for line in lines] == ["1.9", "1.10rc1", "1.10", "2.0"]


@pytest.mark.parametrize("name", ["alpha", "ALPHA", "AlPha"])
def test_one_project(store: FrontDoor, full_store: Path, name: str) -> None:
    assert [line.split("\t")[:2] for line in store("ls", name).stdout.splitlines()] == [
        ["alpha", "1.0"],
        ["alpha", "2.0"],
    ]


def test_a_project_that_is_not_there(store: FrontDoor, full_store: Path) -> None:
    ran = store("ls", "yankee")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", f"No wheels of yankee in {full_store}\n")
    assert store("ls", "yankee", "-q").stderr == ""
    assert store("ls", "yankee", "--json").stdout == "[]\n"


def test_wheels_as_json(store: FrontDoor, universe: Universe, full_store: Path) -> None:
    one = json.loads(store("ls", "gamma", "--json").stdout)
    gamma = universe.wheels["gamma==1.0"]
    now = datetime.now(UTC)
    for name in ("added", "used"):
        then = datetime.strptime(one[0].pop(name), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert 0 <= (now - then).total_seconds() < 3600
    assert one == [
        {
            "name": "gamma",
            "version": "1.0",
            "filename": gamma.name,
            "sha256": sha256_of(gamma),
            "size": gamma.stat().st_size,
        }
    ]


def test_a_terminal_shows_wheels_in_columns(full_store: Path) -> None:
    shown = on_a_terminal("ls")
    assert shown.startswith("\x1b[2mNAME")
    lines = plain(shown).splitlines()
    assert re.fullmatch(r"NAME     VERSION  FILENAME +SIZE", lines[0])
    assert re.fullmatch(r"alpha    1\.0      alpha-1\.0-py3-none-any\.whl +\d\.\d kB", lines[1])
    assert lines[1].index(".whl") + len(".whl") <= lines[0].index("SIZE")
    assert len({len(line) for line in lines}) == 1
    assert on_a_terminal("ls", NO_COLOR="1") == plain(shown)


# path, and stores that are not there


def test_the_path_of_the_store(store: FrontDoor, tmp_path: Path, work: Path) -> None:
    assert store("path").stdout == f"{tmp_path}/store\n"
    assert store("path", "--store", "x").stdout == store("--store", "x", "path").stdout == f"{work}/x\n"
    assert json.loads(store("path", "--json").stdout) == {"path": f"{tmp_path}/store", "exists": False}
    store("venv")
    assert json.loads(store("path", "--json").stdout)["exists"] is True


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_path_that_is_no_text_is_printed_as_it_is(tmp_path: Path) -> None:
    done = subprocess.run([store_script(), "path", "--store", b"caf\xe9"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(tmp_path / "work") + b"/caf\xe9\n"


@pytest.mark.parametrize(
    "words",
    [["ls"], ["ls", "--json"], ["envs"], ["envs", "--history"], ["du"], ["du", "--wheels", "--json"], ["path"]],
    ids=" ".join,
)
def test_looking_makes_no_store(store: FrontDoor, tmp_path: Path, words: list[str]) -> None:
    assert store(*words).status == 0
    assert not (tmp_path / "store").exists()
