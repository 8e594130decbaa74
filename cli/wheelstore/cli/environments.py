"""Environments as `store` commands treat them: look at the place, bring it to a plan, keep its state and registration.

On the warm path; see `front`.
"""

from __future__ import annotations

import os

from wheelstore.cli.afterwards import afterwards
from wheelstore.cli.forms import FILES, LAYERED, SNAPSHOT, SPARE, FormUnavailable, beginning, plan_before, unpacked
from wheelstore.cli.registering import Goal, Means, Place, claim_image, in_place, register
from wheelstore.materialize.environment import LOCK, marks_hold, may_be_lost, read_state
from wheelstore.materialize.fresh import FreshEnvironment, TargetUnwritable
from wheelstore.materialize.link import BlobUnusable, can_clone, probe
from wheelstore.materialize.sync import Outcome, Work, compare_disk, compare_plans
from wheelstore.materialize.tree import Tree
from wheelstore.materialize.venv import UnusablePlace, write_venv
from wheelstore.store.claims import Claims
from wheelstore.store.errors import StoreError
from wheelstore.store.umask import as_asked
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wheelstore.materialize.change import hold
    from wheelstore.materialize.interpreter import Interpreter
    from wheelstore.materialize.link import Mode
    from wheelstore.materialize.plan import Plan
    from wheelstore.store.index import Index
    from wheelstore.store.layout import Store
    from wheelstore.store.lease import Lease


class NotAnEnvironment(StoreError):
    """The target directory holds something that is not a virtual environment."""

    hint = "choose another place, or pass --clear to replace what is there"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        is_directory = os.path.isdir(self.path)
        return f"{self.path} is {'not empty and no virtual environment' if is_directory else 'a file'}"


class TooPrecious(StoreError):
    """What `--clear` would remove is, or holds, a directory that nobody means to remove so."""

    hint = "remove it yourself, if that is what you want"

    def __init__(self, path: str, precious: str) -> None:
        super().__init__(path, precious)
        self.path, self.precious = path, precious

    def __str__(self) -> str:
        what = "is" if self.path == self.precious else f"holds {self.precious}, which is"
        return f"{self.path} is not replaced by an environment: it {what} in use"


class VenvOptions(NamedTuple):
    """What a new environment is like, beside what is installed in it; as for `write_venv`."""

    prompt: str | None = None
    system_site_packages: bool = False
    seeded: bool = False


DEFAULT_OPTIONS = VenvOptions()
_REMNANTS = frozenset({".wheelstore", ".gitignore"})  # what `rm -rf .venv/*` leaves


def look(path: str, *, clear: bool, spared: Sequence[str] = ()) -> Place:
    """What is at `path`, or where a link there leads. `spared` are directories that `clear` must not take along.

    Raises:
        UnusablePlace: no environment works there.
        NotAnEnvironment: something else is there, and `clear` does not say that it may go.
        TooPrecious: it is not for `clear` to remove.
    """
    if os.path.islink(path):
        path = os.path.realpath(path)
    try:
        path.encode()
    except UnicodeEncodeError:
        raise UnusablePlace(path, "its name is not UTF-8, which scripts are written in") from None
    if os.path.lexists(f"{path}/pyvenv.cfg"):
        return Place(path, existing=not clear, state=read_state(path), clear=clear)
    try:
        names = os.listdir(path)
        empty = not names
        if not empty and (state := read_state(path)) is not None:
            lost = _REMNANTS.issuperset(names)
            return Place(path, existing=not clear and not lost, state=state, clear=clear or lost)
    except OSError:
        if not os.path.lexists(path):
            return Place(path, existing=False, state=None)
        empty = False
    if not empty and not clear:
        raise NotAnEnvironment(path)
    if not empty:
        _spare(path, (os.getcwd(), os.path.expanduser("~"), *spared))
    return Place(path, existing=False, state=None)


