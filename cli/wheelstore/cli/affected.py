"""Which environments have files of blobs that turned out bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wheelstore.materialize.environment import read_state
from wheelstore.materialize.healing import bad_links
from wheelstore.materialize.plan import Plan, PlanDamaged, unpack
from wheelstore.store.index import EnvironmentRow, Index


@dataclass(frozen=True, slots=True)
class Affected:
    """An environment with bad files, relative to it."""

    path: str
    files: tuple[str, ...]


def affected(index: Index, bad: Mapping[str, bytes]) -> list[Affected]:
    """The environments in their places that have bad bytes, or nothing, where they should have some blobs.

    `bad` has the blobs by name, with the BLAKE3 of the bytes that they had; see `healing.bad_links`.
    """
    found = []
    for row, plan in environments_with(index, bad):
        files = bad_links(row.path, plan, bad) if is_there(row) else []
        if files:
            found.append(Affected(row.path, tuple(files)))
    return found


def environments_with(index: Index, names: Mapping[str, bytes]) -> Iterator[tuple[EnvironmentRow, Plan]]:
    """The environments whose plans have some blobs (by name), with these plans."""
    if not names:
        return
    plans: dict[str, Plan | None] = {}
    for row in index.environments():
        if row.manifest not in plans:
            plans[row.manifest] = _plan(index, row.manifest, set(names))
        plan = plans[row.manifest]
        if plan is not None:
            yield row, plan


def _plan(index: Index, manifest: str, names: set[str]) -> Plan | None:
    """The plan of a manifest, if any of `names` is in it."""
    packed = index.manifest(manifest)
    try:
        plan = unpack(packed) if packed else None
    except PlanDamaged:
        return None
    if plan is None:
        return None
    sources = {*plan.sources, *(one.source for one in plan.scripts), *(one.source for one in plan.records)}
    return None if names.isdisjoint(sources) else plan


def is_there(row: EnvironmentRow) -> bool:
    """Whether what was registered is still at its path, and no other environment."""
    state = read_state(row.path)
    return state is not None and state.id == row.id
