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
        if _id_at(row.path) == row.id:
            return Presence.LIVE
        if is_elsewhere(store, row.id):
            return Presence.MOVED
        if not row.filesystem and os.path.lexists(f"{row.path}/pyvenv.cfg"):
            return Presence.LIVE  # by all that is known: it was registered before there were tokens
        if row.filesystem and filesystem_of(_what_is_left(row.path)) != row.filesystem:
            return Presence.UNREACHABLE
    except OSError:
        return Presence.UNREADABLE
    return Presence.MISSING


def _id_at(environment: str) -> str | None:
    """The id of the environment at a path; None if there is none."""
    token = _lines(f"{environment}/{IN_ENVIRONMENT}")
    if token:
        return token[0]
    state = _lines(f"{environment}/{_STATE}")  # of an environment from before there were tokens
    return state[1] if len(state) > 1 else None


_STATE = ".wheelstore/state"  # whose second line is the id; see `materialize.environment`


def _lines(path: str) -> list[str]:
    try:
        with open(path, "rb") as stream:
            return stream.read(4096).decode("utf-8", "replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _what_is_left(path: str) -> str:
    """The nearest directory above `path`, or above where links on the way there lead, that there is."""
    ancestor = os.path.realpath(path)
    while True:
        try:
            os.stat(ancestor)
        except (FileNotFoundError, NotADirectoryError):
            ancestor = os.path.dirname(ancestor)
        else:
            return ancestor
