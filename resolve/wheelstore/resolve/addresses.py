"""URLs as the network stages need them: origins, credentials taken out, ``file:`` paths."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where a URL leads, in the sense of RFC 6454: what credentials are bound to."""

    scheme: str
    host: str
    port: int


class Login(NamedTuple):
    """A user and a password, decoded."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Login(****)"


def origin_of(url: str) -> Origin:
    """Take a URL's origin.

    Raises:
        ValueError: the port is no number, or the URL is no URL.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return Origin(scheme, (parts.hostname or "").lower(), parts.port or DEFAULT_PORTS.get(scheme, 0))


def split_login(url: str) -> tuple[str, Login | None]:
    """Separate a URL from the user and the password in it."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    user, _, password = userinfo.partition(":")
    login = Login(unquote(user), unquote(password)) if userinfo else None
    return urlunsplit(parts._replace(netloc=host)), login


def redact(url: str) -> str:
    """Show a URL without what may be secret: the user and password, and the query (signed addresses)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(an invalid URL)"
    userinfo, at, host = parts.netloc.rpartition("@")
    netloc = f"****@{host}" if at and userinfo else host
    query = "..." if parts.query else ""
    return " ".join(urlunsplit(parts._replace(netloc=netloc, query=query, fragment="")).split())


def request_target(parts: SplitResult) -> str:
    """Spell path and query for a request line: what is not allowed there is percent-encoded (RFC 3986)."""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~")
    return f"{path}?{query}" if query else path


def file_url_path(url: str) -> str:
    """Turn a ``file:`` URL into a path of this machine (RFC 8089).

    Raises:
        ValueError: the URL names another machine, and this is not Windows.
    """
    parts = urlsplit(url)
    if os.name == "nt":
        from urllib.request import url2pathname

        netloc = "" if parts.netloc.lower() == "localhost" else parts.netloc
        return url2pathname(f"//{netloc}{parts.path}" if netloc else parts.path)
    if parts.netloc.lower() not in ("", "localhost"):
        raise ValueError(f"a file: URL cannot name another machine ({parts.netloc.rpartition('@')[2]})")
    return unquote(parts.path, errors="surrogateescape")  # bytes that are no UTF-8 are as good as any (PEP 383)
