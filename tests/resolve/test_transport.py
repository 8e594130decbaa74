"""Pages over HTTP/1.1 from a server on loopback: what comes back, and what is done when it does not."""

import gzip
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.loopback import LoopbackServer
from support.servers import Answer, Fault, IndexServer

from wheelstore.resolve import transport as transport_module
from wheelstore.resolve.transport import Cancelled, FetchFailed, Offline, Transport, TransportOptions

PAGE = "/page"
BODY = b"0123456789" * 500
LOGIN = ("me", "s3cret")

Make = Callable[..., Transport]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    (tmp_path / "wheels").mkdir()
    with IndexServer(tmp_path / "wheels") as server:
        server.documents[PAGE] = Answer(body=BODY, content_type="text/plain")
        yield server


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def make(sleeps: list[float]) -> Iterator[Make]:
    made: list[Transport] = []

    def make(**options: object) -> Transport:
        made.append(Transport(TransportOptions(**options), sleep=sleeps.append))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for transport in made:
        transport.close()


def with_login(url: str) -> str:
    return url.replace("://", "://{}:{}@".format(*LOGIN), 1)


def test_a_page_comes_whole_with_lower_case_headers(server: IndexServer, make: Make) -> None:
    reply = make(user_agent="store/1").get(server.url + PAGE, accept="text/plain", headers={"X-Own": "1"})
    assert (reply.status, reply.body, reply.url) == (200, BODY, server.url + PAGE)
    assert reply.headers["content-type"] == "text/plain"
    sent = server.log[0].headers
    assert (sent["accept"], sent["x-own"], sent["user-agent"]) == ("text/plain", "1", "store/1")


def test_what_is_absent_unchanged_or_partial_is_an_answer(server: IndexServer, make: Make) -> None:
    transport = make()
    assert transport.get(server.url + "/absent").status == 404
    etag = transport.get(server.url + PAGE).headers["etag"]
    assert transport.get(server.url + PAGE, headers={"If-None-Match": etag}).status == 304
    part = transport.get(server.url + PAGE, headers={"Range": "bytes=-3"})
    assert (part.status, part.body) == (206, b"789")
    assert server.log[-1].headers["accept-encoding"] == "identity"


def test_one_connection_serves_many_requests(server: IndexServer, make: Make) -> None:
    transport = make()
    for path in (PAGE, "/absent", PAGE):
        transport.get(server.url + path)
    assert server.connections == 1


def test_a_connection_that_was_closed_while_idle_costs_nothing(
    server: IndexServer, make: Make, sleeps: list[float]
) -> None:
    transport = make(retries=0)
    transport.get(server.url + PAGE)
    server.drop_connections()
    assert transport.get(server.url + PAGE).body == BODY
    assert (server.connections, sleeps) == (2, [])


def test_paths_are_quoted_and_fragments_stay_here(server: IndexServer, make: Make) -> None:
    server.documents["/a b/ü"] = Answer(body=b"yes")
    reply = make().get(server.url + "/a b/ü?q=1 2#sha256=0")
    assert (reply.body, reply.url) == (b"yes", server.url + "/a b/ü?q=1 2")


# Redirects


def test_redirects_are_followed_and_the_last_url_is_told(server: IndexServer, make: Make) -> None:
    server.fault("/one", Fault(redirect="/two", status=301))
    server.fault("/two", Fault(redirect=server.url + PAGE, status=308))
    reply = make().get(server.url + "/one")
    assert (reply.body, reply.url) == (BODY, server.url + PAGE)


def test_redirects_that_go_in_circles_are_refused(server: IndexServer, make: Make) -> None:
    server.fault("/one", Fault(redirect="/one"))
    with pytest.raises(FetchFailed, match="redirects"):
        make().get(server.url + "/one")
    assert len(server.log) == 11


@pytest.mark.parametrize("elsewhere", ["file:///etc/passwd", "ftp://h/x", "http://h:port/"])
def test_redirects_out_of_http_are_refused(server: IndexServer, make: Make, elsewhere: str) -> None:
    server.fault("/one", Fault(redirect=elsewhere))
    with pytest.raises(FetchFailed):
        make().get(server.url + "/one")


# Credentials


def authorizations(server: IndexServer) -> list[str | None]:
    return [request.headers.get("authorization") for request in server.log]


def test_a_login_in_the_url_is_sent_and_not_shown(server: IndexServer, make: Make) -> None:
    server.credentials = LOGIN
    reply = make().get(with_login(server.url) + PAGE)
    assert (reply.body, reply.url) == (BODY, server.url + PAGE)


def test_a_login_serves_later_requests_to_its_origin(server: IndexServer, make: Make) -> None:
    server.credentials = LOGIN
    assert make(logins=[with_login(server.url) + "/simple/"]).get(server.url + PAGE).status == 200


