"""Spares: trees that hold all links of a manifest, made ahead of the environments that they become by one rename.

``spares/<manifest>/<link mode>-<chance>`` is complete and on the disk when it has that name. A spare is whoever's moves
it away first. It is nobody's environment, and so no root: what wants spares is the manifest's `prewarmed` row, and what
is there without one, or beyond its number, can go.
"""

from __future__ import annotations

import os

from wheelstore.materialize.plan import pack, unpack
from wheelstore.materialize.shapes import SHELL, can_be_completed, image_of, shell_of
from wheelstore.materialize.tree import Tree
from wheelstore.store.claims import Claims
from wheelstore.store.durable import flush
from wheelstore.store.umask import open_to_readers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheelstore.materialize.plan import Plan
    from wheelstore.store.index import Index, PrewarmedRow
    from wheelstore.store.layout import Store
    from wheelstore.store.lease import Lease


def spares_of(store: Store, manifest: str, mode: str) -> list[str]:
    """The paths of the spares that are ready in this link mode."""
    directory = f"{store.spares}/{manifest}"
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return [f"{directory}/{name}" for name in names if name.startswith(f"{mode}-")]


def take_spare(store: Store, manifest: str, mode: str, path: str) -> bool:
    """Move a spare to `path`; false if there is none left.

    Raises:
        OSError: it cannot be moved there, for one to another filesystem.
    """
    for spare in spares_of(store, manifest, mode):
        try:
            os.rename(spare, path)
        except FileNotFoundError:
            if not os.path.isdir(os.path.dirname(path)):
                raise
            continue  # it is somebody else's by now
        return True
    return False


class Filling(Claims):
    """A context in which no other process makes or discards spares of a manifest."""

    def __init__(self, store: Store, manifest: str, *, waiting: Callable[[int], None] | None = None) -> None:
        super().__init__(f"{store.locks}/spares", [manifest], waiting=waiting)


def fill(
    store: Store, index: Index, lease: Lease, row: PrewarmedRow, *, waiting: Callable[[int], None] | None = None
) -> int:
    """Let there be as many spares of a manifest as are wanted of it; how many were made.

    What counts is the row that there is when it is this process's turn. What is too many, or of another link mode than
    is wanted now, goes into the trash. The `lease` protects the manifest from here on, and no other.

    Raises:
        BlobUnusable: a file that they are made of is missing or was changed.
        OSError: there is no room, or the like.
    """
    os.makedirs(store.locks, 0o700, exist_ok=True)
    with Filling(store, row.manifest, waiting=waiting):
        packed = lease.plan(row.manifest)
        wanted = index.prewarmed(row.manifest)
        if packed is None or wanted is None:
            return 0
        ready = spares_of(store, row.manifest, wanted.mode)
        discard(store, [*_others(store, row.manifest, ready), *ready[wanted.spares :]])
        missing = wanted.spares - len(ready)
        if missing <= 0:
            return 0
        plan = unpack(packed)
        if not can_be_completed(plan):
            return 0
        if index.shape(row.manifest, SHELL) is None:
            with index.writing():
                index.put_shape(row.manifest, SHELL, pack(shell_of(plan)))
        directory = lease.directory
        with open_to_readers():  # what they become is for the umask of whoever takes them to say
            built = [_build(plan, f"{directory}/{_chance()}", lease.blobs, wanted.mode) for _ in range(missing)]
            flush(directory)
            return _publish(built, wanted, store, index)


def discard(store: Store, spares: Iterable[str]) -> list[str]:
    """Move spares into the trash; their paths there. Those that are gone are somebody's."""
    discarded = []
    for spare in spares:
        target = f"{store.trash}/spare-{_chance()}"
        try:
            os.rename(spare, target)
        except FileNotFoundError:
            if os.path.isdir(store.trash):
                continue
            os.makedirs(store.trash, 0o755, exist_ok=True)
            os.rename(spare, target)
        discarded.append(target)
    return discarded


def _chance() -> str:
    return os.urandom(8).hex()


def all_spares(store: Store, manifest: str) -> list[str]:
    """The paths of all spares of a manifest, in whatever mode."""
    return _others(store, manifest, [])


def _others(store: Store, manifest: str, known: list[str]) -> list[str]:
    directory = f"{store.spares}/{manifest}"
    try:
        return [path for name in os.listdir(directory) if (path := f"{directory}/{name}") not in known]
    except FileNotFoundError:
        return []


def _build(plan: Plan, directory: str, blobs: str, mode: str) -> str:
    """A tree of all links; as an environment's directories, its own can be written to."""
    os.makedirs(os.path.dirname(directory), 0o700, exist_ok=True)
    os.mkdir(directory)
    tree = Tree(root=directory, final=directory, blobs=blobs, mode=mode, python="")  # type: ignore[arg-type]
    tree.create(image_of(plan), "", processes=os.cpu_count() or 1)
    return directory


def _publish(built: list[str], wanted: PrewarmedRow, store: Store, index: Index) -> int:
    """Give spares their names, in a transaction in which they are wanted: whoever drops the row sees them all."""
    directory = f"{store.spares}/{wanted.manifest}"
    with index.writing():
        row = index.prewarmed(wanted.manifest)
        if row is None or row.mode != wanted.mode:
            return 0
        os.makedirs(directory, 0o755, exist_ok=True)
        for spare in built:
            os.rename(spare, f"{directory}/{wanted.mode}-{_chance()}")
    return len(built)
