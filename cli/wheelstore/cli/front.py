"""The front door of the `store` command.

A common `store sync` is done from here before click is imported (`warm`); everything else goes through to `main`.
Both share one implementation of every step. Importing is what costs here: Python starts in about 12 ms, click takes
30, httpcore 150, sqlite-utils 90 (``-X importtime``), so this module imports none of them.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> int:
    """Run the command line; the process's exit status (0 done, 1 refused or failed, 2 usage)."""
    started = time.perf_counter()
    arguments = sys.argv[1:]
    if "sync" in arguments[:3]:
        status = _sync_warm(arguments, started)
        if status is not None:
            return status
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
    from wheelstore.store.errors import StoreError

    try:
        warm = sync_warm(request, os.environ)
    except StoreError as error:
        from wheelstore.cli.console import report

        report(error)
        return 1
    except KeyboardInterrupt:
        return interrupted()
    if warm is None:
        return None
    if not request.quiet:
        tell(sys.stderr, warm, time.perf_counter() - started, dry_run=False)
    return 0


def interrupted() -> int:
    """Say that Ctrl-C was heard; the status that shells expect of it."""
    sys.stderr.write("error: interrupted; nothing was left half-done\n")
    return 130
