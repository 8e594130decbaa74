"""`store add`: wheels into the store, without an environment."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelstore.cli.console import Console, write_json
from wheelstore.cli.fetching import Ingestion
from wheelstore.cli.interpreters import find
from wheelstore.cli.request import AddRequest
from wheelstore.cli.selecting import select_wheels, wheel_file, wheel_url
from wheelstore.cli.sources import open_sources
from wheelstore.cli.summary import added_line
from wheelstore.resolve.lock import Lock, Pin, read_lock
from wheelstore.resolve.selection import Selected
from wheelstore.resolve.target import Target
from wheelstore.store.index import Index, WheelRow, open_index
from wheelstore.store.layout import Store, open_store


def run_add(request: AddRequest, *, started: float, environ: Mapping[str, str] = os.environ) -> None:
    """Bring everything that was named into the store and report on it.

    Raises:
        StoreError, ResolveError: what the user has to know; the store is as it was.
    """
    common = request.common
    console = Console(quiet=common.quiet, verbose=common.verbose)
    store = open_store(common.store)
    with open_index(store.index_path) as index:
        added, present = _Add(request, store, index, console, environ).run()
    seconds = time.perf_counter() - started
    if common.json:
        write_json(
            {
                "added": [_as_json(row) for row in added],
                "present": [_as_json(row) for row in present],
                "seconds": round(seconds, 4),
            }
        )
    else:
        sizes = [row.size for row in added]
        console.say(added_line(sizes, len(present), seconds, palette=console.palette))


def _as_json(row: WheelRow) -> dict[str, object]:
    return {
        "name": row.name,
        "version": row.version,
        "filename": row.filename,
        "sha256": row.sha256,
        "size": row.size,
    }


@dataclass(frozen=True, slots=True)
class _Add:
    request: AddRequest
    store: Store
    index: Index
    console: Console
    environ: Mapping[str, str]

    def run(self) -> tuple[list[WheelRow], list[WheelRow]]:
        """The wheels that came, and those that were there."""
        items, common = self.request.items, self.request.common
        named = [wheel_url(item) if _is_url(item) else wheel_file(item) for item in items if not _is_lock(item)]
        lock, pins, target = self._read([item for item in items if _is_lock(item)])
        options = lock.options if lock else None
        with open_sources(common, options, store=self.store, environ=self.environ) as sources:
            if target is not None:
                named += select_wheels(pins, target, sources, index=self.index, console=self.console, formats=options)
            selected = _distinct(named)
            there = set(self.index.sha256s())
            ingestion = Ingestion(store=self.store, index=self.index, transport=sources.transport, say=self.console.say)
            wanted = common.progress and not common.quiet and not common.json
            rows = ingestion.ensure(selected, wanted=wanted, stream=self.console.stream)
        distinct = {row.sha256: row for _, row in sorted(rows.items())}.values()
        return [row for row in distinct if row.sha256 not in there], [row for row in distinct if row.sha256 in there]

    def _read(self, locks: Sequence[str]) -> tuple[Lock | None, tuple[Pin, ...], Target | None]:
        """What the locks, together, pin for the interpreter."""
        if not locks:
            return None, (), None
        interpreter, _ = find(self.request.python, self.index, self.environ)
        lock = read_lock(
            [Path(path) if path == "-" else Path(os.path.abspath(path)) for path in locks],
            environ=self.environ,
            require_hashes=self.request.require_hashes,
            stdin=sys.stdin.buffer.read() if "-" in locks else None,
        )
        for warning in lock.warnings:
            self.console.warn(warning)
        return lock, lock.for_target(interpreter.markers), Target.of(interpreter)


def _is_url(item: str) -> bool:
    return "://" in item or item.startswith("file:")


def _is_lock(item: str) -> bool:
    return not _is_url(item) and not item.endswith(".whl")


def _distinct(selected: Sequence[Selected]) -> list[Selected]:
    """Each wheel once, by what is known to tell it from others."""
    return list({one.sha256 or one.url: one for one in reversed(selected)}.values())[::-1]
