"""PKG-INFO out of an sdist, and METADATA out of a wheel, that are on disk."""

from __future__ import annotations

import os
from typing import BinaryIO

from wheelstore.resolve.metadata import BadMetadata
from wheelstore.resolve.zip_member import MAX_MEMBER, BadZip, is_pkg_info, is_wheel_metadata, read_member


class _OnDisk:
    """An archive on disk, for `read_member`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`."""
        self._file.seek(start)
        return self._file.read(end - start)


def read_wheel(path: str) -> bytes:
    """Read a wheel's METADATA.

    Raises:
        BadMetadata: there is none, or the archive is broken.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        try:
            data = read_member(_OnDisk(file), is_wheel_metadata)
        except BadZip as error:
            raise BadMetadata(str(error)) from None
    if data is None:
        raise BadMetadata("it has no METADATA")
    return data


def read_sdist(path: str, filename: str) -> bytes | None:
    """Read an sdist's PKG-INFO, whichever archive it is; None if it has none.

    Raises:
        BadMetadata: the archive is broken.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        if filename.endswith(".zip"):
            try:
                return read_member(_OnDisk(file), is_pkg_info)
            except BadZip as error:
                raise BadMetadata(str(error)) from None
        return _from_tar(file)


def _from_tar(file: BinaryIO) -> bytes | None:
    """Read the archive as a stream, up to the member: what follows it is not unpacked."""
    import tarfile
    import zlib
    from lzma import LZMAError

    try:
        with tarfile.open(fileobj=file, mode="r|*") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if member.isfile() and is_pkg_info(name.encode(errors="replace")):
                    if member.size > MAX_MEMBER:
                        raise BadMetadata(f"{name} has {member.size} bytes; at most {MAX_MEMBER} are read")
                    content = archive.extractfile(member)
                    return content.read() if content is not None else None
    except (tarfile.TarError, EOFError, zlib.error, LZMAError, ValueError) as error:
        raise BadMetadata(f"it cannot be unpacked: {error}") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise BadMetadata(f"it cannot be unpacked: {error}") from None  # bz2 and gzip say so of broken data
    return None
