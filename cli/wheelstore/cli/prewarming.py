"""`store prewarm`: everything that locks mean is ready, and is kept so: wheels, plans, bytecode, an image, spares.

What a later command looks for is told apart by manifest: a sync that says nothing of bytecode asks for the one without
it, a layered one and `store run` for the one with. So there are two, unless an option says which.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations

from wheelstore.cli.afterwards import afterwards
from wheelstore.cli.answering import Answering, source_of
from wheelstore.cli.answers import answer_key, asked_bytecode
from wheelstore.cli.console import Console, write_json
from wheelstore.cli.environments import by, link_mode
from wheelstore.cli.fetching import StoreFull
from wheelstore.cli.forms import LAYERED
from wheelstore.cli.images import ensure_image
from wheelstore.cli.interpreters import find, memory_of
from wheelstore.cli.locks import LockUnreadable, read_files
from wheelstore.cli.registering import Goal, Means
from wheelstore.cli.request import SyncRequest
from wheelstore.cli.summary import counted, duration
from wheelstore.materialize.image import SUBVOLUME
from wheelstore.materialize.manifest import bytecode_word, manifest_identity
from wheelstore.materialize.spares import Filling, all_spares, discard, fill, spares_of
from wheelstore.store.errors import StoreError
from wheelstore.store.index import Index, PrewarmedRow, open_index
from wheelstore.store.layout import Store, open_store
from wheelstore.store.lease import Lease
from wheelstore.store.leftovers import Leftover, remove_leftover

_LEVELS = (0, 1, 2)


class NotOurs(StoreError):
    """Only the owner of a store keeps things ready in it."""

    hint = "ask its owner to, or use a store of your own with --store"

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.root = root

    def __str__(self) -> str:
        return f"the store {self.root} is read-only here, so nothing can be made ready in it"


class NotThereAnyMore(StoreError):
    """What was made was collected before it was kept."""

    hint = "run the same command again"

    def __str__(self) -> str:
        return "another command took what was made ready out of the store just now"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrewarmRequest:
    """The options of `store prewarm`; None of `spares` and `link_mode` is what was said last, or none and the best."""

    sync: SyncRequest
    spares: int | None = None
    link_mode: str | None = None
    drop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What is ready of a manifest, of whose spares some were `made` just now."""

    goal: Goal
    image: str | None
    mode: str
    spares: int
    made: int


def run_prewarm(request: PrewarmRequest, *, started: float, environ: Mapping[str, str] = os.environ) -> None:
    """Make ready, or keep ready no more, and report on it.

    Raises:
        StoreError, ResolveError: what the user has to know.
    """
    sync = request.sync
    console = Console(quiet=sync.quiet or int(sync.json), verbose=sync.verbose)
    store = open_store(sync.store)
    if not store.writable:
        raise NotOurs(store.root)
    with open_index(store.index_path) as index, Lease(store, index, now=time.time()) as lease:
        if request.drop:
            dropped = _drop(request, store, index, environ)
            ready = []
        else:
            answering = Answering.to(sync, store=store, index=index, lease=lease, console=console, environ=environ)
            # What syncs without a word ask for, then what layered ones do; the same, if an option says what.
            words = [*dict.fromkeys((asked_bytecode(sync), asked_bytecode(sync, unsaid=True)))]
            making = _Making(request, store, index, lease, console)
            ready, dropped = making.all(answering, words), 0
    afterwards(lambda: _empty_trash(store))
    seconds = time.perf_counter() - started
    if sync.json:
        write_json(_as_json(request, ready, dropped, seconds))
    elif request.drop:
        console.say(f"{counted(dropped, 'environment')} kept ready no more" if dropped else "Nothing was kept ready")
    else:
        packages = counted(len(ready[0].goal.plan.distributions), "package")
        console.say(f"Prewarmed {packages} in {duration(seconds)}: {_told(ready)}")


