import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from wheelstore.store.index import Answer, EnvironmentRow, IndexUnusable, WheelRow, open_index
from wheelstore.store.schema import VERSION, IndexTooNew


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "index.sqlite3")


@pytest.fixture
def index(path):
    with open_index(path) as opened:
        yield opened


def wheel(sha256="a" * 64, name="demo", version="1.0"):
    return WheelRow(sha256, f"{name}-{version}-py3-none-any.whl", name, version, 10, True, b"\0\0\0\0", None)


def test_a_wheel_and_its_blobs_become_visible_together(index, path):
    with open_index(path) as reader:
        with index.writing():
            index.add_wheels([(wheel(), [(b"k" * 32, 3), (b"l" * 32, 4)])], now=5.0)
            assert reader.wheels(["a" * 64]) == {}
            assert reader.blob_count() == (0, 0)
        assert reader.wheels(["a" * 64]) == {"a" * 64: wheel()}
        assert reader.blob_count() == (2, 7)


def test_a_failed_transaction_leaves_nothing(index):
    with pytest.raises(ZeroDivisionError), index.writing():
        index.add_wheels([(wheel(), [(b"k" * 32, 3)])], now=5.0)
        1 / 0  # noqa: B018
    assert index.wheels(["a" * 64]) == {}
    assert index.blob_count() == (0, 0)


def test_adding_a_wheel_twice_is_adding_it_once(index):
    for _ in range(2):
        with index.writing():
            index.add_wheels([(wheel(), [(b"k" * 32, 3)])], now=5.0)
    assert [row.name for row in index.all_wheels()] == ["demo"]


def test_more_wheels_are_found_than_one_statement_takes(index):
    many = [wheel(f"{number:064x}", name=f"p{number}") for number in range(1200)]
    with index.writing():
        index.add_wheels([(row, []) for row in many], now=1.0)
    assert len(index.wheels([row.sha256 for row in many])) == 1200
    assert len(index.filenames([row.sha256 for row in many])) == 1200


def test_answers_manifests_and_memory_come_back(index):
    assert index.answer("q") is None
    assert index.manifest("m") is None
    assert index.recall("k") is None
    with index.writing():
        index.put_manifest("m", b"content", b"plan", now=1.0)
        index.put_answer("q", Answer("m", "inputs"), now=1.0)
    index.remember("k", b"v")
    assert index.answer("q") == Answer("m", "inputs")
    assert (index.manifest("m"), index.manifest_content("m")) == (b"plan", b"content")
    assert index.recall("k") == b"v"


def test_one_path_has_one_environment(index):
    first = EnvironmentRow("1", "/e", "m", "hardlink", "3.12.1", 1.0, 1.0)
    second = first._replace(id="2", synced=2.0)
    with index.writing():
        index.put_environment(first)
        index.put_environment(second)
    assert index.environments() == [second]
    with index.writing():
        index.put_environment(second._replace(created=9.0, manifest="n"))
    assert index.environments() == [second._replace(manifest="n")]


def test_processes_that_race_to_make_the_index_all_get_it(path):
    def make(_):
        with open_index(path) as made:
            return made.blob_count()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(make, range(8))) == [(0, 0)] * 8


def test_a_newer_schema_is_refused(path):
    with open_index(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(IndexTooNew, match="schema"):
        open_index(path)


def test_a_damaged_index_is_named_with_what_to_do(path):
    with open(path, "wb") as stream:
        stream.write(b"this is not a database" * 100)
    with pytest.raises(IndexUnusable, match="not a database") as caught:
        open_index(path)
    assert caught.value.hint is not None
