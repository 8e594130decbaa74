from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wheelstore.resolve import page_cache
from wheelstore.resolve.facts import Facts
from wheelstore.resolve.fetch_errors import FetchFailed
from wheelstore.resolve.page_cache import PageCache, UnknownOffline
from wheelstore.resolve.pages import digest_by_version
from wheelstore.resolve.simple import BadPage, IndexFile

URL = "https://host/simple/demo/"


@dataclass
class FakeReply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    url: str = URL


@dataclass
class FakeSource:
    """Answers every request with `reply`, and remembers them."""

    reply: FakeReply
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def get(self, url: str, *, accept: str, headers: Mapping[str, str]) -> FakeReply:
        self.asked.append((url, dict(headers)))
        return self.reply


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def page(version: str = "1.0", **headers: str) -> FakeReply:
    name = f"demo-{version}-py3-none-any.whl"
    body = f'<a href="/files/{name}#sha256={"a" * 64}">{name}</a>'.encode()
    return FakeReply(
        body=body, headers={"Content-Type": "text/html"} | {k.replace("_", "-"): v for k, v in headers.items()}
    )


@pytest.fixture
def facts(tmp_path: Path) -> Iterator[Facts]:
    with Facts(tmp_path / "resolve.sqlite3") as facts:
        yield facts


@pytest.fixture
def clock() -> Clock:
    return Clock()


def digest(files: Iterable[IndexFile]) -> bytes:
    return digest_by_version(files, "demo")


def look_up(
    source: FakeSource, facts: Facts, clock: Clock, *, offline: bool = False, refresh: bool = False, url: str = URL
) -> tuple[str, ...] | None:
    """What one run finds: the versions on the page."""
    cache = PageCache(source, facts, now=clock, offline=offline, refresh=refresh)
    try:
        found = cache.page(url, digest, project="demo")
    finally:
        cache.flush()
    return found.keys if found is not None else None


def test_one_run_asks_once(facts: Facts, clock: Clock) -> None:
    source = FakeSource(page())
    cache = PageCache(source, facts, now=clock, offline=False, refresh=False)
    assert cache.page(URL, digest) is cache.page(URL, digest) is not None
    assert len(source.asked) == 1


def test_a_fresh_page_is_not_asked_for(facts: Facts, clock: Clock) -> None:
    source = FakeSource(page(cache_control="max-age=60"))
    look_up(source, facts, clock)
    clock.now += 59
    assert look_up(source, facts, clock) == ("1",)
    assert len(source.asked) == 1
    clock.now += 1
    look_up(source, facts, clock)
    assert len(source.asked) == 2


def test_refresh_asks_although_the_page_is_fresh(facts: Facts, clock: Clock) -> None:
    source = FakeSource(page(cache_control="max-age=60"))
    look_up(source, facts, clock)
    source.reply = page("2.0")
    assert look_up(source, facts, clock, refresh=True) == ("2",)


def test_a_stale_page_is_asked_for_by_its_etag_and_date(facts: Facts, clock: Clock) -> None:
    source = FakeSource(page(etag='"one"', last_modified="yesterday", cache_control="max-age=1"))
    look_up(source, facts, clock)
    clock.now += 5
    source.reply = FakeReply(status=304, headers={"cache-control": "max-age=100"})
    assert look_up(source, facts, clock) == ("1",)
    assert source.asked[1] == (URL, {"If-None-Match": '"one"', "If-Modified-Since": "yesterday"})
    clock.now += 99
    look_up(source, facts, clock)
    assert len(source.asked) == 2


