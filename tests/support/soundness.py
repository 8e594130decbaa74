"""Whether a store's index, blobs and leftovers agree: asked of database and disk, not of the code under test."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

from wheelstore.store.blobs import blob_key, blob_name
from wheelstore.store.filelist import unpack


def read_index(store: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    connection = sqlite3.connect(f"file:{store / 'index.sqlite3'}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def flaws_of(store: Path, *, collected: bool) -> list[str]:
    """What is wrong with a store that no command is using; if it was just `collected`, nothing may be left over."""
    return [
        *_reference_flaws(store),
        *_blob_flaws(store, collected=collected),
        *_image_flaws(store, collected=collected),
        *_leftovers(store, collected=collected),
    ]


def _reference_flaws(store: Path) -> list[str]:
    counted: Counter[bytes] = Counter()
    lists = "SELECT files FROM wheels UNION ALL SELECT generated FROM manifests"
    for (files,) in read_index(store, lists):
        counted.update({file.key for file in unpack(files) if file.size})
    said = {bytes(key): refs for key, refs in read_index(store, "SELECT key, refs FROM blobs")}
    return [
        f"blob {blob_name(key)} has {said.get(key)} references in the index, {counted.get(key)} counted"
        for key in said.keys() | counted.keys()
        if said.get(key) != counted.get(key)
    ]


def _blob_flaws(store: Path, *, collected: bool) -> list[str]:
    rows = {blob_name(bytes(key)): size for key, size in read_index(store, "SELECT key, size FROM blobs")}
    files = {
        f"{shard.name}/{name}": os.stat(shard / name).st_size
        for shard in (store / "blobs").iterdir()
        for name in os.listdir(shard)
    }
    flaws = [f"blob {name} is missing or of another size" for name, size in rows.items() if files.get(name) != size]
    for name in files:
        blob_key(name)
        if collected and name not in rows:
            flaws.append(f"blob {name} is in no row")
    return flaws


def _image_flaws(store: Path, *, collected: bool) -> list[str]:
    rows = {manifest for (manifest,) in read_index(store, "SELECT manifest FROM images")}
    there = set(os.listdir(store / "images"))
    flaws = [f"image {manifest} is missing" for manifest in rows - there]
    if collected:
        flaws += [f"images/{name} is left" for name in there - rows]
        claims = read_index(store, "SELECT key FROM memory WHERE key LIKE 'layer %'")
        owners = {identifier for (identifier,) in read_index(store, "SELECT id FROM environments")}
        flaws += [f"{claim} is nobody's" for (claim,) in claims if claim.split(" ")[2] not in owners]
    layered = "SELECT path, manifest FROM environments WHERE mode = 'layered'"
    flaws += [f"{path} has no image" for path, manifest in read_index(store, layered) if manifest not in rows]
    named = "SELECT manifest FROM images UNION SELECT manifest FROM shapes UNION SELECT manifest FROM prewarmed"
    known = {digest for (digest,) in read_index(store, "SELECT digest FROM manifests")}
    return flaws + [f"manifest {one} is not there" for (one,) in read_index(store, named) if one not in known]


def _leftovers(store: Path, *, collected: bool) -> list[str]:
    if not collected:
        return []
    flaws = [f"{table} is not empty" for table in ("leases", "lease_wheels", "condemned") if _rows(store, table)]
    for name in ("tmp", "trash"):
        flaws += [f"{name}/{left} is left" for left in os.listdir(store / name)]
    flaws += [f"locks/{left} is left" for left in os.listdir(store / "locks") if left.startswith("lease")]
    tokens = {identifier for (identifier,) in read_index(store, "SELECT id FROM environments")}
    flaws += [f"tokens/{left} is nobody's" for left in os.listdir(store / "tokens") if left not in tokens]
    return flaws


def _rows(store: Path, table: str) -> int:
    ((count,),) = read_index(store, f"SELECT count(*) FROM {table}")
    return int(count)
