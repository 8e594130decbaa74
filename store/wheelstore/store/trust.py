"""Whether only its owner can change a store that other users can reach: each part of it, and what it lies in.

Everything that is linked, read or run comes from there, so one directory that someone else can write to is enough to
put code into every environment. All parts are looked at, which takes 0.3 ms, nearly all for the 256 directories of
blobs; the blobs themselves are not, which nobody but the directories' owner can exchange: `verify` reads them.

Not on the warm path of a store that nobody else can enter.
"""

from __future__ import annotations

import os
import stat

from wheelstore.store.layout import UnsafeStore

_PARTS = (
    *("blobs", "images", "locks", "spares", "tmp", "tokens", "trash", "wheels", "format"),
    *(f"{name}.sqlite3{end}" for name in ("index", "resolve") for end in ("", "-wal", "-shm")),
)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check(root: str, status: os.stat_result) -> None:
    """Refuse a store at `root`, of which `status` is the directory's, if anyone but its owner (or root) can change it.

    Raises:
        UnsafeStore: it names what others can write to.
    """
    if status.st_mode & _OTHERS_WRITE:
        raise UnsafeStore(root, root)
    me = os.geteuid()
    owners = (status.st_uid, 0, me)
    for name in (*_PARTS, *(f"blobs/{number:02x}" for number in range(256)), *_images(root)):
        path = f"{root}/{name}"
        try:
            part = os.stat(path)
        except FileNotFoundError:
            continue
        if part.st_mode & _OTHERS_WRITE:
            raise UnsafeStore(root, path)
        if part.st_uid not in owners:
            raise UnsafeStore(root, path, f"belongs to {_user(part.st_uid)}", f"chown -R {_user(status.st_uid)} {root}")
    if status.st_uid != me:
        _check_place(root, status.st_uid)


def _images(root: str) -> list[str]:
    """The images, whose own directories can be written to by their owner; those in them by nobody."""
    try:
        return [f"images/{name}" for name in os.listdir(f"{root}/images")]
    except OSError:
        return []


def _check_place(root: str, owner: int) -> None:
    """Refuse someone else's store where just anybody could have made it, or can put another in its place.

    In a sticky directory, such as /tmp, nobody can take root's away, but everybody can make one of their own.
    """
    parent = os.path.dirname(os.path.realpath(root))
    mode = os.stat(parent).st_mode
    if mode & _OTHERS_WRITE and not (mode & stat.S_ISVTX and owner == 0):
        raise UnsafeStore(
            root,
            parent,
            f"can be written to by other users, so that {_user(owner)}'s store there might be anybody's",
            "its owner can move it to a directory that only they can write to",
        )


def _user(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"user {uid}"
