"""What the index knows of bytecode: which blob a module was compiled to, and who counts it until its manifest does.

A row of ``bytecode`` owns nothing. It says something while its ``pyc`` is in ``blobs``, or if the module does not
compile.

While bytecode comes into the store, in turns, a *holder* counts it: a manifest of its own, which nobody but the
operation's lease needs, and which in the end becomes the manifest that it was all made for. If the operation dies, gc
finds a manifest that nobody needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from wheelstore.store.filelist import StoredFile, pack
from wheelstore.store.index import Index

NO_SOURCE = bytes.fromhex("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
"""The key of an empty module, which is no blob: the BLAKE3 of nothing."""

_PAGE = 500


class Pyc(NamedTuple):
    """The blob of a module's bytecode, and its size in bytes; both empty if the module does not compile."""

    key: bytes
    size: int


class CompiledRow(NamedTuple):
    """What became of the module `source` (a key) when it was compiled as `tag` says; `pyc` as in `Pyc`."""

    source: bytes
    tag: str
    pyc: bytes


def find_bytecode(index: Index, sources: Sequence[bytes], tag: str) -> dict[bytes, Pyc]:
    """What is known of modules (by key): a blob that was there just now, or that they do not compile."""
    found: dict[bytes, Pyc] = {}
    for at in range(0, len(sources), _PAGE):
        chunk = sources[at : at + _PAGE]
        marks = ",".join("?" * len(chunk))
        rows = index.stream(
            "SELECT source, pyc, size FROM bytecode LEFT JOIN blobs ON key = pyc"
            f" WHERE tag = ? AND source IN ({marks}) AND (size IS NOT NULL OR pyc = x'')",
            (tag, *chunk),
        )
        found.update((source, Pyc(pyc, size or 0)) for source, pyc, size in rows)
    return found


def sources_of_bytecode(index: Index, pycs: Collection[bytes]) -> list[CompiledRow]:
    """What the blobs `pycs` were compiled from."""
    rows = index.stream("SELECT source, tag, pyc FROM bytecode WHERE pyc != x''")
    return [CompiledRow(*row) for row in rows if row[2] in pycs]


def put_bytecode(index: Index, rows: Iterable[CompiledRow]) -> None:
    """Remember what modules were compiled to; inside the `Index.writing` that publishes the blobs."""
    index.many("INSERT OR REPLACE INTO bytecode (source, tag, pyc) VALUES (?, ?, ?)", rows)


def drop_dead_bytecode(index: Index, after: tuple[bytes, str] = (b"", "")) -> tuple[tuple[bytes, str] | None, int]:
    """Delete those of the next page of rows that say nothing any more; inside `Index.writing`.

    Returns where the next page begins, None after the last; and how many rows went.
    """
    page = list(
        index.stream(
            f"SELECT source, tag FROM bytecode WHERE (source, tag) > (?, ?) ORDER BY source, tag LIMIT {_PAGE}", after
        )
    )
    if not page:
        return None, 0
    gone = list(
        index.stream(
            "DELETE FROM bytecode WHERE (source, tag) > (?, ?) AND (source, tag) <= (?, ?) AND"
            " (NOT EXISTS (SELECT 1 FROM blobs WHERE key = source) AND source != ?"
            " OR pyc != x'' AND NOT EXISTS (SELECT 1 FROM blobs WHERE key = pyc)) RETURNING 1",
            (*after, *page[-1], NO_SOURCE),
        )
    )
    return (page[-1] if len(page) == _PAGE else None), len(gone)


class Holder:
    """The manifest `digest` that counts `files`, which are on their way into the store, until `become`."""

    def __init__(self, index: Index, digest: str, content: bytes, plan: bytes) -> None:
        """`content` and `plan` are such that whoever reads all manifests can read this one."""
        self._index, self.digest, self._content, self._plan = index, digest, content, plan
        self._files: dict[bytes, int] = {}

    def add(self, blobs: Iterable[tuple[bytes, int]]) -> None:
        """Count further blobs (key, size), whose files are there; inside `Index.writing`, the lease on the digest."""
        index = self._index
        new = {key: size for key, size in blobs if key not in self._files}
        self._files |= new
        index.many(
            "INSERT INTO blobs (key, size, refs) VALUES (?, ?, 1) ON CONFLICT (key) DO UPDATE SET refs = refs + 1",
            new.items(),
        )
        index.many("DELETE FROM condemned WHERE key = ?", [(key,) for key in new])
        _run(
            index,
            "INSERT INTO manifests (digest, content, plan, generated) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (digest) DO UPDATE SET generated = excluded.generated",
            (self.digest, self._content, self._plan, pack(StoredFile("", *file) for file in self._files.items())),
        )

    def become(self, digest: str, plan: bytes, wheels: Iterable[str]) -> None:
        """Let the manifest `digest` have all that this one counts; inside `Index.writing`.

        `wheels` are as for `Index.put_manifest`. What the manifest had before, if it was there, is released.
        """
        index = self._index
        _run(index, "INSERT INTO released (files) SELECT generated FROM manifests WHERE digest = ?", (digest,))
        _run(index, "DELETE FROM manifests WHERE digest = ?", (digest,))
        _run(index, "UPDATE manifests SET digest = ?, plan = ? WHERE digest = ?", (digest, plan, self.digest))
        index.many(
            "INSERT OR IGNORE INTO manifest_wheels (manifest, wheel) SELECT ?, id FROM wheels WHERE sha256 = ?",
            [(digest, sha256) for sha256 in wheels],
        )


def _run(index: Index, statement: str, values: Sequence[object]) -> None:
    exhausted: Iterator[object] = index.stream(statement, values)
    for _ in exhausted:
        pass
