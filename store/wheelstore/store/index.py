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
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any
else:
    try:  # what sqlite3 is made of, without the adapters for dates, whose import takes as long again
        import _sqlite3 as sqlite3
    except ImportError:
        import sqlite3

_VERSION = 2  # of the schema; `schema.VERSION`, repeated so that the warm path need not import it
_BUSY = 30.0  # seconds that a writer waits for another
_NO_FILES = b"\0\0\0\0"  # an empty `filelist`


class IndexUnusable(StoreError):
    """The index cannot be opened, read or written."""

    def __init__(self, path: str, error: sqlite3.Error) -> None:
        super().__init__(path, error)
        name = getattr(error, "sqlite_errorname", "")
        # With no byte to spare, SQLite cannot make even the memory that its readers share: a "disk I/O error".
        self.path, self.reason = path, "database or disk is full" if name in _FULL else str(error)
        self.hint = _HINTS.get(name)
        self.damaged = name in _DAMAGED or name.startswith("SQLITE_CORRUPT_")

    def __str__(self) -> str:
        return f"the index {self.path} cannot be used: {self.reason}"


_FULL = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
_HINTS = {
    **dict.fromkeys(_FULL, "make room there, and run the same command again"),
    "SQLITE_BUSY": "another store command is at it: run this one again when that is done",
    **dict.fromkeys(_DAMAGED, "store verify --repair makes it anew from what is kept of each wheel"),
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
    """A registered environment: a gc root.

    `filesystem` tells the one that it is on (`roots.filesystem_of`), `generation` is the number of the one of its
    `Generation`s that it is at, `missing` is since when it is known not to be there (None: it is, or was, there).
    """

    id: str
    path: str
    manifest: str
    mode: str
    python: str
    created: float
    synced: float
    filesystem: str = ""
    generation: int = 1
    missing: float | None = None


class Generation(NamedTuple):
    """One of the manifests that an environment has had: a root as well, as far as `gc` keeps it.

    `key` and `inputs` are the question it answered (`Answer`), `interpreter` the base Python's executable and
    `python` its version; `source` is what the user named (locks, or a command), for display.
    """

    environment: str
    number: int
    manifest: str
    key: str
    inputs: str
    interpreter: str
    python: str
    source: str
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
        """Close the database; the index is unusable afterwards.

        In a store that others may read, SQLite's own files stay: they could not make them (`reading`).
        """
        if not _is_shared(os.path.dirname(self.path)):
            self._connection.close()
            return
        try:
            self._connection.execute("PRAGMA busy_timeout = 0")  # whoever reads or writes now is not waited for
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:
            pass
        self.leave()

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

    def stream(self, query: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a question that a sibling module asks (`index_reports`), as they are read.

        Raises:
            IndexUnusable: the database is damaged.
        """
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise IndexUnusable(self.path, error) from error

    def many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Carry out a statement of a sibling module for each of `rows`; inside a transaction."""
        try:
            self._connection.executemany(statement, rows)
        except sqlite3.Error as error:
            raise IndexUnusable(self.path, error) from error

    @property
    def is_writing(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._connection.in_transaction)

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
            query = f"SELECT sha256, filename FROM wheels WHERE sha256 IN ({marks})"
            found.update(self._rows(query, chunk))
        return found

    def sha256s(self) -> list[str]:
        """Every wheel by its sha256."""
        return [sha256 for (sha256,) in self.stream("SELECT sha256 FROM wheels")]

    def listing(self, name: str | None = None) -> list[ListedWheel]:
        """Every wheel, or every wheel of the project `name` (normalized), by name and filename, without its files."""
        where, values = (" WHERE name = ?", (name,)) if name else ("", ())
        query = (
            "SELECT name, version, filename, sha256, size, added, coalesce(used, added) FROM wheels"
            f" LEFT JOIN wheel_uses ON wheel = id{where} ORDER BY name, filename"
        )
        return [ListedWheel(*row) for row in self.stream(query, values)]

    def all_wheels(self, name: str | None = None) -> Iterator[WheelRow]:
        """Every wheel, or every wheel of the project `name` (normalized), by name, version and filename."""
        where, values = (" WHERE name = ?", (name,)) if name else ("", ())
        for row in self._rows(f"{_SELECT_WHEEL}{where} ORDER BY name, version, filename", values):
            yield WheelRow(*row)

    def add_wheels(self, wheels: Iterable[tuple[WheelRow, Iterable[tuple[bytes, int]]]], *, now: float) -> None:
        """Make wheels visible, each with its blobs' (key, size); inside `writing`, blobs already on disk.

        A wheel that is there already is only used once more.
        """
        for wheel, blobs in wheels:
            inserted = self._connection.execute(
                "INSERT INTO wheels (sha256, filename, name, version, size, purelib, files, origin, added)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING RETURNING id",
                (*wheel, now),
            ).fetchall()
            if inserted:
                self._refer(blobs)
            self.use_wheels([wheel.sha256], now=now)

    def use_wheels(self, sha256s: Iterable[str], *, now: float) -> None:
        """Note that those of `sha256s` that are there were used; inside `writing`."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO wheel_uses (wheel, used) SELECT id, ? FROM wheels WHERE sha256 = ?",
            [(now, sha256) for sha256 in sha256s],
        )

    def _refer(self, blobs: Iterable[tuple[bytes, int]]) -> None:
        """Count one more reference to each blob, and take it back if it was condemned."""
        distinct = set(blobs)
        self._connection.executemany(
            "INSERT INTO blobs (key, size, refs) VALUES (?, ?, 1) ON CONFLICT (key) DO UPDATE SET refs = refs + 1",
            distinct,
        )
        self._connection.executemany("DELETE FROM condemned WHERE key = ?", [(key,) for key, _ in distinct])

    def known_blobs(self, keys: Iterable[bytes]) -> set[bytes]:
        """Which blobs among `keys` somebody refers to; inside `writing`, where that means that they are on disk."""
        execute = self._connection.execute
        return {key for key in keys if execute("SELECT 1 FROM blobs WHERE key = ?", (key,)).fetchone()}

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

    def put_manifest(
        self,
        digest: str,
        content: bytes,
        plan: bytes,
        *,
        now: float,
        wheels: Iterable[str] = (),
        generated: bytes = _NO_FILES,
    ) -> None:
        """Keep a manifest and its plan; inside `writing`.

        `wheels` are the sha256s of what it consists of, which are then not collected; `generated` is the list
        (`filelist.pack`) of the blobs that its plan has besides those of the wheels.
        """
        from wheelstore.store.filelist import unpack

        execute = self._connection.execute
        before = execute("SELECT generated FROM manifests WHERE digest = ?", (digest,)).fetchone()
        self._refer((file.key, file.size) for file in unpack(generated) if file.size)
        if before is not None:
            self.release((file.key, file.size) for file in unpack(before[0]) if file.size)
        execute(
            "INSERT INTO manifests (digest, content, plan, generated) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (digest) DO UPDATE SET plan = excluded.plan, generated = excluded.generated",
            (digest, content, plan, generated),
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO manifest_wheels (manifest, wheel) SELECT ?, id FROM wheels WHERE sha256 = ?",
            [(digest, sha256) for sha256 in wheels],
        )
        self.use_manifest(digest, now=now)

    def use_manifest(self, digest: str, *, now: float) -> None:
        """Note that a manifest was used; inside `writing`."""
        self._connection.execute("INSERT OR REPLACE INTO manifest_uses (manifest, used) VALUES (?, ?)", (digest, now))

    def release(self, blobs: Iterable[tuple[bytes, int]]) -> None:
        """Count one reference less to each blob (key, size); what nobody refers to is condemned. Inside `writing`."""
        distinct = set(blobs)
        keys = [(key,) for key, _ in distinct]
        self._connection.executemany("UPDATE blobs SET refs = refs - 1 WHERE key = ?", keys)
        self._connection.executemany(
            "INSERT OR IGNORE INTO condemned (key, size) SELECT key, size FROM blobs WHERE key = ? AND refs <= 0", keys
        )
        self._connection.executemany("DELETE FROM blobs WHERE key = ? AND refs <= 0", keys)

    def answer(self, key: str) -> Answer | None:
        """What the lock, interpreter and options behind `key` meant last time."""
        rows = self._rows("SELECT manifest, inputs FROM answers WHERE key = ?", (key,))
        return Answer(*rows[0]) if rows else None

    def put_answer(self, key: str, answer: Answer) -> None:
        """Remember an answer; inside `writing`."""
        self._connection.execute(
            "INSERT OR REPLACE INTO answers (key, manifest, inputs) VALUES (?, ?, ?)",
            (key, answer.manifest, answer.inputs),
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
        """Register an environment, or what it has become; inside `writing`."""
        self._connection.execute(
            f"INSERT INTO environments ({_ENVIRONMENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET path = excluded.path, manifest = excluded.manifest,"
            " mode = excluded.mode, python = excluded.python, synced = excluded.synced,"
            " filesystem = excluded.filesystem, generation = excluded.generation, missing = NULL",
            row,
        )

    def supplant(self, path: str, identifier: str, *, spared: Callable[[str], bool]) -> None:
        """Forget the environments that were at `path` before the one with `identifier`, but for those `spared`.

        Inside `writing`.
        """
        execute = self._connection.execute
        before = execute("SELECT id FROM environments WHERE path = ? AND id <> ?", (path, identifier)).fetchall()
        for (gone,) in before:
            if not spared(gone):
                execute("DELETE FROM environments WHERE id = ?", (gone,))
                execute("DELETE FROM generations WHERE environment = ?", (gone,))

    def last_generation(self, environment: str) -> int:
        """The highest number in an environment's history; 0 if it has none."""
        rows = self._rows("SELECT coalesce(max(number), 0) FROM generations WHERE environment = ?", (environment,))
        return int(rows[0][0])

    def forget(self, identifier: str) -> None:
        """Count an environment as a root no more, with all that it was before; inside `writing`."""
        self._connection.execute("DELETE FROM environments WHERE id = ?", (identifier,))
        self._connection.execute("DELETE FROM generations WHERE environment = ?", (identifier,))

    def put_generation(self, row: Generation) -> None:
        """Keep what an environment has become in its history; inside `writing`."""
        self._connection.execute(
            f"INSERT OR REPLACE INTO generations ({_GENERATION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row
        )

    def generations(self, environment: str) -> list[Generation]:
        """The history of an environment, oldest first."""
        query = f"SELECT {_GENERATION} FROM generations WHERE environment = ? ORDER BY number"
        return [Generation(*row) for row in self._rows(query, (environment,))]

    # Leases

    def lease_manifest(self, identifier: str, manifest: str, *, now: float) -> None:
        """Let a lease protect a manifest (and no other), with all that it consists of; inside `writing`."""
        self._connection.execute(
            "INSERT INTO leases (id, manifest, started) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest",
            (identifier, manifest, now),
        )

    def lease_wheels(self, identifier: str, sha256s: Iterable[str], *, now: float) -> None:
        """Let a lease protect wheels, whether they are there already or not; inside `writing`."""
        self._connection.execute(
            "INSERT OR IGNORE INTO leases (id, manifest, started) VALUES (?, '', ?)", (identifier, now)
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO lease_wheels (lease, sha256) VALUES (?, ?)", [(identifier, one) for one in sha256s]
        )

    def drop_lease(self, identifier: str) -> None:
        """End a lease; inside `writing`."""
        self._connection.execute("DELETE FROM lease_wheels WHERE lease = ?", (identifier,))
        self._connection.execute("DELETE FROM leases WHERE id = ?", (identifier,))

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
_ENVIRONMENT = "id, path, manifest, mode, python, created, synced, filesystem, generation, missing"
_SELECT_ENVIRONMENT = f"SELECT {_ENVIRONMENT} FROM environments"
_GENERATION = "environment, number, manifest, key, inputs, interpreter, python, source, synced"


def open_index(path: str) -> Index:
    """Open the index, making or migrating it if need be; one that this user may only read opens for reading.

    Raises:
        IndexUnusable: it cannot be opened, or is not an SQLite database.
        schema.IndexTooNew: a newer wheelstore wrote it.
        reading.IndexNotReadable: it is someone else's, and not for us to read, or not there yet.
    """
    if not _is_ours(os.path.dirname(path)):
        from wheelstore.store.reading import open_someone_elses

        return open_someone_elses(path, version=_VERSION)
    try:
        connection, version = _connect(path)
    except sqlite3.Error as error:
        raise IndexUnusable(path, error) from None
    try:
        if version != _VERSION:
            from wheelstore.store.schema import IndexTooNew, migrate

            if version > _VERSION:
                raise IndexTooNew(path, version)
            # Who may read it is for the store's directory to say. SQLite's other files get the same mode.
            os.chmod(path, 0o644)
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


def _is_ours(directory: str) -> bool:
    """Whether this user may write an index there; root may, but makes nothing in someone else's store."""
    if os.name == "nt":
        return True
    try:
        return os.stat(directory).st_uid == os.geteuid() and os.access(directory, os.W_OK)
    except FileNotFoundError:
        return True


def _is_shared(directory: str) -> bool:
    try:
        return os.name != "nt" and bool(os.stat(directory).st_mode & 0o055)
    except FileNotFoundError:
        return False


def _connect(path: str) -> tuple[sqlite3.Connection, int]:
    """The database at `path`, and its schema's version."""
    # isolation_level None: transactions begin where `writing` says so, and nowhere else.
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
    try:
        return connection, int(connection.execute("PRAGMA user_version").fetchone()[0])
    except BaseException:
        connection.close()
        raise
