from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.mounts import mounted
from support.yards import AT_ONCE, Yard, sha256_for

from wheelstore.store.claims import Claims, claim_directory
from wheelstore.store.collection import Collection, collect, collect_a_little, rehearse
from wheelstore.store.index import EnvironmentRow, Index, open_index
from wheelstore.store.lease import Lease
from wheelstore.store.pace import Pace, Turn
from wheelstore.store.policy import DAY, Policy
from wheelstore.store.records import recorded, write_record
from wheelstore.store.vanished import RootUnknown, RootUnreadable

NOW = 100.0


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    opened = Yard.open(tmp_path)
    yield opened
    opened.index.close()


def names(directory: str) -> list[str]:
    return sorted(os.listdir(directory))


# Wheels and blobs


def test_what_nobody_needs_goes_and_what_it_shares_with_others_stays(yard: Yard) -> None:
    yard.wheel("used", b"own", b"shared")
    yard.wheel("unused", b"other", b"shared", b"")
    yard.manifest("m", "used", generated=(b"script",))
    yard.environment("e", "m")
    freed = yard.collect()
    assert (freed.wheels, freed.manifests, freed.blobs, freed.blob_bytes) == (1, 0, 1, len(b"other"))
    assert yard.wheels() == {"used"}
    assert yard.blobs() == {b"own", b"shared", b"script"}
    assert names(yard.store.trash) == []


def test_a_manifest_of_nobody_goes_with_its_files_and_answers(yard: Yard) -> None:
    yard.wheel("a", b"a")
    yard.manifest("m", "a", generated=(b"script",))
    freed = yard.collect()
    assert (freed.wheels, freed.manifests, freed.blobs, freed.size) == (1, 1, 2, 7)
    assert yard.blobs() == set()
    assert yard.index.answer("question m") is None
    assert yard.collect().rows == 0


def test_the_index_becomes_smaller_too(yard: Yard) -> None:
    with yard.index.writing():
        yard.index.put_manifest("m", b"content", os.urandom(3 << 20), now=1.0)
    full = _pages(yard)
    yard.collect()
    assert _pages(yard) < full / 2


def _pages(yard: Yard) -> int:
    return int(yard.index._rows("PRAGMA page_count")[0][0])


def test_a_file_twice_in_a_wheel_is_one_reference(yard: Yard) -> None:
    yard.wheel("a", b"same", b"same")
    yard.wheel("b", b"same")
    yard.manifest("m", "b")
    yard.environment("e", "m")
    assert yard.collect().blobs == 0
    assert yard.blobs() == {b"same"}


def test_many_wheels_and_files_go_in_many_turns(yard: Yard) -> None:
    for number in range(30):
        yard.wheel(f"w{number}", *(f"{number}-{at}".encode() for at in range(60)), b"in all")
    yard.wheel("kept", b"in all")
    yard.manifest("m", "kept")
    yard.environment("e", "m")
    freed = yard.collect()
    assert (freed.wheels, freed.blobs) == (30, 1800)
    assert yard.blobs() == {b"in all"}


def test_age_keeps_what_was_used_since(yard: Yard) -> None:
    yard.wheel("old", b"old", used=10.0)
    yard.wheel("young", b"young", used=60.0)
    yard.wheel("planned", b"planned", used=10.0)
    yard.manifest("m", "planned", used=60.0)
    assert yard.collect(Policy(older_than=50.0), now=100.0).wheels == 1
    assert yard.wheels() == {"young", "planned"}
    assert yard.collect(Policy(older_than=50.0), now=110.0).manifests == 1
    assert yard.wheels() == set()


def test_the_wheels_of_a_manifest_were_used_when_it_was(yard: Yard) -> None:
    yard.wheel("a", b"a", used=10.0)
    yard.wheel("b", b"b", used=50.0)
    yard.manifest("m", "a", used=40.0)
    yard.collect(Policy(older_than=None, max_size=1))
    assert yard.wheels() == {"b"}


