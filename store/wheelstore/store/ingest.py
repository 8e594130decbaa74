"""Wheels into blobs: unpack, check every byte, and only then publish.

Ingest has two halves, so that nothing becomes visible before everything was found good: `stage` (in worker
processes) unpacks a wheel whose sha256 is already known to be right into a directory below ``tmp/``;
`publish` renames the staged files to their blobs' names. The index row comes after both (`Index.add_wheels`).

Hot path, measured on jupyter's 96 wheels (12,300 files, 203 MB): per file one read, inflate (isal: 0.29 s for
all, zlib 0.57 s), CRC, SHA-256 (0.13 s), BLAKE3 (0.08 s), then four system calls if the blob is new. Files are
created in one directory per wheel, because ext4 places an inode near its directory: a wheel's inodes stay
together however its blobs are named afterwards.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from blake3 import blake3
from isal import isal_zlib

from wheelstore.store.archive import Entry, Limits, read_archive
from wheelstore.store.blobs import blob_mtime, blob_name
from wheelstore.store.filelist import StoredFile, pack, unpack
from wheelstore.store.index import WheelRow
from wheelstore.store.refusal import BadWheel, Rule, naming
from wheelstore.store.wheel import WheelContents, check_recorded, check_wheel

InflateError: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub calls it an instance

_WHOLE = 4 << 20  # bytes; an entry larger than this is streamed, which bounds memory
_CHUNK = 1 << 20  # bytes read and inflated at a time when streaming
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_UTIME_TAKES_DESCRIPTOR = os.utime in os.supports_fd
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A wheel on disk that may be ingested: its bytes have the sha256 (hex) given here."""

    path: str
    filename: str
    sha256: str
    origin: str | None = None


def staging_directory(operation: str, wheel: WheelFile) -> str:
    """Where, below an operation's own directory in ``tmp/``, the files of `wheel` wait to be published."""
    return f"{operation}/{wheel.sha256}"


def stage(blobs: str, operation: str, wheel: WheelFile, limits: Limits) -> WheelRow:
    """Unpack and check `wheel`; leave the blobs that `blobs` lacks in its staging directory.

    Raises:
        BadWheel: any refusal of the wheel; nothing was published.
        OSError: the staging directory cannot be written to (disk full, …).
    """
    staging = staging_directory(operation, wheel)
    os.makedirs(staging, 0o700)
    with open(wheel.path, "rb", buffering=0) as file:
        with naming(wheel.filename):
            entries = read_archive(file, limits=limits)
            contents = check_wheel(wheel.filename, entries, lambda entry: _read(file, entry))
            files = _unpack(file, entries, contents, blobs, staging)
        size = os.fstat(file.fileno()).st_size
    return WheelRow(
        sha256=wheel.sha256,
        filename=wheel.filename,
        name=contents.name,
        version=contents.version,
        size=size,
        purelib=contents.root_is_purelib,
        files=pack(files),
        origin=wheel.origin,
    )


def publish(blobs: str, operation: str, wheel: WheelFile) -> None:
    """Give the staged files of `wheel` their blobs' names. A blob that appeared meanwhile is replaced by its equal."""
    staging = staging_directory(operation, wheel)
    rename = os.replace
    for name in os.listdir(staging):
        rename(f"{staging}/{name}", f"{blobs}/{name[:2]}/{name[2:]}")


def blobs_of(row: WheelRow) -> list[tuple[bytes, int]]:
    """The (key, size) of every blob that a wheel consists of; empty files have none."""
    return [(file.key, file.size) for file in unpack(row.files) if file.size]


def put_blob(blobs: str, tmp: str, data: bytes) -> bytes:
    """Store one small file that was made here rather than found in a wheel; its key."""
    key = blake3(data).digest()
    if data and not _present(f"{blobs}/{blob_name(key)}", key, len(data)):
        temporary = f"{tmp}/{key.hex()}.{os.getpid()}"
        _write(temporary, key, data)
        os.replace(temporary, f"{blobs}/{blob_name(key)}")
    return key