def test_a_page_without_cache_headers_is_asked_for_again_and_parsed_once(
    facts: Facts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FakeSource(page())
    look_up(source, facts, clock)
    monkeypatch.setattr(page_cache, "parse_page", None)
    assert look_up(source, facts, clock) == ("1",)
    assert [headers for _, headers in source.asked] == [{}, {}]


def test_a_changed_page_replaces_the_old_one(facts: Facts, clock: Clock) -> None:
    source = FakeSource(page())
    look_up(source, facts, clock)
    source.reply = page("2.0")
    assert look_up(source, facts, clock) == ("2",)
    assert look_up(source, facts, clock, offline=True) == ("2",)


def test_a_missing_page_is_remembered_as_long_as_its_headers_say_but_not_long(facts: Facts, clock: Clock) -> None:
    source = FakeSource(FakeReply(status=404, headers={"cache-control": "max-age=86400"}))
    assert look_up(source, facts, clock) is None
    source.reply = page()
    clock.now += 599
    assert look_up(source, facts, clock) is None
    clock.now += 1
    assert look_up(source, facts, clock) == ("1",)


def test_a_missing_page_without_headers_is_asked_for_again(facts: Facts, clock: Clock) -> None:
    source = FakeSource(FakeReply(status=410))
    assert look_up(source, facts, clock) is None
    source.reply = page()
    assert look_up(source, facts, clock) == ("1",)


def test_a_page_that_goes_missing_is_forgotten(facts: Facts, clock: Clock) -> None:
    source = FakeSource(page(etag='"x"'))
    look_up(source, facts, clock)
    source.reply = FakeReply(status=404)
    assert look_up(source, facts, clock) is None
    look_up(source, facts, clock)
    assert source.asked[2] == (URL, {})


def test_offline_uses_what_is_remembered_however_old(facts: Facts, clock: Clock) -> None:
    source = FakeSource(page(cache_control="max-age=1"))
    look_up(source, facts, clock)
    look_up(FakeSource(FakeReply(status=404)), facts, clock, url=URL + "gone/")
    clock.now += 10**9
    assert look_up(source, facts, clock, offline=True) == ("1",)
    assert look_up(source, facts, clock, offline=True, url=URL + "gone/") is None
    assert len(source.asked) == 1
    with pytest.raises(UnknownOffline) as caught:
        look_up(source, facts, clock, offline=True, url=URL + "never-seen/")
    assert str(caught.value) == f"{URL}never-seen/ is not remembered, and this run is offline"


def test_local_pages_are_read_also_offline_and_always_anew(facts: Facts, clock: Clock) -> None:
    source = FakeSource(page(cache_control="max-age=60"))
    url = "file:///index/demo/"
    assert look_up(source, facts, clock, offline=True, url=url) == ("1",)
    source.reply = page("2.0")
    assert look_up(source, facts, clock, url=url) == ("2",)


def test_a_digest_of_an_older_program_is_read_anew(facts: Facts, clock: Clock) -> None:
    source = FakeSource(page(cache_control="max-age=60", etag='"x"'))
    look_up(source, facts, clock)
    cached = facts.page(URL)
    assert cached is not None
    facts.remember_page(URL, cached._replace(digest=b"[0,"))
    assert look_up(source, facts, clock) == ("1",)
    assert source.asked[1] == (URL, {})
    facts.remember_page(URL, cached._replace(digest=b"[0,"))
    with pytest.raises(UnknownOffline):
        look_up(source, facts, clock, offline=True)


@pytest.mark.parametrize("reply", [FakeReply(status=403), FakeReply(status=304)])
def test_any_other_answer_is_a_failure(facts: Facts, clock: Clock, reply: FakeReply) -> None:
    with pytest.raises(FetchFailed, match=str(reply.status)) as caught:
        look_up(FakeSource(reply), facts, clock, url="https://u:secret@host/simple/demo/")
    assert "secret" not in str(caught.value)


def test_a_bad_page_is_not_remembered(facts: Facts, clock: Clock) -> None:
    with pytest.raises(BadPage):
        look_up(FakeSource(FakeReply(body=b"?")), facts, clock)
    assert facts.page(URL) is None


def test_credentials_are_sent_and_not_stored(facts: Facts, clock: Clock, tmp_path: Path) -> None:
    source = FakeSource(page(cache_control="max-age=60"))
    source.reply.url = "https://user:secret@host/simple/demo/"
    look_up(source, facts, clock, url="https://user:secret@host/simple/demo/")
    assert source.asked == [("https://user:secret@host/simple/demo/", {})]
    assert facts.page(URL) is not None
    facts.close()
    for path in tmp_path.iterdir():
        assert b"secret" not in path.read_bytes()


def test_many_threads_wait_for_one_answer(facts: Facts, clock: Clock) -> None:
    arrived = threading.Barrier(5)
    asking = threading.Semaphore(0)

    class Slow(FakeSource):
        def get(self, url: str, *, accept: str, headers: Mapping[str, str]) -> FakeReply:
            for _ in range(5):
                asking.acquire()
            return super().get(url, accept=accept, headers=headers)

    source = Slow(page())
    cache = PageCache(source, facts, now=clock, offline=False, refresh=False)
    found: list[object] = []

    def ask() -> None:
        arrived.wait()
        asking.release()
        found.append(cache.page(URL, digest))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(source.asked) == 1
    assert len(found) == 5
    assert len(set(map(id, found))) == 1


def test_a_failure_is_told_to_everyone(facts: Facts, clock: Clock) -> None:
    cache = PageCache(FakeSource(FakeReply(status=403)), facts, now=clock, offline=False, refresh=False)
    for _ in range(2):
        with pytest.raises(FetchFailed):
            cache.page(URL, digest)
