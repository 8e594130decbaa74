"""Environments as `store` commands treat them: look at the place, bring it to a plan, keep its state and registration.

On the warm path; see `front`.
"""

from __future__ import annotations

import os

from wheelstore.materialize.environment import State, marks_hold, marks_of, read_state, write_state
from wheelstore.materialize.fresh import FreshEnvironment, TargetUnwritable
from wheelstore.materialize.link import MODES, probe
from wheelstore.materialize.plan import PlanDamaged, unpack
from wheelstore.materialize.sync import Outcome, Work, apply, compare_disk, compare_plans
from wheelstore.materialize.tree import Tree
from wheelstore.materialize.venv import write_venv
from wheelstore.store.errors import StoreError
from wheelstore.store.index import EnvironmentRow
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wheelstore.materialize.interpreter import Interpreter
    from wheelstore.materialize.link import Mode
    from wheelstore.materialize.plan import Plan
    from wheelstore.store.index import Index
    from wheelstore.store.layout import Store


class NotAnEnvironment(StoreError):
    """The target directory holds something that is not a virtual environment."""

    hint = "choose another --venv, or pass --clear to replace the directory"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is not a virtual environment, and not empty"


class Place(NamedTuple):
    """Where an environment is or will be: `existing` is false for a path that is free (or an empty directory)."""

    path: str
    existing: bool
    state: State | None


class Goal(NamedTuple):
    """What an environment is to become, and the question that this is the answer to."""

    manifest: str
    plan: Plan
    key: str
    inputs: str
    interpreter: Interpreter
    stamp: str


def look(path: str, *, clear: bool) -> Place:
    """What is at `path`.

    Raises:
        NotAnEnvironment: something else is there, and `clear` does not say that it may go.
    """
    if os.path.lexists(f"{path}/pyvenv.cfg"):
        return Place(path, existing=not clear, state=None if clear else read_state(path))
    try:
        empty = not os.listdir(path)
    except FileNotFoundError:
        return Place(path, existing=False, state=None)
    except OSError:
        empty = False
    if not empty and not clear:
        raise NotAnEnvironment(path)
    return Place(path, existing=False, state=None)


def link_mode(store: Store, index: Index, wanted: str, path: str) -> Mode:
    """The mode to start each file with: `wanted`, or for ``auto`` the fastest that works between the two devices.

    Hardlinks are first where the store is ours: measured on ext4 (the only choice but copying), and faster than
    clones on btrfs and XFS too; see ARCHITECTURE. What works is asked of the filesystem once for a pair of devices.
    """
    if wanted in MODES:
        return wanted
    parent = os.path.dirname(path)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    key = f"modes {os.stat(store.blobs).st_dev} {os.stat(parent).st_dev}"
    remembered = index.recall(key)
    if remembered is None:
        possible = _probe(store, parent)
        if store.writable:
            index.remember(key, " ".join(sorted(possible)).encode())
    else:
        possible = frozenset(remembered.decode().split())
    if store.writable and "hardlink" in possible:
        return "hardlink"
    return "clone" if "clone" in possible else "copy"


def _probe(store: Store, directory: str) -> frozenset[str]:
    if not store.writable:
        return frozenset({"clone", "copy"})  # a file at a time falls back by itself
    try:
        return frozenset(probe(store.tmp, directory))
    except OSError as error:
        raise TargetUnwritable(directory, error.strerror or str(error)) from None


def bring(
    place: Place,
    goal: Goal,
    *,
    store: Store,
    index: Index,
    mode: Mode,
    now: float,
    reinstall: bool,
    dry_run: bool,
) -> Outcome:
    """Make the environment at `place` exactly `goal`, and keep its state; with `dry_run` only say what would be done.

    Raises:
        TargetUnwritable: it cannot be written to.
    """
    if place.existing:
        return _change(place, goal, store=store, index=index, mode=mode, now=now, reinstall=reinstall, dry_run=dry_run)
    outcome = Outcome(added=tuple(goal.plan.distributions), files=len(goal.plan.targets))
    if not dry_run:
        _build(place, goal, store=store, index=index, mode=mode, now=now)
    return outcome


