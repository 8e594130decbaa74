"""Where on disk a file's bytes are: FIEMAP (Linux, Documentation/filesystems/fiemap.rst)."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

_FS_IOC_FIEMAP = 0xC020660B
_HEADER = struct.Struct("=QQLLLL")
_EXTENT = struct.Struct("=QQQQQLLLL")
_SYNC = 0x1
_INLINE, _SHARED = 0x200, 0x2000
_MOST = 512


class Extent(NamedTuple):
    """A run of a file's bytes on disk; `inline` ones lie in the metadata, and cannot be shared."""

    logical: int
    physical: int
    length: int
    inline: bool
    shared: bool


def extents(path: Path) -> list[Extent]:
    """The extents of a file, in order; what waits in memory is written out first."""
    from fcntl import ioctl

    buffer = bytearray(_HEADER.pack(0, (1 << 64) - 1, _SYNC, 0, _MOST, 0) + bytes(_EXTENT.size * _MOST))
    with path.open("rb") as stream:
        ioctl(stream, _FS_IOC_FIEMAP, buffer)
    count = _HEADER.unpack_from(buffer)[3]
    found = []
    for number in range(count):
        logical, physical, length, _, _, flags, *_ = _EXTENT.unpack_from(buffer, _HEADER.size + number * _EXTENT.size)
        found.append(Extent(logical, physical, length, bool(flags & _INLINE), bool(flags & _SHARED)))
    return found
