"""A whole tree copied in one step: snapshots of btrfs subvolumes, and clonefile(2) of a directory on macOS.

What subvolumes can do is `store.btrfs`'s to say. For an environment it comes to this: the image, a read-only subvolume
of clones, is copied to a name that does not exist yet in 7 ms, writable and with all times; the copy can be renamed
over an empty directory, exchanged with any directory beside it, and removed by its owner like a directory (`rm -rf`).
Only the store's owner can have one, and only where store and environment are on one btrfs, under whichever mounts.
"""

from __future__ import annotations

import errno
import os
import sys

from wheelstore.store.btrfs import snapshot
from wheelstore.store.errors import StoreError

_CLONE_FLAGS = 1 | 2  # sys/clonefile.h: CLONE_NOFOLLOW, CLONE_NOOWNERCOPY
_NOT_HERE = "this system has no such copies"


class SnapshotsUnsupported(StoreError):
    """A tree cannot be copied in one step there."""

    hint = (
        "snapshots need store and environment on one btrfs (or APFS), and a store of one's own;"
        " --link-mode hardlink and --link-mode layered need neither"
    )

    def __init__(self, image: str, target: str, reason: str) -> None:
        super().__init__(image, target, reason)
        self.image, self.target, self.reason = image, target, reason

    def __str__(self) -> str:
        return f"{self.target} cannot be a snapshot of {self.image}: {self.reason}"


def snapshot_tree(image: str, target: str) -> None:
    """Make `target`, which must not exist, a writable copy of the tree `image`, by what the system has for that.

    Raises:
        SnapshotsUnsupported: it has nothing that works between these two.
        OSError: `target` cannot be made, because it exists or for want of room or permission.
    """
    if not sys.platform.startswith("linux"):
        clone_directory(image, target)
        return
    try:
        snapshot(image, target)
    except OSError as error:
        raise _refusal(image, target, error) from None


def clone_directory(source: str, target: str) -> None:
    """Make `target`, which must not exist, a clone of the directory `source` (macOS, clonefile(2)).

    Raises:
        SnapshotsUnsupported: the system or the filesystem has no clones of directories, or there are two filesystems.
        OSError: `target` cannot be made, because it exists or for want of room or permission.
    """
    import ctypes

    try:
        clonefile = ctypes.CDLL(None, use_errno=True).clonefile
    except (AttributeError, OSError, TypeError):  # the last is Windows's word for a library without a name
        raise SnapshotsUnsupported(source, target, _NOT_HERE) from None
    if clonefile(os.fsencode(source), os.fsencode(target), _CLONE_FLAGS):
        number = ctypes.get_errno()
        raise _refusal(source, target, OSError(number, os.strerror(number), target)) from None
    _unseal(target)


def _unseal(directory: str) -> None:
    """Let the owner write to everything in a clone, which has the modes of an image."""
    os.chmod(directory, 0o755)  # noqa: S103 - as any environment's
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _unseal(entry.path)
            elif not entry.is_symlink():
                os.chmod(entry.path, entry.stat().st_mode & 0o777 | 0o200)


def _refusal(image: str, target: str, error: OSError) -> OSError | SnapshotsUnsupported:
    """What an error means: that there are no snapshots here, or just itself."""
    reasons = {
        errno.EXDEV: "they are on different filesystems",
        errno.ENOTTY: "the filesystem there is not btrfs",
        errno.EOPNOTSUPP: "the filesystem has no such copies",
        errno.ENOTSUP: "the filesystem has no such copies",
        errno.ENOSYS: _NOT_HERE,
        errno.EINVAL: "that is not a subvolume",
        errno.EPERM: "that belongs to another user",
    }
    reason = reasons.get(error.errno or 0)
    return error if reason is None else SnapshotsUnsupported(image, target, reason)
