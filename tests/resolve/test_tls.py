"""Whose certificates are believed, with an authority that nobody knows."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.certificates import server_context, write_bundle, write_client_certificate
from support.servers import Answer, Fault, IndexServer

from wheelstore.resolve.addresses import origin_of
from wheelstore.resolve.fetch_errors import Trouble
from wheelstore.resolve.tls import Trust
from wheelstore.resolve.transport import FetchFailed, Transport, TransportOptions


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    with IndexServer(tmp_path, tls=server_context()) as server:
        server.documents["/"] = Answer(body=b"secure")
        yield server


def test_a_host_that_nobody_vouches_for_is_refused_at_once(server: IndexServer) -> None:
    with Transport() as transport, pytest.raises(FetchFailed, match="TLS verification failed") as caught:
        transport.get(server.url)
    assert "--cert" in (caught.value.hint or "")
    assert caught.value.tries == 1


def test_a_bundle_of_ones_own_is_believed(server: IndexServer, tmp_path: Path) -> None:
    with Transport(TransportOptions(cert=write_bundle(tmp_path / "ca.pem"))) as transport:
        assert [transport.get(server.url).body for _ in range(3)] == [b"secure"] * 3
    assert server.connections == 1


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    with IndexServer(tmp_path, tls=server_context("localhost")) as server:
        options = TransportOptions(cert=write_bundle(tmp_path / "ca.pem"))
        with Transport(options) as transport, pytest.raises(FetchFailed, match="TLS verification failed"):
            transport.get(server.url)


@pytest.mark.parametrize("trusted", ["127.0.0.1", "127.0.0.1:{port}"])
def test_a_trusted_host_is_not_checked(server: IndexServer, trusted: str) -> None:
    options = TransportOptions(trusted_hosts=[trusted.format(port=server.port)])
    with Transport(options) as transport:
        assert transport.get(server.url).body == b"secure"
        with pytest.raises(FetchFailed, match="TLS verification failed"):
            transport.get(server.url_as("localhost"))


def test_a_host_is_trusted_on_one_port_only(server: IndexServer) -> None:
    with Transport(TransportOptions(trusted_hosts=["127.0.0.1:1"])) as transport, pytest.raises(FetchFailed):
        transport.get(server.url)


def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    bundle, mine = write_bundle(tmp_path / "ca.pem"), write_client_certificate(tmp_path / "me.pem")
    with IndexServer(tmp_path, tls=server_context(wants_client=True)) as server:
        server.documents["/"] = Answer(body=b"welcome")
        with Transport(TransportOptions(cert=bundle, client_cert=mine)) as transport:
            assert transport.get(server.url).body == b"welcome"
        with Transport(TransportOptions(cert=bundle, retries=0)) as transport, pytest.raises(FetchFailed):
            transport.get(server.url)


@pytest.mark.parametrize("content", [None, "nonsense"])
def test_a_bundle_that_cannot_be_read_is_named(server: IndexServer, tmp_path: Path, content: str | None) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    with Transport(TransportOptions(cert=bundle)) as transport, pytest.raises(FetchFailed) as caught:
        transport.get(server.url)
    assert str(bundle) in str(caught.value)


def test_a_redirect_from_tls_to_plain_text_needs_trust(server: IndexServer, tmp_path: Path) -> None:
    with IndexServer(tmp_path) as plain:
        plain.documents["/"] = Answer(body=b"plain")
        server.fault("/down", Fault(redirect=plain.url))
        with (
            Transport(TransportOptions(cert=write_bundle(tmp_path / "ca.pem"))) as transport,
            pytest.raises(FetchFailed, match="redirected from https:") as caught,
        ):
            transport.get(server.url + "/down")
        assert "--trusted-host 127.0.0.1" in (caught.value.hint or "")
        assert plain.connections == 0
        with Transport(TransportOptions(trusted_hosts=["127.0.0.1"])) as transport:
            assert transport.get(server.url + "/down").body == b"plain"


def test_a_context_is_made_once_for_all_checked_hosts(tmp_path: Path) -> None:
    trust = Trust(cert=None, client_cert=None, trusted_hosts=["lax"])
    one = trust.context_for(origin_of("https://one/"))
    assert trust.context_for(origin_of("https://two/")) is one
    assert one.cert_store_stats()["x509_ca"] > 0
    assert trust.context_for(origin_of("https://lax/")).verify_mode is ssl.CERT_NONE


def test_a_directory_of_certificates_is_a_bundle_too(tmp_path: Path) -> None:
    trust = Trust(cert=tmp_path, client_cert=None, trusted_hosts=())
    assert trust.new_context().verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(Trouble):
        Trust(cert=tmp_path, client_cert=tmp_path / "absent", trusted_hosts=()).new_context()
