"""Collect garbage: what no environment and no living operation needs, as far as the policy lets it go.

Liveness is counted (`schema`), so nothing is marked: rows that nobody needs go, their blobs' counts go down
(`index_releases`), and the files of the blobs that come to zero are swept (`sweep`). A kill in between costs nothing.
What can be found lying around is looked for first, so that a rehearsal, which moves no file, finds the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from wheelstore.store.claims import Claims, try_claim
from wheelstore.store.filelist import unpack
from wheelstore.store.index import Index
from wheelstore.store.index_bytecode import drop_dead_bytecode
from wheelstore.store.index_collection import IndexCollection, rehearsal_of
from wheelstore.store.index_ready import (
    drop_prewarmed,
    expired_prewarmed,
    stale_claims,
    unused_images,
)
from wheelstore.store.index_releases import STEP, Releases
from wheelstore.store.layout import Store
from wheelstore.store.lease import is_alive
from wheelstore.store.leftovers import Leftover, find_leftovers, remove_leftover
from wheelstore.store.pace import Pace
from wheelstore.store.policy import PREWARMED, Freed, Policy, Watch, unwatched
from wheelstore.store.ready import Ready
from wheelstore.store.records import drop_record
from wheelstore.store.roots import look
from wheelstore.store.sweep import Sweep
from wheelstore.store.tokens import drop_token
from wheelstore.store.vanished import Missing, RootUnknown, review

_LITTLE = 0.005  # seconds
_PAGES = 64  # of 16 KB, given back in one transaction
_LITTLE_BYTES = 1 << 20  # of file lists whose references a small collection counts down


def collect(
    store: Store,
    index: Index,
    policy: Policy,
    *,
    now: float,
    watch: Watch = unwatched,
    waiting: Callable[[int], None] | None = None,
) -> Freed:
    """Free what the policy lets go; `waiting` is for `Claims`, if another collection is under way.

    Raises:
        RootUnreadable, RootUnknown: it cannot be told what is needed; nothing was freed.
    """
    os.makedirs(store.locks, 0o700, exist_ok=True)
    with Claims(f"{store.locks}/{_LOCK}", [_WHOLE], waiting=waiting):
        return Collection(store=store, index=index, policy=policy, now=now, pace=Pace(), watch=watch).run()


def rehearse(store: Store, index: Index, policy: Policy, *, now: float, watch: Watch = unwatched) -> Freed:
    """What `collect` would free, found out on a copy of the index; nothing is changed.

    Raises:
        RootUnreadable, RootUnknown: as there.
    """
    with rehearsal_of(index) as copy:
        pace = Pace(rests=False)
        return Collection(store=store, index=copy, policy=policy, now=now, pace=pace, rehearses=True, watch=watch).run()


def collect_a_little(store: Store, index: Index, policy: Policy, *, now: float) -> Freed:
    """Free what can be freed in some 5 ms, looking at no environment; nothing, if another collection is under way."""
    pace = Pace(seconds=_LITTLE, rests=False)
    collection = Collection(store=store, index=index, policy=policy, now=now, pace=pace)
    descriptor = try_claim(f"{store.locks}/{_LOCK}", _WHOLE)
    if descriptor >= 0:
        try:
            collection.run_a_little()
        finally:
            os.close(descriptor)
    return collection.freed


_LOCK, _WHOLE = "gc", "0" * 64  # one claim, as on a wheel


def _is_open(store: Store) -> bool:
    """Whether the mode of the store's directory lets others in."""
    return os.name != "nt" and bool(os.stat(store.root).st_mode & (stat.S_IRGRP | stat.S_IROTH))


