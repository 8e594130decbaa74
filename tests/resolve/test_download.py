"""One file at a time from a server on loopback that breaks in every way."""

import hashlib
import os
import random
import threading
import traceback
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import Answer, Fault, IndexServer

from wheelstore.resolve.download import Downloaded
from wheelstore.resolve.transport import Cancelled, FetchFailed, HashMismatch, Offline, Transport, TransportOptions

NAME = "demo-1.0-py3-none-any.whl"
BODY = random.Random(0).randbytes(600_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
HASHES = {"sha256": SHA256}
OTHER = bytes(len(BODY))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / NAME).write_bytes(BODY)
    with IndexServer(tmp_path / "wheels") as server:
        yield server


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def transport(sleeps: list[float]) -> Iterator[Transport]:
    with Transport(TransportOptions(timeout=0.2, retries=2), sleep=sleeps.append) as transport:
        yield transport


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def ranges(server: IndexServer) -> list[str | None]:
    return [request.range for request in server.requests_for(NAME)]


def test_a_file_comes_whole_and_hashed(server: IndexServer, transport: Transport, target: Path) -> None:
    progress: list[int] = []
    downloaded = transport.download(server.file_url(NAME), str(target), hashes=HASHES, progress=progress.append)
    assert downloaded == Downloaded(sha256=SHA256, size=len(BODY))
    assert target.read_bytes() == BODY
    assert sum(progress) == len(BODY)
    assert server.log[0].headers["accept-encoding"] == "identity"


def test_an_empty_file_is_a_file(server: IndexServer, transport: Transport, target: Path) -> None:
    server.documents["/files/empty"] = Answer(body=b"")
    assert transport.download(server.url + "/files/empty", str(target), hashes={}).size == 0
    assert target.read_bytes() == b""


def test_memory_does_not_grow_with_the_file(server: IndexServer, transport: Transport, target: Path) -> None:
    (server.directory / "large").write_bytes(bytes(16 * 2**20))
    transport.download(server.file_url(NAME), str(target), hashes=HASHES)
    tracemalloc.start()
    try:
        transport.download(server.file_url("large"), str(target), hashes={})
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


# Hashes


def test_every_expected_hash_must_hold(server: IndexServer, transport: Transport, target: Path) -> None:
    hashes = {"sha256": SHA256.upper(), "sha512": hashlib.sha512(BODY).hexdigest()}
    assert transport.download(server.file_url(NAME), str(target), hashes=hashes).sha256 == SHA256
    hashes["sha512"] = "0" * 128
    with pytest.raises(HashMismatch) as caught:
        transport.download(server.file_url(NAME), str(target), hashes=hashes)
    assert caught.value.expected == ("sha512:" + "0" * 128,)


def test_one_accepted_hash_is_enough(server: IndexServer, transport: Transport, target: Path) -> None:
    accepted = ["sha256:" + "0" * 64, "sha384:" + hashlib.sha384(BODY).hexdigest()]
    assert transport.download(server.file_url(NAME), str(target), accepted=accepted).sha256 == SHA256
    with pytest.raises(HashMismatch) as caught:
        transport.download(server.file_url(NAME), str(target), accepted=accepted[:1])
    assert caught.value.actual == "sha256:" + SHA256


def test_a_wrong_file_is_removed_and_told(server: IndexServer, transport: Transport, target: Path) -> None:
    url = server.file_url(NAME).replace("://", "://me:s3cret@")
    with pytest.raises(HashMismatch) as caught:
        transport.download(url, str(target), hashes={"sha256": "0" * 64})
    assert not target.exists()
    error = caught.value
    assert (error.expected, error.actual) == (("sha256:" + "0" * 64,), "sha256:" + SHA256)
    assert str(error).startswith(f"http://****@127.0.0.1:{server.port}/files/{NAME}: expected sha256:000")
    assert error.hint
    assert len(server.requests_for(NAME)) == 1


def test_a_file_without_hash_must_have_its_announced_size(
    server: IndexServer, transport: Transport, target: Path
) -> None:
    assert transport.download(server.file_url(NAME), str(target), size=len(BODY)).size == len(BODY)
    with pytest.raises(FetchFailed, match=f"{len(BODY)} bytes came where the index announces 1"):
        transport.download(server.file_url(NAME), str(target), size=1)


def test_a_hash_outweighs_an_announced_size(server: IndexServer, transport: Transport, target: Path) -> None:
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES, size=1).sha256 == SHA256


