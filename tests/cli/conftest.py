"""What the command's tests share: nobody's settings, a universe of small wheels, a store that has them all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import bare_environment, run, store_script
from support.front_door import FrontDoor
from support.interpreters import facts_of
from support.servers import IndexServer
from support.universe import Universe, make_universe

from wheelstore.store import database

_SETTINGS = (
    *("PIP_", "UV_", "STORE_", "XDG_", "VIRTUAL_ENV", "CONDA_"),
    *("PYENV_VERSION", "SSL_", "REQUESTS_", "CURL_", "PYTHONUNBUFFERED"),
)


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where processes keep their bytecode, so that none appears in environments."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bytecode: Path) -> None:
    """Take away what configures pip, `store` and the network, and start in an empty directory."""
    for name in [*os.environ]:
        if (
            name.startswith(_SETTINGS)
            or name.lower().endswith("_proxy")
            or name in ("NO_COLOR", "FORCE_COLOR", "NETRC")
        ):
            monkeypatch.delenv(name)
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(bytecode))
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("STORE_DETACH", "0")  # what is there after a command is counted
    monkeypatch.setenv("STORE_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("STORE_PYTHON", facts_of(sys.executable).executable)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The directory that commands are called from."""
    return tmp_path / "work"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[FrontDoor]:
    """The command, in this process, which in the end closes what a command leaves to the end of its own."""
    yield FrontDoor(monkeypatch, capsys)
    while database._left_open:
        database._left_open.pop().close()


@pytest.fixture(scope="session")
def universe(tmp_path_factory: pytest.TempPathFactory) -> Universe:
    """Small wheels; nobody adds to them."""
    return make_universe(tmp_path_factory.mktemp("universe"))


@pytest.fixture(scope="session")
def first_store(universe: Universe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the whole universe; to be copied."""
    root = tmp_path_factory.mktemp("first") / "store"
    environ = bare_environment(root.parent / "home", STORE_DIR=str(root))
    added = run([store_script(), "add", *map(str, universe.wheels.values())], environ=environ)
    assert added.status == 0, added.stderr
    return root


@pytest.fixture
def full_store(first_store: Path, tmp_path: Path) -> Path:
    """A store with the whole universe at STORE_DIR."""
    shutil.copytree(first_store, tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture(scope="session")
def standard_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Python's own `venv` makes, with pip; to be copied."""
    path = tmp_path_factory.mktemp("standard") / "venv"
    subprocess.run([facts_of(sys.executable).executable, "-m", "venv", path], check=True)
    return path


@pytest.fixture
def index(universe: Universe) -> Iterator[IndexServer]:
    """The universe, served."""
    with IndexServer(universe.directory) as server:
        yield server
