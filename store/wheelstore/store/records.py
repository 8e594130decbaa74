"""A small file for each wheel, `Store.records`: what the index says of it, so that a lost index can be made anew.

A line of JSON, then the packed file list. Beside the blobs that is all it takes: tokens tell which environments there
are, and what was planned for them is planned again.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from wheelstore.store.blobs import blob_name
from wheelstore.store.claims import Claims
from wheelstore.store.filelist import columns
from wheelstore.store.index import WheelRow
from wheelstore.store.layout import Store
from wheelstore.store.tokens import doubt_token

_HEX = frozenset("0123456789abcdef")
_UNKNOWN = "unknown"
"""The manifest of an environment of which only its token is known; gc collects nothing while there is one."""


class Record(NamedTuple):
    """What a file says: the wheel's row, and when it came, in seconds since the epoch."""

    wheel: WheelRow
    added: float


def write_record(store: Store, row: WheelRow, now: float) -> None:
    """Keep what the index says of a wheel, unless that is kept.

    Raises:
        OSError: it cannot be written.
    """
    path = f"{store.records}/{row.sha256}"
    if os.path.exists(path):
        return
    head = {name: value for name, value in zip(row._fields, row, strict=True) if name != "files"}
    text = json.dumps({**head, "added": now, "length": len(row.files)}) + "\n"
    temporary = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    os.makedirs(store.records, 0o755, exist_ok=True)
    try:
        with open(temporary, "xb") as stream:
            stream.write(text.encode() + row.files)
        os.replace(temporary, path)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def drop_record(store: Store, sha256: str) -> None:
    """Take away what was kept of a wheel."""
    try:
        os.unlink(f"{store.records}/{sha256}")
    except FileNotFoundError:
        return


def recorded(store: Store) -> list[str]:
    """The sha256s of the wheels of which there are records, sorted."""
    try:
        names = os.listdir(store.records)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if len(name) == 64 and _HEX.issuperset(name))


def read_records(store: Store) -> Iterator[Record]:
    """Every record that can be read whole; a killed process or a power cut may have left others."""
    for sha256 in recorded(store):
        with open(f"{store.records}/{sha256}", "rb") as stream:
            record = _parsed(stream.read())
        if record is not None and record.wheel.sha256 == sha256:
            yield record


def _parsed(content: bytes) -> Record | None:
    head, _, files = content.partition(b"\n")
    try:
        values = json.loads(head)
        added, length = float(values.pop("added")), values.pop("length")
        row = WheelRow(**values, files=files)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Record(row, added) if length == len(files) else None


def refill(connection: sqlite3.Connection, root: str) -> None:
    """Put into a new index, inside its first transaction, what the store at `root` still has: wheels and environments.

    A wheel of which a blob is missing is left out: what needs it brings it again.
    """
    store = Store(root)
    references: Counter[tuple[bytes, int]] = Counter()
    for wheel, added in read_records(store):
        keys, sizes = columns(wheel.files)
        blobs = {(key, size) for key, size in zip(keys, sizes, strict=True) if size}
        if not all(os.path.lexists(f"{store.blobs}/{blob_name(key)}") for key, _ in blobs):
            continue
        references.update(blobs)
        connection.execute(
            "INSERT INTO wheels (sha256, filename, name, version, size, purelib, files, origin, added)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*wheel, added),
        )
    connection.execute("INSERT INTO wheel_uses (wheel, used) SELECT id, added FROM wheels")
    rows = ((key, size, count) for (key, size), count in references.items())
    connection.executemany("INSERT INTO blobs (key, size, refs) VALUES (?, ?, ?)", rows)
    tokens = list(_tokens(store))
    for identifier, _, _ in tokens:
        doubt_token(store, identifier)
    connection.executemany(
        "INSERT INTO environments (id, path, manifest, mode, python, created, synced, filesystem, generation)"
        " VALUES (?, ?, ?, '', '', ?, ?, '', 0)",
        [(identifier, path, _UNKNOWN, made, made) for identifier, path, made in tokens],
    )


def _tokens(store: Store) -> Iterator[tuple[str, str, float]]:
    """The id, path and time of every environment's token."""
    try:
        names = sorted(os.listdir(store.tokens))
    except FileNotFoundError:
        return
    for name in names:
        path = f"{store.tokens}/{name}"
        with open(path, "rb") as stream:
            identifier, _, place = stream.read().decode("utf-8", "surrogateescape").partition("\n")
        if identifier == name and place.strip():
            yield identifier, place.removesuffix("\n"), os.stat(path).st_mtime


def identity_of(path: str) -> tuple[int, int]:
    """What tells a file from another that has taken its place; zeros if there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return 0, 0
    return status.st_dev, status.st_ino


def set_aside(store: Store, found: tuple[int, int]) -> str:
    """Move the index that was `found` damaged (`identity_of`) out of the way, so that the next to open it makes one.

    Where it is now; "" if another process has done so since, and the index is a new one.
    """
    for directory in (store.trash, store.locks):
        os.makedirs(directory, 0o755, exist_ok=True)
    name = f"{store.trash}/index-{os.getpid()}-{os.urandom(4).hex()}.sqlite3"
    with Claims(f"{store.locks}/index", ["0" * 64]):
        if identity_of(store.index_path) != found:
            return ""
        for end in ("-wal", "-shm", ""):  # the database last: without it, its log means nothing
            if os.path.lexists(f"{store.index_path}{end}"):
                os.replace(f"{store.index_path}{end}", f"{name}{end}")
    return name