@pytest.mark.parametrize("told", [True, False])
def test_a_file_that_is_too_large_is_refused(
    server: IndexServer, transport: Transport, target: Path, told: bool
) -> None:
    server.fault(NAME, Fault(without_length=not told))
    with pytest.raises(FetchFailed, match="allowed 1000"):
        transport.download(server.file_url(NAME), str(target), limit=1000)
    assert (target.stat().st_size == 0) is told
    assert len(server.requests_for(NAME)) == 1
    assert transport.download(server.url + "/simple/", str(target), limit=10_000).size < 10_000


def test_a_file_without_length_ends_with_its_connection(
    server: IndexServer, transport: Transport, target: Path
) -> None:
    server.fault(NAME, Fault(without_length=True))
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).size == len(BODY)
    assert transport.download(server.file_url(NAME), str(target)).size == len(BODY)
    assert server.connections == 2


# Broken connections


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_broken_download_goes_on_where_it_broke(
    server: IndexServer, transport: Transport, target: Path, sleeps: list[float], reset: bool
) -> None:
    server.fault(NAME, Fault(cut_after=400_000, reset=reset, times=1))
    progress: list[int] = []
    downloaded = transport.download(server.file_url(NAME), str(target), hashes=HASHES, progress=progress.append)
    assert downloaded.sha256 == SHA256
    _, second = server.requests_for(NAME)
    start = int((second.range or "").removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 400_000
    assert (second.status, second.sent) == (206, len(BODY) - start)
    assert second.headers["if-range"].startswith('"')
    assert sum(progress) == len(BODY)
    assert sleeps == [0.25]


def test_silence_breaks_a_download_too(server: IndexServer, transport: Transport, target: Path) -> None:
    server.fault(NAME, Fault(stall_after=300_000, times=1))
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).sha256 == SHA256
    assert len(server.requests_for(NAME)) == 2


def test_a_slow_server_is_not_a_silent_one(server: IndexServer, transport: Transport, target: Path) -> None:
    server.fault(NAME, Fault(bytes_per_second=20 * len(BODY)))
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).sha256 == SHA256
    assert len(server.requests_for(NAME)) == 1


def test_progress_renews_the_patience(server: IndexServer, transport: Transport, target: Path) -> None:
    server.fault(NAME, Fault(cut_after=100_000))
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).sha256 == SHA256
    assert ranges(server) == [None, *(f"bytes={start}-" for start in range(100_000, len(BODY), 100_000))]


def test_without_progress_it_gives_up_and_keeps_what_came(
    server: IndexServer, transport: Transport, target: Path, sleeps: list[float]
) -> None:
    server.fault(NAME, Fault(cut_after=1000, times=1), Fault(status=503))
    with pytest.raises(FetchFailed, match=r"HTTP 503 Service Unavailable \(after 3 tries\)") as caught:
        transport.download(server.file_url(NAME), str(target), hashes=HASHES)
    assert caught.value.status == 503
    assert sleeps == [0.25, 0.5]
    assert target.read_bytes() == BODY[:1000]


def test_a_server_without_ranges_starts_over(server: IndexServer, transport: Transport, target: Path) -> None:
    server.ranges = False
    server.fault(NAME, Fault(cut_after=1000, times=1))
    progress: list[int] = []
    transport.download(server.file_url(NAME), str(target), hashes=HASHES, progress=progress.append)
    assert target.read_bytes() == BODY
    assert sum(progress) == len(BODY)
    server.fault(NAME, Fault(cut_after=1000))
    target.unlink()
    with pytest.raises(FetchFailed, match=f"closed after 1000 of {len(BODY)} bytes"):
        transport.download(server.file_url(NAME), str(target), hashes=HASHES)


def test_a_file_that_changes_under_way_is_fetched_anew(server: IndexServer, tmp_path: Path, target: Path) -> None:
    def change(_: float) -> None:
        (server.directory / NAME).write_bytes(b"changed" * 1000)

    server.fault(NAME, Fault(cut_after=1000, times=1))
    with Transport(sleep=change) as transport:
        transport.download(server.file_url(NAME), str(target), hashes={})
    assert target.read_bytes() == b"changed" * 1000


def test_pieces_of_two_files_under_one_etag_are_fetched_anew(server: IndexServer, target: Path) -> None:
    path = f"/files/{NAME}"

    def change(_: float) -> None:
        server.documents[path] = Answer(body=BODY, headers={"ETag": '"same"'})

    server.documents[path] = Answer(body=OTHER, headers={"ETag": '"same"'})
    server.fault(NAME, Fault(cut_after=1000, times=1))
    with Transport(sleep=change) as transport:
        assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).sha256 == SHA256
    assert ranges(server) == [None, "bytes=1000-", None]


