"""What goes wrong between an index and the store costs an error line, and nothing on disk."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.locks import write_lock
from support.markets import SIZE, VICTIM, Market, open_market
from support.servers import Answer, Fault, IndexServer
from support.simple_pages import HTML_TYPE, JSON_TYPE
from support.wheels import make_wheel, sha256_of

from wheelstore.materialize.interpreter import Interpreter


@pytest.fixture
def market(python: Interpreter, environ: dict[str, str], tmp_path: Path) -> Iterator[Market]:
    (tmp_path / "wheels").mkdir()
    with IndexServer(tmp_path / "wheels") as server:
        yield open_market(tmp_path, server, python=python.executable, environ=environ)


@dataclass(frozen=True, slots=True)
class Case:
    """What the server does with requests for one name, and what the error line has to say."""

    name: str
    fault: Fault
    says: tuple[str, ...]


PAGE = "victim"
PARTS = SIZE // 3
FAILING = {
    # The file
    "another file": Case(VICTIM, Fault(body=b"something else"), ("expected sha256:", "got sha256:")),
    "another file of the same size": Case(VICTIM, Fault(body=bytes(SIZE)), ("expected sha256:",)),
    "a shorter file": Case(VICTIM, Fault(truncate_to=1000), ("expected sha256:",)),
    "an empty file": Case(VICTIM, Fault(body=b""), ("expected sha256:",)),
    "HTML as a file": Case(VICTIM, Fault(body=b"<html>Sorry</html>", content_type=HTML_TYPE), ("expected sha256:",)),
    "cut at once": Case(VICTIM, Fault(cut_after=0), ("closed",)),
    "cut by a reset": Case(VICTIM, Fault(cut_after=0, reset=True), (VICTIM,)),
    "no answer": Case(VICTIM, Fault(drop=True), (VICTIM,)),
    "silence before the file": Case(VICTIM, Fault(stall_after=0), ("0.4 s",)),
    "forbidden": Case(VICTIM, Fault(status=403), ("HTTP 403 Forbidden",)),
    "not found": Case(VICTIM, Fault(status=404), ("HTTP 404 Not Found",)),
    "gone": Case(VICTIM, Fault(status=410), ("HTTP 410 Gone",)),
    "too many requests": Case(VICTIM, Fault(status=429, headers={"Retry-After": "0"}), ("HTTP 429", "after 2 tries")),
    "server error": Case(VICTIM, Fault(status=500), ("HTTP 500", "after 2 tries")),
    "unavailable": Case(VICTIM, Fault(status=503), ("HTTP 503", "after 2 tries")),
    "redirects without end": Case(VICTIM, Fault(redirect=f"/files/{VICTIM}"), ("redirects",)),
    "redirect to a file": Case(VICTIM, Fault(redirect="file:///etc/passwd"), (VICTIM,)),
    "redirect to nowhere": Case(VICTIM, Fault(redirect="http://127.0.0.1:9/x.whl"), ("127.0.0.1",)),
    # The index's page
    "no page": Case(PAGE, Fault(status=404), ("lock.txt:5", "victim==1.0", "no such project")),
    "page with server error": Case(PAGE, Fault(status=500), ("/simple/victim/", "HTTP 500")),
    "page with a bad gateway in HTML": Case(
        PAGE, Fault(status=502, body=b"<html>Bad gateway</html>", content_type=HTML_TYPE), ("HTTP 502",)
    ),
    "page unauthorized": Case(PAGE, Fault(status=401), ("HTTP 401",)),
    "silence instead of a page": Case(PAGE, Fault(stall_after=0), ("/simple/victim/", "0.4 s")),
    "no answer instead of a page": Case(PAGE, Fault(drop=True), ("/simple/victim/",)),
    "an apology as a page": Case(PAGE, Fault(body=b"<html>Sorry</html>", content_type=HTML_TYPE), ("victim",)),
    "an empty page": Case(PAGE, Fault(body=b"", content_type=JSON_TYPE), ("/simple/victim/",)),
    "half a page": Case(PAGE, Fault(truncate_to=60), ("/simple/victim/",)),
    "page cut": Case(PAGE, Fault(cut_after=60), ("/simple/victim/", "closed")),
    "page of bytes": Case(PAGE, Fault(body=bytes(range(256)), content_type=JSON_TYPE), ("/simple/victim/",)),
    "page of a list": Case(PAGE, Fault(body=b"[]", content_type=JSON_TYPE), ("/simple/victim/",)),
    "page of a future version": Case(
        PAGE,
        Fault(body=b'{"meta": {"api-version": "2.0"}, "name": "victim", "files": []}', content_type=JSON_TYPE),
        ("/simple/victim/", "2.0"),
    ),
    "page with a false Content-Encoding": Case(PAGE, Fault(headers={"Content-Encoding": "gzip"}), ("gzip",)),
}


@pytest.mark.parametrize("case", FAILING.values(), ids=FAILING)
def test_a_failure_is_one_line_and_changes_nothing(case: Case, market: Market) -> None:
    market.variables["STORE_HTTP_TIMEOUT"] = "0.4"
    market.server.fault(case.name, case.fault)
    ran = market.assert_refused()
    (error,) = ran.errors
    assert all(words in error for words in case.says), error
    assert len(ran.hints) <= 1
    market.server.fault(case.name)
    market.assert_done(packages=5)


RECOVERING = {
    "dies once in the middle": (VICTIM, [Fault(cut_after=PARTS, times=1)]),
    "dies again and again, but further on": (VICTIM, [Fault(cut_after=SIZE // 8, times=6)]),
    "reset once in the middle": (VICTIM, [Fault(cut_after=PARTS, reset=True, times=1)]),
    "falls silent once in the middle": (VICTIM, [Fault(stall_after=PARTS, times=1)]),
    "unavailable once": (VICTIM, [Fault(status=503, times=1)]),
    "too many requests once": (VICTIM, [Fault(status=429, headers={"Retry-After": "0"}, times=1)]),
    "no answer once": (VICTIM, [Fault(drop=True, times=1)]),
    "slow, but never silent for long": (VICTIM, [Fault(bytes_per_second=SIZE)]),
    "a length that is a lie": (VICTIM, [Fault(content_length=10**9)]),
    "a redirect": (VICTIM, [Fault(redirect=f"/files/{VICTIM}?again", times=1)]),
    "page unavailable once": (PAGE, [Fault(status=503, times=1)]),
    "page cut once": (PAGE, [Fault(cut_after=60, times=1)]),
    "page slow": (PAGE, [Fault(bytes_per_second=1000)]),
    "page of another type": (PAGE, [Fault(content_type="application/octet-stream")]),
}


@pytest.mark.parametrize(("name", "faults"), RECOVERING.values(), ids=RECOVERING)
def test_what_passes_is_waited_for(name: str, faults: list[Fault], market: Market) -> None:
    market.variables["STORE_HTTP_TIMEOUT"] = "0.4"
    market.server.fault(name, *faults)
    ran = market.assert_done(packages=5)
    assert ran.warnings == []
    first, *rest = [request for request in market.server.requests_for(VICTIM) if request.status in (200, 206)]
    assert first.range is None
    assert all(request.range != "bytes=0-" for request in rest)
    total = sum(request.sent for request in (first, *rest))
    size = (market.wheels / VICTIM).stat().st_size
    assert size <= total < size * 1.5 if any(fault.reset for fault in faults) else total == size


def test_a_failed_download_is_gone_on_with_by_the_next_command(market: Market) -> None:
    market.server.fault(VICTIM, Fault(cut_after=PARTS, times=1), Fault(status=500))
    market.assert_refused()
    market.server.log.clear()
    market.server.fault(VICTIM)
    market.assert_done(packages=5)
    size = (market.wheels / VICTIM).stat().st_size
    (request,) = [request for request in market.server.log if request.path.startswith("/files/")]
    assert (request.name, request.range, request.sent) == (VICTIM, f"bytes={PARTS}-", size - PARTS)


def test_every_failed_wheel_has_its_line(market: Market) -> None:
    for number in (1, 2):
        market.server.fault(f"good{number}-1.0-py3-none-any.whl", Fault(body=b"x"))
    market.server.fault(VICTIM, Fault(status=404))
    ran = market.assert_refused()
    assert 1 <= len(ran.errors) <= 3
    assert all("/files/" in error for error in ran.errors)


def test_a_page_that_lies_about_a_hash(market: Market) -> None:
    market.server.lie_about(VICTIM)
    ran = market.assert_refused()
    (error,) = ran.errors
    assert "lock.txt:5: victim==1.0: no file in" in error
    assert VICTIM in error
    assert market.server.requests_for(VICTIM) == []
    del market.server.pages.claimed_sha256[VICTIM]
    market.assert_done(packages=5)


def test_a_page_without_hashes(market: Market) -> None:
    """The lock has them: that is enough, and what does not fit is refused."""
    market.server.lie_about(VICTIM, None)
    market.server.fault(VICTIM, Fault(body=b"evil"))
    ran = market.assert_refused()
    (error,) = ran.errors
    assert "expected sha256:" in error
    market.server.fault(VICTIM)
    market.assert_done(packages=5)


def test_a_lock_with_a_wrong_hash(market: Market) -> None:
    wheels = [market.wheels / name for name in ("good1-1.0-py3-none-any.whl", VICTIM)]
    lock = write_lock(market.store.root / "wrong.txt", wheels, sha256={VICTIM: "1" * 64})
    before = market.lock.read_bytes()
    ran = market.assert_refused(lock=lock)
    (error,) = ran.errors
    assert "wrong.txt:2: victim==1.0: no file in" in error
    lock.write_bytes(before)
    market.assert_done(lock=lock, packages=5)


def test_an_index_that_moves_its_files(market: Market) -> None:
    """What an earlier command learned of a file's address is no longer so."""
    market.server.fault(VICTIM, Fault(status=404))
    market.assert_refused()
    market.server.fault(VICTIM)
    market.server.fault(f"/files/{VICTIM}", Fault(status=404))
    market.server.documents[f"/moved/{VICTIM}"] = Answer(body=market.wheels / VICTIM)
    market.server.pages.files_url = "../../moved/"
    market.assert_done(packages=5)


