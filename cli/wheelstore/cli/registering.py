"""What is kept of an environment that was made or changed: its state, its token, its row, its history.

The row comes before the environment is in its place, because it is what keeps gc from what the environment needs: a
process that is killed between the two leaves a row too many, which gc recognises, and never an environment too many.
On the warm path.
"""

from __future__ import annotations

import os

from wheelstore.materialize.environment import State, boot_mark, marked, marks_of, write_state
from wheelstore.store.btrfs import is_subvolume
from wheelstore.store.index import EnvironmentRow, Generation, IndexUnusable
from wheelstore.store.tokens import IN_ENVIRONMENT, filesystem_of, is_elsewhere, make_token, trust_token
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

    from wheelstore.materialize.interpreter import Interpreter
    from wheelstore.materialize.link import Mode
    from wheelstore.materialize.plan import Plan
    from wheelstore.store.index import Index
    from wheelstore.store.layout import Store
    from wheelstore.store.lease import Lease


class Place(NamedTuple):
    """Where an environment is or will be.

    `existing` is false for a path that is free (or an empty directory), and for one whose content is to go (`clear`).
    What takes the place of an environment goes on with its history: that is what `state` is for there.
    """

    path: str
    existing: bool
    state: State | None
    clear: bool = False


class Goal(NamedTuple):
    """What an environment is to become, and the question that this is the answer to.

    `source` says for people where it comes from (locks, or a command); `generation` is the number of the one in the
    environment's history that this is, or 0 for a new one; `bytecode` is as in `State`.
    """

    manifest: str
    plan: Plan
    key: str
    inputs: str
    interpreter: Interpreter
    stamp: str
    source: str = ""
    generation: int = 0
    bytecode: str = ""


class Means:
    """What an operation on environments works with.

    `mode` is how single files get there, `form` (see `forms`) what else they may be in, and whether that was asked for
    is `insists`; `now` is in seconds since the epoch; `say` tells people something while they wait.
    """

    __slots__ = ("form", "index", "insists", "lease", "mode", "now", "say", "store")

    def __init__(
        self,
        store: Store,
        index: Index,
        lease: Lease,
        mode: Mode,
        now: float,
        *,
        form: str = "",
        insists: bool = False,
        say: Say | None = None,
    ) -> None:
        self.store, self.index, self.lease, self.mode, self.now, self.say = store, index, lease, mode, now, say
        self.form, self.insists = form, insists

    @property
    def recorded(self) -> str:
        """The mode that an environment is said to have."""
        return self.form if self.form in ("layered", "snapshot") else self.mode


def register(directory: str, place: Place, goal: Goal, means: Means, *, claimed: str = "") -> str:
    """Keep that the environment in `directory`, which is or will be at `place`, has become `goal`; its id.

    `claimed` is the id that `claim_image` gave it: another token now would leave that one's row without its own.

    Raises:
        OSError, IndexUnusable: that cannot be written; the environment's state does not hold then.
    """
    store, index = means.store, means.index
    identifier = claimed or (_identifier(place, store.root, index) if store.writable else "") or os.urandom(8).hex()
    interpreter = goal.interpreter
    os.makedirs(f"{directory}/.wheelstore", exist_ok=True)
    if store.writable:
        make_token(store, identifier, place.path, root=directory)
        with index.writing():
            number = goal.generation or _number(index, identifier, goal)
            index.put_environment(_row(identifier, place.path, goal, means, directory=directory, number=number))
            index.put_generation(
                Generation(
                    environment=identifier,
                    number=number,
                    manifest=goal.manifest,
                    key=goal.key,
                    inputs=goal.inputs,
                    interpreter=interpreter.executable,
                    python=interpreter.version,
                    source=os.fsencode(goal.source).decode("utf-8", "replace"),  # for display
                    synced=means.now,
                )
            )
            _use(goal, means)
            if place.existing:
                _supplant(place, identifier, means)
                index.disclaim_layers(identifier)
        trust_token(store, identifier)
    places = marked((interpreter.purelib, interpreter.platlib), interpreter.scripts)
    write_state(
        directory,
        State(
            id=identifier,
            path=place.path,
            boot=boot_mark(),
            store=store.root,
            manifest=goal.manifest,
            key=goal.key,
            mode=means.recorded,
            python=interpreter.executable,
            stamp=goal.stamp,
            identity=interpreter.identity,
            version=interpreter.version,
            inputs=goal.inputs,
            packages=str(len(goal.plan.distributions)),
            marks=marks_of(directory, places),
            bytecode=goal.bytecode,
        ),
    )
    return identifier


