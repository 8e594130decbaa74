"""What sockets, TLS and ``http.client`` raise, in words for the user."""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPException, IncompleteRead, InvalidURL, RemoteDisconnected

from wheelstore.resolve.fetch_errors import STATUS_HINTS, Trouble

_CERT_HINT = "pass --cert or set STORE_CERT to the CA bundle that vouches for this host"
_TUNNEL = "Tunnel connection failed: "  # http.client's words for a proxy's answer to CONNECT


def explain(error: BaseException, *, timeout: float) -> Trouble:
    """Say what happened, and whether another try may help."""
    if isinstance(error, OSError):
        return _explain_os_error(error, timeout=timeout)
    if isinstance(error, IncompleteRead):
        return Trouble("the connection closed before the end of the answer", transient=True)
    if isinstance(error, (InvalidURL, UnicodeError)):
        return Trouble("this is no URL that HTTP can ask for")
    if isinstance(error, HTTPException):
        return Trouble(f"the answer is not HTTP ({type(error).__name__})", transient=True)
    return Trouble(f"the connection failed: {error}" if str(error) else "the connection failed", transient=True)


def proxy_refusal(answer: str) -> Trouble:
    """Explain a proxy's answer to CONNECT: a status and a phrase."""
    status = answer.partition(" ")[0]
    hint = STATUS_HINTS[407] if status == "407" else "check the proxy's address"
    return Trouble(f"the proxy refused: {answer}", hint=hint, transient=status.startswith("5"))


def _explain_os_error(error: OSError, *, timeout: float) -> Trouble:
    text = error.strerror or str(error) or type(error).__name__
    if isinstance(error, TimeoutError):
        return Trouble(f"no answer within {timeout:g} s", hint="raise --timeout", transient=True)
    if isinstance(error, socket.gaierror):
        return Trouble(
            f"the host's name is unknown here: {text}",
            hint="check the address and the network, or run with --offline",
            transient=error.errno == socket.EAI_AGAIN,
        )
    if isinstance(error, ConnectionRefusedError):
        return Trouble("connection refused", hint="is the server running, and the port right?", transient=True)
    if isinstance(error, RemoteDisconnected):
        return Trouble("the server closed the connection without an answer", transient=True)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(f"TLS verification failed: {error.verify_message}", hint=_CERT_HINT)
    if isinstance(error, ssl.SSLError):
        return Trouble(f"TLS failed: {getattr(error, 'reason', None) or text}", hint=_CERT_HINT, transient=True)
    if text.startswith(_TUNNEL):
        return proxy_refusal(text.removeprefix(_TUNNEL))
    return Trouble(f"the connection failed: {text}", transient=True)
