"""Get the wheels that a selection means into the store: download, ingest, publish, each byte once.

Nothing outside ``tmp/`` changes before every wheel of the operation was found good; then blobs are renamed into
place, and one transaction makes the wheels visible.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import ParamSpec, Protocol, Self, TextIO, TypeVar

from wheelstore.cli.environments import by
from wheelstore.cli.progress import Progress, progress_on
from wheelstore.cli.sources import Sources
from wheelstore.resolve.downloads import Downloads, Job
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.links import without_credentials
from wheelstore.resolve.pins import IndexSource
from wheelstore.resolve.selection import Selected
from wheelstore.store.archive import DEFAULT_LIMITS
from wheelstore.store.claims import Claims
from wheelstore.store.durable import flush, flush_names
from wheelstore.store.errors import StoreError
from wheelstore.store.index import Index, WheelRow
from wheelstore.store.ingest import WheelFile, blobs_of, lacking, publish, stage
from wheelstore.store.layout import Store
from wheelstore.store.lease import Lease
from wheelstore.store.records import write_record
from wheelstore.store.workers import Workers

P = ParamSpec("P")
T = TypeVar("T")

_FILES_AT_ONCE = 1000  # files that are published in one transaction; renaming one takes 8 µs


class StoreReadOnly(StoreError):
    """Wheels are missing, and the store belongs to someone else."""

    def __init__(self, root: str, wheels: Sequence[str]) -> None:
        super().__init__(root, tuple(wheels))
        self.root, self.wheels = root, tuple(wheels)
        self.hint = "ask the store's owner to 'store add' the lock, or use a store of your own with --store"

    def __str__(self) -> str:
        return f"the store {self.root} is read-only here and lacks {', '.join(self.wheels)}"


class Vanished(StoreError):
    """Wheels that were chosen because the store had them were collected meanwhile; choosing again helps."""

    hint = "run the same command again"

    def __init__(self, wheels: Sequence[str]) -> None:
        super().__init__(tuple(wheels))
        self.wheels = tuple(wheels)

    def __str__(self) -> str:
        return f"another command took {', '.join(self.wheels)} out of the store just now"


class StoreFull(StoreError):
    """The store's filesystem refused to take what was to be written; `doing` says what that was."""

    hint = "nothing was changed; make room (or point --store elsewhere) and run the same command again"

    def __init__(self, doing: str, reason: str) -> None:
        super().__init__(doing, reason)
        self.doing, self.reason = doing, reason

    def __str__(self) -> str:
        return f"cannot {self.doing}: {self.reason}"


class Pool(Protocol):
    """What unpacks wheels; `Workers`, or what does as they do."""

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `function` at some time."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Wait for all."""