@dataclass(frozen=True, slots=True)
class _Making:
    request: PrewarmRequest
    store: Store
    index: Index
    lease: Lease
    console: Console

    def all(self, answering: Answering, words: Sequence[str]) -> list[Ready]:
        """Make ready what the locks mean with the bytecode `words`: spares of the first, an image of the last.

        One after the other, as the lease protects but one manifest: the first is kept for good before the next is made.
        """
        ready: list[Ready] = []
        for word in reversed(words):  # where images are cheap, and syncs take them, the first has one, too
            one = partial(
                self._one,
                with_image=not ready or ready[0].image == SUBVOLUME,
                with_spares=word == words[0],
            )
            ready.append(answering.answer([word], lambda goals, one=one: one(goals[0])))  # type: ignore[misc]
        return ready[::-1]

    def _one(self, goal: Goal, *, with_image: bool, with_spares: bool) -> Ready:
        store, index, now = self.store, self.index, time.time()
        if self.lease.plan(goal.manifest) is None:
            raise NotThereAnyMore
        best = link_mode(store, index, self.lease, "auto", f"{store.spares}/{goal.manifest}")
        asked = self.request.link_mode
        with index.writing():
            before = index.prewarmed(goal.manifest)
            spares = before.spares if before is not None else 0
            if with_spares and self.request.spares is not None:
                spares = self.request.spares
            mode = before.mode if before is not None and asked is None else best if asked in (None, "auto") else asked
            row = PrewarmedRow(goal.manifest, spares, mode, goal.source, now)
            index.put_prewarmed(row)
        if with_image:
            ensure_image(goal, Means(store, index, self.lease, best, now, form=LAYERED, say=self.console.say))
        made = self._fill(row)
        image = index.image(goal.manifest)
        there = len(spares_of(store, goal.manifest, mode))
        return Ready(goal=goal, image=image and image.kind, mode=mode, spares=there, made=made)

    def _fill(self, row: PrewarmedRow) -> int:
        try:
            return fill(self.store, self.index, self.lease, row, waiting=self._say_waiting)
        except OSError as error:
            doing = f"make spares in the store {self.store.root}"
            raise StoreFull(doing, error.strerror or str(error)) from error

    def _say_waiting(self, process: int) -> None:
        self.console.say(f"Waiting for another store command{by(process)} that makes the same spares")


def _drop(request: PrewarmRequest, store: Store, index: Index, environ: Mapping[str, str]) -> int:
    """Keep ready no more what the locks mean, and what they meant before they were changed; how many manifests."""
    sync = request.sync
    interpreter, _ = find(sync.python, memory_of(store, index), environ)
    rows = {row.manifest: row for row in index.all_prewarmed()}
    named = "-" not in sync.locks  # else it came from anywhere
    wanted = {manifest for manifest, row in rows.items() if named and row.source == source_of(sync)}
    with suppress(LockUnreadable):  # it may be gone
        files = read_files(sync.locks).files
        for levels in chain.from_iterable(combinations(_LEVELS, count) for count in range(len(_LEVELS) + 1)):
            for hashed in (False, True):
                word, identity = bytecode_word(levels), interpreter.identity
                answer = index.answer(answer_key(files, identity=identity, require_hashes=hashed, bytecode=word))
                wanted |= {answer.manifest} if answer is not None else set()
    dropped = 0
    os.makedirs(store.locks, 0o700, exist_ok=True)
    for manifest in sorted(wanted & rows.keys()):
        content = index.manifest_content(manifest)
        if content is not None and manifest_identity(content) != interpreter.identity:
            continue
        with Filling(store, manifest):
            with index.writing():
                index.drop_prewarmed(manifest)
            discard(store, all_spares(store, manifest))
            with suppress(OSError):
                os.rmdir(f"{store.spares}/{manifest}")
        dropped += 1
    return dropped


def _empty_trash(store: Store) -> None:
    """Remove spares that were discarded; what somebody else is at is left to them."""
    with suppress(OSError):
        for name in os.listdir(store.trash):
            if name.startswith("spare-"):
                remove_leftover(store, Leftover(f"{store.trash}/{name}", 0))


def _told(ready: Sequence[Ready]) -> str:
    spares, made = sum(one.spares for one in ready), sum(one.made for one in ready)
    images = sum(one.image is not None for one in ready)
    told = ["an image" if images == 1 else counted(images, "image")]
    if spares:
        told.append(f"{counted(spares, 'spare')} ({made} new)" if made else counted(spares, "spare"))
    return ", ".join(told)


def _as_json(request: PrewarmRequest, ready: Sequence[Ready], dropped: int, seconds: float) -> dict[str, object]:
    found: dict[str, object] = {"dropped": dropped} if request.drop else {}
    if ready:
        found |= {"python": ready[0].goal.interpreter.version, "packages": len(ready[0].goal.plan.distributions)}
        found["ready"] = [
            {
                "manifest": one.goal.manifest,
                "bytecode": one.goal.bytecode,
                "image": one.image,
                "link_mode": one.mode,
                "spares": one.spares,
                "made": one.made,
            }
            for one in ready
        ]
    return {**found, "seconds": round(seconds, 4)}
