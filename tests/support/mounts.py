"""Filesystems of their own for tests: small images on loop devices, and memory. Takes root, Linux and mkfs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_MAKE = {
    "btrfs": ["mkfs.btrfs", "--quiet"],
    "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"],
    # With blocks smaller than pages, as mkfs chooses for small images, SQLite's shared memory dies of a full disk.
    "ext4": ["mkfs.ext4", "-q", "-m", "0", "-b", "4096"],
}


@contextlib.contextmanager
def mounted(kind: str, directory: Path, *, megabytes: int) -> Iterator[Path]:
    """A new filesystem of that kind and size, mounted below `directory`; its image is sparse.

    `kind` is btrfs, xfs, ext4 or tmpfs. The test is skipped where this machine cannot have one.
    """
    tool = _MAKE.get(kind, ["mount"])[0]
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which(tool) is None:
        pytest.skip(f"a {kind} of its own takes Linux, root and {tool}")
    place = directory / kind
    place.mkdir(parents=True)
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(place)]
    else:
        image = directory / f"{kind}.img"
        with image.open("wb") as stream:
            stream.truncate(megabytes << 20)
        subprocess.run([*_MAKE[kind], str(image)], check=True, capture_output=True)
        command = ["mount", "-o", "loop", str(image), str(place)]
    subprocess.run(command, check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
