"""Environments that look into an image: made, changed, turned into others, and mended."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.front_door import FrontDoor, call_store
from support.interpreters import facts_of
from support.trees import environment_content
from support.universe import Universe
from support.users import NOBODY, needs_root
from support.wheels import make_wheel, sha256_of

from wheelstore.materialize.environment import read_state

FACTS = facts_of(sys.executable)
LAYERED = ("--link-mode", "layered", "--no-compile-bytecode")
_BEHIND = "import alpha, beta; print(alpha.value, alpha.__file__)"


@pytest.fixture(autouse=True)
def offline(full_store: Path, universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))


@pytest.fixture
def lock(universe: Universe, work: Path) -> Path:
    return universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0", "pip==99.0")


@pytest.fixture
def images(full_store: Path) -> Path:
    return full_store / "images"


def said_by(venv: Path, code: str = _BEHIND) -> list[str]:
    return subprocess.run([venv / "bin/python", "-c", code], check=True, capture_output=True, text=True).stdout.split()


def mode_of(venv: Path) -> str:
    state = read_state(str(venv))
    assert state is not None
    return state.mode


def test_modules_are_the_images_and_the_rest_is_its_own(store: FrontDoor, lock: Path, work: Path, images: Path) -> None:
    ran = store("sync", lock, *LAYERED)
    assert (ran.status, ran.stderr.splitlines()[-3:]) == (0, [" + alpha==1.0", " + beta==1.0", " + pip==99.0"])
    venv = work / ".venv"
    (image,) = images.iterdir()
    assert said_by(venv) == ["1", str(image / FACTS.purelib / "alpha/__init__.py")]
    assert subprocess.run([venv / "bin/beta-tool"], check=True, capture_output=True).stdout == b"1.0\n"
    assert (venv / "share/beta/beta.txt").read_text() == "beta\n"
    assert sorted(path.name for path in (venv / FACTS.purelib).iterdir()) == ["_wheelstore-image.pth"]
    assert os.stat(image / FACTS.purelib / "alpha").st_mode & 0o777 == 0o555
    assert (mode_of(venv), json.loads(store("envs", "--json").stdout)[0]["mode"]) == ("layered", "layered")


def test_every_environment_of_a_lock_sees_one_image(store: FrontDoor, lock: Path, work: Path, images: Path) -> None:
    for name in ("one", "two", "three"):
        assert store("sync", lock, *LAYERED, "--venv", name).status == 0
    assert len(list(images.iterdir())) == 1
    assert said_by(work / "one") == said_by(work / "three")


def test_a_sync_leaves_a_layered_environment_layered(store: FrontDoor, lock: Path, work: Path) -> None:
    store("sync", lock, *LAYERED)
    assert store("sync", lock).stderr.startswith("Audited 3 packages")
    lock.write_text(lock.read_text().replace("alpha==1.0", "alpha==1.0 "))
    assert store("sync", lock).status == 0
    assert mode_of(work / ".venv") == "layered"


def test_another_lock_is_another_image_and_can_be_undone(
    store: FrontDoor, universe: Universe, lock: Path, work: Path, images: Path
) -> None:
    store("sync", lock, *LAYERED)
    venv = work / ".venv"
    (venv / "mine.txt").write_text("mine")
    two = universe.lock(work / "two.txt", "alpha==2.0", "beta==1.0")
    ran = store("sync", two)
    assert ran.stderr.splitlines()[2:] == [" - alpha==1.0", " + alpha==2.0", " - pip==99.0"]
    assert (said_by(venv)[0], (venv / "mine.txt").exists()) == ("2", True)
    assert not (venv / "bin/alpha-old").exists()
    assert store("rollback").status == 0
    assert (said_by(venv)[0], mode_of(venv), (venv / "bin/alpha-old").exists()) == ("1", "layered", True)
    assert len(list(images.iterdir())) == 2


@pytest.mark.parametrize("mode", ["hardlink", "copy"])
def test_an_environment_changes_its_form_and_is_then_what_a_new_one_is(
    store: FrontDoor, lock: Path, work: Path, mode: str
) -> None:
    for name, options in (("layered", LAYERED), ("files", ("--link-mode", mode, "--no-compile-bytecode"))):
        assert store("sync", lock, *options, "--venv", name).status == 0
    turned = work / "turned"
    assert store("sync", lock, "--link-mode", mode, "--venv", turned, "--no-compile-bytecode").status == 0
    assert store("sync", lock, *LAYERED, "--venv", turned).status == 0
    assert environment_content(turned) == environment_content(work / "layered")
    assert not list((turned / FACTS.purelib).glob("*alpha*"))
    assert store("sync", lock, "--link-mode", mode, "--venv", turned).status == 0
    assert environment_content(turned) == environment_content(work / "files")
    assert (mode_of(turned), said_by(turned)[1]) == (mode, str(turned / FACTS.purelib / "alpha/__init__.py"))


def test_nothing_to_do_is_found_out_and_so_is_an_image_that_is_gone(
    store: FrontDoor, lock: Path, work: Path, images: Path
) -> None:
    store("sync", lock, *LAYERED)
    assert store("sync", lock, *LAYERED).stderr.startswith("Audited 3 packages")
    shutil.rmtree(next(images.iterdir()))
    assert store("sync", lock).status == 0
    assert said_by(work / ".venv")[0] == "1"


def test_a_dry_run_knows_what_is_in_the_image(store: FrontDoor, universe: Universe, lock: Path, work: Path) -> None:
    store("sync", lock, *LAYERED)
    two = universe.lock(work / "two.txt", "alpha==2.0", "beta==1.0", "pip==99.0")
    said = json.loads(store("sync", two, "--dry-run", "--json").stdout)
    assert [[one["name"] for one in said[key]] for key in ("added", "removed")] == [["alpha"], ["alpha"]]


def test_reinstalling_makes_the_image_anew(store: FrontDoor, lock: Path, work: Path, images: Path) -> None:
    store("sync", lock, *LAYERED)
    (module,) = images.glob(f"*/{FACTS.purelib}/alpha/__init__.py")
    module.parent.chmod(0o755)
    module.unlink()
    module.write_text("value = 'edited'\n")
    assert store("sync", lock, "--reinstall").status == 0
    assert said_by(work / ".venv")[0] == "1"
    assert len(list(images.iterdir())) == 1


@pytest.mark.parametrize("mode", ["copy", "layered"])
def test_who_has_chosen_a_mode_keeps_it(store: FrontDoor, universe: Universe, work: Path, mode: str) -> None:
    for n in (1, 2):
        lock = universe.lock(work / f"{n}.txt", f"alpha=={n}.0", "beta==1.0")
        assert store("sync", lock, *(("--link-mode", mode) if n == 1 else ())).status == 0
        assert mode_of(work / ".venv") == mode
    module = work / ".venv" / FACTS.purelib / "alpha/__init__.py"
    assert mode == "layered" or (module.stat().st_nlink == 1 and module.stat().st_mode & 0o200)


def test_clones_that_cannot_be_are_said_to_be_links(store: FrontDoor, lock: Path, work: Path) -> None:
    ran = store("sync", lock, "--link-mode", "clone")
    warned = "has no clones" in "".join(ran.warnings)
    assert mode_of(work / ".venv") == ("hardlink" if warned else "clone")
    assert ran.status == 0


def test_what_leads_to_the_image_is_mended(store: FrontDoor, lock: Path, work: Path) -> None:
    store("sync", lock, *LAYERED)
    (path,) = (work / ".venv" / FACTS.purelib).glob("*.pth")
    path.unlink()
    assert store("sync", lock).status == 0
    assert said_by(work / ".venv")[0] == "1"


def test_a_moved_environment_works_and_is_put_right_by_the_next_sync(store: FrontDoor, lock: Path, work: Path) -> None:
    store("sync", lock, *LAYERED)
    (work / "elsewhere").mkdir()
    moved = (work / ".venv").rename(work / "elsewhere/.venv")
    assert said_by(moved)[0] == "1"
    assert store("sync", lock, "--venv", moved).status == 0
    assert subprocess.run([moved / "bin/beta-tool"], check=True, capture_output=True).stdout == b"1.0\n"


def test_a_moved_store_is_found_again_by_the_next_sync(
    store: FrontDoor, lock: Path, work: Path, full_store: Path
) -> None:
    store("sync", lock, *LAYERED)
    moved = full_store.rename(full_store.with_name("moved"))
    assert store("sync", lock, "--store", moved).status == 0
    assert said_by(work / ".venv")[1].startswith(str(moved))


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_nobody_but_its_owner_writes_to_an_image_whatever_the_umask(
    store: FrontDoor, lock: Path, images: Path, mask: int
) -> None:
    before = os.umask(mask)
    try:
        assert store("sync", lock, *LAYERED).status == 0
    finally:
        os.umask(before)
    (image,) = images.iterdir()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in image.rglob("*") if path.is_dir()}
    assert (stat.S_IMODE(image.stat().st_mode), modes) == (0o755, {0o555})


def test_an_image_that_others_can_write_to_makes_a_shared_store_unsafe(
    store: FrontDoor, lock: Path, full_store: Path, images: Path
) -> None:
    store("sync", lock, *LAYERED)
    full_store.chmod(0o755)
    next(images.iterdir()).chmod(0o775)
    ran = store("sync", lock, *LAYERED, "--venv", "other")
    assert (ran.status, "can be written to by other users" in ran.errors[0]) == (1, True)


def test_a_spare_is_as_private_as_its_taker_wants(store: FrontDoor, lock: Path, work: Path) -> None:
    assert store("prewarm", lock, "--spares", "2").status == 0
    for name, mask in (("private", 0o077), ("public", 0o022)):
        before = os.umask(mask)
        try:
            assert store("sync", lock, "--venv", name).status == 0
        finally:
            os.umask(before)
        assert stat.S_IMODE((work / name).stat().st_mode) == 0o777 & ~mask


def test_data_below_lib64_is_importable_in_every_form(store: FrontDoor, work: Path, tmp_path: Path) -> None:
    """``lib64`` is a link in an environment, and cannot be one in a tree that is completed later."""
    site = FACTS.purelib.replace("lib/", "lib64/", 1)
    wheel = make_wheel(tmp_path, "sixty-four", data={f"data/{site}/sixty_four.py": b""})
    assert call_store("add", wheel).status == 0
    lock = work / "lock.txt"
    lock.write_text(f"sixty-four==1.0 --hash=sha256:{sha256_of(wheel)}\n")
    options = ("--find-links", tmp_path)
    assert store("prewarm", lock, "--spares", "1", *options).status == 0
    for name, mode in (("files", "hardlink"), ("spare", "auto"), ("layered", "layered")):
        assert store("sync", lock, "--venv", name, "--link-mode", mode, *options).status == 0
        assert said_by(work / name, "import sixty_four; print(1)") == ["1"]


@pytest.mark.parametrize("name", ["new\nline", "tab\t", os.fsdecode(b"caf\xe9")], ids=ascii)
def test_a_store_that_no_pth_file_can_name_is_refused(
    store: FrontDoor, lock: Path, work: Path, full_store: Path, name: str
) -> None:
    odd = full_store.rename(full_store.with_name(name))
    ran = store("sync", lock, *LAYERED, "--store", odd)
    assert (ran.status, len(ran.errors), "--link-mode" in ran.hints[0]) == (1, 1, True)
    assert not (work / ".venv").exists()


def test_an_image_left_half_made_is_made_anew(store: FrontDoor, lock: Path, work: Path, images: Path) -> None:
    """By a process that was killed between the rename and the commit: there is a directory, and no row."""
    store("sync", lock, *LAYERED)
    (image,) = images.iterdir()
    moved = image.rename(images / "aside")
    shutil.rmtree(work / ".venv")
    shutil.copytree(moved, image, symlinks=True)
    (image / FACTS.purelib / "alpha").chmod(0o755)
    (image / FACTS.purelib / "alpha/__init__.py").unlink()
    subprocess.run([sys.executable, "-c", _FORGET_IMAGES, images.parent / "index.sqlite3"], check=True)
    assert store("sync", lock, *LAYERED).status == 0
    assert said_by(work / ".venv")[0] == "1"


_FORGET_IMAGES = "import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).execute('DELETE FROM images')"


@needs_root
def test_someone_elses_image_serves_and_a_missing_one_is_named(
    lock: Path, universe: Universe, work: Path, full_store: Path
) -> None:
    assert call_store("sync", lock, *LAYERED, "--venv", "mine").status == 0
    for directory in (full_store, *full_store.rglob("*")):
        os.chown(directory, NOBODY, NOBODY, follow_symlinks=False)
    full_store.chmod(0o755)
    ran = call_store("sync", lock, *LAYERED, "--venv", "theirs")
    assert (ran.status, ran.errors) == (0, [])
    assert said_by(work / "theirs") == said_by(work / "mine")
    other = universe.lock(work / "other.txt", "alpha==2.0")
    ran = call_store("sync", other, *LAYERED, "--venv", "third")
    assert (ran.status, "has no image of this lock" in ran.errors[0]) == (1, True)
    assert "store prewarm" in ran.hints[0]
    assert not (work / "third").exists()


def test_snapshots_are_refused_where_there_are_none(store: FrontDoor, lock: Path, work: Path, images: Path) -> None:
    ran = store("sync", lock, "--link-mode", "snapshot")
    assert (ran.status, len(ran.errors), "--link-mode hardlink" in ran.hints[0]) == (1, 1, True)
    assert (list(images.iterdir()), (work / ".venv").exists()) == ([], False)
