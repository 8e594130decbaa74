"""Zip files for tests, written byte by byte, also such as no zip library would write.

Each header field can be overridden on its own; the same calls always write the same bytes.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
ENCRYPTED, HAS_DESCRIPTOR, UTF8 = 0x1, 0x8, 0x800
FILE, EXECUTABLE, DIRECTORY, SYMLINK, FIFO = 0o100644, 0o100755, 0o40755, 0o120777, 0o10644

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_MIDNIGHT_1980 = (0, 0x21)


class Fields(TypedDict, total=False):
    """Header fields to write instead of the true ones; a missing key means the true value."""

    name: bytes
    needed: int
    made_by: int
    flags: int
    method: int
    crc: int
    compressed_size: int
    size: int
    extra: bytes
    comment: bytes
    disk: int
    attributes: int
    offset: int


class EndFields(TypedDict, total=False):
    """Fields of an end-of-central-directory record; the last four are the zip64 one's and its locator's."""

    disk: int
    central_disk: int
    entries_here: int
    entries: int
    size: int
    offset: int
    comment_size: int
    record_size: int
    place: int
    place_disk: int
    disks: int


@dataclass(slots=True, kw_only=True)
class RawEntry:
    """One entry: true content, plus what its two headers say differently.

    `payload` replaces the compressed bytes; `gap` is written before the local header;
    `at` (an absolute offset) makes the central directory point there instead.
    """

    name: str | bytes
    data: bytes = b""
    method: int = DEFLATED
    mode: int = FILE
    flags: int = 0
    descriptor: Literal["signed", "unsigned"] | None = None
    zip64: bool = False
    payload: bytes | None = None
    gap: bytes = b""
    descriptor_fields: Fields = field(default_factory=Fields)
    local: Fields = field(default_factory=Fields)
    central: Fields = field(default_factory=Fields)
    in_local: bool = True
    in_central: bool = True

    @property
    def encoded_name(self) -> bytes:
        """The name as bytes."""
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    def compressed(self) -> bytes:
        """The bytes between the headers."""
        if self.payload is not None:
            return self.payload
        if self.method == DEFLATED:
            deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
            return deflate.compress(self.data) + deflate.flush()
        if self.method == BZIP2:
            return bz2.compress(self.data)
        if self.method == LZMA:
            return lzma.compress(self.data, lzma.FORMAT_ALONE)
        return self.data

    def true_fields(self, payload: bytes, offset: int) -> Fields:
        """What an honest central header says."""
        flags = self.flags
        if not self.encoded_name.isascii() and isinstance(self.name, str):
            flags |= UTF8
        if self.descriptor:
            flags |= HAS_DESCRIPTOR
        return Fields(
            name=self.encoded_name,
            needed=45 if self.zip64 else 20,
            made_by=3 << 8 | 20,
            flags=flags,
            method=self.method,
            crc=zlib.crc32(self.data),
            compressed_size=len(payload),
            size=len(self.data),
            extra=b"",
            comment=b"",
            disk=0,
            attributes=self.mode << 16 | (0x10 if self.mode & 0o170000 == 0o40000 else 0),
            offset=offset,
        )


@dataclass(slots=True, kw_only=True)
class RawArchive:
    """A zip file under construction; `entries` may be edited freely before `to_bytes`."""

    entries: list[RawEntry] = field(default_factory=list)
    prefix: bytes = b""
    before_central: bytes = b""
    before_end: bytes = b""
    comment: bytes = b""
    suffix: bytes = b""
    zip64: bool = False
    end: EndFields = field(default_factory=EndFields)
    end64: EndFields = field(default_factory=EndFields)

    def add(self, name: str | bytes, data: bytes = b"", **fields: object) -> RawEntry:
        """Append an entry; `fields` are those of `RawEntry`."""
        entry = RawEntry(name=name, data=data, **fields)  # type: ignore[arg-type]
        self.entries.append(entry)
        return entry

    def __getitem__(self, name: str) -> RawEntry:
        return next(entry for entry in self.entries if entry.name == name)

    def to_bytes(self) -> bytes:
        """The archive."""
        out = bytearray(self.prefix)
        central = bytearray()
        count = 0
        for entry in self.entries:
            payload = entry.compressed()
            out += entry.gap
            fields = entry.true_fields(payload, len(out))
            if entry.in_local:
                out += _local_header(entry, fields) + payload + _descriptor(entry, fields)
            if entry.in_central:
                central += _central_header(entry, fields)
                count += 1
        out += self.before_central
        true = EndFields(disk=0, central_disk=0, entries_here=count, entries=count, size=len(central), offset=len(out))
        out += central + self.before_end
        out += self._end_records(true, len(out))
        return bytes(out) + self.suffix

    def write(self, path: Path) -> Path:
        """Write the archive to `path`."""
        path.write_bytes(self.to_bytes())
        return path

    def _end_records(self, true: EndFields, position: int) -> bytes:
        records = b""
        short = dict(true)
        if self.zip64:
            long = {**true, **self.end64}
            records += _END64.pack(
                b"PK\x06\x06", self.end64.get("record_size", 44), 45, 45, long["disk"], long["central_disk"],
                long["entries_here"], long["entries"], long["size"], long["offset"],
            )  # fmt: skip
            records += _LOCATOR64.pack(
                b"PK\x06\x07", self.end64.get("place_disk", 0),
                self.end64.get("place", position), self.end64.get("disks", 1),
            )  # fmt: skip
            short |= {"entries_here": 0xFFFF, "entries": 0xFFFF, "size": 0xFFFFFFFF, "offset": 0xFFFFFFFF}
        short |= {"comment_size": len(self.comment), **self.end}
        return records + _END.pack(
            b"PK\x05\x06", short["disk"], short["central_disk"], short["entries_here"],
            short["entries"], short["size"], short["offset"], short["comment_size"],
        ) + self.comment  # fmt: skip


def _local_header(entry: RawEntry, true: Fields) -> bytes:
    fields: Fields = {**true}
    if entry.descriptor:
        fields |= Fields(crc=0, compressed_size=0, size=0)
    if entry.zip64:
        fields["extra"] = struct.pack("<2H2Q", 1, 16, fields["size"], fields["compressed_size"])
        fields |= Fields(compressed_size=0xFFFFFFFF, size=0xFFFFFFFF)
    fields |= entry.local
    return _LOCAL.pack(
        b"PK\x03\x04", fields["needed"], fields["flags"], fields["method"], *_MIDNIGHT_1980, fields["crc"],
        fields["compressed_size"], fields["size"], len(fields["name"]), len(fields["extra"]),
    ) + fields["name"] + fields["extra"]  # fmt: skip


def _descriptor(entry: RawEntry, true: Fields) -> bytes:
    if not entry.descriptor:
        return b""
    fields = true | entry.descriptor_fields
    signature = b"PK\x07\x08" if entry.descriptor == "signed" else b""
    layout = "<L2Q" if entry.zip64 else "<3L"
    return signature + struct.pack(layout, fields["crc"], fields["compressed_size"], fields["size"])


def _central_header(entry: RawEntry, true: Fields) -> bytes:
    fields: Fields = {**true}
    if entry.zip64:
        sizes = (fields["size"], fields["compressed_size"], fields["offset"])
        fields["extra"] = struct.pack("<2H3Q", 1, 24, *sizes)
        fields |= Fields(compressed_size=0xFFFFFFFF, size=0xFFFFFFFF, offset=0xFFFFFFFF)
    fields |= entry.central
    return _CENTRAL.pack(
        b"PK\x01\x02", fields["made_by"], fields["needed"], fields["flags"], fields["method"],
        *_MIDNIGHT_1980, fields["crc"], fields["compressed_size"], fields["size"], len(fields["name"]),
        len(fields["extra"]), len(fields["comment"]), fields["disk"], 0, fields["attributes"],
        fields["offset"],
    ) + fields["name"] + fields["extra"] + fields["comment"]  # fmt: skip
