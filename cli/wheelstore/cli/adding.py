"""`store add`: wheels into the store, without an environment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from wheelstore.cli.answers import asked_bytecode
from wheelstore.cli.compiling import Bytecode
from wheelstore.cli.console import Console, write_json
from wheelstore.cli.fetching import Ingestion
from wheelstore.cli.goals import goal_of
from wheelstore.cli.interpreters import find, memory_of, using
from wheelstore.cli.locks import Meaning, read_files
from wheelstore.cli.request import AddRequest
from wheelstore.cli.selecting import installations, select_wheels, wheel_file, wheel_url
from wheelstore.cli.sources import Sources, open_sources
from wheelstore.cli.summary import added_line
from wheelstore.materialize.distribution import Installed, PathConflict
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.manifest import bytecode_levels
from wheelstore.resolve.selection import Selected
from wheelstore.store.index import Index, WheelRow, open_index
from wheelstore.store.layout import Store, open_store
from wheelstore.store.lease import Lease


def run_add(request: AddRequest, *, started: float, environ: Mapping[str, str] = os.environ) -> None:
    """Bring everything that was named into the store and report on it.

    Raises:
        StoreError, ResolveError: what the user has to know; the store is as it was.
    """
    common = request.common
    console = Console(quiet=common.quiet or int(common.json), verbose=common.verbose)
    store = open_store(common.store)
    with open_index(store.index_path) as index, Lease(store, index, now=time.time()) as lease:
        added, present = _Add(request, store, index, lease, console, environ).run()
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
    lease: Lease
    console: Console
    environ: Mapping[str, str]

    def run(self) -> tuple[list[WheelRow], list[WheelRow]]:
        """The wheels that came, and those that were there."""
        items, common = self.request.items, self.request.common
        paths = [item for item in items if _is_lock(item)]
        locks = read_files(paths) if paths else None
        named = [wheel_url(item) if _is_url(item) else wheel_file(item) for item in items if not _is_lock(item)]
        if locks is None:
            with open_sources(common, None, store=self.store, environ=self.environ) as sources:
                return self._ensure(_distinct(named), sources)[1:]
        interpreter, stamp = find(self.request.python, memory_of(self.store, self.index), self.environ)
        self.console.detail(f"{using(interpreter)}: {interpreter.executable}")
        meaning = locks.meaning(
            interpreter,
            environ=self.environ,
            require_hashes=self.request.require_hashes,
            console=self.console,
        )
        with open_sources(common, meaning.lock.options, store=self.store, environ=self.environ) as sources:
            selected = select_wheels(meaning, interpreter, sources, index=self.index, console=self.console)
            rows, added, present = self._ensure(_distinct([*selected, *named]), sources)
        self._plan(installations(selected, rows[: len(selected)]), interpreter, stamp, meaning)
        return added, present

    def _ensure(
        self, selected: Sequence[Selected], sources: Sources
    ) -> tuple[list[WheelRow], list[WheelRow], list[WheelRow]]:
        """The rows of all wheels, of those that came, and of those that were there."""
        common = self.request.common
        there = set(self.index.sha256s())
        ingestion = Ingestion(self.store, self.index, self.lease, sources, self.console.say)
        wanted = common.progress and not common.quiet and not common.json
        found = ingestion.ensure(selected, wanted=wanted, stream=self.console.stream)
        rows = [found[at] for at in range(len(selected))]
        distinct = {row.sha256: row for row in rows}.values()
        added = [row for row in distinct if row.sha256 not in there]
        present = [row for row in distinct if row.sha256 in there]
        if self.store.writable:
            with self.index.writing():
                self.index.use_wheels([row.sha256 for row in present], now=time.time())
        return rows, added, present

    def _plan(self, installed: Sequence[Installed], interpreter: Interpreter, stamp: str, meaning: Meaning) -> None:
        """Make what an environment needs beside the wheels, so that even those can sync who may only read the store."""
        if self.store.writable:
            common = self.request.common
            shown = common.progress and not common.quiet and not common.json
            word = asked_bytecode(self.request)
            bytecode = Bytecode(bytecode_levels(word), self.console, shown)
            with suppress(PathConflict):
                goal_of(
                    installed,
                    interpreter,
                    stamp,
                    store=self.store,
                    index=self.index,
                    lease=self.lease,
                    key=meaning.key(word),
                    inputs=meaning.inputs,
                    bytecode=bytecode,
                )


def _is_url(item: str) -> bool:
    return "://" in item or item.startswith("file:")


def _is_lock(item: str) -> bool:
    return not _is_url(item) and not item.endswith(".whl")


def _distinct(selected: Sequence[Selected]) -> list[Selected]:
    """Each wheel once, by what is known to tell it from others; the first of each stays where it is."""
    distinct: dict[str | None, Selected] = {}
    for one in selected:
        distinct.setdefault(one.sha256 or one.url, one)
    return list(distinct.values())
