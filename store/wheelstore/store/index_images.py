"""The part of the index that makes environments appear at once: images, spares that are wanted, and small plans.

On the warm path; see `index`.
"""

from __future__ import annotations

from wheelstore.store.index_roots import RootsIndex
from wheelstore.store.values import NamedTuple

_CLAIM = "layer "  # in `memory`: then a manifest, and an environment; see `index_ready.IDLE`


class ImageRow(NamedTuple):
    """An image: the directory `images/<manifest>` of the store is there, all of it, exactly while its row is.

    `kind` is ``subvolume`` or ``directory``, `size` the bytes that it takes up and that no blob has already, `made`
    and `used` are seconds since the epoch.
    """

    manifest: str
    kind: str
    size: int
    made: float
    used: float


class PrewarmedRow(NamedTuple):
    """A manifest that shall be ready: with its image, and with so many `spares`, made in link mode `mode`.

    `source` is what the user named, `used` when that was said or a spare was taken, in seconds since the epoch.
    """

    manifest: str
    spares: int
    mode: str
    source: str
    used: float


class ImagesIndex(RootsIndex):
    """Images, spares and shapes in the index."""

    __slots__ = ()

    # Shapes

    def shape(self, manifest: str, kind: str) -> bytes | None:
        """A plan that follows from the manifest's own: see `materialize.shapes` for the kinds."""
        rows = self._rows("SELECT plan FROM shapes WHERE manifest = ? AND kind = ?", (manifest, kind))
        return bytes(rows[0][0]) if rows else None

    def put_shape(self, manifest: str, kind: str, plan: bytes) -> None:
        """Keep such a plan, if the manifest is there; inside `writing`."""
        self._connection.execute(
            "INSERT OR REPLACE INTO shapes (manifest, kind, plan) SELECT ?, ?, ? FROM manifests WHERE digest = ?",
            (manifest, kind, plan, manifest),
        )

    # Images

    def image(self, manifest: str) -> ImageRow | None:
        """The image of a manifest."""
        rows = self._rows("SELECT manifest, kind, size, made, used FROM images WHERE manifest = ?", (manifest,))
        return ImageRow(*rows[0]) if rows else None

    def images(self) -> list[ImageRow]:
        """Every image, by manifest."""
        return [ImageRow(*row) for row in self._rows("SELECT manifest, kind, size, made, used FROM images ORDER BY 1")]

    def put_image(self, row: ImageRow) -> None:
        """Keep that an image is there; inside the `writing` in which it is renamed into place."""
        self._connection.execute(
            "INSERT OR REPLACE INTO images (manifest, kind, size, made, used) VALUES (?, ?, ?, ?, ?)", row
        )

    def use_image(self, manifest: str, *, now: float) -> None:
        """Note that an image was used; inside `writing`."""
        self._connection.execute("UPDATE images SET used = ? WHERE manifest = ?", (now, manifest))

    def images_size(self) -> int:
        """The bytes that all images take up."""
        return int(self._rows("SELECT coalesce(sum(size), 0) FROM images")[0][0])

    def claim_layer(self, manifest: str, environment: str) -> None:
        """Keep an image for an environment that is about to become a layer before it; inside `writing`.

        From the moment that such a change is decided, whoever comes next finishes it, so a lease, which ends with its
        process, is not enough: until the environment is registered as what it has become, both images are kept.
        """
        statement = "INSERT OR REPLACE INTO memory (key, value) VALUES (?, x'')"
        self._connection.execute(statement, (f"{_CLAIM}{manifest} {environment}",))

    def disclaim_layers(self, environment: str) -> None:
        """Keep nothing for an environment but what its row says; inside `writing`."""
        statement = "DELETE FROM memory WHERE key > ? AND key < ? AND substr(key, -length(?)) = ?"
        ending = f" {environment}"
        self._connection.execute(statement, (_CLAIM, f"{_CLAIM[:-1]}!", ending, ending))

    # Spares

    def prewarmed(self, manifest: str) -> PrewarmedRow | None:
        """What shall be ready of a manifest."""
        rows = self._rows("SELECT manifest, spares, mode, source, used FROM prewarmed WHERE manifest = ?", (manifest,))
        return PrewarmedRow(*rows[0]) if rows else None

    def all_prewarmed(self) -> list[PrewarmedRow]:
        """Everything that shall be ready, the one used last first."""
        query = "SELECT manifest, spares, mode, source, used FROM prewarmed ORDER BY used DESC, manifest"
        return [PrewarmedRow(*row) for row in self._rows(query)]

    def put_prewarmed(self, row: PrewarmedRow) -> None:
        """Keep that something shall be ready; inside `writing`."""
        self._connection.execute(
            "INSERT OR REPLACE INTO prewarmed (manifest, spares, mode, source, used) VALUES (?, ?, ?, ?, ?)", row
        )

    def use_prewarmed(self, manifest: str, *, now: float) -> None:
        """Note that what was made ready was used; inside `writing`."""
        self._connection.execute("UPDATE prewarmed SET used = ? WHERE manifest = ?", (now, manifest))

    def drop_prewarmed(self, manifest: str) -> None:
        """Keep nothing ready of a manifest any more; inside `writing`."""
        self._connection.execute("DELETE FROM prewarmed WHERE manifest = ?", (manifest,))