@dataclass(frozen=True, slots=True)
class Ingestion:
    """The means of one operation; `workers` is what unpacks, beside threads of other kinds not in forks."""

    store: Store
    index: Index
    lease: Lease
    sources: Sources
    say: Callable[[str], None]
    workers: Callable[[int], Pool] = Workers

    def ensure(self, selected: Sequence[Selected], *, wanted: bool, stream: TextIO) -> dict[int, WheelRow]:
        """The rows of all `selected` wheels, by position; those that the store lacks are fetched and ingested.

        The lease protects them all from here on.

        A progress bar is shown on `stream` if it is `wanted` and that is a terminal.

        Raises:
            StoreReadOnly: some are missing from a store that is not ours.
            FetchErrors, HashMismatch, BadWheel, StoreFull: a wheel cannot be had; the store is as it was.
            Vanished: some were to come from the store itself.
        """
        present = self._present(selected)
        missing = {at: one for at, one in enumerate(selected) if at not in present}
        if not missing:
            return present
        if not self.store.writable:
            raise StoreReadOnly(self.store.root, [one.filename for one in missing.values()])
        vanished = [one.filename for one in missing.values() if one.url is None]
        if vanished:
            raise Vanished(vanished)
        claimed = [one.sha256 for one in missing.values() if one.sha256]
        os.makedirs(self.store.locks, 0o700, exist_ok=True)
        with Claims(f"{self.store.locks}/claims", claimed, waiting=self._say_waiting):
            # Whoever held the claims may have brought what was missing.
            present = self._present(selected)
            missing = {at: one for at, one in missing.items() if at not in present}
            if not missing:
                return present
            return present | self._fetch(missing, wanted=wanted, stream=stream)

    def _fetch(self, missing: Mapping[int, Selected], *, wanted: bool, stream: TextIO) -> dict[int, WheelRow]:
        """Fetch and ingest what is missing; the claims on it are held."""
        # The processes are forked before the bar and the downloads start threads, and end before the directory
        # goes: one that is still unpacking when another wheel is refused would make it anew.
        try:
            with (
                working_directory(self.lease) as directory,
                self.workers(min(len(missing), os.cpu_count() or 1)) as workers,
                progress_on(stream, wanted=wanted) as bar,
            ):
                return _Operation(self, directory, workers, bar).run(missing)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StoreFull(f"put wheels into the store {self.store.root}", error.strerror or str(error)) from error

    def _say_waiting(self, process: int) -> None:
        self.say(f"Waiting for another store command{by(process)} that fetches the same wheels")

    def _present(self, selected: Sequence[Selected]) -> dict[int, WheelRow]:
        rows = self.lease.wheels([one.sha256 for one in selected if one.sha256])
        return {at: rows[one.sha256] for at, one in enumerate(selected) if one.sha256 in rows}


