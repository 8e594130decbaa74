"""A wheel's bytes as a zip archive: which entries it has and where their data is, or why it is refused.

The standard library's `zipfile` takes archives that other readers see differently: bytes before, between
or after the entries, local headers that contradict the central directory, names twice. Here the entries must
tile the file, each described twice alike. Nothing is inflated, but by `read_entry`.

Hot: 12,000 entries take 75 ms. Ordinary local headers are compared with the central directory as bytes, and
are read one by one (1 µs each): a wheel may have gigabytes between them.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from wheelstore.store.names import check_distinct
from wheelstore.store.refusal import BadWheel, Rule
from wheelstore.store.zipformat import (
    HAS_DESCRIPTOR,
    STORED,
    Header,
    find_directory,
    parse_headers,
    with_zip64,
    zip64_block,
)

__all__ = ["DEFAULT_LIMITS", "BadWheel", "Entry", "Limits", "Rule", "read_archive", "read_entry"]

_LOCAL = struct.Struct("<6x2H4x3L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_DESCRIPTORS = {12: "<3L", 16: "<4x3L", 20: "<L2Q", 24: "<4xL2Q"}
_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
_TYPE = 0o170000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one wheel may hold.

    `entries` counts entries, directories too; `total` is bytes, unpacked; `ratio` is unpacked to packed bytes of
    the whole archive, which counts from `ratio_from` unpacked bytes on. Among 1,257 real wheels the largest such
    ratio is 10; but single files in them reach deflate's limit of 1032.
    """

    entries: int = 200_000
    total: int = 16 << 30
    ratio: int = 200
    ratio_from: int = 64 << 20


DEFAULT_LIMITS = Limits()


class Entry(NamedTuple):
    """One file in the archive; `offset` is where its (compressed) data begins."""

    name: str
    size: int
    compressed_size: int
    crc: int
    method: int
    offset: int
    executable: bool


def read_archive(file: BinaryIO, *, limits: Limits = DEFAULT_LIMITS) -> list[Entry]:
    """The files in the zip archive `file`, in the central directory's order; directories are checked and dropped.

    Raises:
        BadWheel: the archive breaks a rule; `wheel` is not set.
    """
    directory = find_directory(file)
    # The second condition bounds memory: 512 bytes a header is thrice what real wheels need.
    if directory.headers > limits.entries or directory.size > limits.entries * 512:
        raise BadWheel(None, Rule.TOO_MANY_ENTRIES, f"{directory.headers}; the limit is {limits.entries}")
    file.seek(directory.start)
    headers = parse_headers(file.read(directory.size), directory.headers)
    _check_totals(headers, directory.start, limits)
    check_distinct([header.name for header in headers])
    begins = _check_tiling(file, headers, directory.start)
    entries = []
    for header in headers:
        offset, name, _, _, _, method, crc, compressed, size, attributes = header
        mode = attributes >> 16
        if _is_file(name, mode, size):
            entries.append(Entry(name, size, compressed, crc, method, begins[offset], mode & 0o111 != 0))
    return entries


def read_entry(file: BinaryIO, entry: Entry) -> bytes:
    """The content of an entry, checked against its sizes and CRC; for entries that fit into memory.

    Raises:
        BadWheel: the data is damaged or is not what the headers said.
    """
    file.seek(entry.offset)
    data = file.read(entry.compressed_size)
    if entry.method != STORED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(data, entry.size + 1)
        except zlib.error:
            raise BadWheel(entry.name, Rule.DATA) from None
        if not inflater.eof or inflater.unused_data:
            raise BadWheel(entry.name, Rule.DATA)
    if len(data) != entry.size:
        raise BadWheel(entry.name, Rule.SIZE)
    if zlib.crc32(data) != entry.crc:
        raise BadWheel(entry.name, Rule.CRC)
    return data


def _check_totals(headers: Sequence[Header], packed: int, limits: Limits) -> None:
    total = sum(header.size for header in headers)
    if total > limits.total:
        raise BadWheel(None, Rule.TOO_LARGE, f"{total} bytes; the limit is {limits.total}")
    if total >= limits.ratio_from and total > packed * limits.ratio:
        raise BadWheel(None, Rule.RATIO, f"{total // max(packed, 1)}; the limit is {limits.ratio}")


