"""Find-links locations on this machine: a directory of distributions (an HTML page is read like any page)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from wheelstore.resolve.addresses import file_url_path
from wheelstore.resolve.filenames import projects_of
from wheelstore.resolve.simple import IndexFile


def local_path(location: str) -> str | None:
    """The path that a location (a path or a ``file:`` URL) means; None for one that is elsewhere.

    Raises:
        ValueError: a ``file:`` URL of another machine.
    """
    if location.startswith("file:"):
        return file_url_path(location)
    return None if "://" in location else location


def as_url(location: str) -> str:
    """A location as a URL: an absolute path becomes a ``file:`` URL, a URL stays as it is.

    Raises:
        ValueError: a relative path.
    """
    if "://" in location or location.startswith("file:"):
        return location
    return Path(location).as_uri()


def scan_directory(directory: str) -> list[IndexFile]:
    """List a directory's wheels and sdists in the order of their names.

    Nothing is opened, so hashes are not known. A directory that is missing holds nothing, as for pip.
    """
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        IndexFile(entry.name, as_url(entry.path), size=entry.stat().st_size)
        for entry in entries
        if projects_of(entry.name) and entry.is_file()
    ]


def stamp_of(path: str) -> str:
    """What changes when a file does: size, time and inode. Raises `OSError` for a missing file."""
    status = os.stat(path)
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def hash_file(path: str) -> str:
    """The hex sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
