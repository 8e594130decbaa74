"""An image: the merged tree of a plan, built once in the store, that many environments look into or are snapshots of.

A tree and no union of wheels' directories, because extension modules find each other's libraries by paths relative to
their own (``$ORIGIN/../../nvidia/…``). On btrfs it is a subvolume of clones, which can be snapshot; elsewhere a
directory of hardlinks, which costs its directories only.
"""

from __future__ import annotations

import os

from wheelstore.materialize.fresh import exchange
from wheelstore.materialize.shapes import image_of
from wheelstore.materialize.tree import Tree
from wheelstore.store.btrfs import create_subvolume, is_btrfs, set_read_only
from wheelstore.store.durable import flush, flush_names
from wheelstore.store.index import ImageRow
from wheelstore.store.leftovers import remove
from wheelstore.store.ready import move_to_trash
from wheelstore.store.umask import open_to_readers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wheelstore.materialize.plan import Plan
    from wheelstore.store.index import Index
    from wheelstore.store.layout import Store
    from wheelstore.store.lease import Lease

SUBVOLUME, DIRECTORY = "subvolume", "directory"
"""The kinds of images."""

_SEALED = 0o555  # of directories: nothing comes in by accident, such as the bytecode of an interpreter


class BuiltImage:
    """An image that is built, in `directory` beside where it will be, and not published yet."""

    __slots__ = ("directory", "kind", "size")

    def __init__(self, directory: str, kind: str, size: int) -> None:
        self.directory, self.kind, self.size = directory, kind, size


def build_image(plan: Plan, directory: str, *, blobs: str) -> BuiltImage:
    """Build the image of `plan` in `directory`, which is made, and is in the store's `images`; it is on the disk then.

    Raises:
        BlobUnusable: a blob is missing or was changed.
        OSError: the disk is full, or the like.
    """
    with open_to_readers():
        kind, size = _build(plan, directory, blobs)
    flush(directory)
    if kind == SUBVOLUME:  # which can only be renamed in its own directory from here on
        set_read_only(directory, read_only=True)
    return BuiltImage(directory, kind, size)


def _build(plan: Plan, directory: str, blobs: str) -> tuple[str, int]:
    kind = DIRECTORY
    if is_btrfs(os.path.dirname(directory)):
        create_subvolume(directory)
        kind = SUBVOLUME
    else:
        os.mkdir(directory)
    content = image_of(plan)
    mode = "clone" if kind == SUBVOLUME else "hardlink"
    tree = Tree(root=directory, final=directory, blobs=blobs, mode=mode, python="")  # type: ignore[arg-type]
    tree.create(content, "", processes=os.cpu_count() or 1)
    size = 0
    for name in content.directories:
        size += os.stat(f"{directory}/{name}").st_size
        if name and kind == DIRECTORY:  # a directory that cannot be written to cannot be moved, so not the top
            os.chmod(f"{directory}/{name}", _SEALED)
    return kind, size


def make_image(
    plan: Plan, manifest: str, *, store: Store, index: Index, lease: Lease, now: float, replace: bool
) -> None:
    """Build the image of `plan` beside its place and put it there, or into the place of another (`replace`).

    The `lease` is on the manifest; the claim that keeps others from making the same is the caller's.

    Raises:
        BlobUnusable: a blob is missing or was changed.
        OSError: the disk is full, or the like; what was there is there.
    """
    directory = f"{store.images}/{manifest}.{lease.id}"
    try:
        built = build_image(plan, directory, blobs=lease.blobs)
        with index.writing():
            put = replace_image if replace else publish_image
            put(built, manifest, store=store, index=index, now=now)
    finally:
        if os.path.lexists(directory):
            remove(directory)


def publish_image(built: BuiltImage, manifest: str, *, store: Store, index: Index, now: float) -> bool:
    """Give an image its place and its row, inside `Index.writing`; false if another one has it already.

    What is there without a row is of a process that was killed between the two, or of a disk that lost one: it goes.
    """
    place = f"{store.images}/{manifest}"
    if index.image(manifest) is not None and os.path.isdir(place):
        return False
    move_to_trash(store, place)
    os.rename(built.directory, place)
    flush_names(store.images)
    index.put_image(ImageRow(manifest, built.kind, built.size, now, now))
    return True


def replace_image(built: BuiltImage, manifest: str, *, store: Store, index: Index, now: float) -> None:
    """Put an image into the place of one that is damaged, or gone, inside `Index.writing`.

    In one step, where the system has one: environments look into it. The other is where the new one was built then, for
    the caller to remove.
    """
    place = f"{store.images}/{manifest}"
    before = index.image(manifest)
    if not (os.path.lexists(place) and exchange(built.directory, place)):
        move_to_trash(store, place)
        os.rename(built.directory, place)
    flush_names(store.images)
    index.put_image(ImageRow(manifest, built.kind, built.size, now, now if before is None else before.used))
