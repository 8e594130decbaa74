"""A lease: a live operation's claim on what it is about to use, which `gc` respects. On the warm path.

A row in the index says what is claimed; a locked file of the same name says that whoever claims it lives, because the
kernel gives up a dead process's locks at once. The file is locked before the row is written, so that a row without a
locked file is a dead process's. Children that are forked meanwhile share the lock: they go on needing what it claims.
"""

from __future__ import annotations

import os
import sys
import time

from wheelstore.store.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelstore.store.index import Index, WheelRow
    from wheelstore.store.layout import Store

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


class Lease:
    """A context in which nothing of what it protects is collected; at first it protects nothing and costs nothing.

    In a store that is not ours it does nothing: its owner does not see us, so what is copied from it may go meanwhile.

    Raises:
        OSError, IndexUnusable: it cannot be taken.
    """

    __slots__ = ("_descriptor", "_id", "_index", "_now", "_store", "_used", "_written", "blobs")

    def __init__(self, store: Store, index: Index, *, now: float) -> None:
        self._store, self._index, self._now = store, index, now
        self._id = ""
        self._descriptor = -1
        self._written = self._used = False
        self.blobs = store.blobs
        """Where the operation's blobs are; elsewhere if this is a store that is only read, and lacks some."""

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.blobs != self._store.blobs:
            from shutil import rmtree

            rmtree(self.blobs, ignore_errors=True)
        if self._descriptor < 0:
            return
        try:
            if self._used:
                from shutil import rmtree

                rmtree(self.directory, ignore_errors=True)
            if self._written:
                with self._index.writing():
                    self.drop()
        except StoreError:  # a row that cannot be deleted is a dead operation's as soon as the lock is gone
            return
        finally:
            self._let_go()

    def drop(self) -> None:
        """Protect nothing any more; inside `writing`, together with what makes the lease unnecessary."""
        if self._written:
            self._index.drop_lease(self.id)
            self._written = False

    def _let_go(self) -> None:
        _remove(_path(self._store, self.id))
        os.close(self._descriptor)
        self._descriptor = -1

    def bequeath(self) -> int:
        """Leave what it has to the program that this process becomes or starts; the descriptor of the lock, for that.

        Its row goes on protecting what it protects. When the lock is free, whoever waits for that removes directory and
        file; the row is then for the next that protects the same manifest, or for `gc`.
        """
        descriptor, self._descriptor = self._descriptor, -1
        return inheritable(descriptor)

    @property
    def file(self) -> str:
        """The path of the file that is locked."""
        return _path(self._store, self.id)

    @property
    def id(self) -> str:
        """The name of its file and of its row; from here on there is the file."""
        if not self._id:
            self._id, self._descriptor = _lock_new(self._store)
        return self._id

    @property
    def directory(self) -> str:
        """Where the operation may keep unfinished things; made by whoever needs it, removed with the lease."""
        self._used = True
        return f"{self._store.tmp}/op-{self.id}"

    def plan(self, manifest: str) -> bytes | None:
        """Protect a manifest; its packed plan, or None if it is not there (any more)."""
        if not self._store.writable:
            return self._index.manifest(manifest)
        with self._index.writing():
            plan = self._index.manifest(manifest)
            if plan is not None:
                self.hold(manifest)
        return plan

    def shape(self, manifest: str, kind: str, *, with_image: bool) -> bytes | None:
        """Protect a manifest and its image; its packed plan of the `kind`.

        None if that is not there, or the image is not that is wanted with it.
        """
        if not self._store.writable:
            return self._shape(manifest, kind, with_image=with_image)
        with self._index.writing():
            plan = self._shape(manifest, kind, with_image=with_image)
            if plan is not None:
                self.hold(manifest)
        return plan

    def _shape(self, manifest: str, kind: str, *, with_image: bool) -> bytes | None:
        if with_image and (self._index.image(manifest) is None or not is_there(self._store, manifest)):
            return None
        return self._index.shape(manifest, kind)

    def hold(self, manifest: str) -> None:
        """Protect a manifest that was made just now; inside `writing`.

        What commands of `store run` left, which have ended, goes, lest there be a row for each.
        """
        for one in self._index.leases_on(manifest):
            if one != self._id and not os.path.exists(_path(self._store, one)):  # the file is there before the row is
                self._index.drop_lease(one)
        self._index.lease_manifest(self.id, manifest, now=self._now)
        self._written = True

    def wheels(self, sha256s: Iterable[str]) -> dict[str, WheelRow]:
        """Protect wheels, also those that are yet to come; the rows of those that are there."""
        wanted = list(sha256s)
        if not self._store.writable:
            return self._index.wheels(wanted)
        with self._index.writing():
            self._index.lease_wheels(self.id, wanted, now=self._now)
            self._written = True
            return self._index.wheels(wanted)


