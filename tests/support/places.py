"""Where and for which Python the integration tests make environments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from support.commands import StoreCommand
from support.interpreters import PYTHONS, facts_of
from support.servers import IndexServer
from support.wheelhouse import EXAMPLES
from wheelstore.materialize.interpreter import Interpreter

ServeLock = Callable[[Path, Interpreter], IndexServer]
"""Gives an index with the wheels which a lock means for an interpreter, and nothing else."""


def cpythons() -> dict[str, Interpreter]:
    """The installed CPythons, one for each minor version ("3.12"), oldest first."""
    found: dict[str, Interpreter] = {}
    for facts in map(facts_of, PYTHONS):
        if facts.implementation == "cpython" and not (facts.debug or facts.gil_disabled):
            found.setdefault(facts.version.rpartition(".")[0], facts)
    return dict(sorted(found.items(), key=lambda item: int(item[0].partition(".")[2])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory on a filesystem that has the link mode, and the command that makes environments there."""

    mode: str
    directory: Path
    command: StoreCommand
    serve_lock: ServeLock
    python: Interpreter

    @property
    def store(self) -> Path:
        """The store that the environments are made from."""
        return self.command.store

    def make(self, stem: str, name: str) -> Path:
        """The environment `name`, made from an example lock unless it is there."""
        target, lock = self.directory / name, EXAMPLES / f"{stem}.txt"
        if not target.exists():
            command = replace(self.command, index_url=self.serve_lock(lock, self.python).index_url)
            ran = command.sync(lock, venv=target, options=("--link-mode", self.mode))
            assert (ran.status, ran.errors, ran.warnings) == (0, [], []), ran.stderr
        return target
