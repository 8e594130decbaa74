"""The index's schema and its migrations; imported only when a database is made or is old.

Two rules make collection cheap and safe. *References are counted*: `blobs.refs` says how many wheels and manifests
have the blob, so what a deleted wheel leaves behind is known without looking at any other. *Large values are never
updated*: SQLite would write them anew, so the times of last use are tables of their own.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterable

from wheelstore.store.errors import StoreError
from wheelstore.store.filelist import unpack
from wheelstore.store.records import refill

VERSION = 3

_WHEELS = (
    """CREATE TABLE wheels (
    id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, filename TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
    size INTEGER NOT NULL, purelib INTEGER NOT NULL, files BLOB NOT NULL, origin TEXT, added REAL NOT NULL)""",
    "CREATE UNIQUE INDEX wheels_sha256 ON wheels (sha256)",
    "CREATE INDEX wheels_name ON wheels (name)",
    "CREATE TABLE memory (key TEXT PRIMARY KEY, value BLOB NOT NULL)",
)

# What decides who lives: uses, references, roots, leases, and what is condemned already.
_LIVENESS = (
    "CREATE TABLE wheel_uses (wheel INTEGER PRIMARY KEY, used REAL NOT NULL)",
    # WITHOUT ROWID keeps a blob to one b-tree entry: 12,000 inserts in 25 ms.
    "CREATE TABLE blobs (key BLOB PRIMARY KEY, size INTEGER NOT NULL, refs INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE condemned (key BLOB PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID",
    # File lists of wheels and manifests that are gone and whose references are still counted (`releases`).
    "CREATE TABLE released (id INTEGER PRIMARY KEY, files BLOB NOT NULL)",
    # `generated` is a file list too: the small files that were made for this manifest and are in no wheel.
    """CREATE TABLE manifests (
    digest TEXT PRIMARY KEY, content BLOB NOT NULL, plan BLOB NOT NULL, generated BLOB NOT NULL)""",
    "CREATE TABLE manifest_uses (manifest TEXT PRIMARY KEY, used REAL NOT NULL)",
    """CREATE TABLE manifest_wheels (
    manifest TEXT NOT NULL, wheel INTEGER NOT NULL, PRIMARY KEY (manifest, wheel)) WITHOUT ROWID""",
    "CREATE INDEX manifest_wheels_wheel ON manifest_wheels (wheel)",
    "CREATE TABLE answers (key TEXT PRIMARY KEY, manifest TEXT NOT NULL, inputs TEXT NOT NULL)",
    "CREATE INDEX answers_manifest ON answers (manifest)",
    """CREATE TABLE environments (
    id TEXT PRIMARY KEY, path TEXT NOT NULL, manifest TEXT NOT NULL, mode TEXT NOT NULL, python TEXT NOT NULL,
    created REAL NOT NULL, synced REAL NOT NULL, filesystem TEXT NOT NULL, generation INTEGER NOT NULL,
    missing REAL)""",
    "CREATE INDEX environments_path ON environments (path)",
    "CREATE INDEX environments_manifest ON environments (manifest)",
    """CREATE TABLE generations (
    environment TEXT, number INTEGER, manifest TEXT NOT NULL, key TEXT NOT NULL, inputs TEXT NOT NULL,
    interpreter TEXT NOT NULL, python TEXT NOT NULL, source TEXT NOT NULL, synced REAL NOT NULL,
    PRIMARY KEY (environment, number))""",
    "CREATE INDEX generations_manifest ON generations (manifest)",
    "CREATE TABLE leases (id TEXT PRIMARY KEY, manifest TEXT NOT NULL, started REAL NOT NULL)",
    "CREATE TABLE lease_wheels (lease TEXT NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (lease, sha256)) WITHOUT ROWID",
    "CREATE INDEX lease_wheels_sha256 ON lease_wheels (sha256)",
)

# What makes environments appear at once: small plans, images, spares, and bytecode that was compiled before.
_INSTANT = (
    # Plans that follow from a manifest's, and are read in the place of its long one.
    """CREATE TABLE shapes (
    manifest TEXT NOT NULL, kind TEXT NOT NULL, plan BLOB NOT NULL, PRIMARY KEY (manifest, kind))""",
    # A row comes and goes together with the directory `images/<manifest>`.
    """CREATE TABLE images (
    manifest TEXT PRIMARY KEY, kind TEXT NOT NULL, size INTEGER NOT NULL, made REAL NOT NULL, used REAL NOT NULL)""",
    # Roots: what shall be ready for environments to come.
    """CREATE TABLE prewarmed (
    manifest TEXT PRIMARY KEY, spares INTEGER NOT NULL, mode TEXT NOT NULL, source TEXT NOT NULL,
    used REAL NOT NULL)""",
    # By source and by what compiled it; `pyc` is empty for a source that does not compile. Owns nothing: what counts
    # bytecode is the manifest that has it, and a row whose `pyc` is gone says nothing.
    """CREATE TABLE bytecode (
    source BLOB NOT NULL, tag TEXT NOT NULL, pyc BLOB NOT NULL, PRIMARY KEY (source, tag)) WITHOUT ROWID""",
)


class IndexTooNew(StoreError):
    """The index was written by a newer wheelstore."""

    hint = "upgrade wheelstore, or point --store at another directory"

    def __init__(self, path: str, found: int) -> None:
        super().__init__(path, found)
        self.path, self.found = path, found

    def __str__(self) -> str:
        return f"{self.path} has schema {self.found}; this version knows schema {VERSION}"


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the index to `VERSION`, in one transaction that several processes may race for.

    A new one gets what the store has records of: it may be there in the place of one that was lost.

    Raises:
        IndexTooNew: it is past `VERSION` already.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > VERSION:
            raise IndexTooNew(path, found)
        if found < 1:
            _execute(connection, (*_WHEELS, *_LIVENESS, *_INSTANT))
            refill(connection, os.path.dirname(path))
        elif found < 2:
            _count_references(connection)
        if 1 <= found < 3:
            _execute(connection, _INSTANT)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _execute(connection: sqlite3.Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement)


def _count_references(connection: sqlite3.Connection) -> None:
    """From schema 1, in which nothing was ever collected.

    Plans can be made again, so manifests go. Environments stay, and because their manifests are unknown, gc touches
    nothing before each has been synced once more.
    """
    execute = connection.execute
    execute("ALTER TABLE environments RENAME TO environments_1")
    execute("DROP INDEX environments_path")
    for table in ("manifests", "answers", "blobs"):
        execute(f"DROP TABLE {table}")
    _execute(connection, _LIVENESS)
    execute(
        "INSERT INTO environments (id, path, manifest, mode, python, created, synced, filesystem, generation)"
        " SELECT id, path, manifest, mode, python, created, synced, '', 0 FROM environments_1"
    )
    execute("DROP TABLE environments_1")
    execute("INSERT INTO wheel_uses (wheel, used) SELECT id, used FROM wheels")
    execute("ALTER TABLE wheels DROP COLUMN used")
    references: Counter[tuple[bytes, int]] = Counter()
    for (files,) in execute("SELECT files FROM wheels"):
        references.update({(file.key, file.size) for file in unpack(files) if file.size})
    rows = ((key, size, count) for (key, size), count in references.items())
    connection.executemany("INSERT INTO blobs (key, size, refs) VALUES (?, ?, ?)", rows)
