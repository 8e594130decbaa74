"""What has to change for an environment to be what its plan says; `change` does it."""

from __future__ import annotations

import os

from wheelstore.materialize.directories import Directories, belongs_to_venv
from wheelstore.materialize.plan import changes, links_among
from wheelstore.materialize.tree import is_program
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelstore.materialize.installed import Found
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
    """The file changes that bring an environment to its plan; made by comparing, carried out by `change.apply`.

    `links` are those of `written` that are made from blobs, with their sources.
    """

    removed: list[str]
    written: set[str]
    links: dict[str, str]
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
    return Work(removed=changed.removed, written=changed.written, links=changed.links, outcome=outcome)


def compare_disk(
    tree: Tree,
    before: Plan | None,
    after: Plan,
    *,
    sites: tuple[str, ...],
    keep: frozenset[str],
    elsewhere: Iterable[Distribution] = (),
    blobs: str | None = None,
) -> Work:
    """The work for an environment that anyone may have changed: every file of `after` is looked at.

    Files that belong to distributions (by their RECORD) or to the plan `before`, and not to `after`, go; other files
    are the user's and stay. Distributions named in `keep` stay unless the plan has them. The venv itself, and what
    is found by way of a link to another directory, is nobody's to remove. `elsewhere` are the distributions that it has
    in an image. With `blobs`, as for `differing`.
    """
    from wheelstore.materialize.installed import differing, find_distributions

    directories = Directories(tree.root)
    found = find_distributions(tree.root, filter(directories.own, sites))
    leaving = keep.difference(distribution.name for distribution in after.distributions)
    kept = [item for item in found if item.distribution.name in leaving]
    others = [item for item in found if item.distribution.name not in leaving]
    written = differing(tree.root, after, directories, blobs=blobs) | _generated(tree, after, sites[0], directories)
    owned = {path for item in others for path in item.files}
    if before is not None:
        owned.update(before.items())
    stay = {directories.canonical(path) for path in after.items()}
    stay.update(directories.canonical(path) for item in kept for path in item.files)
    removed = sorted(
        path for path in owned if directories.canonical(path) not in stay and _goes(tree, path, directories)
    )
    was, will_be = {item.distribution for item in others}.union(elsewhere), set(after.distributions)
    outcome = Outcome(
        added=tuple(sorted(will_be - was)),
        removed=tuple(sorted(was - will_be)),
        repaired=tuple(sorted(item.distribution for item in others if _is_repaired(item, written, will_be))),
        files=len(removed) + len(written),
    )
    return Work(removed=removed, written=written, links=links_among(after, written), outcome=outcome)


def _generated(tree: Tree, plan: Plan, site: str, directories: Directories) -> set[str]:
    """Which files that name a path, by `plan`, are missing or not what they should be."""
    from wheelstore.materialize.installed import holds

    return {
        target
        for target, content in tree.written_files(plan, site)
        if not directories.own(target.rpartition("/")[0])
        or not holds(f"{tree.root}/{target}", content, executable=is_program(target))
    }


def _goes(tree: Tree, target: str, directories: Directories) -> bool:
    """Whether a file that some distribution lists is there and may go; a module's bytecode goes without it, too."""
    directory, _, name = target.rpartition("/")
    if belongs_to_venv(target) or not directories.own(directory):
        return False
    return os.path.lexists(f"{tree.root}/{target}") or (
        name.endswith(".py") and directories.own(f"{directory}/__pycache__" if directory else "__pycache__")
    )


def _is_repaired(item: Found, written: set[str], will_be: set[Distribution]) -> bool:
    """Whether a distribution that stays has files among `written`."""
    if item.distribution not in will_be:
        return False
    metadata = f"{item.distribution.dist_info}/"
    return not written.isdisjoint(item.files) or any(target.startswith(metadata) for target in written)
