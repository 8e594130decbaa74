"""Environments and wheels by the names that people give them, and what they may have meant where there is none."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence

from wheelstore.store.errors import StoreError
from wheelstore.store.index import EnvironmentRow, Index


class UnknownEnvironment(StoreError):
    """The store has no environment of that path or id; `close` are similar."""

    def __init__(self, name: str, root: str, close: Sequence[str]) -> None:
        super().__init__(name, root, tuple(close))
        self.name, self.root, self.close = name, root, tuple(close)
        self.hint = did_you_mean(close) or "store envs lists the environments that it knows"

    def __str__(self) -> str:
        return f"{self.name} is no environment of the store {self.root}"


def environments_named(index: Index, name: str) -> list[EnvironmentRow]:
    """The environment with the path or the id `name`.

    Raises:
        UnknownEnvironment: there is none.
    """
    rows = index.environments()
    path = os.path.abspath(name)
    found = [row for row in rows if row.id == name or row.path in (path, os.path.realpath(path))]
    if not found:
        raise UnknownEnvironment(name, os.path.dirname(index.path), _close(name, path, rows))
    return found


def _close(name: str, path: str, rows: Sequence[EnvironmentRow]) -> list[str]:
    """Environments in that directory, else those that are called nearly so from here."""
    below = [row.path for row in rows if os.path.dirname(row.path) == path]
    from_here = {_from_here(row.path): row.path for row in rows}
    near = [from_here[one] for one in difflib.get_close_matches(_from_here(path), [*from_here])]
    return (below or near or difflib.get_close_matches(name, [row.id for row in rows]))[:3]


def _from_here(path: str) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:  # on another drive
        return path


def did_you_mean(close: Sequence[str]) -> str | None:
    """A question about what is similar, if anything is."""
    return f"did you mean {' or '.join(close)}?" if close else None
