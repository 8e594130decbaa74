from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from support.commands import eventually, store_script
from support.front_door import FrontDoor, call_store
from support.mounts import mounted
from support.servers import IndexServer
from support.soundness import flaws_of
from support.universe import Universe
from support.users import NOBODY, needs_root

from wheelstore.store.index import open_index

DAY = 86400.0


def blobs(store: Path) -> int:
    return sum(1 for path in (store / "blobs").rglob("*") if path.is_file())


def timeless(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what the clock has a say in: the two runs may be on either side of a second."""
    missing = [entry["path"] for entry in report["missing"]]
    return report | {"seconds": 0, "missing": missing}


def gc(store: FrontDoor, *words: str) -> dict[str, Any]:
    """A collection that must go well; what it reports, which is what a dry run said."""
    rehearsed = json.loads(store("gc", "--json", "--dry-run", *words).stdout)
    ran = store("gc", "--json", *words)
    assert (ran.status, ran.stderr) == (0, "")
    told: dict[str, Any] = json.loads(ran.stdout)
    assert (rehearsed.pop("dry_run"), told.pop("dry_run")) == (True, False)
    assert timeless(rehearsed) == timeless(told)
    return told


@pytest.fixture
def lock(universe: Universe, work: Path) -> Path:
    return universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")


@pytest.fixture
def synced(store: FrontDoor, full_store: Path, lock: Path, work: Path) -> Path:
    """An environment of some of the store's wheels."""
    ran = store("sync", lock, "--offline", "-q")
    assert (ran.status, ran.stderr) == (0, "")
    return work / ".venv"


# What goes and what stays


def test_only_what_no_environment_needs_goes(
    store: FrontDoor, synced: Path, full_store: Path, lock: Path, index: IndexServer
) -> None:
    told = gc(store)
    assert told["wheels"]["count"] == 6
    assert told["blobs"]["bytes"] == told["freed_bytes"] > 0
    assert flaws_of(full_store, collected=True) == []
    assert {line.split("\t")[0] for line in store("ls").stdout.splitlines()} == {"alpha", "beta"}
    again = store("sync", lock, "--offline", "--venv", "other")
    assert again.status == 0, again.stderr
    shutil.rmtree(synced)
    shutil.rmtree("other")
    told = gc(store, "--grace", "0s")
    assert told["environments"]["count"] == 2
    assert (told["wheels"]["count"], told["manifests"]["count"]) == (2, 1)
    assert flaws_of(full_store, collected=True) == []
    assert blobs(full_store) == 0
    anew = call_store("sync", str(lock), "--index-url", index.index_url, "-q")
    assert (anew.status, anew.stderr) == (0, "")
    assert (synced / "bin/alpha").exists()
    assert flaws_of(full_store, collected=True) == []


def test_a_moved_project_stays_protected(store: FrontDoor, synced: Path, lock: Path, work: Path) -> None:
    synced.rename(work / "moved")
    told = gc(store, "--older-than", "0s", "--grace", "0s")
    assert (told["environments"]["count"], told["missing"]) == (0, [])
    subprocess.run([work / "moved/bin/python", "-c", "import alpha, beta"], check=True)
    ran = store("sync", lock, "--offline", "--venv", "moved")
    assert ran.status == 0, ran.stderr
    assert gc(store, "--grace", "0s")["wheels"]["count"] == 0
    shutil.rmtree(work / "moved")
    assert gc(store, "--grace", "0s")["wheels"]["count"] == 2


def test_a_moved_project_stays_protected_though_another_takes_its_place(
    store: FrontDoor, universe: Universe, synced: Path, work: Path
) -> None:
    synced.rename(work / "moved")
    other = universe.lock(work / "other.txt", "gamma==1.0")
    assert store("sync", other, "--offline", "-q").status == 0
    gc(store, "--grace", "0s")
    assert {line.split("\t")[0] for line in store("ls").stdout.splitlines()} == {"alpha", "beta", "gamma"}


def test_a_deleted_project_goes_after_the_grace_period(
    store: FrontDoor, synced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(synced)
    began = time.time()
    told = gc(store)
    assert [one["path"] for one in told["missing"]] == [str(synced)]
    monkeypatch.setattr("time.time", lambda: began + DAY - 60)
    assert gc(store)["environments"]["count"] == 0
    monkeypatch.setattr("time.time", lambda: began + DAY + 60)
    told = gc(store)
    assert (told["environments"]["paths"], told["wheels"]["count"]) == ([str(synced)], 2)


def test_what_a_killed_sync_left_beside_its_place_keeps_nothing_for_long(
    store: FrontDoor, synced: Path, work: Path
) -> None:
    synced.rename(work / "..venv.12345-0123abcd.tmp")
    assert gc(store, "--grace", "0s")["environments"]["count"] == 0
    assert os.listdir(work) == ["lock.txt"]
    assert gc(store, "--grace", "0s")["environments"]["paths"] == [str(synced)]


def test_a_disk_that_is_not_mounted_costs_nothing(
    store: FrontDoor, full_store: Path, lock: Path, tmp_path: Path
) -> None:
    with mounted("ext4", tmp_path / "disk", megabytes=32) as disk:
        assert store("sync", lock, "--offline", "-q", "--venv", disk / "project/.venv").status == 0
        gc(store, "--grace", "0s")
    told = gc(store, "--grace", "0s")
    assert (told["environments"]["count"], told["missing"], told["wheels"]["count"]) == (0, [], 0)


def test_a_copied_environment_does_not_take_the_original_s_place(
    store: FrontDoor, synced: Path, lock: Path, work: Path
) -> None:
    subprocess.run(["cp", "-a", synced, work / "copy"], check=True)
    assert store("sync", lock, "--offline", "-q", "--venv", "copy", "--reinstall").status == 0
    shutil.rmtree(work / "copy")
    told = gc(store, "--grace", "0s")
    assert (told["environments"]["paths"], told["wheels"]["count"]) == ([str(work / "copy")], 6)
    assert store("sync", lock, "--offline", "-q").status == 0


def test_unfinished_downloads_and_index_pages_go(
    store: FrontDoor, universe: Universe, lock: Path, tmp_path: Path, index: IndexServer, work: Path
) -> None:
    unhashed = universe.lock(work / "unhashed.txt", "gamma==1.0", hashed=False)
    ran = call_store("sync", str(unhashed), "--index-url", index.index_url, "-q")
    assert ran.status == 0, ran.stderr
    (tmp_path / f"store/tmp/{'a' * 64}.whl").write_bytes(b"12345")
    assert gc(store, "--older-than", "1h")["pages"]["count"] == 0
    (tmp_path / f"store/tmp/{'a' * 64}.whl").write_bytes(b"12345")
    told = gc(store)
    assert (told["leftovers"], told["pages"]["count"]) == ({"count": 1, "bytes": 5}, 1)
    assert told["pages"]["bytes"] > 0
    assert told["freed_bytes"] == 5 + told["pages"]["bytes"]
    assert gc(store)["freed_bytes"] == 0


def test_the_policy_is_the_user_s(store: FrontDoor, full_store: Path) -> None:
    assert gc(store, "--older-than", "1h")["wheels"]["count"] == 0
    assert gc(store, "--max-size", "1GB")["wheels"]["count"] == 0
    with open_index(f"{full_store}/index.sqlite3") as index:
        _, size = index.blob_count()
    assert 0 < gc(store, "--max-size", f"{size - 1}B")["wheels"]["count"] < 8
    gc(store, "--max-size", "1GB", "--older-than", "0s")
    assert store("ls").stdout == ""


# What it says


def test_people_are_told_what_went(store: FrontDoor, synced: Path, full_store: Path) -> None:
    shutil.rmtree(synced)
    would = store("gc", "--dry-run", "--grace", "0s").stderr.splitlines()
    said = store("gc", "--grace", "0s").stderr.splitlines()
    assert would[0].startswith("Would free ")
    assert said[0].startswith("Freed ")
    assert would[1:] == said[1:]
    assert said[1:4] == [f" - environment {synced}, which is gone", " - 1 manifest", " - 8 wheels"]
    assert store("gc").stderr.startswith("Found nothing to free in ")


def test_people_are_told_what_is_kept_for_an_environment_that_is_gone(store: FrontDoor, synced: Path) -> None:
    shutil.rmtree(synced)
    said = store("gc").stderr.splitlines()[-1]
    assert said.startswith(f"{synced} is gone since 20")
    assert "; what it needs is kept until 20" in said
    assert said.endswith("; --grace 0s frees it now")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--older-than", "3x"], "invalid value for '--older-than': '3x' is not a duration"),
        (["--grace", "-1d"], "invalid value for '--grace': '-1d' is not a duration"),
        (["--older-than", "30"], "invalid value for '--older-than': '30' is not a duration"),
        (["--max-size", "20 parsecs"], "invalid value for '--max-size': '20 parsecs' is not a size"),
        (["--max-size", "20"], "invalid value for '--max-size': '20' is not a size"),
        (["--max-size", "."], "invalid value for '--max-size': '.' is not a size"),
    ],
)
def test_amounts_that_are_none_are_usage_errors(store: FrontDoor, words: list[str], said: str) -> None:
    ran = store("gc", *words)
    assert ran.status == 2
    assert ran.errors[0].startswith(said)


