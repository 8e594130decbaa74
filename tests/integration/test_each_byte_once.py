"""Every byte is fetched once, however many commands want it at the same time, and whichever of them dies."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.commands import Running, StoreCommand, eventually
from support.locks import write_lock
from support.places import ServeLock
from support.servers import Fault, IndexServer, LoggedRequest
from support.trees import environment_content
from support.wheelhouse import EXAMPLES
from support.wheels import make_wheel

from wheelstore.materialize.interpreter import Interpreter

LOCK = EXAMPLES / "trio-docs.txt"
WAITING = "Waiting for another store command"


class GatedIndex(IndexServer):
    """An index that lets nobody have a wheel before `gate` is set."""

    gate: threading.Event

    def record(self, request: LoggedRequest) -> Fault:
        fault = super().record(request)
        if request.name.endswith(".whl"):
            self.gate.wait(60)
        return fault


@pytest.fixture
def made(tmp_path: Path) -> list[Path]:
    """Twelve wheels of a hundred kilobytes that do not compress, and one of five megabytes ("big")."""
    dice = random.Random(0)
    wheels = [
        make_wheel(tmp_path / "wheels", f"part{number:02}", files={f"part{number:02}/data": dice.randbytes(100_000)})
        for number in range(12)
    ]
    return [*wheels, make_wheel(tmp_path / "wheels", "big", files={"big/data": dice.randbytes(5_000_000)})]


@pytest.fixture
def index(made: list[Path]) -> Iterator[GatedIndex]:
    with GatedIndex(made[0].parent) as server:
        server.gate = threading.Event()
        server.gate.set()
        yield server
        server.gate.set()


@pytest.fixture
def store(index: GatedIndex, python: Interpreter, environ: dict[str, str], tmp_path: Path) -> StoreCommand:
    """`store` with an empty store, for the wheels of `made`."""
    return StoreCommand(
        root=tmp_path, store=tmp_path / "store", python=python.executable, index_url=index.index_url, environ=environ
    )


def wheel_requests(server: IndexServer) -> list[LoggedRequest]:
    return [request for request in server.log if request.name.endswith(".whl")]


def assert_each_once(server: IndexServer, wheels: list[str]) -> None:
    """Each of the wheels, and no other, was sent once and whole."""
    requests = wheel_requests(server)
    assert Counter(request.name for request in requests) == Counter(wheels)
    for request in requests:
        size = (server.directory / request.name).stat().st_size
        assert (request.method, request.status, request.range, request.sent) == ("GET", 200, None, size)


def names(wheels: list[Path]) -> list[str]:
    return [wheel.name for wheel in wheels]


def test_a_cold_sync_fetches_each_page_and_wheel_once(
    serve_lock: ServeLock, python: Interpreter, environ: dict[str, str], tmp_path: Path
) -> None:
    directory = serve_lock(LOCK, python).directory
    with IndexServer(directory) as server:
        store = StoreCommand(
            root=tmp_path,
            store=tmp_path / "store",
            python=python.executable,
            index_url=server.index_url,
            environ=environ,
        )
        assert store.sync(LOCK, venv=tmp_path / "env").status == 0
        wheels = sorted(path.name for path in directory.iterdir())
        assert_each_once(server, wheels)
        pages = [request for request in server.log if request.path.startswith("/simple/")]
        assert len({request.path for request in pages}) == len(pages) == len(wheels)
        assert len(server.log) == 2 * len(wheels)
        seen = len(server.log)
        for target in ("env", "another"):
            assert store.sync(LOCK, venv=tmp_path / target).status == 0
        assert len(server.log) == seen


@pytest.mark.parametrize("count", [4, 8])
def test_many_syncs_of_one_lock_at_once(count: int, store: StoreCommand, index: GatedIndex, made: list[Path]) -> None:
    lock = write_lock(store.root / "lock.txt", made)
    index.gate.clear()
    with ExitStack() as stack:
        running = [
            stack.enter_context(store.start_sync(lock, venv=store.root / f"env{number}")) for number in range(count)
        ]
        eventually(lambda: sum(WAITING in each.stderr for each in running) == count - 1)
        index.gate.set()
        ended = [each.finish() for each in running]
    assert [(ran.status, ran.errors) for ran in ended] == [(0, [])] * count, ended
    assert_each_once(index, names(made))
    contents = [environment_content(store.root / f"env{number}") for number in range(count)]
    assert all(content == contents[0] for content in contents)
    assert len([name for name in contents[0] if name.endswith("/data")]) == len(made)


def test_two_locks_with_wheels_in_common_at_once(store: StoreCommand, index: GatedIndex, made: list[Path]) -> None:
    halves = {"first": made[:8], "second": made[4:][::-1]}
    index.gate.clear()
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                store.start_sync(write_lock(store.root / f"{name}.txt", wheels), venv=store.root / name)
            )
            for name, wheels in halves.items()
        ]
        eventually(lambda: any(WAITING in each.stderr for each in running))
        index.gate.set()
        assert [each.finish().status for each in running] == [0, 0]
    assert_each_once(index, names(made))
    for name, wheels in halves.items():
        data = {path for path in environment_content(store.root / name) if path.endswith("/data")}
        assert len(data) == len(wheels)


def test_two_locks_with_nothing_in_common_do_not_wait(store: StoreCommand, index: GatedIndex, made: list[Path]) -> None:
    locks = [write_lock(store.root / f"lock{number}.txt", made[number::2]) for number in range(2)]
    index.gate.clear()
    with ExitStack() as stack:
        running = [stack.enter_context(store.start_sync(lock, venv=lock.with_suffix(""))) for lock in locks]
        eventually(lambda: len(wheel_requests(index)) == len(made))
        index.gate.set()
        ended = [each.finish() for each in running]
    assert [(ran.status, WAITING in ran.stderr) for ran in ended] == [(0, False)] * 2
    assert_each_once(index, names(made))


def test_another_lock_fetches_only_what_is_new(store: StoreCommand, index: GatedIndex, made: list[Path]) -> None:
    assert store.sync(write_lock(store.root / "first.txt", made[:8]), venv=store.root / "first").status == 0
    assert_each_once(index, names(made[:8]))
    index.log.clear()
    assert store.sync(write_lock(store.root / "second.txt", made[4:]), venv=store.root / "second").status == 0
    assert_each_once(index, names(made[8:]))
    pages = [request.name for request in index.log if request.path.startswith("/simple/")]
    assert sorted(pages) == sorted(wheel.name.partition("-")[0] for wheel in made[8:])


HALF = 2_500_000


def stall_in_big(store: StoreCommand, index: GatedIndex, lock: Path) -> Running:
    """Start a sync, and wait until the index has gone silent in the middle of the big wheel and the rest is there."""
    index.fault("big-1.0-py3-none-any.whl", Fault(stall_after=HALF, times=1))
    running = store.start_sync(lock, venv=store.root / "killed")
    eventually(lambda: sum(path.stat().st_size for path in (store.store / "tmp").glob("*.whl")) > HALF + 12 * 100_000)
    return running


def assert_big_was_resumed(index: GatedIndex, made: list[Path]) -> None:
    """The big wheel came in two pieces, the others once."""
    size = made[-1].stat().st_size
    pieces = [(request.range, request.status, request.sent) for request in index.requests_for(made[-1].name)]
    assert pieces == [(None, 200, HALF), (f"bytes={HALF}-", 206, size - HALF)]
    assert Counter(request.name for request in wheel_requests(index)) == Counter(names(made)) + Counter(
        names(made[-1:])
    )


def test_who_waits_takes_over_from_a_killed_command(store: StoreCommand, index: GatedIndex, made: list[Path]) -> None:
    lock = write_lock(store.root / "lock.txt", made)
    with stall_in_big(store, index, lock) as first, store.start_sync(lock, venv=store.root / "env") as second:
        eventually(lambda: WAITING in second.stderr)
        first.send(signal.SIGKILL)
        assert first.finish().status == -signal.SIGKILL
        ran = second.finish()
    assert (ran.status, ran.errors) == (0, [])
    assert_big_was_resumed(index, made)
    assert not (store.root / "killed").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_next_command_resumes_what_an_ended_one_left(
    number: signal.Signals, store: StoreCommand, index: GatedIndex, made: list[Path]
) -> None:
    lock = write_lock(store.root / "lock.txt", made)
    with stall_in_big(store, index, lock) as first:
        first.send(number)
        ran = first.finish(timeout=10)
    assert "Traceback" not in ran.stderr
    assert ran.status == (130 if number == signal.SIGINT else -number)
    assert [path.name for path in store.root.iterdir() if "killed" in path.name] == []
    assert store.sync(lock, venv=store.root / "killed").status == 0
    assert_big_was_resumed(index, made)
    left = os.listdir(store.store / "tmp")
    assert left == [] if number == signal.SIGINT else not any(name.endswith(".whl") for name in left)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_a_killed_command_leaves_no_process_behind(store: StoreCommand, index: GatedIndex, made: list[Path]) -> None:
    lock = write_lock(store.root / "lock.txt", made)
    with stall_in_big(store, index, lock) as running:
        workers = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert workers
        running.send(signal.SIGKILL)
        eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), timeout=10)
