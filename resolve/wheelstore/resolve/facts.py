"""What was learned from indexes, in SQLite: digested pages, which file a sha256 names, and what metadata says.

All of it can be fetched again, so nothing here is precious: a broken database is begun anew, one that a
newer program wrote or that nobody here may write is left alone. Writes are small and WAL keeps them off
the readers' way; one connection is shared under a lock. No credentials are stored.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self

from wheelstore.resolve.facts_schema import SCHEMA, STEPS, TABLES
from wheelstore.resolve.simple import IndexFile

_METADATA_BY_KEY = "SELECT key, packed FROM metadata WHERE key IN (?)"
_SIDECARS_BY_KEY = "SELECT key, sidecar FROM metadata WHERE key IN (?) AND sidecar IS NOT NULL"
_FILES_BY_HASH = "SELECT sha256, filename, url, size, requires_python, yanked, source FROM files WHERE sha256 IN (?)"
_MOST_PARAMETERS = 500
_PAGES = 1000  # of the database, given back to the disk in one transaction
_EVER = float("inf")


class CachedPage(NamedTuple):
    """A remembered answer; ``body`` is the sha256 of the page as served, ``digest`` what it says.

    ``status`` is 200 or 404; times are seconds since the epoch.
    """

    status: int
    etag: str | None
    last_modified: str | None
    fetched: float
    fresh_until: float
    body: bytes
    digest: bytes


class LockAnswer(NamedTuple):
    """A lock as it was written: from which further files, with which words to people, and its bytes."""

    inputs: str
    said: str
    output: bytes


class KnownFile(NamedTuple):
    """A file that a sha256 names, and the location (without credentials) that said so."""

    file: IndexFile
    source: str


class Facts:
    """The database at one path; safe to share between threads, and between processes."""

    def __init__(self, path: Path | None) -> None:
        """Open the database; None keeps everything in memory."""
        self._lock = threading.Lock()
        self._connection = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; repeating it is harmless."""
        with self._lock:
            self._connection.close()

    def page(self, url: str) -> CachedPage | None:
        """Recall the answer for a page's URL, however old."""
        rows = self._read(
            "SELECT status, etag, last_modified, fetched, fresh_until, body, digest FROM pages WHERE url = ?",
            (url,),
        )
        return CachedPage(*rows[0]) if rows else None

    def fresh_until(self, url: str) -> float:
        """Until when the remembered answer for a page's URL is good; 0 if there is none."""
        rows = self._read("SELECT fresh_until FROM pages WHERE url = ?", (url,))
        return float(rows[0][0]) if rows else 0.0

    def remember_page(self, url: str, page: CachedPage) -> None:
        """Keep an answer, in place of an earlier one."""
        self.remember_pages({url: page})

    def remember_pages(self, pages: Mapping[str, CachedPage]) -> None:
        """Keep answers by URL, in one transaction."""
        rows = [(url, *page) for url, page in pages.items()]
        if rows:
            self._write("INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def confirm_page(self, url: str, *, fetched: float, fresh_until: float) -> None:
        """Note that the remembered answer was found to be still true."""
        self._write("UPDATE pages SET fetched = ?, fresh_until = ? WHERE url = ?", [(fetched, fresh_until, url)])

    def files(self, sha256s: Collection[str]) -> dict[str, KnownFile]:
        """Recall the files that these hex digests name; unknown ones are left out."""
        keys = [bytes.fromhex(sha256) for sha256 in sha256s]
        found: dict[str, KnownFile] = {}
        for start in range(0, len(keys), _MOST_PARAMETERS):
            some = keys[start : start + _MOST_PARAMETERS]
            marks = ",".join("?" * len(some))
            rows = self._read(_FILES_BY_HASH.replace("?", marks), some)
            for sha256, filename, url, size, requires_python, yanked, source in rows:
                text = sha256.hex()
                file = IndexFile(filename, url, (f"sha256:{text}",), size, requires_python, yanked)
                found[text] = KnownFile(file, source)
        return found

    def remember_files(self, files: Iterable[KnownFile]) -> None:
        """Keep what the files' sha256s name; files without one are passed over."""
        rows = [
            (bytes.fromhex(sha256), file.filename, file.url, file.size, *file[4:6], source)
            for file, source in files
            if (sha256 := file.sha256) is not None
        ]
        if rows:
            self._write("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def metadata(self, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """Recall what was remembered by `remember_metadata`; unknown keys are left out."""
        return self._by_keys(_METADATA_BY_KEY, list(keys))

    def remember_metadata(
        self, rows: Mapping[bytes, bytes], sidecars: Mapping[bytes, bytes] = MappingProxyType({})
    ) -> None:
        """Keep packed metadata by a digest that names its distribution, in one transaction.

        `sidecars` has the sha256 of the sidecar (PEP 658) for those that were read from one.
        """
        if rows:
            packed = [(key, value, sidecars.get(key)) for key, value in rows.items()]
            self._write("INSERT OR REPLACE INTO metadata (key, packed, sidecar) VALUES (?, ?, ?)", packed)

    def sidecars(self, sha256s: Collection[str]) -> dict[str, str]:
        """The hex sha256 of the sidecar that was believed, by that of the file; others are left out."""
        found = self._by_keys(_SIDECARS_BY_KEY, [bytes.fromhex(sha256) for sha256 in sha256s])
        return {key.hex(): sidecar.hex() for key, sidecar in found.items()}

    def answer(self, key: bytes) -> tuple[LockAnswer, dict[str, tuple[str, bytes]]] | None:
        """Recall a lock, and the pages that it comes from: by URL, whose page it was and the sha256 of its bytes."""
        with self._transaction("DEFERRED"):
            rows = self._connection.execute("SELECT inputs, said, output FROM answers WHERE key = ?", (key,)).fetchall()
            pages = self._connection.execute("SELECT url, project, body FROM answer_pages WHERE key = ?", (key,))
            found = {url: (project, body) for url, project, body in pages}
            return (LockAnswer(*rows[0]), found) if rows else None
        return None

    def remember_answer(
        self, key: bytes, answer: LockAnswer, pages: Mapping[str, tuple[str, bytes]], *, used: float
    ) -> None:
        """Keep a lock and what it comes from, both or neither."""
        with self._transaction("IMMEDIATE"):
            self._connection.execute("DELETE FROM answer_pages WHERE key = ?", (key,))
            rows = [(key, url, *pages[url]) for url in pages]
            self._connection.executemany("INSERT INTO answer_pages VALUES (?, ?, ?, ?)", rows)
            self._connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", (key, used, *answer))

    def local_hash(self, path: str, stamp: str) -> str | None:
        """Recall the hex sha256 of a local file, unless its stamp has changed."""
        rows = self._read("SELECT sha256 FROM local_hashes WHERE path = ? AND stamp = ?", (path, stamp))
        return rows[0][0].hex() if rows else None

    def remember_local_hash(self, path: str, stamp: str, sha256: str) -> None:
        """Keep the hex sha256 of a local file in the state that the stamp stands for."""
        row = (path, stamp, bytes.fromhex(sha256))
        self._write("INSERT OR REPLACE INTO local_hashes VALUES (?, ?, ?)", [row])

    def prunable(self, *, before: float, now: float) -> tuple[int, int]:
        """How many pages `prune` would forget, and their bytes."""
        query = "SELECT count(*), coalesce(sum(length(body) + length(digest)), 0) FROM pages WHERE min(fetched, ?) <= ?"
        rows = self._read(query, (now, before))
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)

    def prune(self, *, before: float, now: float = _EVER) -> int:
        """Forget the pages last fetched at a time or before, and return how many; likewise locks, and nothing else.

        A time in the future, by a clock that was wrong, counts as now.
        """
        count = self._write("DELETE FROM pages WHERE min(fetched, ?) <= ?", [(now, before)])
        with self._transaction("IMMEDIATE"):
            self._connection.execute("DELETE FROM answers WHERE min(used, ?) <= ?", (now, before))
            self._connection.execute("DELETE FROM answer_pages WHERE key NOT IN (SELECT key FROM answers)")
        free = -1
        while (rows := self._read("PRAGMA freelist_count", ())) and rows[0][0] not in (0, free):
            free = rows[0][0]
            self._read(f"PRAGMA incremental_vacuum({_PAGES})", ())
        return count

    def _by_keys(self, sql: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The pairs that a query with one list of parameters finds."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), _MOST_PARAMETERS):
            some = keys[start : start + _MOST_PARAMETERS]
            found.update(self._read(sql.replace("?", ",".join("?" * len(some))), some))
        return found

    def _read(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        with self._lock, suppress(sqlite3.DatabaseError):  # damaged since it was opened: nothing is known
            return self._connection.execute(sql, parameters).fetchall()
        return []

    def _write(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run one statement for each row."""
        with self._transaction("IMMEDIATE"):
            return self._connection.executemany(sql, rows).rowcount
        return 0

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        """Several statements as one; a database that cannot be written, or read, now learns and knows nothing."""
        with self._lock, suppress(sqlite3.DatabaseError):
            self._connection.execute(f"BEGIN {kind}")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.DatabaseError):
                    self._connection.execute("ROLLBACK")
                raise


def _open(path: Path | None) -> sqlite3.Connection:
    """Open for writing, else for reading, else in memory."""
    if path is not None:
        with suppress(sqlite3.OperationalError):
            return _open_or_begin_anew(path)
        with suppress(sqlite3.DatabaseError):
            connection = _connect(f"{path.absolute().as_uri()}?mode=ro")
            if 0 < _version_or_close(connection) <= SCHEMA:  # what an older one lacks is not known
                return connection
            connection.close()
    return _set_up(_connect("file::memory:"))


def _open_or_begin_anew(path: Path) -> sqlite3.Connection:
    address = path.absolute().as_uri()
    try:
        return _set_up(_connect(address))
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:  # the file is damaged, or no database at all
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(f"{path}{suffix}")
        return _set_up(_connect(address))


def _connect(address: str) -> sqlite3.Connection:
    return sqlite3.connect(address, uri=True, timeout=30, isolation_level=None, check_same_thread=False)


def _set_up(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Bring the schema up; one that is not ours to change is refused with OperationalError."""
    try:
        _refuse_newer(_version(connection))
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # as long as there are no tables
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if _version(connection) != SCHEMA:
            connection.execute("BEGIN IMMEDIATE")
            _migrate(connection, _version(connection))
            connection.execute("COMMIT")
        for table in TABLES:  # is what is behind the header sound?
            connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()  # noqa: S608
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    _refuse_newer(version)
    for step in STEPS[version:]:  # none, if another process was faster
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _refuse_newer(version: int) -> None:
    if version > SCHEMA:
        raise sqlite3.OperationalError("written by a newer program")


def _version_or_close(connection: sqlite3.Connection) -> int:
    try:
        return _version(connection)
    except BaseException:
        connection.close()
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
