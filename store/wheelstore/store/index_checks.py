"""What `audit` asks the index: which blobs there should be, and whether the index agrees with itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from wheelstore.store.errors import StoreError
from wheelstore.store.filelist import columns, unpack
from wheelstore.store.index import Index
from wheelstore.store.index_releases import pending_references

_LAST = b"\xff" * 40  # after every key


class Miscounted(NamedTuple):
    """A blob with other references than the index says; `refs` is None for one that the index does not know."""

    key: bytes
    size: int
    refs: int | None
    counted: int


class Use(NamedTuple):
    """Where a blob is in a wheel."""

    key: bytes
    sha256: str
    filename: str
    path: str


class IndexDamaged(StoreError):
    """The index can be opened, but not everything in it is sound."""

    hint = "store verify --repair makes it anew from what is kept of each wheel"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"the index {self.path} is damaged: {self.reason}"


def check_soundness(index: Index) -> None:
    """Let SQLite look at all of the database.

    Raises:
        IndexDamaged: something is wrong with it.
        IndexUnusable: so much that it could not be looked at.
    """
    for (line,) in index.stream("PRAGMA integrity_check(1)"):
        if line != "ok":
            raise IndexDamaged(index.path, " ".join(str(line).split()))


def blobs_of_shard(index: Index, shard: int) -> list[tuple[bytes, int]]:
    """The (key, size) of the blobs whose digests begin with the byte `shard`."""
    return list(index.stream("SELECT key, size FROM blobs WHERE key >= ? AND key < ?", _range(shard)))


def condemned_of_shard(index: Index, shard: int) -> set[bytes]:
    """The blobs of a shard that are about to be collected: their files may be there."""
    return {key for (key,) in index.stream("SELECT key FROM condemned WHERE key >= ? AND key < ?", _range(shard))}


def _range(shard: int) -> tuple[bytes, bytes]:
    return bytes([shard]), bytes([shard + 1]) if shard < 255 else _LAST


def blobs_of_projects(index: Index, names: Iterable[str]) -> dict[bytes, int]:
    """The sizes, by key, of all blobs of the wheels of these projects, and of what was generated for them."""
    found: dict[bytes, int] = {}
    for name in names:
        lists = index.stream(
            "SELECT files FROM wheels WHERE name = ? UNION ALL SELECT generated FROM manifests WHERE digest IN"
            " (SELECT manifest FROM manifest_wheels JOIN wheels ON wheel = id WHERE name = ?)",
            (name, name),
        )
        for (files,) in lists:
            keys, sizes = columns(files)
            found.update((key, size) for key, size in zip(keys, sizes, strict=True) if size)
    return found


def uses_of(index: Index, keys: Collection[bytes]) -> Iterator[Use]:
    """Every place of some blobs in wheels."""
    if not keys:
        return
    for sha256, filename, files in index.stream("SELECT sha256, filename, files FROM wheels ORDER BY filename"):
        for file in unpack(files):
            if file.key in keys:
                yield Use(file.key, sha256, filename, file.path)


def manifests_that_generated(index: Index, keys: Collection[bytes]) -> dict[str, set[bytes]]:
    """Which of `keys` were made for which manifests."""
    found: dict[str, set[bytes]] = {}
    for digest, files in index.stream("SELECT digest, generated FROM manifests"):
        own = set(columns(files)[0]).intersection(keys)
        if own:
            found[digest] = own
    return found


def generated_for(index: Index, manifest: str) -> set[bytes]:
    """The blobs that were made for a manifest."""
    rows = index.stream("SELECT generated FROM manifests WHERE digest = ?", (manifest,))
    return {key for (files,) in rows for key, size in zip(*columns(files), strict=True) if size}


def generations_of(index: Index, manifest: str) -> list[str]:
    """The interpreters that environments of a manifest were made with, the latest first."""
    rows = index.stream(
        "SELECT interpreter, max(synced) FROM generations WHERE manifest = ? GROUP BY interpreter ORDER BY 2 DESC",
        (manifest,),
    )
    return [interpreter for interpreter, _ in rows]


def miscounted(index: Index) -> list[Miscounted]:
    """The blobs whose references are not what a recount says, by key."""
    with _recounted(index):
        return [
            Miscounted(*row)
            for row in index.stream(
                "SELECT counted.key, counted.size, blobs.refs, counted.refs FROM counted LEFT JOIN blobs USING (key)"
                " WHERE blobs.refs IS NOT counted.refs UNION ALL SELECT key, size, refs, 0 FROM blobs"
                " WHERE key NOT IN (SELECT key FROM counted) ORDER BY 1"
            )
        ]


def recount(index: Index) -> None:
    """Count all references anew; inside `writing`. What nobody refers to is condemned."""
    with _recounted(index):
        for statement in _MEND.split(";"):
            list(index.stream(statement))


_MEND = """
INSERT INTO blobs (key, size, refs) SELECT key, size, refs FROM counted WHERE true
    ON CONFLICT (key) DO UPDATE SET refs = excluded.refs;
DELETE FROM condemned WHERE key IN (SELECT key FROM counted);
INSERT OR IGNORE INTO condemned (key, size) SELECT key, size FROM blobs WHERE key NOT IN (SELECT key FROM counted);
DELETE FROM blobs WHERE key NOT IN (SELECT key FROM counted)
"""
_COUNT = "INSERT INTO counted (key, size, refs) VALUES (?, ?, 1) ON CONFLICT (key) DO UPDATE SET refs = refs + 1"


_COUNT_PENDING = (
    "INSERT INTO counted (key, size, refs) VALUES (?, coalesce((SELECT size FROM blobs WHERE key = ?), 0), 1)"
    " ON CONFLICT (key) DO UPDATE SET refs = refs + 1"
)


@contextmanager
def _recounted(index: Index) -> Iterator[None]:
    """A temporary table `counted` of all references, on disk if need be; and the index as it was while counting.

    What a gc under way has deleted, and counts down bit by bit, is still counted.
    """
    own = not index.is_writing
    if own:
        list(index.stream("BEGIN"))
    try:
        list(index.stream("CREATE TEMP TABLE counted (key BLOB PRIMARY KEY, size, refs) WITHOUT ROWID"))
        for (files,) in index.stream("SELECT files FROM wheels UNION ALL SELECT generated FROM manifests"):
            keys, sizes = columns(files)
            index.many(_COUNT, {(key, size) for key, size in zip(keys, sizes, strict=True) if size})
        index.many(_COUNT_PENDING, [(key, key) for key in pending_references(index)])
        yield
        list(index.stream("DROP TABLE counted"))
    finally:
        if own:
            list(index.stream("ROLLBACK"))
