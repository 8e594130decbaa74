"""Start a Python once and let it tell its facts. The cold half of `interpreter`; everything that can go wrong with
an executable that somebody calls Python is told apart here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from threading import Event, Timer

from wheelstore.materialize.interpreter import (
    OLDEST,
    Interpreter,
    InterpreterFailed,
    InterpreterTooOld,
    cannot_start,
)

_ANSWER = "\nwheelstore-probe:"
_LONGEST_ANSWER = 1 << 20


def probe(executable: str, *, timeout: float = 30.0) -> Interpreter:
    """The facts of a Python, or of the one behind an environment's; ``timeout`` is in seconds.

    Raises:
        InterpreterTooOld: it is Python 3.7 or older.
        InterpreterFailed: it cannot be started, fails, takes too long, or answers something else.
    """
    return probe_running(executable, timeout=timeout)[0]


def probe_running(executable: str, *, timeout: float = 30.0) -> tuple[Interpreter, str]:
    """`probe`, and the executable that was running in the end, which is another one behind a shim."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_probe_script.py")
    status, output = _run([executable, "-I", script], timeout=timeout)
    facts = _answer(output)
    if "version" not in facts:
        raise _explain(executable, status, output, timeout=timeout)
    if "executable" not in facts:
        raise InterpreterTooOld(executable, str(facts["version"]))
    running = str(facts.pop("running", ""))
    try:
        return Interpreter(**facts), running
    except TypeError as error:
        raise InterpreterFailed(executable, f"does not answer like a Python: {error}") from None


def _answer(output: str) -> dict[str, object]:
    """What the script said, out of what else was printed around it; empty when it did not get so far."""
    answer = output.partition(_ANSWER)[2].partition("\n")[0]
    try:
        facts = json.loads(answer) if answer else {}
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _explain(executable: str, status: int, output: str, *, timeout: float) -> InterpreterFailed:
    """Say why there was no answer; a Python older than ``-I`` still tells its version."""
    told = _run([executable, "-V"], timeout=timeout)[1].split() if status > 0 else []
    if len(told) >= 2 and told[0] == "Python" and told[1][:1].isdigit():
        release = tuple(int(number) for number in told[1].split(".")[:2] if number.isdigit())
        if release < OLDEST:
            return InterpreterTooOld(executable, told[1])
    said = [line.strip() for line in output.splitlines() if line.strip()]
    telling = said[-1 if "Traceback" in output else 0][:200] if said else ""
    why = ": " + "".join(c if c.isprintable() else "?" for c in telling) if telling else ""
    if status < 0:
        return InterpreterFailed(executable, f"does not start: it is killed by signal {-status}{why}")
    if status:
        return InterpreterFailed(executable, f"does not start: it exits with {status}{why}")
    return InterpreterFailed(executable, f"does not answer like a Python{why}")


def _run(command: list[str], *, timeout: float) -> tuple[int, str]:
    """Run to the end, or until it has taken too long or said too much; exit status and both outputs, mixed."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise InterpreterFailed(command[0], cannot_start(error)) from None
    late = Event()

    def expire() -> None:
        late.set()
        _kill(process)

    timer = Timer(timeout, expire)
    timer.start()
    try:
        assert process.stdout is not None
        with process.stdout as pipe:
            output = pipe.read(_LONGEST_ANSWER)
        if len(output) == _LONGEST_ANSWER:
            raise InterpreterFailed(command[0], "does not answer like a Python: it prints without end")
        process.wait()
    finally:
        timer.cancel()
        timer.join()
        _kill(process)
        process.wait()
    if late.is_set():
        raise InterpreterFailed(command[0], f"does not answer within {timeout:g} seconds")
    return process.returncode, output.decode("utf-8", "replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started (its session, so that nothing is left that holds the pipe open)."""
    if process.returncode is not None:
        return
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # all of it has ended, and macOS says so with EPERM
        os.killpg(process.pid, 9)