def test_only_getting_further_than_ever_is_progress(server: IndexServer, transport: Transport, target: Path) -> None:
    server.ranges = False
    server.fault(NAME, *[Fault(cut_after=size, times=1) for size in (2000, 1000, 2000, 1000, 2000, 1000)])
    with pytest.raises(FetchFailed, match="after 3 tries"):
        transport.download(server.file_url(NAME), str(target), hashes=HASHES)
    assert len(server.requests_for(NAME)) == 3


def test_a_hash_makes_up_for_a_missing_etag(server: IndexServer, transport: Transport, target: Path) -> None:
    server.etags = False
    server.fault(NAME, Fault(cut_after=1000, times=1))
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).sha256 == SHA256
    assert ranges(server) == [None, "bytes=1000-"]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_hash_and_strong_etag_nothing_is_pieced_together(
    server: IndexServer, transport: Transport, target: Path, etag: str | None
) -> None:
    server.etags = False
    path = f"/files/{NAME}"
    server.documents[path] = Answer(body=BODY, headers={"ETag": etag} if etag else {})
    server.fault(NAME, Fault(cut_after=1000, times=1))
    transport.download(server.file_url(NAME), str(target), hashes={})
    assert ranges(server) == [None, None]
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("given", ["bytes 0-9/600000", "bytes 1001-9/600000", "items 1-2", ""])
def test_a_range_that_was_not_asked_for_is_not_used(
    server: IndexServer, transport: Transport, target: Path, given: str
) -> None:
    server.fault(
        NAME,
        Fault(cut_after=1000, times=1),
        Fault(status=206, body=b"x" * 10, headers={"Content-Range": given}, times=1),
    )
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).sha256 == SHA256
    assert ranges(server) == [None, "bytes=1000-", None]


def test_a_promise_of_too_many_bytes_is_settled_by_the_server_s_own_size(
    server: IndexServer, transport: Transport, target: Path
) -> None:
    server.fault(NAME, Fault(content_length=len(BODY) + 5, times=1))
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).sha256 == SHA256
    assert [request.status for request in server.requests_for(NAME)] == [200, 416]


def test_the_text_of_a_refused_range_is_not_the_file_s(server: IndexServer, transport: Transport, target: Path) -> None:
    range_of_nothing = {"Content-Range": f"bytes */{len(BODY)}"}
    server.fault(
        NAME,
        Fault(content_length=len(BODY) + 5, times=1),
        Fault(status=416, body=b"no such range", headers=range_of_nothing),
    )
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).size == len(BODY)


def test_a_promise_of_too_few_bytes_is_a_wrong_file(server: IndexServer, transport: Transport, target: Path) -> None:
    server.fault(NAME, Fault(content_length=1000))
    with pytest.raises(HashMismatch):
        transport.download(server.file_url(NAME), str(target), hashes=HASHES)
    assert not target.exists()


# What an earlier attempt left


def test_what_is_there_already_is_not_fetched_again(server: IndexServer, transport: Transport, target: Path) -> None:
    target.write_bytes(BODY[:500_000])
    progress: list[int] = []
    downloaded = transport.download(server.file_url(NAME), str(target), hashes=HASHES, progress=progress.append)
    assert downloaded.sha256 == SHA256
    assert ranges(server) == ["bytes=500000-"]
    assert "if-range" not in server.log[0].headers
    assert sum(progress) == len(BODY)


def test_a_whole_file_needs_no_request(server: IndexServer, target: Path) -> None:
    target.write_bytes(BODY)
    with Transport(TransportOptions(offline=True)) as transport:
        assert transport.download(server.file_url(NAME), str(target), hashes=HASHES).size == len(BODY)
        target.write_bytes(BODY[:-1])
        with pytest.raises(Offline):
            transport.download(server.file_url(NAME), str(target), hashes=HASHES)
    assert server.log == []


@pytest.mark.parametrize("left", [OTHER[:1000], OTHER, OTHER + b"more"], ids=["start", "whole", "longer"])
@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_leftover_that_is_wrong_costs_one_more_try(
    server: IndexServer, transport: Transport, target: Path, left: bytes, size: int | None
) -> None:
    target.write_bytes(left)
    assert transport.download(server.file_url(NAME), str(target), hashes=HASHES, size=size).sha256 == SHA256
    assert target.read_bytes() == BODY
    assert len(server.requests_for(NAME)) <= 2


