"""The index of a store that belongs to someone else."""

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.users import NOBODY, as_nobody, needs_root, public_directory

from wheelstore.store.index import Answer, IndexUnusable, open_index
from wheelstore.store.reading import IndexNotReadable
from wheelstore.store.schema import VERSION, IndexTooNew

pytestmark = needs_root
NAME = "in#dex ?.sqlite3"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of root's that others may read, by a name that is no URI."""
    with public_directory() as directory:
        yield directory


def listing(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Each file, with what would change if it were written to; the kernel sets a -shm's time when it likes."""
    files = {path.name: path for path in directory.iterdir()}
    times = {name: 0 if name.endswith("-shm") else path.stat().st_mtime_ns for name, path in files.items()}
    return {name: (times[name], path.read_bytes()) for name, path in files.items()} | {
        "": (directory.stat().st_mtime_ns, b"")
    }


def put(path: Path, text: str, *, leave: bool) -> None:
    """What an owner's command does; a process of its own, because it ends without closing."""
    child = os.fork()
    if not child:
        index = open_index(str(path))
        with index.writing():
            index.put_answer("q", Answer("m", text))
        if leave:
            index.leave()
        else:
            index.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def reads(path: Path, text: str) -> None:
    """Whether somebody else reads this, and nothing else is done."""

    def read() -> None:
        with open_index(str(path)) as index:
            assert index.answer("q") == Answer("m", text)
            with pytest.raises(IndexUnusable, match="readonly"):
                index.remember("k", b"v")
            assert index.answer("q") == Answer("m", text)

    before = listing(path.parent)
    as_nobody(read)
    assert listing(path.parent) == before


def test_what_the_owner_committed_is_read(place: Path) -> None:
    path = place / NAME
    for number, leave in enumerate((False, True, True, False, True)):
        put(path, str(number), leave=leave)
        assert sorted(os.listdir(place)) == [NAME, f"{NAME}-shm", f"{NAME}-wal"]
        reads(path, str(number))


def test_a_store_that_was_not_shared_before_is_read(place: Path) -> None:
    place.chmod(0o700)
    put(place / NAME, "alone", leave=False)
    assert os.listdir(place) == [NAME]
    place.chmod(0o755)
    reads(place / NAME, "alone")


def test_a_closed_index_has_no_log_to_read(place: Path) -> None:
    put(place / NAME, "x" * 100_000, leave=False)
    assert (place / f"{NAME}-wal").stat().st_size == 0


def test_an_owner_s_mask_shuts_nobody_out(place: Path) -> None:
    before = os.umask(0o077)
    try:
        put(place / NAME, "masked", leave=True)
    finally:
        os.umask(before)
    reads(place / NAME, "masked")


def test_root_makes_nothing_in_someone_else_s_store(place: Path) -> None:
    path = place / NAME
    for leave in (False, True):
        put(path, "theirs", leave=leave)
        for each in (place, *place.iterdir()):
            os.chown(each, NOBODY, NOBODY)
        before = listing(place)
        with open_index(str(path)) as index:
            assert index.answer("q") == Answer("m", "theirs")
        assert listing(place) == before
        for each in (place, *place.iterdir()):
            os.chown(each, 0, 0)
    os.chown(place, NOBODY, NOBODY)
    for ending in ("-wal", "-shm"):
        (place / f"{NAME}{ending}").unlink()
    before = listing(place)
    with open_index(str(path)) as index:
        index.sha256s()
    assert listing(place) == before


def test_readers_and_the_owner_do_not_disturb_each_other(place: Path) -> None:
    path = place / NAME
    place.chmod(0o700)
    put(path, "0", leave=False)  # so that readers begin with the database alone
    place.chmod(0o755)
    readers = []
    for _ in range(2):
        child = os.fork()
        if not child:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            last = 0
            while last < 60:
                with open_index(str(path)) as index:
                    for _ in range(5):
                        answer = index.answer("q")
                        now = int(answer.inputs.partition(" ")[0]) if answer else -1
                        if now < last:
                            os._exit(1)
                        last = now
            os._exit(0)
        readers.append(child)
    for number in range(1, 61):
        put(path, f"{number} {'x' * 30_000}", leave=bool(number % 3))
    assert [os.waitpid(child, 0)[1] for child in readers] == [0, 0]


def test_a_reader_in_the_midst_of_reading_does_not_stall_the_owner(place: Path) -> None:
    path = place / NAME
    put(path, "0", leave=True)
    (reading, told), (waiting, end) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.close(end)
        os.setuid(NOBODY)
        reader = sqlite3.connect(f"file:{place}/in%23dex %3f.sqlite3?mode=ro&readonly_shm=1", uri=True)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM answers").fetchall()
        os.write(told, b"x")
        os.read(waiting, 1)
        os._exit(0)
    os.read(reading, 1)
    started = time.monotonic()
    put(path, "1", leave=True)
    put(path, "2", leave=False)
    assert time.monotonic() - started < 15  # SQLite's patience is twice as long
    os.close(end)
    os.waitpid(child, 0)
    reads(path, "2")


def test_what_cannot_be_read_is_explained(place: Path) -> None:
    path = place / NAME

    def refused(match: str, error: type[Exception] = IndexNotReadable) -> None:
        def read() -> None:
            with pytest.raises(error, match=match):
                open_index(str(path))

        as_nobody(read)

    refused("the store has none yet")
    put(path, "0", leave=True)
    (place / f"{NAME}-shm").unlink()
    refused("without its -shm file")
    put(path, "0", leave=True)
    path.chmod(0o600)
    refused("Permission denied")
    path.chmod(0o644)
    for version, match in ((1, "an older wheelstore wrote it, in schema 1"), (99, "schema 99")):
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        refused(match, IndexNotReadable if version < VERSION else IndexTooNew)
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    refused("not a database", IndexUnusable)
