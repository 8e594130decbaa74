"""What locks mean, in full, for a command that makes no environment of its own: wheels, manifest, plan, image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from wheelstore.cli.compiling import Bytecode
from wheelstore.cli.console import Console
from wheelstore.cli.environments import for_reader
from wheelstore.cli.fetching import Ingestion, Vanished
from wheelstore.cli.goals import goal_of
from wheelstore.cli.interpreters import find, memory_of, using
from wheelstore.cli.locks import LockFiles, Meaning, read_files
from wheelstore.cli.registering import Goal
from wheelstore.cli.request import SyncRequest
from wheelstore.cli.selecting import installations, select_wheels
from wheelstore.cli.sources import open_sources
from wheelstore.cli.summary import counted
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.manifest import bytecode_levels, manifest_content, manifest_digest
from wheelstore.resolve.selection import Selected
from wheelstore.store.index import Index, WheelRow
from wheelstore.store.layout import Store
from wheelstore.store.lease import Lease

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Answering:
    """The locks of `request` for one interpreter, and what they are looked up with."""

    request: SyncRequest
    store: Store
    index: Index
    lease: Lease
    console: Console
    environ: Mapping[str, str]
    locks: LockFiles
    interpreter: Interpreter
    stamp: str

    @classmethod
    def to(
        cls,
        request: SyncRequest,
        *,
        store: Store,
        index: Index,
        lease: Lease,
        console: Console,
        environ: Mapping[str, str],
    ) -> Answering:
        """Read the locks and choose the interpreter, as a sync does for a new environment.

        Raises:
            StoreError, ResolveError: there is no such lock, or no such interpreter.
        """
        locks = read_files(request.locks)
        interpreter, stamp = find(request.python, memory_of(store, index), environ)
        console.detail(f"{using(interpreter)}: {interpreter.executable}")
        console.detail(f"Using the store {store.root}{'' if store.writable else ', which is read-only'}")
        return cls(request, store, index, lease, console, environ, locks, interpreter, stamp)

    def answer(self, words: Sequence[str], act: Callable[[Sequence[Goal]], Made]) -> Made:
        """Have all that the locks mean in the store, and `act` with the goals, one for each of the bytecode `words`.

        What turns out to be damaged in the store is repaired, and `act` called again. The lease protects the wheels,
        and the manifest of the last goal.

        Raises:
            StoreError, ResolveError: the locks cannot be had, or do not fit together.
        """
        selected, rows = self._ensure(words[0])
        try:
            return act(self._goals(words, selected, rows))
        except BlobUnusable as unusable:
            if not self.store.writable:
                raise for_reader(unusable) from None
            levels = bytecode_levels(words[-1])
            content = manifest_content(installations(selected, rows), self.interpreter.identity, bytecode=levels)
            self._mend(unusable, rows, manifest_digest(content))
        return act(self._goals(words, selected, rows))

    def _goals(self, words: Sequence[str], selected: Sequence[Selected], rows: Sequence[WheelRow]) -> list[Goal]:
        installed, request, goals = installations(selected, rows), self.request, []
        for word in words:
            meaning = self._meaning(word, quiet=True)
            shown = request.progress and not request.quiet and not request.json
            goal = goal_of(
                installed,
                self.interpreter,
                self.stamp,
                store=self.store,
                index=self.index,
                lease=self.lease,
                key=meaning.key,
                inputs=meaning.inputs,
                bytecode=Bytecode(bytecode_levels(word), self.console, shown),
            )
            goals.append(goal._replace(source=" ".join(request.locks)))
        return goals

    def _meaning(self, word: str, *, quiet: bool = False) -> Meaning:
        return self.locks.meaning(
            self.interpreter,
            environ=self.environ,
            require_hashes=self.request.require_hashes,
            console=Console(quiet=2) if quiet else self.console,
            bytecode=word,
        )

    def _ensure(self, word: str) -> tuple[Sequence[Selected], Sequence[WheelRow]]:
        """The wheels, after fetching those that the store lacks."""
        meaning, request = self._meaning(word), self.request
        wanted = request.progress and not request.quiet and not request.json
        with open_sources(request, meaning.lock.options, store=self.store, environ=self.environ) as sources:
            ingestion = Ingestion(self.store, self.index, self.lease, sources, self.console.say)
            for attempt in (1, 2):
                selected = select_wheels(meaning, self.interpreter, sources, index=self.index, console=self.console)
                try:
                    rows = ingestion.ensure(selected, wanted=wanted, stream=self.console.stream)
                except Vanished:
                    if attempt == 2:
                        raise
                else:
                    break
        return selected, [rows[at] for at in range(len(selected))]

    def _mend(self, unusable: BlobUnusable, rows: Sequence[WheelRow], manifest: str) -> None:
        """Get back what was damaged in the store."""
        from wheelstore.cli.repairing import Repair

        meaning = self._meaning("", quiet=True)
        with open_sources(self.request, meaning.lock.options, store=self.store, environ=self.environ) as sources:
            repair = Repair(self.store, self.index, self.lease, sources, self.environ, self.console.detail)
            mended = repair.mend(unusable, rows, manifest)
        self.console.say(f"Repaired {counted(mended, 'damaged file')} in the store")
