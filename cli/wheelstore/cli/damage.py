"""What `store verify` refuses with, or ends with where not all is well."""

from __future__ import annotations

from collections.abc import Sequence

from wheelstore.cli.summary import counted
from wheelstore.store.errors import StoreError


class Damaged(StoreError):
    """Something in the store is not what it should be; `problems` are texts such as ``2 blobs are damaged``."""

    hint = "store verify --repair gets back what it can"

    def __init__(self, root: str, problems: Sequence[str]) -> None:
        super().__init__(root, tuple(problems))
        self.root, self.problems = root, tuple(problems)

    def __str__(self) -> str:
        return f"{', '.join(self.problems)} in the store {self.root}"


class NoSuchWheels(StoreError):
    """The store has no wheel of a project."""

    hint = "store ls shows which there are"

    def __init__(self, root: str, name: str) -> None:
        super().__init__(root, name)
        self.root, self.name = root, name

    def __str__(self) -> str:
        return f"the store {self.root} has no wheel of {self.name}"


class StillDamaged(StoreError):
    """A repair could not bring everything back; `blobs` are those that are left.

    `environments` cannot be healed, `images` cannot be made anew.
    """

    hint = "when what is missing can be had, the same command goes on: give it an index or --find-links"

    def __init__(self, root: str, blobs: int, environments: Sequence[str], images: Sequence[str] = ()) -> None:
        super().__init__(root, blobs, tuple(environments), tuple(images))
        self.root, self.blobs, self.environments, self.images = root, blobs, tuple(environments), tuple(images)

    def __str__(self) -> str:
        told = []
        if self.blobs:
            told.append(f"{are(self.blobs, 'blob')} still damaged in the store {self.root}")
        if self.environments:
            told.append(f"{are(len(self.environments), 'environment')} not healed: {', '.join(self.environments)}")
        if self.images:
            told.append(f"{are(len(self.images), 'image')} not made anew: {', '.join(self.images)}")
        return "; ".join(told)


class NotOurs(StoreError):
    """The store belongs to someone else, who alone can repair it."""

    hint = "ask its owner to run 'store verify --repair'"

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.root = root

    def __str__(self) -> str:
        return f"the store {self.root} is read-only here, and cannot be repaired"


def are(count: int, noun: str) -> str:
    """``1 blob is``, ``2 blobs are``."""
    return f"{counted(count, noun)} {'is' if count == 1 else 'are'}"
