"""Stores for tests: wheels go in as a command brings them in, but in one process and without an index."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from support.wheels import sha256_of
from wheelstore.materialize.distribution import Blobs, Installed, Scheme, plan_environment
from wheelstore.materialize.plan import Plan
from wheelstore.store.archive import DEFAULT_LIMITS, Limits
from wheelstore.store.blobs import blob_name
from wheelstore.store.filelist import StoredFile, unpack
from wheelstore.store.index import WheelRow
from wheelstore.store.ingest import WheelFile, publish, put_blob, stage
from wheelstore.store.layout import Store, open_store

SITE = "lib/python3.12/site-packages"
SCHEME = Scheme(purelib=SITE, platlib=SITE, scripts="bin", include="include/site/python3.12")


@dataclass(frozen=True, slots=True)
class Stock:
    """A store, and what tests do with it; see `make_stock`."""

    store: Store

    @property
    def blobs(self) -> Blobs:
        """How plans are made of this store."""
        return Blobs(read=self.read, put=lambda data: put_blob(self.store.blobs, self.store.tmp, data))

    def read(self, key: bytes) -> bytes:
        """The content of a blob."""
        return self.path(key).read_bytes()

    def path(self, key: bytes) -> Path:
        """Where a blob is."""
        return Path(self.store.blobs, blob_name(key))

    def stage(self, wheel: Path, *, limits: Limits = DEFAULT_LIMITS) -> tuple[str, WheelFile, WheelRow]:
        """Unpack a wheel as an operation of its own; the operation's directory and what `publish` needs."""
        operation = f"{self.store.tmp}/op-{os.urandom(4).hex()}"
        file = WheelFile(path=str(wheel), filename=wheel.name, sha256=sha256_of(wheel))
        return operation, file, stage(self.store.blobs, operation, file, limits)

    def add(self, wheel: Path) -> WheelRow:
        """Unpack and publish a wheel."""
        operation, file, row = self.stage(wheel)
        publish(self.store.blobs, operation, file)
        return row

    def plan(self, wheels: Iterable[Path], scheme: Scheme = SCHEME) -> Plan:
        """Add `wheels` and plan an environment of them."""
        return plan_environment([Installed(wheel=self.add(wheel)) for wheel in wheels], scheme, self.blobs)

    def names(self) -> list[str]:
        """Every file below ``blobs/``."""
        return sorted(
            os.path.relpath(os.path.join(directory, file), self.store.blobs).replace(os.sep, "/")
            for directory, _, files in os.walk(self.store.blobs)
            for file in files
        )


def make_stock(directory: Path) -> Stock:
    """An empty store at `directory`."""
    return Stock(open_store(str(directory)))


def files_of(row: WheelRow) -> dict[str, StoredFile]:
    """A wheel's files by path."""
    return {file.path: file for file in unpack(row.files)}
