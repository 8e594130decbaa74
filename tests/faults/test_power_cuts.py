"""The power goes, during a command or after it: what had reached the disk is enough for the next command to go on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from support.disks import Disk
from support.faults import Ended, Scene
from support.soundness import flaws_of
from support.sweeping import NEW, OLD, content
from support.trees import files_below

from wheelstore.store.blobs import blob_key


@pytest.fixture
def disk(quick_directory: Path) -> Iterator[Disk]:
    with Disk(quick_directory / "machine") as disk:
        yield disk


@pytest.fixture
def scene(disk: Disk, tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path / "scene", here=disk.place / "here") as scene:
        yield scene


def nothing_more(disk: Disk, scene: Scene) -> None:
    """The power goes at once."""


def journal(disk: Disk, scene: Scene) -> None:
    """The kernel has written names, and not yet data."""
    disk.commit_journal()


def data(disk: Disk, scene: Scene) -> None:
    """The kernel has written the index, and not yet names."""
    for name in ("index.sqlite3-wal", "index.sqlite3"):
        if (scene.store / name).exists():  # the log goes with its last user
            with (scene.store / name).open("rb") as stream:
                os.fdatasync(stream.fileno())


WRITTEN: dict[str, Callable[[Disk, Scene], None]] = {"nothing": nothing_more, "names": journal, "index": data}


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("command", ["new", "change"])
def test_the_next_command_heals(disk: Disk, scene: Scene, command: str, written: str, thorough: bool) -> None:
    scene.lock("old.txt", *OLD)
    scene.lock("new.txt", *NEW)
    how = ("--link-mode", "copy" if written == "names" else "hardlink")
    scene.done("sync", "old.txt", *how, *(("--venv", "witness") if command == "new" else ()))
    use_log(scene)
    disk.keep()
    words = ("sync", "new.txt", *how)
    whole = scene.done(*words)
    wanted = content(scene.venv)
    flaws = []
    for at in points(whole, every=thorough):
        disk.restore()
        ran = scene.run(*words, at=at)
        assert ran.status == (-9 if at else 0)
        WRITTEN[written](disk, scene)
        disk.cut_power()
        flaws += [f"{ran.last}: {flaw}" for flaw in flaws_after(scene, words, wanted)]
    assert flaws == []


def points(whole: Ended, *, every: bool) -> list[int]:
    """When the power goes: after the command (0), or in it; the latter at least whenever wheels or plans have come."""
    numbers = range(1, len(whole.effects) + 1)
    if every:
        return [0, *numbers]
    return [0, *[at for at in numbers if at > 1 and whole.kind(at - 1) == "commit"][-5:]]


def use_log(scene: Scene) -> None:
    """Let SQLite write over its log from the beginning, for which the filesystem has nothing to write down."""
    scene.lock("some.txt", "alpha==1.0")
    scene.done("add", "some.txt")
    for number in range(8):
        scene.done("sync", "some.txt", "--venv", f"env{number}")
    program = (
        "import os, sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(RESTART)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, str(scene.store / "index.sqlite3")], check=True)
    assert (scene.store / "index.sqlite3-wal").stat().st_size > 200_000


def flaws_after(scene: Scene, words: tuple[str, ...], wanted: dict[str, str]) -> list[str]:
    """What is wrong after the next command, when the machine is up again."""
    ran = scene.run(*words, boot="the next")
    if ran.status:
        return [f"status {ran.status} {ran.stderr}"]
    flaws = flaws_of(scene.store, collected=False)
    found = content(scene.venv)
    names = wanted.keys() | found.keys()
    flaws += [
        f"{name} is {found.get(name)}, not {wanted.get(name)}" for name in names if wanted.get(name) != found.get(name)
    ]
    for path in files_below(scene.store / "blobs"):
        if not blob_key(path.parent.name + path.name).startswith(blake3(path.read_bytes()).digest()):
            flaws.append(f"the blob {path} is damaged")
    return flaws
