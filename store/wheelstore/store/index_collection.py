"""What `gc` asks of the index and takes out of it. Every method that deletes belongs inside `Index.writing`.

What may go is asked first, outside of any transaction, a page at a time; whether it may still go is asked again by the
statement that deletes it, since somebody may have begun to use it in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from wheelstore.store.index import EnvironmentRow, Index
from wheelstore.store.index_ready import IDLE, READY

_PAGE = 500
_RECORD = "record "

_UNROOTED = (
    "NOT EXISTS (SELECT 1 FROM environments WHERE environments.manifest = manifests.digest)"
    " AND NOT EXISTS (SELECT 1 FROM generations WHERE generations.manifest = manifests.digest)"
    " AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.manifest = manifests.digest)"
    f" AND {READY}"
)
_MANIFEST_USED = "coalesce((SELECT used FROM manifest_uses WHERE manifest = manifests.digest), 0)"
_UNUSED = (
    "NOT EXISTS (SELECT 1 FROM manifest_wheels WHERE manifest_wheels.wheel = wheels.id)"
    " AND NOT EXISTS (SELECT 1 FROM lease_wheels WHERE lease_wheels.sha256 = wheels.sha256)"
)
_WHEEL_USED = "coalesce((SELECT used FROM wheel_uses WHERE wheel = wheels.id), wheels.added)"
# The current one and the one before it always stay.
_OLD = (
    "NOT EXISTS (SELECT 1 FROM environments WHERE environments.id = generations.environment"
    " AND generations.number IN (environments.generation, (SELECT max(earlier.number) FROM generations AS earlier"
    " WHERE earlier.environment = environments.id AND earlier.number < environments.generation)))"
)


_TIMES = (
    *(("wheel_uses", "used"), ("manifest_uses", "used"), ("images", "used"), ("prewarmed", "used")),
    *(("generations", "synced"), ("environments", "missing")),
)


class Candidate(NamedTuple):
    """Something that nobody needs; `used` is when it last was used.

    `kind` is ``generation``, ``image``, ``manifest`` or ``wheel``; `identity` is a manifest's digest, a wheel's row, or
    an environment and a number.
    """

    used: float
    kind: str
    identity: tuple[Any, ...]


class IndexCollection:
    """The index as `gc` sees it."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return list(self.index.stream(statement, values))

    def prepare(self) -> None:
        """Suit the connection to deleting: no zeroes over what goes."""
        self._run("PRAGMA secure_delete = OFF")

    # Leases and environments

    def leases(self) -> list[str]:
        """The ids of all leases, of live and of dead operations."""
        return [identifier for (identifier,) in self._run("SELECT id FROM leases")]

    def settle_clock(self, now: float) -> None:
        """Let what was used in the future, by a clock that was wrong, have been used now; inside `writing`."""
        for table, column in _TIMES:
            self._run(f"UPDATE {table} SET {column} = ? WHERE {column} > ?", now, now)

    def clock_is_settled(self, now: float) -> bool:
        """Whether nothing was used in the future."""
        return not self._run(
            " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE {column} > ?" for table, column in _TIMES) + " LIMIT 1",
            *(now,) * len(_TIMES),
        )

    def is_planned(self, row: EnvironmentRow) -> bool:
        """Whether the index knows what the environment consists of."""
        return bool(self._run("SELECT 1 FROM manifests WHERE digest = ?", row.manifest))

    def unplanned(self) -> bool:
        """Whether there is any environment of which the index does not know what it consists of."""
        return bool(
            self._run(
                "SELECT 1 FROM environments WHERE NOT EXISTS"
                " (SELECT 1 FROM manifests WHERE digest = environments.manifest) LIMIT 1"
            )
        )

    def mark_missing(self, row: EnvironmentRow, since: float | None) -> None:
        """Note since when an environment is not there, or that it is; inside `writing`."""
        self._run("UPDATE environments SET missing = ? WHERE id = ? AND synced = ?", since, row.id, row.synced)

    def forget(self, row: EnvironmentRow, since: float) -> bool:
        """Forget an environment that is as it was when it was looked for, and that nobody makes right now.

        Until `since` it was there, for all we know: its manifest was in use.
        """
        gone = self._run(
            "DELETE FROM environments WHERE id = ? AND path = ? AND synced = ? AND NOT EXISTS"
            " (SELECT 1 FROM leases WHERE leases.manifest = environments.manifest) RETURNING manifest",
            *(row.id, row.path, row.synced),
        )
        if gone:
            self._run("DELETE FROM generations WHERE environment = ?", row.id)
            self._run("UPDATE manifest_uses SET used = max(used, ?) WHERE manifest = ?", since, gone[0][0])
        return bool(gone)

    # What may go

    def old_generations(self, cutoff: float) -> Iterator[list[tuple[Any, ...]]]:
        """Pages of the generations that are not kept and were left at `cutoff` or before."""
        last = ("", 0)
        while page := self._run(
            f"SELECT environment, number FROM generations WHERE (environment, number) > (?, ?) AND synced <= ?"
            f" AND {_OLD} ORDER BY environment, number LIMIT {_PAGE}",
            *(*last, cutoff),
        ):
            yield page
            last = page[-1]

    def unrooted(self, cutoff: float) -> Iterator[list[tuple[Any, ...]]]:
        """Pages of the manifests that no environment or lease needs, last used at `cutoff` or before."""
        last = ""
        while page := self._run(
            f"SELECT digest FROM manifests WHERE digest > ? AND {_UNROOTED} AND {_MANIFEST_USED} <= ?"
            f" ORDER BY digest LIMIT {_PAGE}",
            *(last, cutoff),
        ):
            yield page
            last = page[-1][0]

    def unused(self, cutoff: float) -> Iterator[list[tuple[Any, ...]]]:
        """Pages of the wheels that no manifest or lease needs, last used at `cutoff` or before."""
        last = 0
        while page := self._run(
            f"SELECT id FROM wheels WHERE id > ? AND {_UNUSED} AND {_WHEEL_USED} <= ? ORDER BY id LIMIT {_PAGE}",
            *(last, cutoff),
        ):
            yield page
            last = page[-1][0]

    def least_recently_used(self) -> list[Candidate]:
        """Some of what may go, the least recently used first."""
        rows = self._run(
            f"SELECT synced AS used, 'generation', environment, number FROM generations WHERE {_OLD}"
            f" UNION ALL SELECT used, 'image', manifest, NULL FROM images WHERE {IDLE}"
            f" UNION ALL SELECT {_MANIFEST_USED}, 'manifest', digest, NULL FROM manifests WHERE {_UNROOTED}"
            f" UNION ALL SELECT {_WHEEL_USED}, 'wheel', id, NULL FROM wheels WHERE {_UNUSED}"
            f" ORDER BY used LIMIT {_PAGE}"
        )
        return [Candidate(used, kind, (one, two) if kind == "generation" else (one,)) for used, kind, one, two in rows]

    # What goes

    def drop_generation(self, environment: str, number: int, *, cutoff: float) -> bool:
        """Delete a generation if it may still go."""
        return bool(
            self._run(
                f"DELETE FROM generations WHERE environment = ? AND number = ? AND synced <= ? AND {_OLD} RETURNING 1",
                *(environment, number, cutoff),
            )
        )

    def drop_manifest(self, digest: str, *, cutoff: float) -> bool:
        """Delete a manifest if it may still go; its wheels were in use when it was."""
        gone = self._run(
            f"DELETE FROM manifests WHERE digest = ? AND {_UNROOTED} AND {_MANIFEST_USED} <= ? RETURNING generated",
            *(digest, cutoff),
        )
        if not gone:
            return False
        self._put_released(gone[0][0])
        self._run(
            "UPDATE wheel_uses SET used = max(used, coalesce((SELECT used FROM manifest_uses WHERE manifest = ?), 0))"
            " WHERE wheel IN (SELECT wheel FROM manifest_wheels WHERE manifest = ?)",
            *(digest, digest),
        )
        for table in ("manifest_uses", "manifest_wheels", "answers", "shapes"):
            self._run(f"DELETE FROM {table} WHERE manifest = ?", digest)
        return True

    def drop_wheel(self, identifier: int, *, cutoff: float) -> bytes | None:
        """Delete a wheel if it may still go; its packed file list. See `may_forget` for its record."""
        gone = self._run(
            f"DELETE FROM wheels WHERE id = ? AND {_UNUSED} AND {_WHEEL_USED} <= ? RETURNING sha256, files",
            *(identifier, cutoff),
        )
        if not gone:
            return None
        sha256, files = gone[0]
        self._put_released(files)
        self._run("DELETE FROM wheel_uses WHERE wheel = ?", identifier)
        self._run("INSERT OR REPLACE INTO memory (key, value) VALUES (?, ?)", f"{_RECORD}{sha256}", b"")
        return bytes(files)

    def dropped(self) -> list[str]:
        """The wheels (by sha256) that were dropped and whose records in the store may still be there."""
        rows = self._run("SELECT key FROM memory WHERE key BETWEEN ? AND ?", _RECORD, f"{_RECORD}~")
        return [key.removeprefix(_RECORD) for (key,) in rows]

    def may_forget(self, sha256: str) -> bool:
        """Whether the record of a wheel that was dropped may go: not if the wheel has come again."""
        self._run("DELETE FROM memory WHERE key = ?", f"{_RECORD}{sha256}")
        return not self._run("SELECT 1 FROM wheels WHERE sha256 = ?", sha256)

    def _put_released(self, files: bytes) -> None:
        if len(files) > 4:  # an empty list's length
            self._run("INSERT INTO released (files) VALUES (?)", files)

    # Condemned blobs

    def released_bytes(self) -> int:
        """How much there is to do for `Releases`."""
        return int(self._run("SELECT coalesce(sum(length(files)), 0) FROM released")[0][0])

    def condemned(self, limit: int, after: bytes = b"") -> list[tuple[bytes, int]]:
        """The first condemned blobs (key, size) after a key."""
        rows = self._run("SELECT key, size FROM condemned WHERE key > ? ORDER BY key LIMIT ?", after, limit)
        return [(key, size) for key, size in rows]

    def condemned_count(self) -> int:
        """How many blobs are condemned."""
        return int(self._run("SELECT count(*) FROM condemned")[0][0])

    def drop_condemned(self, first: bytes, last: bytes) -> None:
        """Delete what is condemned between two keys: its files are in the trash."""
        self._run("DELETE FROM condemned WHERE key BETWEEN ? AND ?", first, last)

    def free_pages(self) -> int:
        """How many pages of the database hold nothing any more."""
        return int(self._run("PRAGMA freelist_count")[0][0])

    def give_back(self, pages: int) -> None:
        """Make the database smaller by so many pages that hold nothing."""
        self._run(f"PRAGMA incremental_vacuum({pages})")

    def has_blob(self, key: bytes) -> bool:
        """Whether a blob has a row, be it condemned."""
        return bool(
            self._run("SELECT 1 FROM blobs WHERE key = ? UNION ALL SELECT 1 FROM condemned WHERE key = ?", key, key)
        )

    def blobs_between(self, first: bytes, last: bytes) -> Iterator[bytes]:
        """The keys from `first` to before `last` that have a row, be it a condemned one's."""
        for table in ("blobs", "condemned"):
            for (key,) in self.index.stream(f"SELECT key FROM {table} WHERE key >= ? AND key < ?", (first, last)):
                yield key


def rehearsal_of(index: Index) -> Index:
    """A copy of the index that nobody else sees, on which everything can be tried. It is gone when it is closed."""
    import sqlite3

    copy = sqlite3.connect("", isolation_level=None)  # in memory at first, then in a temporary file
    # In one step: between two, a writer would make it begin again, and writers do not wait for readers.
    index._connection.backup(copy)  # noqa: SLF001 - the same class, so to speak
    return Index(copy, index.path)
