"""A new environment: built beside its place, then renamed there, so that it is all there or not at all."""

from __future__ import annotations

import errno
import os
import sys

from wheelstore.store.claims import claim_directory
from wheelstore.store.errors import StoreError
from wheelstore.store.tokens import IN_ENVIRONMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ENDING = ".tmp"
_OCCUPIED = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})
_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100  # linux/fcntl.h


class TargetUnwritable(StoreError):
    """The environment's place cannot be written to."""

    hint = "choose another place with --venv, or make room or permissions there"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot make the environment {self.path}: {self.reason}"


class Replaced:
    """What gave way to an environment: nobody needs it. Nobody else removes it while `claim` is open (-1: none)."""

    __slots__ = ("claim", "path")

    def __init__(self, path: str, claim: int) -> None:
        self.path, self.claim = path, claim

    def remove(self) -> None:
        """Remove it. What cannot be removed, as it is not ours, stays; nothing depends on it."""
        try:
            remove_tree(self.path)
        except OSError:
            return

    def leave(self) -> None:
        """Give up the claim: it is removed, or somebody else does that."""
        if self.claim >= 0:
            os.close(self.claim)
            self.claim = -1


class FreshEnvironment:
    """A context in which `directory` may be filled; `publish` renames it to `path`, which is absolute.

    Left without `publish`, by whatever exception, it removes what was built. What a killed process had begun for the
    same `path` is removed, too. `begin` makes the directory, which need not be empty then.

    Raises:
        TargetUnwritable: the directory beside `path` cannot be made.
    """

    def __init__(self, path: str, *, begin: Callable[[str], None] = os.mkdir) -> None:
        self.path = os.path.normpath(path)
        self._begin_at = begin
        self._parent, name = os.path.split(self.path)
        self._prefix = f".{name.encode()[:100].decode(errors='ignore')}."
        self.directory = self._beside()
        self._claim = -1
        self._published = False

    def _beside(self) -> str:
        return os.path.join(self._parent, f"{self._prefix}{os.getpid()}-{os.urandom(4).hex()}{_ENDING}")

    def __enter__(self) -> FreshEnvironment:
        try:
            self._begin()
        except OSError as error:
            raise TargetUnwritable(self.path, error.strerror or str(error)) from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        self._make()
        while not os.path.isdir(self.directory):  # somebody took it for abandoned just before it was claimed
            if self._claim >= 0:
                os.close(self._claim)
            self._make()
        try:
            self.remove_abandoned()
        except OSError:  # not ours to see or to remove
            return

    def _make(self) -> None:
        try:
            self._begin_at(self.directory)
        except FileNotFoundError:
            os.makedirs(self._parent, exist_ok=True)
            self._begin_at(self.directory)
        self._claim = _claimed(self.directory)

    def publish(self, *, replace: bool, trash: str) -> Replaced | None:
        """Put the new environment in its place; what `replace` lets it replace is to be removed by the caller.

        That is in the directory `trash` then, or, where there is none (empty) or it cannot be moved there, beside under
        a name that the next process here recognises (`remove_abandoned`). If the two cannot change places in one step,
        it moves away first.

        Raises:
            TargetUnwritable: something is in the way that `replace` does not cover; it is as it was.
        """
        replaced = None
        try:
            try:
                os.rename(self.directory, self.path)
            except OSError as error:
                if error.errno not in _OCCUPIED:
                    raise
                if not replace:
                    raise TargetUnwritable(self.path, "something else was put there meanwhile") from None
                replaced = self._replace(trash)
        except OSError as error:
            raise TargetUnwritable(self.path, error.strerror or str(error)) from None
        self._published = True
        return replaced

    def _replace(self, trash: str) -> Replaced | None:
        old, claim = self.directory, _claimed(self.path)
        try:
            if not exchange(self.directory, self.path):
                old = self._supplant()
            if os.path.islink(old) or not os.path.isdir(old):
                os.unlink(old)
                return None
            return Replaced(_discarded(old, trash) if trash else old, claim)
        except BaseException:
            if claim >= 0:
                os.close(claim)
            raise

    def _supplant(self) -> str:
        """Move away what is at `path` and take its place; or, if that fails, move it back. Where it is then."""
        old = self._beside()
        try:
            os.rename(self.path, old)
            os.rename(self.directory, self.path)
        except BaseException:
            if os.path.lexists(old) and not os.path.lexists(self.path):
                os.rename(old, self.path)
            raise
        return old

    def remove_abandoned(self) -> None:
        """Remove what others began for the same `path` and nobody claims any more; nothing has to be begun for it."""
        for name in os.listdir(self._parent):
            number, _, word = name.removeprefix(self._prefix).removesuffix(_ENDING).partition("-")
            if name != f"{self._prefix}{number}-{word}{_ENDING}" or not number.isdigit() or len(word) != 8:
                continue
            claim = _claimed(os.path.join(self._parent, name))
            if claim >= 0:
                try:
                    remove_tree(os.path.join(self._parent, name))
                finally:
                    os.close(claim)

    def __exit__(self, *exception: object) -> None:
        try:
            if not self._published and os.path.lexists(self.directory):
                remove_tree(self.directory)
        except KeyboardInterrupt:
            if os.path.lexists(self.directory):
                remove_tree(self.directory)
            raise
        finally:
            if self._claim >= 0:
                os.close(self._claim)
                self._claim = -1


def remove_tree(path: str) -> None:
    """Remove a file or a directory tree; read-only directories inside it are no obstacle to their owner."""
    import shutil

    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        _open_up(path)
        shutil.rmtree(path)


def _open_up(directory: str) -> None:
    """Let the owner remove what is in `directory`; files keep their modes, which are those of the store's blobs."""
    os.chmod(directory, 0o700)
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _open_up(entry.path)
            elif os.name == "nt":  # where a file that is read-only cannot be removed
                os.chmod(entry.path, 0o600)


def _discarded(old: str, trash: str) -> str:
    """Move a directory that was replaced into `trash`, if that is on the same filesystem; where it is then.

    Its environment's token counts its links (`tokens`), and nobody may see in there what was private where it was.
    """
    try:
        os.chmod(old, 0o700)
        os.unlink(f"{old}/{IN_ENVIRONMENT}")
    except OSError:
        pass  # it was no environment, or is not ours
    target = os.path.join(trash, os.path.basename(old)[1:])
    try:
        os.rename(old, target)
    except OSError:
        return old
    return target


def _claimed(directory: str) -> int:
    """As `claim_directory`; -1 if that cannot be had."""
    try:
        return claim_directory(directory)
    except OSError:
        return -1


def exchange(one: str, other: str) -> bool:
    """Let two files or directories change names in one step; false where that cannot be done (renameat2(2))."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)
