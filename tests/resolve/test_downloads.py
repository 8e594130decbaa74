"""Many files at once, and what the others do when one goes wrong."""

import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from support.servers import Fault, IndexServer

from wheelstore.resolve.downloads import Downloads, Job
from wheelstore.resolve.fetch_errors import FetchErrors
from wheelstore.resolve.transport import Cancelled, FetchFailed, Transport, TransportOptions

NAMES = [f"p{number}-1.0-py3-none-any.whl" for number in range(20)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "targets").mkdir()
    for name in NAMES:
        (tmp_path / "wheels" / name).write_bytes(name.encode() * 1000)
    with IndexServer(tmp_path / "wheels") as server:
        yield server


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(TransportOptions(timeout=30, retries=1), sleep=lambda _: None) as transport:
        yield transport


@pytest.fixture
def jobs(server: IndexServer, tmp_path: Path) -> list[Job[str]]:
    return [
        Job(
            key=name,
            url=server.file_url(name),
            target=str(tmp_path / "targets" / name),
            hashes={"sha256": hashlib.sha256(name.encode() * 1000).hexdigest()},
        )
        for name in NAMES
    ]


def test_every_file_arrives_under_its_key(
    server: IndexServer, transport: Transport, jobs: list[Job[str]], tmp_path: Path
) -> None:
    progress: list[int] = []
    with Downloads(transport, jobs, threads=4, progress=progress.append) as downloads:
        arrived = dict(downloads)
    assert sorted(arrived) == sorted(NAMES)
    for job in jobs:
        assert arrived[job.key].sha256 == job.hashes["sha256"]
        assert Path(job.target).read_bytes() == job.key.encode() * 1000
    assert sum(progress) == sum(downloaded.size for downloaded in arrived.values())
    assert server.connections <= 4


def test_no_jobs_are_no_work(transport: Transport) -> None:
    with Downloads(transport, list[Job[str]]()) as downloads:
        assert list(downloads) == []


def test_files_are_handed_over_while_others_are_underway(
    server: IndexServer, transport: Transport, jobs: list[Job[str]]
) -> None:
    server.fault(NAMES[0], Fault(stall_after=10))
    with Downloads(transport, jobs, threads=2) as downloads:
        arrived = [key for key, _ in islice(downloads, len(NAMES) - 1)]
    assert sorted(arrived) == sorted(NAMES[1:])


def test_after_a_failure_nothing_starts_and_everything_underway_arrives(
    server: IndexServer, transport: Transport, jobs: list[Job[str]]
) -> None:
    server.fault(NAMES[1], Fault(status=404))
    server.fault(NAMES[0], Fault(bytes_per_second=500_000))
    with Downloads(transport, jobs[:2] + jobs[4:5], threads=2) as downloads:
        arriving = iter(downloads)
        assert next(arriving)[0] == NAMES[0]
        with pytest.raises(FetchErrors) as caught:
            next(arriving)
    (error,) = caught.value.errors
    assert isinstance(error, FetchFailed)
    assert error.status == 404
    assert str(caught.value) == str(error)
    assert caught.value.hint == error.hint
    assert server.requests_for(NAMES[4]) == []


def test_all_failures_are_told(server: IndexServer, transport: Transport, jobs: list[Job[str]]) -> None:
    for name in NAMES[:3]:
        server.fault(name, Fault(status=404))
    with Downloads(transport, jobs[:3], threads=3) as downloads, pytest.raises(FetchErrors) as caught:
        list(downloads)
    assert 1 <= len(caught.value.errors) <= 3
    assert str(FetchErrors([FetchFailed("http://h/x", "gone")] * 3)) == "http://h/x: gone (and 2 more)"


def test_a_full_or_missing_disk_is_no_fetch_error(transport: Transport, jobs: list[Job[str]], tmp_path: Path) -> None:
    job = Job(key="x", url=jobs[0].url, target=str(tmp_path / "absent" / "x"))
    with Downloads(transport, [job]) as downloads, pytest.raises(FileNotFoundError):
        list(downloads)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_leaving_early_does_not_wait_for_a_silent_server(
    server: IndexServer, transport: Transport, jobs: list[Job[str]], error: type[BaseException]
) -> None:
    for name in NAMES[1:]:
        server.fault(name, Fault(stall_after=10))

    def consume() -> None:
        with Downloads(transport, jobs, threads=8) as downloads:
            for _ in downloads:
                times.append(time.monotonic())
                raise error

    times: list[float] = []
    with pytest.raises(error):
        consume()
    assert time.monotonic() - times[0] < 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("download-")]


def test_it_can_be_called_off_from_outside(server: IndexServer, transport: Transport, jobs: list[Job[str]]) -> None:
    server.fault(NAMES[0], Fault(bytes_per_second=100_000))
    cancelled = threading.Event()
    with (
        Downloads(transport, jobs[:1], progress=lambda _: cancelled.set(), cancelled=cancelled) as downloads,
        pytest.raises(FetchErrors) as caught,
    ):
        list(downloads)
    assert isinstance(caught.value.errors[0], Cancelled)


def test_a_file_that_is_not_there_may_be_elsewhere(
    server: IndexServer, transport: Transport, jobs: list[Job[str]]
) -> None:
    job = jobs[0]
    for status in (403, 404, 410):
        server.fault(job.key, Fault(status=status, times=1))
        moved = replace(job, moved=lambda: server.file_url(job.key) + "?signed")
        with Downloads(transport, [moved]) as downloads:
            assert [key for key, _ in downloads] == [job.key]
        Path(job.target).unlink()


@pytest.mark.parametrize("answer", [None, "the same"])
def test_a_file_that_is_nowhere_else_is_missing(
    server: IndexServer, transport: Transport, jobs: list[Job[str]], answer: str | None
) -> None:
    job = jobs[0]
    server.fault(job.key, Fault(status=404))
    moved = replace(job, moved=lambda: job.url if answer else None)
    with Downloads(transport, [moved]) as downloads, pytest.raises(FetchErrors, match="404"):
        list(downloads)
    assert len(server.requests_for(job.key)) == 1
