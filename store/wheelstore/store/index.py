"""The SQLite index: which wheels, blobs, manifests and environments there are. All SQL of the store is here.

Standard `sqlite3` only, because the warm path opens the index; `schema` (sqlite-utils) is imported when a
database is new or old. Writers take ``BEGIN IMMEDIATE``, so that none of them fails half-way on a lock.
"""

from __future__ import annotations

import os
import sys

from wheelstore.store.errors import StoreError
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any
else:
    try:  # what sqlite3 is made of, without the adapters for dates, whose import takes as long again
        import _sqlite3 as sqlite3
    except ImportError:
        import sqlite3

_VERSION = 1  # of the schema; `schema.VERSION`, repeated so that the warm path need not import it
_BUSY = 30.0  # seconds that a writer waits for another


class IndexUnusable(StoreError):
    """The index cannot be opened, read or written."""

    def __init__(self, path: str, error: sqlite3.Error) -> None:
        super().__init__(path, error)
        name = getattr(error, "sqlite_errorname", "")
        # With no byte to spare, SQLite cannot make even the memory that its readers share: a "disk I/O error".
        self.path, self.reason = path, "database or disk is full" if name in _FULL else str(error)
        self.hint = _HINTS.get(name)

    def __str__(self) -> str:
        return f"the index {self.path} cannot be used: {self.reason}"


_FULL = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
_HINTS = {
    **dict.fromkeys(_FULL, "make room there, and run the same command again"),
    "SQLITE_BUSY": "another store command is at it: run this one again when that is done",
    "SQLITE_NOTADB": "if the file is yours, move it away: the next add or sync makes a new one",
    "SQLITE_CORRUPT": "if the file is yours, move it away: the next add or sync makes a new one",
}


class WheelRow(NamedTuple):
    """An ingested wheel; `files` is packed (`filelist.unpack`), times are seconds since the epoch."""

    sha256: str
    filename: str
    name: str
    version: str
    size: int
    purelib: bool
    files: bytes
    origin: str | None


class ListedWheel(NamedTuple):
    """A wheel as it is listed; `size` is the .whl's in bytes, times are seconds since the epoch."""

    name: str
    version: str
    filename: str
    sha256: str
    size: int
    added: float
    used: float


class EnvironmentRow(NamedTuple):
    """A registered environment: a gc root."""

    id: str
    path: str
    manifest: str
    mode: str
    python: str
    created: float
    synced: float


class Answer(NamedTuple):
    """What a lock meant last time: a manifest, and the further files (path, digest) that were read for it."""

    manifest: str
    inputs: str


_left_open: list[sqlite3.Connection] = []  # Python 3.11 cannot close a connection without moving the log


