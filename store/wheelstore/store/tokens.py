"""Each environment shares a token with the store, so that one that was moved is not taken for deleted.

A token is a small file in the store with a hardlink in the environment: while the environment is anywhere on the
store's filesystem, the file has two links, wherever it was moved to. On another filesystem the environment has a copy
instead, and its path is all there is to go by (`roots`). On the warm path.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wheelstore.store.layout import Store

IN_ENVIRONMENT = ".wheelstore/token"
"""Where an environment has its link, relative to its root."""

_DOUBTED, _TRUSTED = 0o700, 0o600
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)


def make_token(store: Store, identifier: str, path: str, *, root: str) -> None:
    """Give the environment `identifier`, which is or will be at `path` and is in `root` now, its token if it has none.

    Its text is the identifier and, for whoever has lost the index, the path.

    Raises:
        OSError: one of the two files cannot be written.
    """
    token, link = f"{store.tokens}/{identifier}", f"{root}/{IN_ENVIRONMENT}"
    try:
        if os.stat(link).st_nlink > 1 and os.path.samefile(link, token):
            return
    except FileNotFoundError:
        pass
    content = f"{identifier}\n{path}\n".encode("utf-8", "surrogateescape")
    try:
        _write(token, content)
    except FileNotFoundError:
        os.makedirs(store.tokens, 0o700, exist_ok=True)
        _write(token, content)
    new = f"{link}.{os.getpid()}"
    try:
        os.link(token, new)
    except OSError:
        _write(new, content)
    os.replace(new, link)


def doubt_token(store: Store, identifier: str) -> None:
    """Note that the index has lost what the environment consists of, so that its next sync looks into the matter.

    The mark is the file's mode, because that costs whoever has nothing else to do no more than the look itself.
    """
    os.chmod(f"{store.tokens}/{identifier}", _DOUBTED)


def trust_token(store: Store, identifier: str) -> None:
    """Note that the index knows the environment (again)."""
    token = f"{store.tokens}/{identifier}"
    try:
        if os.stat(token).st_mode & 0o100 and os.name != "nt":
            os.chmod(token, _TRUSTED)
    except FileNotFoundError:  # forgotten just now: the next sync sees that, too
        return


def is_trusted(root: str, identifier: str) -> bool:
    """Whether the store at `root` has the environment's token, and knows what it consists of."""
    try:
        return not os.stat(f"{root}/tokens/{identifier}").st_mode & 0o100 or os.name == "nt"
    except OSError:
        return False


def drop_token(store: Store, identifier: str) -> None:
    """Take the store's end of a token away."""
    try:
        os.unlink(f"{store.tokens}/{identifier}")
    except FileNotFoundError:
        return


def is_elsewhere(store: Store, identifier: str) -> bool:
    """Whether an environment that is not at its path has a link to its token, wherever it is."""
    try:
        return os.stat(f"{store.tokens}/{identifier}").st_nlink > 1
    except FileNotFoundError:
        return False


def filesystem_of(path: str) -> str:
    """A word for the filesystem that `path` (which exists) is on, which stays the same over a reboot where it can."""
    if hasattr(os, "statvfs"):
        identity = os.statvfs(path).f_fsid
        if identity:
            return f"fsid {identity}"
    return f"device {os.stat(path).st_dev}"


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