def _build(place: Place, goal: Goal, *, store: Store, index: Index, mode: Mode, now: float) -> None:
    interpreter = goal.interpreter
    with FreshEnvironment(place.path) as fresh:
        try:
            write_venv(fresh.directory, final=place.path, interpreter=interpreter)
            tree = _tree(place.path, fresh.directory, store, mode, interpreter)
            tree.create(goal.plan, interpreter.purelib, processes=os.cpu_count() or 1)
        except OSError as error:
            raise TargetUnwritable(place.path, _reason(error)) from error
        _keep(fresh.directory, place, goal, store=store, index=index, mode=mode, now=now)
        fresh.publish(replace=True, trash=store.trash)


def _reason(error: OSError) -> str:
    return f"{error.strerror or error} ({error.filename2 or error.filename})" if error.filename else str(error)


def _tree(path: str, root: str, store: Store, mode: Mode, interpreter: Interpreter) -> Tree:
    name = "python.exe" if interpreter.scripts == "Scripts" else "python"
    python = os.path.join(path, interpreter.scripts, name)
    return Tree(root=root, final=path, blobs=store.blobs, mode=mode, python=python)


def _change(
    place: Place,
    goal: Goal,
    *,
    store: Store,
    index: Index,
    mode: Mode,
    now: float,
    reinstall: bool,
    dry_run: bool,
) -> Outcome:
    interpreter, state = goal.interpreter, place.state
    tree = _tree(place.path, place.path, store, mode, interpreter)
    before = _plan_before(index, state)
    work: Work
    if reinstall:
        work = Work(
            removed=[],
            written=set(goal.plan.items()),
            outcome=Outcome(repaired=tuple(goal.plan.distributions), files=len(goal.plan.targets)),
        )
    elif before is not None and state is not None and marks_hold(place.path, state.marks):
        work = compare_plans(before, goal.plan)
    else:
        sites = (interpreter.purelib, interpreter.platlib)
        work = compare_disk(tree, before, goal.plan, sites=sites, keep=kept_seeds(place.path))
    if not dry_run:
        try:
            apply(tree, goal.plan, work, blobs=store.blobs, mode=mode, site=interpreter.purelib)
        except OSError as error:
            raise TargetUnwritable(place.path, _reason(error)) from error
        _keep(place.path, place, goal, store=store, index=index, mode=mode, now=now)
    return work.outcome


def _plan_before(index: Index, state: State | None) -> Plan | None:
    packed = index.manifest(state.manifest) if state else None
    try:
        return unpack(packed) if packed else None
    except PlanDamaged:
        return None


def kept_seeds(path: str) -> frozenset[str]:
    """pip and its like stay in a venv that came with them: one that another tool made, or that `--seed` did."""
    from wheelstore.materialize.installed import SEEDS

    with open(f"{path}/pyvenv.cfg", encoding="utf-8", errors="replace") as stream:
        keys = {line.partition("=")[0].strip().lower() for line in stream}
    return frozenset() if "wheelstore" in keys and "seed" not in keys else SEEDS


def _keep(directory: str, place: Place, goal: Goal, *, store: Store, index: Index, mode: Mode, now: float) -> None:
    interpreter = goal.interpreter
    sites = dict.fromkeys((interpreter.purelib, interpreter.platlib, interpreter.scripts))
    state = State(
        id=place.state.id if place.state else os.urandom(8).hex(),
        store=store.root,
        manifest=goal.manifest,
        key=goal.key,
        mode=mode,
        python=interpreter.executable,
        stamp=goal.stamp,
        identity=interpreter.identity,
        version=interpreter.version,
        inputs=goal.inputs,
        packages=str(len(goal.plan.distributions)),
        marks=marks_of(directory, tuple(sites)),
    )
    row = EnvironmentRow(
        id=state.id,
        path=place.path,
        manifest=goal.manifest,
        mode=mode,
        python=interpreter.version,
        created=now,
        synced=now,
    )
    if store.writable:
        with index.writing():
            index.put_environment(row)
    write_state(directory, state)
