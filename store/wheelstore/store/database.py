"""An SQLite database of the store: open, in transactions that are all or nothing, and left in either of two ways.

Standard `sqlite3` only, because the warm path opens the index. Writers take ``BEGIN IMMEDIATE``, so that none of them
fails half-way on a lock.
"""

from __future__ import annotations

import os
import sys

from wheelstore.store.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, Self
else:
    try:  # what sqlite3 is made of, without the adapters for dates, whose import takes as long again
        import _sqlite3 as sqlite3
    except ImportError:
        import sqlite3


class IndexUnusable(StoreError):
    """The index cannot be opened, read or written.

    Of a damaged one Python may say nothing but that SQLite's message, which quotes it, is not UTF-8.
    """

    def __init__(self, path: str, error: sqlite3.Error | UnicodeDecodeError) -> None:
        super().__init__(path, error)
        if isinstance(error, UnicodeDecodeError):
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorname = "SQLITE_CORRUPT"
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


_left_open: list[sqlite3.Connection] = []  # Python 3.11 cannot close a connection without moving the log


class Writing:
    """See `Database.writing`; a class, because `contextlib` would be imported for it alone."""

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


class Database:
    """An open database. Not for several threads; each process opens its own."""

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
        """End the use of the database at once, for a process that ends now: what was committed stays in the log.

        Closing, by the last of its users, moves the log into the database with four ``fdatasync``; the next command
        that has the time does it.
        """
        if sys.version_info >= (3, 12):
            self._connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)  # noqa: FBT003
            self._connection.close()
        else:
            _left_open.append(self._connection)

    def __enter__(self) -> Self:
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


def _is_shared(directory: str) -> bool:
    try:
        return os.name != "nt" and bool(os.stat(directory).st_mode & 0o055)
    except FileNotFoundError:
        return False
