"""`store rollback`: an environment becomes again what it was, from what the store has kept for it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence

from wheelstore.cli.activating import as_typed
from wheelstore.cli.compiling import Bytecode
from wheelstore.cli.console import Console, one_line, write_json
from wheelstore.cli.environments import VenvOptions, bring, link_mode, look
from wheelstore.cli.forms import choose_form, formed, unpacked
from wheelstore.cli.goals import goal_of
from wheelstore.cli.interpreters import find, memory_of
from wheelstore.cli.registering import Goal, Means, Place, is_of_store, is_same
from wheelstore.cli.request import RollbackRequest
from wheelstore.cli.summary import outcome_json, tell
from wheelstore.cli.tables import is_store, local
from wheelstore.cli.warm import Warm
from wheelstore.materialize.distribution import Installed
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.manifest import bytecode_word, manifest_bytecode, manifest_identity, manifest_wheels
from wheelstore.materialize.sync import Outcome
from wheelstore.materialize.venv import read_venv
from wheelstore.store.errors import StoreError
from wheelstore.store.index import EnvironmentRow, Generation, Index, open_index
from wheelstore.store.layout import Store, open_store
from wheelstore.store.lease import Lease
from wheelstore.store.roots import Presence
from wheelstore.store.roots import look as whereabouts


class NoEnvironment(StoreError):
    """There is nothing at the path that could be rolled back."""

    hint = "name one with --venv; store envs lists those that there are"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"there is no environment at {self.path}"


class NoHistory(StoreError):
    """The environment is none of this store, which so has no history of it; `other` is the store it was made from."""

    def __init__(self, path: str, root: str, other: str = "", *, writable: bool = True) -> None:
        super().__init__(path, root, other)
        self.path, self.root, self.other = path, root, other
        self.hint = f"it was made from the store {other}: name that with --store" if other else "sync it first"
        if not writable:
            self.hint = "a store that is only read keeps no history: sync the lock that it had before"

    def __str__(self) -> str:
        return f"the store {self.root} has no history of the environment {self.path}"


class NoSuchGeneration(StoreError):
    """The environment has no such generation, or none before its current one; `numbers` are those that it has."""

    def __init__(self, path: str, wanted: int | None, current: int, numbers: Sequence[int]) -> None:
        super().__init__(path, wanted, current, tuple(numbers))
        self.path, self.wanted, self.current, self.numbers = path, wanted, current, tuple(numbers)
        there = [f"{one}{' (the current one)' if one == current else ''}" for one in numbers]
        self.hint = f"it has {_and(there)}; name one with --to" if len(numbers) > 1 else "it has no other"

    def __str__(self) -> str:
        if self.wanted is None:
            return f"{self.path} is at generation {self.current}, and there is none before it"
        return f"{self.path} has no generation {self.wanted}"


class GenerationCollected(StoreError):
    """What a generation needs has been taken out of the store; `wheels` are those that are known to lack."""

    def __init__(self, generation: Generation, path: str, wheels: Sequence[str] = ()) -> None:
        super().__init__(generation, path, tuple(wheels))
        self.generation, self.path, self.wheels = generation, path, tuple(wheels)
        self.hint = f"sync its lock again{f': {generation.source}' if generation.source else ''}"

    def __str__(self) -> str:
        what = ", ".join(self.wheels) or "what it needs"
        return f"generation {self.generation.number} of {self.path} cannot come back: {what} was collected since"


class PythonGone(StoreError):
    """The Python of a generation is not there any more, or is another one now."""

    hint = "sync its lock again, with a --python that there is"

    def __init__(self, generation: Generation, path: str, reason: str) -> None:
        super().__init__(generation, path, reason)
        self.generation, self.path, self.reason = generation, path, reason

    def __str__(self) -> str:
        return (
            f"generation {self.generation.number} of {self.path} needs Python {self.generation.python}: {self.reason}"
        )


def _and(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def run_rollback(request: RollbackRequest, *, started: float, environ: Mapping[str, str] = os.environ) -> None:
    """Carry out `request` and report on it as a sync does.

    Raises:
        StoreError: what the user has to know; the environment is as it was.
    """
    common = request.common
    place = _existing(request.venv)
    if not is_store(common.store):
        raise NoHistory(place.path, common.store, place.state.store if place.state else "")
    store = open_store(common.store)
    now = time.time()
    with open_index(store.index_path) as index, Lease(store, index, now=now) as lease:
        rollback = _Rollback(request, place, store, index, lease, environ, now)
        goal, outcome = rollback.run()
        generation = rollback.generation
    seconds = time.perf_counter() - started
    if common.json:
        report = outcome_json(request.venv, goal, outcome, seconds, dry_run=request.dry_run)
        write_json({"generation": generation.number, "source": generation.source, **report})
        return
    if not common.quiet:
        done = Warm(len(goal.plan.distributions), outcome.added, outcome.removed, outcome.repaired, outcome.files)
        tell(sys.stderr, done, seconds, dry_run=request.dry_run)
    verb = "Would roll back" if request.dry_run else "Rolled back"
    source = f", {one_line(generation.source)}" if generation.source else ""
    shown = as_typed(request.venv, os.getcwd())
    when = local(generation.synced)
    Console(quiet=common.quiet).say(f"{verb} {shown} to generation {generation.number} of {when}{source}")


def _existing(path: str) -> Place:
    try:
        place = look(path, clear=False)
    except StoreError:
        raise NoEnvironment(path) from None
    if not place.existing:
        raise NoEnvironment(path)
    return place


class _Rollback:
    """One rollback: where to, and what it works with."""

    def __init__(
        self,
        request: RollbackRequest,
        place: Place,
        store: Store,
        index: Index,
        lease: Lease,
        environ: Mapping[str, str],
        now: float,
    ) -> None:
        self._request, self._place, self._environ, self._now = request, place, environ, now
        self._store, self._index, self._lease = store, index, lease
        self._row = self._registered()
        self.generation = self._choose()

    def _registered(self) -> EnvironmentRow:
        place, root = self._place, self._store.root
        if place.state is None or not is_of_store(place.path, place.state, root):
            raise NoHistory(place.path, root, place.state.store if place.state else "")
        row = self._index.environment(place.state.id)
        if row is None:
            raise NoHistory(place.path, root, writable=self._store.writable)
        return row

    def _choose(self) -> Generation:
        """The generation that is asked for, or the one before the current one."""
        row, wanted = self._row, self._request.to
        generations = {one.number: one for one in self._index.generations(row.id)}
        earlier = [number for number in generations if number < row.generation]
        number = wanted if wanted is not None else max(earlier, default=None)
        if number is None or number not in generations:
            raise NoSuchGeneration(self._place.path, wanted, row.generation, [*generations])
        return generations[number]

    def run(self) -> tuple[Goal, Outcome]:
        """Bring the environment there, with the Python that it had then."""
        place = self._place
        present = self._present()
        goal = self._goal(present)
        assert place.state is not None
        wanted = place.state.mode
        mode = link_mode(self._store, self._index, self._lease, wanted, place.path)
        form = choose_form(place, wanted, goal.manifest, store=self._store, index=self._index)
        means = Means(self._store, self._index, self._lease, mode, self._now, form=form)
        if not self._request.dry_run:
            goal = formed(goal, means, wanted)
        options = VenvOptions()
        if present is None or present[0].identity != goal.interpreter.identity:
            place, options = place._replace(existing=False, clear=True), _options(place.path, goal)
        return goal, bring(place, goal, means, dry_run=self._request.dry_run, options=options)

    def _present(self) -> tuple[Interpreter, str] | None:
        """The interpreter that the environment has now, and its stamp; None if it is gone."""
        try:
            return find(self._place.path, memory_of(self._store, self._index), self._environ)
        except StoreError:
            return None

    def _goal(self, present: tuple[Interpreter, str] | None) -> Goal:
        generation = self.generation
        plan = unpacked(self._lease.plan(generation.manifest))
        content = self._index.manifest_content(generation.manifest)
        if content is None:
            raise GenerationCollected(generation, self._place.path)
        interpreter, stamp = self._interpreter(present, manifest_identity(content))
        if plan is None:
            goal = self._plan_anew(content, interpreter, stamp)
        else:
            goal = Goal(generation.manifest, plan, generation.key, generation.inputs, interpreter, stamp)
            goal = goal._replace(bytecode=bytecode_word(manifest_bytecode(content)))
        return goal._replace(source=generation.source, generation=0 if self._is_copy() else generation.number)

    def _is_copy(self) -> bool:
        """Whether the environment that the history is of is elsewhere, so that this one begins its own."""
        return not is_same(self._row.path, self._place.path) and whereabouts(self._store, self._row) is Presence.LIVE

    def _interpreter(self, present: tuple[Interpreter, str] | None, identity: str) -> tuple[Interpreter, str]:
        """The Python that the manifest is for: the one that the environment has now, or the one that it had then."""
        if present is not None and present[0].identity == identity:
            return present
        executable = self.generation.interpreter
        try:
            found = find(executable, memory_of(self._store, self._index), self._environ)
        except StoreError as error:
            raise PythonGone(self.generation, self._place.path, str(error)) from None
        if found[0].identity != identity:
            reason = f"{executable} is Python {found[0].version} now"
            if found[0].version == self.generation.python:
                reason = f"{executable} is another build now"
            raise PythonGone(self.generation, self._place.path, reason)
        return found

    def _plan_anew(self, content: bytes, interpreter: Interpreter, stamp: str) -> Goal:
        """The goal of a manifest whose plan is not there, or is another version's, out of its wheels."""
        wheels = manifest_wheels(content)
        rows = self._lease.wheels([one.sha256 for one in wheels])
        missing = [f"{one.name} {one.version}" for one in wheels if one.sha256 not in rows]
        if missing:
            raise GenerationCollected(self.generation, self._place.path, missing)
        installed = [Installed(wheel=rows[one.sha256], direct_url=one.direct_url) for one in wheels]
        generation = self.generation
        return goal_of(
            installed,
            interpreter,
            stamp,
            store=self._store,
            index=self._index,
            lease=self._lease,
            key=generation.key,
            inputs=generation.inputs,
            bytecode=Bytecode(manifest_bytecode(content), Console(quiet=self._request.common.quiet)),
        )


def _options(path: str, goal: Goal) -> VenvOptions:
    """What the environment at `path` is like beside what is installed in it, for one that takes its place."""
    config = read_venv(path)
    if config is None:
        return VenvOptions()
    seeded = config.seeded and any(one.name == "pip" for one in goal.plan.distributions)
    return VenvOptions(config.prompt, config.system_site_packages, seeded)
