"""What has become of the environments that the store knows: there, moved, deleted, or on a disk that is not mounted."""

from __future__ import annotations

import enum
import os

from wheelstore.store.index import EnvironmentRow
from wheelstore.store.layout import Store
from wheelstore.store.tokens import IN_ENVIRONMENT, filesystem_of, is_elsewhere


class Presence(enum.Enum):
    """What can be said of a registered environment's whereabouts."""

    LIVE = "live"
    MOVED = "moved"
    MISSING = "missing"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"


def look(store: Store, row: EnvironmentRow) -> Presence:
    """Where an environment is: at its path; elsewhere on the store's filesystem; not to be told; or nowhere.

    Only `Presence.MISSING` says that it was deleted: the path, or another environment's token there, can be read,
    nothing else links the store's token, and what is left of the path is on the filesystem that the environment was on.
    """
    try:
        if _token_id(row.path) == row.id:
            return Presence.LIVE
        if is_elsewhere(store, row.id):
            return Presence.MOVED
        ancestor = row.path
        while not os.path.lexists(ancestor):
            ancestor = os.path.dirname(ancestor)
        if row.filesystem and filesystem_of(ancestor) != row.filesystem:
            return Presence.UNREACHABLE
    except OSError:
        return Presence.UNREADABLE
    return Presence.MISSING


def _token_id(environment: str) -> str | None:
    """The id that the environment at a path has; None if there is none, or one without a token."""
    try:
        with open(f"{environment}/{IN_ENVIRONMENT}", "rb") as stream:
            return stream.readline().decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
