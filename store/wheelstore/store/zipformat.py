"""The end records and the central directory of a zip file (APPNOTE 6.3.10), read strictly.

What two readers of the same bytes might see differently is refused. Hot: one loop over the headers,
2.9 µs each, names included.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

from wheelstore.store.names import decode_name
from wheelstore.store.refusal import BadWheel, Rule

UINT32_MAX = 0xFFFFFFFF
_UINT16_MAX = 0xFFFF

HAS_DESCRIPTOR = 1 << 3
_ENCRYPTION_FLAGS = 1 << 0 | 1 << 6 | 1 << 13
# Deflate's compression options, data descriptor, UTF-8 name.
_KNOWN_FLAGS = 1 << 1 | 1 << 2 | HAS_DESCRIPTOR | 1 << 11
STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s2x2x2H4x3L4H2xLL")
_EXTRA_HEADER = struct.Struct("<2H")
_LONGEST_COMMENT = _UINT16_MAX
_EXTRA_ZIP64, _EXTRA_UNICODE_PATH = 0x0001, 0x7075


class Directory(NamedTuple):
    """Where the central directory is: bytes [start, start + size) of the file, so many headers."""

    start: int
    size: int
    headers: int


class Header(NamedTuple):
    """One header of the central directory; the field order makes `sorted` sort by place in the file.

    `ordinary_local` is the whole local header as it is when it just repeats this one; empty if it cannot be told.
    """

    offset: int
    name: str
    raw_name: bytes
    ordinary_local: bytes
    flags: int
    method: int
    crc: int
    compressed_size: int
    size: int
    attributes: int


def find_directory(file: BinaryIO) -> Directory:
    """Read the end records; the file must end exactly with them.

    Raises:
        BadWheel: no end record at the very end, or it contradicts itself, its zip64 twin, or the file.
    """
    file_size = file.seek(0, 2)
    tail_start = max(0, file_size - _END.size - _LONGEST_COMMENT - _LOCATOR64.size - _END64.size)
    file.seek(tail_start)
    tail = file.read(file_size - tail_start)
    at = _end_record(tail)
    _, disk, central_disk, here, count, size, start, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if tail[max(0, at - _LOCATOR64.size) : at].startswith(b"PK\x06\x07"):
        end, long = _zip64_end(tail, at, tail_start)
        for short, twin, unset in zip(
            (disk, central_disk, here, count, size, start), long, [_UINT16_MAX] * 4 + [UINT32_MAX] * 2, strict=True
        ):
            if short not in (twin, unset):
                raise BadWheel(None, Rule.ZIP64)
        disk, central_disk, here, count, size, start = long
    if disk or central_disk or here != count:
        raise BadWheel(None, Rule.SPANNED)
    if start + size != end:
        raise BadWheel(None, Rule.DIRECTORY_END)
    return Directory(start, size, count)


def _end_record(tail: bytes) -> int:
    """Where in `tail` the end record is; its comment reaches to the end and hides no other end record."""
    at = len(tail) - _END.size
    if at >= 0 and tail.startswith(b"PK\x05\x06", at) and tail.endswith(b"\0\0"):
        return at
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise BadWheel(None, Rule.NOT_AN_ARCHIVE)
    *_, comment_size = _END.unpack_from(tail, at)
    unexpected = len(tail) - at - _END.size - comment_size
    if unexpected:
        raise BadWheel(None, Rule.TRAILING_BYTES if unexpected > 0 else Rule.NOT_AN_ARCHIVE)
    return at


def _zip64_end(tail: bytes, at: int, tail_start: int) -> tuple[int, tuple[int, ...]]:
    """The zip64 end record's place and its numbers; it must stand right before its locator."""
    _, disk, place, disks = _LOCATOR64.unpack_from(tail, at - _LOCATOR64.size)
    here = at - _LOCATOR64.size - _END64.size
    if disk or disks > 1 or here < 0 or place != tail_start + here:
        raise BadWheel(None, Rule.ZIP64)
    signature, record_size, _, _, *numbers = _END64.unpack_from(tail, here)
    if signature != b"PK\x06\x06" or record_size != _END64.size - 12:
        raise BadWheel(None, Rule.ZIP64)
    return place, tuple(numbers)


