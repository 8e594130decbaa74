"""What a ``file:`` URL answers, in the terms of HTTP, so that an index may also be a directory."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from wheelstore.resolve.addresses import file_url_path, redact
from wheelstore.resolve.fetch_errors import FetchFailed

_TYPES = {".html": "text/html", ".htm": "text/html", ".json": "application/json"}
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


def path_of(url: str) -> str:
    """Turn a ``file:`` URL into a path.

    Raises:
        FetchFailed: it names another machine, or no path at all.
    """
    try:
        return file_url_path(url.partition("#")[0])
    except ValueError as error:
        raise FetchFailed(url, str(error)) from None


def read(url: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes, str]:
    """Read a file, or a directory's index.html: status, headers, body, and the URL that links are relative to.

    A file that is not there is a 404; one whose ETag (time and size) the request already has, a 304.

    Raises:
        FetchFailed: the file is there and cannot be read.
    """
    path = path_of(url)
    if os.path.isdir(path):
        url = url if url.endswith("/") else url + "/"
        path = os.path.join(path, "index.html")
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
            if headers.get("If-None-Match") == etag:
                return 304, {"etag": etag}, b"", url
            kind = _TYPES.get(os.path.splitext(path)[1].lower(), "application/octet-stream")
            return 200, {"content-type": kind, "etag": etag}, file.read(), url
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if isinstance(error, OSError) and error.errno not in _ABSENT:
            raise FetchFailed(redact(url), error.strerror or str(error)) from None
        return 404, {}, b"", url
