from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from wheelstore.resolve.facts import CachedPage, Facts, KnownFile, LockAnswer
from wheelstore.resolve.facts_schema import SCHEMA
from wheelstore.resolve.simple import IndexFile

URL = "https://host/simple/demo/"
PAGE = CachedPage(200, '"tag"', "yesterday", 1.0, 2.0, b"body", b"digest")


def file(number: int) -> KnownFile:
    name = f"demo-{number}-py3-none-any.whl"
    return KnownFile(
        IndexFile(name, f"https://host/{name}", (f"sha256:{number:064x}",), 5, ">=3.8", ""), "https://host/simple/"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resolve.sqlite3"


def test_pages_outlive_the_process(path: Path) -> None:
    with Facts(path) as facts:
        assert facts.page(URL) is None
        facts.remember_page(URL, PAGE)
        facts.remember_page(URL, PAGE._replace(etag=None))
    with Facts(path) as facts:
        assert facts.page(URL) == PAGE._replace(etag=None)
        assert facts.page(URL + "x") is None


def test_a_page_can_be_confirmed(path: Path) -> None:
    with Facts(path) as facts:
        facts.remember_page(URL, PAGE)
        facts.confirm_page(URL, fetched=10.0, fresh_until=20.0)
        assert facts.page(URL) == PAGE._replace(fetched=10.0, fresh_until=20.0)


def test_hashes_name_files(path: Path) -> None:
    with Facts(path) as facts:
        facts.remember_files([file(1), file(2)])
    with Facts(path) as facts:
        asked = [f"{number:064x}" for number in range(1200)]
        assert facts.files(asked) == {asked[1]: file(1), asked[2]: file(2)}
        assert facts.files([]) == {}


def test_a_file_without_sha256_names_nothing(path: Path) -> None:
    nameless = file(1)._replace(file=file(1).file._replace(hashes=("sha512:" + "0" * 128,)))
    with Facts(path) as facts:
        facts.remember_files([nameless])
        assert facts.files([f"{1:064x}"]) == {}


def test_a_local_hash_holds_for_one_state_of_the_file(path: Path) -> None:
    with Facts(path) as facts:
        facts.remember_local_hash("/a.whl", "1-2-3", "ab" * 32)
        assert facts.local_hash("/a.whl", "1-2-3") == "ab" * 32
        assert facts.local_hash("/a.whl", "1-2-4") is None
        assert facts.local_hash("/b.whl", "1-2-3") is None


def test_old_pages_are_pruned_and_hashes_kept(path: Path) -> None:
    with Facts(path) as facts:
        facts.remember_page(URL, PAGE)
        facts.remember_page(URL + "new/", PAGE._replace(fetched=100.0))
        facts.remember_files([file(1)])
        assert facts.prune(before=50.0) == 1
        assert facts.page(URL) is None
        assert facts.page(URL + "new/") is not None
        assert facts.files([f"{1:064x}"])


@pytest.mark.parametrize(
    "content", [b"this is no database, and it is long enough to be looked at" * 20, b"SQLite format 3\0junk"]
)
def test_a_broken_database_is_begun_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with Facts(path) as facts:
        facts.remember_page(URL, PAGE)
    with Facts(path) as facts:
        assert facts.page(URL) == PAGE


def test_readers_and_a_writer_do_not_wait_for_each_other(path: Path) -> None:
    with Facts(path) as one, Facts(path) as other:
        one.remember_page(URL, PAGE)
        assert Path(f"{path}-wal").exists()
        assert other.page(URL) == PAGE


def test_a_write_that_fails_leaves_the_next_one_alone(path: Path) -> None:
    with Facts(path) as facts:
        facts.remember_page(URL, PAGE._replace(digest=None))  # type: ignore[arg-type]
        assert facts.page(URL) is None
        facts.remember_page(URL, PAGE)
        assert facts.page(URL) == PAGE


def test_damage_behind_the_header_costs_what_was_remembered(path: Path) -> None:
    with Facts(path) as facts:
        facts.remember_page(URL, PAGE)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with Facts(path) as facts:
        assert facts.page(URL) is None
        facts.remember_page(URL, PAGE)
        assert facts.page(URL) == PAGE


def test_damage_while_it_is_open_only_costs_the_memory(path: Path) -> None:
    with Facts(path) as facts:
        facts.remember_page(URL, PAGE)
    with Facts(path) as facts:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        assert facts.page(URL) is None
        assert facts.files([f"{1:064x}"]) == {}
        facts.remember_page(URL, PAGE)
        assert facts.prune(before=2.0) == 0


def test_a_newer_programs_database_is_left_alone(path: Path) -> None:
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    newer.execute("CREATE TABLE precious (x)")
    newer.close()
    before = path.read_bytes()
    with Facts(path) as facts:
        facts.remember_page(URL, PAGE)
        assert facts.page(URL) == PAGE
    assert path.read_bytes() == before


def test_a_database_that_is_only_readable_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Facts(path) as facts:
        facts.remember_page(URL, PAGE)
    real = sqlite3.connect

    def connect(address: str, **options: object) -> sqlite3.Connection:  # as for somebody else's file
        connection = real(address + ("" if "?" in address else "?mode=ro"), **options)  # type: ignore[call-overload]
        if "?" not in address:
            connection.close()
            raise sqlite3.OperationalError("attempt to write a readonly database")
        return connection  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with Facts(path) as facts:
        assert facts.page(URL) == PAGE
        facts.remember_page(URL, PAGE._replace(etag="other"))
        assert facts.page(URL) == PAGE


def test_a_place_where_nothing_can_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    with Facts(tmp_path / "missing" / "resolve.sqlite3") as facts:
        facts.remember_page(URL, PAGE)
        assert facts.page(URL) == PAGE
    assert os.listdir(tmp_path) == []


def test_without_a_path_everything_is_in_memory(tmp_path: Path) -> None:
    with Facts(None) as facts:
        facts.remember_files([file(1)])
        assert facts.files([f"{1:064x}"])


def test_threads_and_connections_write_at_once(path: Path) -> None:
    with Facts(path) as one, Facts(path) as other:

        def write(facts: Facts, number: int) -> None:
            facts.remember_page(f"{URL}{number}", PAGE)
            facts.remember_files([file(number)])

        threads = [
            threading.Thread(target=write, args=(facts, number)) for number in range(20) for facts in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(one.files([f"{number:064x}" for number in range(20)])) == 20
        assert all(other.page(f"{URL}{number}") for number in range(20))


def test_closing_twice_is_harmless(path: Path) -> None:
    facts = Facts(path)
    facts.close()
    facts.close()


def test_what_is_pruned_is_given_back_to_the_disk(path: Path) -> None:
    with Facts(path) as facts:
        for number in range(20):
            facts.remember_page(f"{URL}{number}/", PAGE._replace(body=os.urandom(100_000)))
    full = path.stat().st_size
    with Facts(path) as facts:
        assert facts.prune(before=2.0) == 20
    assert path.stat().st_size < full / 10


def test_metadata_is_recalled_by_hundreds(path: Path) -> None:
    rows = {bytes([number % 256, number // 256]): b"[%d]" % number for number in range(1200)}
    with Facts(path) as facts:
        facts.remember_metadata({})
        facts.remember_metadata(rows)
        facts.remember_metadata({b"\x00\x00": b"[-1]"})
    with Facts(path) as facts:
        assert facts.metadata([*rows, b"unknown"]) == {**rows, b"\x00\x00": b"[-1]"}
        assert facts.metadata([]) == {}


def test_the_sidecars_that_were_believed_are_recalled(path: Path) -> None:
    key, sidecar, other = b"\1" * 32, b"\2" * 32, b"\3" * 32
    asked = [one.hex() for one in (key, other, b"\4" * 32)]
    with Facts(path) as facts:
        facts.remember_metadata({key: b"packed", other: b"packed"}, {key: sidecar})
    with Facts(path) as facts:
        assert facts.sidecars(asked) == {key.hex(): sidecar.hex()}
        assert facts.metadata([key]) == {key: b"packed"}
        facts.remember_metadata({key: b"found otherwise"})
        assert facts.sidecars(asked) == {}


def as_schema_1(path: Path) -> None:
    with Facts(path) as facts:
        facts.remember_page(URL, PAGE)
        facts.remember_files([file(1)])
    older = sqlite3.connect(path)
    for table in ("metadata", "answers", "answer_pages"):
        older.execute(f"DROP TABLE {table}")
    older.execute("PRAGMA user_version = 1")
    older.close()


def test_an_older_programs_database_is_kept_and_extended(path: Path) -> None:
    as_schema_1(path)
    with Facts(path) as facts:
        assert facts.page(URL) == PAGE
        assert facts.files([f"{1:064x}"])
        facts.remember_metadata({b"key": b"packed"})
    with Facts(path) as facts:
        assert facts.metadata([b"key"]) == {b"key": b"packed"}


def test_an_older_programs_database_that_is_only_readable_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_schema_1(path)
    real = sqlite3.connect

    def connect(address: str, **options: object) -> sqlite3.Connection:
        if address.startswith("file:/") and "?" not in address:
            raise sqlite3.OperationalError("attempt to write a readonly database")
        return real(address, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with Facts(path) as facts:
        assert facts.page(URL) == PAGE
        assert facts.metadata([b"key"]) == {}


def test_a_lock_is_remembered_with_its_pages(path: Path) -> None:
    answer = LockAnswer("inputs", "said", b"output")
    with Facts(path) as facts:
        facts.remember_answer(b"key", LockAnswer("", "", b"older"), {"https://gone/": ("gone", b"")}, used=1.0)
        facts.remember_answer(b"key", answer, {URL: ("demo", b"digest")}, used=2.0)
    with Facts(path) as facts:
        assert facts.answer(b"key") == (answer, {URL: ("demo", b"digest")})
        assert facts.answer(b"other") is None
        assert facts.prune(before=2.0) == 0
        assert facts.answer(b"key") is None