def _is_file(name: str, mode: int, size: int) -> bool:
    """Whether an entry is a file rather than a directory; nothing else is acceptable.

    Many builders leave the type out of the mode.
    """
    kind = mode & _TYPE
    if not name.endswith("/"):
        if kind in (stat.S_IFREG, 0):
            return True
    elif kind in (stat.S_IFDIR, 0):
        if size:
            raise BadWheel(name, Rule.DIRECTORY_DATA)
        return False
    if kind == stat.S_IFLNK:
        raise BadWheel(name, Rule.SYMLINK)
    raise BadWheel(name, Rule.DIRECTORY_TYPE if kind in (stat.S_IFREG, stat.S_IFDIR) else Rule.SPECIAL_FILE)


def _check_tiling(file: BinaryIO, headers: Sequence[Header], end: int) -> dict[int, int]:
    """Check that local headers, data and descriptors fill bytes [0, `end`), each once.

    Gives where each entry's data begins, by where its local header does.
    """
    begins = {}
    ordered = sorted(headers)
    seek, read = file.seek, file.read
    position = 0
    for index, header in enumerate(ordered):
        offset, local = header.offset, header.ordinary_local
        if offset != position or offset >= end:
            raise _misplaced(file, position, header)
        seek(offset)
        ordinary = local and read(len(local)) == local
        begin = offset + len(local) if ordinary else _check_local(file, header)
        begins[offset] = begin
        position = begin + header.compressed_size
        if position > end:
            raise BadWheel(header.name, Rule.OVERLAP)
        if header.flags & HAS_DESCRIPTOR:
            following = ordered[index + 1].offset if index + 1 < len(ordered) else end
            _check_descriptor(file, header, position, following)
            position = following
    if position != end:
        raise _unaccounted(file, position, None)
    return begins


def _check_local(file: BinaryIO, header: Header) -> int:
    """Compare an uncommon local header with the central directory field by field; where the data begins."""
    name, raw_name = header.name, header.raw_name
    file.seek(header.offset)
    fixed = file.read(_LOCAL.size)
    if len(fixed) != _LOCAL.size or not fixed.startswith(_LOCAL_SIGNATURE):
        raise BadWheel(name, Rule.LOCAL_MISSING)
    flags, method, crc, compressed, size, name_size, extra_size = _LOCAL.unpack(fixed)
    if file.read(name_size) != raw_name:
        raise BadWheel(name, Rule.LOCAL_NAME)
    if method != header.method:
        raise BadWheel(name, Rule.LOCAL_METHOD)
    if flags != header.flags:
        raise BadWheel(name, Rule.LOCAL_FLAGS)
    block = zip64_block(name, raw_name, file.read(extra_size))
    size, compressed = with_zip64(name, (size, compressed), block)
    # With a descriptor, CRC and sizes may be left to it.
    unknown = 0 if flags & HAS_DESCRIPTOR else None
    if crc not in (header.crc, unknown):
        raise BadWheel(name, Rule.LOCAL_CRC)
    if size not in (header.size, unknown) or compressed not in (header.compressed_size, unknown):
        raise BadWheel(name, Rule.LOCAL_SIZE)
    return header.offset + _LOCAL.size + int(name_size) + int(extra_size)


def _check_descriptor(file: BinaryIO, header: Header, start: int, end: int) -> None:
    """Check that bytes [start, end) are a data descriptor, in one of its four forms, and true."""
    form = _DESCRIPTORS.get(end - start)
    if form is None:
        raise BadWheel(header.name, Rule.DESCRIPTOR)
    file.seek(start)
    raw = file.read(end - start)
    signed = len(raw) % 8 == 0
    if len(raw) != end - start or (signed and not raw.startswith(_DESCRIPTOR_SIGNATURE)):
        raise BadWheel(header.name, Rule.DESCRIPTOR)
    if struct.unpack(form, raw) != (header.crc, header.compressed_size, header.size):
        raise BadWheel(header.name, Rule.DESCRIPTOR)


def _misplaced(file: BinaryIO, position: int, header: Header) -> BadWheel:
    """What is wrong when an entry does not begin at `position`, where those before it end, or not before the end."""
    if header.offset < position:
        return BadWheel(header.name, Rule.OVERLAP)
    if header.offset == position:
        return BadWheel(header.name, Rule.LOCAL_MISSING)
    return _unaccounted(file, position, header.name)


def _unaccounted(file: BinaryIO, position: int, following: str | None) -> BadWheel:
    """What is wrong when bytes at `position` belong to no entry; the next one is `following`."""
    file.seek(position)
    fixed = file.read(_LOCAL.size)
    if len(fixed) == _LOCAL.size and fixed.startswith(_LOCAL_SIGNATURE):
        name_size = _LOCAL.unpack(fixed)[-2]
        return BadWheel(file.read(name_size).decode(errors="replace"), Rule.LOCAL_ONLY)
    return BadWheel(following, Rule.GAP if position else Rule.PREFIXED)
