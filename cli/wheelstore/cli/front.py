"""The front door of the `store` command.

A common `store sync`, `store lock`, `store venv` or `store run`, and `--version`, are done from here before click is
imported; everything else goes through to `main`. Both share one implementation of every step. Importing is what costs
here: Python starts in about 12 ms, click takes 30, httpcore 150 (``-X importtime``), so this module imports neither.
"""

from __future__ import annotations

import gc
import os
import sys
import time

_GARBAGE = 100_000
"""Objects made and not freed before garbage is looked for: pages and plans make many that live as long as they are
needed, and looking through them every 700 took 30 of 450 ms of a cold `store lock`."""


def script() -> None:
    """Run the command line and end the process, without the ceremonies of leaving.

    The interpreter would take 3 ms to tear itself down, and SQLite, closed by the last of its users, would move its
    log into the database with four ``fdatasync`` (some 10 ms on a disk); the log is as durable where it is.
    """
    gc.disable()  # what a warm command makes lives as long as it does; looking for garbage takes 1 ms
    status = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            status = status or 1
    os._exit(status)


def main() -> int:
    """Run the command line; the process's exit status (0 done, 1 refused or failed, 2 usage)."""
    started = time.perf_counter()
    try:
        if None in (sys.stdin, sys.stdout, sys.stderr):
            _open_streams()
        return _main(sys.argv[1:], started)
    except KeyboardInterrupt:
        return interrupted()
    except Exception as error:
        from wheelstore.cli.console import explain

        if explain(error):
            return 1
        raise


def _open_streams() -> None:
    """Put nothing where whoever started us closed a stream, before a database becomes file number 2."""
    while os.open(os.devnull, os.O_RDWR) < 2:
        continue
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - as long as the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115


def _main(arguments: list[str], started: float) -> int:
    if arguments in (["--version"], ["-V"]):
        from wheelstore.store.version import VERSION

        sys.stdout.write(f"store {VERSION}\n")
        sys.stdout.flush()
        return 0
    command = next((word for word in arguments[:9] if word in _QUICK), None)
    if command is not None:
        status = _QUICK[command](arguments, started)
        if status is not None:
            return status
    gc.set_threshold(_GARBAGE)
    gc.enable()
    from wheelstore.cli.main import run

    return run(arguments, started)


def _sync_warm(arguments: list[str], started: float) -> int | None:
    """Do a sync from what is remembered; None where the full command has to do it."""
    from wheelstore.cli.request import parse_common_sync

    request = parse_common_sync(arguments, os.environ)
    if request is None:
        return None
    from wheelstore.cli.summary import tell
    from wheelstore.cli.warm import sync_warm

    warm = sync_warm(request, os.environ)
    if warm is None:
        return None
    if not request.quiet:
        tell(sys.stderr, warm, time.perf_counter() - started, dry_run=False)
    if warm.files and "STORE_AUTO_GC" in os.environ:
        from wheelstore.cli.auto_collecting import collect_now_and_then

        collect_now_and_then(request.store, os.environ)
    return 0


def _venv(arguments: list[str], started: float) -> int | None:
    """Make a new environment; None where click has to understand the arguments."""
    from wheelstore.cli.request import parse_common_venv

    request = parse_common_venv(arguments, os.environ)
    if request is None:
        return None
    from wheelstore.cli.venvs import run_venv

    run_venv(request, started=started)
    return 0


def _run_warm(arguments: list[str], started: float) -> int | None:  # noqa: ARG001
    """Run a command in what is ready; None where that has to be made, or click has to understand the arguments."""
    from wheelstore.cli.run_request import parse_common_run

    request = parse_common_run(arguments, os.environ)
    if request is None:
        return None
    from wheelstore.cli.running import run_warm

    return run_warm(request, os.environ)


def _lock_warm(arguments: list[str], started: float) -> int | None:
    """Lock from what is remembered; None where the full command has to do it."""
    from wheelstore.cli.lock_warm import lock_warm

    return lock_warm(arguments, os.environ, started)


def interrupted() -> int:
    """Say that Ctrl-C was heard; the status that shells expect of it."""
    from wheelstore.cli.console import fail

    fail(["interrupted; nothing was left half-done"])
    return 130


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Quick = Callable[[list[str], float], int | None]

_QUICK: dict[str, Quick] = {"sync": _sync_warm, "venv": _venv, "run": _run_warm, "lock": _lock_warm}
