"""Take files out of ``blobs/``: those of condemned blobs, and those that no row is about.

A file moves into ``trash/`` under the index's write lock, where nobody can be about to rely on it, and is unlinked
outside, which may take long. Files are moved only when the deletion of their rows would survive a loss of power, since
a row without its file is the one thing that must never be.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from wheelstore.store.blobs import blob_key, blob_name
from wheelstore.store.durable import flush_index
from wheelstore.store.index import Index
from wheelstore.store.index_collection import IndexCollection
from wheelstore.store.layout import Store
from wheelstore.store.leftovers import remove
from wheelstore.store.pace import Pace
from wheelstore.store.policy import Freed, Watch

_FILES_AT_ONCE = 256
_BREATH = 0.01  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What a `Collection` does with files, and adds to what is `freed`."""

    store: Store
    index: Index
    pace: Pace
    rehearses: bool
    watch: Watch
    freed: Freed

    def condemned(self) -> None:
        """Remove the files of what is condemned."""
        total, done = IndexCollection(self.index).condemned_count(), 0
        if not total:
            return
        self.make_durable()
        while done < total and not self.pace.is_over:
            self.watch("Removing files", done, total)
            removed: list[str] = []
            swept = self._sweep_some(removed)
            self._unlink(removed)
            if not swept:
                return
            done += swept

    def _sweep_some(self, removed: list[str]) -> int:
        """Move some files away and forget that they are condemned; how many. Their new paths go into `removed`."""
        with self.pace.turn(self.index) as turn:
            condemned = IndexCollection(self.index).condemned(_FILES_AT_ONCE)
            for count, (key, size) in enumerate(condemned, 1):  # noqa: B007 - counts what was done
                if not self.rehearses:
                    self._into_trash(blob_name(key), removed)
                self.freed.blobs += 1
                self.freed.blob_bytes += size
                if turn.is_over:
                    break
            if not condemned:
                return 0
            IndexCollection(self.index).drop_condemned(condemned[0][0], condemned[count - 1][0])
        return count

    def _into_trash(self, name: str, removed: list[str]) -> None:
        target = f"{self.store.trash}/{name.replace('/', '')}"
        try:
            os.rename(f"{self.store.blobs}/{name}", target)
        except FileNotFoundError:
            if os.path.isdir(self.store.trash):  # gone already, by a collection that was killed here
                return
            os.makedirs(self.store.trash, 0o755, exist_ok=True)  # it looks like something to be deleted
            self._into_trash(name, removed)
            return
        removed.append(target)

    def make_durable(self) -> None:
        """Wait until the rows' deletion is on the disk: it is in the log, or in the database since the last time."""
        if not self.rehearses:
            flush_index(self.store.index_path)

    def orphans(self) -> None:
        """Remove the files that no row is about: no process can be between the two when the lock is free."""
        for shard in range(256):
            self.watch("Looking for files without an owner", shard, 256)
            suspects = self._suspects(shard)
            if suspects:
                removed: list[str] = []
                self.pace.each(self.index, suspects, partial(self._remove_orphan, removed))
                self._unlink(removed)

    def _suspects(self, shard: int) -> list[str]:
        directory = f"{shard:02x}"
        try:
            there = {f"{directory}/{name}" for name in os.listdir(f"{self.store.blobs}/{directory}")}
        except FileNotFoundError:
            return []
        if there:
            after = bytes([shard + 1]) if shard < 255 else b"\xff" * 34
            there.difference_update(map(blob_name, IndexCollection(self.index).blobs_between(bytes([shard]), after)))
        return sorted(there)

    def _remove_orphan(self, removed: list[str], name: str) -> None:
        path = f"{self.store.blobs}/{name}"
        try:
            key, size = blob_key(name), os.lstat(path).st_size
        except (ValueError, FileNotFoundError):  # not a blob's name: not ours to judge
            return
        if IndexCollection(self.index).has_blob(key):
            return
        self.freed.orphans += 1
        self.freed.orphan_bytes += size
        if not self.rehearses:
            self._into_trash(name, removed)

    def _unlink(self, paths: Iterable[str]) -> None:
        """Unlink files outside of any lock; it keeps the filesystem's journal busy, so others get a turn after it."""
        begun = time.perf_counter()
        for path in paths:
            remove(path)
        self.pace.rest(min(time.perf_counter() - begun, _BREATH))
