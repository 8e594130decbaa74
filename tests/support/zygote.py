"""A warm Python that forks a `store` command for each line it reads: some 20 ms each, instead of 300.

Started by `support.faults`. A request is a line of JSON: ``words``, ``cwd``, ``environ`` and what `Effects` takes; the
answer is one, too: ``status`` (negative: the signal that ended it), ``stdout``, ``stderr`` and ``effects``.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import sys
from typing import Any

from support import effects

_TIMEOUT = 60  # seconds until a command is taken for hanging


def main() -> None:
    """Import everything, then serve until the input ends."""
    _import_all()
    gc.freeze()  # or each child would copy all of this when it looks for garbage
    for line in sys.stdin:
        answer = _run(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _import_all() -> None:
    for stage in ("store", "materialize", "resolve", "cli"):
        package = importlib.import_module(f"wheelstore.{stage}")
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_") and module.name not in ("registry",):
                importlib.import_module(f"wheelstore.{stage}.{module.name}")
    for name in ("concurrent.futures.process", "multiprocessing.popen_fork", "shutil", "tempfile"):
        importlib.import_module(name)


def _run(request: dict[str, Any]) -> dict[str, Any]:
    out, err, log = (os.memfd_create(name) for name in ("out", "err", "log"))
    ended, alive = os.pipe()
    child = os.fork()
    if not child:
        os.close(ended)
        # Every process of the command has this one until it is gone, and closes it after all others.
        fcntl.fcntl(alive, fcntl.F_DUPFD, 1000)
        os.close(alive)
        _become(request, out, err, log)
    os.close(alive)
    if not select.select([ended], [], [], _TIMEOUT)[0]:
        os.killpg(child, signal.SIGKILL)
    os.close(ended)
    _, status = os.waitpid(child, 0)
    said = [_text_of(descriptor) for descriptor in (out, err, log)]
    return {
        "status": os.waitstatus_to_exitcode(status),
        "stdout": said[0],
        "stderr": said[1],
        "effects": said[2].splitlines(),
    }


def _become(request: dict[str, Any], out: int, err: int, log: int) -> None:
    from wheelstore.cli import front
    from wheelstore.materialize import tree

    os.setpgid(0, 0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv = ["store", *request["words"]]
    if request["processors"] == 1:
        os.cpu_count = lambda: 1
    else:
        tree._WORTH_A_FORK = 1
    if request["boot"]:
        _boot(request["boot"])
    counting = effects.Effects(log, at=request["at"], fault=request["fault"], lasting=request["lasting"])
    effects.install(counting)
    try:
        front.script()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(99)


def _boot(name: str) -> None:
    """Let it be another time since the machine was started."""
    from wheelstore.materialize import environment

    environment._boot_id = lambda: name


def _text_of(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    text = os.pread(descriptor, size, 0).decode(errors="replace")
    os.close(descriptor)
    return text


if __name__ == "__main__":
    main()
