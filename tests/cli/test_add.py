from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from support.front_door import FrontDoor, call_store
from support.interpreters import facts_of, play_python
from support.servers import Fault, IndexServer
from support.trees import store_snapshot
from support.universe import Universe
from support.wheels import make_wheel, sha256_of

import wheelstore.cli.main
from wheelstore.materialize.installed import find_distributions

FACTS = facts_of(sys.executable)


def names(root: Path) -> list[str]:
    """The wheels in a store."""
    listed = call_store("ls", "--json", "--store", root)
    return [f"{one['name']}=={one['version']}" for one in json.loads(listed.stdout)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the store is, which is not there yet."""
    return tmp_path / "store"


def test_wheel_files_are_added_once(universe: Universe, root: Path, work: Path) -> None:
    alpha, beta = universe.wheels["alpha==1.0"], universe.wheels["beta==1.0"]
    ran = call_store("add", alpha, beta, alpha)
    assert (ran.status, ran.stdout) == (0, "")
    size = (alpha.stat().st_size + beta.stat().st_size) / 1000
    assert ran.stderr.startswith(f"Added 2 wheels ({size:.1f} kB) in ")
    assert "there" not in ran.stderr
    assert names(root) == ["alpha==1.0", "beta==1.0"]
    assert os.listdir(root / "tmp") == []
    again = call_store("add", alpha, universe.wheels["gamma==1.0"])
    assert again.stderr.startswith("Added 1 wheel (")
    assert again.stderr.endswith("; 1 was there\n")
    assert call_store("add", alpha, beta).stderr.endswith("; all were there\n")
    assert alpha.exists()
    assert os.listdir(work) == []


def test_adding_again_is_using(universe: Universe, root: Path) -> None:
    universe.lock(root.parent / "lock.txt", "alpha==1.0", "beta==1.0")
    added = ("add", universe.wheels["gamma==1.0"], root.parent / "lock.txt", "--find-links", universe.directory)
    assert call_store(*added, "--no-index").status == 0
    with sqlite3.connect(root / "index.sqlite3") as index:
        tables = ("wheel_uses", "manifest_uses")
        assert [index.execute(f"UPDATE {table} SET used = 1").rowcount for table in tables] == [3, 1]
    index.close()
    assert call_store(*added, "--no-index").status == 0
    with sqlite3.connect(root / "index.sqlite3") as index:
        assert [index.execute(f"SELECT min(used) > 1 FROM {table}").fetchone() for table in tables] == [(1,), (1,)]
    index.close()


def test_json(universe: Universe) -> None:
    alpha = universe.wheels["alpha==1.0"]
    one = {
        "name": "alpha",
        "version": "1.0",
        "filename": alpha.name,
        "sha256": sha256_of(alpha),
        "size": alpha.stat().st_size,
    }
    for added, present in (([one], []), ([], [one])):
        ran = call_store("add", alpha, "--json")
        assert ran.stderr == ""
        report = json.loads(ran.stdout)
        assert report.pop("seconds") > 0
        assert report == {"added": added, "present": present}
    assert call_store("add", alpha, "-q").stderr == ""


def test_relative_paths_and_names_that_are_no_text(universe: Universe, work: Path) -> None:
    (work / universe.wheels["alpha==1.0"].name).write_bytes(universe.wheels["alpha==1.0"].read_bytes())
    odd = work / os.fsdecode(b"caf\xe9 %41#?")
    odd.mkdir()
    (odd / universe.wheels["beta==1.0"].name).write_bytes(universe.wheels["beta==1.0"].read_bytes())
    ran = call_store("add", universe.wheels["alpha==1.0"].name, f"{odd.name}/{universe.wheels['beta==1.0'].name}")
    assert ran.stderr.startswith("Added 2 wheels"), ran.stderr


def test_a_wheel_for_another_python_can_be_added(tmp_path: Path) -> None:
    other = make_wheel(tmp_path, "native", tag="cp27-cp27mu-win32", root_is_purelib=False)
    assert call_store("add", other).status == 0


def test_what_a_lock_means_is_added_and_its_sync_is_warm(
    store: FrontDoor,
    universe: Universe,
    index: IndexServer,
    work: Path,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")
    never = universe.pin("gamma==1.0", marker="python_version < '3'")
    (work / "more.txt").write_text(f"{never}\n{universe.pin('alpha==1.0')}\n")
    ran = call_store("add", lock, "more.txt", universe.wheels["gamma==1.0"], "-i", index.index_url)
    assert ran.status == 0, ran.stderr
    assert ran.stderr.startswith("Added 3 wheels")
    assert names(root) == ["alpha==1.0", "beta==1.0", "gamma==1.0"]
    index.close()
    assert call_store("add", lock, "-i", index.index_url).status == 0

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("this was not warm")

    monkeypatch.setattr(wheelstore.cli.main, "run", refuse)
    ran = store("sync", lock, "-i", "http://127.0.0.1:9/simple")
    assert (ran.status, ran.stderr.splitlines()[1:]) == (0, [" + alpha==1.0", " + beta==1.0"])
    found = find_distributions(str(work / ".venv"), (FACTS.purelib,))
    assert [one.distribution.name for one in found] == ["alpha", "beta"]


def test_a_lock_is_read_for_the_interpreter_that_is_named(
    universe: Universe, work: Path, root: Path, tmp_path: Path
) -> None:
    (work / "lock.txt").write_text("alpha==1.0 ; python_version == '3.12'\nbeta==1.0 ; python_version == '3.10'\n")
    for version, name in (("3.12.1", "alpha"), ("3.10.2", "beta")):
        facts = facts_of(sys.executable)
        markers = {**facts.markers, "python_version": version.rpartition(".")[0], "python_full_version": version}
        played = play_python(tmp_path / f"{version}/python", version=version, markers=markers)
        options = ["--no-index", "-f", universe.directory, "-p", played]
        assert call_store("add", "lock.txt", *options).stderr.startswith("Added 1 wheel"), name
    assert names(root) == ["alpha==1.0", "beta==1.0"]


def test_a_lock_on_standard_input(universe: Universe, root: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("store"), "add", "-", "--no-index", "-f", universe.directory],
        input="gamma==1.0\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert names(root) == ["gamma==1.0"]


def test_a_lock_that_cannot_be_one_environment_is_added_all_the_same(
    universe: Universe, work: Path, root: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "delta==1.0", "echo==1.0")
    assert call_store("add", lock, "--no-index", "-f", universe.directory).status == 0
    assert names(root) == ["delta==1.0", "echo==1.0"]


def test_urls_of_wheels(universe: Universe, index: IndexServer, root: Path) -> None:
    alpha, beta, gamma = (universe.wheels[f"{name}==1.0"] for name in ("alpha", "beta", "gamma"))
    hashed = f"{index.file_url(alpha.name)}#sha256={sha256_of(alpha)}"
    unhashed = index.file_url(beta.name)
    ran = call_store("add", hashed, unhashed, gamma.as_uri())
    assert (ran.status, ran.stderr[:14]) == (0, "Added 3 wheels"), ran.stderr
    ran = call_store("add", hashed, unhashed, gamma.as_uri(), "--json")
    assert [one["name"] for one in json.loads(ran.stdout)["present"]] == ["alpha", "beta", "gamma"]
    assert len(index.requests_for(alpha.name)) == 1


def test_credentials_in_a_url_are_used_and_not_shown(universe: Universe, root: Path) -> None:
    alpha = universe.wheels["alpha==1.0"]
    with IndexServer(universe.directory, credentials=("me", "secret")) as server:
        url = server.file_url(alpha.name)
        refused = call_store("add", url.replace("://", "://me:wrong-secret@"))
        assert refused.status == 1
        assert "secret" not in refused.stderr
        assert call_store("add", url.replace("://", "://me:secret@")).status == 0
    assert b"secret" not in (root / "index.sqlite3").read_bytes()


@pytest.mark.parametrize(
    ("item", "error", "hinted"),
    [
        ("missing.whl", "missing.whl is not a wheel", True),
        ("missing-1.0-py3-none-any.whl", "missing-1.0-py3-none-any.whl: No such file or directory", False),
        ("directory-1.0-py3-none-any.whl", "directory-1.0-py3-none-any.whl: Is a directory", False),
        ("broken-1.0-py3-none-any.whl", "broken-1.0-py3-none-any.whl: refused: ", None),
        ("alpha-one-py3-none-any.whl", "alpha-one-py3-none-any.whl is not a wheel", True),
        ("missing.txt", "cannot read the lock missing.txt: No such file or directory", True),
        ("page.txt", "page.txt: is a web page, not a lock", True),
        ("https://127.0.0.1:9/alpha.tar.gz", "https://127.0.0.1:9/alpha.tar.gz is not a wheel", True),
        ("https://me:secret@127.0.0.1:9/alpha.zip", "https://127.0.0.1:9/alpha.zip is not a wheel", True),
        ("https://127.0.0.1:9/alpha-1.0-py3-none-any.whl#sha256=12", "a sha256 hash has 64 hex digits", None),
        ("https://127.0.0.1:9/alpha-1.0-py3-none-any.whl#md5=" + 32 * "0", "md5", None),
        ("file:///nowhere/alpha-1.0-py3-none-any.whl", "/nowhere/alpha-1.0-py3-none-any.whl: No such file", None),
        ("file://other/alpha-1.0-py3-none-any.whl", "other", None),
    ],
)
def test_what_is_no_wheel_and_no_lock(
    full_store: Path, work: Path, tmp_path: Path, root: Path, item: str, error: str, hinted: bool | None
) -> None:
    (work / "directory-1.0-py3-none-any.whl").mkdir()
    (work / "broken-1.0-py3-none-any.whl").write_bytes(b"PK\x03\x04 nothing")
    (work / "page.txt").write_text("<html>")
    before = store_snapshot(root)
    ran = call_store("add", make_wheel(tmp_path, "hotel"), item)
    assert (ran.status, ran.stdout, len(ran.errors)) == (1, "", 1), ran.stderr
    assert error in ran.errors[0].replace(f"{work}/", "")
    assert "secret" not in ran.stderr
    assert hinted is None or bool(ran.hints) is hinted
    assert store_snapshot(root) == before
    assert all(path.suffix == ".whl" for path in (root / "tmp").iterdir())


def test_a_hash_that_is_another_files(universe: Universe, index: IndexServer, root: Path) -> None:
    alpha, beta = universe.wheels["alpha==1.0"], universe.wheels["beta==1.0"]
    ran = call_store("add", f"{index.file_url(alpha.name)}#sha256={sha256_of(beta)}")
    assert ran.status == 1
    assert sha256_of(alpha) in ran.errors[0]
    assert names(root) == []


def test_offline_nothing_is_fetched(universe: Universe, index: IndexServer) -> None:
    alpha = universe.wheels["alpha==1.0"]
    assert call_store("add", index.file_url(alpha.name), "--offline").status == 1
    assert call_store("add", alpha, "--offline").status == 0
    assert index.log == []


def test_a_server_that_breaks_off_is_asked_for_the_rest(universe: Universe, index: IndexServer) -> None:
    alpha = universe.wheels["alpha==1.0"]
    index.fault(alpha.name, Fault(cut_after=300, times=1))
    assert call_store("add", index.file_url(alpha.name)).status == 0


def test_without_anything_to_add_it_is_a_usage_error(store: FrontDoor) -> None:
    ran = store("add")
    assert (ran.status, ran.errors) == (2, ["missing argument 'WHEEL|LOCK...'"])
