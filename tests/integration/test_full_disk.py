"""A full disk costs an error line: the environment stays as it was, and the command works once there is room."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.commands import Ran, StoreCommand
from support.locks import write_lock
from support.mounts import mounted
from support.servers import IndexServer
from support.trees import Status, check_records, environment_content, status_below
from support.wheels import make_wheel

from wheelstore.materialize.interpreter import Interpreter

FREE = (0, 64, 900, 2500, 4200, 5500, 9000)
"""Kilobytes, from nothing to about enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A small filesystem, the commands that use it, and the environment `existing` of an earlier lock."""

    mount: Path
    store: StoreCommand
    target: Path
    lock: Path

    def sync(self) -> Ran:
        return self.store.sync(self.lock, venv=self.target, options=("--link-mode", "auto"))

    def leave_free(self, kilobytes: int) -> None:
        """Fill the filesystem but for so much."""
        with (self.mount / "ballast").open("wb") as stream:
            size = 0
            for step in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(stream.fileno(), size, step)
                        size += step
            stream.truncate(max(0, size - (kilobytes << 10)))

    def target_as_it_is(self) -> dict[str, Status]:
        """All of the environment but for the lock that keeps two commands out of it at once."""
        found = status_below(self.target)
        return {name: status for name, status in found.items() if name not in (".wheelstore", ".wheelstore/lock")}

    def make_room(self) -> None:
        (self.mount / "ballast").unlink()


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    """Of random bytes, which do not compress; four megabytes in all, one in the largest."""
    dice = random.Random(2)
    sizes = [*(100_000 for _ in range(30)), 1_000_000]
    return [
        make_wheel(
            tmp_path / "wheels",
            f"part{number:02}",
            files={f"part{number:02}/{piece}": dice.randbytes(size // 10) for piece in range(10)},
            entry_points={"console_scripts": {f"run{number}": "part:main"}},
        )
        for number, size in enumerate(sizes)
    ]


@pytest.fixture(params=["tmpfs", "ext4"])
def mount(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with mounted(request.param, tmp_path / "mount", megabytes=64) as mount:
        yield mount


@pytest.fixture(params=["store", "target", "both"])
def disk(
    request: pytest.FixtureRequest,
    mount: Path,
    wheels: list[Path],
    python: Interpreter,
    environ: dict[str, str],
    tmp_path: Path,
) -> Iterator[Disk]:
    """The store, the environment, or both on the small filesystem."""
    store = (tmp_path if request.param == "target" else mount) / "store"
    target = (tmp_path if request.param == "store" else mount) / "environments" / "env"
    with IndexServer(tmp_path / "wheels") as server:
        command = StoreCommand(
            root=tmp_path, store=store, python=python.executable, index_url=server.index_url, environ=environ
        )
        lock = write_lock(tmp_path / "lock.txt", wheels)
        yield Disk(mount=mount, store=command, target=target, lock=lock)


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_a_full_disk(disk: Disk, wheels: list[Path], existing: bool) -> None:
    if existing:
        first = write_lock(disk.store.root / "first.txt", wheels[::7])
        assert disk.store.sync(first, venv=disk.target).status == 0
    else:
        disk.target.parent.mkdir()
    before, beside = disk.target_as_it_is(), os.listdir(disk.target.parent)
    refused = []
    for kilobytes in FREE:
        disk.leave_free(kilobytes)
        ran = disk.sync()
        if ran.status == 0:
            break
        refused.append(kilobytes)
        assert ran.status == 1, ran.stderr
        (error,) = ran.errors
        assert error.startswith(("cannot ", "the index ")), error
        assert error.endswith(("No space left on device", "disk is full")) or "left on device (" in error, error
        assert str(disk.mount) in error or "into the store" in error
        assert [line for line in ran.stderr.splitlines() if not line.startswith(("error: ", "hint: "))] == []
        assert disk.target_as_it_is() == before
        assert os.listdir(disk.target.parent) == beside
    assert len(refused) >= 3
    disk.make_room()
    ran = disk.sync()
    assert ran.status == 0, ran.stderr
    check_records(disk.target)
    data = [name for name in environment_content(disk.target) if "/part" in name and "dist-info" not in name]
    assert len(data) == 10 * len(wheels)
    assert [name for name in os.listdir(disk.store.store / "tmp") if name.endswith(".whl")] == []