def test_a_login_is_not_sent_along_a_redirect_to_another_origin(
    server: IndexServer, make: Make, tmp_path: Path
) -> None:
    with IndexServer(tmp_path) as other:
        other.documents[PAGE] = Answer(body=b"other")
        server.fault("/here", Fault(redirect="/there"))
        server.fault("/there", Fault(redirect=other.url + PAGE))
        assert make().get(with_login(server.url) + "/here").body == b"other"
        assert None not in authorizations(server)
        assert authorizations(other) == [None]


def test_a_redirect_cannot_plant_a_login(server: IndexServer, make: Make) -> None:
    server.fault("/here", Fault(redirect=with_login(server.url) + PAGE))
    make().get(server.url + "/here")
    assert authorizations(server) == [None, None]


def test_netrc_has_logins(server: IndexServer, make: Make, tmp_path: Path) -> None:
    server.credentials = LOGIN
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login {} password {}\n".format(*LOGIN))
    assert make(netrc=netrc).get(server.url + PAGE).body == BODY


def test_missing_credentials_are_said_to_be_missing(server: IndexServer, make: Make, sleeps: list[float]) -> None:
    server.credentials = LOGIN
    with pytest.raises(FetchFailed) as caught:
        make().get(server.url + PAGE)
    assert caught.value.status == 401
    assert "credentials" in (caught.value.hint or "")
    assert sleeps == []


@pytest.mark.parametrize("fault", [Fault(status=403), Fault(status=500), Fault(cut_after=9), Fault(redirect=PAGE)])
def test_no_error_shows_a_login(server: IndexServer, make: Make, fault: Fault) -> None:
    server.fault(PAGE, fault)
    with pytest.raises(FetchFailed) as caught:
        make().get(with_login(server.url) + PAGE)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.__dict__)
    assert "s3cret" not in shown
    assert "****@" in shown


def test_options_do_not_show_logins() -> None:
    options = TransportOptions(
        proxy="http://me:s3cret@p", proxies={"all": "http://me:s3cret@p"}, logins=["http://a:s3cret@h"]
    )
    assert "s3cret" not in repr(options)


# Retries


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, times=2),
        Fault(status=503, times=2),
        Fault(status=429, times=2),
        Fault(cut_after=10, times=2),
        Fault(cut_after=10, reset=True, times=2),
        Fault(drop=True, times=2),
        Fault(content_length=len(BODY) + 1, times=2),
    ],
    ids=["500", "503", "429", "cut", "reset", "drop", "short"],
)
def test_what_may_pass_is_tried_again(server: IndexServer, make: Make, sleeps: list[float], fault: Fault) -> None:
    server.fault(PAGE, fault)
    assert make().get(server.url + PAGE).body == BODY
    assert sleeps == [0.25, 0.5]
    assert server.connections == (1 if fault.status else 3)


def test_a_server_says_how_long_to_wait(server: IndexServer, make: Make, sleeps: list[float]) -> None:
    server.fault(
        PAGE,
        Fault(status=503, times=1, headers={"Retry-After": "3"}),
        Fault(status=429, times=1, headers={"Retry-After": "86400"}),
    )
    assert make().get(server.url + PAGE).body == BODY
    assert sleeps == [3, 30]


def test_a_failing_server_is_given_up(server: IndexServer, make: Make, sleeps: list[float]) -> None:
    server.fault(PAGE, Fault(status=502))
    with pytest.raises(FetchFailed) as caught:
        make(retries=2).get(server.url + PAGE)
    error = caught.value
    assert str(error) == f"{server.url}{PAGE}: HTTP 502 Bad Gateway (after 3 tries)"
    assert (error.status, error.tries, len(sleeps)) == (502, 3, 2)
    assert error.hint


@pytest.mark.parametrize("status", [400, 403, 501, 505, 299])
def test_what_will_not_pass_is_not_tried_again(
    server: IndexServer, make: Make, sleeps: list[float], status: int
) -> None:
    server.fault(PAGE, Fault(status=status))
    with pytest.raises(FetchFailed) as caught:
        make().get(server.url + PAGE)
    assert (caught.value.status, sleeps) == (status, [])


def test_silence_is_a_timeout(server: IndexServer, make: Make, sleeps: list[float]) -> None:
    server.fault(PAGE, Fault(stall_after=10, times=1))
    assert make(timeout=0.05).get(server.url + PAGE).body == BODY
    assert sleeps == [0.25]
    server.fault(PAGE, Fault(stall_after=0))
    with pytest.raises(FetchFailed, match=r"no answer within 0\.05 s"):
        make(timeout=0.05, retries=0).get(server.url + PAGE)


def test_a_port_where_nobody_listens_is_named(make: Make) -> None:
    with LoopbackServer() as gone:
        url = gone.url
    with pytest.raises(FetchFailed, match=r"connection refused \(after 2 tries\)") as caught:
        make(retries=1).get(url)
    assert caught.value.hint


