"""The index of a store that this process may not, or should not, write to: opened so that nothing is made there.

SQLite's readers usually write: their locks are in a ``-shm`` file that they make if need be, and even ``mode=ro`` makes
an empty ``-wal``. There are two ways around it (https://www.sqlite.org/wal.html, "Read-Only Databases"):

* With a ``-wal`` and a ``-shm`` there, ``readonly_shm`` reads them as they are, whether the owner is at work or not:
  where nobody keeps the ``-shm`` up to date, SQLite makes one of its own in memory. Nothing committed is missed.
  `Index.close` leaves both files in a store that others may read.
* Without them, the database holds everything, and ``immutable`` reads that alone. It is only right while the owner
  does not come to work, which shows in the files; what was read meanwhile is read again the first way.
"""

from __future__ import annotations

import os
import time

from wheelstore.store.errors import StoreError
from wheelstore.store.index import Index, IndexUnusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from typing import Any
else:
    try:
        import _sqlite3 as sqlite3
    except ImportError:
        import sqlite3

_PATIENCE = 10.0  # seconds that the owner's beginning or ending may be in our way
_PAUSE = 0.002
_PASSING = ("SQLITE_READONLY_CANTINIT", "SQLITE_READONLY_RECOVERY", "SQLITE_READONLY_CANTLOCK", "SQLITE_BUSY_RECOVERY")


class IndexNotReadable(StoreError):
    """The index of someone else's store cannot be read by this user, or not without writing."""

    def __init__(self, path: str, reason: str, hint: str) -> None:
        super().__init__(path, reason, hint)
        self.path, self.reason, self.hint = path, reason, hint

    def __str__(self) -> str:
        return f"the index {self.path} cannot be read: {self.reason}"


class Rows(list["tuple[Any, ...]"]):
    """All rows of an answer; what is used of a cursor."""

    def fetchall(self) -> Rows:
        """All of them."""
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        """The first."""
        return self[0] if self else None


class Reader:
    """What `Index` uses of a connection, for an index at `path` to which nothing is written; see this module."""

    in_transaction = False

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._seen: object = None  # what the files were when the database was taken for immutable

    def execute(self, query: str, values: Sequence[object] = ()) -> Rows:
        """Run a statement and read all that it answers.

        Raises:
            sqlite3.Error: it cannot be run; it writes, for instance.
            IndexNotReadable: as the text says.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                connection = self._connection or self._open()
                rows = Rows(connection.execute(query, values))
            except sqlite3.DatabaseError as error:
                stays = self._seen is None or self._seen == _look(self._path)
                if (stays and not self._is_passing(error)) or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
            else:
                if self._seen is None or self._seen == _look(self._path):
                    return rows
            self.close()

    def executemany(self, query: str, values: Iterator[Sequence[object]]) -> Rows:
        """Run a statement once for each of `values`."""
        return Rows(row for each in values for row in self.execute(query, each))

    def backup(self, target: sqlite3.Connection) -> None:
        """Copy all of the index into the database `target`."""
        self.execute("PRAGMA user_version")
        if self._connection is not None:
            self._connection.backup(target)

    def rollback(self) -> None:
        """Do nothing: there are no transactions."""

    commit = rollback

    def close(self) -> None:
        """Let go of the files; the next statement opens them again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        self._seen = None
        there = _look(self._path)
        _, log, shared = there
        if log is None or not shared:
            if log:
                raise IndexNotReadable(
                    self._path,
                    f"{os.path.basename(self._path)}-wal is there without its -shm file",
                    "let the store's owner run a command once, such as 'store ls'",
                )
            self._seen = there
        address = self._path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        how = "immutable=1" if self._seen else "mode=ro&readonly_shm=1"
        self._connection = sqlite3.connect(f"file:{address}?{how}", timeout=_PATIENCE, isolation_level=None, uri=True)
        return self._connection

    def _is_passing(self, error: sqlite3.Error) -> bool:
        """Whether the owner's coming or going explains an error: the files that belong together change one by one."""
        if getattr(error, "sqlite_errorname", "") in _PASSING:
            return True
        return self._seen is None and self._connection is not None and None in _look(self._path)


def _look(path: str) -> tuple[tuple[int, int, int], int | None, bool | None]:
    """What can be seen of the three files: the database's identity, the log's size, whether the shared memory is there.

    Raises:
        IndexNotReadable: there is no database, or none for this user.
    """
    try:
        status = os.stat(path)
        if not os.access(path, os.R_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        empty = isinstance(error, FileNotFoundError)
        root = os.path.dirname(path)
        raise IndexNotReadable(
            path,
            "the store has none yet" if empty else error.strerror or str(error),
            "let the store's owner 'store add' something first" if empty else f"its owner can chmod go+rx {root}",
        ) from None
    try:
        log = os.stat(f"{path}-wal").st_size
    except FileNotFoundError:
        log = None
    shared = True if os.path.exists(f"{path}-shm") else None
    return (status.st_ino, status.st_size, status.st_mtime_ns), log, shared


class SomeoneElses(Index):
    """An index that is only read."""

    __slots__ = ()

    def close(self) -> None:
        """Let go of the files."""
        self._connection.close()

    leave = close


def open_someone_elses(path: str, *, version: int) -> Index:
    """Open the index at `path`, whose schema has to be `version`, for reading.

    Raises:
        IndexNotReadable, IndexUnusable: it cannot be read.
        schema.IndexTooNew: a newer wheelstore wrote it.
    """
    reader = Reader(path)
    try:
        ((found,),) = reader.execute("PRAGMA user_version")
    except sqlite3.Error as error:
        raise IndexUnusable(path, error) from None
    if found > version:
        from wheelstore.store.schema import IndexTooNew

        raise IndexTooNew(path, found)
    if found < version:
        hint = "let the store's owner run a command with this version of wheelstore, such as 'store ls'"
        raise IndexNotReadable(path, f"an older wheelstore wrote it, in schema {found} of {version}", hint)
    return SomeoneElses(reader, path)  # type: ignore[arg-type]
