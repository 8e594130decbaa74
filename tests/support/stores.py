"""Stores for tests: wheels go in as a command brings them in, but in one process and without an index."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from support.wheels import sha256_of
from wheelstore.materialize.distribution import Blobs, Installed, Scheme, plan_environment
from wheelstore.materialize.plan import Plan
from wheelstore.materialize.tree import Tree
from wheelstore.store.archive import DEFAULT_LIMITS, Limits
from wheelstore.store.blobs import blob_name
from wheelstore.store.filelist import StoredFile, unpack
from wheelstore.store.index import WheelRow
from wheelstore.store.ingest import Generated, WheelFile, publish, stage
from wheelstore.store.layout import Store, open_store

if TYPE_CHECKING:
    from wheelstore.materialize.link import Mode

SITE = "lib/python3.12/site-packages"
SCHEME = Scheme(purelib=SITE, platlib=SITE, scripts="bin", include="include/site/python3.12")


def put_blob(blobs: str, tmp: str, data: bytes) -> bytes:
    """Put one small file into a store's directory of blobs; its key."""
    generated = Generated(Store(os.path.dirname(blobs)), tmp)
    key = generated.put(data)
    generated.stage()
    generated.publish()
    return key


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

    def stage(
        self, wheel: Path, *, limits: Limits = DEFAULT_LIMITS, metadata_sha256: str | None = None
    ) -> tuple[str, WheelFile, WheelRow]:
        """Unpack a wheel as an operation of its own; the operation's directory and what `publish` needs."""
        operation = f"{self.store.tmp}/op-{os.urandom(4).hex()}"
        file = WheelFile(path=str(wheel), filename=wheel.name, sha256=sha256_of(wheel), metadata_sha256=metadata_sha256)
        return operation, file, stage(self.store.blobs, operation, file, limits)

    def add(self, wheel: Path) -> WheelRow:
        """Unpack and publish a wheel."""
        operation, file, row = self.stage(wheel)
        publish(self.store.blobs, operation, file)
        return row

    def plan(self, wheels: Iterable[Path], scheme: Scheme = SCHEME) -> Plan:
        """Add `wheels` and plan an environment of them."""
        return plan_environment([Installed(wheel=self.add(wheel)) for wheel in wheels], scheme, self.blobs)

    def tree(self, root: Path, mode: Mode = "hardlink") -> Tree:
        """An environment's tree at `root`, whose interpreter is ``bin/python`` in it."""
        return Tree(root=str(root), final=str(root), blobs=self.store.blobs, mode=mode, python=f"{root}/bin/python")

    def build(self, root: Path, plan: Plan, mode: Mode = "hardlink", *, processes: int = 1) -> Path:
        """Make the environment of `plan` at `root`, without what makes it a venv."""
        root.mkdir()
        self.tree(root, mode).create(plan, SITE, processes=processes)
        return root

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


def tree_of(root: Path) -> dict[str, tuple[str, bytes | str | None]]:
    """Everything below `root`: files (mode and content), links (where to), directories."""
    found: dict[str, tuple[str, bytes | str | None]] = {}
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = Path(directory, name)
            relative = path.relative_to(root).as_posix()
            if path.is_symlink():
                found[relative] = "link", str(path.readlink())
            elif path.is_dir():
                found[relative] = "directory", None
            else:
                found[relative] = "program" if os.access(path, os.X_OK) else "file", path.read_bytes()
    return found


def files_of(row: WheelRow) -> dict[str, StoredFile]:
    """A wheel's files by path."""
    return {file.path: file for file in unpack(row.files)}
