"""Whose certificates are believed. Contexts are made when first needed: loading a CA bundle costs ~20 ms."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Collection
from pathlib import Path

from wheelstore.resolve.addresses import Origin
from wheelstore.resolve.fetch_errors import Trouble


class Trust:
    """Makes TLS contexts. Thread-safe.

    ``cert`` is a CA bundle (or a directory of certificates, as ``c_rehash`` makes them) that is believed
    instead of certifi's bundle and the system's; ``client_cert`` a PEM file with our certificate and its key;
    ``trusted_hosts`` are ``host`` or ``host:port`` whose certificates are not checked.
    """

    def __init__(self, *, cert: Path | None, client_cert: Path | None, trusted_hosts: Collection[str]) -> None:
        self._cert, self._client_cert = cert, client_cert
        self._trusted = frozenset(host.lower() for host in trusted_hosts)
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def is_exempt(self, origin: Origin) -> bool:
        """Whether the user trusts this host without a check."""
        return origin.host in self._trusted or f"{origin.host}:{origin.port}" in self._trusted

    def context_for(self, origin: Origin) -> ssl.SSLContext:
        """Give the context for connections to an origin; the same one each time."""
        verify = not self.is_exempt(origin)
        with self._lock:
            if verify not in self._contexts:
                self._contexts[verify] = self.new_context(verify=verify)
            return self._contexts[verify]

    def new_context(self, *, verify: bool = True) -> ssl.SSLContext:
        """Make a context of one's own, for who sets its ALPN protocols.

        Raises:
            Trouble: a file of certificates cannot be read.
        """
        try:
            context = self._load(verify=verify)
            if self._client_cert is not None:
                context.load_cert_chain(self._client_cert)
        except (OSError, ssl.SSLError) as error:
            names = " or ".join(str(path) for path in (self._cert, self._client_cert) if path is not None)
            raise Trouble(f"cannot load the certificates in {names}: {error.strerror or error}") from None
        return context

    def _load(self, *, verify: bool) -> ssl.SSLContext:
        if not verify:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        if self._cert is not None:
            if self._cert.is_dir():
                return ssl.create_default_context(capath=str(self._cert))
            return ssl.create_default_context(cafile=str(self._cert))
        context = ssl.create_default_context()
        import certifi

        context.load_verify_locations(cafile=certifi.where())
        return context
