"""What the integration tests share: the example locks behind a loopback index, places for environments, uv's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.commands import UV, StoreCommand, bare_environment, run
from support.mounts import mounted
from support.places import Place, ServeLock, cpythons
from support.servers import IndexServer
from support.simple_pages import list_files
from support.wheelhouse import EXAMPLES, wheelhouse

from wheelstore.materialize.interpreter import Interpreter

if os.name == "nt":  # the tests look for bin/ and lib/
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def python() -> Interpreter:
    """The interpreter that the larger example locks were made for, if it is there; else another."""
    found = cpythons()
    return found.get("3.12") or next(reversed(found.values()))


@pytest.fixture(scope="session")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables without anyone's settings."""
    return bare_environment(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def serve_lock() -> Iterator[ServeLock]:
    """Indexes for locks; each is started once."""
    servers: dict[Path, IndexServer] = {}
    with ExitStack() as stack:

        def serve(lock: Path, python: Interpreter) -> IndexServer:
            wheels = wheelhouse(lock, python)
            if wheels not in servers:
                list_files(wheels)  # read now, not by sixteen requests at once
                servers[wheels] = stack.enter_context(IndexServer(wheels))
            return servers[wheels]

        yield serve


@pytest.fixture(scope="session")
def ordinary_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store where temporary files are."""
    return tmp_path_factory.mktemp("ordinary") / "store"


@pytest.fixture(scope="session", params=["hardlink", "copy", "clone on btrfs", "clone on xfs"])
def place(
    request: pytest.FixtureRequest,
    python: Interpreter,
    serve_lock: ServeLock,
    environ: dict[str, str],
    ordinary_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    """Each link mode in turn."""
    mode, _, filesystem = request.param.partition(" on ")
    with ExitStack() as stack:
        directory, store = tmp_path_factory.mktemp(mode), ordinary_store
        if filesystem:
            directory = stack.enter_context(mounted(filesystem, directory, megabytes=2048))
            store = directory / "store"
        command = StoreCommand(root=directory, store=store, python=python.executable, environ=environ)
        yield Place(mode=mode, directory=directory, command=command, serve_lock=serve_lock, python=python)


@pytest.fixture(scope="session")
def uv_environment(
    python: Interpreter, serve_lock: ServeLock, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A function that gives the environment which uv makes of an example lock."""
    made: dict[str, Path] = {}

    def make(stem: str) -> Path:
        if stem not in made:
            target = tmp_path_factory.mktemp("uv") / stem
            lock = EXAMPLES / f"{stem}.txt"
            index = serve_lock(lock, python).index_url
            for words in (
                ["venv", "--python", python.executable, str(target)],
                ["pip", "sync", str(lock), "--python", str(target), "--default-index", index],
            ):
                ran = run([UV, *words], environ=environ)
                assert ran.status == 0, ran.stderr
            made[stem] = target
        return made[stem]

    return make