def _spare(path: str, directories: Iterable[str]) -> None:
    for directory in map(os.path.realpath, directories):
        if f"{directory}/".startswith(f"{os.path.realpath(path).rstrip('/')}/"):
            raise TooPrecious(path, directory)


def link_mode(store: Store, index: Index, lease: Lease, wanted: str, path: str) -> Mode:
    """The mode to start each file with: `wanted` if that can be, else the fastest that works between the two devices.

    Hardlinks are first where the store is ours: measured on ext4 (the only choice but copying), and faster than
    clones on btrfs and XFS too; see ARCHITECTURE. What works is asked of the filesystem once for a pair of devices.
    Nothing is ever hardlinked from someone else's: that would change it, and often is not allowed. What is changed in
    a snapshot becomes clones, as the rest of it is.
    """
    if wanted == SNAPSHOT:
        return "clone"
    if wanted == "copy" or (wanted == "hardlink" and store.writable):
        return "copy" if wanted == "copy" else "hardlink"
    parent = os.path.dirname(path)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    key = f"modes {os.stat(store.blobs).st_dev} {os.stat(parent).st_dev}"
    remembered = index.recall(key)
    if remembered is None:
        possible = _probe(store, lease, parent)
        if store.writable:
            index.remember(key, " ".join(sorted(possible)).encode())
    else:
        possible = frozenset(remembered.decode().split())
    if wanted == "clone" and "clone" in possible:
        return "clone"
    if store.writable and "hardlink" in possible:
        return "hardlink"
    return "clone" if "clone" in possible else "copy"


def other_mode(wanted: str, mode: str) -> str:
    """What to tell whoever wanted files of their own and gets others; empty if there is nothing to tell."""
    if wanted != "clone" or mode == "clone":
        return ""
    return f"the filesystem has no clones between the store and the environment: its files are made by {mode}"


def _probe(store: Store, lease: Lease, directory: str) -> frozenset[str]:
    if not store.writable:
        return frozenset({"clone", "copy"} if can_clone(f"{store.root}/format", directory) else {"copy"})
    try:
        os.makedirs(lease.directory, 0o700, exist_ok=True)
        return frozenset(probe(lease.directory, directory))
    except OSError as error:
        raise TargetUnwritable(directory, error.strerror or str(error)) from None


def bring(
    place: Place,
    goal: Goal,
    means: Means,
    *,
    reinstall: bool = False,
    dry_run: bool = False,
    options: VenvOptions = DEFAULT_OPTIONS,
) -> Outcome:
    """Make the environment at `place` exactly `goal`, and keep its state; with `dry_run` only say what would be done.

    The lease of `means` protects the goal's manifest. `options` are for an environment that is made anew.

    Raises:
        TargetUnwritable: it cannot be written to.
    """
    if place.existing:
        return _change(place, goal, means, reinstall=reinstall, dry_run=dry_run)
    outcome = Outcome(added=tuple(goal.plan.distributions), files=len(goal.plan.targets))
    if dry_run:
        return outcome
    with _hold_place(place.path, means):
        if not place.clear and os.path.lexists(f"{place.path}/pyvenv.cfg"):  # somebody made it while we waited
            made = Place(place.path, existing=True, state=read_state(place.path))
            return _change(made, goal, means, reinstall=reinstall, dry_run=False)
        build(place, goal, means, options=options)
    return outcome


def for_reader(unusable: BlobUnusable) -> BlobUnusable:
    """The same error with what helps whoever can only read the store, out of which its owner may take things."""
    unusable.hint = "run the same command again; or ask the store's owner to run 'store verify --repair'"
    return unusable


def _hold_place(path: str, means: Means) -> Claims:
    """A context in which no other process makes an environment at `path` out of this store."""
    from blake3 import blake3

    places = f"{means.store.locks}/places"
    if not means.store.writable:
        return Claims(os.devnull, ())
    os.makedirs(means.store.locks, 0o700, exist_ok=True)
    name = blake3(path.encode("utf-8", "surrogateescape")).hexdigest()
    return Claims(places, [name], waiting=lambda process: _say_waiting(path, process, means))


