"""Wheels into blobs: unpack, check every byte, and only then publish.

Ingest has two halves, so that nothing becomes visible before everything was found good: `stage` (in worker
processes) unpacks a wheel whose sha256 is already known to be right into a directory below ``tmp/``;
`publish` renames the staged files to their blobs' names, in the transaction that adds the row (`Index.add_wheels`).

Hot path, measured on jupyter's 96 wheels (12,300 files, 203 MB): per file one read, inflate (isal: 0.29 s for
all, zlib 0.57 s), CRC, SHA-256 (0.13 s), BLAKE3 (0.08 s), then four system calls if the blob is new. Files are
created in one directory per wheel, because ext4 places an inode near its directory: a wheel's inodes stay
together however its blobs are named afterwards.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from blake3 import blake3
from isal import isal_zlib

from wheelstore.store.archive import Entry, Limits, read_archive
from wheelstore.store.blobs import blob_mtime, blob_name
from wheelstore.store.durable import flush, flush_names
from wheelstore.store.filelist import StoredFile, pack, unpack
from wheelstore.store.index import Index, WheelRow
from wheelstore.store.layout import Store
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
    """A wheel on disk that may be ingested: its bytes have the sha256 (hex) given here.

    `metadata_sha256` (hex) is what METADATA must have, if someone has believed what was served in its place (PEP 658).
    """

    path: str
    filename: str
    sha256: str
    origin: str | None = None
    metadata_sha256: str | None = None


def staging_directory(operation: str, wheel: WheelFile) -> str:
    """Where, below an operation's own directory in ``tmp/``, the files of `wheel` wait to be published."""
    return f"{operation}/{wheel.sha256}"


def stage(
    blobs: str, operation: str, wheel: WheelFile, limits: Limits, *, only: Collection[bytes] | None = None
) -> WheelRow:
    """Unpack and check `wheel`; leave the blobs that `blobs` lacks in its staging directory, or `only` some.

    Raises:
        BadWheel: any refusal of the wheel; nothing was published.
        OSError: the staging directory cannot be written to (disk full, …).
    """
    staging = staging_directory(operation, wheel)
    os.makedirs(staging, 0o700)
    with open(wheel.path, "rb", buffering=0) as file:
        with naming(wheel.filename):
            entries = read_archive(file, limits=limits)
            contents = check_wheel(wheel.filename, entries, lambda entry: _read(file, entry), wheel.metadata_sha256)
            lacks = _lacks(blobs) if only is None else lambda key, _: key in only
            files = _unpack(file, entries, contents, lacks, staging)
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


def publish(blobs: str, operation: str, wheel: WheelFile) -> set[str]:
    """Give the staged files of `wheel` their blobs' names; these names, without the slash.

    While the index's write lock is held, since it decides together with the rows what there is (see `lacking`).
    """
    staging = staging_directory(operation, wheel)
    names = os.listdir(staging)
    for name in names:
        place(f"{staging}/{name}", f"{blobs}/{name[:2]}/{name[2:]}")
    os.rmdir(staging)
    return set(names)


def place(staged: str, blob: str) -> None:
    """Give a staged file its blob's name, unless its equal has it: who links that just then would be told ENOENT.

    Inside `Index.writing`.

    link(2) finds an inode by its name and refuses it if meanwhile it has none.
    """
    try:
        there = os.stat(blob)
    except FileNotFoundError:
        os.rename(staged, blob)
        return
    mine = os.stat(staged)
    if (there.st_size, int(there.st_mtime)) == (mine.st_size, int(mine.st_mtime)):
        os.unlink(staged)
    else:
        replace_blob(staged, blob)


def lacking(index: Index, blobs: str, row: WheelRow, published: set[str]) -> bool:
    """Whether `blobs` lacks a file of a wheel that was there when it was unpacked; inside `Index.writing`.

    A file was not staged because it was present, and may have been collected since. What has no row and is there all
    the same was left by a process that was killed between its two; it is as good.
    """
    relied_on = {key: size for key, size in blobs_of(row) if blob_name(key).replace("/", "") not in published}
    known = index.known_blobs(relied_on)
    return not all(key in known or _present(f"{blobs}/{blob_name(key)}", key, size) for key, size in relied_on.items())


def blobs_of(row: WheelRow) -> list[tuple[bytes, int]]:
    """The (key, size) of every blob that a wheel consists of; empty files have none."""
    return [(file.key, file.size) for file in unpack(row.files) if file.size]


class Generated:
    """Small files that are made here rather than found in wheels; kept in memory until `publish`."""

    def __init__(self, store: Store, directory: str) -> None:
        self._blobs, self._directory = store.blobs, directory
        self._contents: dict[bytes, bytes] = {}

    def put(self, data: bytes) -> bytes:
        """Take one file; its key."""
        key = blake3(data).digest()
        if data:
            self._contents[key] = data
        return key

    def stage(self) -> None:
        """Write those that the store does not have, all the way to the disk, which may take its time."""
        missing = [
            (key, data)
            for key, data in self._contents.items()
            if not _present(f"{self._blobs}/{blob_name(key)}", key, len(data))
        ]
        if missing:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            for key, data in missing:
                write_blob(self._staged(key), key, data)
            flush(self._directory)

    def publish(self) -> bytes:
        """Give them their blobs' names, inside `Index.writing`; their list, packed, for `Index.put_manifest`."""
        published = False
        for key, data in self._contents.items():
            blob, staged = f"{self._blobs}/{blob_name(key)}", self._staged(key)
            if os.path.exists(staged):
                place(staged, blob)
            elif not _present(blob, key, len(data)):  # collected meanwhile
                os.makedirs(self._directory, 0o700, exist_ok=True)
                write_blob(staged, key, data)
                replace_blob(staged, blob)
            else:
                continue
            published = True
        if published:
            flush_names(self._directory)
        return pack(StoredFile("", key, len(data)) for key, data in self._contents.items())

    def _staged(self, key: bytes) -> str:
        return f"{self._directory}/generated-{key.hex()}"


