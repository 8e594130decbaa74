"""What `gc` asks of the index about images and spares, and takes out of it; as `index_collection` does for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wheelstore.store.index import ImageRow, Index

_PAGE = 100  # as many directories are locked at once

READY = (
    "NOT EXISTS (SELECT 1 FROM images WHERE images.manifest = manifests.digest)"
    " AND NOT EXISTS (SELECT 1 FROM prewarmed WHERE prewarmed.manifest = manifests.digest)"
)
"""That nothing is, or shall be, ready of a manifest."""

IDLE = (
    "NOT EXISTS (SELECT 1 FROM environments WHERE environments.manifest = images.manifest AND mode = 'layered')"
    " AND NOT EXISTS (SELECT 1 FROM memory WHERE key > 'layer ' || images.manifest || ' '"
    " AND key < 'layer ' || images.manifest || '!')"
    " AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.manifest = images.manifest)"
    " AND NOT EXISTS (SELECT 1 FROM prewarmed WHERE prewarmed.manifest = images.manifest)"
)
"""That no environment looks into an image, wherever it is, or is about to (`ImagesIndex.claim_layer`).

What was made of it by snapshot needs it no more; nor does a layered environment's past, whose image is made again.
"""


def _run(index: Index, statement: str, *values: object) -> list[tuple[Any, ...]]:
    return list(index.stream(statement, values))


def unused_images(index: Index, cutoff: float) -> Iterator[list[tuple[Any, ...]]]:
    """Pages of the manifests whose images nobody needs, last used at `cutoff` or before."""
    last = ""
    while page := _run(
        index,
        f"SELECT manifest FROM images WHERE manifest > ? AND {IDLE} AND used <= ? ORDER BY manifest LIMIT {_PAGE}",
        *(last, cutoff),
    ):
        yield page
        last = page[-1][0]


def drop_image(index: Index, manifest: str, *, cutoff: float) -> ImageRow | None:
    """Delete the row of an image if it may still go, inside `writing`; its directory is nobody's from here on."""
    gone = _run(
        index,
        f"DELETE FROM images WHERE manifest = ? AND {IDLE} AND used <= ? RETURNING manifest, kind, size, made, used",
        *(manifest, cutoff),
    )
    return ImageRow(*gone[0]) if gone else None


def is_idle(index: Index, manifest: str) -> bool:
    """Whether nothing in the index needs the image of a manifest, if there is one."""
    return bool(_run(index, f"SELECT 1 FROM images WHERE manifest = ? AND {IDLE}", manifest))


def is_anybodys_image(index: Index, manifest: str) -> bool:
    """Whether the directory of that name is an image, which it is exactly while it has a row."""
    return bool(_run(index, "SELECT 1 FROM images WHERE manifest = ?", manifest))


def expired_prewarmed(index: Index, cutoff: float) -> list[str]:
    """The manifests that were made ready, and not used since `cutoff`."""
    return [manifest for (manifest,) in _run(index, "SELECT manifest FROM prewarmed WHERE used <= ?", cutoff)]


def drop_prewarmed(index: Index, manifest: str, *, cutoff: float) -> None:
    """Keep nothing ready of a manifest any more, if nobody has used it meanwhile; inside `writing`."""
    _run(index, "DELETE FROM prewarmed WHERE manifest = ? AND used <= ?", manifest, cutoff)


def wanted_spares(index: Index, manifest: str) -> tuple[str, int] | None:
    """In which link mode and how many spares of a manifest shall be ready; None if none, or there is no manifest."""
    rows = _run(
        index,
        "SELECT mode, spares FROM prewarmed WHERE manifest IN (SELECT digest FROM manifests WHERE digest = ?)",
        manifest,
    )
    return (str(rows[0][0]), int(rows[0][1])) if rows else None


def stale_claims(index: Index) -> list[str]:
    """The environments (by id) that were about to become layered ones, and are known no more."""
    keys = _run(index, "SELECT key FROM memory WHERE key > 'layer ' AND key < 'layer!'")
    claiming = {key.rpartition(" ")[2] for (key,) in keys}
    return sorted(one for one in claiming if index.environment(one) is None)