def test_an_answer_that_is_not_http_is_named(make: Make) -> None:
    class Greeter(LoopbackServer):
        def serve(self, connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(b"220 mail.example ESMTP\r\n")

    with Greeter() as server, pytest.raises(FetchFailed, match="not HTTP"):
        make(retries=1).get(server.url)


@pytest.mark.parametrize(
    "url", ["http://h:port/", "http:///x", "ftp://h/x", "nothing", "http://[::1/", f"http://{'a' * 64}.example/"]
)
def test_what_is_no_url_is_refused_without_a_second_try(make: Make, sleeps: list[float], url: str) -> None:
    with pytest.raises(FetchFailed) as caught:
        make().get(url)
    assert "\n" not in str(caught.value)
    assert sleeps == []


# Bodies


def test_a_compressed_page_is_decoded(server: IndexServer, make: Make) -> None:
    headers = {"Content-Encoding": "gzip"}
    server.documents["/gz"] = Answer(body=gzip.compress(BODY), headers=headers)
    assert make().get(server.url + "/gz").body == BODY
    assert server.log[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(BODY, mtime=0)[:-9]])
def test_a_page_that_does_not_decode_is_refused(server: IndexServer, make: Make, body: bytes) -> None:
    server.documents["/gz"] = Answer(body=body, headers={"Content-Encoding": "gzip"})
    with pytest.raises(FetchFailed, match=r"gzip|compressed"):
        make(retries=1).get(server.url + "/gz")
    assert len(server.log) == 2


def test_a_page_has_a_largest_size(server: IndexServer, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "MAX_PAGE", 2**20)
    server.documents["/bomb"] = Answer(body=gzip.compress(bytes(2**24), mtime=0), headers={"Content-Encoding": "gzip"})
    with pytest.raises(FetchFailed, match="larger than 1 MiB"):
        make().get(server.url + "/bomb")
    assert len(server.log) == 1


# Local files


def test_a_file_url_is_read(make: Make, tmp_path: Path) -> None:
    (tmp_path / "a b.html").write_bytes(b"<a>")
    url = (tmp_path / "a b.html").as_uri()
    reply = make(offline=True).get(url)
    assert (reply.status, reply.body, reply.headers["content-type"], reply.url) == (200, b"<a>", "text/html", url)
    assert make().get(url, headers={"If-None-Match": reply.headers["etag"]}).status == 304


def test_a_directory_is_its_index_page(make: Make, tmp_path: Path) -> None:
    assert make().get(tmp_path.as_uri()).status == 404
    (tmp_path / "index.html").write_bytes(b"<a>")
    reply = make().get(tmp_path.as_uri())
    assert (reply.body, reply.url) == (b"<a>", tmp_path.as_uri() + "/")


@pytest.mark.parametrize("name", ["absent", "file/below", "n" * 300, "nul%00"])
def test_a_file_that_is_not_there_is_a_404(make: Make, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert make().get(f"{tmp_path.as_uri()}/{name}").status == 404


@pytest.mark.skipif(sys.platform == "win32", reason="there it is a share")
def test_a_file_of_another_machine_is_refused(make: Make) -> None:
    with pytest.raises(FetchFailed, match="another machine"):
        make().get("file://elsewhere/x")


# Offline, closing, cost


def test_offline_means_no_connection(server: IndexServer, make: Make) -> None:
    with pytest.raises(Offline) as caught:
        make(offline=True).get(with_login(server.url) + PAGE)
    assert server.connections == 0
    assert "offline" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_closed_transport_fetches_nothing(server: IndexServer, make: Make) -> None:
    transport = make()
    transport.get(server.url + PAGE)
    transport.close()
    with pytest.raises(Cancelled):
        transport.get(server.url + PAGE)


def test_closing_ends_what_waits_for_a_silent_server(server: IndexServer) -> None:
    server.fault(PAGE, Fault(stall_after=0))
    transport = Transport(TransportOptions(timeout=30))
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(transport.get, server.url + PAGE)
        while not server.log or not server.log[0].status:
            time.sleep(0.005)
        transport.close()
        assert isinstance(page.exception(timeout=1), Cancelled)


def test_imports_wait_for_what_needs_them(server: IndexServer) -> None:
    server.fault(PAGE, Fault(bytes_per_second=20 * len(BODY)))  # slow enough for a crowd
    script = (
        "import sys; from concurrent.futures import ThreadPoolExecutor;"
        "from wheelstore.resolve.transport import Transport; transport = Transport();"
        "print(sorted({'ssl', 'http.client', 'email', 'httpcore', 'certifi'} & set(sys.modules)));"
        f"list(ThreadPoolExecutor(8).map(transport.get, [{server.url + PAGE!r}] * 8)); transport.close();"
        "print(sorted({'h2', 'httpcore', 'certifi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
