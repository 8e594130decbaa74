"""A wheel's file list, packed by columns: what the index keeps for each wheel.

`count`, then all digests, all sizes, all flags, then the paths joined by newlines (no entry name that
passed `archive` can hold one). Reading a column is one slice, so 12,000 files decode in about 5 ms.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_COUNT = struct.Struct("<I")


class StoredFile(NamedTuple):
    """One file of an ingested wheel: its path in the archive, its blob, its size in bytes."""

    path: str
    key: bytes
    size: int


def pack(files: Iterable[StoredFile]) -> bytes:
    """Pack a file list, sorted by path."""
    ordered = sorted(files)
    count = len(ordered)
    return b"".join(
        (
            _COUNT.pack(count),
            b"".join(file.key[:32] for file in ordered),
            struct.pack(f"<{count}Q", *(file.size for file in ordered)),
            bytes(len(file.key) - 32 for file in ordered),
            "\n".join(file.path for file in ordered).encode(),
        )
    )


def unpack(packed: bytes) -> list[StoredFile]:
    """The inverse of `pack`."""
    keys, sizes = columns(packed)
    if not keys:
        return []
    paths = packed[4 + (32 + 8 + 1) * len(keys) :].decode().split("\n")
    return [*map(StoredFile, paths, keys, sizes)]


def columns(packed: bytes) -> tuple[list[bytes], Sequence[int]]:
    """Every file's blob and size, for whoever counts and needs no names."""
    (count,) = _COUNT.unpack_from(packed)
    sizes_at = 4 + 32 * count
    flags_at = sizes_at + 8 * count
    flags = packed[flags_at : flags_at + count]
    digests = [packed[at : at + 32] for at in range(4, sizes_at, 32)]
    if any(flags):
        digests = [digest + b"x" if flag else digest for digest, flag in zip(digests, flags, strict=True)]
    return digests, struct.unpack_from(f"<{count}Q", packed, sizes_at)