class Writing:
    """See `Index.writing`; a class, because `contextlib` would be imported for it alone."""

    __slots__ = ("_connection", "_path")

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection, self._path = connection, path

    def __enter__(self) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise IndexUnusable(self._path, error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            try:
                self._connection.commit()
            except sqlite3.Error as refused:
                self._connection.rollback()
                raise IndexUnusable(self._path, refused) from refused
            return
        self._connection.rollback()
        if isinstance(error, sqlite3.Error):
            raise IndexUnusable(self._path, error) from error


class Index:
    """An open index. Not for several threads; each process opens its own."""

    __slots__ = ("_connection", "path")

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection, self.path = connection, path

    def close(self) -> None:
        """Close the database; the index is unusable afterwards."""
        self._connection.close()

    def leave(self) -> None:
        """End the use of the index at once, for a process that ends now: what was committed stays in the log.

        Closing, by the last of its users, moves the log into the database with four ``fdatasync``; the next command
        that has the time does it.
        """
        if sys.version_info >= (3, 12):
            self._connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)  # noqa: FBT003
            self._connection.close()
        else:
            _left_open.append(self._connection)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def writing(self) -> Writing:
        """One immediate transaction, as a context: committed at the end, rolled back by any exception.

        Raises:
            IndexUnusable: the database is locked for too long, full, or damaged.
        """
        return Writing(self._connection, self.path)

    def _rows(self, query: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise IndexUnusable(self.path, error) from error

    # Wheels and blobs

    def wheels(self, sha256s: Sequence[str]) -> dict[str, WheelRow]:
        """The ingested wheels among `sha256s`, by sha256."""
        found: dict[str, WheelRow] = {}
        for at in range(0, len(sha256s), 500):
            chunk = sha256s[at : at + 500]
            marks = ",".join("?" * len(chunk))
            rows = self._rows(f"{_SELECT_WHEEL} WHERE sha256 IN ({marks})", chunk)
            found.update((row[0], WheelRow(*row)) for row in rows)
        return found

    def filenames(self, sha256s: Sequence[str]) -> dict[str, str]:
        """The filenames of those of `sha256s` that the store has."""
        found: dict[str, str] = {}
        for at in range(0, len(sha256s), 500):
            chunk = sha256s[at : at + 500]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT sha256, filename FROM wheels WHERE sha256 IN ({marks})"  # noqa: S608
            found.update(self._rows(query, chunk))
        return found

    def sha256s(self) -> list[str]:
        """Every wheel by its sha256."""
        return [sha256 for (sha256,) in self._connection.execute("SELECT sha256 FROM wheels")]

    def listing(self, name: str | None = None) -> list[ListedWheel]:
        """Every wheel, or every wheel of the project `name` (normalized), by name and filename, without its files."""
        where, values = (" WHERE name = ?", (name,)) if name else ("", ())
        query = f"SELECT name, version, filename, sha256, size, added, used FROM wheels{where} ORDER BY name, filename"  # noqa: S608
        return [ListedWheel(*row) for row in self._connection.execute(query, values)]

    def all_wheels(self, name: str | None = None) -> Iterator[WheelRow]:
        """Every wheel, or every wheel of the project `name` (normalized), by name, version and filename."""
        where, values = (" WHERE name = ?", (name,)) if name else ("", ())
        for row in self._rows(f"{_SELECT_WHEEL}{where} ORDER BY name, version, filename", values):
            yield WheelRow(*row)

    def add_wheels(self, wheels: Iterable[tuple[WheelRow, Iterable[tuple[bytes, int]]]], *, now: float) -> None:
        """Make wheels visible, each with its blobs' (key, size); inside `writing`, blobs already on disk."""
        connection = self._connection
        for wheel, blobs in wheels:
            connection.executemany("INSERT OR IGNORE INTO blobs (key, size) VALUES (?, ?)", blobs)
            connection.execute(
                "INSERT INTO wheels (sha256, filename, name, version, size, purelib, files, origin, added, used)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET used = excluded.used",
                (*wheel, now, now),
            )

    def blob_count(self) -> tuple[int, int]:
        """How many blobs the store has, and their bytes."""
        ((count, total),) = self._rows("SELECT count(*), coalesce(sum(size), 0) FROM blobs")
        return int(count), int(total)

    # Manifests and answers

    def manifest(self, digest: str) -> bytes | None:
        """The plan that was made from the manifest `digest`, as `materialize.plan` packed it."""
        rows = self._rows("SELECT plan FROM manifests WHERE digest = ?", (digest,))
        return bytes(rows[0][0]) if rows else None

    def manifest_content(self, digest: str) -> bytes | None:
        """The manifest itself, canonical."""
        rows = self._rows("SELECT content FROM manifests WHERE digest = ?", (digest,))
        return bytes(rows[0][0]) if rows else None

    def put_manifest(self, digest: str, content: bytes, plan: bytes, *, now: float) -> None:
        """Keep a manifest and its plan; inside `writing`."""
        self._connection.execute(
            "INSERT INTO manifests (digest, content, plan, used) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (digest) DO UPDATE SET plan = excluded.plan, used = excluded.used",
            (digest, content, plan, now),
        )

    def answer(self, key: str) -> Answer | None:
        """What the lock, interpreter and options behind `key` meant last time."""
        rows = self._rows("SELECT manifest, inputs FROM answers WHERE key = ?", (key,))
        return Answer(*rows[0]) if rows else None

    def put_answer(self, key: str, answer: Answer, *, now: float) -> None:
        """Remember an answer; inside `writing`."""
        self._connection.execute(
            "INSERT OR REPLACE INTO answers (key, manifest, inputs, used) VALUES (?, ?, ?, ?)",
            (key, answer.manifest, answer.inputs, now),
        )

    # Environments

    def environments(self) -> list[EnvironmentRow]:
        """Every registered environment, by path."""
        return [EnvironmentRow(*row) for row in self._rows(f"{_SELECT_ENVIRONMENT} ORDER BY path, id")]

    def environment(self, identifier: str) -> EnvironmentRow | None:
        """The environment registered under `identifier`."""
        rows = self._rows(f"{_SELECT_ENVIRONMENT} WHERE id = ?", (identifier,))
        return EnvironmentRow(*rows[0]) if rows else None

    def put_environment(self, row: EnvironmentRow) -> None:
        """Register an environment, or what it has become; one at a path replaces what was there. Inside `writing`."""
        connection = self._connection
        connection.execute("DELETE FROM environments WHERE path = ? AND id <> ?", (row.path, row.id))
        connection.execute(
            "INSERT INTO environments (id, path, manifest, mode, python, created, synced) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET path = excluded.path, manifest = excluded.manifest,"
            " mode = excluded.mode, python = excluded.python, synced = excluded.synced",
            row,
        )

    # Small things remembered, such as interpreters' facts and filesystems' link modes

    def recall(self, key: str) -> bytes | None:
        """The value remembered under `key`."""
        rows = self._rows("SELECT value FROM memory WHERE key = ?", (key,))
        return bytes(rows[0][0]) if rows else None

    def remember(self, key: str, value: bytes) -> None:
        """Remember `value` under `key`, in a transaction of its own unless one is open."""
        statement = "INSERT OR REPLACE INTO memory (key, value) VALUES (?, ?)"
        if self._connection.in_transaction:
            self._connection.execute(statement, (key, value))
            return
        with self.writing():
            self._connection.execute(statement, (key, value))


_SELECT_WHEEL = "SELECT sha256, filename, name, version, size, purelib, files, origin FROM wheels"
_SELECT_ENVIRONMENT = "SELECT id, path, manifest, mode, python, created, synced FROM environments"


def open_index(path: str) -> Index:
    """Open the index, making or migrating it if need be; one that this user may only read opens for reading.

    Raises:
        IndexUnusable: it cannot be opened, or is not an SQLite database.
        schema.IndexTooNew: a newer wheelstore wrote it.
    """
    try:
        try:
            connection, version = _connect(path)
        except sqlite3.OperationalError:
            if os.access(os.path.dirname(path), os.W_OK):
                raise
            connection, version = _connect(_resting(path))
    except sqlite3.Error as error:
        raise IndexUnusable(path, error) from None
    try:
        if version != _VERSION:
            from wheelstore.store.schema import migrate

            # Plans are blobs of megabytes: larger pages are a quarter of the reads.
            connection.execute("PRAGMA page_size = 16384")
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")
        # The first to open the index reads the whole log; 1 MB takes 1 ms.
        connection.execute("PRAGMA wal_autocheckpoint = 64")
    except sqlite3.Error as error:
        connection.close()
        raise IndexUnusable(path, error) from None
    except BaseException:
        connection.close()
        raise
    return Index(connection, path)


def _connect(address: str) -> tuple[sqlite3.Connection, int]:
    """The database at `address`, a path or a ``file:`` URI, and its schema's version."""
    # isolation_level None: transactions begin where `writing` says so, and nowhere else.
    connection = sqlite3.connect(address, timeout=_BUSY, isolation_level=None, uri=True)
    try:
        return connection, int(connection.execute("PRAGMA user_version").fetchone()[0])
    except BaseException:
        connection.close()
        raise


def _resting(path: str) -> str:
    """The address of an index that nobody writes to, in a directory where SQLite cannot make its files for WAL.

    Its owner's last command took those away (https://www.sqlite.org/wal.html, "Read-Only Databases").
    """
    return f"file:{path.replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?immutable=1"