@dataclass(slots=True, kw_only=True)
class Collection:
    """One collection. With `rehearses`, `index` is a copy and no file is touched."""

    store: Store
    index: Index
    policy: Policy
    now: float
    pace: Pace
    rehearses: bool = False
    watch: Watch = unwatched
    freed: Freed = field(default_factory=Freed)
    _dropped: dict[str, int] = field(default_factory=dict)
    """As in `Ready`."""

    def run(self) -> Freed:
        """Collect.

        Raises:
            RootUnreadable, RootUnknown: it cannot be told what is needed; nothing was freed.
        """
        self._sql.prepare()
        self._roots()
        self._expire()
        self._leftovers()
        self._ready.spares()
        self._orphans()
        self._rows()
        self._over_size()
        self._release()
        self._sweep.condemned()
        self._records()
        self._bytecode()
        self._shrink()
        return self.freed

    def run_a_little(self) -> None:
        """Collect until the time is over. Whatever is registered counts as being there."""
        sql = self._sql
        sql.prepare()
        if sql.unplanned():
            return
        self._end_dead_leases()
        self._sweep.condemned()
        self._expire()
        self._leftovers()
        if sql.released_bytes() < _LITTLE_BYTES:
            self._rows()
            self._release()
            self._records()

    @property
    def _sql(self) -> IndexCollection:
        return IndexCollection(self.index)

    @property
    def _sweep(self) -> Sweep:
        return Sweep(
            store=self.store,
            index=self.index,
            pace=self.pace,
            rehearses=self.rehearses,
            watch=self.watch,
            freed=self.freed,
        )

    @property
    def _ready(self) -> Ready:
        return Ready(
            store=self.store,
            index=self.index,
            pace=self.pace,
            rehearses=self.rehearses,
            freed=self.freed,
            dropped=self._dropped,
        )

    def _shrink(self) -> None:
        """Give the disk what the index does not need any more, some pages at a time."""
        sql, left = self._sql, 0
        while not self.rehearses and (free := sql.free_pages()) and free != left:
            left = free
            with self.pace.turn(self.index):
                sql.give_back(_PAGES)

    # Roots

    def _roots(self) -> None:
        sql, index = self._sql, self.index
        rows = index.environments()
        self.watch("Looking at environments", 0, len(rows))
        found = review(
            rows,
            presence=lambda row: look(self.store, row),
            is_planned=sql.is_planned,
            now=self.now,
            grace=self.policy.grace,
        )
        if not sql.clock_is_settled(self.now):
            with index.writing():
                sql.settle_clock(self.now)
        self._end_dead_leases()
        news = [(one.row, one.since) for one in found.kept if one.row.missing != one.since]
        self.pace.each(index, news, lambda one: sql.mark_missing(*one))
        self.pace.each(index, found.returned, lambda row: sql.mark_missing(row, None))
        if found.unknown:  # only now, so that the time of those that are gone is not begun anew with each try
            raise RootUnknown(found.unknown[0].path)
        self.pace.each(index, found.expired, self._forget)
        self.freed.missing.extend(found.kept)

    def _end_dead_leases(self) -> None:
        dead = [one for one in self._sql.leases() if not is_alive(self.store, one, tidy=False)]
        self.pace.each(self.index, dead, self.index.drop_lease)

    def _forget(self, missing: Missing) -> None:
        if self._sql.forget(missing.row, missing.since):
            self.freed.environments.append(missing.row.path)

    def _expire(self) -> None:
        """Let go what was made ready and not used for long, and what environments that are no more were to become.

        Of a store that others may read it is not known what is used.
        """
        index = self.index
        if self.policy.older_than is not None and not _is_open(self.store):
            cutoff = self.now - max(self.policy.older_than, PREWARMED)
            expired = expired_prewarmed(index, cutoff)
            self.pace.each(index, expired, lambda manifest: drop_prewarmed(index, manifest, cutoff=cutoff))
        self.pace.each(index, stale_claims(index), index.disclaim_layers)

    # What lies around

    def _leftovers(self) -> None:
        found = find_leftovers(self.store)
        known = {row.id for row in self.index.environments()}
        for leftover in (*found.trash, *found.files, *found.locks):
            self._remove_leftover(leftover)
            if self.pace.is_over:
                return
        self._ready.leftovers(found.images)
        for name in found.tokens:
            if name not in known:
                self.freed.leftovers += 1
                if not self.rehearses:
                    drop_token(self.store, name)

    def _remove_leftover(self, leftover: Leftover) -> None:
        if self.rehearses or remove_leftover(self.store, leftover):
            self.freed.leftovers += 1
            self.freed.leftover_bytes += leftover.size

    def _orphans(self) -> None:
        """Files of an ingest that was killed between renaming them and committing their rows."""
        self.freed.unrecorded = self._unrecorded()
        if not self.freed.unrecorded:
            self._sweep.orphans()

    def _unrecorded(self) -> list[str]:
        """Wheels that have a record in the store and no row: then it is the index that lacks something."""
        try:
            recorded = set(os.listdir(self.store.records))
        except FileNotFoundError:
            return []
        there = {*self.index.sha256s(), *self._sql.dropped()}
        return sorted(name for name in recorded.difference(there) if len(name) == 64)

    # Rows

    def _rows(self) -> None:
        if self.policy.older_than is None:
            return
        sql, cutoff = self._sql, self.now - self.policy.older_than
        self.watch("Taking out what nobody needs", 0, 0)
        self._drop_pages(sql.old_generations(cutoff), lambda row: self._drop("generation", row, cutoff))
        for page in unused_images(self.index, cutoff):
            self._drop_images(page, cutoff)
        self._drop_pages(sql.unrooted(cutoff), lambda row: self._drop("manifest", row, cutoff))
        self._drop_pages(sql.unused(cutoff), lambda row: self._drop("wheel", row, cutoff))

    def _drop_images(self, rows: Sequence[Sequence[object]], cutoff: float) -> None:
        """Delete the rows of images that may still go, then remove their directories."""
        try:
            self.pace.each(self.index, rows, lambda row: self._ready.drop(str(row[0]), cutoff=cutoff))
            self._ready.clear()
        finally:
            self._ready.let_go()

    def _drop_pages(
        self, pages: Iterable[Sequence[Sequence[object]]], drop: Callable[[Sequence[object]], object]
    ) -> None:
        for page in pages:
            self.pace.each(self.index, page, drop)
            if self.pace.is_over:
                return

    def _drop(self, kind: str, identity: Sequence[object], cutoff: float) -> int:
        """Delete one row if it may still go; at most so many bytes of blobs are free then."""
        sql, freed = self._sql, self.freed
        if kind == "generation":
            freed.generations += sql.drop_generation(str(identity[0]), int(str(identity[1])), cutoff=cutoff)
            return 0
        if kind == "manifest":
            freed.manifests += sql.drop_manifest(str(identity[0]), cutoff=cutoff)
            return 0
        gone = sql.drop_wheel(int(str(identity[0])), cutoff=cutoff)
        if gone is None:
            return 0
        freed.wheels += 1
        return sum(file.size for file in unpack(gone)) if self.policy.max_size is not None else 0

    def _records(self) -> None:
        """Remove the records of the wheels that have gone for good: a kill before leaves records that the next finds.

        A record of a wheel that is there may not be missing, since it is what a lost index is made of.
        """
        dropped = self._sql.dropped()
        if dropped:
            self._sweep.make_durable()
            self.pace.each(self.index, dropped, self._remove_record)

    def _remove_record(self, sha256: str) -> None:
        if self._sql.may_forget(sha256) and not self.rehearses:
            drop_record(self.store, sha256)

    def _bytecode(self) -> None:
        """Forget what was compiled of modules that are gone, or to blobs that are; if any blob has gone just now."""
        page: tuple[bytes, str] | None = (b"", "")
        while page is not None and self.freed.blobs and not (self.rehearses or self.pace.is_over):
            with self.pace.turn(self.index):
                page, _ = drop_dead_bytecode(self.index, page)

    def _over_size(self) -> None:
        """Let go what was used least recently, until the rest is small enough or in use."""
        if self.policy.max_size is None:
            return
        while not self.pace.is_over:
            self._release()
            excess = self.index.blob_count()[1] + self.index.images_size() - self.policy.max_size
            if excess <= 0 or not self._evict(excess):
                return

    def _evict(self, excess: int) -> bool:
        """Let wheels go that may have `excess` bytes of their own, or one manifest; false if there is none to go."""
        before = self.freed.rows
        for one in self._sql.least_recently_used():
            if one.kind == "image":
                self._drop_images([one.identity], one.used)
                if self.freed.rows > before:
                    break
                continue
            with self.pace.turn(self.index):
                excess -= self._drop(one.kind, one.identity, one.used)
            if excess <= 0 or one.kind != "wheel":
                break
        return self.freed.rows > before

    def _release(self) -> None:
        if not self._sql.released_bytes():
            return
        releases = Releases(self.index)
        total, done, left = releases.begin(), 0, True
        while left and not self.pace.is_over:
            self.watch("Counting references", min(done, total), total)
            with self.pace.turn(self.index) as turn:
                while (left := releases.step()) and not turn.is_over:
                    done += STEP
