from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.commands import Ran
from support.front_door import FrontDoor, call_store
from support.locks import write_lock
from support.rot import blob_files, digest_in, rot
from support.trees import check_records
from support.universe import Universe
from support.wheels import make_wheel

from wheelstore.cli import repairing
from wheelstore.materialize import healing
from wheelstore.store import restoring


@pytest.fixture(autouse=True)
def offline(full_store: Path, universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store has every wheel, and the only location is their directory."""
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))


@pytest.fixture
def venv(store: FrontDoor, universe: Universe, work: Path) -> Path:
    """An environment by hardlinks."""
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0", "gamma==1.0")
    assert store("sync", lock).status == 0
    return work / ".venv"


def test_a_sound_store_is_verified_in_a_line(store: FrontDoor, full_store: Path) -> None:
    ran = store("verify")
    assert (ran.status, ran.stdout) == (0, "")
    assert ran.stderr.startswith("Verified ")
    assert store("verify", "alpha", "Beta").status == 0
    assert store("verify", "-q").stderr == ""


def test_nothing_is_made_where_there_is_no_store(store: FrontDoor, tmp_path: Path) -> None:
    ran = store("verify", "--store", tmp_path / "none")
    assert (ran.status, ran.stderr) == (0, f"There is no store in {tmp_path / 'none'}\n")
    assert not (tmp_path / "none").exists()


def test_a_project_that_is_not_there_is_an_error(store: FrontDoor, full_store: Path) -> None:
    ran = store("verify", "nemo")
    assert (ran.status, ran.errors) == (1, [f"the store {full_store} has no wheel of nemo"])


def test_a_bad_file_is_named_with_all_whom_it_affects(store: FrontDoor, venv: Path, full_store: Path) -> None:
    (module,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    rot(module, Random(1))
    (blob,) = (path for path in blob_files(full_store) if path.samefile(module))
    ran = store("verify")
    assert ran.status == 1
    assert ran.errors == [f"1 blob is damaged in the store {full_store}"]
    assert ran.hints == ["store verify --repair gets back what it can"]
    assert f"altered {digest_in(blob)}" in ran.stdout.splitlines()
    assert "  alpha/__init__.py of alpha-1.0-py3-none-any.whl" in ran.stdout.splitlines()
    assert f"in {venv}: {module.relative_to(venv)}" in ran.stdout.splitlines()
    told = json.loads(store("verify", "--json").stdout)
    assert told["bad_blobs"] == told["altered"] == [digest_in(blob)]
    assert told["environments"] == [{"path": str(venv), "files": [str(module.relative_to(venv))]}]
    assert told["wheels"] == ["alpha-1.0-py3-none-any.whl"]
    assert store("verify", "gamma").status == 0
    assert store("verify", "alpha").status == 1


@pytest.mark.parametrize("options", [(), ("-v",), ("--link-mode", "copy")], ids=["warm", "full", "copy"])
def test_an_edit_through_an_environment_reaches_no_other_and_the_store_is_mended(
    store: FrontDoor, venv: Path, work: Path, options: tuple[str, ...]
) -> None:
    (module,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    (installer,) = venv.glob("lib/python3*/site-packages/gamma-1.0.dist-info/INSTALLER")
    for path, text in ((module, b"value = 3\n"), (installer, b"me\n")):
        path.chmod(0o644)
        path.write_bytes(text)
    ran = call_store("sync", "lock.txt", "--venv", "other", *options)
    assert ran.status == 0, ran.stderr
    assert "Repaired 2 damaged files in the store" in ran.stderr.splitlines()
    (other,) = (work / "other").glob("lib/python3*/site-packages/alpha/__init__.py")
    assert other.read_bytes() == b"value = 1\n"
    check_records(work / "other")
    assert (module.read_bytes(), installer.read_bytes()) == (b"value = 3\n", b"me\n")
    assert store("verify").status == 0


def test_a_change_of_an_environment_mends_the_store_too(
    store: FrontDoor, universe: Universe, venv: Path, work: Path
) -> None:
    store("sync", universe.lock(work / "gamma.txt", "gamma==1.0"), "--venv", "other")
    (module,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    module.unlink()
    module.write_bytes(b"")
    blob = next(path for path in blob_files(Path(os.environ["STORE_DIR"])) if path.read_bytes() == b"value = 1\n")
    blob.unlink()
    ran = call_store("sync", "lock.txt", "--venv", "other")
    assert (ran.status, "Repaired 1 damaged file in the store" in ran.stderr) == (0, True), ran.stderr
    check_records(work / "other")


def test_the_error_stands_where_the_wheel_cannot_be_had(
    store: FrontDoor, universe: Universe, venv: Path, work: Path, tmp_path: Path
) -> None:
    (module,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    rot(module, Random(1), hidden=False)
    hidden = universe.wheels["alpha==1.0"].rename(tmp_path / "alpha-1.0-py3-none-any.whl")
    try:
        ran = call_store("sync", "lock.txt", "--venv", "other", "--offline")
    finally:
        hidden.rename(universe.wheels["alpha==1.0"])
    assert ran.status == 1
    assert ran.errors[0].endswith("was changed")
    assert not (work / "other").exists()


def test_bit_rot_is_found_repaired_and_healed(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 random single-byte changes, in environments too, because these are hardlinks."""
    root, wheels = tmp_path / "rotten", tmp_path / "wheels"
    monkeypatch.setenv("STORE_DIR", str(root))
    monkeypatch.setenv("STORE_FIND_LINKS", str(wheels))
    dice = Random(100)
    made = [
        make_wheel(
            wheels,
            name,
            files={f"{name}/{number}.py": dice.randbytes(1 + number * 7) for number in range(40)},
            entry_points={"console_scripts": {name: f"{name}:main"}},
            scripts={f"{name}.py": f"#!python\nprint('{name}')\n".encode()},
        )
        for name in ("one", "two", "three", "four")
    ]
    lock = write_lock(work / "lock.txt", made)
    for venv, mode in (("a", "hardlink"), ("b", "hardlink"), ("c", "copy")):
        assert call_store("sync", lock, "--venv", venv, "--link-mode", mode).status == 0
    whole = {path: path.read_bytes() for path in blob_files(root)}
    victims = dice.sample(sorted(whole), 100)
    for victim in victims:
        rot(victim, dice)
    found = call_store("verify", "--json")
    assert found.status == 1
    told = json.loads(found.stdout)
    assert told["bad_blobs"] == sorted(digest_in(victim).removesuffix("-x") for victim in victims)
    assert {Path(one["path"]).name for one in told["environments"]} == {"a", "b"}
    repaired = call_store("verify", "--repair", "--json")
    assert repaired.status == 0, repaired.stderr
    told = json.loads(repaired.stdout)
    assert (told["repaired"], told["unrepaired"], told["reasons"]) == (100, [], [])
    assert {path: path.read_bytes() for path in blob_files(root)} == whole
    for venv in ("a", "b", "c"):
        assert check_records(work / venv) > 150
        done = subprocess.run([work / venv / "bin/three.py"], capture_output=True, text=True, check=True)
        assert done.stdout == "three\n"
        assert call_store("sync", lock, "--venv", venv).stderr.startswith("Audited")
    assert call_store("verify").status == 0
    assert next((work / "a").glob("lib/python3*/site-packages/one/3.py")).stat().st_nlink >= 3


def test_repair_needs_no_network_where_an_index_is_local_and_says_what_it_cannot_have(
    store: FrontDoor, universe: Universe, venv: Path, full_store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (module,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    rot(module, Random(1))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("STORE_FIND_LINKS", str(tmp_path / "elsewhere"))
    hidden = universe.wheels["alpha==1.0"].rename(tmp_path / "alpha-1.0-py3-none-any.whl")
    try:
        ran = call_store("verify", "--repair")
        assert ran.status == 1
        assert ran.errors == [f"1 blob is still damaged in the store {full_store}"]
        assert ran.warnings == [
            "alpha-1.0-py3-none-any.whl cannot be had again: neither its origin nor an index has it"
        ]
    finally:
        hidden.rename(universe.wheels["alpha==1.0"])
    assert call_store("verify", "--repair", "--offline").status == 0
    assert module.read_bytes() == b"value = 1\n"


def test_one_wheel_that_is_gone_does_not_keep_others_from_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "rotten"
    monkeypatch.setenv("STORE_DIR", str(root))
    monkeypatch.delenv("STORE_FIND_LINKS")
    names = [f"wheel{number}" for number in range(6)]
    wheels = [make_wheel(tmp_path / "wheels", name, files={f"{name}.py": name.encode()}) for name in names]
    assert call_store("add", *wheels).status == 0
    victims = [path for path in blob_files(root) if path.read_bytes().decode(errors="replace") in names]
    for victim in victims:
        rot(victim, Random(4))
    for wheel in wheels[:2]:
        make_wheel(tmp_path / "wheels", wheel.name.partition("-")[0], files={"other.py": b""})  # others by that name
    told = json.loads(call_store("verify", "--repair", "--json").stdout)
    assert (told["repaired"], len(told["unrepaired"])) == (4, 2)
    assert {reason.partition(" ")[0] for reason in told["reasons"]} == {wheel.name for wheel in wheels[:2]}


def test_what_no_index_has_may_be_in_an_environment(
    store: FrontDoor, venv: Path, universe: Universe, full_store: Path, tmp_path: Path
) -> None:
    assert store("sync", "lock.txt", "--venv", "copied", "--link-mode", "copy").status == 0
    (module,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    rot(module, Random(1))
    hidden = universe.wheels["alpha==1.0"].rename(tmp_path / "alpha-1.0-py3-none-any.whl")
    try:
        ran = call_store("verify", "--repair", "--offline")
    finally:
        hidden.rename(universe.wheels["alpha==1.0"])
    assert (ran.status, module.read_bytes()) == (0, b"value = 1\n"), ran.stderr
    assert store("verify").status == 0
    check_records(venv)


def test_what_a_user_has_changed_is_not_healed(
    store: FrontDoor, universe: Universe, venv: Path, full_store: Path
) -> None:
    (module,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    content = module.read_bytes()
    rot(module, Random(1))
    module.unlink()
    module.write_bytes(b"mine")
    ran = call_store("verify", "--repair")
    assert (ran.status, module.read_bytes()) == (0, b"mine")
    assert content in [path.read_bytes() for path in blob_files(full_store)]


def test_bytecode_of_a_bad_module_goes_with_it(store: FrontDoor, venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (module,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    rot(module, Random(3))
    cache = module.parent / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-311.pyc").write_bytes(b"bad")
    (cache / "new.cpython-311.pyc").write_bytes(b"another's")
    assert call_store("verify", "--repair").status == 0
    assert [path.name for path in cache.iterdir()] == ["new.cpython-311.pyc"]


def test_orphans_and_times_are_no_reason_to_fetch_anything(
    store: FrontDoor, full_store: Path, venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STORE_FIND_LINKS")
    blob = blob_files(full_store)[3]
    blob.chmod(0o644)
    inode = blob.stat().st_ino
    orphan = full_store / "blobs/00" / ("0" * 62)
    orphan.write_bytes(b"left")
    ran = store("verify")
    assert (ran.status, "1 file that nobody needs" in ran.stderr) == (1, True)
    assert store("verify", "--repair").status == 0
    assert (blob.stat().st_ino, blob.stat().st_mode & 0o222) == (inode, 0)
    assert not orphan.exists()
    assert list((full_store / "trash").iterdir()) == []
    assert store("verify").stderr.count("\n") == 1


@pytest.mark.parametrize("damage", ["text", "truncated"])
def test_a_damaged_index_is_made_anew_by_repair_alone(
    store: FrontDoor, universe: Universe, venv: Path, full_store: Path, work: Path, damage: str
) -> None:
    assert call_store("verify", "--repair").status == 0  # which keeps records of all wheels
    wheels = json.loads(store("ls", "--json").stdout)
    index = full_store / "index.sqlite3"
    index.write_bytes(b"no database" * 99 if damage == "text" else index.read_bytes()[: index.stat().st_size // 3])
    for end in ("-wal", "-shm"):
        Path(f"{index}{end}").unlink(missing_ok=True)
    others = (("ls",), ("sync", "lock.txt", "--venv", "other")) if damage == "text" else ()
    for words in (("verify",), *others):
        ran = store(*words)
        assert ran.status == 1
        assert ran.hints == ["store verify --repair makes it anew from what is kept of each wheel"]
    assert call_store("verify", "--repair").status == 0
    assert [one["sha256"] for one in json.loads(store("ls", "--json").stdout)] == [one["sha256"] for one in wheels]
    assert [one["path"] for one in json.loads(store("envs", "--json").stdout)] == [str(venv)]
    assert store("verify").status == 0
    assert store("sync", "lock.txt", "-v").status == 0
    check_records(venv)


def test_an_index_of_a_newer_version_is_not_repaired(store: FrontDoor, full_store: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(full_store / "index.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    ran = store("verify", "--repair")
    assert (ran.status, "schema 99" in ran.errors[0]) == (1, True)
    assert list((full_store / "trash").iterdir()) == []


# While others are at work


def test_what_is_collected_before_it_is_repaired_needs_no_repair(
    store: FrontDoor, full_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call_store("verify", "--repair").status == 0
    rot(blob_files(full_store)[3], Random(1))
    remember = restoring.remember_damage

    def collect_before(*arguments: Any) -> None:
        assert call_store("gc").status == 0
        remember(*arguments)

    monkeypatch.setattr(repairing, "remember_damage", collect_before)
    ran = store("verify", "--repair")
    assert (ran.status, ran.errors) == (0, [])
    assert blob_files(full_store) == []


def test_an_environment_that_is_changed_meanwhile_is_healed_as_it_is_then(
    store: FrontDoor, universe: Universe, venv: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alpha,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    (beta,) = venv.glob("lib/python3*/site-packages/beta/__init__.py")
    contents = beta.read_bytes()
    rot(alpha, Random(1))
    rot(beta, Random(1))
    other = universe.lock(work / "other.txt", "beta==1.0", "gamma==1.0")
    heal = healing.heal
    ran: list[Ran] = []

    def sync_before(*arguments: Any, **options: Any) -> Any:
        if not ran:
            ran.append(call_store("sync", str(other)))
        return heal(*arguments, **options)

    monkeypatch.setattr(repairing, "heal", sync_before)
    assert store("verify", "--repair").status == 0
    assert [one.status for one in ran] == [0]
    assert not alpha.exists()
    assert beta.read_bytes() == contents
    check_records(venv)
    assert store("verify").status == 0


def test_an_environment_that_was_moved_is_healed_when_it_is_found_again(
    store: FrontDoor, venv: Path, work: Path
) -> None:
    moved = venv.rename(work / "moved")
    (module,) = moved.glob("lib/python3*/site-packages/alpha/__init__.py")
    rot(module, Random(1))
    assert call_store("verify", "--repair").status == 0
    assert store("sync", "lock.txt", "--venv", "moved").status == 0
    assert store("verify").status == 1
    assert call_store("verify", "--repair").status == 0
    assert module.read_bytes() == b"value = 1\n"


@pytest.mark.parametrize("content", [b"", None], ids=["empty", "gone"])
def test_a_repair_writes_records_that_a_power_cut_took(
    store: FrontDoor, full_store: Path, content: bytes | None
) -> None:
    assert call_store("verify", "--repair").status == 0
    record = min((full_store / "wheels").iterdir())
    whole = record.read_bytes()
    record.unlink()
    if content is not None:
        record.write_bytes(content)
    assert call_store("verify", "--repair").status == 0
    assert record.read_bytes().partition(b"\n")[2] == whole.partition(b"\n")[2]
    assert list((full_store / "locks").glob("lease-*")) == []