def _say_waiting(path: str, process: int, means: Means) -> None:
    if means.say is not None:
        means.say(f"Waiting for another store command{by(process)} that changes {path}")


def by(process: int) -> str:
    """The process that is waited for, if it is known, to be put into a sentence."""
    return f" (process {process})" if process else ""


def build(place: Place, goal: Goal, means: Means, *, options: VenvOptions = DEFAULT_OPTIONS) -> None:
    """Make the environment `goal` at `place`, all of it or nothing; what is there goes.

    Raises:
        UnusablePlace: it is in the store.
        TargetUnwritable: it cannot be written to.
        SnapshotsUnsupported: one was insisted on, and cannot be made there.
    """
    _refuse_inside(means.store.root, place.path)
    try:
        _build(place, goal, means, options)
    except FormUnavailable as unavailable:
        if means.insists and isinstance(unavailable.__cause__, StoreError):
            raise unavailable.__cause__ from None
        plan = unpacked(means.lease.plan(goal.manifest))
        assert plan is not None  # the lease has protected it since its shape was read
        means.form = FILES
        _build(place, goal._replace(plan=plan), means, options)


def _build(place: Place, goal: Goal, means: Means, options: VenvOptions) -> None:
    interpreter = goal.interpreter
    with FreshEnvironment(place.path, begin=beginning(place.path, goal, means)) as fresh:
        try:
            completing = means.form in (SNAPSHOT, SPARE)
            if completing:
                os.chmod(fresh.directory, as_asked(0o777))
            write_venv(
                fresh.directory,
                final=place.path,
                interpreter=interpreter,
                prompt=options.prompt,
                system_site_packages=options.system_site_packages,
                seeded=options.seeded,
                completing=completing,
            )
            tree = _tree(place.path, fresh.directory, means, interpreter)
            if completing:
                tree.finish(goal.plan, interpreter.purelib)
            else:
                tree.create(goal.plan, interpreter.purelib, processes=os.cpu_count() or 1)
            identifier = register(fresh.directory, place, goal, means)
        except OSError as error:
            raise TargetUnwritable(place.path, _reason(error)) from error
        with _hold_old(place, means):
            replaced = fresh.publish(replace=True, trash=means.store.trash if means.store.writable else "")
    try:
        in_place(place, identifier, means)
    finally:
        if replaced is not None:
            afterwards(replaced.remove, keep=(replaced.claim,))
            replaced.leave()


def _hold_old(place: Place, means: Means) -> Claims | hold:
    """A context in which nobody changes the environment that is to be replaced, if it is one that others can hold."""
    if not os.access(f"{place.path}/{LOCK}", os.W_OK) or os.name == "nt":  # which moves nothing that is open
        return Claims(os.devnull, ())
    from wheelstore.materialize import change

    return change.hold(place.path, waiting=lambda process: _say_waiting(place.path, process, means))


def _refuse_inside(root: str, path: str) -> None:
    """Refuse a place in the store, where gc takes it for something that a command left."""
    if f"{os.path.realpath(path)}/".startswith(f"{os.path.realpath(root).rstrip('/')}/"):
        raise UnusablePlace(path, f"it is in the store {root}")


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason} ({error.filename2 or error.filename})" if error.filename else reason


def _tree(path: str, root: str, means: Means, interpreter: Interpreter) -> Tree:
    name = "python.exe" if interpreter.scripts == "Scripts" else "python"
    python = os.path.join(path, interpreter.scripts, name)
    blobs, images = means.lease.blobs, means.store.images
    return Tree(root=root, final=path, blobs=blobs, mode=means.mode, python=python, images=images)


