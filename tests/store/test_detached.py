from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wheelstore.store import detached
from wheelstore.store.detached import detach

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="there is no list of descriptors")


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What work reads, to go on when it is written to."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


def told(path: Path) -> str:
    """What work wrote into the fifo at `path`; waits for it."""
    return path.read_text()


def test_work_is_done_by_nobodys_child_at_the_lowest_priority(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "told")

    def work() -> None:
        session = os.getsid(0) not in (os.getpid(), mine)
        (tmp_path / "told").write_text(f"{os.getppid() != me} {session} {os.nice(0)} {os.getcwd()}")

    me, mine = os.getpid(), os.getsid(0)
    assert detach(work)
    assert told(tmp_path / "told") == "True True 19 /"
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@needs_proc
def test_only_what_is_kept_stays_open(tmp_path: Path, gate: Path) -> None:
    os.mkfifo(tmp_path / "told")
    read, write = os.pipe()
    kept = os.open(tmp_path / "kept", os.O_RDWR | os.O_CREAT)
    fcntl.flock(kept, fcntl.LOCK_EX)

    def work() -> None:
        gate.read_bytes()
        streams = {os.readlink(f"/proc/self/fd/{number}") for number in range(3)}
        open_files = [name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]
        (tmp_path / "told").write_text(f"{streams} {sorted(map(int, open_files)) == [0, 1, 2, kept]}")

    assert detach(work, keep=[kept])
    os.close(write)
    assert os.read(read, 1) == b""  # nobody else has it open
    os.close(read)
    os.close(kept)
    with open(tmp_path / "kept") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    gate.write_bytes(b"")
    assert told(tmp_path / "told") == "{'/dev/null'} True"


def test_an_error_is_seen_by_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()

    def work() -> None:
        os.write(write, b"begun")
        raise ZeroDivisionError

    assert detach(work, keep=[write])
    os.close(write)
    with open(read, "rb") as stream:
        assert stream.read() == b"begun"  # which is all, as the process has ended
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fork", [1, 2])
def test_where_there_can_be_no_process_it_says_so(fork: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, forks = os.fork, []

    def full() -> int:
        forks.append(fork)
        if len(forks) == fork:
            raise BlockingIOError
        return real()

    monkeypatch.setattr(os, "fork", full)
    assert not detach(lambda: None)
    monkeypatch.delattr(os, "fork")
    assert not detach(lambda: None)


SCRIPT = """
import sys
from wheelstore.store.detached import detach
print(detach(lambda: open(sys.argv[1]).read()))
"""


def test_who_captures_what_a_command_says_does_not_wait_for_its_work(gate: Path) -> None:
    # The work waits for this test, so a caller that waited for the work would never come back.
    done = subprocess.run([sys.executable, "-c", SCRIPT, gate], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True\n", "")
    gate.write_bytes(b"")  # returns when somebody reads


def test_the_disk_is_left_to_others(tmp_path: Path) -> None:
    if os.uname().machine not in detached._IOPRIO_SET or sys.platform != "linux":
        pytest.skip("this machine's number for it is not known")
    os.mkfifo(tmp_path / "told")

    def work() -> None:
        import ctypes

        get = detached._IOPRIO_SET[os.uname().machine] + 1  # ioprio_get is the next
        (tmp_path / "told").write_text(str(ctypes.CDLL(None).syscall(get, 1, 0) >> 13))

    assert detach(work)
    assert told(tmp_path / "told") == "3"
