"""Whether every blob is what its name says, and whether files and index agree: the proof that fast checks are not.

The store is gone through by shards, 256 parts by the first byte of the digests, so that memory does not grow with the
store; each part is hashed in a worker process. Commands that add or collect meanwhile are no damage: what looks wrong
is looked at again while nobody else can change it.
"""

from __future__ import annotations

import enum
import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

from blake3 import blake3

from wheelstore.store.blobs import blob_key, blob_mtime, blob_name
from wheelstore.store.index import Index
from wheelstore.store.index_checks import blobs_of_shard, condemned_of_shard
from wheelstore.store.layout import Store
from wheelstore.store.workers import Workers

_CHUNK = 1 << 20  # bytes hashed at a time
_AHEAD = 3  # shards for each worker that are under way at once
_AT_ONCE = 500  # blobs that are looked at under one lock


class Fault(enum.Enum):
    """What is wrong with a blob."""

    MISSING = "missing"
    ALTERED = "altered"
    TOUCHED = "touched"
    """The bytes are right, the time or the mode is not."""
    UNREADABLE = "unreadable"


class BadBlob(NamedTuple):
    """A blob that is not what the index and its name say; `found` is the BLAKE3 of the bytes that are there, if any."""

    key: bytes
    fault: Fault
    found: bytes = b""


@dataclass(slots=True)
class Findings:
    """What an audit has found; `orphans` are files below ``blobs/`` that nobody knows."""

    blobs: int = 0
    size: int = 0
    bad: list[BadBlob] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


class _Shard(NamedTuple):
    """What a worker says of a part: `strangers` are names below ``blobs/`` that were not expected."""

    blobs: int
    size: int
    bad: list[BadBlob]
    strangers: list[str]


Progress = Callable[[int, int], None]
"""Told of so many more blobs and bytes."""


def audit(store: Store, index: Index, workers: Workers, *, count: int, progress: Progress) -> Findings:
    """Check every blob of the store, in `workers`, of which there are `count`."""
    findings = Findings()
    parts = ((number, blobs_of_shard(index, number)) for number in range(256))
    suspects: list[BadBlob] = []
    strangers: list[str] = []
    for shard in _checked(store, workers, parts, listed=True, ahead=count * _AHEAD):
        _add(findings, shard, suspects, progress)
        strangers += shard.strangers
    findings.bad = confirmed(store, index, suspects)
    findings.orphans = orphans_among(store, index, strangers)
    return findings


def audit_some(
    store: Store, index: Index, workers: Workers, blobs: Mapping[bytes, int], *, count: int, progress: Progress
) -> Findings:
    """Check some blobs, given by key with their sizes."""
    shards: dict[int, list[tuple[bytes, int]]] = {}
    for key, size in blobs.items():
        shards.setdefault(key[0], []).append((key, size))
    findings = Findings()
    suspects: list[BadBlob] = []
    for shard in _checked(store, workers, iter(sorted(shards.items())), listed=False, ahead=count * _AHEAD):
        _add(findings, shard, suspects, progress)
    findings.bad = confirmed(store, index, suspects)
    return findings


def _add(findings: Findings, shard: _Shard, suspects: list[BadBlob], progress: Progress) -> None:
    findings.blobs += shard.blobs
    findings.size += shard.size
    suspects += shard.bad
    progress(shard.blobs, shard.size)


def _checked(
    store: Store, workers: Workers, parts: Iterator[tuple[int, list[tuple[bytes, int]]]], *, listed: bool, ahead: int
) -> Iterator[_Shard]:
    under_way: deque[Future[_Shard]] = deque()
    for number, expected in parts:
        under_way.append(workers.submit(check_shard, store.blobs, number, expected, listed=listed))
        if len(under_way) >= ahead:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def check_shard(blobs: str, number: int, expected: list[tuple[bytes, int]], *, listed: bool) -> _Shard:
    """Check the `expected` blobs of a shard, and if `listed` say what else is there."""
    bad = [found for key, _ in expected if (found := check_blob(blobs, key)) is not None]
    strangers: list[str] = []
    if listed:
        shard = f"{number:02x}"
        names = {blob_name(key)[3:] for key, _ in expected}
        try:
            strangers = [f"{shard}/{name}" for name in os.listdir(f"{blobs}/{shard}") if name not in names]
        except FileNotFoundError:
            strangers = []
    return _Shard(len(expected), sum(size for _, size in expected), bad, strangers)