def test_credentials_do_not_follow_a_redirect_to_another_host(market: Market, tmp_path: Path) -> None:
    """They go to the index that they are for, and nothing else: neither along the redirect, nor into a message."""
    market.server.credentials = ("me", "secret")
    url = market.server.index_url.replace("//", "//me:secret@")
    options = ("--index-url", url)
    with IndexServer(market.wheels) as other:
        market.server.fault(VICTIM, Fault(redirect=other.url_as("localhost") + f"/files/{VICTIM}"))
        other.credentials = ("somebody", "else")
        ran = market.assert_refused(*options)
        assert "HTTP 401" in ran.errors[0]
        other.credentials = None
        market.assert_done(*options, packages=5)
        assert other.requests_for(VICTIM)
        assert not any("authorization" in request.headers for request in other.log)
    assert all("authorization" in request.headers for request in market.server.log)
    assert "secret" not in ran.stderr
    for path in (*market.store.store.rglob("*"), *market.existing.rglob("*")):
        if path.is_file():
            assert b"secret" not in path.read_bytes(), path


def test_offline_works_warm_and_says_what_is_missing_cold(market: Market) -> None:
    ran = market.assert_refused("--offline")
    missing = ["good1", "good2", "good3", "victim"]
    assert len(ran.errors) == len(missing)
    for name, error in zip(missing, ran.errors, strict=True):
        assert f"{name}==1.0" in error
        assert "offline" in error
    assert ran.hints == ["run once without --offline"]
    assert market.server.log == []
    market.assert_done(packages=5)
    market.server.log.clear()
    market.assert_done("--offline", packages=5)
    ran = market.store.sync(market.lock, venv=market.store.root / "third", options=("--offline",))
    assert ran.status == 0
    assert market.server.log == []


