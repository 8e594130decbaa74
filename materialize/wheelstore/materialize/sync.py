"""Bring an environment to its plan: make a new one beside its place and rename it there, or change an existing one."""

from __future__ import annotations

import os

from wheelstore.materialize.link import Linker
from wheelstore.materialize.plan import changes
from wheelstore.materialize.tree import write_file
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelstore.materialize.link import Mode
    from wheelstore.materialize.plan import Distribution, Plan
    from wheelstore.materialize.tree import Tree


class Outcome(NamedTuple):
    """What a sync did, or with a dry run would do, to the distributions of an environment; and to how many files."""

    added: tuple[Distribution, ...] = ()
    removed: tuple[Distribution, ...] = ()
    repaired: tuple[Distribution, ...] = ()
    files: int = 0

    @property
    def nothing(self) -> bool:
        """Whether the environment was as it should be."""
        return not (self.added or self.removed or self.repaired or self.files)


class Work(NamedTuple):
    """The file changes that bring an environment to its plan; made by `compare`, carried out by `apply`."""

    removed: list[str]
    written: set[str]
    outcome: Outcome


def compare_plans(before: Plan, after: Plan) -> Work:
    """The work for an environment that is known to be exactly `before`. Touches no disk."""
    changed = changes(before, after)
    was, will_be = set(before.distributions), set(after.distributions)
    outcome = Outcome(
        added=tuple(sorted(will_be - was)),
        removed=tuple(sorted(was - will_be)),
        files=len(changed.removed) + len(changed.written),
    )
    return Work(removed=changed.removed, written=changed.written, outcome=outcome)


def compare_disk(tree: Tree, before: Plan | None, after: Plan, *, sites: tuple[str, ...], keep: frozenset[str]) -> Work:
    """The work for an environment that anyone may have changed: every file of `after` is looked at.

    Files that belong to distributions (by their RECORD) or to the plan `before`, and not to `after`, go; other files
    are the user's and stay. Distributions named in `keep` stay unless the plan has them.
    """
    from wheelstore.materialize.installed import differing, find_distributions

    found = find_distributions(tree.root, sites)
    planned = {distribution.name for distribution in after.distributions}
    kept = {
        path
        for item in found
        if item.distribution.name in keep and item.distribution.name not in planned
        for path in item.files
    }
    items = after.items()
    written = differing(tree.root, dict(zip(after.targets, after.sources, strict=True)))
    written |= {
        target
        for target, content in tree.written_files(after.scripts, after.records, sites[0])
        if not _has_content(f"{tree.root}/{target}", content)
    }
    owned = {path for item in found for path in item.files}
    if before is not None:
        owned.update(path for path in before.items() if os.path.lexists(f"{tree.root}/{path}"))
    removed = sorted(owned - items.keys() - kept)
    was = {item.distribution for item in found if not kept.intersection(item.files)}
    will_be = set(after.distributions)
    outcome = Outcome(
        added=tuple(sorted(will_be - was)),
        removed=tuple(sorted(was - will_be)),
        repaired=_owners(written, will_be & was),
        files=len(removed) + len(written),
    )
    return Work(removed=removed, written=written, outcome=outcome)


def _owners(written: set[str], candidates: Iterable[Distribution]) -> tuple[Distribution, ...]:
    """The distributions that were there already and have files among `written`, as far as their metadata shows."""
    return tuple(
        sorted(item for item in candidates if any(target.startswith(f"{item.dist_info}/") for target in written))
    )


def _has_content(path: str, content: bytes) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(len(content) + 1) == content
    except OSError:
        return False


def apply(tree: Tree, plan: Plan, work: Work, *, blobs: str, mode: Mode, site: str) -> None:
    """Carry out `work` in the existing environment `tree`.

    New content appears by rename; what is removed goes last, so that an interrupted run leaves files too many rather
    than too few, and the next sync finishes it.
    """
    root = tree.root
    for directory in _parents(work.written):
        _ensure_directory(root, directory)
    sources = dict(zip(plan.targets, plan.sources, strict=True))
    linked = [target for target in sorted(work.written) if target in sources]
    present = {target for target in linked if os.path.lexists(f"{root}/{target}")}
    temporaries = {target: _temporary(target) for target in present}
    Linker(blobs, root, mode).run(
        [sources[target] for target in linked], [temporaries.get(target, target) for target in linked]
    )
    for target, temporary in temporaries.items():
        os.replace(f"{root}/{temporary}", f"{root}/{target}")
    _write_generated(tree, plan, work, site)
    _remove(root, work.removed, keep=set(plan.directories))


def _write_generated(tree: Tree, plan: Plan, work: Work, site: str) -> None:
    records = [record for record in plan.records if record.target in work.written]
    needed = {target for record in records for target in record.scripts}
    scripts = [script for script in plan.scripts if script.target in work.written or script.target in needed]
    for target, content in tree.written_files(scripts, records, site):
        if target in work.written:
            temporary = f"{tree.root}/{_temporary(target)}"
            write_file(temporary, content, executable=not target.endswith("/RECORD"))
            os.replace(temporary, f"{tree.root}/{target}")


def _parents(targets: Iterable[str]) -> list[str]:
    parents: set[str] = set()
    for target in targets:
        directory = target.rpartition("/")[0]
        while directory and directory not in parents:
            parents.add(directory)
            directory = directory.rpartition("/")[0]
    return sorted(parents)


def _temporary(target: str) -> str:
    directory, slash, name = target.rpartition("/")
    return f"{directory}{slash}.{name[:200]}.{os.getpid()}"


def _ensure_directory(root: str, directory: str) -> None:
    path = f"{root}/{directory}"
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            os.unlink(path)
            os.mkdir(path)


def _remove(root: str, targets: Iterable[str], *, keep: set[str]) -> None:
    """Remove files, their bytecode, and the directories that this leaves empty."""
    emptied: set[str] = set()
    for target in targets:
        try:
            os.unlink(f"{root}/{target}")
        except FileNotFoundError:
            pass
        except (IsADirectoryError, PermissionError):
            if not os.path.isdir(f"{root}/{target}"):
                raise
        directory, _, name = target.rpartition("/")
        emptied.add(directory)
        if name.endswith(".py"):
            _remove_bytecode(f"{root}/{directory}/__pycache__", name[:-3])
            emptied.add(f"{directory}/__pycache__")
    for directory in sorted(emptied, key=len, reverse=True):
        while directory and directory not in keep:
            try:
                os.rmdir(f"{root}/{directory}")
            except FileNotFoundError:
                pass
            except OSError:
                break
            directory = directory.rpartition("/")[0]


def _remove_bytecode(cache: str, stem: str) -> None:
    try:
        names = os.listdir(cache)
    except OSError:
        return
    for name in names:
        if name.startswith(f"{stem}.") and name.endswith(".pyc"):
            os.unlink(f"{cache}/{name}")
