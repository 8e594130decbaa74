"""Who we are to each server: from URLs and from netrc, never shown, never sent elsewhere."""

from __future__ import annotations

import threading
from itertools import takewhile
from pathlib import Path

from wheelstore.resolve.addresses import Login, Origin, origin_of, split_login


class Credentials:
    """Logins by origin. Those in URLs come before netrc's. Thread-safe."""

    def __init__(self, netrc: Path | None) -> None:
        self._netrc_path = netrc
        self._netrc: dict[str, Login] | None = None
        self._learned: dict[Origin, dict[str, Login]] = {}
        self._lock = threading.Lock()

    def learn(self, url: str) -> str:
        """Remember the login in a URL for its origin, for as long as this process runs; return the URL bare."""
        bare, login = split_login(url)
        if login is not None:
            with self._lock:
                self._learned.setdefault(origin_of(bare), {})[bare.rpartition("/")[0]] = login
        return bare

    def login_for(self, url: str) -> Login | None:
        """Choose the login for a bare URL: of those learned for its origin, the one with most path in common."""
        with self._lock:
            learned = self._learned.get(origin_of(url))
            if learned:
                return learned[max(learned, key=lambda known: _shared_components(known, url))]
            if self._netrc is None:
                self._netrc = _read_netrc(self._netrc_path)
        return self._netrc.get(origin_of(url).host) or self._netrc.get("default")

    def header_for(self, url: str) -> str | None:
        """Spell the ``Authorization`` header for a bare URL (RFC 7617, in UTF-8)."""
        login = self.login_for(url)
        return basic(login) if login else None


def basic(login: Login) -> str:
    """Spell a login for an ``Authorization`` header."""
    import base64

    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode("ascii")


def _shared_components(one: str, other: str) -> int:
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _read_netrc(path: Path | None) -> dict[str, Login]:
    """Read all logins; a file that is missing, unreadable or malformed has none, as with curl and pip."""
    if path is None:
        return {}
    from netrc import NetrcParseError, netrc

    try:
        hosts = netrc(str(path)).hosts
    except (OSError, NetrcParseError, UnicodeDecodeError):
        return {}
    return {host.lower(): Login(user or account, password) for host, (user, account, password) in hosts.items()}
