"""A new environment: built beside its place, then renamed there, so that it is all there or not at all."""

from __future__ import annotations

import errno
import os

from wheelstore.store.errors import StoreError


class TargetUnwritable(StoreError):
    """The environment's place cannot be written to."""

    hint = "choose another place with --venv, or make room or permissions there"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot make the environment {self.path}: {self.reason}"


class FreshEnvironment:
    """A context in which `directory` may be filled; `publish` renames it to `path`.

    Left without `publish`, by whatever exception, it removes what was built.

    Raises:
        TargetUnwritable: the directory beside `path` cannot be made.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        parent, name = os.path.split(path)
        self.directory = f"{parent}/.{name}.{os.getpid()}-{os.urandom(4).hex()}.tmp"

    def __enter__(self) -> FreshEnvironment:
        try:
            os.mkdir(self.directory)
        except FileNotFoundError:
            try:
                os.makedirs(self.directory)
            except OSError as error:
                raise TargetUnwritable(self.path, error.strerror or str(error)) from None
        except OSError as error:
            raise TargetUnwritable(self.path, error.strerror or str(error)) from None
        return self

    def publish(self, *, replace: bool, trash: str) -> None:
        """Put the new environment in its place; what `replace` lets it replace goes to the directory `trash`.

        Raises:
            TargetUnwritable: something is in the way that `replace` does not cover.
        """
        if replace and os.path.lexists(self.path):
            discard(self.path, trash)
        try:
            os.rename(self.directory, self.path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise TargetUnwritable(self.path, "something else was put there meanwhile") from None
            raise TargetUnwritable(self.path, error.strerror or str(error)) from None

    def __exit__(self, *exception: object) -> None:
        if os.path.lexists(self.directory):
            remove_tree(self.directory)


def discard(path: str, trash: str) -> None:
    """Take `path` away with one rename into `trash` (made if need be) where that is possible, then remove it."""
    gone = f"{trash}/{os.getpid()}-{os.urandom(4).hex()}"
    try:
        os.rename(path, gone)
    except OSError:
        parent, name = os.path.split(path)
        gone = f"{parent}/.{name}.{os.getpid()}-{os.urandom(4).hex()}.old"
        os.rename(path, gone)
    remove_tree(gone)


def remove_tree(path: str) -> None:
    """Remove a directory tree; read-only directories inside it are no obstacle to their owner."""
    import shutil

    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return

    def insist(_function: object, name: str, _: object) -> None:
        os.chmod(os.path.dirname(name), 0o700)
        os.chmod(name, 0o700)
        if os.path.isdir(name):
            os.rmdir(name)
        else:
            os.unlink(name)

    shutil.rmtree(path, onerror=insist)
