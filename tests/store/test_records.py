from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.stores import Stock, make_stock
from support.wheels import make_wheel

from wheelstore.store.index import Index, IndexUnusable, WheelRow, open_index
from wheelstore.store.index_checks import IndexDamaged, blobs_of_shard, check_soundness, miscounted
from wheelstore.store.ingest import blobs_of
from wheelstore.store.records import (
    Record,
    drop_record,
    identity_of,
    read_records,
    recorded,
    set_aside,
    write_record,
)
from wheelstore.store.schema import IndexTooNew
from wheelstore.store.tokens import make_token


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return make_stock(tmp_path / "store")


@pytest.fixture
def rows(stock: Stock, tmp_path: Path) -> list[WheelRow]:
    """Two wheels in the store, with a blob in common, and their records."""
    rows = []
    for name in ("one", "two"):
        wheel = make_wheel(tmp_path, name, files={f"{name}.py": name.encode(), f"{name}/shared": b"shared" * 9})
        rows.append(stock.add(wheel)._replace(origin=wheel.as_uri()))
        write_record(stock.store, rows[-1], 7.5)
    return rows


def all_blobs(index: Index) -> list[list[tuple[bytes, int]]]:
    return [blobs_of_shard(index, shard) for shard in range(256)]


def test_what_is_written_is_read(stock: Stock, rows: list[WheelRow]) -> None:
    assert sorted(read_records(stock.store)) == sorted(Record(row, 7.5) for row in rows)
    write_record(stock.store, rows[0], 9.0)
    assert recorded(stock.store) == sorted(row.sha256 for row in rows)
    drop_record(stock.store, rows[0].sha256)
    drop_record(stock.store, rows[0].sha256)
    assert [record.wheel for record in read_records(stock.store)] == rows[1:]
    assert [path.name for path in Path(stock.store.records).iterdir()] == [rows[1].sha256]


@pytest.mark.parametrize("length", [0, 5, 60, -1])
def test_half_a_record_is_none(stock: Stock, rows: list[WheelRow], length: int) -> None:
    path = Path(stock.store.records, rows[0].sha256)
    path.write_bytes(path.read_bytes()[:length])
    assert [record.wheel for record in read_records(stock.store)] == rows[1:]


@pytest.mark.parametrize("content", [b"[]\n", b'{"added": 1, "length": 0}\n', b'{"added": "x"}\n', b"\xff\n"])
def test_what_is_no_record_is_passed_over(stock: Stock, rows: list[WheelRow], content: bytes) -> None:
    Path(stock.store.records, rows[0].sha256).write_bytes(content)
    Path(stock.store.records, "0" * 64).write_bytes(Path(stock.store.records, rows[1].sha256).read_bytes())
    Path(stock.store.records, "notes").write_bytes(b"mine")
    assert [record.wheel for record in read_records(stock.store)] == rows[1:]


def test_a_lost_index_is_made_anew(stock: Stock, rows: list[WheelRow], tmp_path: Path) -> None:
    (tmp_path / "env/.wheelstore").mkdir(parents=True)
    make_token(stock.store, "e1", str(tmp_path / "env"), root=str(tmp_path / "env"))
    with open_index(stock.store.index_path) as index, index.writing():
        if not index.sha256s():
            index.add_wheels(((row, blobs_of(row)) for row in rows), now=7.5)
        before = index.listing(), all_blobs(index)
    for end in ("", "-wal", "-shm"):
        Path(f"{stock.store.index_path}{end}").unlink(missing_ok=True)
    with open_index(stock.store.index_path) as index:
        assert (index.listing(), all_blobs(index)) == before
        assert index.wheels([rows[0].sha256]) == {rows[0].sha256: rows[0]}
        assert miscounted(index) == []
        (environment,) = index.environments()
        assert (environment.id, environment.path) == ("e1", str(tmp_path / "env"))
        assert index.manifest_content(environment.manifest) is None


def test_a_wheel_with_a_missing_blob_is_left_out(stock: Stock, rows: list[WheelRow]) -> None:
    own = {key for key, _ in blobs_of(rows[0])} - {key for key, _ in blobs_of(rows[1])}
    stock.path(min(own)).unlink()
    with open_index(stock.store.index_path) as index:
        assert index.sha256s() == [rows[1].sha256]
        assert miscounted(index) == []


def test_an_empty_file_is_a_lost_index(stock: Stock, rows: list[WheelRow]) -> None:
    Path(stock.store.index_path).touch()
    with open_index(stock.store.index_path) as index:
        assert sorted(index.sha256s()) == recorded(stock.store)


@pytest.mark.parametrize("damage", ["text", "truncated", "garbage"])
def test_a_damaged_index_is_told_and_set_aside(stock: Stock, rows: list[WheelRow], damage: str) -> None:
    with open_index(stock.store.index_path) as index, index.writing():
        index.remember("much", b"x" * 300_000)
    path = Path(stock.store.index_path)
    content = bytearray(path.read_bytes())
    if damage == "garbage":
        for at in range(5 * 16384, len(content), 16384):
            content[at : at + 200] = b"\xa5" * 200
    if damage == "truncated":
        del content[len(content) // 2 :]
    path.write_bytes(b"no database" * 99 if damage == "text" else content)
    with pytest.raises((IndexUnusable, IndexDamaged)) as caught, open_index(stock.store.index_path) as index:
        check_soundness(index)
    assert getattr(caught.value, "damaged", True)
    assert caught.value.hint is not None
    assert "verify --repair" in caught.value.hint
    moved = set_aside(stock.store, identity_of(stock.store.index_path))
    assert os.path.dirname(moved) == stock.store.trash
    assert not path.exists()
    with open_index(stock.store.index_path) as index:
        check_soundness(index)
        assert sorted(index.sha256s()) == recorded(stock.store)


def test_a_newer_index_is_not_touched(stock: Stock, rows: list[WheelRow]) -> None:
    import sqlite3

    connection = sqlite3.connect(stock.store.index_path)
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    path = Path(stock.store.index_path)
    path.chmod(0o640)
    before = path.read_bytes(), path.stat().st_mode
    with pytest.raises(IndexTooNew):
        open_index(stock.store.index_path)
    assert (path.read_bytes(), path.stat().st_mode) == before


def test_records_are_small_and_readable(stock: Stock, rows: list[WheelRow]) -> None:
    head = Path(stock.store.records, rows[0].sha256).read_bytes().partition(b"\n")[0]
    told = json.loads(head)
    assert (told["filename"], told["origin"], told["added"]) == (rows[0].filename, rows[0].origin, 7.5)


def test_only_what_was_found_damaged_is_set_aside(stock: Stock) -> None:
    """Of two that find it, the second leaves alone what the first has made anew."""
    path = Path(stock.store.index_path)
    path.write_bytes(b"no database" * 99)
    found = identity_of(str(path))
    assert set_aside(stock.store, found)
    open_index(str(path)).close()
    made = path.read_bytes()
    assert set_aside(stock.store, found) == ""
    assert path.read_bytes() == made
