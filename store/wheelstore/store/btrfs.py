"""Subvolumes of btrfs: trees that the filesystem copies as a whole, in one step, whatever is in them.

Plain ioctls (btrfs-ioctl(2), linux/btrfs.h), which takes no btrfs binary and no root: what needs root is only to remove
a subvolume in one step. `fcntl` exists on Unix alone, the numbers are those of x86, Arm, RISC-V and s390; others say
`ENOTTY`, like any filesystem that is not btrfs.

What these trees do that others do not, as root and as another user (Linux 6.18, an image on a loop device):

* A snapshot of 12,000 files takes 7 ms (median of 10), its removal in one step 0.1 ms, by emptying it 430 ms. It has
  all modes, owners and times of the original, those of directories, too.
* Files can be cloned into a subvolume, but neither linked nor renamed into or out of it: `EXDEV`.
* A read-only subvolume keeps its parent: `EROFS` on a rename or exchange into another directory, also for root. Within
  its directory it can be renamed. So it is made read-only where it will be, and made writable to go.
* Subvolumes change names, directories and places with each other like directories do, across subvolumes, too; but not
  across mounts, where snapshots and clones still work.
* Who does not own a subvolume cannot snapshot it, or change whether it is read-only: `EPERM`.
* Making one read-only commits what was written to the disk: 65 to 134 ms after 12,000 new files.
"""

from __future__ import annotations

import errno
import os
import sys

_CREATE = 0x5000940E  # BTRFS_IOC_SUBVOL_CREATE
_DESTROY = 0x5000940F  # BTRFS_IOC_SNAP_DESTROY
_SNAPSHOT = 0x50009417  # BTRFS_IOC_SNAP_CREATE_V2
_GET_FLAGS = 0x80089419  # BTRFS_IOC_SUBVOL_GETFLAGS
_SET_FLAGS = 0x4008941A  # BTRFS_IOC_SUBVOL_SETFLAGS
_READ_ONLY = 2  # BTRFS_SUBVOL_RDONLY
_TOP = 256  # BTRFS_FIRST_FREE_OBJECTID, the inode number of every subvolume's own directory
_ARGUMENTS = 4096  # the size of both structures of arguments, which end with a name
_NAME, _NAME_V2 = 4088, 4040
_DIRECTORY = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0)


def is_btrfs(directory: str) -> bool:
    """Whether a directory, which exists, is on btrfs; takes 5 µs.

    Raises:
        OSError: it cannot be opened.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        _flags(directory)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP, errno.ENOSYS}:
            return error.errno == errno.EINVAL  # said of what is not a subvolume by btrfs, the only one to know of such
        raise
    return True


def is_subvolume(path: str) -> bool:
    """Whether it is a directory that is a subvolume; false if it is not there."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        if os.lstat(path).st_ino != _TOP:
            return False
        _flags(path)
    except OSError:
        return False
    return True


def is_read_only(path: str) -> bool:
    """Whether a subvolume is read-only.

    Raises:
        OSError: it is not a subvolume.
    """
    return bool(_flags(path) & _READ_ONLY)


def create_subvolume(path: str) -> None:
    """Make an empty one, like `mkdir`.

    Raises:
        OSError: `ENOTTY` where there is no btrfs, `EEXIST` and whatever else `mkdir` fails with.
    """
    _in_parent(path, _CREATE, 0, _NAME)


def snapshot(source: str, target: str) -> None:
    """Make `target`, which must not exist, a writable copy of the subvolume `source`; all there or not at all.

    Raises:
        OSError: `ENOTTY` if `target` is not to be on btrfs, `EXDEV` if `source` is on another filesystem, `EINVAL` if
            it is not a subvolume, `EPERM` if it is another user's: root could, but the copy's files would stay theirs.
    """
    reader = os.open(source, _DIRECTORY)
    try:
        if os.fstat(reader).st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), source)
        _in_parent(target, _SNAPSHOT, reader, _NAME_V2)
    finally:
        os.close(reader)


def set_read_only(path: str, *, read_only: bool) -> None:
    """Let nobody change what is in the subvolume, root neither; or let its owner do so again.

    Raises:
        OSError: `EINVAL` or `ENOTTY` if it is not a subvolume, `EPERM` if it is another user's.
    """
    _ioctl(path, _SET_FLAGS, bytearray((_READ_ONLY if read_only else 0).to_bytes(8, sys.byteorder)), path)


def destroy(path: str) -> bool:
    """Remove a subvolume in one step, if this user may: root, or any with the mount option `user_subvol_rm_allowed`.

    False if not, or if there are subvolumes in it: then it is writable at least, so that it can be emptied and removed
    like a directory. False, too, of what is not a subvolume.
    """
    if not is_subvolume(path):
        return False
    try:
        if is_read_only(path):
            set_read_only(path, read_only=False)
        _in_parent(path, _DESTROY, 0, _NAME)
    except OSError:  # whatever it is, emptying it says it of the file that it is about
        return False
    return True


def _flags(path: str) -> int:
    flags = bytearray(8)
    _ioctl(path, _GET_FLAGS, flags, path)
    return int.from_bytes(flags, sys.byteorder)


def _in_parent(path: str, request: int, source: int, size: int) -> None:
    """A request about a name in a directory; `source` is a descriptor, `size` that of the name's field."""
    parent, name = os.path.split(os.path.normpath(path))
    head = source.to_bytes(8, sys.byteorder).ljust(_ARGUMENTS - size, b"\0")
    _ioctl(parent or ".", request, bytearray(head + os.fsencode(name).ljust(size, b"\0")), path)


def _ioctl(directory: str, request: int, arguments: bytearray, path: str) -> None:
    """Ask; the answer is written into `arguments`. `path` is what an error is about."""
    from fcntl import ioctl

    descriptor = os.open(directory, _DIRECTORY)
    try:
        ioctl(descriptor, request, arguments)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(descriptor)