def _change(place: Place, goal: Goal, means: Means, *, reinstall: bool, dry_run: bool) -> Outcome:
    from wheelstore.materialize.change import apply, finish_changes, hold

    interpreter = goal.interpreter
    try:
        with hold(place.path, waiting=lambda process: _say_waiting(place.path, process, means)):
            finish_changes(place.path)
            place = place._replace(state=read_state(place.path))
            tree = _tree(place.path, place.path, means, interpreter)
            work = _compare(place, goal, tree, means, reinstall=reinstall)
            outcome = work.outcome
            if not dry_run:
                if not _is_untouched(place, means):
                    outcome = _mended(outcome, place.path, interpreter)
                claimed = ""
                if work.removed or work.written:
                    claimed = claim_image(place, goal, means)
                    apply(tree, goal.plan, work, mode=means.mode, blobs=means.lease.blobs, site=interpreter.purelib)
                register(place.path, place, goal, means, claimed=claimed)
            return outcome
    except OSError as error:
        raise TargetUnwritable(place.path, _reason(error)) from error


def _mended(outcome: Outcome, path: str, interpreter: Interpreter) -> Outcome:
    from wheelstore.materialize.mending import mend_venv

    return outcome._replace(files=outcome.files + mend_venv(path, interpreter))


def _compare(place: Place, goal: Goal, tree: Tree, means: Means, *, reinstall: bool) -> Work:
    """The work for an existing environment: by its plan if nobody has touched it since, else by its files."""
    interpreter, after = goal.interpreter, goal.plan
    before = plan_before(place, means.index)
    kept = kept_seeds(place.path)
    if before is not None and not reinstall and _is_untouched(place, means) and not _touches_seeds(before, after, kept):
        return compare_plans(before, after)
    sites = (interpreter.purelib, interpreter.platlib)
    settled = place.state is not None and not may_be_lost(place.state)
    blobs = None if settled else means.lease.blobs
    elsewhere = before.distributions if before is not None and before.lifts else ()
    work = compare_disk(tree, before, after, sites=sites, keep=kept, elsewhere=elsewhere, blobs=blobs)
    return _all_anew(work, after) if reinstall else work


def _is_untouched(place: Place, means: Means) -> bool:
    """Whether an environment is where it was and as its last sync left it, as far as that shows without its files."""
    state = place.state
    return (
        state is not None
        and state.path == place.path
        and (state.mode != LAYERED or state.store == means.store.root)  # which its files name
        and not may_be_lost(state)
        and marks_hold(place.path, state.marks)
        and os.access(f"{place.path}/pyvenv.cfg", os.R_OK)
    )


def _all_anew(work: Work, plan: Plan) -> Work:
    """`work`, and every file of the plan, whatever is there."""
    stay = set(plan.distributions).difference(work.outcome.added)
    files = len(work.removed) + len(plan.items())
    return Work(
        removed=work.removed,
        written=set(plan.items()),
        links=dict(zip(plan.targets, plan.sources, strict=True)),
        outcome=work.outcome._replace(repaired=tuple(sorted(stay)), files=files),
    )


def _touches_seeds(before: Plan, after: Plan, kept: frozenset[str]) -> bool:
    """Whether only one of the plans has a distribution that stays where it is, so that the disk has to be asked."""
    names = {one.name for one in before.distributions}.symmetric_difference(one.name for one in after.distributions)
    return not kept.isdisjoint(names)


def kept_seeds(path: str) -> frozenset[str]:
    """pip and its like stay in a venv that came with them: one that another tool made, or that `--seed` did.

    So they do in one that does not say any more how it came about.
    """
    try:
        with open(f"{path}/pyvenv.cfg", encoding="utf-8", errors="replace") as stream:
            keys = {line.partition("=")[0].strip().lower() for line in stream}
    except OSError:
        keys = set()
    if "wheelstore" in keys and "seed" not in keys:
        return frozenset()
    from wheelstore.materialize.installed import SEEDS

    return SEEDS
