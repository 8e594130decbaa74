"""Let a command have this process, as `env` does; or a child that is waited for, if something has to be done later.

On the warm path.
"""

from __future__ import annotations

import errno
import os
import sys

from wheelstore.cli.console import fail

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
elif os.name == "posix":
    try:  # what signal is made of, without its enumerations, which take 2 ms to import
        import _signal as signal
    except ImportError:
        import signal

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""The exit statuses that shells and `env` have for a command that cannot be started."""

_ELSEWHERE = frozenset({errno.ENOENT, errno.ENOTDIR})
_SHELL = "/bin/sh"
_NOT_THERE = ("it is neither in the lock nor on the PATH; a command follows the lock: store run LOCK -- COMMAND",)


def become(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Replace this process by `command`, found on the ``PATH`` of `environ`; its exit status if that cannot be done."""
    _reset_signals()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    refusal = None
    for path in _places(command[0], environ):
        try:
            os.execve(path, [*command], environ)  # noqa: S606 - that is what this is for
        except OSError as error:
            if error.errno == errno.ENOEXEC:  # a script without a first line that says what it is for
                os.execve(_SHELL, [_SHELL, path, *command[1:]], environ)  # noqa: S606
            if error.errno not in _ELSEWHERE:
                refusal = refusal or error
    if refusal is None:
        fail([f"{command[0]}: command not found"], _NOT_THERE)
        return NOT_FOUND
    fail([f"{command[0]}: {refusal.strerror}"])
    return NOT_EXECUTABLE


def _places(name: str, environ: Mapping[str, str]) -> list[str]:
    """Where a command may be, in order; nowhere, if it has no name."""
    if os.sep in name:
        return [name]
    if not name:
        return []
    return [os.path.join(directory, name) for directory in environ.get("PATH", os.defpath).split(os.pathsep)]


def _reset_signals() -> None:
    """Let the next program have the signals that Python ignores (it cannot be told whether it found them ignored)."""
    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


def attend(command: Sequence[str], environ: Mapping[str, str], *, closing: Sequence[int] = ()) -> int:
    """Run `command` in a child, to which signals are passed on; its exit status, negative for a signal that ended it.

    The files whose descriptors are `closing` are the child's alone from then on.
    """
    if os.name == "nt":
        return _attend_windows(command, environ)
    watched = {getattr(signal, name) for name in _PASSED_ON if hasattr(signal, name)}
    ignored = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched | {signal.SIGCHLD})
    try:
        child = os.fork()
        if not child:
            status = 1
            try:
                signal.signal(signal.SIGCHLD, ignored)
                if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                    signal.signal(signal.SIGINT, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                status = become(command, environ)
                sys.stderr.flush()
            finally:
                os._exit(status)
        for descriptor in closing:
            os.close(descriptor)
        return _wait(child, watched)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


_PASSED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCONT", "SIGWINCH")

_LOOK = 1.0  # seconds


def _wait(child: int, watched: set[int]) -> int:
    """Wait for the end of a child. What the kernel sends to both, as for a key of the terminal, is not passed on.

    Once in some hundred times, on a busy machine with Linux 6.18, SIGCHLD did not come; so the child is looked at, too.
    """
    while True:
        if sys.platform == "darwin":  # which does not tell who sent one
            number, from_process = signal.sigwait(watched | {signal.SIGCHLD}), True
            from_process = number not in (signal.SIGINT, signal.SIGQUIT)
        else:
            information = signal.sigtimedwait(watched | {signal.SIGCHLD}, _LOOK)
            number = signal.SIGCHLD if information is None else information.si_signo
            from_process = information is not None and information.si_code <= 0  # SI_USER and its like
        if number != signal.SIGCHLD:
            if from_process:
                os.kill(child, number)
            continue
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)


def end_as(status: int) -> int:
    """End as a child did: by the same signal, if it was one; else the status is returned, to be exited with."""
    if status >= 0:
        return status
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -status not in (signal.SIGKILL, getattr(signal, "SIGSTOP", 0)):
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
    return 128 - status


def _attend_windows(command: Sequence[str], environ: Mapping[str, str]) -> int:
    import shutil
    import subprocess

    found = shutil.which(command[0], path=environ.get("PATH"))
    if found is None:
        fail([f"{command[0]}: command not found"], _NOT_THERE)
        return NOT_FOUND
    with subprocess.Popen([found, *command[1:]], env=environ) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:  # which the child has got as well
                continue
