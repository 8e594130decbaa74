"""The SQLite index: which wheels, blobs, manifests and environments there are. All SQL of the store is in ``index*``.

Hot path; `schema` (sqlite-utils) is imported when a database is new or old.
"""

from __future__ import annotations

import os

from wheelstore.store.database import IndexUnusable
from wheelstore.store.index_images import ImageRow, ImagesIndex, PrewarmedRow
from wheelstore.store.index_roots import EnvironmentRow, Generation
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
else:
    try:  # what sqlite3 is made of, without the adapters for dates, whose import takes as long again
        import _sqlite3 as sqlite3
    except ImportError:
        import sqlite3

__all__ = [
    "Answer",
    "EnvironmentRow",
    "Generation",
    "ImageRow",
    "Index",
    "IndexUnusable",
    "ListedWheel",
    "PrewarmedRow",
    "WheelRow",
    "open_index",
]

_VERSION = 3  # of the schema; `schema.VERSION`, repeated so that the warm path need not import it
_BUSY = 30.0  # seconds that a writer waits for another
_NO_FILES = b"\0\0\0\0"  # an empty `filelist`


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


class Answer(NamedTuple):
    """What a lock meant last time: a manifest, and the further files (path, digest) that were read for it."""

    manifest: str
    inputs: str


class Index(ImagesIndex):
    """An open index. Not for several threads; each process opens its own."""

    __slots__ = ()

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
        execute("DELETE FROM shapes WHERE manifest = ?", (digest,))
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
    except (sqlite3.Error, UnicodeDecodeError) as error:
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
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # so that gc can give them back
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")
        # The first to open the index reads the whole log; 1 MB takes 1 ms.
        connection.execute("PRAGMA wal_autocheckpoint = 64")
    except (sqlite3.Error, UnicodeDecodeError) as error:
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


def _connect(path: str) -> tuple[sqlite3.Connection, int]:
    """The database at `path`, and its schema's version."""
    # isolation_level None: transactions begin where `writing` says so, and nowhere else.
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
    try:
        return connection, int(connection.execute("PRAGMA user_version").fetchone()[0])
    except BaseException:
        connection.close()
        raise
