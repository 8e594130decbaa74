import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wheelstore.store.index import (
    Answer,
    EnvironmentRow,
    ImageRow,
    Index,
    IndexUnusable,
    PrewarmedRow,
    WheelRow,
    open_index,
)
from wheelstore.store.index_bytecode import CompiledRow, put_bytecode
from wheelstore.store.schema import VERSION, IndexTooNew


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "index.sqlite3")


@pytest.fixture
def index(path: str) -> Iterator[Index]:
    with open_index(path) as opened:
        yield opened


def wheel(sha256: str = "a" * 64, name: str = "demo", version: str = "1.0") -> WheelRow:
    return WheelRow(sha256, f"{name}-{version}-py3-none-any.whl", name, version, 10, True, b"\0\0\0\0", None)


def add_and_fail() -> Iterator[tuple[WheelRow, list[tuple[bytes, int]]]]:
    yield wheel(), [(b"k" * 32, 3)]
    raise ZeroDivisionError


def test_a_wheel_and_its_blobs_become_visible_together(index: Index, path: str) -> None:
    with open_index(path) as reader:
        with index.writing():
            index.add_wheels([(wheel(), [(b"k" * 32, 3), (b"l" * 32, 4)])], now=5.0)
            assert reader.wheels(["a" * 64]) == {}
            assert reader.blob_count() == (0, 0)
        assert reader.wheels(["a" * 64]) == {"a" * 64: wheel()}
        assert reader.blob_count() == (2, 7)


def test_a_failed_transaction_leaves_nothing(index: Index) -> None:
    with pytest.raises(ZeroDivisionError), index.writing():
        index.add_wheels(add_and_fail(), now=5.0)
    assert index.wheels(["a" * 64]) == {}
    assert index.blob_count() == (0, 0)


def test_adding_a_wheel_twice_is_adding_it_once(index: Index) -> None:
    for _ in range(2):
        with index.writing():
            index.add_wheels([(wheel(), [(b"k" * 32, 3)])], now=5.0)
    assert [row.name for row in index.all_wheels()] == ["demo"]


def test_more_wheels_are_found_than_one_statement_takes(index: Index) -> None:
    many = [wheel(f"{number:064x}", name=f"p{number}") for number in range(1200)]
    with index.writing():
        index.add_wheels([(row, []) for row in many], now=1.0)
    assert len(index.wheels([row.sha256 for row in many])) == 1200
    assert len(index.filenames([row.sha256 for row in many])) == 1200


def test_answers_manifests_and_memory_come_back(index: Index) -> None:
    assert index.answer("q") is None
    assert index.manifest("m") is None
    assert index.recall("k") is None
    with index.writing():
        index.put_manifest("m", b"content", b"plan", now=1.0)
        index.put_answer("q", Answer("m", "inputs"))
    index.remember("k", b"v")
    assert index.answer("q") == Answer("m", "inputs")
    assert (index.manifest("m"), index.manifest_content("m")) == (b"plan", b"content")
    assert index.recall("k") == b"v"


def test_one_path_has_one_environment(index: Index) -> None:
    first = EnvironmentRow("1", "/e", "m", "hardlink", "3.12.1", 1.0, 1.0)
    second = first._replace(id="2", synced=2.0)
    with index.writing():
        index.put_environment(first)
        index.put_environment(second)
    assert index.environments() == [first, second]  # until the second is in its place
    with index.writing():
        index.supplant("/e", "2", spared=lambda _: False)
    assert index.environments() == [second]
    with index.writing():
        index.put_environment(second._replace(created=9.0, manifest="n"))
    assert index.environments() == [second._replace(manifest="n")]


def test_processes_that_race_to_make_the_index_all_get_it(path: str) -> None:
    def make(_: object) -> tuple[int, int]:
        with open_index(path) as made:
            return made.blob_count()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(make, range(8))) == [(0, 0)] * 8


