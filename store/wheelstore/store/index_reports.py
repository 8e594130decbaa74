"""What reports ask the index: who keeps a wheel, and how much it is. Only reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from wheelstore.store.filelist import columns
from wheelstore.store.index import Index


class KnownWheel(NamedTuple):
    """A wheel in the store: its row, and how it came; `size` is the .whl's in bytes, times are since the epoch."""

    id: int
    sha256: str
    filename: str
    name: str
    version: str
    size: int
    origin: str | None
    added: float
    used: float


class Keeper(NamedTuple):
    """An environment that keeps a wheel: by what it is now (`current`), or by what it was as generation `number`."""

    path: str
    environment: str
    number: int
    current: bool
    synced: float


class Holder(NamedTuple):
    """An operation that has a lease on a wheel; whether it still lives is for `lease.is_alive`."""

    lease: str
    started: float


def known_wheels(index: Index, name: str) -> list[KnownWheel]:
    """Every wheel of the project `name` (normalized), by filename."""
    rows = index.stream(
        "SELECT id, sha256, filename, name, version, size, origin, added, coalesce(used, added) FROM wheels"
        " LEFT JOIN wheel_uses ON wheel = id WHERE name = ? ORDER BY filename, sha256",
        (name,),
    )
    return [KnownWheel(*row) for row in rows]


def project_names(index: Index) -> list[str]:
    """The names of all projects that the store has wheels of."""
    return [name for (name,) in index.stream("SELECT DISTINCT name FROM wheels ORDER BY name")]


def keepers(index: Index, wheel: int) -> list[Keeper]:
    """The environments that keep a wheel, by path; each generation on its own, the current one first."""
    rows = index.stream(
        "SELECT path, id, environments.generation, 1, synced FROM manifest_wheels"
        " JOIN environments USING (manifest) WHERE wheel = ?"
        " UNION ALL SELECT path, id, number, 0, generations.synced FROM manifest_wheels"
        " JOIN generations USING (manifest) JOIN environments ON id = environment"
        " WHERE wheel = ? AND number <> environments.generation ORDER BY 1, 2, 4 DESC, 3 DESC",
        (wheel, wheel),
    )
    return [Keeper(path, environment, number, bool(current), at) for path, environment, number, current, at in rows]


def holders(index: Index, wheel: KnownWheel) -> list[Holder]:
    """The operations with a lease on a wheel, or on a manifest with it; oldest first."""
    rows = index.stream(
        "SELECT id, started FROM leases JOIN lease_wheels ON lease = id WHERE sha256 = ?"
        " UNION SELECT leases.id, started FROM leases JOIN manifest_wheels USING (manifest) WHERE wheel = ?"
        " ORDER BY 2, 1",
        (wheel.sha256, wheel.id),
    )
    return [Holder(*row) for row in rows]


def bytes_only_of(index: Index, wheels: Iterable[int]) -> int:
    """The bytes of all blobs that nothing but these `wheels` refers to."""
    counted: Counter[bytes] = Counter()
    for wheel in wheels:
        for (files,) in index.stream("SELECT files FROM wheels WHERE id = ?", (wheel,)):
            counted.update(set(columns(files)[0]))
    total = 0
    for key, count in counted.items():
        for size, references in index.stream("SELECT size, refs FROM blobs WHERE key = ?", (key,)):
            total += size if references <= count else 0
    return total


class Wish(NamedTuple):
    """What shall be ready and consists of a wheel among others: `source` is what was named when that was said."""

    source: str
    spares: int
    used: float


def wishes(index: Index, wheel: int) -> list[Wish]:
    """What of all that shall be ready keeps a wheel, by source."""
    rows = index.stream(
        "SELECT source, spares, used FROM prewarmed JOIN manifest_wheels USING (manifest) WHERE wheel = ?"
        " ORDER BY source, used",
        (wheel,),
    )
    return [Wish(*row) for row in rows]


class WheelUse(NamedTuple):
    """How much a wheel is, unpacked, in bytes, and how many environments have it now."""

    name: str
    version: str
    filename: str
    sha256: str
    unpacked: int
    environments: int


def wheel_uses(index: Index) -> list[WheelUse]:
    """Every wheel, the largest first."""
    rows = index.stream(
        "SELECT name, version, filename, sha256, files, (SELECT count(*) FROM manifest_wheels"
        " JOIN environments USING (manifest) WHERE wheel = wheels.id) FROM wheels"
    )
    found = [
        WheelUse(name, version, filename, sha256, sum(columns(files)[1]), environments)
        for name, version, filename, sha256, files, environments in rows
    ]
    return sorted(found, key=lambda one: (-one.unpacked, one.name, one.filename, one.sha256))
