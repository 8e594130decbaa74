import errno
import socket
import ssl
from http.client import BadStatusLine, IncompleteRead, InvalidURL, RemoteDisconnected

import pytest

from wheelstore.resolve.connection_errors import explain, proxy_refusal
from wheelstore.resolve.fetch_errors import Cancelled, FetchFailed, HashMismatch, Offline, refusal


@pytest.mark.parametrize(
    ("error", "words", "transient"),
    [
        (TimeoutError(), "no answer within 15 s", True),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name is unknown", False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "name is unknown", True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "connection refused", True),
        (ConnectionResetError(errno.ECONNRESET, "reset by peer"), "the connection failed: reset by peer", True),
        (RemoteDisconnected(""), "closed the connection without an answer", True),
        (IncompleteRead(b""), "before the end", True),
        (BadStatusLine("x"), "not HTTP", True),
        (InvalidURL("x"), "no URL", False),
        (UnicodeError("label too long"), "no URL", False),
        (ssl.SSLCertVerificationError("x"), "TLS verification failed", False),
        (ssl.SSLError(1, "[SSL] wrong version number"), "TLS failed", True),
        (OSError("Tunnel connection failed: 407 Who are you?"), "the proxy refused: 407 Who are you?", False),
        (OSError("Tunnel connection failed: 502 Bad Gateway"), "the proxy refused: 502", True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "Network is unreachable", True),
        (RuntimeError(), "the connection failed", True),
    ],
)
def test_each_failure_has_its_words_and_knows_whether_it_may_pass(
    error: Exception, words: str, transient: bool
) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    trouble = explain(error, timeout=15.0)
    assert words in trouble.reason
    assert trouble.transient is transient


def test_a_proxy_without_login_is_told_how_to_give_one() -> None:
    assert "user:password" in (proxy_refusal("407 Proxy Authentication Required").hint or "")
    assert "proxy's address" in (proxy_refusal("403 Forbidden").hint or "")


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        (400, False),
        (401, False),
        (404, False),
        (408, True),
        (429, True),
        (500, True),
        (501, False),
        (503, True),
        (599, True),
    ],
)
def test_a_status_knows_whether_it_may_pass(status: int, transient: bool) -> None:
    assert refusal(status).transient is transient


@pytest.mark.parametrize(
    "error",
    [
        FetchFailed("http://me:s3cret@h/x?key=s3cret", "two\nlines", hint=None, status=400, tries=2),
        HashMismatch("http://me:s3cret@h/x?key=s3cret", expected=["sha256:0", "sha256:1"], actual="sha256:2"),
        Offline("http://me:s3cret@h/x?key=s3cret"),
        Cancelled("http://me:s3cret@h/x?key=s3cret"),
    ],
)
def test_errors_are_one_line_without_secrets(error: Exception) -> None:
    assert "\n" not in str(error)
    assert "s3cret" not in str(error) + repr(error) + repr(vars(error))
    assert str(error).startswith("http://****@h/x?...: ")
