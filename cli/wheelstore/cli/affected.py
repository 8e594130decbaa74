"""Which environments have files of blobs that turned out bad."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from wheelstore.materialize.environment import read_state
from wheelstore.materialize.healing import bad_links, written_of
from wheelstore.materialize.plan import Plan, PlanDamaged, unpack
from wheelstore.materialize.shapes import LAYER
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
    """The environments that themselves have files of some blobs (by name), with the plans of what they have."""
    if not names:
        return
    plans: dict[tuple[str, bool], Plan | None] = {}
    for row in index.environments():
        kind = row.manifest, row.mode == "layered"
        if kind not in plans:
            plans[kind] = _plan(index, *kind, set(names))
        plan = plans[kind]
        if plan is not None:
            yield row, plan


def images_with(index: Index, names: Mapping[str, bytes]) -> Iterator[tuple[str, Plan]]:
    """The manifests that have an image and some blobs (by name), with their plans."""
    for row in index.images() if names else ():
        plan = _plan(index, row.manifest, False, set(names))  # noqa: FBT003
        if plan is not None:
            yield row.manifest, plan


def manifests_with(index: Index, manifests: Iterable[str], names: Collection[str]) -> set[str]:
    """Those of the manifests whose plans have any of the blobs `names`."""
    return {manifest for manifest in manifests if _plan(index, manifest, False, set(names)) is not None}  # noqa: FBT003


def _plan(index: Index, manifest: str, layered: bool, names: set[str]) -> Plan | None:  # noqa: FBT001
    """The plan of a manifest, or of the layer before its image, if any of `names` is in it."""
    packed = index.shape(manifest, LAYER) if layered else index.manifest(manifest)
    try:
        plan = unpack(packed) if packed else None
    except PlanDamaged:
        return None
    if plan is None:
        return None
    sources = {*plan.sources, *(source for _, source in written_of(plan))}
    return None if names.isdisjoint(sources) else plan


def is_there(row: EnvironmentRow) -> bool:
    """Whether what was registered is still at its path, and no other environment."""
    state = read_state(row.path)
    return state is not None and state.id == row.id
