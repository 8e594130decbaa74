"""How a lock says where something is: URLs without secrets, paths from where the lock is."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_SECRET = re.compile(  # in the name of a query's value, as object stores and forges have them
    r"(?:^|[&;])[^=&;]*(?:signature|\bsig\b|token|secret|password|credential|api_?key|access_?key|\bauth\b)",
    re.IGNORECASE,
)
_WEB = frozenset(("http", "https"))


def public_url(url: str) -> str:
    """Return a URL as it may be written down for others.

    Off the web, the user's name is part of the address (``ssh://git@…``) and stays; on it, it may be a token. A query
    that has a signature or a token goes as a whole: without it, its other half (a time, a key's name) means nothing.
    """
    if "@" not in url and "?" not in url:
        return url
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    user = "" if parts.scheme.lower() in _WEB else userinfo.partition(":")[0]
    query = "" if _SECRET.search(parts.query) else parts.query
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host, query=query))


def path_from(path: Path, base: Path | None) -> str:
    """Return a path with slashes, relative to `base` where there is one (and, on Windows, on its drive)."""
    if base is not None:
        try:
            return Path(os.path.relpath(path, base)).as_posix()
        except ValueError:  # another drive
            pass
    return path.as_posix()
