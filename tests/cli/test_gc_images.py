"""What gc does with images and spares, as users see it: environments go on working, and the disk is given back."""

from __future__ import annotations

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

from wheelstore.store.index import PrewarmedRow, open_index

LAYERED = ("--link-mode", "layered", "--no-compile-bytecode", "-q")


def gc(store: FrontDoor, *words: str) -> dict[str, Any]:
    """A collection that must go well; what it reports, which is what a dry run said."""
    rehearsed = json.loads(store("gc", "--json", "--dry-run", *words).stdout)
    ran = store("gc", "--json", *words)
    assert (ran.status, ran.stderr) == (0, "")
    told: dict[str, Any] = json.loads(ran.stdout)
    same = {"seconds": 0, "dry_run": False, "refilled": 0}
    assert rehearsed | same == told | same
    return told


@pytest.fixture(autouse=True)
def offline(full_store: Path, universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))


@pytest.fixture
def images(full_store: Path) -> Path:
    return full_store / "images"


@pytest.fixture
def lock(universe: Universe, work: Path) -> Path:
    return universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")


@pytest.fixture
def layered(store: FrontDoor, lock: Path, work: Path) -> Path:
    """A layered environment."""
    ran = store("sync", lock, *LAYERED)
    assert (ran.status, ran.stderr) == (0, "")
    return work / ".venv"


def works(venv: Path) -> bool:
    subprocess.run([venv / "bin/python", "-c", "import alpha, beta"], check=True)
    return True


def prewarm(full_store: Path, manifest: str, *, spares: int, used: float = 1e12) -> None:
    with open_index(str(full_store / "index.sqlite3")) as index, index.writing():
        index.put_prewarmed(PrewarmedRow(manifest, spares, "hardlink", "lock.txt", used))


def test_an_image_lives_as_long_as_what_looks_into_it(
    store: FrontDoor, layered: Path, images: Path, full_store: Path
) -> None:
    told = gc(store, "--grace", "0s", "--older-than", "0s", "--max-size", "0")
    assert (told["images"]["count"], works(layered)) == (0, True)
    assert flaws_of(full_store, collected=True) == []
    shutil.rmtree(layered)
    assert gc(store)["images"]["count"] == 0, "in its grace period"
    told = gc(store, "--grace", "0s")
    assert (told["images"]["count"], told["manifests"]["count"], told["wheels"]["count"]) == (1, 1, 2)
    assert told["images"]["bytes"] > 0
    assert told["freed_bytes"] == told["images"]["bytes"] + told["blobs"]["bytes"]
    assert list(images.iterdir()) == []
    assert flaws_of(full_store, collected=True) == []


def test_an_environment_that_was_moved_keeps_its_image(
    store: FrontDoor, layered: Path, lock: Path, work: Path, images: Path
) -> None:
    elsewhere = work / "a/b/moved"
    elsewhere.parent.mkdir(parents=True)
    layered.rename(elsewhere)
    for _ in range(2):
        assert gc(store, "--grace", "0s", "--max-size", "0")["images"]["count"] == 0
    assert works(elsewhere)
    ran = store("sync", lock, "--venv", elsewhere)
    assert ran.status == 0, ran.stderr
    assert gc(store, "--grace", "0s", "--max-size", "0")["images"]["count"] == 0
    assert works(elsewhere)
    assert subprocess.run([elsewhere / "bin/beta-tool"], check=True, capture_output=True).stdout == b"1.0\n"
    assert [row["path"] for row in json.loads(store("envs", "--json").stdout)] == [str(elsewhere)]
    shutil.rmtree(elsewhere)
    assert gc(store, "--grace", "0s")["images"]["count"] == 1
    assert list(images.iterdir()) == []


def test_an_environment_whose_place_was_taken_while_it_was_elsewhere_keeps_its_image(
    store: FrontDoor, layered: Path, universe: Universe, work: Path
) -> None:
    layered.rename(work / "moved")
    other = universe.lock(work / "other.txt", "gamma==1.0", "alpha==2.0")
    assert store("sync", other, *LAYERED).status == 0
    assert gc(store, "--grace", "0s", "--max-size", "0")["images"]["count"] == 0
    assert works(work / "moved")


def test_an_image_goes_when_its_environment_becomes_something_else_and_comes_back_with_it(
    store: FrontDoor, layered: Path, universe: Universe, work: Path, images: Path
) -> None:
    (image,) = images.iterdir()
    other = universe.lock(work / "other.txt", "alpha==2.0")
    assert store("sync", other, "-q").status == 0
    assert gc(store)["images"]["count"] == 1
    assert image not in images.iterdir()
    ran = store("rollback")
    assert ran.status == 0, ran.stderr
    assert (works(layered), image.is_dir()) == (True, True)
    assert gc(store)["images"]["count"] == 1
    assert works(layered)


def test_an_environment_that_is_layered_no_more_needs_no_image(
    store: FrontDoor, layered: Path, lock: Path, images: Path
) -> None:
    assert store("sync", lock, "--link-mode", "hardlink", "-q").status == 0
    assert json.loads(store("envs", "--json").stdout)[0]["mode"] == "hardlink"
    assert gc(store)["images"]["count"] == 1
    assert list(images.iterdir()) == []
    assert works(layered)


