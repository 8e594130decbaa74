import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wheelstore.store.claims import Claims

HOLDER = """
import sys
from wheelstore.store.claims import Claims
with Claims(sys.argv[1], sys.argv[2:]):
    print("holding", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process_holding(path: str, *wheels: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, path, *wheels]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "holding\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_claim_waits_for_another_process_and_says_so_once(tmp_path: Path) -> None:
    path = str(tmp_path / "claims")
    with another_process_holding(path, "ab" * 32, "cd" * 32) as process:
        waits: list[int | None] = []

        def waiting(_: int) -> None:
            assert process.stdin
            waits.append(process.poll())
            threading.Timer(0.01, process.stdin.close).start()

        with Claims(path, ["cd" * 32, "ab" * 32, "ef" * 32], waiting=waiting):
            assert waits == [None]
            assert process.wait(10) == 0


def test_claims_on_other_wheels_do_not_wait(tmp_path: Path) -> None:
    path = str(tmp_path / "claims")
    waits: list[int] = []
    wanted = Claims(path, ["cd" * 32], waiting=waits.append)
    with another_process_holding(path, "ab" * 32) as process, wanted:
        assert process.poll() is None
    assert waits == []


def test_a_dead_process_s_claims_are_free(tmp_path: Path) -> None:
    path = str(tmp_path / "claims")
    with another_process_holding(path, "ab" * 32) as process:
        process.kill()
        process.wait(10)
        waits: list[int] = []
        with Claims(path, ["ab" * 32], waiting=waits.append):
            assert waits == []
