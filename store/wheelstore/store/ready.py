"""Take images and spares out of the store: moved into ``trash/`` under the index's write lock, emptied outside of it.

The order is that of blobs: the deletion of an image's row is on the disk before the directory moves. Between the two
there is a directory without a row, which nobody uses: who asks the index finds no image, and who makes it anew puts
this one away (`materialize.image.publish_image`). The other order would leave, after a power cut, a row whose directory
may be half empty, which nobody could tell without looking at every file.

Whoever only reads the store has no lease in it. What they use is locked: a shared `flock` on the image's directory,
which keeps it where it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from wheelstore.store.btrfs import is_subvolume, set_read_only
from wheelstore.store.claims import claim_tree
from wheelstore.store.durable import flush_index
from wheelstore.store.index import Index
from wheelstore.store.index_ready import drop_image, is_anybodys_image, wanted_spares
from wheelstore.store.layout import Store
from wheelstore.store.leftovers import remove
from wheelstore.store.pace import Pace
from wheelstore.store.policy import Freed


def all_spares(store: Store) -> tuple[int, int]:
    """How many spares there are, and the bytes that they take up and no blob has."""
    found = [
        f"{store.spares}/{one}/{name}" for one in names_in(store.spares) for name in names_in(f"{store.spares}/{one}")
    ]
    return len(found), sum(map(own_size, found))


def drop_idle(store: Store, index: Index, manifest: str) -> bool:
    """Remove the image of a manifest, if nobody needs it; whether it went."""
    ready = _ready(store, index)
    try:
        with index.writing():
            ready.drop(manifest, cutoff=float("inf"))
        ready.clear()
    finally:
        ready.let_go()
    return bool(ready.freed.images)


def drop_stranger(store: Store, index: Index, name: str) -> None:
    """Remove what is called like an image and is none."""
    _ready(store, index).leftovers([name])


def drop_spare(store: Store, index: Index, manifest: str, name: str) -> None:
    """Remove a spare, unless it is somebody's by now."""
    _ready(store, index).discard(f"{store.spares}/{manifest}/{name}", lambda: False)


def _ready(store: Store, index: Index) -> Ready:
    return Ready(store=store, index=index, pace=Pace(rests=False), rehearses=False, freed=Freed(), dropped={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What a `Collection` does with images and spares, and adds to what is `freed`.

    `dropped` are the images whose rows it has deleted, each with the lock on its directory: it is held from before the
    deletion until after the move, so that a reader finds it locked, or no row.
    """

    store: Store
    index: Index
    pace: Pace
    rehearses: bool
    freed: Freed
    dropped: dict[str, int]

    def drop(self, manifest: str, *, cutoff: float) -> None:
        """Delete an image's row if it may go; inside `Index.writing`. `clear` moves the directory."""
        try:
            claim = claim_tree(f"{self.store.images}/{manifest}")
        except BlockingIOError:
            return
        row = drop_image(self.index, manifest, cutoff=cutoff)
        if row is None or self.rehearses:
            _let_go(claim)
        else:
            self.dropped[manifest] = claim
        if row is not None:
            self.freed.images += 1
            self.freed.image_bytes += row.size

    def clear(self) -> None:
        """Remove the directories of the images that were dropped."""
        if self.dropped:
            flush_index(self.store.index_path)
        for name in [*self.dropped]:
            self.discard(f"{self.store.images}/{name}", partial(is_anybodys_image, self.index, name))
            _let_go(self.dropped.pop(name))

    def let_go(self) -> None:
        """Leave what was dropped and not cleared to the next collection."""
        while self.dropped:
            _let_go(self.dropped.popitem()[1])

    def leftovers(self, names: Iterable[str]) -> None:
        """Remove what is called like an image and is none: of a process that was killed before its row, or after it."""
        strangers = [name for name in names if not is_anybodys_image(self.index, name)]
        if strangers and not self.rehearses:
            flush_index(self.store.index_path)
        for name in strangers:
            path = f"{self.store.images}/{name}"
            try:
                claim = claim_tree(path)
            except BlockingIOError:
                continue
            try:
                size = own_size(path)
                if self.discard(path, partial(is_anybodys_image, self.index, name)):
                    self.freed.leftovers += 1
                    self.freed.leftover_bytes += size
            finally:
                _let_go(claim)
            if self.pace.is_over:
                return

    def spares(self) -> None:
        """Remove the spares that nobody wants, that there are too many of, or that are of another link mode."""
        for manifest in names_in(self.store.spares):
            directory = f"{self.store.spares}/{manifest}"
            for name in self._excess(manifest):
                size = own_size(f"{directory}/{name}")
                if self.discard(f"{directory}/{name}", partial(self._is_wanted, manifest, name)):
                    self.freed.spares += 1
                    self.freed.spare_bytes += size
            if not self.rehearses and wanted_spares(self.index, manifest) is None:
                with suppress(OSError):  # not empty: somebody has just said that there shall be some
                    os.rmdir(directory)

    def _excess(self, manifest: str) -> list[str]:
        there, wanted = names_in(f"{self.store.spares}/{manifest}"), wanted_spares(self.index, manifest)
        if wanted is None:
            return there
        mode, count = wanted
        fitting = [name for name in there if name.startswith(f"{mode}-")]  # as `materialize.spares` names them
        return [*(name for name in there if name not in fitting), *fitting[count:]]

    def _is_wanted(self, manifest: str, name: str) -> bool:
        return name not in self._excess(manifest)

    def discard(self, path: str, is_wanted: Callable[[], bool]) -> bool:
        """Remove a directory, unless it `is_wanted`; whether it went, or would have."""
        if self.rehearses:
            return not is_wanted()
        with self.pace.turn(self.index):
            moved = None if is_wanted() else move_to_trash(self.store, path)
        if moved is not None:
            self._empty(moved)
        return moved is not None

    def _empty(self, path: str) -> None:
        """Remove what is in the trash now; a short collection leaves that to the next."""
        if not self.pace.is_short:
            begun = time.perf_counter()
            remove(path)
            self.pace.rest(time.perf_counter() - begun)


def _let_go(claim: int) -> None:
    if claim >= 0:
        os.close(claim)


def move_to_trash(store: Store, path: str) -> str | None:
    """Move an image or a spare into the trash; where it is then, None if it was not there. Inside `Index.writing`."""
    target = f"{store.trash}/{os.path.basename(path)[:16]}-{os.urandom(6).hex()}"
    os.makedirs(store.trash, 0o755, exist_ok=True)
    if is_subvolume(path):  # one that is read-only cannot be moved
        set_read_only(path, read_only=False)
    try:
        os.rename(path, target)
    except FileNotFoundError:
        return None
    return target


def own_size(path: str) -> int:
    """What a tree takes up that no blob does: its directories, as far as nobody takes them meanwhile."""
    size = 0
    for directory, _, _ in os.walk(path):
        with suppress(FileNotFoundError):
            size += os.lstat(directory).st_size
    return size


def names_in(directory: str) -> list[str]:
    """What is in a directory; nothing in one that is not there."""
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
