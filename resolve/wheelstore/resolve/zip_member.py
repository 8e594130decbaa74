"""One small member out of a zip archive of which only pieces are at hand.

What ingest refuses of an archive is found there; here a few kilobytes are read from where the central directory says.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

MAX_MEMBER = 16 << 20
"""Bytes of a metadata file, unpacked: the largest real ones are below one megabyte."""

TAIL = 32 << 10
"""Bytes at the end among which the end record must be; of 485 real wheels, 90 % have METADATA there, too."""

_MAX_DIRECTORY = 64 << 20
_SLACK = 512
"""How much larger than in the central directory the local header's extra fields are expected to be."""

_END = struct.Struct("<4x4H2LH")
_LOCATOR64 = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s4x2H4x3L3H8xL")
_LOCAL = struct.Struct("<4s22x2H")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED, _STORED, _DEFLATED = 0x1, 0, 8


class BadZip(ValueError):
    """The archive cannot be read; the text says why."""


class TooLarge(BadZip):
    """What was to be read is larger than it can be in earnest."""


class Window(Protocol):
    """Where an archive's bytes come from."""

    @property
    def size(self) -> int:
        """The archive's, in bytes."""

    def read(self, start: int, end: int) -> bytes:
        """All bytes from `start` up to `end`, which are inside the archive."""


class Bytes(NamedTuple):
    """An archive in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Its length."""
        return len(self.data)

    def read(self, start: int, end: int) -> bytes:
        """A slice."""
        return self.data[start:end]


class _Entry(NamedTuple):
    name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int


def is_wheel_metadata(name: bytes) -> bool:
    """Whether a member is a wheel's METADATA."""
    return name.endswith(b".dist-info/METADATA") and name.count(b"/") == 1


def is_pkg_info(name: bytes) -> bool:
    """Whether a member is an sdist's PKG-INFO."""
    return name.endswith(b"/PKG-INFO") and name.count(b"/") == 1


def read_member(archive: Window, wanted: Callable[[bytes], bool]) -> bytes | None:
    """Read the one member whose name is `wanted`; None if there is none.

    Raises:
        BadZip: the archive is broken, or has several.
        TooLarge: its size is absurd.
    """
    start, end = _directory(archive)
    found = _entries(archive.read(start, end), wanted)
    if len(found) > 1:
        raise BadZip(f"it has {len(found)} of {found[0].name.decode(errors='replace')} and the like")
    return _unpacked(archive, found[0]) if found else None


def _directory(archive: Window) -> tuple[int, int]:
    """Where the central directory begins and ends."""
    base = max(0, archive.size - TAIL)
    tail = archive.read(base, archive.size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise BadZip("it is no zip archive, or its end is missing")
    *_, entries, size, offset, _ = _END.unpack_from(tail, at)
    if (
        (entries == _FULL16 or _FULL32 in (size, offset))
        and tail.startswith(b"PK\x06\x07", at - _LOCATOR64.size)
        and at >= _LOCATOR64.size
    ):
        _, _, place, _ = _LOCATOR64.unpack_from(tail, at - _LOCATOR64.size)
        if place + _END64.size > archive.size:
            raise BadZip("its zip64 end record is outside of it")
        signature, *_, size, offset = _END64.unpack(archive.read(place, place + _END64.size))
        if signature != b"PK\x06\x06":
            raise BadZip("its zip64 end record is missing")
    if offset + size > archive.size:
        raise BadZip("its central directory is outside of it")
    if size > _MAX_DIRECTORY:
        raise TooLarge(f"its central directory has {size} bytes")
    return offset, offset + size


def _entries(directory: bytes, wanted: Callable[[bytes], bool]) -> list[_Entry]:
    found = []
    at = 0
    while at < len(directory):
        try:
            fields = _CENTRAL.unpack_from(directory, at)
        except struct.error:
            raise BadZip("its central directory ends early") from None
        signature, flags, method, crc, compressed, size, named, extra, comment, offset = fields
        if signature != b"PK\x01\x02":
            raise BadZip("its central directory is broken")
        at += _CENTRAL.size
        name = directory[at : at + named]
        if wanted(name):
            block = directory[at + named : at + named + extra]
            found.append(_with_zip64(_Entry(name, flags, method, crc, compressed, size, offset), block))
        at += named + extra + comment
    return found


def _with_zip64(entry: _Entry, extra: bytes) -> _Entry:
    """Put in the sizes that stand in the zip64 extra field, in its order."""
    large = [name for name in ("size", "compressed", "offset") if getattr(entry, name) == _FULL32]
    at = 0
    while large and at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1 and length >= 8 * len(large) and at + 4 + length <= len(extra):
            values = struct.unpack_from(f"<{len(large)}Q", extra, at + 4)
            return entry._replace(**dict(zip(large, values, strict=True)))
        at += 4 + length
    return entry


def _unpacked(archive: Window, entry: _Entry) -> bytes:
    name = entry.name.decode(errors="replace")
    if max(entry.size, entry.compressed) > MAX_MEMBER:
        raise TooLarge(f"{name} has {max(entry.size, entry.compressed)} bytes; at most {MAX_MEMBER} are read")
    if entry.flags & _ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
        raise BadZip(f"{name} is packed in a way that wheels may not use")
    packed = _packed(archive, entry, name)
    if entry.method == _DEFLATED:
        try:
            packed = zlib.decompressobj(-15).decompress(packed, entry.size + 1)
        except zlib.error as error:
            raise BadZip(f"{name} cannot be unpacked: {error}") from None
    if len(packed) != entry.size or zlib.crc32(packed) != entry.crc:
        raise BadZip(f"{name} is not what the central directory says")
    return packed


def _packed(archive: Window, entry: _Entry, name: str) -> bytes:
    """The member's bytes as they are in the archive; mostly read along with the local header before them."""
    least = entry.offset + _LOCAL.size + len(entry.name)
    reach = min(archive.size, least + entry.compressed + _SLACK)
    if least + entry.compressed > archive.size:
        raise BadZip(f"{name} is outside of it")
    piece = archive.read(entry.offset, reach)
    signature, named, extra = _LOCAL.unpack_from(piece)
    if signature != b"PK\x03\x04":
        raise BadZip(f"{name} is not where the central directory says")
    start = _LOCAL.size + named + extra
    end = start + entry.compressed
    if end > len(piece) and entry.offset + end <= archive.size:
        piece = archive.read(entry.offset, entry.offset + end)
    return piece[start:end]
