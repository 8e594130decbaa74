"""A lock that was made from what an index serves beside a wheel (PEP 658), when the wheel itself says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import Ran
from support.front_door import FrontDoor, call_store
from support.servers import IndexServer
from support.trees import store_snapshot
from support.wheels import make_wheel

from wheelstore.resolve.facts import Facts

TOP = "top-1.0-py3-none-any.whl"
LIE = b"Metadata-Version: 2.1\nName: top\nVersion: 1.0\nRequires-Dist: other\n"


@pytest.fixture
def server(tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    """An index whose `top` asks for `base`, and an input that asks for `top`."""
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "top", requires=["base"])
    make_wheel(wheels, "base")
    make_wheel(wheels, "other")
    (work / "requirements.in").write_text("top\n")
    with IndexServer(wheels) as index:
        monkeypatch.setenv("STORE_INDEX_URL", index.index_url)
        yield index


def sync(lock: str, venv: str = ".venv") -> Ran:
    return call_store("sync", lock, "--venv", venv)


@pytest.mark.parametrize("lock", ["requirements.txt", "pylock.toml"])
def test_it_is_refused_before_anything_of_it_is_in_the_store(
    server: IndexServer, work: Path, tmp_path: Path, lock: str
) -> None:
    server.lie_beside(TOP, LIE)
    locked = call_store("lock", "-o", lock)
    assert (locked.status, "other" in (work / lock).read_text()) == (0, True)
    before = store_snapshot(tmp_path / "store")
    ran = sync(lock)
    reason = "METADATA differs from the metadata that the index served beside the wheel"
    assert (ran.status, ran.errors, ran.hints) == (
        1,
        [f"{TOP}: refused: entry 'top-1.0.dist-info/METADATA': {reason}"],
        ["nothing of this wheel was installed; its index is wrong about it, so lock another version"],
    )
    assert "Traceback" not in ran.stderr
    assert store_snapshot(tmp_path / "store") == before
    assert not (work / ".venv").exists()


def test_one_that_tells_the_truth_is_no_obstacle(server: IndexServer, work: Path) -> None:
    assert call_store("lock", "-o", "requirements.txt").status == 0
    ran = sync("requirements.txt")
    assert ran.status == 0, ran.stderr
    assert [request.name for request in server.log if request.name == f"{TOP}.metadata"] == [f"{TOP}.metadata"]


def test_a_lock_from_elsewhere_believed_no_sidecar(server: IndexServer, work: Path, tmp_path: Path) -> None:
    assert call_store("lock", "-o", "requirements.txt", "--store", str(tmp_path / "elsewhere")).status == 0
    server.lie_beside(TOP, LIE)
    assert sync("requirements.txt").status == 0


def test_nothing_is_asked_of_what_is_not_fetched(
    server: IndexServer, store: FrontDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call_store("lock", "-o", "requirements.txt").status == 0
    assert sync("requirements.txt").status == 0

    def sidecars(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(Facts, "sidecars", sidecars)
    assert store("sync", "requirements.txt", "--venv", "another").status == 0