def test_offline_names_the_wheels_where_they_were_seen_before(market: Market) -> None:
    market.server.fault(VICTIM, Fault(status=500))
    market.assert_refused()
    ran = market.assert_refused("--offline")
    assert any(VICTIM in error for error in ran.errors)


def test_a_lock_for_another_python(market: Market, python: Interpreter) -> None:
    other = make_wheel(market.wheels, "compiled", tag="cp37-cp37m-manylinux1_x86_64")
    lock = write_lock(market.store.root / "other.txt", [market.wheels / VICTIM, other])
    ran = market.assert_refused(lock=lock)
    (error,) = ran.errors
    assert "other.txt:2: compiled==1.0" in error
    assert other.name in error
    minor = python.version.split(".")[1]
    assert f"cp3{minor}-cp3{minor}-" in error
    assert "--python" in ran.hints[0]
    fit = make_wheel(market.wheels, "compiled", tag=f"cp3{minor}-cp3{minor}-linux_x86_64")
    with lock.open("a") as stream:
        stream.write(f"compiled==1.0 --hash=sha256:{sha256_of(fit)}\n")
    market.assert_done(lock=lock, packages=2)


def test_a_wheel_that_requires_another_python(market: Market, python: Interpreter) -> None:
    wheel = make_wheel(market.wheels, "tomorrow", requires_python=">=3.99")
    ran = market.assert_refused(lock=write_lock(market.store.root / "tomorrow.txt", [wheel]))
    (error,) = ran.errors
    assert "tomorrow==1.0: it requires Python >=3.99" in error
    assert python.version in error


def test_a_project_without_wheels(market: Market) -> None:
    sdist = market.wheels / "source-1.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as tar:
        info = tarfile.TarInfo("source-1.0/PKG-INFO")
        body = b"Metadata-Version: 2.1\nName: source\nVersion: 1.0\n"
        info.size = len(body)
        tar.addfile(info, io.BytesIO(body))
    lock = market.store.root / "source.txt"
    lock.write_text(f"source==1.0 --hash=sha256:{sha256_of(sdist)}\n")
    ran = market.assert_refused(lock=lock)
    (error,) = ran.errors
    assert "source==1.0: source-1.0.tar.gz needs building" in error
    assert "wheel" in ran.hints[0]


def test_a_yanked_wheel_that_is_pinned_is_installed_with_a_warning(market: Market) -> None:
    market.server.yank(VICTIM, "breaks\non \x1b[31mMondays")
    ran = market.assert_done(packages=5)
    assert ran.warnings == ["victim==1.0 is yanked (breaks on  [31mMondays)"]


def test_pages_in_html_only(market: Market) -> None:
    market.server.html_only = True
    market.assert_done(packages=5)
