"""`store gc`: free what nobody needs, and say what that was."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from wheelstore.cli.console import Console, write_json
from wheelstore.cli.summary import counted, duration, size_text
from wheelstore.materialize.fresh import FreshEnvironment
from wheelstore.materialize.spares import fill
from wheelstore.resolve.facts import Facts
from wheelstore.store.collection import collect, rehearse
from wheelstore.store.errors import StoreError
from wheelstore.store.index import EnvironmentRow, open_index
from wheelstore.store.layout import Store, open_store
from wheelstore.store.lease import Lease
from wheelstore.store.policy import Freed, Policy, Watch, unwatched
from wheelstore.store.roots import Presence, look


class StoreNotOurs(StoreError):
    """Only its owner can take anything out of a store."""

    hint = "run 'store gc' as its owner, or name a store of your own with --store"

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.root = root

    def __str__(self) -> str:
        return f"the store {self.root} is read-only here, so nothing can be freed in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class GcRequest:
    """The options of `store gc`, defaults applied."""

    store: str
    policy: Policy
    dry_run: bool
    json: bool
    quiet: int
    verbose: int
    progress: bool


@dataclass(frozen=True, slots=True)
class Pages:
    """What of indexes' pages was forgotten."""

    count: int = 0
    size: int = 0


def run_gc(request: GcRequest, *, started: float) -> None:
    """Collect, or find out what that would free, and report on it.

    Raises:
        StoreError: what the user has to know; what was freed until then is freed.
    """
    console = Console(quiet=request.quiet or int(request.json), verbose=request.verbose)
    freed, pages, refilled = Freed(), Pages(), 0
    if _is_there(request.store):
        store = open_store(request.store)
        if not store.writable:
            raise StoreNotOurs(store.root)
        now = time.time()
        with watching(console.stream, wanted=request.progress and not console.quiet) as watch:
            freed = _collect(request, store, console, watch, now=now)
            pages = _prune(request, store, now=now)
        if not request.dry_run:
            refilled = _refill(store, console, now=now)
    seconds = time.perf_counter() - started
    if request.json:
        write_json(_as_json(request, freed, pages, refilled, seconds))
    else:
        for line in _summary(request, freed, pages, seconds, console):
            console.say(line)
        if refilled:
            console.say(f"Made {counted(refilled, 'spare')} ready again")
    for wheel in freed.unrecorded[:1]:
        many = f" and {len(freed.unrecorded) - 1} more" if len(freed.unrecorded) > 1 else ""
        console.warn(
            f"the index does not know the wheel {wheel}{many}, so files that it does not know were left alone;"
            " 'store verify --repair' puts that right"
        )


def _is_there(root: str) -> bool:
    """Whether there is anything that could be freed; looking does not make a store."""
    if os.path.isdir(root) and os.listdir(root) and not os.path.exists(f"{root}/index.sqlite3"):
        open_store(root)  # which refuses what is no store
    return os.path.exists(f"{root}/index.sqlite3")


def _collect(request: GcRequest, store: Store, console: Console, watch: Watch, *, now: float) -> Freed:
    with open_index(store.index_path) as index:
        if request.dry_run:
            return rehearse(store, index, request.policy, now=now, watch=watch)
        freed = collect(
            store,
            index,
            request.policy,
            now=now,
            watch=watch,
            waiting=lambda number: console.say(f"Waiting for another collection in this store (process {number})"),
        )
        _remove_abandoned(store, index.environments())
        return freed


def _remove_abandoned(store: Store, rows: Sequence[EnvironmentRow]) -> None:
    """Remove what a killed sync left beside an environment's place, and looks as if that had been moved there.

    After the collection, so that a dry run has the same figures; the next one finds the environment missing.
    """
    for row in rows:
        if look(store, row) is Presence.MOVED:
            with suppress(OSError):  # not there any more, or not ours to see
                FreshEnvironment(row.path).remove_abandoned()


def _refill(store: Store, console: Console, *, now: float) -> int:
    """Make the spares anew that environments have become; how many. What gets in the way is told, and no failure."""
    refilled = 0
    with open_index(store.index_path) as index:
        for row in index.all_prewarmed():
            try:
                with Lease(store, index, now=now) as lease:
                    refilled += fill(store, index, lease, row)
            except (StoreError, OSError) as error:
                console.warn(f"spares for {row.source} cannot be made: {error}")
    return refilled


