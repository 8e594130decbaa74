"""The index's schema and its migrations; imported only when a database is made or is old."""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database

from wheelstore.store.errors import StoreError

VERSION = 1


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
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _create(database: Database) -> None:
    statements = [
        database.create_table_sql(
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
                "used": float,
            },
            pk="id",
            not_null={"sha256", "filename", "name", "version", "size", "purelib", "files", "added", "used"},
        ),
        "CREATE UNIQUE INDEX wheels_sha256 ON wheels (sha256)",
        "CREATE INDEX wheels_name ON wheels (name)",
        # WITHOUT ROWID keeps a blob to one b-tree entry: 12,000 inserts in 25 ms.
        "CREATE TABLE blobs (key BLOB PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID",
        database.create_table_sql(
            "manifests",
            {"digest": str, "content": bytes, "plan": bytes, "used": float},
            pk="digest",
            not_null={"content", "plan", "used"},
        ),
        database.create_table_sql(
            "answers",
            {"key": str, "manifest": str, "inputs": str, "used": float},
            pk="key",
            not_null={"manifest", "inputs", "used"},
        ),
        database.create_table_sql(
            "environments",
            {
                "id": str,
                "path": str,
                "manifest": str,
                "mode": str,
                "python": str,
                "created": float,
                "synced": float,
            },
            pk="id",
            not_null={"path", "manifest", "mode", "python", "created", "synced"},
        ),
        "CREATE INDEX environments_path ON environments (path)",
        database.create_table_sql("memory", {"key": str, "value": bytes}, pk="key", not_null={"value"}),
    ]
    for statement in statements:
        database.conn.execute(statement)