@dataclass(frozen=True, slots=True)
class _Operation:
    """One fetch and ingest of what is missing."""

    means: Ingestion
    directory: str
    workers: Pool
    progress: Progress

    def run(self, missing: Mapping[int, Selected]) -> dict[int, WheelRow]:
        sizes = [one.size for one in missing.values()]
        self.progress.expect(len(missing), None if None in sizes else sum(size or 0 for size in sizes))
        staged = self._stage_all(missing)
        flush(self.directory)
        self.means.lease.wheels([wheel.sha256 for wheel, _ in staged.values()])
        left = list(staged.values())
        while left:
            left = self._publish(left)
        for wheel, _ in staged.values():
            if os.path.dirname(wheel.path) == self.means.store.tmp:
                os.unlink(wheel.path)
        return {at: row for at, (_, row) in staged.items()}

    def _publish(self, staged: Sequence[tuple[WheelFile, WheelRow]]) -> list[tuple[WheelFile, WheelRow]]:
        """Make wheels visible, a batch at a time; those that had relied on blobs that are gone are staged anew."""
        again = []
        for batch in _batches(staged):
            again += self._publish_batch(batch)
        blobs, limits = self.means.store.blobs, DEFAULT_LIMITS
        futures = [(wheel, self.workers.submit(stage, blobs, self.directory, wheel, limits)) for wheel in again]
        restaged = [(wheel, _result(wheel, future)) for wheel, future in futures]
        if restaged:
            flush(self.directory)
        return restaged

    def _publish_batch(self, batch: Sequence[tuple[WheelFile, WheelRow]]) -> list[WheelFile]:
        """Files and rows in one transaction; the wheels that have to be staged anew."""
        blobs, index = self.means.store.blobs, self.means.index
        with index.writing():
            futures = [self.workers.submit(publish, blobs, self.directory, wheel) for wheel, _ in batch]
            published = [future.result() for future in futures]
            lacks = [lacking(index, blobs, row, names) for (_, row), names in zip(batch, published, strict=True)]
            whole = [row for (_, row), lack in zip(batch, lacks, strict=True) if not lack]
            flush_names(self.directory)
            index.add_wheels(((row, blobs_of(row)) for row in whole), now=time.time())
        with suppress(OSError):  # without one, the wheel is as good, but for the case that the index is lost
            for row in whole:
                write_record(self.means.store, row, time.time())
        return [wheel for (wheel, _), lack in zip(batch, lacks, strict=True) if lack]

    def _stage_all(self, missing: Mapping[int, Selected]) -> dict[int, tuple[WheelFile, WheelRow]]:
        """Download and unpack, the second overlapping with the first; large wheels first."""
        ordered = sorted(missing, key=lambda at: -(missing[at].size or 0))
        jobs = [self._job(at, missing[at]) for at in ordered]
        sidecars = self.means.sources.facts.sidecars([one.sha256 for one in missing.values() if one.sha256])
        futures: dict[int, tuple[WheelFile, Future[WheelRow]]] = {}
        with Downloads(self.means.sources.transport, jobs, progress=self.progress.advance) as downloads:
            for at, downloaded in downloads:
                one = missing[at]
                wheel = WheelFile(
                    path=self._target(at, one),
                    filename=one.filename,
                    sha256=downloaded.sha256,
                    origin=without_credentials(one.url) if one.url else None,
                    metadata_sha256=sidecars.get(downloaded.sha256),
                )
                future = self.workers.submit(stage, self.means.store.blobs, self.directory, wheel, DEFAULT_LIMITS)
                future.add_done_callback(lambda _: self.progress.unpacked())
                futures[at] = wheel, future
        return {at: (wheel, _result(wheel, future)) for at, (wheel, future) in futures.items()}

    def _job(self, at: int, one: Selected) -> Job[int]:
        if one.url is None:
            raise Vanished([one.filename])
        return Job(
            key=at,
            url=one.url,
            target=self._target(at, one),
            hashes={"sha256": one.sha256} if one.sha256 else {},
            accepted=one.pin.hashes,
            size=one.size,
            moved=lambda: self._address(one),
        )

    def _address(self, one: Selected) -> str | None:
        """Where an index says now that the wheel is: its address may have been remembered from long ago."""
        if one.sha256 is None or not isinstance(one.pin.source, IndexSource):
            return None
        with suppress(ResolveError):  # then what the server said of the file is what the user has to know
            return self.means.sources.indexes.moved(one.pin.name, one.sha256, index=one.pin.index)
        return None

    def _target(self, at: int, one: Selected) -> str:
        """A download whose hash is known has a name of its own in ``tmp/``, so that the next command can resume it."""
        return f"{self.means.store.tmp}/{one.sha256}.whl" if one.sha256 else f"{self.directory}/{at}.whl"


@contextmanager
def working_directory(lease: Lease) -> Iterator[str]:
    """The lease's directory, which is empty again afterwards, for whatever else is done under the lease."""
    directory = lease.directory
    os.makedirs(directory, 0o700, exist_ok=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _batches(staged: Sequence[tuple[WheelFile, WheelRow]]) -> Iterator[list[tuple[WheelFile, WheelRow]]]:
    """Wheels in lots that keep the index's lock for some 10 ms each."""
    batch: list[tuple[WheelFile, WheelRow]] = []
    files = 0
    for one in staged:
        batch.append(one)
        files += len(blobs_of(one[1]))
        if files >= _FILES_AT_ONCE:
            yield batch
            batch, files = [], 0
    if batch:
        yield batch


def _result(wheel: WheelFile, future: Future[WheelRow]) -> WheelRow:
    try:
        return future.result()
    except OSError as error:
        raise StoreFull(f"unpack {wheel.filename} into the store", error.strerror or str(error)) from error


def local_hashes(selected: Sequence[Selected]) -> tuple[Selected, ...]:
    """Give wheels on this machine without a hash the one they have, so that the store can be asked for them."""
    return tuple(_hashed(one) for one in selected)


def _hashed(one: Selected) -> Selected:
    if one.sha256 or not one.url or not one.url.startswith("file:"):
        return one
    from wheelstore.resolve.local_files import path_of

    with open(path_of(one.url), "rb") as stream:
        return replace(one, sha256=hashlib.file_digest(stream, "sha256").hexdigest())