def check_blob(blobs: str, key: bytes) -> BadBlob | None:
    """What is wrong with a blob; None if nothing is."""
    path = f"{blobs}/{blob_name(key)}"
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return BadBlob(key, Fault.ALTERED)
        digest = digest_of(path)
    except FileNotFoundError:
        return BadBlob(key, Fault.MISSING)
    except OSError:
        return BadBlob(key, Fault.UNREADABLE)
    if digest != key[:32]:
        return BadBlob(key, Fault.ALTERED, digest)
    mode = 0o555 if len(key) > 32 else 0o444
    if int(status.st_mtime) != blob_mtime(key) or (os.name != "nt" and stat.S_IMODE(status.st_mode) != mode):
        return BadBlob(key, Fault.TOUCHED, digest)
    return None


def unlike_their_names(store: Store, keys: Collection[bytes]) -> list[bytes]:
    """Those of the blobs that show in one `stat` that they are not what their names say, or are missing."""
    found = []
    for key in sorted(keys):
        try:
            if int(os.stat(f"{store.blobs}/{blob_name(key)}").st_mtime) == blob_mtime(key):
                continue
        except OSError:
            pass
        found.append(key)
    return found


def digest_of(path: str) -> bytes:
    """The BLAKE3 of a file's bytes, read piece by piece.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    digest = blake3()
    with open(path, "rb", buffering=0) as stream:
        while data := stream.read(_CHUNK):
            digest.update(data)
    return digest.digest()


def confirmed(store: Store, index: Index, suspects: Collection[BadBlob]) -> list[BadBlob]:
    """Those of `suspects` that are still wrong, and still wanted; by key."""
    found: list[BadBlob] = []
    ordered = sorted(suspects, key=lambda one: one.key)
    for start in range(0, len(ordered), _AT_ONCE):
        batch = ordered[start : start + _AT_ONCE]
        again = {one.key: check_blob(store.blobs, one.key) for one in batch}
        with _alone(store, index):
            known = index.known_blobs([one.key for one in batch])
            for key, bad in again.items():
                # What was just collected has no row any more; what was just added has a file.
                if bad is not None and key in known and not (bad.fault is Fault.MISSING and _is_there(store, key)):
                    found.append(bad)
    return found


def _is_there(store: Store, key: bytes) -> bool:
    return os.path.lexists(f"{store.blobs}/{blob_name(key)}")


def orphans_among(store: Store, index: Index, strangers: Collection[str], *, locked: bool = False) -> list[str]:
    """Those of `strangers`, names below ``blobs/``, that are there and that nobody knows, by name.

    `locked` says that this is inside `Index.writing`.
    """
    found: list[str] = []
    ordered = sorted(strangers)
    for start in range(0, len(ordered), _AT_ONCE):
        batch = {name: _key_of(name) for name in ordered[start : start + _AT_ONCE]}
        with nullcontext() if locked else _alone(store, index):
            keys = {key for key in batch.values() if key is not None}
            known = index.known_blobs(keys).union(*(condemned_of_shard(index, one) for one in {key[0] for key in keys}))
            found += [
                name for name, key in batch.items() if key not in known and os.path.lexists(f"{store.blobs}/{name}")
            ]
    return found


def _key_of(name: str) -> bytes | None:
    try:
        return blob_key(name)
    except ValueError:
        return None


def _alone(store: Store, index: Index) -> AbstractContextManager[None]:
    """While nobody else can make blobs come or go; in a store that is not ours, nothing can be held."""
    return index.writing() if store.writable else nullcontext()
