"""Work that nobody waits for: it goes on in a process of its own after the command has answered.

Whoever gives work away makes sure that it hurts nobody if it is never done: the machine may stop, or a batch system
end everything that a job started. On the warm path.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30}  # syscall numbers; ioprio_set(2) has no function in libc
_IOPRIO_WHO_PROCESS, _IDLE = 1, 3 << 13  # linux/ioprio.h


def detach(work: Callable[[], object], *, keep: Collection[int] = ()) -> bool:
    """Let another process do `work`, at the lowest priority; false if there can be none, and nothing was done.

    It belongs to no terminal and to nobody's children. When this returns, it has no open file of this one but those
    whose descriptors are in `keep` (with the locks that `flock` gave them), so no reader of a pipe waits for it; the
    current directory is the root, and the standard streams lead nowhere. An error of `work` is seen by nobody. What it
    imports should have been imported, if this process has threads.
    """
    if not hasattr(os, "fork"):
        return False
    try:
        child = os.fork()
    except OSError:  # as many processes as there may be
        return False
    if not child:
        _leave(work, keep)
    try:
        return os.waitpid(child, 0)[1] == 0
    except ChildProcessError:  # whoever ignores SIGCHLD is not told; what could not be begun is as if it was killed
        return True


def _leave(work: Callable[[], object], keep: Collection[int]) -> None:
    """In a child that is waited for: have another do the work, whom nobody knows. Never returns, nor unwinds.

    What the command has open in memory (SQLite above all) must not be closed by those who have only a copy of it.
    """
    status = 1
    try:
        os.setsid()
        _close(keep)
        os.chdir("/")
        if os.fork():
            status = 0
        else:
            _yield()
            work()
    finally:
        os._exit(status)


def _close(keep: Collection[int]) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        if standard not in keep:
            os.dup2(nothing, standard)
    for name in os.listdir("/dev/fd"):
        if int(name) > 2 and int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:  # the one that the directory was read by
                continue


def _yield() -> None:
    """Let everybody else go first, at the processor and, where the system knows that, at the disk."""
    os.nice(19)
    number = _IOPRIO_SET.get(os.uname().machine) if sys.platform == "linux" and sys.maxsize > 1 << 32 else None
    if number is not None:
        try:
            import ctypes

            ctypes.CDLL(None).syscall(number, _IOPRIO_WHO_PROCESS, 0, _IDLE)
        except (ImportError, AttributeError, OSError):
            return