def replace_blob(temporary: str, blob: str) -> None:
    """Give a staged file its blob's name."""
    try:
        os.replace(temporary, blob)
    except PermissionError:
        if os.name != "nt":
            raise
        os.chmod(blob, 0o600)  # Windows does not replace a read-only file
        os.replace(temporary, blob)


def _lacks(blobs: str) -> Callable[[bytes, int], bool]:
    return lambda key, size: not _present(f"{blobs}/{blob_name(key)}", key, size)


def _unpack(
    file: BinaryIO,
    entries: list[Entry],
    contents: WheelContents,
    lacks: Callable[[bytes, int], bool],
    staging: str,
) -> list[StoredFile]:
    scripts = f"{contents.data_dir}/scripts/"
    large = f"{staging}/large"
    seen: set[bytes] = set()
    files = []
    for entry in entries:
        executable = entry.executable or entry.name.startswith(scripts)
        streamed = entry.size > _WHOLE or entry.compressed_size > _WHOLE
        if streamed:
            digest = _stream(file, entry, contents, large)
        else:
            data = _read(file, entry)
            if entry.name in contents.record:
                check_recorded(contents, entry.name, _hash_for(contents, entry)(data).digest(), entry.size)
            digest = blake3(data).digest()
        key = digest + b"x" if executable else digest
        if entry.size and key not in seen and lacks(key, entry.size):
            seen.add(key)
            staged = f"{staging}/{blob_name(key).replace('/', '')}"
            if streamed:
                finish_blob(large, key)
                os.rename(large, staged)
            else:
                write_blob(staged, key, data)
        elif streamed:
            os.unlink(large)
        files.append(StoredFile(entry.name, key, entry.size))
    return files


def _hash_for(contents: WheelContents, entry: Entry) -> Callable[..., hashlib._Hash]:
    """What RECORD's hash of the entry is made with."""
    if entry.name not in contents.record:
        return hashlib.sha256
    return _HASHES[contents.algorithm(entry.name)]


def _read(file: BinaryIO, entry: Entry) -> bytes:
    """The bytes of an entry that fits into memory, checked against its size and CRC."""
    if entry.compressed_size > max(_WHOLE, 2 * entry.size):  # what was put there to fill memory
        raise BadWheel(entry.name, Rule.DATA)
    file.seek(entry.offset)
    data = file.read(entry.compressed_size)
    if entry.method:
        inflater = isal_zlib.decompressobj(-15)
        try:
            data = inflater.decompress(data, entry.size + 1)
        except InflateError:
            raise BadWheel(entry.name, Rule.DATA) from None
        if not inflater.eof or inflater.unused_data:
            raise BadWheel(entry.name, Rule.DATA)
    if len(data) != entry.size:
        raise BadWheel(entry.name, Rule.SIZE)
    if isal_zlib.crc32(data) != entry.crc:
        raise BadWheel(entry.name, Rule.CRC)
    return data


def _stream(file: BinaryIO, entry: Entry, contents: WheelContents, target: str) -> bytes:
    """Unpack a large entry to `target`, piece by piece; memory stays at a few `_CHUNK`s. Its BLAKE3."""
    identity, recorded = blake3(), _hash_for(contents, entry)()
    crc = size = 0
    with open(target, "xb", buffering=0) as stream:
        for data in _pieces(file, entry):
            size += len(data)
            if size > entry.size:
                raise BadWheel(entry.name, Rule.SIZE)
            crc = isal_zlib.crc32(data, crc)
            identity.update(data)
            recorded.update(data)
            view = memoryview(data)
            while view:
                view = view[stream.write(view) :]
    if size != entry.size:
        raise BadWheel(entry.name, Rule.SIZE)
    if crc != entry.crc:
        raise BadWheel(entry.name, Rule.CRC)
    check_recorded(contents, entry.name, recorded.digest(), size)
    return identity.digest()


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
            while data and not inflater.eof:
                yield inflater.decompress(data, _CHUNK)
                data = inflater.unconsumed_tail
            if inflater.eof and left:
                raise BadWheel(entry.name, Rule.DATA)
        if inflater is not None:
            yield inflater.flush()
            if not inflater.eof or inflater.unused_data:
                raise BadWheel(entry.name, Rule.DATA)
    except InflateError:
        raise BadWheel(entry.name, Rule.DATA) from None


def _present(path: str, key: bytes, size: int) -> bool:
    """Whether a blob is there as far as one `stat` can tell: size and time are what its name says."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return False
    return status.st_size == size and int(status.st_mtime) == blob_mtime(key)


def write_blob(path: str, key: bytes, data: bytes) -> None:
    """Write a new file of a blob's content, time and mode."""
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
        finish_blob(path, key)


def finish_blob(path: str, key: bytes) -> None:
    """Give a file a blob's time and mode."""
    os.utime(path, (blob_mtime(key), blob_mtime(key)))
    os.chmod(path, 0o555 if len(key) > 32 else 0o444)
