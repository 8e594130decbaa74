from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.front_door import FrontDoor, call_store
from support.interpreters import facts_of
from support.servers import IndexServer
from support.trees import check_records, environment_content, status_below, store_snapshot
from support.universe import Universe
from support.wheels import make_wheel

from wheelstore.materialize.installed import find_distributions

FACTS = facts_of(sys.executable)
SITE = FACTS.purelib


def installed(venv: Path) -> list[str]:
    """What an environment holds, as ``name==version``."""
    found = find_distributions(str(venv), (FACTS.purelib, FACTS.platlib))
    return [f"{one.distribution.name}=={one.distribution.version}" for one in found]


@pytest.fixture(autouse=True)
def offline(full_store: Path, universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store has every wheel, and the only location is their directory."""
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))


@pytest.fixture
def venv(work: Path) -> Path:
    return work / ".venv"


def test_a_fresh_environment_is_exactly_the_lock_and_works(
    store: FrontDoor, universe: Universe, work: Path, venv: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0", "gamma==1.0")
    ran = store("sync", lock)
    assert (ran.status, ran.stdout) == (0, "")
    assert ran.stderr.splitlines()[0].startswith("Installed 3 packages in ")
    assert ran.stderr.splitlines()[1:] == [" + alpha==1.0", " + beta==1.0", " + gamma==1.0"]
    assert installed(venv) == ["alpha==1.0", "beta==1.0", "gamma==1.0"]
    assert check_records(venv) > 15
    assert (venv / "share/beta/beta.txt").read_text() == "beta\n"
    done = subprocess.run([venv / "bin/beta-tool"], capture_output=True, text=True, check=True)
    assert done.stdout == "1.0\n"
    probe = "import gamma, sys; print(gamma.alpha.value, sys.prefix)"
    done = subprocess.run([venv / "bin/python", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == f"1 {venv}\n"


def test_a_second_sync_finds_nothing_to_do_and_touches_nothing(
    store: FrontDoor, universe: Universe, work: Path, venv: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")
    store("sync", lock)
    before = status_below(venv)
    for words in (["sync", lock], ["sync", lock, "--json"], ["sync", lock, "-v"]):
        assert store(*words).status == 0
    assert store("sync", lock).stderr.startswith("Audited 2 packages in ")
    after = status_below(venv)
    # The state is written anew by the full sync, that is by --json and -v.
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed <= {".wheelstore", ".wheelstore/state", ".wheelstore/lock"}


def test_an_upgrade_leaves_nothing_of_the_old_version(
    store: FrontDoor, universe: Universe, work: Path, venv: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "gamma==1.0")
    store("sync", lock)
    (venv / SITE / "alpha/__pycache__").mkdir()
    (venv / SITE / f"alpha/__pycache__/old.{FACTS.cache_tag}.pyc").write_bytes(b"")
    universe.lock(lock, "alpha==2.0", "gamma==1.0")
    ran = store("sync", lock)
    assert ran.stderr.splitlines()[2:] == [" - alpha==1.0", " + alpha==2.0"]
    assert installed(venv) == ["alpha==2.0", "gamma==1.0"]
    assert sorted(path.name for path in (venv / SITE / "alpha").iterdir()) == ["__init__.py", "data.bin", "new.py"]
    assert (venv / SITE / "alpha/__init__.py").read_text() == "value = 2\n"
    assert not (venv / "bin/alpha-old").exists()
    assert (venv / "bin/alpha").exists()
    check_records(venv)


def test_what_the_lock_does_not_name_goes(store: FrontDoor, universe: Universe, work: Path, venv: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")
    store("sync", lock)
    universe.lock(lock, "alpha==1.0")
    assert store("sync", lock).stderr.splitlines()[1:] == [" - beta==1.0"]
    assert installed(venv) == ["alpha==1.0"]
    left = {path.name for path in (venv / "bin").iterdir()}
    assert left.isdisjoint({"beta-tool", "beta.sh"})
    assert not (venv / "share").exists()
    assert not (venv / "include").exists()


def test_an_empty_lock_empties_the_environment_and_says_so(
    store: FrontDoor, universe: Universe, work: Path, venv: Path
) -> None:
    store("sync", universe.lock(work / "lock.txt", "alpha==1.0"))
    (work / "lock.txt").write_text("# nothing\n")
    for _ in range(2):
        ran = store("sync", "lock.txt")
        assert ran.status == 0
        assert ran.warnings == ["lock.txt pins nothing for Python " + FACTS.version]
    assert installed(venv) == []


def test_reinstall_makes_every_file_anew_and_still_removes_what_has_to_go(
    store: FrontDoor, universe: Universe, work: Path, venv: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")
    store("sync", lock, "--link-mode", "copy")
    (venv / SITE / "alpha/__init__.py").write_text("value = 7\n")
    before = {name: status.inode for name, status in status_below(venv / SITE / "alpha").items()}
    universe.lock(lock, "alpha==1.0", "gamma==1.0")
    ran = store("sync", lock, "--reinstall", "--link-mode", "copy")
    assert ran.stderr.splitlines()[3:] == [" ~ alpha==1.0", " - beta==1.0", " + gamma==1.0"]
    after = {name: status.inode for name, status in status_below(venv / SITE / "alpha").items()}
    assert [name for name in before if before[name] == after[name]] == ["."]
    assert installed(venv) == ["alpha==1.0", "gamma==1.0"]
    assert (venv / SITE / "alpha/__init__.py").read_text() == "value = 1\n"
    check_records(venv)


def test_clear_replaces_whatever_is_there(store: FrontDoor, universe: Universe, work: Path, venv: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    venv.mkdir()
    (venv / "precious.txt").write_text("mine")
    assert store("sync", lock).status == 1
    assert (venv / "precious.txt").exists()
    assert store("sync", lock, "--clear").status == 0
    assert not (venv / "precious.txt").exists()
    assert installed(venv) == ["alpha==1.0"]
    (venv / SITE / "mine.py").write_text("")
    assert store("sync", lock, "--clear").stderr.splitlines()[1:] == [" + alpha==1.0"]
    assert not (venv / SITE / "mine.py").exists()


@pytest.mark.parametrize("existing", [False, True])
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    store: FrontDoor, universe: Universe, work: Path, venv: Path, existing: bool, full_store: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")
    if existing:
        store("sync", lock)
        universe.lock(lock, "alpha==2.0", "gamma==1.0")
    before = status_below(work), store_snapshot(full_store)
    ran = store("sync", lock, "--dry-run")
    assert ran.status == 0
    told = (
        ["Would uninstall 2", "Would install 2", " - alpha==1.0", " + alpha==2.0", " - beta==1.0", " + gamma==1.0"]
        if existing
        else ["Would install 2", " + alpha==1.0", " + beta==1.0"]
    )
    assert [line.partition(" packages")[0] for line in ran.stderr.splitlines()] == told
    assert (status_below(work), store_snapshot(full_store)) == before
    report = json.loads(store("sync", lock, "--dry-run", "--json").stdout)
    assert report["dry_run"] is True
    assert {one["name"] for one in report["added"]} == ({"alpha", "gamma"} if existing else {"alpha", "beta"})
    assert (status_below(work), store_snapshot(full_store)) == before


def test_a_dry_run_fetches_nothing(universe: Universe, work: Path, index: IndexServer, tmp_path: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    options = ["--dry-run", "--index-url", index.index_url, "--store", tmp_path / "new"]
    ran = call_store("sync", lock, *options, STORE_NO_INDEX="", STORE_FIND_LINKS="")
    assert (ran.status, ran.stderr.splitlines()[1:]) == (0, [" + alpha==1.0"])
    assert {request.name for request in index.log} == {"alpha"}


def test_json_tells_it_to_programs(store: FrontDoor, universe: Universe, work: Path, venv: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    ran = store("sync", lock, "--json")
    assert ran.stderr == ""
    report = json.loads(ran.stdout)
    assert 0 < report.pop("seconds") < 100
    assert len(report.pop("manifest")) == 64
    assert report.pop("files") >= 8
    assert report == {
        "environment": str(venv),
        "python": FACTS.version,
        "dry_run": False,
        "packages": 1,
        "added": [{"name": "alpha", "version": "1.0"}],
        "removed": [],
        "repaired": [],
    }
    assert json.loads(store("--json", "sync", lock).stdout)["added"] == []


def test_several_locks_are_one(store: FrontDoor, universe: Universe, work: Path, venv: Path) -> None:
    one = universe.lock(work / "one.txt", "alpha==1.0", "gamma==1.0")
    two = universe.lock(work / "two.txt", "beta==1.0", "alpha==1.0")
    assert store("sync", one, two).status == 0
    assert installed(venv) == ["alpha==1.0", "beta==1.0", "gamma==1.0"]
    assert store("sync", one, two).stderr.startswith("Audited 3 packages")
    assert store("sync", two, one).stderr.startswith("Audited 3 packages")
    three = universe.lock(work / "three.txt", "alpha==2.0")
    ran = store("sync", one, three)
    assert ran.errors == [f"{three}:1: alpha==2.0 contradicts alpha==1.0 ({one}:1)"]
    assert installed(venv) == ["alpha==1.0", "beta==1.0", "gamma==1.0"]


def test_markers_decide_and_extras_do_no_harm(store: FrontDoor, universe: Universe, work: Path, venv: Path) -> None:
    (work / "lock.txt").write_text(
        "alpha[fast,safe]==1.0\n"
        "beta==1.0 ; python_version < '3'\n"
        f"gamma==1.0 ; python_version >= '3' and sys_platform == '{sys.platform}'\n"
    )
    assert store("sync", "lock.txt").status == 0
    assert installed(venv) == ["alpha==1.0", "gamma==1.0"]


def test_a_lock_without_hashes_offline(store: FrontDoor, work: Path, venv: Path, index: IndexServer) -> None:
    (work / "lock.txt").write_text("alpha==1.0\nbeta==1.0\ngamma==1.0\n")
    options = ["-i", index.index_url]
    online = call_store("sync", "lock.txt", *options, STORE_NO_INDEX="", STORE_FIND_LINKS="")
    assert online.status == 0, online.stderr
    shutil.rmtree(venv)
    ran = call_store("sync", "lock.txt", *options, "--offline", STORE_NO_INDEX="", STORE_FIND_LINKS="")
    assert ran.status == 0, ran.stderr
    assert installed(venv) == ["alpha==1.0", "beta==1.0", "gamma==1.0"]


def test_a_lock_on_standard_input(universe: Universe, work: Path, venv: Path) -> None:
    for count, said in ((1, "Installed 1 package"), (2, "Audited 1 package")):
        done = subprocess.run(
            [Path(sys.executable).with_name("store"), "sync", "-"],
            input=universe.pin("alpha==1.0"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr.partition(" in ")[0]) == (0, said), count
    assert installed(venv) == ["alpha==1.0"]


def test_drift_is_repaired_and_what_is_the_users_stays(
    store: FrontDoor, universe: Universe, work: Path, venv: Path, tmp_path: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0", "gamma==1.0")
    store("sync", lock)
    content = environment_content(venv)
    site = venv / SITE
    (site / "alpha/data.bin").unlink()
    (site / "gamma.py").unlink()
    (site / "gamma.py").write_text("edited = True\n")
    (venv / "bin/alpha").write_text("#!/bin/sh\n")
    (venv / "bin/beta.sh").unlink()
    (venv / "share/beta/beta.txt").unlink()
    (site / "beta-1.0.dist-info/RECORD").unlink()
    (site / "mine.py").write_text("mine\n")
    (venv / "bin/my-tool").write_text("mine\n")
    alien = make_wheel(tmp_path / "alien", "zulu", "1.0")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", alien, site], check=True)
    ran = store("sync", lock)
    assert ran.status == 0
    assert " - zulu==1.0" in ran.stderr.splitlines()
    assert (site / "mine.py").read_text() == (venv / "bin/my-tool").read_text() == "mine\n"
    (site / "mine.py").unlink()
    (venv / "bin/my-tool").unlink()
    assert environment_content(venv) == content
    check_records(venv)
    assert store("sync", lock).stderr.startswith("Audited 3 packages")


def test_the_environment_of_another_tool_is_taken_over_with_its_pip(
    store: FrontDoor, universe: Universe, work: Path, venv: Path, standard_venv: Path
) -> None:
    shutil.copytree(standard_venv, venv, symlinks=True)
    config, pip = (venv / "pyvenv.cfg").read_text(), next((venv / SITE).glob("pip-*.dist-info")).name
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")
    ran = store("sync", lock)
    assert ran.stderr.splitlines()[1:] == [" + alpha==1.0", " + beta==1.0"]
    universe.lock(lock, "alpha==2.0")
    assert store("sync", lock).status == 0
    assert (venv / "pyvenv.cfg").read_text() == config
    assert (venv / SITE / pip).is_dir()
    done = subprocess.run([venv / "bin/python", "-m", "pip", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pip ")


def test_a_pip_that_the_lock_names_replaces_the_environments_own(
    store: FrontDoor, universe: Universe, work: Path, venv: Path, standard_venv: Path
) -> None:
    shutil.copytree(standard_venv, venv, symlinks=True)
    lock = universe.lock(work / "lock.txt", "pip==99.0")
    ran = store("sync", lock)
    assert ran.stderr.splitlines()[-1] == " + pip==99.0"
    assert [one for one in installed(venv) if one.startswith("pip=")] == ["pip==99.0"]
    universe.lock(lock, "alpha==1.0")
    assert store("sync", lock).status == 0
    assert "pip==99.0" in installed(venv)


def test_an_environment_behind_a_link_is_used_where_it_is(
    store: FrontDoor, universe: Universe, work: Path, venv: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "fast disk"
    venv.symlink_to(elsewhere)
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock).status == 0
    assert venv.is_symlink()
    assert installed(elsewhere) == ["alpha==1.0"]
    assert store("sync", lock).stderr.startswith("Audited 1 package")
    universe.lock(lock, "beta==1.0")
    assert store("sync", lock, "--clear").status == 0
    assert venv.is_symlink()
    assert installed(elsewhere) == ["beta==1.0"]
    assert (venv / "bin/beta-tool").read_text().startswith(f"#!/bin/sh\n'''exec' '{elsewhere}/bin/python'")


def test_quiet_says_nothing(store: FrontDoor, universe: Universe, work: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    for words in (["-q", "sync", lock], ["sync", lock, "-q"], ["sync", lock, "-q", "--reinstall"]):
        ran = store(*words)
        assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")


def test_verbose_says_what_it_works_with(store: FrontDoor, universe: Universe, work: Path, full_store: Path) -> None:
    said = store("sync", universe.lock(work / "lock.txt", "alpha==1.0"), "-v").stderr
    assert f"Using CPython {FACTS.version} interpreter at: {FACTS.executable}\n" in said
    assert f"Using the store {full_store}" in said
    assert "Selected alpha-1.0-py3-none-any.whl" in said


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_place_whose_name_is_no_text_is_refused(store: FrontDoor, universe: Universe, work: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    ran = store("sync", lock, "--venv", os.fsdecode(b"caf\xe9"))
    assert ran.status == 1
    assert len(ran.errors) == 1
    assert sorted(os.listdir(work)) == ["lock.txt"]
