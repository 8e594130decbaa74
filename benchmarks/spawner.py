"""Start commands one after another and say what they used; a process of its own.

On Linux the peak memory of a child starts at whatever its forking parent had resident, so the parent
must be small: this module imports little, is run as `python -I -S`, and does nothing else. A request and
its answer are one line of JSON each:

    {"steps": [{"argv": [...], "environment": {...}, "status": int}, ...], "output": path}
    {"status": int, "failed": int|null, "wall": s, "last": s, "user": s, "system": s, "peak": bytes}

`wall` runs from the start of the first step to the end of the last, `last` is the last step alone, `peak`
is that of the largest single process among the steps and their descendants; what the steps print goes to
`output`. The first step that ends with another status than it should ends the request, and `failed` is its number.
On Linux the answer waits for what commands leave running behind them (this process adopts it), so that it slows
nobody else; its processor time counts, its time does not.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import time

PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, KiB on Linux
SET_CHILD_SUBREAPER = 36  # prctl(2)


def carry_out(request: dict[str, object]) -> dict[str, object]:
    """Run the steps of one request."""
    steps = request["steps"]
    assert isinstance(steps, list)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    user = system = 0.0
    peak = status = 0
    failed = None
    started = last = time.perf_counter()
    for number, step in enumerate(steps):
        last = time.perf_counter()
        child = os.posix_spawn(step["argv"][0], step["argv"], step["environment"], file_actions=actions)
        _, status, used = os.wait4(child, 0)
        user += used.ru_utime
        system += used.ru_stime
        peak = max(peak, used.ru_maxrss * PEAK_UNIT)
        if os.waitstatus_to_exitcode(status) != step["status"]:
            failed = number
            break
    ended = time.perf_counter()
    with contextlib.suppress(ChildProcessError):
        while True:
            _, _, used = os.wait4(-1, 0)
            user += used.ru_utime
            system += used.ru_stime
    return {
        "status": os.waitstatus_to_exitcode(status),
        "failed": failed,
        "wall": ended - started,
        "last": ended - last,
        "user": user,
        "system": system,
        "peak": peak,
    }


def adopt_orphans() -> None:
    """Become the parent of whatever a command leaves running, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    adopt_orphans()
    for line in sys.stdin:
        print(json.dumps(carry_out(json.loads(line))), flush=True)
