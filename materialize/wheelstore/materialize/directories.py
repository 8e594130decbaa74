"""Which directories of an environment are its own, and which files that somebody lists there may be removed.

A RECORD is text that anyone can write, and a directory may have become a link to somewhere else; nothing outside of an
environment is ever written to or removed on the word of either. On the warm path; one `lstat` a directory.
"""

from __future__ import annotations

import os
import stat

_ROOT_FILES = frozenset({"pyvenv.cfg", ".gitignore", "cachedir.tag", "lib64"})
_ROOT_DIRECTORY = ".wheelstore"
_SCRIPTS = frozenset({"bin", "scripts"})
_ACTIVATION = frozenset({"activate", "activate_this", "deactivate"})
_INTERPRETERS = frozenset({"python", "pypy", "graalpy"})
_MOUNT_POINT = 0xA0000003  # winnt.h: IO_REPARSE_TAG_MOUNT_POINT, a junction


class Directories:
    """The directories below an environment's `root`, each looked at once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._own = {"": True}

    def own(self, directory: str) -> bool:
        """Whether `directory` (relative to the root) is there, and neither it nor one above it is a link elsewhere."""
        known = self._own.get(directory)
        if known is None:
            known = self.own(directory.rpartition("/")[0]) and self._is_own(directory)
            self._own[directory] = known
        return known

    def _is_own(self, directory: str) -> bool:
        path = f"{self._root}/{directory}"
        try:
            status = os.lstat(path)
        except (OSError, ValueError):
            return False
        if stat.S_ISLNK(status.st_mode):  # a venv has `lib64` for `lib`
            return directory == "lib64" and os.readlink(path) == "lib" and self.own("lib")
        return stat.S_ISDIR(status.st_mode) and getattr(status, "st_reparse_tag", 0) != _MOUNT_POINT

    def canonical(self, target: str) -> str:
        """The one name of a file that has two, as there is `lib64`."""
        return target.replace("lib64/", "lib/", 1) if target.startswith("lib64/") and self.own("lib64") else target


def belongs_to_venv(target: str) -> bool:
    """Whether a file (relative to the root) is a part of the environment itself, whatever a RECORD says."""
    directory, _, name = target.lower().rpartition("/")
    if not directory:
        return name in _ROOT_FILES
    if directory in _SCRIPTS:
        stem = name.removesuffix(".exe")
        return stem.partition(".")[0] in _ACTIVATION or stem.rstrip(".0123456789tw") in _INTERPRETERS
    return directory.partition("/")[0] == _ROOT_DIRECTORY