# Stores that are not there, or not ours


def test_where_there_is_no_store_there_is_nothing_to_do_and_none_is_made(store: FrontDoor, tmp_path: Path) -> None:
    ran = store("gc")
    assert (ran.status, ran.stderr[:21]) == (0, "Found nothing to free")
    assert not (tmp_path / "store").exists()
    (tmp_path / "store").mkdir()
    assert gc(store)["freed_bytes"] == 0
    assert os.listdir(tmp_path / "store") == []


def test_a_directory_that_is_no_store_is_refused(store: FrontDoor, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/mine.txt").write_text("precious")
    ran = store("gc")
    assert ran.status == 1
    assert "is not a store" in ran.errors[0]


@needs_root
def test_somebody_else_s_store_is_left_alone(store: FrontDoor, full_store: Path) -> None:
    for path in [full_store, *full_store.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    ran = store("gc")
    assert (ran.status, len(ran.errors), len(ran.hints)) == (1, 1, 1)
    assert ran.errors == [f"the store {full_store} is read-only here, so nothing can be freed in it"]


def test_a_root_that_cannot_be_read_stops_everything(store: FrontDoor, synced: Path, full_store: Path) -> None:
    shutil.rmtree(synced)
    synced.symlink_to(synced)
    before = blobs(full_store)
    ran = store("gc", "--grace", "0s")
    assert ran.status == 1
    assert ran.errors == [f"nothing was freed, because the environment {synced} cannot be looked at"]
    assert ran.hints == [f"make it readable; or, if it is no more, run 'store forget {synced}'"]
    assert blobs(full_store) == before
    assert store("forget", synced).status == 0
    assert store("gc").status == 0


def test_an_interrupted_collection_loses_nothing(store: FrontDoor, synced: Path, full_store: Path) -> None:
    holder = sqlite3.connect(full_store / "index.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")  # so that it waits where it is
    process = subprocess.Popen([store_script(), "gc"], stderr=subprocess.PIPE, text=True)
    eventually((full_store / "locks/gc").exists)
    process.send_signal(signal.SIGINT)
    holder.rollback()
    holder.close()
    _, said = process.communicate()
    assert process.returncode in (0, 130), said  # it may have been through
    assert store("gc").status == 0
    assert flaws_of(full_store, collected=True) == []


# Now and then, by itself


def sync_with(lock: Path, venv: str, period: str) -> str:
    ran = call_store("sync", str(lock), "--offline", "--venv", venv, STORE_AUTO_GC=period)
    assert ran.status == 0, ran.stderr
    return ran.stderr


def leftover(full_store: Path) -> Path:
    path = full_store / "tmp/something"
    path.write_bytes(b"1")
    return path


def test_a_sync_collects_a_little_once_a_day_if_told_to(full_store: Path, lock: Path, work: Path) -> None:
    left = leftover(full_store)
    assert call_store("sync", str(lock), "--offline", "--venv", "one").status == 0
    assert left.exists()
    sync_with(lock, "one", "30d")  # which does nothing
    assert left.exists()
    sync_with(lock, "two", "30d")
    assert not left.exists()
    left = leftover(full_store)
    sync_with(lock, "three", "30d")
    assert left.exists()
    with sqlite3.connect(full_store / "index.sqlite3") as connection:
        connection.execute("UPDATE memory SET value = ? WHERE key = 'auto-gc'", (b"%d" % (time.time() - DAY),))
    connection.close()
    sync_with(lock, "four", "30d")
    assert not left.exists()
    assert flaws_of(full_store, collected=True) == []


def test_a_period_that_is_none_is_a_warning(full_store: Path, lock: Path) -> None:
    said = sync_with(lock, "one", "often")
    assert "warning: STORE_AUTO_GC: 'often' is not a duration" in said


def test_trouble_in_between_is_not_the_sync_s(full_store: Path, lock: Path) -> None:
    if os.geteuid() == 0:
        (full_store / "trash/strange").mkdir()
        subprocess.run(["chattr", "+i", full_store / "trash/strange"], check=False)
    try:
        said = sync_with(lock, "one", "0s")
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", full_store / "trash/strange"], check=False)
    assert "error" not in said


@pytest.mark.parametrize("period", ["100000000d", "9" * 400 + "d"], ids=["long", "endless"])
def test_a_grace_period_past_all_calendars(store: FrontDoor, synced: Path, period: str) -> None:
    shutil.rmtree(synced)
    ran = store("gc", "--grace", period)
    assert (ran.status, "is kept until 9999-" in ran.stderr) == (0, True), ran.stderr
    (missing,) = json.loads(store("gc", "--json", "--grace", period).stdout)["missing"]
    assert missing["until"].startswith("9999-")
    assert store("gc", "--older-than", period).status == 0


def test_a_size_past_all_disks_is_no_size(store: FrontDoor, synced: Path) -> None:
    ran = store("gc", "--max-size", "9" * 400 + "GB")
    assert (ran.status, "is not a size" in ran.errors[0]) == (2, True)
