"""Bytecode on its way into the store: staged, on the disk, then published a turn at a time, counted from the first.

Thousands of small files; of a module's bytecode no more than one is in memory at a time. Publishing 1,000 holds the
index's lock for some 10 ms, as for wheels (`ingest`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from blake3 import blake3

from wheelstore.store.blobs import blob_name
from wheelstore.store.durable import flush, flush_names
from wheelstore.store.index import Index
from wheelstore.store.index_bytecode import CompiledRow, Holder, Pyc, put_bytecode
from wheelstore.store.ingest import place, write_blob
from wheelstore.store.layout import Store
from wheelstore.store.lease import Lease

_AT_ONCE = 1000  # files that are published in one transaction


class CompiledModules:
    """Takes bytecode into the store, for one manifest; everything is counted by `holder`."""

    def __init__(self, store: Store, index: Index, lease: Lease, holder: Holder) -> None:
        self._store, self._index, self._lease, self._holder = store, index, lease, holder
        self._staged: dict[bytes, int] = {}
        self._rows: list[CompiledRow] = []

    def hold(self, pycs: Mapping[bytes, Pyc]) -> dict[bytes, Pyc]:
        """Count the bytecode (by source) that the store has; that of it which is still there."""
        held: dict[bytes, Pyc] = {}
        wanted = [*pycs.items()]
        for at in range(0, len(wanted), _AT_ONCE):
            with self._index.writing():
                chunk = wanted[at : at + _AT_ONCE]
                known = self._index.known_blobs([pyc.key for _, pyc in chunk])
                there = {source: pyc for source, pyc in chunk if pyc.key in known}
                self._count(dict(there.values()))
            held |= there
        return held

    def stage(self, source: bytes, tag: str, pyc: bytes) -> Pyc:
        """Take the bytecode of a module; empty if it does not compile."""
        if not pyc:
            self._rows.append(CompiledRow(source, tag, b""))
            return Pyc(b"", 0)
        key = blake3(pyc).digest()
        if key not in self._staged:
            if not self._staged:
                os.makedirs(self._directory, 0o700, exist_ok=True)
            write_blob(self._path(key), key, pyc)
            self._staged[key] = len(pyc)
        self._rows.append(CompiledRow(source, tag, key))
        return Pyc(key, len(pyc))

    def publish(self) -> None:
        """Give what was staged its place in the store, and remember what was compiled."""
        if not self._rows:
            return
        if self._staged:
            flush(self._directory)
        rows, self._rows = self._rows, []
        for at in range(0, len(rows), _AT_ONCE):
            chunk = rows[at : at + _AT_ONCE]
            with self._index.writing():
                mine = {row.pyc: self._staged.pop(row.pyc) for row in chunk if row.pyc in self._staged}
                for key in mine:
                    place(self._path(key), f"{self._store.blobs}/{blob_name(key)}")
                if mine:
                    flush_names(self._directory)
                self._count(mine)
                put_bytecode(self._index, chunk)

    def _count(self, blobs: Mapping[bytes, int]) -> None:
        self._holder.add(blobs.items())
        self._lease.hold(self._holder.digest)

    @property
    def _directory(self) -> str:
        return f"{self._lease.directory}/bytecode"

    def _path(self, key: bytes) -> str:
        return f"{self._directory}/{key.hex()}"
