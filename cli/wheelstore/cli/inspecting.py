"""Images and spares in `store verify`: held to their plans, and made anew where they are not what these say."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from wheelstore.cli.affected import is_there
from wheelstore.materialize.image import make_image
from wheelstore.materialize.image_audit import SPARE, Flaw, audit_tree
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.plan import PlanDamaged, unpack
from wheelstore.store.claims import Claims, claim_directory
from wheelstore.store.index import Index
from wheelstore.store.index_collection import IndexCollection
from wheelstore.store.index_ready import is_idle
from wheelstore.store.layout import Store
from wheelstore.store.lease import Lease
from wheelstore.store.ready import drop_idle, drop_spare, drop_stranger, names_in
from wheelstore.store.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class BadTree:
    """The image of a manifest, or the spare `name` of it, that is not what the plan says.

    `environments` are the paths of those that look into it.
    """

    manifest: str
    name: str
    flaws: tuple[Flaw, ...]
    environments: tuple[str, ...]

    @property
    def what(self) -> str:
        """How reports call it."""
        return f"spare {self.name} of {self.manifest}" if self.name else f"image {self.manifest}"


@dataclass(frozen=True, slots=True)
class _Tree:
    manifest: str
    name: str
    kind: str

    def root(self, store: Store) -> str:
        """Where it is."""
        return f"{store.spares}/{self.manifest}/{self.name}" if self.name else f"{store.images}/{self.manifest}"


def inspect(
    store: Store, index: Index, workers: Workers | None, bad: Collection[str], *, only: Collection[str] | None = None
) -> list[BadTree]:
    """Hold every image and spare to its plan, or those of the manifests `only`; `bad` are damaged blobs, by name.

    What looks wrong is looked at again by this process, since commands may have taken or made it meanwhile.
    """
    trees = [tree for tree in _trees(store, index) if only is None or tree.manifest in only]
    names = frozenset(bad)
    if workers is not None:
        pending = [
            workers.submit(
                audit_tree, tree.root(store), index.manifest(tree.manifest), tree.kind, blobs=store.blobs, bad=names
            )
            for tree in trees
        ]
        trees = [tree for tree, result in zip(trees, pending, strict=True) if result.result()]
    found = []
    for tree in trees:
        flaws = audit_tree(tree.root(store), index.manifest(tree.manifest), tree.kind, blobs=store.blobs, bad=names)
        if flaws and _is_still_there(tree, store, index):
            environments = () if tree.name else tuple(_lookers(index, tree.manifest))
            found.append(BadTree(manifest=tree.manifest, name=tree.name, flaws=tuple(flaws), environments=environments))
    return found


def _trees(store: Store, index: Index) -> Iterator[_Tree]:
    for row in index.images():
        yield _Tree(row.manifest, "", row.kind)
    for manifest in names_in(store.spares):
        for name in names_in(f"{store.spares}/{manifest}"):
            yield _Tree(manifest, name, SPARE)


def _is_still_there(tree: _Tree, store: Store, index: Index) -> bool:
    return os.path.isdir(tree.root(store)) if tree.name else index.image(tree.manifest) is not None


def _lookers(index: Index, manifest: str) -> Iterator[str]:
    for row in index.environments():
        if row.manifest == manifest and row.mode == "layered" and is_there(row):
            yield row.path


def strange_images(store: Store, index: Index) -> list[str]:
    """What is called like an image and has no row; nothing, if the index has lost what environments consist of."""
    if IndexCollection(index).unplanned():
        return []
    return [name for name in names_in(store.images) if "." not in name and index.image(name) is None]


def remove_strange(store: Store, index: Index, names: Collection[str]) -> None:
    """Remove what `strange_images` has found, unless it has become an image."""
    for name in names:
        drop_stranger(store, index, name)


def mend(tree: BadTree, store: Store, index: Index, lease: Lease, *, now: float) -> None:
    """Take it away, if nobody needs it; else make it anew beside, and let the two change places.

    The `lease` protects its manifest from here on, and no other. Where nothing but a reader's lock keeps it, it is left
    alone: the lock stays with the directory, so nothing would keep the new one.

    Raises:
        InUse: a reader keeps it, and nothing else does.
        BlobUnusable, PlanDamaged, OSError: it cannot be made; it is as it was.
    """
    if tree.name:
        drop_spare(store, index, tree.manifest, tree.name)
        return
    if drop_idle(store, index, tree.manifest):
        return
    if is_idle(index, tree.manifest) and _is_locked(f"{store.images}/{tree.manifest}"):
        raise InUse
    os.makedirs(store.locks, 0o700, exist_ok=True)
    with Claims(f"{store.locks}/images", [tree.manifest]):
        packed = lease.plan(tree.manifest)
        if packed is None or index.image(tree.manifest) is None:
            return
        make_image(unpack(packed), tree.manifest, store=store, index=index, lease=lease, now=now, replace=True)


def _is_locked(image: str) -> bool:
    try:
        os.close(claim_directory(image))
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


class InUse(Exception):
    """A command of someone who only reads the store has an image in front of it."""

    def __str__(self) -> str:
        return "it is in use, by a command of somebody who reads this store; when that has ended, try again"


UNMENDABLE = (InUse, BlobUnusable, PlanDamaged, OSError)