def inheritable(descriptor: int) -> int:
    """The same open file under a number that the next program has, too, and that scripts do not use by chance."""
    if sys.platform == "win32":
        os.set_inheritable(descriptor, True)  # noqa: FBT003
        return descriptor
    try:
        copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD, _NOBODYS)
    except OSError:  # there may be no files of such numbers
        os.set_inheritable(descriptor, True)  # noqa: FBT003
        return descriptor
    os.close(descriptor)
    return copy


_NOBODYS = 200  # shells let users name files up to 9, and use some above for themselves


def hold_image(store: Store, index: Index, manifest: str) -> int | None:
    """A descriptor with which the image of a manifest in someone else's store is not collected; None without an image.

    So it is as long as anybody has it, or a copy, open. Whoever collects an image locks it for himself, then looks.
    Anybody who may read an image could keep it locked, so that is waited for a little only: -1 is no protection.
    """
    deadline = time.monotonic() + _PATIENCE
    while index.image(manifest) is not None and is_there(store, manifest):
        descriptor, busy = _share(f"{store.images}/{manifest}")
        if descriptor >= 0 or not busy or time.monotonic() > deadline:
            return descriptor
        time.sleep(_PAUSE)
    return None


_PATIENCE, _PAUSE = 1.5, 0.02  # seconds


if sys.platform == "win32":

    def _share(path: str) -> tuple[int, bool]:  # noqa: ARG001 - directories cannot be locked
        return -1, False

else:

    def _share(path: str) -> tuple[int, bool]:
        """A shared lock on a directory; else -1, and whether it is locked, or another by now, and so worth a try."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            return -1, isinstance(error, FileNotFoundError)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor, False
            busy = True
        except OSError as error:
            busy = isinstance(error, (BlockingIOError, FileNotFoundError))
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return -1, busy


def is_there(store: Store, manifest: str) -> bool:
    """Whether an image that the index knows is there: somebody may have removed it."""
    return os.path.isdir(f"{store.images}/{manifest}")


def is_alive(store: Store, identifier: str, *, tidy: bool = True) -> bool:
    """Whether the operation that took the lease is under way; to `tidy` is to remove the file of one that is not."""
    path = _path(store, identifier)
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return False
    try:
        if not _try_lock(descriptor):
            return True
        if tidy:
            _remove(path)
        return False
    finally:
        os.close(descriptor)


def lease_files(store: Store) -> list[str]:
    """The ids of which there are files, of live and of dead operations."""
    try:
        return [name for name in os.listdir(f"{store.locks}") if name.startswith(_PREFIX)]
    except FileNotFoundError:
        return []


_PREFIX = "lease-"


def _path(store: Store, identifier: str) -> str:
    return f"{store.locks}/{identifier}"


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:  # Windows keeps what is open; whoever comes next finds it unlocked
        return


def _lock_new(store: Store) -> tuple[str, int]:
    while True:
        identifier = f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
        try:
            descriptor = os.open(_path(store, identifier), _CREATE, 0o600)
        except FileNotFoundError:
            os.makedirs(store.locks, 0o700, exist_ok=True)
            continue
        # Between its creation and the lock, a gc may have taken the file for a dead operation's.
        if _try_lock(descriptor) and os.fstat(descriptor).st_nlink:
            return identifier, descriptor
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
