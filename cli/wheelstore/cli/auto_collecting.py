"""STORE_AUTO_GC: a small collection once a day, after a sync that did something, for machines that nobody tends.

It comes when the sync's result is told already, takes some 5 ms, and whatever happens in it is not the sync's failure.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "STORE_AUTO_GC"
_LAST = "auto-gc"
_PAUSE = 86400.0


def collect_now_and_then(root: str, environ: Mapping[str, str]) -> None:
    """Free a little of what was not used for as long as the variable says, if that was not done today."""
    text = environ.get(VARIABLE)
    if not text:
        return
    from wheelstore.cli.amounts import parse_duration

    try:
        older_than = parse_duration(text)
    except ValueError as error:
        from wheelstore.cli.console import Console

        Console().warn(f"{VARIABLE}: {error}")
        return
    try:
        _collect(root, older_than, now=time.time())
    except (Exception, KeyboardInterrupt):  # the next one may do better
        return


def _collect(root: str, older_than: float, *, now: float) -> None:
    from wheelstore.store.index import open_index
    from wheelstore.store.layout import open_store

    store = open_store(root)
    if not store.writable or not os.path.exists(store.index_path):
        return
    index = open_index(store.index_path)
    try:
        list(index.stream("PRAGMA busy_timeout = 5"))  # ms; whoever writes now is not waited for
        last = index.recall(_LAST)
        if last is not None and 0 <= now - float(last) < _PAUSE:
            return
        index.remember(_LAST, b"%d" % now)
        from wheelstore.store.collection import collect_a_little
        from wheelstore.store.policy import Policy

        collect_a_little(store, index, Policy(older_than=older_than), now=now)
    finally:
        index.leave()
