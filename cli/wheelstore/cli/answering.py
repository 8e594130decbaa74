"""What locks mean, in full: wheels, fetched if need be, manifest and plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from wheelstore.cli.compiling import Bytecode
from wheelstore.cli.console import Console
from wheelstore.cli.environments import for_reader
from wheelstore.cli.fetching import Ingestion, Vanished
from wheelstore.cli.goals import goal_of
from wheelstore.cli.interpreters import find, memory_of, using
from wheelstore.cli.locks import Meaning, read_files
from wheelstore.cli.registering import Goal
from wheelstore.cli.request import SyncRequest
from wheelstore.cli.selecting import installations, select_wheels
from wheelstore.cli.sources import Sources, open_sources
from wheelstore.cli.summary import counted
from wheelstore.materialize.distribution import Installed
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.manifest import bytecode_levels, manifest_content, manifest_digest
from wheelstore.resolve.selection import Selected
from wheelstore.store.index import Index, WheelRow
from wheelstore.store.layout import Store
from wheelstore.store.lease import Lease

Made = TypeVar("Made")


def source_of(request: SyncRequest) -> str:
    """What the user named, for display: names may be any bytes."""
    return os.fsencode(" ".join(request.locks)).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Answering:
    """The locks of `request` for one interpreter, and what they are looked up with."""

    request: SyncRequest
    store: Store
    index: Index
    lease: Lease
    console: Console
    environ: Mapping[str, str]
    interpreter: Interpreter
    stamp: str
    meaning: Meaning

    @classmethod
    def to(
        cls,
        request: SyncRequest,
        *,
        choose: Callable[[], tuple[Interpreter, str]] | None = None,
        store: Store,
        index: Index,
        lease: Lease,
        console: Console,
        environ: Mapping[str, str],
    ) -> Answering:
        """Read the locks for the interpreter that `choose` gives, with its stamp; else as for a new environment.

        Raises:
            StoreError, ResolveError: there is no such lock, or no such interpreter.
        """
        locks = read_files(request.locks)
        interpreter, stamp = choose() if choose else find(request.python, memory_of(store, index), environ)
        console.detail(f"{using(interpreter)}: {interpreter.executable}")
        console.detail(f"Using the store {store.root}{'' if store.writable else ', which is read-only'}")
        hashed = request.require_hashes
        meaning = locks.meaning(interpreter, environ=environ, require_hashes=hashed, console=console)
        return cls(request, store, index, lease, console, environ, interpreter, stamp, meaning)

    def select(self) -> Sequence[Selected]:
        """The wheels that the locks mean, whether the store has them or not."""
        with self._sources() as sources:
            return self._select(sources)

    def answer(self, words: Sequence[str], act: Callable[[Sequence[Goal]], Made]) -> Made:
        """Have all that the locks mean in the store, and `act` with the goals, one for each of the bytecode `words`.

        What turns out to be damaged in the store is repaired, and `act` called again. The lease protects the wheels,
        and the manifest of the last goal.

        Raises:
            StoreError, ResolveError: the locks cannot be had, or do not fit together.
        """
        selected, rows = self._ensure()
        installed = installations(selected, rows)
        try:
            return act(self._goals(words, installed))
        except BlobUnusable as unusable:
            if not self.store.writable:
                raise for_reader(unusable) from None
            levels = bytecode_levels(words[-1])
            content = manifest_content(installed, self.interpreter.identity, bytecode=levels)
            self._mend(unusable, rows, manifest_digest(content))
        return act(self._goals(words, installed))

    def _goals(self, words: Sequence[str], installed: Sequence[Installed]) -> list[Goal]:
        return [self._goal(word, installed) for word in words]

    def _goal(self, word: str, installed: Sequence[Installed]) -> Goal:
        return goal_of(
            installed,
            self.interpreter,
            self.stamp,
            store=self.store,
            index=self.index,
            lease=self.lease,
            key=self.meaning.key(word),
            inputs=self.meaning.inputs,
            bytecode=Bytecode(bytecode_levels(word), self.console, self._shows_progress),
        )._replace(source=source_of(self.request))

    @property
    def _shows_progress(self) -> bool:
        request = self.request
        return request.progress and not request.quiet and not request.json

    def _sources(self) -> AbstractContextManager[Sources]:
        return open_sources(self.request, self.meaning.lock.options, store=self.store, environ=self.environ)

    def _select(self, sources: Sources) -> Sequence[Selected]:
        return select_wheels(self.meaning, self.interpreter, sources, index=self.index, console=self.console)

    def _ensure(self) -> tuple[Sequence[Selected], Sequence[WheelRow]]:
        """The wheels, after fetching those that the store lacks."""
        with self._sources() as sources:
            selected = self._select(sources)
            try:
                return selected, self._ingest(selected, sources)
            except Vanished:
                selected = self._select(sources)
                return selected, self._ingest(selected, sources)

    def _ingest(self, selected: Sequence[Selected], sources: Sources) -> Sequence[WheelRow]:
        ingestion = Ingestion(self.store, self.index, self.lease, sources, self.console.say)
        rows = ingestion.ensure(selected, wanted=self._shows_progress, stream=self.console.stream)
        return [rows[at] for at in range(len(selected))]

    def _mend(self, unusable: BlobUnusable, rows: Sequence[WheelRow], manifest: str) -> None:
        """Get back what was damaged in the store."""
        from wheelstore.cli.repairing import Repair

        with self._sources() as sources:
            repair = Repair(self.store, self.index, self.lease, sources, self.environ, self.console.detail)
            mended = repair.mend(unusable, rows, manifest)
        self.console.say(f"Repaired {counted(mended, 'damaged file')} in the store")
