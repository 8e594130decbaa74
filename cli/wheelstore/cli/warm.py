"""The common `store sync`, with a lock that the store has answered before: no parsing, no network, no click.

Measured where Python starts in 12 ms: with nothing to do, reading a state file and two `stat`s; otherwise one SQLite
look-up for the answer, one for the plan, and the links. Anything unusual returns None, and `syncing` does it in full.
"""

from __future__ import annotations

import os
import time

from wheelstore.cli.answers import LockFile, answer_key, inputs_hold, wanted_bytecode
from wheelstore.materialize.environment import is_being_changed, marks_hold, may_be_lost, read_state, settle
from wheelstore.materialize.interpreter import InterpreterFailed, stamp
from wheelstore.store.tokens import is_trusted
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wheelstore.cli.request import SyncRequest
    from wheelstore.materialize.environment import State


class Warm(NamedTuple):
    """What a warm sync did: the counts and names are for `summary`."""

    packages: int
    added: tuple[tuple[str, str, str], ...] = ()
    removed: tuple[tuple[str, str, str], ...] = ()
    repaired: tuple[tuple[str, str, str], ...] = ()
    files: int = 0


def sync_warm(request: SyncRequest, environ: Mapping[str, str]) -> Warm | None:
    """Do the sync from what is remembered; None if it takes more than that (nothing is changed then).

    Raises:
        StoreError: as the full sync would.
    """
    if request.reinstall or request.dry_run or request.clear or request.json:
        return None
    try:
        locks = [LockFile(path) for path in request.locks]
    except OSError:
        return None
    if any(lock.depends_on_environment for lock in locks):
        return None
    state = read_state(request.venv)
    if state is not None and _unchanged(request, state, locks):
        if state.boot:
            settle(request.venv, state)
        return Warm(packages=int(state.packages))
    return _remembered(request, locks, environ)


def _unchanged(request: SyncRequest, state: State, locks: list[LockFile]) -> bool:
    """Whether the environment is what this very question was answered with, and nobody has touched it since."""
    return (
        state.store == request.store
        and (state.path == request.venv or state.path == os.path.realpath(request.venv))
        and (request.link_mode in ("auto", state.mode))
        and _is_python(request.python, state)
        and _is_there(state)
        and _key(request, locks, state.identity, wanted_bytecode(request, state)) == state.key
        and marks_hold(request.venv, state.marks)
        and os.access(f"{request.venv}/pyvenv.cfg", os.R_OK)
        and _is_known(request.store, state)
        and inputs_hold(state.inputs)
        and not may_be_lost(state)
        and (state.mode != "layered" or os.path.isdir(f"{state.store}/images/{state.manifest}"))
        and not is_being_changed(request.venv)
    )


def _key(request: SyncRequest, locks: list[LockFile], identity: str, bytecode: str) -> str:
    return answer_key(locks, identity=identity, require_hashes=request.require_hashes, bytecode=bytecode)


def _is_known(store: str, state: State) -> bool:
    """Whether the store is there and counts the environment as a root, which it may have forgotten meanwhile."""
    if is_trusted(store, state.id):
        return True
    from wheelstore.store.layout import open_store

    return os.path.exists(f"{store}/format") and not open_store(store).writable


def _is_there(state: State) -> bool:
    """Whether the environment's interpreter is the binary that it was."""
    try:
        return stamp(state.python) == state.stamp
    except InterpreterFailed:
        return False


def _is_python(asked: str | None, state: State) -> bool:
    """Whether the environment's interpreter is the one asked for, as far as that shows without starting one."""
    if asked is None:
        return True
    if os.sep in asked:
        return os.path.realpath(asked) == os.path.realpath(state.python)
    return f"{state.version}.".startswith(f"{asked}.") and asked[:1].isdigit()


def _remembered(request: SyncRequest, locks: list[LockFile], environ: Mapping[str, str]) -> Warm | None:
    if not os.path.exists(f"{request.store}/index.sqlite3"):
        return None
    from wheelstore.cli.environments import bring, link_mode, look, other_mode
    from wheelstore.cli.forms import choose_form, plan_for, settled_mode
    from wheelstore.cli.interpreters import choose, memory_of
    from wheelstore.cli.registering import Goal, Means
    from wheelstore.materialize.link import BlobUnusable
    from wheelstore.store.index import open_index
    from wheelstore.store.layout import open_store
    from wheelstore.store.lease import Lease

    store = open_store(request.store)
    index = open_index(store.index_path)
    now = time.time()
    try:
        with Lease(store, index, now=now) as lease:
            place = look(request.venv, clear=False)
            interpreter, its_stamp = choose(request.python, place, memory_of(store, index), environ)
            bytecode = wanted_bytecode(request, place.state)
            key = _key(request, locks, interpreter.identity, bytecode)
            answer = index.answer(key)
            if answer is None or not inputs_hold(answer.inputs):
                return None
            wanted = settled_mode(place, request.link_mode)
            form = choose_form(place, wanted, answer.manifest, store=store, index=index)
            plan = plan_for(form, answer.manifest, lease)
            if plan is None:
                return None
            source = " ".join(request.locks)
            goal = Goal(answer.manifest, plan, key, answer.inputs, interpreter, its_stamp, source, bytecode=bytecode)
            mode = link_mode(store, index, lease, wanted, request.venv)
            if other_mode(wanted, mode):
                return None  # the full command says so
            insists = form == wanted
            means = Means(store, index, lease, mode, now, form=form, insists=insists, say=_sayer(request))
            outcome = bring(place, goal, means)
    except BlobUnusable:  # the full sync can get it anew
        return None
    finally:
        index.leave()
    return Warm(len(plan.distributions), outcome.added, outcome.removed, outcome.repaired, outcome.files)


def _sayer(request: SyncRequest) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not request.quiet:
            import sys

            sys.stderr.write(f"{text}\n")

    return say
