"""The tables of `facts`, and how a database of each older version becomes one of the next."""

from __future__ import annotations

from collections.abc import Sequence

SCHEMA = 5

STEPS: Sequence[Sequence[str]] = (
    (
        """CREATE TABLE pages (
        url TEXT PRIMARY KEY, status INTEGER NOT NULL, etag TEXT, last_modified TEXT,
        fetched REAL NOT NULL, fresh_until REAL NOT NULL, body BLOB NOT NULL, digest BLOB NOT NULL)""",
        """CREATE TABLE files (
        sha256 BLOB PRIMARY KEY, filename TEXT NOT NULL, url TEXT NOT NULL, size INTEGER,
        requires_python TEXT, yanked TEXT, source TEXT NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE local_hashes (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, sha256 BLOB NOT NULL)""",
    ),
    ("""CREATE TABLE metadata (key BLOB PRIMARY KEY, packed BLOB NOT NULL) WITHOUT ROWID""",),
    (
        """CREATE TABLE answers (
        key BLOB PRIMARY KEY, used REAL NOT NULL, inputs TEXT NOT NULL, said TEXT NOT NULL, output BLOB NOT NULL)""",
        """CREATE TABLE answer_pages (
        key BLOB NOT NULL, url TEXT NOT NULL, project TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (key, url)) WITHOUT ROWID""",
    ),
    ("ALTER TABLE metadata ADD COLUMN sidecar BLOB",),  # NULL: not from a sidecar, or not known to be
    ("DELETE FROM metadata",),  # some of it was what a backend had said, whichever Python asked it
)
"""What leads from each version of the schema to the next."""

TABLES = ("pages", "files", "local_hashes", "metadata", "answers", "answer_pages")