def test_a_leftover_and_a_wrong_file_end(server: IndexServer, transport: Transport, target: Path) -> None:
    target.write_bytes(BODY[:1000])
    with pytest.raises(HashMismatch):
        transport.download(server.file_url(NAME), str(target), hashes={"sha256": "0" * 64})
    assert ranges(server) == ["bytes=1000-", None]


def test_a_leftover_is_not_trusted_without_a_hash(server: IndexServer, transport: Transport, target: Path) -> None:
    target.write_bytes(OTHER[:1000])
    transport.download(server.file_url(NAME), str(target))
    assert target.read_bytes() == BODY
    assert ranges(server) == [None]


# Refusals, redirects, credentials


def test_a_missing_file_is_told_at_once(
    server: IndexServer, transport: Transport, target: Path, sleeps: list[float]
) -> None:
    with pytest.raises(FetchFailed, match="HTTP 404 Not Found") as caught:
        transport.download(server.url + "/files/absent", str(target), hashes=HASHES)
    assert (caught.value.status, sleeps) == (404, [])
    assert caught.value.hint


def test_a_redirected_file_takes_no_login_along(
    server: IndexServer, transport: Transport, target: Path, tmp_path: Path
) -> None:
    with IndexServer(tmp_path / "wheels") as other:
        server.fault("/here", Fault(redirect=other.file_url(NAME) + "?signature=s3cret"))
        other.fault(NAME, Fault(status=403))
        url = server.url.replace("://", "://me:s3cret@") + "/here"
        with pytest.raises(FetchFailed) as caught:
            transport.download(url, str(target), hashes=HASHES)
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))
        assert "authorization" not in other.log[0].headers
        assert "authorization" in server.log[0].headers


@pytest.mark.parametrize("hashes", [{}, HASHES])
def test_a_file_url_is_copied(transport: Transport, server: IndexServer, target: Path, hashes: dict[str, str]) -> None:
    target.write_bytes(b"left over")
    url = (server.directory / NAME).as_uri()
    progress: list[int] = []
    downloaded = transport.download(url, str(target), hashes=hashes, progress=progress.append)
    assert downloaded == Downloaded(sha256=SHA256, size=len(BODY))
    assert target.read_bytes() == BODY
    assert sum(progress) == len(BODY)
    assert sum(delta for delta in progress if delta > 100) == len(BODY)  # it was copied once


def test_a_file_url_is_checked_and_may_be_missing(transport: Transport, tmp_path: Path, target: Path) -> None:
    (tmp_path / "source").write_bytes(OTHER)
    target.write_bytes(BODY[:1000])
    with pytest.raises(HashMismatch):
        transport.download((tmp_path / "source").as_uri(), str(target), hashes=HASHES)
    assert not target.exists()
    with pytest.raises(FetchFailed, match="No such file"):
        transport.download((tmp_path / "absent").as_uri(), str(target), hashes=HASHES)


def test_a_target_that_cannot_be_written_is_not_the_servers_fault(
    transport: Transport, server: IndexServer, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        transport.download(server.file_url(NAME), str(tmp_path / "absent" / "target"))


# Calling it off


def test_calling_it_off_keeps_what_came(server: IndexServer, transport: Transport, target: Path) -> None:
    cancelled = threading.Event()
    with pytest.raises(Cancelled):
        transport.download(
            server.file_url(NAME), str(target), hashes=HASHES, progress=lambda _: cancelled.set(), cancelled=cancelled
        )
    kept = target.read_bytes()
    assert 0 < len(kept) < len(BODY)
    assert BODY.startswith(kept)


def test_an_interrupt_ends_a_silent_download_when_called_off(server: IndexServer, target: Path) -> None:
    server.fault(NAME, Fault(stall_after=1000))
    cancelled, arrived = threading.Event(), threading.Event()
    with Transport(TransportOptions(timeout=30, retries=0)) as transport:

        def interrupt() -> None:
            arrived.wait(5)
            cancelled.set()
            transport.interrupt()

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(Cancelled):
            transport.download(
                server.file_url(NAME), str(target), progress=lambda _: arrived.set(), cancelled=cancelled
            )
        thread.join()


def test_files_of_others_are_not_opened_to_them(server: IndexServer, transport: Transport, target: Path) -> None:
    transport.download(server.file_url(NAME), str(target))
    if os.name == "posix":
        assert target.stat().st_mode & 0o077 == 0
