from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from support.front_door import FrontDoor
from support.trees import check_records
from support.universe import Universe

Rot = Callable[[Path], None]


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


def rot(path: Path, dice: Random, *, hidden: bool = True) -> None:
    """Change one byte in place; if it is `hidden`, the time does not tell."""
    status = path.stat()
    body = bytearray(path.read_bytes())
    body[dice.randrange(len(body))] ^= 1 + dice.randrange(255)
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(body)
    path.chmod(status.st_mode)
    if hidden:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def blobs(root: Path) -> list[Path]:
    return sorted(path for path in (root / "blobs").rglob("*") if path.is_file())


def name_of(blob: Path) -> str:
    return f"{blob.parent.name}{blob.name}"


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
    (blob,) = (path for path in blobs(full_store) if path.samefile(module))
    ran = store("verify")
    assert ran.status == 1
    assert ran.errors == [f"1 blob is damaged in the store {full_store}"]
    assert ran.hints == ["store verify --repair gets back what it can"]
    assert f"altered {name_of(blob)}" in ran.stdout.splitlines()
    assert "  alpha/__init__.py of alpha-1.0-py3-none-any.whl" in ran.stdout.splitlines()
    assert f"in {venv}: {module.relative_to(venv)}" in ran.stdout.splitlines()
    told = json.loads(store("verify", "--json").stdout)
    assert told["bad_blobs"] == told["altered"] == [name_of(blob)]
    assert told["environments"] == [{"path": str(venv), "files": [str(module.relative_to(venv))]}]
    assert told["wheels"] == ["alpha-1.0-py3-none-any.whl"]
    assert store("verify", "gamma").status == 0
    assert store("verify", "alpha").status == 1


def test_an_edit_through_an_environment_reaches_no_other(
    store: FrontDoor, universe: Universe, venv: Path, work: Path
) -> None:
    (module,) = venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    module.chmod(0o644)
    module.write_bytes(b"value = 3\n")
    for number, options in enumerate(((), ("-v",), ("--link-mode", "copy"))):
        other = work / f"other{number}"
        ran = store("sync", "lock.txt", "--venv", other, *options)
        if ran.status:
            assert ran.errors[0].endswith("was changed")
            assert not other.exists()
        else:
            assert next(other.glob("lib/python3*/site-packages/alpha/__init__.py")).read_bytes() == b"value = 1\n"
            check_records(other)
