"""Files that change as disks let them: a byte here and there, and no time that tells of it."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random


def rot(path: Path, dice: Random, *, hidden: bool = True) -> None:
    """Change one byte in place; if that is not `hidden`, the file's time shows it."""
    status = path.stat()
    body = bytearray(path.read_bytes())
    body[dice.randrange(len(body))] ^= 1 + dice.randrange(255)
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(body)
    path.chmod(status.st_mode)
    if hidden:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def blob_files(store: Path) -> list[Path]:
    """Every blob of a store."""
    return sorted(path for path in (store / "blobs").rglob("*") if not path.is_dir())


def digest_in(blob: Path) -> str:
    """How reports name a blob."""
    return f"{blob.parent.name}{blob.name}"
