"""Where environments have files that were made from blobs which turned out bad."""

from __future__ import annotations

from collections.abc import Collection

from wheelstore.materialize.plan import Plan


def made_from(plan: Plan, names: Collection[str]) -> dict[str, str]:
    """The files of `plan` that are links or copies of some blobs (by name): target and blob."""
    pairs = zip(plan.targets, plan.sources, strict=True)
    return {target: source for target, source in pairs if source in names}


def written_from(plan: Plan, names: Collection[str]) -> list[str]:
    """The files of `plan` whose text was made out of some blobs: scripts, and RECORDs that list them."""
    written = [(one.target, one.source) for one in plan.scripts] + [(one.target, one.source) for one in plan.records]
    return [target for target, source in written if source in names]
