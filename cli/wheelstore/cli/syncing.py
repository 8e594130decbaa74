"""`store sync` in full: lock, interpreter, selection, fetch and ingest, manifest, plan, environment."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wheelstore.cli.answers import wanted_bytecode
from wheelstore.cli.auto_collecting import collect_now_and_then
from wheelstore.cli.compiling import Bytecode
from wheelstore.cli.console import Console, write_json
from wheelstore.cli.environments import bring, for_reader, kept_seeds, link_mode, look
from wheelstore.cli.fetching import Ingestion, Vanished
from wheelstore.cli.forms import choose_form, formed
from wheelstore.cli.goals import goal_of
from wheelstore.cli.interpreters import choose, memory_of, using
from wheelstore.cli.locks import Meaning, read_files
from wheelstore.cli.registering import Goal, Means, Place
from wheelstore.cli.request import SyncRequest
from wheelstore.cli.selecting import installations, select_wheels
from wheelstore.cli.sources import Sources, open_sources
from wheelstore.cli.summary import counted, outcome_json, tell
from wheelstore.cli.warm import Warm
from wheelstore.materialize.installed import find_distributions
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.manifest import bytecode_levels, manifest_content, manifest_digest
from wheelstore.materialize.plan import Distribution, make_plan
from wheelstore.materialize.sync import Outcome
from wheelstore.resolve.selection import Selected
from wheelstore.store.index import Index, WheelRow, open_index
from wheelstore.store.layout import Store, open_store
from wheelstore.store.lease import Lease


def run_sync(request: SyncRequest, *, started: float, environ: Mapping[str, str] = os.environ) -> None:
    """Carry out `request` and report on it.

    Raises:
        StoreError, ResolveError: what the user has to know; the environment is as it was.
    """
    console = Console(quiet=request.quiet, verbose=request.verbose)
    store = open_store(request.store)
    with open_index(store.index_path) as index, Lease(store, index, now=time.time()) as lease:
        sync = Sync(request, store, index, lease, console, environ)
        goal, outcome = sync.run()
    seconds = time.perf_counter() - started
    packages = len(goal.plan.distributions)
    if request.json:
        write_json(outcome_json(request.venv, goal, outcome, seconds, dry_run=request.dry_run))
    elif not request.quiet:
        done = Warm(packages, outcome.added, outcome.removed, outcome.repaired, outcome.files)
        tell(sys.stderr, done, seconds, dry_run=request.dry_run)
    if outcome.files and not request.dry_run:
        sys.stdout.flush()
        collect_now_and_then(request.store, environ)


@dataclass(frozen=True, slots=True)
class Sync:
    """One full sync: the request, and what it works with."""

    request: SyncRequest
    store: Store
    index: Index
    lease: Lease
    console: Console
    environ: Mapping[str, str]

    def run(self) -> tuple[Goal, Outcome]:
        """Find out what the environment should be, get it into the store, and bring the environment there."""
        request = self.request
        locks = read_files(request.locks)
        place = look(request.venv, clear=request.clear, spared=(self.store.root,))
        interpreter, stamp = choose(request.python, place, memory_of(self.store, self.index), self.environ)
        self._tell_means(interpreter)
        meaning = locks.meaning(
            interpreter,
            environ=self.environ,
            require_hashes=request.require_hashes,
            console=self.console,
            bytecode=wanted_bytecode(request, place.state),
        )
        with open_sources(request, meaning.lock.options, store=self.store, environ=self.environ) as sources:
            selected = select_wheels(meaning, interpreter, sources, index=self.index, console=self.console)
            if request.dry_run:
                return self._rehearse(place, selected, interpreter, stamp)
            try:
                rows = self._ingest(selected, sources)
            except Vanished:
                selected = select_wheels(meaning, interpreter, sources, index=self.index, console=self.console)
                rows = self._ingest(selected, sources)
        try:
            return self._bring(place, selected, rows, interpreter, stamp, meaning)
        except BlobUnusable as unusable:
            if not self.store.writable:
                raise for_reader(unusable) from None
            with open_sources(request, meaning.lock.options, store=self.store, environ=self.environ) as sources:
                installed, levels = installations(selected, rows), self._bytecode(place).levels
                manifest = manifest_digest(manifest_content(installed, interpreter.identity, bytecode=levels))
                self._mend(unusable, rows, manifest, sources)
        return self._bring(place, selected, rows, interpreter, stamp, meaning)

    def _bring(
        self,
        place: Place,
        selected: Sequence[Selected],
        rows: Sequence[WheelRow],
        interpreter: Interpreter,
        stamp: str,
        meaning: Meaning,
    ) -> tuple[Goal, Outcome]:
        """Bring the environment to the selected wheels, which the store has."""
        goal = goal_of(
            installations(selected, rows),
            interpreter,
            stamp,
            store=self.store,
            index=self.index,
            lease=self.lease,
            key=meaning.key,
            inputs=meaning.inputs,
            bytecode=self._bytecode(place),
        )._replace(source=" ".join(self.request.locks))
        mode = link_mode(self.store, self.index, self.lease, self.request.link_mode, self.request.venv)
        form = choose_form(place, self.request.link_mode, goal.manifest, store=self.store, index=self.index)
        insists, say = form == self.request.link_mode, self.console.say
        means = Means(self.store, self.index, self.lease, mode, time.time(), form=form, insists=insists, say=say)
        self.console.detail(f"Getting files into {self.request.venv} by {means.recorded}")
        goal = formed(goal, means, self.request.link_mode)
        return goal, bring(place, goal, means, reinstall=self.request.reinstall)

    def _bytecode(self, place: Place) -> Bytecode:
        request = self.request
        levels = bytecode_levels(wanted_bytecode(request, place.state))
        return Bytecode(levels, self.console, request.progress and not request.quiet and not request.json)

    def _mend(self, unusable: BlobUnusable, rows: Sequence[WheelRow], manifest: str, sources: Sources) -> None:
        """Get back what was damaged in the store."""
        from wheelstore.cli.repairing import Repair

        repair = Repair(self.store, self.index, self.lease, sources, self.environ, self.console.detail)
        mended = repair.mend(unusable, rows, manifest)
        self.console.say(f"Repaired {counted(mended, 'damaged file')} in the store")

    def _tell_means(self, interpreter: Interpreter) -> None:
        self.console.detail(f"{using(interpreter)}: {interpreter.executable}")
        self.console.detail(f"Using the store {self.store.root}{'' if self.store.writable else ', which is read-only'}")

    def _ingest(self, selected: Sequence[Selected], sources: Sources) -> list[WheelRow]:
        """The rows of the selected wheels, in order, after fetching those that the store lacks."""
        ingestion = Ingestion(self.store, self.index, self.lease, sources, self.console.say)
        wanted = self.request.progress and not self.request.quiet and not self.request.json
        rows = ingestion.ensure(selected, wanted=wanted, stream=self.console.stream)
        return [rows[at] for at in range(len(selected))]

    def _rehearse(
        self, place: Place, selected: Sequence[Selected], interpreter: Interpreter, stamp: str
    ) -> tuple[Goal, Outcome]:
        """What a sync would do, by names and versions; wheels that are not in the store are not fetched for it."""
        will_be = [Distribution(one.pin.name, version_of(one), "") for one in selected]
        was = []
        if place.existing:
            found = find_distributions(place.path, (interpreter.purelib, interpreter.platlib))
            was = [item.distribution._replace(dist_info="") for item in found]
        kept = kept_seeds(place.path) if place.existing else frozenset()
        names = {one.name for one in will_be}
        outcome = Outcome(
            added=tuple(sorted(set(will_be) - set(was))),
            removed=tuple(sorted(one for one in set(was) - set(will_be) if one.name in names or one.name not in kept)),
        )
        plan = make_plan([], [], [], will_be)
        return Goal("", plan, "", "", interpreter, stamp), outcome


def version_of(selected: Selected) -> str:
    """The version that a selected wheel has, normalized."""
    from packaging.utils import parse_wheel_filename

    return str(selected.pin.version or parse_wheel_filename(selected.filename)[1])