def test_a_newer_schema_is_refused(path: str) -> None:
    with open_index(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(IndexTooNew, match="schema"):
        open_index(path)


def test_an_index_from_before_images_gets_what_it_lacks(path: str) -> None:
    row = EnvironmentRow("1", "/e", "m", "hardlink", "3.12.1", 1.0, 1.0)
    with open_index(path) as index, index.writing():
        index.add_wheels([(wheel("a" * 64), [(b"k" * 32, 3)])], now=1.0)
        index.put_manifest("m", b"content", b"plan", now=1.0, wheels=["a" * 64])
        index.put_environment(row)
    connection = sqlite3.connect(path, isolation_level=None)
    for table in ("shapes", "images", "prewarmed", "bytecode"):  # what the schema 2 did not have
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with open_index(path) as index:
        assert (index.environments(), index.manifest("m"), index.blob_count()) == ([row], b"plan", (1, 3))
        assert (index.images(), index.all_prewarmed(), index.shape("m", "layer")) == ([], [], None)
        with index.writing():
            index.put_shape("m", "layer", b"layer")
            index.put_shape("n", "layer", b"of no manifest")
            index.put_image(ImageRow("m", "directory", 5, 1.0, 1.0))
            index.put_prewarmed(PrewarmedRow("m", 2, "hardlink", "lock.txt", 1.0))
            put_bytecode(index, [CompiledRow(b"k" * 32, "cpython-312", b"")])
        assert (index.shape("m", "layer"), index.shape("n", "layer"), index.images_size()) == (b"layer", None, 5)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def test_a_damaged_index_is_named_with_what_to_do(path: str) -> None:
    with open(path, "wb") as stream:
        stream.write(b"this is not a database" * 100)
    with pytest.raises(IndexUnusable, match="not a database") as caught:
        open_index(path)
    assert caught.value.hint is not None


def test_damage_that_shows_only_when_reading_is_named_too(path: str) -> None:
    with open_index(path) as index, index.writing():
        index.add_wheels([(wheel(f"{number:064x}"), [(b"k" * 32, 3)]) for number in range(500)], now=1.0)
    with open(path, "r+b") as stream:
        stream.seek(2 * 16384)
        stream.write(b"\xff" * (os.path.getsize(path) - 2 * 16384))
    with open_index(path) as index:
        for read in (lambda: index.wheels(["a" * 64]), lambda: [*index.all_wheels()], index.blob_count):
            with pytest.raises(IndexUnusable, match="malformed"):
                read()


def test_a_locked_index_is_named(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelstore.store.index._BUSY", 0.01)
    with open_index(path) as one, open_index(path) as other, one.writing():
        entered = other.writing()
        with pytest.raises(IndexUnusable, match="locked"):
            entered.__enter__()


def test_a_statement_that_fails_inside_is_named(index: Index) -> None:
    with pytest.raises(IndexUnusable), index.writing():
        index.put_environment(EnvironmentRow("1", "/e", None, "hardlink", "3.12", 1.0, 1.0))  # type: ignore[arg-type]
    assert index.environments() == []


def test_what_is_remembered_inside_a_transaction_goes_with_it(index: Index) -> None:
    def remember_and_fail() -> None:
        index.remember("k", b"v")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), index.writing():
        remember_and_fail()
    assert index.recall("k") is None


def test_environments_are_found_by_their_id(index: Index) -> None:
    row = EnvironmentRow("1", "/e", "m", "hardlink", "3.12.1", 1.0, 1.0)
    with index.writing():
        index.put_environment(row)
    assert index.environment("1") == row
    assert index.environment("2") is None


def test_wheels_are_listed_by_name_and_version(index: Index) -> None:
    rows = [wheel("1" * 64, "b"), wheel("2" * 64, "a", "2.0"), wheel("3" * 64, "a", "1.0")]
    with index.writing():
        index.add_wheels([(row, []) for row in rows], now=1.0)
    assert [*index.all_wheels()] == rows[::-1]
    assert [*index.all_wheels("b")] == rows[:1]


def test_a_place_where_no_index_can_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexUnusable, match="unable to open"):
        open_index(str(tmp_path / "none" / "index.sqlite3"))
