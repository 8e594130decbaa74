"""What has to change for an environment to be what its plan says; `change` does it."""

from __future__ import annotations

import os

from wheelstore.materialize.plan import changes, links_among
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

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
    return Work(removed=removed, written=written, links=links_among(after, written), outcome=outcome)


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