def test_the_least_recently_used_goes_until_the_rest_is_small_enough(yard: Yard) -> None:
    yard.wheel("first", b"1" * 100, used=10.0)
    yard.wheel("second", b"2" * 100, used=20.0)
    yard.wheel("third", b"3" * 100, used=30.0)
    yard.wheel("needed", b"4" * 100, used=1.0)
    yard.manifest("m", "needed")
    yard.environment("e", "m")
    assert yard.collect(Policy(older_than=None, max_size=400)).wheels == 0
    assert yard.collect(Policy(older_than=None, max_size=399)).wheels == 1
    assert yard.wheels() == {"second", "third", "needed"}
    assert yard.collect(Policy(older_than=None, max_size=0)).wheels == 2
    assert yard.wheels() == {"needed"}


def test_shared_bytes_do_not_count_as_freed_before_the_last_who_has_them_goes(yard: Yard) -> None:
    yard.wheel("first", b"1" * 100, used=10.0)
    yard.wheel("second", b"1" * 100, b"2", used=20.0)
    yard.wheel("third", b"3" * 100, used=30.0)
    assert yard.collect(Policy(older_than=None, max_size=150)).wheels == 2
    assert yard.wheels() == {"third"}


def test_max_size_lets_old_generations_go_too(yard: Yard) -> None:
    for number in range(1, 4):
        yard.wheel(f"w{number}", b"%d" % number * 100)
        yard.manifest(f"m{number}", f"w{number}")
    yard.environment("e", "m1", "m2", "m3")
    freed = yard.collect(Policy(older_than=None, max_size=100))
    assert (freed.generations, freed.manifests, freed.wheels) == (1, 1, 1)
    assert yard.wheels() == {"w2", "w3"}


# Generations


@pytest.mark.parametrize(("current", "kept"), [(4, {3, 4}), (2, {1, 2}), (1, {1})])
def test_the_current_generation_and_the_one_before_it_stay(yard: Yard, current: int, kept: set[int]) -> None:
    for number in range(1, 5):
        yard.wheel(f"w{number}", b"%d" % number)
        yard.manifest(f"m{number}", f"w{number}")
    yard.environment("e", "m1", "m2", "m3", "m4", generation=current)
    yard.collect()
    assert {one.number for one in yard.index.generations("e")} == kept
    assert yard.wheels() == {f"w{number}" for number in kept}


def test_old_generations_go_by_age(yard: Yard) -> None:
    yard.manifest("m")
    yard.environment("e", "m", "m", "m", synced=60.0)
    assert yard.collect(Policy(older_than=50.0), now=100.0).generations == 0
    assert yard.collect(Policy(older_than=50.0), now=110.0).generations == 1


# Leases


def test_what_a_living_operation_claims_stays(yard: Yard) -> None:
    yard.wheel("a", b"a")
    yard.wheel("b", b"b")
    yard.wheel("c", b"c")
    yard.manifest("m", "a")
    with Lease(yard.store, yard.index, now=NOW) as first, Lease(yard.store, yard.index, now=NOW) as second:
        assert first.plan("m") == b"plan"
        second.wheels([sha256_for("b")])
        assert yard.collect().wheels == 1
        assert yard.wheels() == {"a", "b"}
    assert yard.collect().wheels == 2


def test_the_lease_of_a_killed_process_protects_nothing(yard: Yard) -> None:
    yard.wheel("a", b"a")
    child = os.fork()
    if not child:
        with open_index(yard.store.index_path) as index:
            lease = Lease(yard.store, index, now=NOW)
            lease.wheels([sha256_for("a")])
            os.mkdir(lease.directory)
            os._exit(0)
    os.waitpid(child, 0)
    assert [name[:6] for name in names(yard.store.locks)] == ["lease-"]
    freed = yard.collect()
    assert (freed.wheels, freed.leftovers) == (1, 2)
    assert names(yard.store.tmp) == []
    assert names(yard.store.locks) == ["gc"]


# Environments


def test_a_deleted_environment_is_forgotten_after_the_grace_period(yard: Yard) -> None:
    yard.wheel("a", b"a")
    yard.manifest("m", "a")
    yard.environment("e", "m")
    yard.remove("e")
    policy = Policy(grace=DAY)
    freed = yard.collect(policy, now=NOW)
    assert [(one.row.id, one.since, one.until) for one in freed.missing] == [("e", NOW, NOW + DAY)]
    assert freed.environments == []
    assert yard.collect(policy, now=NOW + DAY - 1).wheels == 0
    freed = yard.collect(policy, now=NOW + DAY)
    assert freed.environments == [str(yard.root / "e")]
    assert freed.wheels == 1
    assert yard.index.environments() == []
    assert yard.index.generations("e") == []
    assert names(yard.store.tokens) == []


