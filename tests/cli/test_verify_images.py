"""`store verify` is the proof for images and spares, which whoever uses them does without."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.front_door import FrontDoor, call_store
from support.mounts import mounted
from support.soundness import flaws_of
from support.universe import Universe

from wheelstore.store.btrfs import is_read_only, set_read_only
from wheelstore.store.index import PrewarmedRow, open_index

LAYERED = ("--link-mode", "layered", "--no-compile-bytecode", "-q")


@pytest.fixture(autouse=True)
def offline(full_store: Path, universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))


@pytest.fixture
def lock(universe: Universe, work: Path) -> Path:
    return universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")


@pytest.fixture
def layered(store: FrontDoor, lock: Path, work: Path) -> Path:
    """A layered environment."""
    assert store("sync", lock, *LAYERED).status == 0
    return work / ".venv"


@pytest.fixture
def image(layered: Path, full_store: Path) -> Path:
    """Its image."""
    (image,) = (full_store / "images").iterdir()
    return image


@pytest.fixture
def site(image: Path) -> Path:
    """Where the image has its modules."""
    (site,) = image.glob("lib/python3*/site-packages")
    return site


def verify(store: FrontDoor, *words: str, status: int) -> dict[str, Any]:
    ran = store("verify", "--json", *words)
    assert ran.status == status, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def faults(told: dict[str, Any], kind: str = "images") -> dict[str, str]:
    (tree,) = told[kind]
    return {os.path.basename(file["path"]): file["fault"] for file in tree["files"]}


def put(path: Path, content: bytes) -> None:
    """Another file in the place of one: no name of the blob is written through."""
    path.parent.chmod(0o755)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.parent.chmod(0o555)


def value_of(venv: Path) -> str:
    code = "import alpha, beta; print(alpha.value)"
    return subprocess.run([venv / "bin/python", "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_a_sound_image_is_sound(store: FrontDoor, image: Path) -> None:
    told = verify(store, status=0)
    assert (told["images"], told["spares"], told["orphaned"]) == ([], [], [])


def test_whatever_is_wrong_with_an_image_is_told_with_who_looks_into_it_and_mended(
    store: FrontDoor, layered: Path, image: Path, site: Path
) -> None:
    put(site / "alpha/__init__.py", b"value = 3\n")
    put(site / "alpha/intruder.py", b"")
    (site / "beta").chmod(0o755)
    (site / "alpha").chmod(0o755)
    (site / "alpha/data.bin").unlink()
    (site / "alpha").chmod(0o555)
    told = verify(store, status=1)
    assert faults(told) == {
        "__init__.py": "altered",
        "intruder.py": "strange",
        "data.bin": "missing",
        "beta": "open",
    }
    assert told["images"][0]["environments"] == [str(layered)]
    said = store("verify")
    assert f"which {layered} looks into" in said.stdout
    assert "1 image is damaged" in said.stderr
    inode = image.stat().st_ino
    told = verify(store, "--repair", status=0)
    assert told["mended"] == [f"image {image.name}"]
    assert image.stat().st_ino != inode
    assert verify(store, status=0)["images"] == []
    assert (value_of(layered), (site / "alpha/intruder.py").exists()) == ("1", False)
    assert store("gc").status == 0
    assert value_of(layered) == "1"


def test_the_same_bytes_of_another_time_are_wrong_too(store: FrontDoor, site: Path) -> None:
    content = (site / "alpha/__init__.py").read_bytes()
    put(site / "alpha/__init__.py", content)
    assert faults(verify(store, status=1)) == {"__init__.py": "altered"}


def test_an_image_whose_blob_was_edited_is_made_anew_after_the_blob(
    store: FrontDoor, layered: Path, image: Path, site: Path, full_store: Path
) -> None:
    module = site / "alpha/__init__.py"
    module.chmod(0o644)
    module.write_bytes(b"value = 9\n")  # and so the blob
    module.chmod(0o444)
    told = verify(store, status=1)
    assert (len(told["bad_blobs"]), faults(told)) == (1, {"__init__.py": "altered"})
    assert told["environments"] == []
    assert value_of(layered) == "9"
    told = verify(store, "alpha", "--repair", status=0)
    assert (told["repaired"], told["mended"]) == (1, [f"image {image.name}"])
    assert value_of(layered) == "1"
    assert verify(store, status=0)["images"] == []
    assert flaws_of(full_store, collected=False) == []


def test_what_a_layered_environment_has_itself_is_healed_by_its_own_plan(
    store: FrontDoor, layered: Path, image: Path
) -> None:
    own = layered / "share/beta/beta.txt"
    own.chmod(0o644)
    own.write_bytes(b"bets\n")
    own.chmod(0o444)
    told = verify(store, status=1)
    assert told["environments"] == [{"path": str(layered), "files": ["share/beta/beta.txt"]}]
    assert faults(told) == {"beta.txt": "altered"}
    told = verify(store, "--repair", status=0)
    assert told["healed"] == [{"path": str(layered), "files": ["share/beta/beta.txt"]}]
    assert (own.read_bytes(), (image / "share/beta/beta.txt").read_bytes()) == (b"beta\n", b"beta\n")
    assert not list((layered / "lib").rglob("alpha"))
    assert verify(store, status=0)["environments"] == []


def test_a_damaged_image_that_nobody_looks_into_goes(store: FrontDoor, layered: Path, image: Path, site: Path) -> None:
    put(site / "alpha/__init__.py", b"value = 3\n")
    assert store("forget", layered).status == 0
    told = verify(store, "--repair", status=0)
    assert (told["mended"], image.exists()) == ([f"image {image.name}"], False)
    assert verify(store, status=0)["images"] == []


def test_a_damaged_image_that_only_a_reader_uses_is_left_alone(
    store: FrontDoor, layered: Path, image: Path, site: Path
) -> None:
    shutil.rmtree(layered)
    lock = os.open(image, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert store("gc", "--grace", "0s").status == 0
        (site / "alpha").chmod(0o755)
        told = verify(store, "--repair", status=1)
        assert (told["mended"], len(told["unmended"])) == ([], 1)
        assert "in use" in told["unmended"][0]
        assert os.path.samestat(os.fstat(lock), image.stat())
    finally:
        os.close(lock)
    assert verify(store, "--repair", status=0)["unmended"] == []
    assert not image.exists()


@pytest.mark.parametrize("needed", [True, False])
def test_a_row_without_a_directory(store: FrontDoor, layered: Path, image: Path, *, needed: bool) -> None:
    for directory in image.rglob("*"):
        if directory.is_dir():
            directory.chmod(0o755)
    shutil.rmtree(image)
    if not needed:
        assert store("forget", layered).status == 0
    assert faults(verify(store, status=1)) == {"": "missing"}
    verify(store, "--repair", status=0)
    assert image.exists() == needed
    assert not needed or value_of(layered) == "1"
    assert verify(store, status=0)["images"] == []


def test_a_directory_without_a_row_is_nobodys(store: FrontDoor, image: Path) -> None:
    stranger = image.with_name("0" * 64)
    stranger.mkdir()
    assert verify(store, status=0)["orphaned"] == [f"images/{stranger.name}"]
    assert verify(store, "--repair", status=0)["orphaned"] == [f"images/{stranger.name}"]
    assert (stranger.exists(), image.exists()) == (False, True)


def test_bytecode_of_a_python_that_may_write_anywhere_stays_while_it_fits(
    store: FrontDoor, layered: Path, site: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root writes into sealed directories")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run([layered / "bin/python", "-c", "import alpha"], check=True, env=environ)
    (compiled,) = (site / "alpha/__pycache__").iterdir()
    assert verify(store, status=0)["images"] == []
    header = compiled.read_bytes()
    compiled.write_bytes(header[:8] + b"\0\0\0\0" + header[12:])
    assert faults(verify(store, status=1)) == {compiled.name: "strange"}
    compiled.write_bytes(header)
    (compiled.parent / "other.py").write_bytes(b"")
    assert faults(verify(store, status=1)) == {"other.py": "strange"}
    verify(store, "--repair", status=0)
    assert value_of(layered) == "1"


def test_a_spare_that_is_not_what_it_should_be_is_thrown_away(store: FrontDoor, image: Path, full_store: Path) -> None:
    with open_index(str(full_store / "index.sqlite3")) as index, index.writing():
        index.put_prewarmed(PrewarmedRow(image.name, 2, "hardlink", "lock.txt", 1e12))
    assert store("gc").status == 0
    good, bad = sorted((full_store / "spares" / image.name).iterdir())
    assert verify(store, status=0)["spares"] == []
    (module,) = bad.glob("lib/python3*/site-packages/alpha/__init__.py")
    module.unlink()
    told = verify(store, status=1)
    assert (faults(told, "spares"), told["spares"][0]["name"]) == ({"__init__.py": "missing"}, bad.name)
    verify(store, "--repair", status=0)
    assert (good.exists(), bad.exists()) == (True, False)
    assert os.listdir(full_store / "trash") == []


def test_an_image_that_cannot_be_made_anew_stays_and_is_told(
    store: FrontDoor, image: Path, site: Path, full_store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = site / "alpha/__init__.py"
    module.chmod(0o644)
    module.write_bytes(b"value = 9\n")
    monkeypatch.setenv("STORE_FIND_LINKS", str(tmp_path))
    with open_index(str(full_store / "index.sqlite3")) as index, index.writing():
        list(index.stream("UPDATE wheels SET origin = NULL"))
    ran = store("verify", "--repair", "--json")
    told = json.loads(ran.stdout)
    assert (ran.status, told["mended"], len(told["unmended"])) == (1, [], 1)
    assert "1 image is not made anew" in ran.stderr
    assert image.exists()


def test_a_blob_that_only_an_image_has_comes_back_from_there(
    store: FrontDoor, site: Path, full_store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = site / "alpha/__init__.py"
    (blob,) = (path for path in (full_store / "blobs").rglob("*") if path.is_file() and path.samefile(module))
    blob.unlink()
    monkeypatch.setenv("STORE_FIND_LINKS", str(tmp_path))
    with open_index(str(full_store / "index.sqlite3")) as index, index.writing():
        list(index.stream("UPDATE wheels SET origin = NULL"))
    assert verify(store, "--repair", status=0)["repaired"] == 1
    assert blob.read_bytes() == module.read_bytes()
    assert verify(store, status=0)["images"] == []


def test_subvolumes_are_read_and_mended_as_well(lock: Path, tmp_path: Path, first_store: Path) -> None:
    with mounted("btrfs", tmp_path / "disk", megabytes=256) as disk:
        root, venv = disk / "store", disk / "venv"
        shutil.copytree(first_store, root)
        assert call_store("sync", lock, *LAYERED, "--venv", venv, "--store", root).status == 0
        (image,) = (root / "images").iterdir()
        assert call_store("verify", "--store", root).status == 0
        (module,) = image.glob("lib/python3*/site-packages/alpha/__init__.py")
        status = module.stat()
        set_read_only(str(image), read_only=False)
        module.write_bytes(b"value = 3\n")
        os.utime(module, ns=(status.st_atime_ns, status.st_mtime_ns))
        told = json.loads(call_store("verify", "--json", "--store", root).stdout)
        assert faults(told) == {"": "open", "__init__.py": "altered"}
        assert call_store("verify", "--repair", "--store", root).status == 0
        assert (is_read_only(str(image)), value_of(venv)) == (True, "1")
        assert call_store("verify", "--store", root).status == 0
        assert sorted(os.listdir(root / "images")) == [image.name]
