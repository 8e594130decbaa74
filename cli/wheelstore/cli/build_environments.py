"""Environments that hold what a build backend needs: of no use to anybody else, registered nowhere, gone in the end.

They are files of their own, so that nothing has to be kept for them once they are made. What makes one opens the index
for itself and forks nothing, since it may be called in any thread.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from wheelstore.cli.environments import link_mode
from wheelstore.cli.fetching import Ingestion
from wheelstore.cli.goals import goal_of
from wheelstore.cli.registering import Goal
from wheelstore.cli.selecting import installations, known_in
from wheelstore.cli.sources import Sources
from wheelstore.materialize.fresh import TargetUnwritable
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.tree import Tree
from wheelstore.materialize.venv import write_venv
from wheelstore.resolve.pins import Artifact, Pin, Position
from wheelstore.resolve.problem import Chosen
from wheelstore.resolve.selection import select
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.target import Target
from wheelstore.store.index import Index, open_index
from wheelstore.store.layout import Store
from wheelstore.store.lease import Lease

P = ParamSpec("P")
T = TypeVar("T")

ResolveBuild = Callable[[Sequence[str]], Sequence[Chosen]]
"""Resolves build requirements (PEP 508) for the interpreter that builds; the answer is of wheels only."""


class Threads:
    """Unpacks in a thread: beside others, a fork can be born with locks that nobody opens."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(min(count, 1), thread_name_prefix="unpack")

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `function` in a thread."""
        return self._pool.submit(function, *args, **kwargs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)


@dataclass(frozen=True, slots=True)
class Workshop:
    """What environments are made with; `say` tells people what takes its time."""

    store: Store
    sources: Sources
    interpreter: Interpreter
    stamp: str
    say: Callable[[str], None]

    def build(self, chosen: Sequence[Chosen], venv: Path) -> str:
        """Make an environment at `venv` that holds exactly `chosen`; the path of its Python.

        Raises:
            StoreError, ResolveError: it cannot be made.
        """
        target = Target.of(self.interpreter)
        with open_index(self.store.index_path) as index, Lease(self.store, index, now=time.time()) as lease:
            pins = [_pin(one) for one in chosen]
            selected = select(pins, target, self.sources.indexes, known=known_in(index.path))
            ingestion = Ingestion(self.store, index, lease, self.sources, self.say, Threads)
            found = ingestion.ensure(selected, wanted=False, stream=sys.stderr)
            installed = installations(selected, [found[at] for at in range(len(selected))])
            goal = goal_of(installed, self.interpreter, self.stamp, store=self.store, index=index, lease=lease)
            try:
                return self._materialize(goal, venv, index, lease)
            except OSError as error:
                raise TargetUnwritable(str(venv), error.strerror or str(error)) from error

    def _materialize(self, goal: Goal, venv: Path, index: Index, lease: Lease) -> str:
        interpreter, path = self.interpreter, str(venv)
        os.makedirs(venv.parent, 0o700, exist_ok=True)
        mode = link_mode(self.store, index, lease, "auto", path)
        write_venv(path, final=path, interpreter=interpreter, activation=False)
        python = os.path.join(path, interpreter.scripts, "python.exe" if interpreter.windows else "python")
        tree = Tree(root=path, final=path, blobs=lease.blobs, mode=mode, python=python, images=self.store.images)
        tree.create(goal.plan, interpreter.purelib, processes=1)
        return python


class BuildEnvironments:
    """The environments of one command below `directory`: one for each set of requirements. Thread-safe.

    `resolve` may be called in several threads at once; environments are made one at a time, as the claims on wheels
    that processes hold against each other do not tell threads apart.
    """

    def __init__(self, workshop: Workshop, resolve: ResolveBuild, directory: Path) -> None:
        self._workshop, self._resolve, self._directory = workshop, resolve, directory
        self._by_requirements: dict[frozenset[str], Future[str]] = {}
        self._by_wheels: dict[tuple[tuple[str, str], ...], str] = {}
        self._asking, self._building = threading.Lock(), threading.Lock()

    def python_with(self, requirements: Sequence[str]) -> str:
        """The Python of an environment in which `requirements` (PEP 508) are met.

        Raises:
            StoreError, ResolveError: there can be none.
        """
        wanted = frozenset(requirements)
        with self._asking:
            future = self._by_requirements.get(wanted)
            first = future is None
            if future is None:
                future = self._by_requirements[wanted] = Future()
        if first:
            try:
                future.set_result(self._make(wanted))
            except BaseException as error:
                future.set_exception(error)
                raise
        return future.result()

    def _make(self, wanted: frozenset[str]) -> str:
        chosen = self._resolve(sorted(wanted)) if wanted else ()
        wheels = tuple(sorted((str(one.name), str(one.version)) for one in chosen))
        with self._building:
            if wheels not in self._by_wheels:
                venv = self._directory / f"build-{len(self._by_wheels)}"
                self._by_wheels[wheels] = self._workshop.build(chosen, venv)
            return self._by_wheels[wheels]


def _pin(chosen: Chosen) -> Pin:
    wheels = [file for file in chosen.files if file.filename.endswith(".whl")] or chosen.files
    return Pin(
        name=chosen.name,
        version=chosen.version,
        hashes=tuple(sorted({text for file in wheels for text in file.hashes})),
        source=chosen.source,
        artifacts=tuple(_artifact(file) for file in wheels),
        position=Position("build requirements"),
    )


def _artifact(file: IndexFile) -> Artifact:
    return Artifact(filename=file.filename, url=file.url or None, hashes=file.hashes, size=file.size)