def test_an_environment_that_is_back_begins_anew_when_it_goes_again(yard: Yard) -> None:
    yard.manifest("m")
    yard.environment("e", "m")
    (yard.root / "e").rename(yard.root / "elsewhere")
    os.unlink(yard.root / "elsewhere/.wheelstore/token")
    yard.collect(Policy(), now=NOW)
    shutil.rmtree(yard.root / "elsewhere")
    path = yard.environment("e", "m", synced=2.0)
    with yard.index.writing():  # as if it had not been a sync that brought it back
        list(yard.index.stream("UPDATE environments SET missing = ?", (NOW,)))
    assert yard.collect(Policy(), now=NOW + 2 * DAY).environments == []
    shutil.rmtree(path)
    assert yard.collect(Policy(), now=NOW + 3 * DAY).environments == []
    assert yard.collect(Policy(), now=NOW + 4 * DAY).environments == [str(path)]


def test_a_moved_environment_is_protected(yard: Yard) -> None:
    yard.wheel("a", b"a")
    yard.manifest("m", "a")
    yard.environment("e", "m").rename(yard.root / "elsewhere")
    freed = yard.collect()
    assert (freed.environments, freed.missing, freed.wheels) == ([], [], 0)


def test_a_copy_does_not_protect_what_was_deleted(yard: Yard) -> None:
    yard.wheel("a", b"a")
    yard.manifest("m", "a")
    path = yard.environment("e", "m")
    shutil.copytree(path, yard.root / "copy")
    assert yard.collect().wheels == 0
    yard.remove("e")
    assert yard.collect().wheels == 1


def test_the_place_of_a_deleted_environment_may_be_taken_by_another(yard: Yard) -> None:
    yard.manifest("m")
    yard.environment("e", "m")
    yard.remove("e")
    yard.environment("other", "m").rename(yard.root / "e")
    assert yard.collect().environments == [str(yard.root / "e")]
    assert [row.id for row in yard.index.environments()] == ["other"]


def test_an_environment_on_a_disk_that_is_not_mounted_costs_nothing(yard: Yard, tmp_path: Path) -> None:
    yard.wheel("a", b"a")
    yard.manifest("m", "a")
    with mounted("ext4", tmp_path / "disk", megabytes=16) as disk:
        path = yard.environment("e", "m")
        shutil.copytree(path, disk / "e")
        shutil.rmtree(path)
        row = yard.index.environments()[0]
        from wheelstore.store.tokens import filesystem_of

        there = row._replace(path=str(disk / "e"), filesystem=filesystem_of(str(disk)))
        with yard.index.writing():
            yard.index.put_environment(there)
        assert yard.collect().wheels == 0
    freed = yard.collect()
    assert (freed.environments, freed.missing, freed.wheels) == ([], [], 0)


def test_nothing_is_freed_while_a_root_cannot_be_read(yard: Yard, tmp_path: Path) -> None:
    yard.wheel("a", b"a")
    yard.manifest("m")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with yard.index.writing():
        yard.index.put_environment(EnvironmentRow("e", f"{loop}/e", "m", "hardlink", "3.12.1", 1.0, 1.0, "fs"))
    before = yard.everything()
    with pytest.raises(RootUnreadable) as caught:
        collect(yard.store, yard.index, AT_ONCE, now=NOW)
    assert str(loop / "e") in str(caught.value)
    assert caught.value.hint == f"make it readable; or, if it is no more, run 'store forget {loop}/e'"
    assert yard.everything() == before | {f"{yard.store.locks}/gc": b""}


def test_nothing_is_freed_while_an_environment_has_no_manifest(yard: Yard) -> None:
    yard.wheel("a", b"a")
    path = yard.environment("e", "unknown")
    with pytest.raises(RootUnknown) as caught:
        collect(yard.store, yard.index, AT_ONCE, now=NOW)
    assert str(path) in str(caught.value)
    assert "store forget" in str(caught.value.hint)
    assert yard.wheels() == {"a"}
    collect_a_little(yard.store, yard.index, Policy(), now=NOW)
    assert yard.wheels() == {"a"}
    yard.remove("e")
    with pytest.raises(RootUnknown):
        collect(yard.store, yard.index, Policy(grace=DAY), now=NOW)
    assert yard.collect().wheels == 1


