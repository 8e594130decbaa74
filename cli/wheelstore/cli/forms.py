"""The form that an environment takes: files of its own, a layer before an image, a snapshot of an image, or a spare.

Which one it can be depends on what the store has; how each is filled is for `environments`. On the warm path.
"""

from __future__ import annotations

import os
import sys

from wheelstore.materialize.plan import PlanDamaged, unpack
from wheelstore.materialize.shapes import LAYER, SHELL
from wheelstore.materialize.spares import spares_of, take_spare
from wheelstore.store.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from wheelstore.cli.registering import Goal, Means, Place
    from wheelstore.materialize.plan import Plan
    from wheelstore.store.index import Index
    from wheelstore.store.layout import Store
    from wheelstore.store.lease import Lease

LAYERED, SNAPSHOT, SPARE, FILES = "layered", "snapshot", "spare", ""
"""The forms; an environment of plain files, and one that was a spare, go by their link mode."""

_CHOSEN = (LAYERED, SNAPSHOT, "clone", "copy")
_SPARE_MODES = {"auto": ("hardlink", "clone", "copy"), "hardlink": ("hardlink",), "clone": ("clone",)}


class ImageMissing(StoreError):
    """Someone else's store has no image for this, and it is not for us to put one there."""

    hint = "its owner can make one: store prewarm LOCK; or choose another --link-mode"

    def __init__(self, root: str, mode: str) -> None:
        super().__init__(root, mode)
        self.root, self.mode = root, mode

    def __str__(self) -> str:
        return f"the store {self.root}, which is read-only, has no image of this lock for --link-mode {self.mode}"


class FormUnavailable(Exception):
    """There is no spare left, or no snapshot can be made there."""


def settled_mode(place: Place, wanted: str) -> str:
    """The link mode that was asked for, or what ``auto`` is for an environment that is there.

    Who has chosen private files, or layers, keeps them.
    """
    if wanted == "auto" and place.existing and place.state is not None and place.state.mode in _CHOSEN:
        return place.state.mode
    return wanted


def choose_form(place: Place, wanted: str, manifest: str, *, store: Store, index: Index) -> str:
    """The form for the environment `manifest` at `place`, where the link mode `wanted` was asked for.

    ``auto`` takes what is ready for a new environment: a spare, or an image that can be snapshot. Layers are only for
    those who ask, since their files are then the store's.

    Raises:
        SnapshotsUnsupported: one was asked for, and the store is where there are none; no image is made in vain.
    """
    if wanted == LAYERED:
        return LAYERED
    if wanted == SNAPSHOT:
        _check_snapshots(place, manifest, store)
    if place.existing:
        return FILES
    if wanted == SNAPSHOT:
        return SNAPSHOT
    if not store.writable or wanted not in _SPARE_MODES:
        return FILES
    prewarmed = index.prewarmed(manifest)
    if prewarmed is not None and prewarmed.mode in _SPARE_MODES[wanted]:  # noqa: SIM102 - each line a look further
        if spares_of(store, manifest, prewarmed.mode):
            return SPARE
    if wanted == "auto":
        image = index.image(manifest)
        if image is not None and image.kind == "subvolume":
            return SNAPSHOT
    return FILES


def _check_snapshots(place: Place, manifest: str, store: Store) -> None:
    from wheelstore.materialize.subvolumes import SnapshotsUnsupported
    from wheelstore.store.btrfs import is_btrfs

    if sys.platform.startswith("linux") and not is_btrfs(store.root):
        image = f"{store.images}/{manifest}"
        raise SnapshotsUnsupported(image, place.path, "the store's filesystem is not btrfs")


def plan_for(form: str, manifest: str, lease: Lease) -> Plan | None:
    """The plan that the form takes, protected by the lease; None if it, or the image, is not there."""
    if form == LAYERED:
        return unpacked(lease.shape(manifest, LAYER, with_image=True))
    if form in (SNAPSHOT, SPARE):
        return unpacked(lease.shape(manifest, SHELL, with_image=form == SNAPSHOT))
    return unpacked(lease.plan(manifest))


def plan_before(place: Place, index: Index) -> Plan | None:
    """The plan of what the environment at `place` was when its state was written; None if that is not known."""
    state = place.state
    if state is None:
        return None
    if state.mode == LAYERED:
        return unpacked(index.shape(state.manifest, LAYER))
    return unpacked(index.manifest(state.manifest))


def unpacked(packed: bytes | None) -> Plan | None:
    """The plan that the index keeps for a manifest; None if there is none, or none that this version can read."""
    try:
        return unpack(packed) if packed else None
    except PlanDamaged:
        return None


def formed(goal: Goal, means: Means, wanted: str, *, anew: bool = False) -> Goal:
    """`goal`, whose plan is the long one, with the plan that the form of `means` takes.

    The image is made if need be; in any case, if everything is to be made `anew`.

    Raises:
        ImageMissing: the store is someone else's, and lacks it.
        StoreFull: there is no room for it.
    """
    if means.form == FILES:
        return goal
    anew = anew and means.store.writable
    plan = None if anew else plan_for(means.form, goal.manifest, means.lease)
    if plan is None and means.form in (LAYERED, SNAPSHOT):
        if not means.store.writable:
            raise ImageMissing(means.store.root, wanted)
        from wheelstore.cli.images import ensure_image

        ensure_image(goal, means, anew=anew)
        plan = plan_for(means.form, goal.manifest, means.lease)
    if plan is None:
        means.form = FILES
        return goal
    return goal._replace(plan=plan)


def beginning(place: str, goal: Goal, means: Means) -> Callable[[str], None]:
    """What makes the directory of an environment that will be at `place`, with what its form has in there already."""
    if means.form == SNAPSHOT:
        return lambda path: _snapshot(f"{means.store.images}/{goal.manifest}", path, place)
    if means.form == SPARE:
        return lambda path: _take(means, goal.manifest, path)
    return os.mkdir


def _snapshot(image: str, path: str, place: str) -> None:
    from wheelstore.materialize.subvolumes import SnapshotsUnsupported, snapshot_tree

    try:
        snapshot_tree(image, path)
    except SnapshotsUnsupported as error:
        raise FormUnavailable from SnapshotsUnsupported(image, place, error.reason)


def _take(means: Means, manifest: str, path: str) -> None:
    """Move a spare to `path`; the environment is then said to have the link mode that it was made in."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        os.makedirs(parent, exist_ok=True)
    row = means.index.prewarmed(manifest)
    try:
        if row is None or not take_spare(means.store, manifest, row.mode, path):
            raise FormUnavailable
    except OSError as error:  # on another filesystem, most of all
        raise FormUnavailable from error
    means.mode = row.mode  # type: ignore[assignment]
