"""The index's schema and its migrations; imported only when a database is made or is old.

Two rules make collection cheap and safe. *References are counted*: `blobs.refs` says how many wheels and manifests
have the blob, so what a deleted wheel leaves behind is known without looking at any other. *Large values are never
updated*: SQLite would write them anew, so the times of last use are tables of their own.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter

from sqlite_utils import Database

from wheelstore.store.errors import StoreError
from wheelstore.store.filelist import unpack
from wheelstore.store.records import refill

VERSION = 3


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
            _create(Database(connection, use_counts_table=False))
            refill(connection, os.path.dirname(path))
        elif found < 2:
            _count_references(Database(connection, use_counts_table=False))
        if 1 <= found < 3:
            for statement in _instant_tables(Database(connection, use_counts_table=False)):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _create(database: Database) -> None:
    wheels = database.create_table_sql(
        "wheels",
        {
            "id": int,
            "sha256": str,
            "filename": str,
            "name": str,
            "version": str,
            "size": int,
            "purelib": int,
            "files": bytes,
            "origin": str,
            "added": float,
        },
        pk="id",
        not_null={"sha256", "filename", "name", "version", "size", "purelib", "files", "added"},
    )
    for statement in (
        wheels,
        "CREATE UNIQUE INDEX wheels_sha256 ON wheels (sha256)",
        "CREATE INDEX wheels_name ON wheels (name)",
        database.create_table_sql("memory", {"key": str, "value": bytes}, pk="key", not_null={"value"}),
        *_liveness_tables(database),
        *_instant_tables(database),
    ):
        database.conn.execute(statement)


def _liveness_tables(database: Database) -> list[str]:
    """What decides who lives: uses, references, roots, leases, and what is condemned already."""
    create = database.create_table_sql
    return [
        create("wheel_uses", {"wheel": int, "used": float}, pk="wheel", not_null={"used"}),
        # WITHOUT ROWID keeps a blob to one b-tree entry: 12,000 inserts in 25 ms.
        "CREATE TABLE blobs (key BLOB PRIMARY KEY, size INTEGER NOT NULL, refs INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE condemned (key BLOB PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID",
        # File lists of wheels and manifests that are gone and whose references are still counted (`releases`).
        create("released", {"id": int, "files": bytes}, pk="id", not_null={"files"}),
        # `generated` is a file list too: the small files that were made for this manifest and are in no wheel.
        create(
            "manifests",
            {"digest": str, "content": bytes, "plan": bytes, "generated": bytes},
            pk="digest",
            not_null={"content", "plan", "generated"},
        ),
        create("manifest_uses", {"manifest": str, "used": float}, pk="manifest", not_null={"used"}),
        (
            "CREATE TABLE manifest_wheels (manifest TEXT NOT NULL, wheel INTEGER NOT NULL,"
            " PRIMARY KEY (manifest, wheel)) WITHOUT ROWID"
        ),
        "CREATE INDEX manifest_wheels_wheel ON manifest_wheels (wheel)",
        create(
            "answers",
            {"key": str, "manifest": str, "inputs": str},
            pk="key",
            not_null={"manifest", "inputs"},
        ),
        "CREATE INDEX answers_manifest ON answers (manifest)",
        create(
            "environments",
            {
                "id": str,
                "path": str,
                "manifest": str,
                "mode": str,
                "python": str,
                "created": float,
                "synced": float,
                "filesystem": str,
                "generation": int,
                "missing": float,
            },
            pk="id",
            not_null={"path", "manifest", "mode", "python", "created", "synced", "filesystem", "generation"},
        ),
        "CREATE INDEX environments_path ON environments (path)",
        "CREATE INDEX environments_manifest ON environments (manifest)",
        create(
            "generations",
            {
                "environment": str,
                "number": int,
                "manifest": str,
                "key": str,
                "inputs": str,
                "interpreter": str,
                "python": str,
                "source": str,
                "synced": float,
            },
            pk=("environment", "number"),
            not_null={"manifest", "key", "inputs", "interpreter", "python", "source", "synced"},
        ),
        "CREATE INDEX generations_manifest ON generations (manifest)",
        create("leases", {"id": str, "manifest": str, "started": float}, pk="id", not_null={"manifest", "started"}),
        (
            "CREATE TABLE lease_wheels (lease TEXT NOT NULL, sha256 TEXT NOT NULL,"
            " PRIMARY KEY (lease, sha256)) WITHOUT ROWID"
        ),
        "CREATE INDEX lease_wheels_sha256 ON lease_wheels (sha256)",
    ]


def _instant_tables(database: Database) -> list[str]:
    """What makes environments appear at once: small plans, images, spares, and bytecode that was compiled before."""
    create = database.create_table_sql
    return [
        # Plans that follow from a manifest's, and are read in the place of its long one.
        (
            "CREATE TABLE shapes (manifest TEXT NOT NULL, kind TEXT NOT NULL, plan BLOB NOT NULL,"
            " PRIMARY KEY (manifest, kind))"
        ),
        # A row comes and goes together with the directory `images/<manifest>`.
        create(
            "images",
            {"manifest": str, "kind": str, "size": int, "made": float, "used": float},
            pk="manifest",
            not_null={"kind", "size", "made", "used"},
        ),
        # Roots: what shall be ready for environments to come.
        create(
            "prewarmed",
            {"manifest": str, "spares": int, "mode": str, "source": str, "used": float},
            pk="manifest",
            not_null={"spares", "mode", "source", "used"},
        ),
        # By source and by what compiled it; `pyc` is empty for a source that does not compile. Owns nothing: what
        # counts bytecode is the manifest that has it, and a row whose `pyc` is gone says nothing.
        (
            "CREATE TABLE bytecode (source BLOB NOT NULL, tag TEXT NOT NULL, pyc BLOB NOT NULL,"
            " PRIMARY KEY (source, tag)) WITHOUT ROWID"
        ),
    ]


def _count_references(database: Database) -> None:
    """From schema 1, in which nothing was ever collected.

    Plans can be made again, so manifests go. Environments stay, and because their manifests are unknown, gc touches
    nothing before each has been synced once more.
    """
    execute = database.conn.execute
    execute("ALTER TABLE environments RENAME TO environments_1")
    execute("DROP INDEX environments_path")
    for table in ("manifests", "answers", "blobs"):
        execute(f"DROP TABLE {table}")
    for statement in _liveness_tables(database):
        execute(statement)
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
    database.conn.executemany("INSERT INTO blobs (key, size, refs) VALUES (?, ?, ?)", rows)
