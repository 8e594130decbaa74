"""`store lock` with what cannot be: one line that says what to do, and nothing is lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import Ran
from support.front_door import FrontDoor
from support.servers import IndexServer
from support.wheels import make_wheel


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    """An index with three versions of `base`, and a pre-release."""
    wheels = tmp_path / "wheels"
    for version in ("1.0", "2.0", "3.0", "4.0rc1"):
        make_wheel(wheels, "base", version)
    with IndexServer(wheels) as index:
        monkeypatch.setenv("STORE_INDEX_URL", index.index_url)
        yield index


@pytest.fixture
def lock(store: FrontDoor, server: IndexServer, work: Path) -> Callable[..., Ran]:
    """`store lock`, where a requirements.in asks for `base`."""
    (work / "requirements.in").write_text("base\n")
    assert server
    return lambda *words: store("lock", *words)


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("", "--output-file: is empty"),
        (".", "--output-file .: is a directory"),
        ("no/such/lock.txt", "--output-file no/such/lock.txt: no/such does not exist"),
        ("requirements.in/lock.txt", "--output-file requirements.in/lock.txt: requirements.in is no directory"),
        (
            "requirements.in",
            "--output-file requirements.in: is what the lock is made from, and would be overwritten",
        ),
    ],
)
def test_an_output_that_cannot_be_is_told_before_anything_is_asked(
    lock: Callable[..., Ran], server: IndexServer, work: Path, output: str, error: str
) -> None:
    ran = lock("requirements.in", "-o", output)
    assert (ran.status, ran.errors, len(ran.hints)) == (1, [error], 1), ran.stderr
    assert ran.warnings == []
    assert [path.name for path in work.iterdir()] == ["requirements.in"]
    assert (work / "requirements.in").read_text() == "base\n"
    assert server.log == []


def test_a_project_is_not_overwritten_by_its_lock(lock: Callable[..., Ran], work: Path) -> None:
    content = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["base"]\n'
    (work / "pyproject.toml").write_text(content)
    assert lock(".", "-o", "pyproject.toml").status == 1
    assert (work / "pyproject.toml").read_text() == content


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
def test_a_pipe_is_written_to_and_stays_one(lock: Callable[..., Ran], work: Path) -> None:
    pipe = work / "pipe"
    os.mkfifo(pipe)
    for _ in range(2):
        heard: list[str] = []
        listener = threading.Thread(target=lambda to=heard: to.append(pipe.read_text()))
        listener.start()
        ran = lock("requirements.in", "-o", "pipe", "--no-header", "--no-hashes")
        listener.join(30)
        assert (ran.status, heard) == (0, ["base==3.0\n    # via -r requirements.in\n"]), ran.stderr
        assert pipe.is_fifo()
