"""Where environments have files of blobs that turned out bad, and how these files are made anew."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from wheelstore.materialize.change import apply, finish_changes, hold
from wheelstore.materialize.directories import Directories
from wheelstore.materialize.environment import State, marks_hold, marks_of, read_state, write_state
from wheelstore.materialize.installed import holds
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.plan import Plan
from wheelstore.materialize.removal import remove_bytecode
from wheelstore.materialize.sync import Outcome, Work
from wheelstore.materialize.tree import Tree, is_program
from wheelstore.store.audit import digest_of
from wheelstore.store.blobs import blob_key

if TYPE_CHECKING:
    from wheelstore.materialize.link import Mode


def made_from(plan: Plan, names: Collection[str]) -> dict[str, str]:
    """The files of `plan` that are links or copies of some blobs (by name): target and blob."""
    pairs = zip(plan.targets, plan.sources, strict=True)
    return {target: source for target, source in pairs if source in names}


def written_from(plan: Plan, names: Collection[str]) -> set[str]:
    """The files of `plan` whose text was made out of some blobs: scripts, RECORDs that list them, and lifted files."""
    return {target for target, source in written_of(plan) if source in names}


def written_of(plan: Plan) -> list[tuple[str, str]]:
    """Every file of `plan` whose text is made, with the blob that it is made out of (empty, if out of none)."""
    scripts = [(one.target, one.source) for one in plan.scripts]
    records = [(one.target, one.source) for one in plan.records]
    return [*scripts, *records, *((one.target, one.source) for one in plan.lifts)]


def bad_links(root: str, plan: Plan, bad: Mapping[str, bytes]) -> list[str]:
    """The files below `root`, links or copies by `plan`, that are missing or hold what a bad blob held.

    `bad` has the blobs by name, with the BLAKE3 of the bytes that they had (or nothing, where that is not known). What
    holds anything else is its user's own, and none of our business.
    """
    directories = Directories(root)
    return sorted(
        target
        for target, source in made_from(plan, bad).items()
        if not directories.own(target.rpartition("/")[0]) or _is_bad(f"{root}/{target}", bad[source], source)
    )


def _is_bad(path: str, found: bytes, source: str) -> bool:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        digest = digest_of(path)
    except FileNotFoundError:
        return True
    except OSError:  # the disk cannot read it, as it could not read the blob
        return True
    return digest == found != blob_key(source)[:32]


def heal(
    root: str, plan: Plan, bad: Mapping[str, bytes], *, manifest: str, blobs: str, images: str
) -> list[str] | None:
    """Make the files anew that the environment at `root`, which is as `plan` says, has of bad blobs; which these are.

    None if it is not, or no more, what `manifest` says, which the plan is of: somebody else is changing it. The blobs
    are good again; `images` is where a layered environment's is. Scripts, RECORDs and lifted files that were written
    out of them are made anew where nobody has installed anything since; elsewhere they may be someone else's by now.

    Raises:
        BlobUnusable: one of the blobs is not; the environment is as it was.
        OSError: the environment cannot be written to.
    """
    with hold(root):
        finish_changes(root)
        state = read_state(root)
        if state is None or state.manifest != manifest:
            return None
        untouched = marks_hold(root, state.marks)
        tree = _tree(root, state, blobs, images)
        targets = set(bad_links(root, plan, bad))
        if untouched:
            targets.update(_bad_texts(tree, plan, written_from(plan, bad)))
        if not targets:
            return []
        links = {target: source for target, source in made_from(plan, bad).items() if target in targets}
        work = Work(removed=[], written=targets, links=links, outcome=Outcome(files=len(targets)))
        apply(tree, plan, work, blobs=blobs, mode=_mode(state), site=_site(plan))
        _forget_bytecode(root, targets)
        if untouched:
            words = tuple(word.rpartition("=")[0] for word in state.marks.split(" "))
            write_state(root, state._replace(marks=marks_of(root, words)))
    return sorted(targets)


def _bad_texts(tree: Tree, plan: Plan, targets: set[str]) -> set[str]:
    """Those of the scripts and RECORDs `targets` that are not what they should be."""
    try:
        return {
            target
            for target, content in tree.written_files(plan, _site(plan), among=targets)
            if not holds(f"{tree.root}/{target}", content, executable=is_program(target))
        }
    except BlobUnusable:
        return set()


def _tree(root: str, state: State, blobs: str, images: str) -> Tree:
    scripts = ("Scripts", "python.exe") if os.path.isdir(f"{root}/Scripts") else ("bin", "python")
    python = os.path.join(root, *scripts)
    return Tree(root=root, final=root, blobs=blobs, mode=_mode(state), python=python, images=images)


def _mode(state: State) -> Mode:
    modes: dict[str, Mode] = {"clone": "clone", "snapshot": "clone", "hardlink": "hardlink", "layered": "hardlink"}
    return modes.get(state.mode, "copy")


def _site(plan: Plan) -> str:
    """Where its distributions are: what scripts are relative to in a RECORD is the same for purelib and platlib."""
    return next((one.dist_info.rpartition("/")[0] for one in plan.distributions), "")


def _forget_bytecode(root: str, targets: Collection[str]) -> None:
    """Remove what was compiled from bad modules: their time and size may be those of the good ones."""
    directories = Directories(root)
    for target in targets:
        directory, _, name = target.rpartition("/")
        cache = f"{directory}/__pycache__".lstrip("/")
        if name.endswith(".py") and directories.own(cache):
            remove_bytecode(f"{root}/{cache}", {name[:-3]})