def parse_headers(raw: bytes, count: int) -> list[Header]:
    """Every header of the central directory `raw`, each checked for itself.

    Raises:
        BadWheel: `raw` is not exactly `count` headers, or one of them is not acceptable.
    """
    headers = []
    position, end = 0, len(raw)
    unpack, header_size = _CENTRAL.unpack_from, _CENTRAL.size
    for _ in range(count):
        if position + header_size > end:
            raise BadWheel(None, Rule.DIRECTORY)
        (
            signature, flags, method, crc, compressed, size,
            name_size, extra_size, comment_size, disk, attributes, offset,
        ) = unpack(raw, position)  # fmt: skip
        name_end = position + header_size + name_size
        following = name_end + extra_size + comment_size
        if signature != b"PK\x01\x02":
            raise BadWheel(None, Rule.DIRECTORY)
        raw_name = raw[position + header_size : name_end]
        name = decode_name(raw_name)
        # Version needed, flags, method, time, CRC, sizes and the name's length are side by side in both.
        local = b"PK\x03\x04%b\0\0%b" % (raw[position + 6 : position + 30], raw_name)
        if extra_size or compressed == UINT32_MAX or size == UINT32_MAX or offset == UINT32_MAX:
            local = b""
            block = zip64_block(name, raw_name, raw[name_end : name_end + extra_size])
            size, compressed, offset = with_zip64(name, (size, compressed, offset), block)
        if flags & ~_KNOWN_FLAGS or (method != DEFLATED and (method or size != compressed)) or disk:
            raise BadWheel(name, _broken_rule(flags, method, disk))
        headers.append(Header(offset, name, raw_name, local, flags, method, crc, compressed, size, attributes))
        position = following
    if position != end:
        raise BadWheel(None, Rule.DIRECTORY)
    return headers


def _broken_rule(flags: int, method: int, disk: int) -> Rule:
    """Which rule a header with these fields breaks, when it breaks one."""
    if flags & _ENCRYPTION_FLAGS:
        return Rule.ENCRYPTED
    if flags & ~_KNOWN_FLAGS:
        return Rule.FLAGS
    if method not in (STORED, DEFLATED):
        return Rule.METHOD
    return Rule.SPANNED if disk else Rule.STORED_SIZE


def zip64_block(name: str, raw_name: bytes, extra: bytes) -> bytes | None:
    """The zip64 block of a header's extra field, or None.

    Raises:
        BadWheel: the extra field is damaged, or has such a block twice, or (Info-ZIP's Unicode path)
            another name for the entry.
    """
    found = None
    while len(extra) >= _EXTRA_HEADER.size:
        kind, size = _EXTRA_HEADER.unpack_from(extra)
        block, extra = extra[4 : 4 + size], extra[4 + size :]
        if len(block) != size:
            raise BadWheel(name, Rule.EXTRA)
        if kind == _EXTRA_UNICODE_PATH and block[5:] != raw_name:
            raise BadWheel(name, Rule.NAME_ALIAS)
        if kind == _EXTRA_ZIP64:
            if found is not None:
                raise BadWheel(name, Rule.ZIP64)
            found = block
    if extra.strip(b"\0"):
        raise BadWheel(name, Rule.EXTRA)
    return found


def with_zip64(name: str, numbers: tuple[int, ...], block: bytes | None) -> tuple[int, ...]:
    """A header's (size, compressed size[, offset]), those beyond 32 bits taken from its zip64 block.

    Raises:
        BadWheel: a number is missing from the block, or is there and contradicts the header.
    """
    unset = numbers.count(UINT32_MAX)
    if block is None:
        if unset:
            raise BadWheel(name, Rule.ZIP64)
        return numbers
    # Four bytes at the end would be a disk number, which a header for disk 0 needs not repeat.
    long = struct.unpack_from(f"<{len(block) // 8}Q", block)
    if len(long) == unset:
        given = iter(long)
        return tuple(next(given) if number == UINT32_MAX else number for number in numbers)
    # Some writers give every number, whether or not it fits; those that fit must agree.
    twins = (*long, *numbers[len(long) :])
    if len(twins) != len(numbers) or UINT32_MAX in numbers[len(long) :]:
        raise BadWheel(name, Rule.ZIP64)
    if any(number not in (twin, UINT32_MAX) for number, twin in zip(numbers, twins, strict=True)):
        raise BadWheel(name, Rule.ZIP64)
    return twins
