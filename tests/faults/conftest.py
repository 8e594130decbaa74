"""What the tests of faults share: an option for longer runs, and a quick place."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import Scene

if not sys.platform.startswith("linux"):  # effects are counted with what Linux has
    collect_ignore_glob = ["test_*.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest tests/faults --thorough`` tries every point of everything; minutes."""
    parser.addoption("--thorough", action="store_true", help="faults: every point, and long random rounds")


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether there is time."""
    return bool(request.config.getoption("--thorough", default=False))


@pytest.fixture
def quick_directory(tmp_path: Path) -> Iterator[Path]:
    """In memory, if there is room; a store has hundreds of directories, which are made anew for each point."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK) or shutil.disk_usage(shared).free < 50_000_000:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as directory:
        yield Path(directory)


@pytest.fixture
def scene(quick_directory: Path) -> Iterator[Scene]:
    """A scene with another environment, which nobody may touch."""
    with Scene(quick_directory) as scene:
        yield scene