def test_an_environment_that_is_being_made_is_not_forgotten(yard: Yard) -> None:
    yard.manifest("m")
    yard.environment("e", "m")
    yard.remove("e")
    with Lease(yard.store, yard.index, now=NOW) as lease:
        lease.plan("m")
        assert yard.collect().environments == []
    assert yard.collect().environments == [str(yard.root / "e")]


def test_what_a_deleted_environment_had_was_in_use_until_then(yard: Yard) -> None:
    yard.wheel("a", b"a")
    yard.manifest("m", "a", used=1.0)
    yard.environment("e", "m")
    yard.remove("e")
    policy = Policy(older_than=50.0, grace=0.0)
    assert yard.collect(policy, now=100.0).wheels == 0
    assert yard.collect(policy, now=149.0).wheels == 0
    assert yard.collect(policy, now=150.0).wheels == 1


# Clocks


def test_a_use_in_the_future_counts_as_now(yard: Yard) -> None:
    yard.wheel("a", b"a", used=10_000.0)
    policy = Policy(older_than=50.0)
    assert yard.collect(policy, now=100.0).wheels == 0
    assert yard.collect(policy, now=149.0).wheels == 0
    assert yard.collect(policy, now=150.0).wheels == 1


def test_missing_since_the_future_counts_as_now(yard: Yard) -> None:
    yard.manifest("m")
    yard.environment("e", "m")
    yard.remove("e")
    yard.collect(Policy(grace=50.0), now=10_000.0)
    assert yard.collect(Policy(grace=50.0), now=100.0).environments == []
    assert yard.collect(Policy(grace=50.0), now=149.0).environments == []
    assert yard.collect(Policy(grace=50.0), now=150.0).environments == [str(yard.root / "e")]


# What lies around


def test_unfinished_things_of_nobody_go(yard: Yard) -> None:
    tmp, trash = Path(yard.store.tmp), Path(yard.store.trash)
    (tmp / "op-lease-1-dead/deep").mkdir(parents=True)
    (tmp / "op-lease-1-dead/deep/file").write_bytes(b"12345")
    (tmp / f"{'a' * 64}.whl").write_bytes(b"123")
    (tmp / f"{'b' * 64}.whl.part").write_bytes(b"12")
    (tmp / "something").write_bytes(b"1")
    (trash / "old-environment/bin").mkdir(parents=True)
    (trash / "old-environment/bin/python").write_bytes(b"1234")
    (trash / "old-environment/bin").chmod(0o500)
    freed = yard.collect()
    assert (freed.leftovers, freed.leftover_bytes, freed.size) == (5, 15, 15)
    assert (names(yard.store.tmp), names(yard.store.trash)) == ([], [])


def test_what_living_operations_have_in_tmp_stays(yard: Yard) -> None:
    tmp, trash = Path(yard.store.tmp), Path(yard.store.trash)
    (trash / "environment that somebody removes").mkdir()
    (trash / "environment that was replaced").mkdir()
    (tmp / "op-lease-1-dead").mkdir()
    (tmp / "somebody's").write_bytes(b"1")
    with (
        Lease(yard.store, yard.index, now=NOW) as lease,
        Claims(f"{yard.store.locks}/unrelated", ["a" * 64]),
    ):
        os.mkdir(lease.directory)
        claim = claim_directory(str(trash / "environment that somebody removes"))
        assert yard.collect().leftovers == 2
        assert names(yard.store.tmp) == sorted([f"op-{lease.id}", "somebody's"])
        assert names(yard.store.trash) == ["environment that somebody removes"]
        os.close(claim)
    assert yard.collect().leftovers == 2


def test_a_download_under_way_stays(yard: Yard) -> None:
    wheel = Path(yard.store.tmp, f"{'a' * 64}.whl")
    wheel.write_bytes(b"123")
    claims = f"{yard.store.locks}/claims"
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if not child:  # locks are a process's
        with Claims(claims, ["a" * 64]):
            os.write(ready[1], b".")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    try:
        assert yard.collect().leftovers == 0
    finally:
        os.write(done[1], b".")
        os.waitpid(child, 0)
    assert yard.collect().leftovers == 1
    for descriptor in (*ready, *done):
        os.close(descriptor)