def _use(goal: Goal, means: Means) -> None:
    """Note that what the environment is made of was used; inside `writing`."""
    means.index.use_manifest(goal.manifest, now=means.now)
    if means.form in ("layered", "snapshot"):
        means.index.use_image(goal.manifest, now=means.now)
    means.index.use_prewarmed(goal.manifest, now=means.now)


def _filesystem(directory: str) -> str:
    """The filesystem that an environment is on; for a subvolume, which goes with it, the one that this is in."""
    return filesystem_of(os.path.dirname(directory) if is_subvolume(directory) else directory)


def claim_image(place: Place, goal: Goal, means: Means) -> str:
    """Keep the image that the environment at `place` is about to look into, also if this process dies on the way.

    The result is the environment's id; empty if there is nothing to keep.

    A change that is decided is finished by whoever comes next, and until then the environment may look into the old
    image or the new one: its row is about the first, a claim about the second. An environment without a row gets one.

    Raises:
        OSError, IndexUnusable: that cannot be written.
    """
    store, index = means.store, means.index
    if means.recorded != "layered" or not store.writable:
        return ""
    identifier = _identifier(place, store.root, index)
    if identifier and index.environment(identifier) is not None:
        with index.writing():
            index.claim_layer(goal.manifest, identifier)
        return identifier
    identifier = identifier or os.urandom(8).hex()
    os.makedirs(f"{place.path}/.wheelstore", exist_ok=True)
    make_token(store, identifier, place.path, root=place.path)
    with index.writing():
        index.put_environment(_row(identifier, place.path, goal, means, directory=place.path, number=1))
    return identifier


def _row(identifier: str, path: str, goal: Goal, means: Means, *, directory: str, number: int) -> EnvironmentRow:
    return EnvironmentRow(
        id=identifier,
        path=path,
        manifest=goal.manifest,
        mode=means.recorded,
        python=goal.interpreter.version,
        created=means.now,
        synced=means.now,
        filesystem=_filesystem(directory),
        generation=number,
    )


def in_place(place: Place, identifier: str, means: Means) -> None:
    """Note that a new environment has come to its place, so that what was there before is no root any more.

    If that cannot be written, nothing is lost: gc finds what was there before missing.
    """
    if means.store.writable:
        try:
            with means.index.writing():
                _supplant(place, identifier, means)
        except IndexUnusable:
            return


def _supplant(place: Place, identifier: str, means: Means) -> None:
    """Forget who was there before, unless it was moved away; the environment's own row protects it from here on."""
    means.index.supplant(place.path, identifier, spared=lambda other: is_elsewhere(means.store, other))
    means.lease.drop()


def _identifier(place: Place, root: str, index: Index) -> str:
    """The id that an environment had and keeps.

    Empty for a new one, for a copy of one that is still there, and for one that comes from another store: that one is
    to see that it has lost it.
    """
    if place.state is None or not is_of_store(place.path, place.state, root):
        return ""
    row = index.environment(place.state.id)
    if row is None or is_same(row.path, place.path):
        return place.state.id
    try:
        with open(f"{row.path}/{IN_ENVIRONMENT}", "rb") as stream:
            return "" if stream.readline().strip() == row.id.encode() else row.id
    except OSError:  # it was moved here from there
        return row.id


def is_of_store(path: str, state: State, root: str) -> bool:
    """Whether an environment was made from the store at `root`, wherever that was then."""
    return is_same(state.store, root) or is_same(f"{root}/tokens/{state.id}", f"{path}/{IN_ENVIRONMENT}")


def is_same(one: str, other: str) -> bool:
    """Whether two paths lead to one file or directory."""
    try:
        return one == other or os.path.samefile(one, other)
    except OSError:
        return False


def _number(index: Index, identifier: str, goal: Goal) -> int:
    """The generation that an environment comes to: its current one if that has the same manifest, else a new one."""
    row = index.environment(identifier)
    if row is not None and row.manifest == goal.manifest:
        return row.generation
    return index.last_generation(identifier) + 1