def test_a_forgotten_environment_is_no_root(store: FrontDoor, layered: Path) -> None:
    assert store("forget", layered).status == 0
    assert gc(store)["images"]["count"] == 1


def test_what_replaces_an_environment_lets_its_image_go(
    store: FrontDoor, layered: Path, universe: Universe, work: Path
) -> None:
    other = universe.lock(work / "other.txt", "gamma==1.0", "alpha==1.0")
    assert store("sync", other, "--clear", "--link-mode", "hardlink", "-q").status == 0
    assert gc(store)["images"]["count"] == 1
    assert (layered / "bin/python").exists()


def test_the_report_says_what_images_were(store: FrontDoor, layered: Path) -> None:
    shutil.rmtree(layered)
    ran = store("gc", "--grace", "0s")
    assert " - 1 image (" in ran.stderr
    assert "manifest" in ran.stderr


def test_spares_are_filled_up_again_and_go_when_nobody_wants_them(
    store: FrontDoor, layered: Path, images: Path, full_store: Path
) -> None:
    (image,) = images.iterdir()
    prewarm(full_store, image.name, spares=2)
    told = gc(store)
    assert told["refilled"] == 2
    spares = sorted((full_store / "spares" / image.name).iterdir())
    assert len(spares) == 2
    (site,) = spares[0].glob("lib/python3*/site-packages")
    assert (site / "alpha/__init__.py").samefile(next(image.glob("lib/python3*/site-packages/alpha/__init__.py")))
    assert gc(store)["refilled"] == 0
    shutil.rmtree(layered)
    assert gc(store, "--grace", "0s")["images"]["count"] == 0, "what shall be ready is kept"
    prewarm(full_store, image.name, spares=2, used=1.0)
    told = gc(store, "--grace", "0s")
    assert (told["spares"]["count"], told["images"]["count"], told["wheels"]["count"]) == (2, 1, 2)
    assert (list((full_store / "spares").iterdir()), flaws_of(full_store, collected=True)) == ([], [])


def test_on_btrfs_images_are_subvolumes_and_go_like_others(lock: Path, tmp_path: Path, first_store: Path) -> None:
    with mounted("btrfs", tmp_path / "disk", megabytes=256) as disk:
        root = disk / "store"
        shutil.copytree(first_store, root)
        venv = disk / "venv"
        assert call_store("sync", lock, *LAYERED, "--venv", venv, "--store", root).status == 0
        (image,) = (root / "images").iterdir()
        assert image.stat().st_ino == 256
        kept = json.loads(call_store("gc", "--json", "--max-size", "0", "--store", root).stdout)
        assert (kept["images"]["count"], works(venv)) == (0, True)
        shutil.rmtree(venv)
        rehearsed = json.loads(call_store("gc", "--json", "--grace", "0s", "--dry-run", "--store", root).stdout)
        told = json.loads(call_store("gc", "--json", "--grace", "0s", "--store", root).stdout)
        assert told["images"]["count"] == 1
        assert rehearsed["freed_bytes"] == told["freed_bytes"]
        assert os.listdir(root / "images") == os.listdir(root / "trash") == []
        assert flaws_of(root, collected=True) == []


def test_what_is_ready_is_measured_and_explained(
    store: FrontDoor, layered: Path, images: Path, full_store: Path
) -> None:
    (image,) = images.iterdir()
    before = json.loads(store("du", "--json").stdout)
    assert before["images"]["count"] == 1
    assert before["images"]["bytes"] == sum(one.stat().st_size for one in [image, *image.rglob("*")] if one.is_dir())
    assert before["spares"] == {"count": 0, "bytes": 0}
    prewarm(full_store, image.name, spares=2)
    store("gc")
    shutil.rmtree(layered)
    store("gc", "--grace", "0s")
    after = json.loads(store("du", "--json").stdout)
    assert (after["images"], after["spares"]["count"]) == (before["images"], 2)
    assert after["spares"]["bytes"] > 0
    assert f"total\tspares\t{after['spares']['bytes']}\n" in store("du").stdout
    assert store("why", "beta").stdout.split("\t")[3:] == ["prewarmed", "lock.txt", "2\n"]
    (told,) = json.loads(store("why", "beta", "--json").stdout)
    assert [(wish["source"], wish["spares"]) for wish in told["prewarmed"]] == [("lock.txt", 2)]
    assert told["freed_bytes"] == 0


def test_sealed_directories_are_no_obstacle_to_their_owner(lock: Path, work: Path, full_store: Path) -> None:
    assert call_store("sync", lock, *LAYERED, powerless=True).status == 0
    (image,) = (full_store / "images").iterdir()
    (package,) = image.glob("lib/python3*/site-packages/alpha")
    assert package.stat().st_mode & 0o222 == 0
    package.chmod(0o755)
    assert call_store("verify", "--repair", powerless=True).status == 0
    assert package.stat().st_mode & 0o222 == 0
    shutil.rmtree(work / ".venv")
    shutil.copytree(image, image.with_name("0123.lease-1-00000000"))
    ran = call_store("gc", "--grace", "0s", powerless=True)
    assert (ran.status, os.listdir(full_store / "images"), os.listdir(full_store / "trash")) == (0, [], [])
