"""Count down the references of wheels and manifests that are gone: a few blobs at a time, in the order of their keys.

The blobs of one wheel are all over the table, whose pages SQLite would write whole for each of them: 200,000 blobs,
wheel by wheel, would be gigabytes. So a deleted row leaves its file list in the table ``released``, in the same
transaction, and the blobs of all these lists are counted down from the lowest key to the highest: a few pages to a
transaction, of which none takes long however many files a wheel has. How far that is, is remembered with each step; a
process that is killed in between leaves references that are still counted, and the next one goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wheelstore.store.filelist import unpack
from wheelstore.store.index import Index

STEP = 500
"""How many blobs are counted down at a time, in about 1 ms."""

_POSITION = "released up to"


class Releases:
    """The references that are to be counted down; for one process at a time."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._through = 0
        self._last = b""

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return list(self._index.stream(statement, values))

    def begin(self) -> int:
        """Sort what there is to do, or what was left of it; how many blobs."""
        remembered = self._index.recall(_POSITION)
        if remembered is not None:
            through, _, self._last = remembered.partition(b" ")
            self._through = int(through)
        else:
            self._through, self._last = int(self._run("SELECT coalesce(max(id), 0) FROM released")[0][0]), b""
        self._run("CREATE TEMP TABLE IF NOT EXISTS releasing (key BLOB PRIMARY KEY, refs INTEGER) WITHOUT ROWID")
        self._run("BEGIN")
        try:
            self._run("DELETE FROM releasing")
            for key in self._keys():
                self._run("INSERT INTO releasing VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET refs = refs + 1", key)
        finally:
            self._run("COMMIT")
        return int(self._run("SELECT count(*) FROM releasing")[0][0])

    def _keys(self) -> Iterator[bytes]:
        """The blobs of each list, once for each list."""
        for (identifier,) in self._run("SELECT id FROM released WHERE id <= ? ORDER BY id", self._through):
            ((files,),) = self._run("SELECT files FROM released WHERE id = ?", identifier)
            yield from {file.key for file in unpack(files) if file.size and file.key > self._last}

    def step(self) -> bool:
        """Count some blobs down, inside `Index.writing`; false when nothing was left to do."""
        first = self._last
        ends = self._run("SELECT key FROM releasing WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?", first, STEP - 1)
        last = (ends or self._run("SELECT max(key) FROM releasing WHERE key > ?", first))[0][0]
        if last is None:
            return self._clear()
        these = "key IN (SELECT key FROM releasing WHERE key > ? AND key <= ?)"
        self._run(
            "UPDATE blobs SET refs = refs - (SELECT refs FROM releasing WHERE releasing.key = blobs.key)"
            f" WHERE {these}",
            *(first, last),
        )
        unreferred = f"FROM blobs WHERE {these} AND refs <= 0"
        self._run(f"INSERT OR IGNORE INTO condemned (key, size) SELECT key, size {unreferred}", first, last)
        self._run(f"DELETE {unreferred}", first, last)
        self._remember(last)
        return True

    def _clear(self) -> bool:
        """Delete some of the lists, all of whose blobs are counted down."""
        some = "SELECT id FROM released WHERE id <= ? ORDER BY id LIMIT 50"
        if self._run(f"DELETE FROM released WHERE id IN ({some}) RETURNING 1", self._through):
            self._remember(self._last)
            return True
        self._run("DELETE FROM memory WHERE key = ?", _POSITION)
        return False

    def _remember(self, position: bytes) -> None:
        self._last = position
        self._index.remember(_POSITION, b"%d %b" % (self._through, position))


def pending_references(index: Index) -> Iterator[bytes]:
    """The blobs that are still counted for what a gc under way has deleted, a key for each such reference."""
    remembered = index.recall(_POSITION)
    through, _, last = remembered.partition(b" ") if remembered is not None else (b"0", b"", b"")
    for identifier, files in index.stream("SELECT id, files FROM released"):
        done = last if identifier <= int(through) else b""
        yield from {file.key for file in unpack(files) if file.size and file.key > done}
