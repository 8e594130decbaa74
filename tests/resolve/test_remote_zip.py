"""METADATA out of wheels on a server on loopback, by range requests, and what else the server may answer."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.archives import FILE, STORED, RawArchive
from support.servers import Fault, IndexServer
from support.wheels import make_wheel

from wheelstore.resolve.fetch_errors import FetchFailed
from wheelstore.resolve.remote_zip import Ability, RemoteZips
from wheelstore.resolve.transport import Transport, TransportOptions
from wheelstore.resolve.zip_member import MAX_MEMBER, TAIL, BadZip, Bytes, TooLarge, is_wheel_metadata, read_member

METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
MEMBER = "demo-1.0.dist-info/METADATA"
FILENAME = "demo-1.0-py3-none-any.whl"
LARGE = {"demo/data": random.Random(1).randbytes(300_000)}
SUFFIX = f"bytes=-{TAIL}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    (tmp_path / "wheels").mkdir()
    with IndexServer(tmp_path / "wheels") as server:
        yield server


@pytest.fixture
def zips() -> Iterator[RemoteZips]:
    with Transport(TransportOptions(retries=1), sleep=lambda _: None) as transport:
        yield RemoteZips(transport)


def wheel(server: IndexServer, **options: object) -> tuple[str, int]:
    """Serve a wheel: its URL and size."""
    path = make_wheel(server.directory, files=LARGE, **options)  # type: ignore[arg-type]
    return server.file_url(path.name), path.stat().st_size


def asked(server: IndexServer) -> list[str | None]:
    return [request.range for request in server.log]


def test_one_request_reads_an_ordinary_wheel(server: IndexServer, zips: RemoteZips) -> None:
    url, _ = wheel(server)
    assert zips.metadata(url) == METADATA
    assert asked(server) == [SUFFIX]
    assert sum(request.sent for request in server.log) == TAIL


def test_a_small_wheel_is_in_its_tail(server: IndexServer, zips: RemoteZips) -> None:
    path = make_wheel(server.directory)
    assert zips.metadata(server.file_url(path.name)) == METADATA
    assert asked(server) == [SUFFIX]


def at_the_start(archive: RawArchive) -> None:
    archive.entries.sort(key=lambda entry: entry.name != MEMBER)


def many_entries(archive: RawArchive) -> None:
    for number in range(1000):
        archive.add(f"demo/{number:080}", mode=FILE)


def zip64(archive: RawArchive) -> None:
    archive.zip64 = True
    for entry in archive.entries:
        entry.zip64 = True


def stored(archive: RawArchive) -> None:
    for entry in archive.entries:
        entry.method = STORED


def large_local_extra(archive: RawArchive) -> None:
    at_the_start(archive)
    archive[MEMBER].local["extra"] = b"\xca\xfe\x00\x10" + bytes(0x1000)


@pytest.mark.parametrize(
    ("change", "requests"),
    [(at_the_start, 2), (many_entries, 3), (zip64, 1), (stored, 1), (large_local_extra, 3)],
)
def test_wheels_of_every_shape_are_read(
    change: Callable[[RawArchive], None], requests: int, server: IndexServer, zips: RemoteZips
) -> None:
    url, _ = wheel(server, archive=change)
    assert zips.metadata(url) == METADATA
    assert len(server.log) == requests
    assert {request.status for request in server.log} == {206}


@pytest.mark.parametrize("status", [400, 405, 416, 501])
def test_a_host_that_refuses_suffixes_is_asked_for_ranges(status: int, server: IndexServer, zips: RemoteZips) -> None:
    url, size = wheel(server)
    server.fault(FILENAME, Fault(status=status, times=1))
    assert zips.metadata(url, size=size) == METADATA
    assert asked(server) == [SUFFIX, f"bytes={size - TAIL}-{size - 1}"]
    assert zips.metadata(url) == METADATA
    assert asked(server)[2:] == ["bytes=0-0", f"bytes={size - TAIL}-{size - 1}"]
    assert zips.ability(url) is Ability.RANGES


def test_a_suffix_that_is_taken_for_a_beginning_tells_the_size(server: IndexServer, zips: RemoteZips) -> None:
    url, size = wheel(server)
    headers = {"Content-Range": f"bytes 0-{TAIL}/{size}"}
    server.fault(FILENAME, Fault(status=206, body=bytes(TAIL + 1), headers=headers, times=1))
    assert zips.metadata(url) == METADATA
    assert asked(server) == [SUFFIX, f"bytes={size - TAIL}-{size - 1}"]


def test_a_host_that_sends_whole_files_is_not_asked_again(server: IndexServer, zips: RemoteZips) -> None:
    url, size = wheel(server)
    server.ranges = False
    assert zips.metadata(url, size=size) is None
    assert zips.metadata(url, size=size) is None
    assert asked(server) == [SUFFIX]
    assert zips.ability(url) is Ability.WHOLE
    assert zips.ability(url.replace("127.0.0.1", "localhost")) is Ability.SUFFIXES


def test_a_host_that_claims_ranges_is_asked_for_another_form(server: IndexServer, zips: RemoteZips) -> None:
    url, size = wheel(server)
    server.ranges = False
    server.fault(FILENAME, Fault(headers={"Accept-Ranges": "bytes"}))
    assert zips.metadata(url, size=size) is None
    assert asked(server) == [SUFFIX, f"bytes={size - TAIL}-{size - 1}"]
    assert zips.ability(url) is Ability.WHOLE


@pytest.mark.parametrize("said", [{}, {"Content-Range": "bytes 5-9/*"}, {"Content-Range": "bits 1-2/3"}])
def test_a_part_of_nobody_knows_what_is_not_used(said: dict[str, str], server: IndexServer, zips: RemoteZips) -> None:
    url, _ = wheel(server)
    server.fault(FILENAME, Fault(status=206, body=b"12345", headers=said))
    assert zips.metadata(url) is None
    assert zips.ability(url) is Ability.WHOLE


def test_a_wrong_size_in_the_index_does_no_harm(server: IndexServer, zips: RemoteZips) -> None:
    url, size = wheel(server)
    server.fault(FILENAME, Fault(status=501, times=1))
    for wrong in (size // 2, size * 2):
        assert zips.metadata(url, size=wrong) is None
        assert zips.ability(url) is Ability.RANGES


def test_an_answer_that_breaks_off_is_asked_for_again(server: IndexServer, zips: RemoteZips) -> None:
    url, _ = wheel(server)
    server.fault(FILENAME, Fault(cut_after=100, times=1))
    assert zips.metadata(url) == METADATA
    server.fault(FILENAME, Fault(cut_after=100))
    with pytest.raises(FetchFailed, match="closed after 100 of 32768 bytes"):
        zips.metadata(url)


def test_a_refusal_is_an_error(server: IndexServer, zips: RemoteZips) -> None:
    url, _ = wheel(server)
    with pytest.raises(FetchFailed) as caught:
        zips.metadata(url + "x")
    assert caught.value.status == 404


def test_a_redirect_is_followed(server: IndexServer, zips: RemoteZips) -> None:
    url, _ = wheel(server)
    server.fault("moved.whl", Fault(redirect=url))
    assert zips.metadata(server.file_url("moved.whl")) == METADATA


def test_what_is_no_wheel_is_left_to_those_who_see_it_whole(server: IndexServer, zips: RemoteZips) -> None:
    (server.directory / FILENAME).write_bytes(b"<html>" * 10_000)
    assert zips.metadata(server.file_url(FILENAME)) is None


def test_absurd_metadata_is_refused(server: IndexServer, zips: RemoteZips) -> None:
    def swell(archive: RawArchive) -> None:
        archive[MEMBER].central["size"] = MAX_MEMBER + 1

    url, _ = wheel(server, archive=swell)
    with pytest.raises(TooLarge, match=r"METADATA has 16777217 bytes"):
        zips.metadata(url)


def archive_with(change: Callable[[RawArchive], object]) -> bytes:
    archive = RawArchive()
    archive.add("demo/__init__.py", b"")
    archive.add(MEMBER, METADATA)
    change(archive)
    return archive.to_bytes()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda archive: archive.add("other-1.0.dist-info/METADATA", b""), "it has 2 of"),
        (lambda archive: archive[MEMBER].central.update(crc=1), "is not what the central directory says"),
        (lambda archive: archive[MEMBER].central.update(size=5), "is not what the central directory says"),
        (lambda archive: archive[MEMBER].central.update(flags=1), "packed in a way"),
        (lambda archive: archive[MEMBER].central.update(method=12), "packed in a way"),
        (lambda archive: archive[MEMBER].central.update(offset=5), "is not where"),
        (lambda archive: archive[MEMBER].central.update(offset=10**6), "is outside of it"),
        (lambda archive: setattr(archive[MEMBER], "payload", b"\xff" * 20), "cannot be unpacked"),
        (lambda archive: archive.end.update(offset=10**6), "its central directory is outside of it"),
        (lambda archive: archive.end.update(offset=0), "its central directory is broken"),
        (lambda archive: setattr(archive, "suffix", bytes(TAIL)), "it is no zip archive"),
    ],
)
def test_a_broken_archive_is_refused(change: Callable[[RawArchive], object], reason: str) -> None:
    with pytest.raises(BadZip, match=reason):
        read_member(Bytes(archive_with(change)), is_wheel_metadata)


def test_only_the_wheels_own_metadata_counts() -> None:
    vendored = archive_with(lambda archive: archive.add("demo/_vendor/x-1.dist-info/METADATA", b"no"))
    assert read_member(Bytes(vendored), is_wheel_metadata) == METADATA
    assert read_member(Bytes(RawArchive().to_bytes()), is_wheel_metadata) is None


def test_no_truncated_archive_is_more_than_refused() -> None:
    whole = archive_with(zip64)
    for end in range(len(whole)):
        with pytest.raises(BadZip):
            read_member(Bytes(whole[:end]), is_wheel_metadata)


def test_no_wrong_byte_is_more_than_refused() -> None:
    whole = archive_with(zip64)
    for at in range(len(whole)):
        for wrong in (b"\0", b"\x7f", b"\xff"):
            try:
                read = read_member(Bytes(whole[:at] + wrong + whole[at + 1 :]), is_wheel_metadata)
            except BadZip:
                continue
            assert read in (METADATA, None)