def test_files_without_rows_go(yard: Yard) -> None:
    yard.wheel("a", b"a")
    yard.manifest("m", "a")
    yard.environment("e", "m")
    yard.publish(b"orphan")
    strange = Path(yard.store.blobs, "00", "strange")
    strange.write_bytes(b"not a blob")
    freed = yard.collect()
    assert (freed.orphans, freed.orphan_bytes, freed.blobs) == (1, 6, 0)
    assert yard.blobs() == {b"a", b"not a blob"}


def test_files_stay_while_the_index_lacks_wheels_that_have_a_record(yard: Yard) -> None:
    yard.publish(b"orphan")
    records = Path(yard.store.records)
    records.mkdir(exist_ok=True)
    (records / sha256_for("lost")).write_bytes(b"")
    freed = yard.collect()
    assert (freed.orphans, freed.unrecorded) == (0, [sha256_for("lost")])
    assert yard.blobs() == {b"orphan"}


def test_the_record_of_a_wheel_goes_with_it(yard: Yard) -> None:
    records = Path(yard.store.records)
    records.mkdir(exist_ok=True)
    for name in ("used", "unused"):
        yard.wheel(name, name.encode())
        (records / sha256_for(name)).write_bytes(b"")
    yard.manifest("m", "used")
    yard.environment("e", "m")
    yard.collect()
    assert names(yard.store.records) == [sha256_for("used")]


# Interruptions


class Killed(BaseException):
    pass


