"""Modes of what is made in the store: for everybody to read, whatever the umask; the root's mode says who gets there.

On the warm path.
"""

from __future__ import annotations

import os


class open_to_readers:  # noqa: N801 - used like a function
    """A context in which new files and directories are everybody's to read, and only their owner's to write."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = os.umask(0o022)

    def __exit__(self, *exception: object) -> None:
        os.umask(self._before)


def as_asked(mode: int) -> int:
    """`mode` less what the process's umask takes."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mode & ~mask
