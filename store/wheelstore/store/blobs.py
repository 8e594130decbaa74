"""Blobs: the immutable bytes of one file, named by what they are.

A blob's *key* is its 32-byte BLAKE3 digest, followed by ``x`` when the file is executable; its *name* is
the path below `Store.blobs` that follows from the key. Nothing here touches the index.
"""

from __future__ import annotations

_EPOCH = 315_532_800  # 1980-01-01T00:00:00Z, the first instant a zip file can name
_SPAN = 946_771_200  # seconds from there to 2010-01-01T00:00:00Z


def blob_name(key: bytes) -> str:
    """The blob's path below the blobs directory: ``ab/cdef…`` or ``ab/cdef…-x``."""
    text = key[:32].hex()
    return f"{text[:2]}/{text[2:]}-x" if len(key) > 32 else f"{text[:2]}/{text[2:]}"


def blob_key(name: str) -> bytes:
    """The key that `blob_name` made `name` from.

    Raises:
        ValueError: `name` is not a blob's name.
    """
    text, _, flag = name.replace("/", "").partition("-")
    key = bytes.fromhex(text)
    if len(key) != 32 or flag not in ("", "x"):
        raise ValueError(name)
    return key + flag.encode()


def blob_mtime(key: bytes) -> int:
    """The modification time of a blob and of every file made from it, in seconds since the epoch.

    A whole second between 1980 and 2010 that follows from the digest: the same content has the same
    time wherever it is linked, so one `.pyc` is valid in every environment; other content has another
    time, so a same-size upgrade never runs old bytecode; and one `stat` shows an edit in place.
    """
    return _EPOCH + int.from_bytes(key[:8], "big") % _SPAN


def name_mtime(name: str) -> int:
    """`blob_mtime`, from a blob's name; for loops that hold names and no keys."""
    return _EPOCH + int(name[:2] + name[3:17], 16) % _SPAN
