"""Each test runs a command of its own, because processes are to be forked while there are no threads."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.stores import make_stock
from support.wheels import make_wheel

from wheelstore.store.refusal import Rule

BEGIN = """
import os, sys
from wheelstore.store.workers import Workers

held = os.dup(0)  # workers have no standard input

def work():
    os.write(1, b"working\\n")
    os.read(held, 1)  # until the test lets go

def numbers(value):
    return os.getpid(), value
"""


def run(script: str, *arguments: str) -> str:
    """What a script prints; anything on its standard error is a failure."""
    command = [sys.executable, "-W", "error", "-c", BEGIN + script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@contextmanager
def busy_workers(script: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command, leader of its own group, of whose three workers two are at work; they share its standard output."""
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout
        try:
            assert [process.stdout.readline() for _ in range(2)] == [b"working\n"] * 2
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


WAIT = """
with Workers(3) as workers:
    for future in [workers.submit(work) for _ in range(2)]:
        future.result()
"""


def test_work_is_done_in_other_processes() -> None:
    script = """
with Workers(2) as workers:
    futures = [workers.submit(numbers, value) for value in range(20)]
    results = [future.result() for future in futures]
assert [value for _, value in results] == list(range(20))
assert os.getpid() not in {process for process, _ in results}
"""
    assert run(script) == ""


def test_a_refusal_arrives_with_its_data(tmp_path: Path) -> None:
    script = """
from wheelstore.store.archive import DEFAULT_LIMITS
from wheelstore.store.ingest import WheelFile, stage
from wheelstore.store.refusal import BadWheel

_, blobs, operation, path = sys.argv
wheel = WheelFile(path=path, filename="demo-1.0-py3-none-any.whl", sha256="a" * 64)
with Workers(1) as workers:
    try:
        workers.submit(stage, blobs, operation, wheel, DEFAULT_LIMITS).result()
    except BadWheel as bad:
        print(bad.wheel, bad.entry, bad.rule.name, bad)
"""
    stock = make_stock(tmp_path / "store")
    wheel = make_wheel(tmp_path, archive=lambda raw: raw.add("../evil.py"))
    words = run(script, stock.store.blobs, f"{stock.store.tmp}/op", str(wheel)).split(" ", 4)
    assert words[:3] == ["demo-1.0-py3-none-any.whl", "../evil.py", "NAME_TRAVERSAL"]
    assert words[3:] == [
        "demo-1.0-py3-none-any.whl:",
        "refused: entry '../evil.py': " + Rule.NAME_TRAVERSAL.value + "\n",
    ]


def test_a_full_disk_arrives_as_an_os_error() -> None:
    script = """
def fill():
    raise OSError(28, "No space left on device", "/store/tmp")

with Workers(1) as workers:
    try:
        workers.submit(fill).result()
    except OSError as full:
        print(full.errno, full.filename)
"""
    assert run(script) == "28 /store/tmp\n"


def test_leaving_the_pool_ends_the_workers_and_nothing_else() -> None:
    script = """
import subprocess
other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
with Workers(2) as workers:
    processes = [workers.submit(numbers, 1) for _ in range(20)]
    processes = {future.result()[0] for future in processes}
for process in processes:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        continue
    print("still there")
assert other.poll() is None
other.communicate(b"\\n")
"""
    assert run(script) == ""


def test_an_error_inside_does_not_wait_for_what_has_not_begun() -> None:
    script = """
try:
    with Workers(1) as workers:
        futures = [workers.submit(work) for _ in range(9)]
        raise ZeroDivisionError
except ZeroDivisionError:
    print(sum(future.cancelled() for future in futures) > 5)
"""
    assert run(script).endswith("True\n")


needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups with signals")


@needs_signals
def test_an_interrupt_of_the_whole_group_ends_the_work_quietly() -> None:
    with busy_workers(WAIT) as process:
        os.killpg(process.pid, signal.SIGINT)
        # What was begun is finished, and the output ends when the last process that has it ends.
        _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert errors.count(b"Traceback") == 1
    assert errors.endswith(b"KeyboardInterrupt\n")


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_command_leaves_no_worker(number: signal.Signals) -> None:
    with busy_workers(WAIT) as process:
        assert process.stdout
        process.send_signal(number)
        assert process.wait(30) == -number
        assert select.select([process.stdout], [], [], 30)[0], "a worker is still there"
        assert process.stdout.read() == b""  # the end: nobody has it any more


def test_a_worker_that_is_killed_is_told() -> None:
    said = run("""
from wheelstore.store.workers import WorkerKilled
try:
    with Workers(1) as workers:
        workers.submit(os.kill, workers.submit(os.getpid).result(), 9).result()
except WorkerKilled as killed:
    print(killed)
""")
    assert said == "a process that unpacks or reads files was killed\n"