@pytest.mark.parametrize("count", range(1, 9))
def test_a_collection_that_is_cut_short_is_finished_by_the_next(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    for number in range(12):
        yard.wheel(f"w{number}", *(f"{number}-{at}".encode() for at in range(100)), b"in all")
    yard.wheel("kept", b"in all")
    yard.manifest("m", "kept")
    yard.environment("e", "m")
    turns = 0
    original = Pace.turn

    def turn(pace: Pace, index: object) -> object:
        nonlocal turns
        turns += 1
        if turns > count:
            raise Killed
        return original(pace, index)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("wheelstore.store.pace._TURN", 0.0)
        patch.setattr("wheelstore.store.index_releases.STEP", 300)
        patch.setattr("wheelstore.store.sweep._FILES_AT_ONCE", 100)
        patch.setattr(Pace, "turn", turn)
        with pytest.raises(Killed):
            Collection(store=yard.store, index=yard.index, policy=AT_ONCE, now=NOW, pace=Pace(rests=False)).run()
    assert yard.flaws() == []
    yard.wheel("again", b"3-7", b"4-8")  # what is on its way out comes back
    assert yard.flaws() == []
    yard.manifest("n", "again")
    yard.environment("f", "n")
    yard.collect()
    assert yard.blobs() == {b"in all", b"3-7", b"4-8"}
    assert list(yard.index.stream("SELECT 1 FROM released UNION ALL SELECT 1 FROM condemned")) == []


def test_condemned_rows_without_files_are_no_trouble(yard: Yard) -> None:
    yard.wheel("a", b"a")
    with yard.index.writing():
        list(yard.index.stream("INSERT INTO condemned VALUES (?, 5)", (b"k" * 32,)))
    freed = yard.collect()
    assert (freed.blobs, freed.blob_bytes) == (2, 6)


# A little


def test_a_little_is_done_in_a_little_time(yard: Yard) -> None:
    for number in range(3):
        yard.wheel(f"w{number}", b"%d" % number)
    Path(yard.store.tmp, "something").write_bytes(b"1")
    freed = collect_a_little(yard.store, yard.index, Policy(), now=NOW)
    assert freed.blobs == 0  # what this one condemns, the next one removes
    assert yard.flaws() == []
    freed = yard.collect()
    assert freed.blobs == 3


def test_a_little_looks_at_no_environment(yard: Yard) -> None:
    yard.wheel("a", b"a")
    yard.manifest("m", "a")
    yard.environment("e", "m")
    yard.remove("e")
    collect_a_little(yard.store, yard.index, AT_ONCE, now=NOW)
    assert [row.missing for row in yard.index.environments()] == [None]
    assert yard.wheels() == {"a"}


def test_a_little_gives_way_to_a_collection(yard: Yard) -> None:
    yard.wheel("a", b"a")
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        with Claims(f"{yard.store.locks}/gc", ["0" * 64]):
            os.write(ready[1], b".")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    collect_a_little(yard.store, yard.index, Policy(), now=NOW)
    os.write(done[1], b".")
    os.waitpid(child, 0)
    assert yard.wheels() == {"a"}
    for descriptor in (*ready, *done):
        os.close(descriptor)


# What is not as it should be


def test_a_store_without_a_place_for_trash_gets_one(yard: Yard) -> None:
    yard.wheel("unused", b"one")
    with yard.index.writing():
        yard.publish(b"orphan")
    os.rmdir(yard.store.trash)
    freed = yard.collect()
    assert (freed.blobs, freed.orphans) == (1, 1)
    assert not yard.blob(b"one").exists()
    assert not yard.blob(b"orphan").exists()


def test_a_record_goes_only_when_its_wheel_has_gone_for_good(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = yard.wheel("unused", b"one")
    (row,) = yard.index.wheels([sha256]).values()
    write_record(yard.store, row, 1.0)

    def killed(self: object, *_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Turn, "is_over", property(killed))  # inside the transaction, which is rolled back
        with pytest.raises(KeyboardInterrupt):
            collect(yard.store, yard.index, AT_ONCE, now=NOW)
    assert (yard.wheels(), recorded(yard.store)) == ({"unused"}, [sha256])
    with monkeypatch.context() as patch:
        patch.setattr(Collection, "_release", killed)  # after it
        with pytest.raises(KeyboardInterrupt):
            collect(yard.store, yard.index, AT_ONCE, now=NOW)
    assert yard.wheels() == set()
    with yard.index.writing():
        yard.publish(b"orphan")
    freed = yard.collect()
    assert (freed.unrecorded, freed.orphans, recorded(yard.store)) == ([], 1, [])


def test_the_record_of_a_wheel_that_came_again_stays(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = yard.wheel("wheel", b"one")
    (row,) = yard.index.wheels([sha256]).values()
    write_record(yard.store, row, 1.0)

    def again(self: Collection) -> None:
        yard.wheel("wheel", b"one", used=NOW)
        write_record(yard.store, row, NOW)

    with monkeypatch.context() as patch:
        patch.setattr(Collection, "_release", again)
        collect(yard.store, yard.index, AT_ONCE, now=NOW)
    assert (yard.wheels(), recorded(yard.store)) == ({"wheel"}, [sha256])


def test_half_a_record_of_a_killed_process_goes(yard: Yard) -> None:
    half = f"{yard.store.records}/{'ab' * 32}.12-34567890"
    with open(half, "wb") as stream:
        stream.write(b"half")
    with Lease(yard.store, yard.index, now=1.0) as lease:
        lease.wheels(["ab" * 32])
        yard.collect()
        assert os.path.exists(half)
    yard.collect()
    assert not os.path.exists(half)


def test_an_environment_that_is_gone_and_unknown_stops_collections_for_its_grace_period(yard: Yard) -> None:
    """As after the index was lost: nobody can sync it any more, and the store is not to grow for ever."""
    path = yard.environment("e", "unknown")
    shutil.rmtree(path)
    yard.wheel("unused", b"one")
    for now in (NOW, NOW + DAY - 1):
        with pytest.raises(RootUnknown):
            collect(yard.store, yard.index, Policy(), now=now)
    assert yard.blobs() == {b"one"}
    freed = collect(yard.store, yard.index, Policy(), now=NOW + DAY)
    assert (freed.environments, yard.blobs()) == ([str(path)], set())


def test_a_rehearsal_is_done_while_others_write_all_the_time(yard: Yard) -> None:
    with yard.index.writing():
        for number in range(40):
            yard.index.put_manifest(f"m{number}", b"content", os.urandom(1 << 20), now=1.0)
    other = open_index(yard.store.index_path)
    written: list[int] = []

    def progress(_: int, left: int, total: int) -> None:  # between two steps of the copy
        written.append(left)
        assert len(written) < 20
        other.remember("a", b"%d" % len(written))

    backup = sqlite3.Connection.backup

    class Busy(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **options: Any) -> None:
            backup(self, target, progress=progress, **options)

    busy = sqlite3.connect(yard.store.index_path, isolation_level=None, factory=Busy)
    rehearse(yard.store, Index(busy, yard.store.index_path), AT_ONCE, now=NOW)
    busy.close()
    other.close()
