from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores import Stock, make_stock
from support.wheels import make_wheel

from wheelstore.store import audit
from wheelstore.store.audit import (
    BadBlob,
    Fault,
    audit_some,
    check_blob,
    check_shard,
    confirmed,
    orphans_among,
)
from wheelstore.store.blobs import blob_name
from wheelstore.store.index import Index, WheelRow, open_index
from wheelstore.store.index_checks import (
    blobs_of_projects,
    blobs_of_shard,
    check_soundness,
    miscounted,
    recount,
    uses_of,
)
from wheelstore.store.ingest import blobs_of
from wheelstore.store.workers import Workers


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return make_stock(tmp_path / "store")


@pytest.fixture
def index(stock: Stock) -> Iterator[Index]:
    with open_index(stock.store.index_path) as index:
        yield index


@pytest.fixture
def demo(stock: Stock, index: Index, tmp_path: Path) -> WheelRow:
    """A wheel in the store."""
    row = stock.add(make_wheel(tmp_path, "demo", files={"demo.py": b"a = 1\n" * 9, "run": b"#!"}, executable=["run"]))
    add(index, row)
    return row


def add(index: Index, row: WheelRow) -> None:
    with index.writing():
        index.add_wheels([(row, blobs_of(row))], now=1.0)


def edit(path: Path, *, time: bool = False) -> None:
    """Change one byte in place; the time stays as it was unless `time`."""
    status = path.stat()
    path.chmod(0o644)
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.write_bytes(body)
    path.chmod(status.st_mode)
    if not time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def run(stock: Stock, index: Index) -> tuple[audit.Findings, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    with Workers(1) as workers:
        found = audit.audit(stock.store, index, workers, count=1, progress=lambda *step: told.append(step))
    return found, told


def test_a_sound_store_has_no_findings(stock: Stock, index: Index, demo: WheelRow) -> None:
    found, told = run(stock, index)
    blobs = blobs_of(demo)
    assert (found.blobs, found.size) == (len(set(blobs)), sum(size for _, size in set(blobs)))
    assert (found.bad, found.orphans) == ([], [])
    assert (sum(count for count, _ in told), sum(size for _, size in told)) == (found.blobs, found.size)
    assert miscounted(index) == []
    check_soundness(index)


def test_each_fault_is_told_apart(stock: Stock, index: Index, demo: WheelRow) -> None:
    keys = sorted({key for key, _ in blobs_of(demo)})
    stock.path(keys[0]).unlink()
    edit(stock.path(keys[1]))
    edit(stock.path(keys[2]), time=True)
    os.utime(stock.path(keys[3]), (0, 0))
    stock.path(keys[4]).chmod(0o644)
    found, _ = run(stock, index)
    faults = [Fault.MISSING, Fault.ALTERED, Fault.ALTERED, Fault.TOUCHED, Fault.TOUCHED]
    assert [(bad.key, bad.fault) for bad in found.bad] == list(zip(keys, faults, strict=True))
    assert found.bad[1].found == audit.digest_of(str(stock.path(keys[1]))) != keys[1][:32]
    assert found.bad[3].found == keys[3][:32]


def test_what_is_no_file_is_altered(stock: Stock, demo: WheelRow) -> None:
    key = blobs_of(demo)[0][0]
    content = stock.read(key)
    stock.path(key).unlink()
    beside = stock.path(key).with_name("beside")
    beside.write_bytes(content)
    stock.path(key).symlink_to(beside)
    assert check_blob(stock.store.blobs, key) == BadBlob(key, Fault.ALTERED)


def test_files_without_rows_are_orphans(stock: Stock, index: Index, demo: WheelRow, tmp_path: Path) -> None:
    other = stock.add(make_wheel(tmp_path, "other"))  # as a process leaves it that is killed before its rows
    (Path(stock.store.blobs) / "00" / "stray").write_bytes(b"?")
    found, _ = run(stock, index)
    left = {blob_name(key) for key, _ in blobs_of(other)} - {blob_name(key) for key, _ in blobs_of(demo)}
    assert found.orphans == sorted({*left, "00/stray"})
    assert found.bad == []
    add(index, other)
    assert run(stock, index)[0].orphans == ["00/stray"]


def test_what_is_being_collected_is_neither_bad_nor_an_orphan(stock: Stock, index: Index, demo: WheelRow) -> None:
    blobs = sorted(set(blobs_of(demo)))
    with index.writing():
        index.release(blobs)
    stock.path(blobs[0][0]).unlink()
    found, _ = run(stock, index)
    assert (found.blobs, found.bad, found.orphans) == (0, [], [])


def test_what_changed_since_it_was_looked_at_is_looked_at_again(
    stock: Stock, index: Index, demo: WheelRow, tmp_path: Path
) -> None:
    keys = sorted({key for key, _ in blobs_of(demo)})
    suspects = [BadBlob(key, Fault.MISSING) for key in keys]
    assert confirmed(stock.store, index, suspects) == []
    stock.path(keys[0]).unlink()
    assert confirmed(stock.store, index, suspects) == [BadBlob(keys[0], Fault.MISSING)]
    with index.writing():
        index.release([(keys[0], 1)])
    assert confirmed(stock.store, index, suspects) == []
    assert orphans_among(stock.store, index, [blob_name(key) for key in keys]) == []


def test_a_part_can_be_verified_alone(stock: Stock, index: Index, demo: WheelRow, tmp_path: Path) -> None:
    other = stock.add(make_wheel(tmp_path, "other"))
    add(index, other)
    own = {key for key, _ in blobs_of(other)} - {key for key, _ in blobs_of(demo)}
    victim = min({key for key, _ in blobs_of(demo)} - {key for key, _ in blobs_of(other)})
    edit(stock.path(victim))
    with Workers(1) as workers:
        for name, bad in (("other", []), ("demo", [victim])):
            blobs = blobs_of_projects(index, [name])
            found = audit_some(stock.store, index, workers, blobs, count=1, progress=lambda *_: None)
            assert found.blobs == len(blobs)
            assert [one.key for one in found.bad] == bad
    assert own <= set(blobs_of_projects(index, ["other"]))
    assert [(use.filename, use.key) for use in uses_of(index, {victim})] == [(demo.filename, victim)]


def test_wrong_counts_are_found_and_mended(stock: Stock, index: Index, demo: WheelRow, tmp_path: Path) -> None:
    add(index, stock.add(make_wheel(tmp_path, "other")))
    before = [blobs_of_shard(index, shard) for shard in range(256)]
    keys = sorted({key for key, _ in blobs_of(demo)})
    with index.writing():
        index.many("UPDATE blobs SET refs = refs + 7 WHERE key = ?", [(keys[0],)])
        index.many("DELETE FROM blobs WHERE key = ?", [(keys[1],)])
        index.many("INSERT INTO condemned (key, size) VALUES (?, 1)", [(keys[1],)])
        index.many("INSERT INTO blobs (key, size, refs) VALUES (?, 5, 1)", [(b"\xff" * 32,)])
    wrong = miscounted(index)
    assert [one.key for one in wrong] == [keys[0], keys[1], b"\xff" * 32]
    assert [(one.refs, one.counted) for one in wrong[1:]] == [(None, wrong[1].counted), (1, 0)]
    assert wrong[0].refs == wrong[0].counted + 7
    with index.writing():
        recount(index)
    assert miscounted(index) == []
    assert [blobs_of_shard(index, shard) for shard in range(256)] == before
    assert list(index.stream("SELECT key FROM condemned")) == [(b"\xff" * 32,)]


def test_a_shard_that_is_gone_has_nothing(stock: Stock, demo: WheelRow) -> None:
    key = blobs_of(demo)[0][0]
    shard = check_shard(f"{stock.store.root}/elsewhere", key[0], [(key, 1)], listed=True)
    assert (shard.bad, shard.strangers) == ([BadBlob(key, Fault.MISSING)], [])