def _unpack(
    file: BinaryIO, entries: list[Entry], contents: WheelContents, blobs: str, staging: str
) -> list[StoredFile]:
    scripts = f"{contents.data_dir}/scripts/"
    seen: set[bytes] = set()
    files = []
    for entry in entries:
        executable = entry.executable or entry.name.startswith(scripts)
        if entry.size > _WHOLE or entry.compressed_size > _WHOLE:
            key = _stream(file, entry, contents, blobs, staging, executable=executable)
        else:
            data = _read(file, entry)
            if entry.name in contents.record:
                check_recorded(contents, entry.name, _hash_for(contents, entry)(data).digest(), entry.size)
            key = blake3(data).digest() + (b"x" if executable else b"")
            if data and key not in seen and not _present(f"{blobs}/{blob_name(key)}", key, entry.size):
                _write(f"{staging}/{blob_name(key).replace('/', '')}", key, data)
        seen.add(key)
        files.append(StoredFile(entry.name, key, entry.size))
    return files


def _hash_for(contents: WheelContents, entry: Entry) -> Callable[..., hashlib._Hash]:
    """What RECORD's hash of the entry is made with."""
    if entry.name not in contents.record:
        return hashlib.sha256
    return _HASHES[contents.algorithm(entry.name)]


def _read(file: BinaryIO, entry: Entry) -> bytes:
    """The bytes of an entry that fits into memory, checked against its size and CRC."""
    file.seek(entry.offset)
    data = file.read(entry.compressed_size)
    if entry.method:
        inflater = isal_zlib.decompressobj(-15)
        try:
            data = inflater.decompress(data, entry.size + 1)
        except InflateError:
            raise BadWheel(entry.name, Rule.DATA) from None
        if not inflater.eof and len(data) == entry.size:
            inflater.flush()
    if len(data) != entry.size:
        raise BadWheel(entry.name, Rule.SIZE)
    if isal_zlib.crc32(data) != entry.crc:
        raise BadWheel(entry.name, Rule.CRC)
    return data


def _stream(
    file: BinaryIO, entry: Entry, contents: WheelContents, blobs: str, staging: str, *, executable: bool
) -> bytes:
    """Unpack a large entry piece by piece; memory stays at a few `_CHUNK`s."""
    temporary = f"{staging}/large"
    identity, recorded = blake3(), _hash_for(contents, entry)()
    crc = size = 0
    with open(temporary, "xb", buffering=0) as target:
        for data in _pieces(file, entry):
            size += len(data)
            if size > entry.size:
                raise BadWheel(entry.name, Rule.SIZE)
            crc = isal_zlib.crc32(data, crc)
            identity.update(data)
            recorded.update(data)
            view = memoryview(data)
            while view:
                view = view[target.write(view) :]
    if size != entry.size:
        raise BadWheel(entry.name, Rule.SIZE)
    if crc != entry.crc:
        raise BadWheel(entry.name, Rule.CRC)
    check_recorded(contents, entry.name, recorded.digest(), size)
    key = identity.digest() + (b"x" if executable else b"")
    if _present(f"{blobs}/{blob_name(key)}", key, size):
        os.unlink(temporary)
        return key
    os.chmod(temporary, 0o555 if executable else 0o444)
    os.utime(temporary, (blob_mtime(key), blob_mtime(key)))
    os.replace(temporary, f"{staging}/{blob_name(key).replace('/', '')}")
    return key


def _pieces(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    file.seek(entry.offset)
    left = entry.compressed_size
    inflater = isal_zlib.decompressobj(-15) if entry.method else None
    try:
        while left:
            data = file.read(min(_CHUNK, left))
            if not data:
                return
            left -= len(data)
            if inflater is None:
                yield data
                continue
            while True:
                yield inflater.decompress(data, _CHUNK)
                data = inflater.unconsumed_tail
                if not data:
                    break
        if inflater is not None:
            yield inflater.flush()
    except InflateError:
        raise BadWheel(entry.name, Rule.DATA) from None


def _present(path: str, key: bytes, size: int) -> bool:
    """Whether a blob is there as far as one `stat` can tell: size and time are what its name says."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return False
    return status.st_size == size and int(status.st_mtime) == blob_mtime(key)


def _write(path: str, key: bytes, data: bytes) -> None:
    descriptor = os.open(path, _CREATE, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if _UTIME_TAKES_DESCRIPTOR:
            os.utime(descriptor, (blob_mtime(key), blob_mtime(key)))
            os.fchmod(descriptor, 0o555 if len(key) > 32 else 0o444)
    finally:
        os.close(descriptor)
    if not _UTIME_TAKES_DESCRIPTOR:
        os.utime(path, (blob_mtime(key), blob_mtime(key)))
        os.chmod(path, 0o444)
