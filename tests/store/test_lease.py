import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from wheelstore.store import lease as lease_module
from wheelstore.store.index import Index, WheelRow, open_index
from wheelstore.store.layout import Store, open_store
from wheelstore.store.lease import Lease, is_alive, lease_files
from wheelstore.store.leftovers import Leftover, find_leftovers, remove_leftover

WHEEL = "ab" * 32


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def index(store: Store) -> Iterator[Index]:
    with open_index(store.index_path) as opened:
        yield opened


def leased(index: Index) -> tuple[list[str], list[str]]:
    """Which manifests and which wheels are protected."""
    manifests = index._rows("SELECT manifest FROM leases ORDER BY id")
    return [one for (one,) in manifests], [one for (one,) in index._rows("SELECT sha256 FROM lease_wheels")]


def test_what_protects_nothing_costs_nothing(store: Store, index: Index) -> None:
    with Lease(store, index, now=1.0) as lease:
        assert lease.plan("none") is None
    assert lease_files(store) == []
    assert leased(index) == ([], [])


def test_wheels_are_protected_before_they_are_there(store: Store, index: Index) -> None:
    row = WheelRow(WHEEL, "demo-1.0-py3-none-any.whl", "demo", "1.0", 1, True, b"\0\0\0\0", None)
    with Lease(store, index, now=1.0) as lease:
        assert lease.wheels([WHEEL, "cd" * 32]) == {}
        assert leased(index) == ([""], [WHEEL, "cd" * 32])
        with index.writing():
            index.add_wheels([(row, [])], now=1.0)
        assert lease.wheels([WHEEL]) == {WHEEL: row}
    assert leased(index) == ([], [])


def test_a_manifest_is_read_and_protected_at_once(store: Store, index: Index) -> None:
    with index.writing():
        index.put_manifest("m", b"content", b"plan", now=1.0)
        index.put_manifest("n", b"content", b"other", now=1.0)
    with Lease(store, index, now=1.0) as lease:
        assert lease.plan("m") == b"plan"
        assert leased(index) == (["m"], [])
        assert lease.plan("n") == b"other"
        assert leased(index) == (["n"], [])
        with index.writing():
            lease.drop()
        assert leased(index) == ([], [])


def test_its_directory_goes_with_it(store: Store, index: Index) -> None:
    with Lease(store, index, now=1.0) as lease:
        directory = Path(lease.directory)
        (directory / "below").mkdir(parents=True)
        (directory / "below/file").write_text("")
        assert is_alive(store, lease.id)
    assert os.listdir(store.tmp) == lease_files(store) == []


def test_a_dead_process_protects_nothing(store: Store, index: Index) -> None:
    (told, tell), (ended, end) = os.pipe(), os.pipe()
    parent = os.fork()
    if not parent:
        with open_index(store.index_path) as its_own, Lease(store, its_own, now=1.0) as lease:
            lease.wheels([WHEEL])
            if not os.fork():  # a child that goes on linking
                os.close(end)
                os.read(ended, 1)
                os._exit(0)
            os.close(end)
            os.write(tell, lease.id.encode())
            signal.pause()
    os.close(tell)
    identifier = os.read(told, 100).decode()
    assert is_alive(store, identifier)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert is_alive(store, identifier)  # for the child
    os.close(end)
    while is_alive(store, identifier):  # until the kernel has ended the child
        os.sched_yield()
    assert lease_files(store) == []


def test_a_file_that_was_taken_for_a_dead_one_s_is_not_trusted(
    store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lease_module._try_lock
    removed: list[str] = []

    def lock_late(descriptor: int) -> bool:
        if not removed:  # a gc comes between the making of the file and its lock
            removed.append(lease_files(store)[0])
            os.unlink(f"{store.locks}/{removed[0]}")
        return lock(descriptor)

    monkeypatch.setattr(lease_module, "_try_lock", lock_late)
    with Lease(store, index, now=1.0) as lease:
        assert lease.id not in removed
        assert lease_files(store) == [lease.id]


def test_a_store_of_an_earlier_version_gets_the_directory(store: Store, index: Index) -> None:
    os.rmdir(store.locks)
    assert lease_files(store) == []
    with Lease(store, index, now=1.0) as lease:
        assert is_alive(store, lease.id)


def test_nothing_is_written_in_a_store_of_another(store: Store, index: Index) -> None:
    with index.writing():
        index.put_manifest("m", b"content", b"plan", now=1.0)
    with Lease(store._replace(writable=False), index, now=1.0) as lease:
        assert (lease.plan("m"), lease.wheels([WHEEL])) == (b"plan", {})
        assert leased(index) == ([], [])
    assert lease_files(store) == []


def test_a_collection_does_not_take_away_what_was_locked_since_it_looked(
    store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lease_module._try_lock
    found: list[Leftover] = []

    def lock_late(descriptor: int) -> bool:
        if not found:  # a gc looks between the making of the file and its lock, and removes it some time later
            found.append(Leftover("", 0))
            found[:] = find_leftovers(store).locks
        return lock(descriptor)

    monkeypatch.setattr(lease_module, "_try_lock", lock_late)
    with Lease(store, index, now=1.0) as lease:
        assert lease.id
        assert [remove_leftover(store, one) for one in found] == [False]
        assert is_alive(store, lease.id)
