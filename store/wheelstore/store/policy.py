"""What a collection may free, and what it freed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wheelstore.store.vanished import Missing

DAY = 86400.0
"""Seconds."""

PREWARMED = 30 * DAY
"""How long what was made ready is kept ready without being used, at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may go, of what nobody needs: seconds, and bytes.

    What was last used `older_than` ago goes (None: nothing goes for its age); beyond it what was used least recently,
    until blobs and images take up no more than `max_size`. An environment that is gone is forgotten after `grace`.
    """

    older_than: float | None = 0.0
    max_size: int | None = None
    grace: float = DAY


@dataclass(slots=True)
class Freed:
    """What a collection freed, or would.

    `environments` are the paths of those that are gone and forgotten, `missing` those that are gone and still kept;
    `unrecorded` are wheels that the index should know and does not. `orphans` are files that no row is about,
    `leftovers` temporary files, locks, tokens and trash. The bytes of images and spares are what no blob has.
    """

    environments: list[str] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    generations: int = 0
    manifests: int = 0
    wheels: int = 0
    images: int = 0
    image_bytes: int = 0
    spares: int = 0
    spare_bytes: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    orphans: int = 0
    orphan_bytes: int = 0
    leftovers: int = 0
    leftover_bytes: int = 0

    @property
    def rows(self) -> int:
        """How many generations, images, manifests and wheels."""
        return self.generations + self.images + self.manifests + self.wheels

    @property
    def size(self) -> int:
        """The bytes of all that is gone."""
        return self.blob_bytes + self.orphan_bytes + self.leftover_bytes + self.image_bytes + self.spare_bytes


Watch = Callable[[str, int, int], None]
"""Is told what is being done, and how much of how much is done."""


def unwatched(_doing: str, _done: int, _total: int) -> None:
    """Tell nobody."""
