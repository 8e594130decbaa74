"""A file that has as many links as the filesystem allows is copied, and no command minds."""

from __future__ import annotations

import os
from pathlib import Path

from support.disks import Disk
from support.faults import Scene
from support.soundness import flaws_of
from support.sweeping import blob_of, prepare_environment

MOST = 65_000
"""ext4's."""


def test_a_sync_of_a_blob_of_as_many_links_as_there_can_be(quick_directory: Path) -> None:
    with (
        Disk(quick_directory / "machine") as disk,
        Scene(quick_directory / "scene", here=disk.place / "here") as scene,
    ):
        prepare_environment(scene)
        blob = blob_of(scene, "alpha/data.bin")
        crowd = disk.place / "crowd"
        crowd.mkdir()
        for number in range(MOST - blob.stat().st_nlink):
            os.link(blob, crowd / str(number))
        scene.done("sync", "old.txt", "--venv", "second")
        scene.done("sync", "new.txt")
        scene.done("rollback")
        (copied,) = (scene.work / "second").glob("lib/python3*/site-packages/alpha/data.bin")
        assert (copied.stat().st_nlink, copied.read_bytes()) == (1, blob.read_bytes())
        assert blob.stat().st_nlink <= MOST
        scene.done("gc")
        scene.done("verify")
        assert flaws_of(scene.store, collected=True) == []
