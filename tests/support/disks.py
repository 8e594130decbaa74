"""A disk whose power can be cut: an ext4 image, of which a copy is kept that has only what was written to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest


class Disk:
    """A mounted image; a context, which unmounts it. Skips the test where this machine cannot have one."""

    def __init__(self, directory: Path, *, megabytes: int = 48) -> None:
        if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
            pytest.skip("a disk of its own takes Linux, root and mkfs.ext4")
        self.place, self._image = directory / "disk", directory / "disk.img"
        self._kept, self._cut = directory / "kept.img", directory / "cut.img"
        self.place.mkdir(parents=True)
        with self._image.open("wb") as stream:
            stream.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-b", "4096", str(self._image)], check=True, capture_output=True)

    def __enter__(self) -> Self:
        self._mount()
        return self

    def __exit__(self, *exception: object) -> None:
        self._unmount()

    def keep(self) -> None:
        """Remember what is on the disk."""
        self._unmount()
        _copy(self._image, self._kept)
        self._mount()

    def restore(self) -> None:
        """Put what was kept on the disk."""
        self._unmount()
        _copy(self._kept, self._image)
        self._mount()

    def commit_journal(self) -> None:
        """Do what the kernel does every five seconds: names and sizes go to the disk, new data does not."""
        descriptor = os.open(self.place / "journal", os.O_WRONLY | os.O_CREAT)
        try:
            os.write(descriptor, b"x")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def cut_power(self) -> None:
        """Forget all that had not been written, and mount what there is."""
        _copy(self._image, self._cut)
        self._unmount()
        self._cut.replace(self._image)
        self._mount()

    def _mount(self) -> None:
        # No lazy times: what is on the disk is to depend on what programs do.
        subprocess.run(["mount", "-o", "loop,commit=300", str(self._image), str(self.place)], check=True)

    def _unmount(self) -> None:
        subprocess.run(["umount", str(self.place)], check=True)


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=always", str(source), str(target)], check=True)