def _prune(request: GcRequest, store: Store, *, now: float) -> Pages:
    if request.policy.older_than is None or not os.path.exists(store.facts_path):
        return Pages()
    before = now - request.policy.older_than
    with Facts(Path(store.facts_path)) as facts:
        count, size = facts.prunable(before=before, now=now)
        if count and not request.dry_run:
            facts.prune(before=before, now=now)
    return Pages(count, size)


def _as_json(request: GcRequest, freed: Freed, pages: Pages, refilled: int, seconds: float) -> dict[str, object]:
    return {
        "freed_bytes": freed.size + pages.size,
        "dry_run": request.dry_run,
        "environments": {"count": len(freed.environments), "paths": freed.environments},
        "generations": {"count": freed.generations},
        "manifests": {"count": freed.manifests},
        "wheels": {"count": freed.wheels},
        "images": {"count": freed.images, "bytes": freed.image_bytes},
        "spares": {"count": freed.spares, "bytes": freed.spare_bytes},
        "blobs": {"count": freed.blobs, "bytes": freed.blob_bytes},
        "orphans": {"count": freed.orphans, "bytes": freed.orphan_bytes},
        "leftovers": {"count": freed.leftovers, "bytes": freed.leftover_bytes},
        "pages": {"count": pages.count, "bytes": pages.size},
        "missing": [
            {"path": one.row.path, "since": _utc(one.since), "until": _utc(one.until)} for one in freed.missing
        ],
        "unrecorded": freed.unrecorded,
        "refilled": refilled,
        "seconds": round(seconds, 4),
    }


def _summary(request: GcRequest, freed: Freed, pages: Pages, seconds: float, console: Console) -> Iterator[str]:
    paint = console.palette.paint
    lines = list(_details(freed, pages))
    size = paint(size_text(freed.size + pages.size), "bold")
    took = paint(f"in {duration(seconds)}", "dim")
    if not lines:
        yield f"Found nothing to free {took}"
    else:
        yield f"{'Would free' if request.dry_run else 'Freed'} {size} {took}"
    for line in lines:
        yield f" {paint('-', 'red')} {line}"
    for one in freed.missing:
        yield (
            f"{one.row.path} is gone since {_local(one.since)}; what it needs is kept until {_local(one.until)};"
            " --grace 0s frees it now"
        )


def _details(freed: Freed, pages: Pages) -> Iterator[str]:
    """A line for each kind of which there was any."""
    for path in freed.environments:
        yield f"environment {path}, which is gone"
    for count, noun in (
        (freed.generations, "old generation"),
        (freed.manifests, "manifest"),
        (freed.wheels, "wheel"),
    ):
        if count:
            yield counted(count, noun)
    for count, size, noun in (
        (freed.images, freed.image_bytes, "image"),
        (freed.spares, freed.spare_bytes, "spare"),
        (freed.blobs, freed.blob_bytes, "blob"),
        (freed.orphans, freed.orphan_bytes, "orphaned file"),
        (freed.leftovers, freed.leftover_bytes, "leftover file"),
        (pages.count, pages.size, "index page"),
    ):
        if count:
            yield f"{counted(count, noun)} ({size_text(size)})"


_LAST = datetime(9999, 12, 30, tzinfo=UTC).timestamp()  # in every time zone


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(min(seconds, _LAST), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(min(seconds, _LAST), UTC).astimezone().strftime("%Y-%m-%d %H:%M")


@contextmanager
def watching(stream: TextIO, *, wanted: bool) -> Iterator[Watch]:
    """A bar on `stream` if it is `wanted` and that is a terminal; rich is imported only then."""
    if not (wanted and stream.isatty()):
        yield unwatched
        return
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn())
    with Progress(*columns, console=RichConsole(file=stream), transient=True) as bar:
        task = bar.add_task("Collecting", total=None)

        def watch(doing: str, done: int, total: int) -> None:
            bar.update(task, description=doing, completed=done, total=total or None)

        yield watch
