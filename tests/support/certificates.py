"""An authority that nobody knows, and certificates from it, made anew in each test run."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

import trustme


@functools.cache
def authority() -> trustme.CA:
    """Make the authority; once, because keys take time."""
    return trustme.CA()


def write_bundle(path: Path) -> Path:
    """Write the authority's certificate as a CA bundle."""
    authority().cert_pem.write_to_path(str(path))
    return path


def write_client_certificate(path: Path) -> Path:
    """Write a certificate for a person, with its key."""
    authority().issue_cert("someone@example.test").private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def server_context(*names: str, wants_client: bool = False) -> ssl.SSLContext:
    """Make a server's side of TLS, for ``names``: 127.0.0.1 and localhost unless told."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
    if wants_client:
        authority().configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
