"""`store sync` in full: lock, interpreter, selection, fetch and ingest, manifest, plan, environment."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wheelstore.cli.answering import Answering
from wheelstore.cli.answers import wanted_bytecode
from wheelstore.cli.auto_collecting import collect_now_and_then
from wheelstore.cli.console import Console, write_json
from wheelstore.cli.environments import bring, kept_seeds, link_mode, look, other_mode
from wheelstore.cli.forms import choose_form, formed, plan_before, settled_mode
from wheelstore.cli.interpreters import choose, memory_of
from wheelstore.cli.registering import Goal, Means, Place
from wheelstore.cli.request import SyncRequest
from wheelstore.cli.summary import outcome_json, tell
from wheelstore.cli.warm import Warm
from wheelstore.materialize.installed import find_distributions
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.plan import Distribution, make_plan
from wheelstore.materialize.sync import Outcome
from wheelstore.resolve.selection import Selected
from wheelstore.store.index import Index, open_index
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
        request, memory = self.request, memory_of(self.store, self.index)
        place = look(request.venv, clear=request.clear, spared=(self.store.root,))
        answering = Answering.to(
            request,
            choose=lambda: choose(request.python, place, memory, self.environ),
            store=self.store,
            index=self.index,
            lease=self.lease,
            console=self.console,
            environ=self.environ,
        )
        if request.dry_run:
            return self._rehearse(place, answering.select(), answering.interpreter, answering.stamp)
        word = wanted_bytecode(request, place.state)
        return answering.answer([word], lambda goals: self._bring(place, goals[0]))

    def _bring(self, place: Place, goal: Goal) -> tuple[Goal, Outcome]:
        """Bring the environment to the goal, for which the store has everything."""
        wanted, say = settled_mode(place, self.request.link_mode), self.console.say
        mode = link_mode(self.store, self.index, self.lease, wanted, self.request.venv)
        if warning := other_mode(wanted, mode):
            self.console.warn(warning)
        form = choose_form(place, wanted, goal.manifest, store=self.store, index=self.index)
        insists = form == wanted
        means = Means(self.store, self.index, self.lease, mode, time.time(), form=form, insists=insists, say=say)
        self.console.detail(f"Getting files into {self.request.venv} by {means.recorded}")
        goal = formed(goal, means, wanted, anew=self.request.reinstall)
        return goal, bring(place, goal, means, reinstall=self.request.reinstall)

    def _rehearse(
        self, place: Place, selected: Sequence[Selected], interpreter: Interpreter, stamp: str
    ) -> tuple[Goal, Outcome]:
        """What a sync would do, by names and versions; wheels that are not in the store are not fetched for it."""
        will_be = [Distribution(one.pin.name, version_of(one), "") for one in selected]
        was = []
        if place.existing:
            found = find_distributions(place.path, (interpreter.purelib, interpreter.platlib))
            was = [item.distribution._replace(dist_info="") for item in found]
            before = plan_before(place, self.index)
            if before is not None and before.lifts:  # it has them in an image
                was += [one._replace(dist_info="") for one in before.distributions]
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
