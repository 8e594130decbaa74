"""Where things are in a store directory, and whether this process may use it.

On the warm path: imports only `os`, and opening an existing store costs three system calls.
"""

from __future__ import annotations

import os

from wheelstore.store.errors import StoreError
from wheelstore.store.umask import open_to_readers
from wheelstore.store.values import NamedTuple

FORMAT = 1
"""The on-disk format that this version reads and writes."""

_CACHEDIR_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This directory holds unpacked wheels that environments are linked from.\n"
    "# It can be rebuilt from the package index, but environments may depend on it.\n"
)


class StoreTooNew(StoreError):
    """The store was written by a newer wheelstore, in a format this one does not know."""

    hint = "upgrade wheelstore, or point --store at another directory"

    def __init__(self, root: str, found: int) -> None:
        super().__init__(root, found)
        self.root, self.found = root, found

    def __str__(self) -> str:
        return f"the store {self.root} has format {self.found}; this version knows format {FORMAT}"


class NotAStore(StoreError):
    """The directory exists, holds files, and is not a store."""

    hint = "point --store (or STORE_DIR) at a store or at an empty directory"

    def __init__(self, root: str, reason: str) -> None:
        super().__init__(root, reason)
        self.root, self.reason = root, reason

    def __str__(self) -> str:
        return f"{self.root} is not a store: {self.reason}"


class UnsafeStore(StoreError):
    """Other users may write to `path`, a part of the store or what holds it, so nothing in it can be trusted."""

    def __init__(self, root: str, path: str, reason: str = "", hint: str = "") -> None:
        super().__init__(root, path, reason)
        self.root, self.path = root, path
        self.reason = reason or "can be written to by other users"
        self.hint = hint or f"chmod -R go-w '{root}'"

    def __str__(self) -> str:
        part = "" if self.path == self.root else f" is not used: {self.path}"
        return f"the store {self.root}{part} {self.reason}"


class StoreForbidden(StoreError):
    """The store, or what leads to it, may not be entered by this user."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.root = root
        self.hint = f"its owner can share it: chmod go+rx '{root}'; or point --store (or STORE_DIR) at one of your own"

    def __str__(self) -> str:
        return f"the store {self.root} cannot be read by this user: permission denied"


class StoreUnwritable(StoreError):
    """The store directory cannot be made or written to."""

    hint = "free space or permissions there, or point --store (or STORE_DIR) at another directory"

    def __init__(self, root: str, reason: str) -> None:
        super().__init__(root, reason)
        self.root, self.reason = root, reason

    def __str__(self) -> str:
        return f"cannot create the store {self.root}: {self.reason}"


class Store(NamedTuple):
    """An open store directory; paths are absolute strings, because the warm path joins thousands of them."""

    root: str
    writable: bool = True

    @property
    def blobs(self) -> str:
        """The directory of blobs, in 256 subdirectories by the first byte of the digest."""
        return f"{self.root}/blobs"

    @property
    def index_path(self) -> str:
        """The SQLite index."""
        return f"{self.root}/index.sqlite3"

    @property
    def facts_path(self) -> str:
        """The resolve stage's own SQLite file: pages and files that indexes told of."""
        return f"{self.root}/resolve.sqlite3"

    @property
    def images(self) -> str:
        """The directory of images, each named by its manifest."""
        return f"{self.root}/images"

    @property
    def spares(self) -> str:
        """The directory of spares: trees that become environments, in a directory for each manifest."""
        return f"{self.root}/spares"

    @property
    def tmp(self) -> str:
        """Unfinished things, on the blobs' filesystem so that publishing is a rename."""
        return f"{self.root}/tmp"

    @property
    def trash(self) -> str:
        """Things on their way out."""
        return f"{self.root}/trash"

    @property
    def locks(self) -> str:
        """Files that processes lock: claims on wheels, leases."""
        return f"{self.root}/locks"

    @property
    def tokens(self) -> str:
        """A file for each environment, which the environment has a hardlink to: while it lives, there are two."""
        return f"{self.root}/tokens"

    @property
    def records(self) -> str:
        """A file for each wheel, with what the index says of it, so that a lost index can be made anew."""
        return f"{self.root}/wheels"


def open_store(root: str) -> Store:
    """Open the store at `root`, making it if there is nothing there yet.

    A directory owned by another user, or on a read-only filesystem, opens read-only (`Store.writable` is false).

    Raises:
        StoreTooNew: its format is newer than `FORMAT`.
        NotAStore: the directory holds something else.
        UnsafeStore: group or others may write there, or to a part of it.
        StoreForbidden: this user may not look into it.
        StoreUnwritable: it cannot be made.
    """
    try:
        descriptor = os.open(f"{root}/format", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return _create(root)
    except PermissionError:
        raise StoreForbidden(root) from None
    except OSError as error:
        raise NotAStore(root, error.strerror or str(error)) from None
    try:
        text = os.read(descriptor, 32)
    finally:
        os.close(descriptor)
    try:
        found = int(text)
    except ValueError:
        raise NotAStore(root, "its format file does not hold a number") from None
    if found > FORMAT:
        raise StoreTooNew(root, found)
    return _checked(root)


def _checked(root: str) -> Store:
    if os.name == "nt":
        return Store(root)
    status = os.stat(root)
    ours = status.st_uid == os.geteuid()
    # Nobody else can enter a directory of mode 0700, whatever the modes of what is in it.
    if not ours or status.st_mode & 0o077:
        from wheelstore.store.trust import check

        check(root, status)
    return Store(root, writable=ours and os.access(root, os.W_OK))


def _create(root: str) -> Store:
    try:
        os.makedirs(root, 0o700, exist_ok=True)
        strangers = [name for name in os.listdir(root) if name.split(".")[0] not in _OWN_NAMES]
        if strangers:
            raise NotAStore(root, f"it holds {min(strangers)!r} and no format file")
        os.chmod(root, 0o700)
        _fill(root)
    except OSError as error:
        raise StoreUnwritable(root, error.strerror or str(error)) from None
    return Store(root)


def _fill(root: str) -> None:
    """Make what is in every store. Who may read it is for the root's mode to say; nobody else ever writes."""
    with open_to_readers():
        for name in _DIRECTORIES:
            os.makedirs(f"{root}/{name}", exist_ok=True)
        for number in range(256):
            os.makedirs(f"{root}/blobs/{number:02x}", exist_ok=True)
        _write(f"{root}/CACHEDIR.TAG", _CACHEDIR_TAG)
        # Last, because a format file is what makes a directory a store.
        _write(f"{root}/format", f"{FORMAT}\n")


_DIRECTORIES = ("blobs", "images", "locks", "spares", "tmp", "tokens", "trash", "wheels")
_OWN_NAMES = frozenset({*_DIRECTORIES, "CACHEDIR", "format"})


def _write(path: str, text: str) -> None:
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(temporary, path)
