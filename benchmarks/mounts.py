"""Filesystems of their own for a run: sparse images on loop devices. Takes root, Linux and mkfs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GIGABYTES = 24  # of an image; it takes what is written to it
MAKE = {
    "btrfs": ("mkfs.btrfs", "--quiet"),
    # All inode tables now: the kernel would write them in the background of what is measured.
    "ext4": ("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
}


class Unavailable(Exception):
    """This machine cannot have what a scenario needs."""

    def __init__(self, kind: str, tool: str) -> None:
        super().__init__(kind, tool)
        self.kind, self.tool = kind, tool

    def __str__(self) -> str:
        return f"a {self.kind} of its own takes Linux, root and {self.tool}"


@contextmanager
def mounted(kind: str, directory: Path) -> Iterator[Path]:
    """A new filesystem of that kind, mounted below `directory` until the block ends.

    Raises:
        Unavailable: no Linux, no root, no such tool, or no loop device.
    """
    tool = MAKE[kind][0]
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which(tool) is None:
        raise Unavailable(kind, tool)
    place, image = directory / kind, directory / f"{kind}.img"
    place.mkdir(parents=True)
    with image.open("wb") as stream:
        stream.truncate(GIGABYTES << 30)
    try:
        subprocess.run([*MAKE[kind], str(image)], check=True, capture_output=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        raise Unavailable(kind, f"{tool} and a loop device") from error
    try:
        yield place
    finally:
        if subprocess.run(["umount", str(place)], check=False, capture_output=True).returncode:
            subprocess.run(["umount", "--lazy", str(place)], check=True)
