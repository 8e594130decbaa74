"""Pages with a memory: asked for when that is due, digested once, shared by all threads.

Freshness is HTTP's (RFC 9111): a page that comes without ``max-age`` or ``Expires`` is asked for again in
every run, by its ETag or date where it has one, and digested again only when its bytes have changed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from wheelstore.resolve.addresses import Origin, origin_of, redact
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.facts import CachedPage, Facts
from wheelstore.resolve.fetch_errors import FetchFailed
from wheelstore.resolve.freshness import LONGEST_ABSENCE, fresh_until
from wheelstore.resolve.links import without_credentials
from wheelstore.resolve.pages import Page
from wheelstore.resolve.raw_pages import RawPage, digest_raw, is_raw, pack_raw
from wheelstore.resolve.simple import ACCEPT, BadPage, IndexFile, is_json_page, parse_page

_MISSING = frozenset({404, 410})
_PAGES_AT_ONCE = 64

Digest = Callable[[Iterable[IndexFile]], bytes]


class PageReply(Protocol):
    """An answer to a request for a page."""

    @property
    def status(self) -> int:
        """200, 304, 404 and so on."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Whatever the case of their names."""

    @property
    def body(self) -> bytes:
        """The page, decoded."""

    @property
    def url(self) -> str:
        """Where it came from in the end, for relative links."""


class PageSource(Protocol):
    """Fetches pages, with retries and credentials; from several threads at once."""

    def get(self, url: str, *, accept: str, headers: Mapping[str, str]) -> PageReply:
        """Ask for a page; an answer with status 304 or 404 is an answer."""


class UnknownOffline(ResolveError):
    """A page that was never seen is needed, and the network is forbidden."""

    hint = "run once without --offline"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = redact(url)

    def __str__(self) -> str:
        return f"{self.url} is not remembered, and this run is offline"


class Consulted(NamedTuple):
    """A page that had a say: whose it is (nothing for one of all projects), and the sha256 of its bytes.

    Without bytes, the index said that there is no such page.
    """

    project: str
    body: bytes


class PageCache:
    """Pages by URL; each is looked up once in the object's life. Thread-safe."""

    def __init__(
        self,
        source: PageSource,
        facts: Facts,
        *,
        now: Callable[[], float],
        offline: bool,
        refresh: bool,
        stale_if_error: bool = False,
    ) -> None:
        """Ask `source`, remember in `facts`; `offline`, `refresh` and `stale_if_error` as for `Indexes`."""
        self._source, self._facts, self._now = source, facts, now
        self._offline, self._refresh, self._stale_if_error = offline, refresh, stale_if_error
        self._consulted: dict[str, Consulted] = {}
        self._unreachable: dict[Origin, FetchFailed] = {}
        self._outcomes: dict[str, _Outcome] = {}
        self._lock = threading.Lock()
        self._unwritten: dict[str, CachedPage] = {}
        self._asked: set[str] = set()
        self._doubted: set[str] = set()

    def page(self, address: str, digest: Digest, *, project: str | None = None) -> Page | RawPage | None:
        """Look a page up by its URL, maybe with credentials; None where the index says that there is none.

        `project` is whose page it is, if it is the page of one; it is then digested when it is needed again.

        Raises:
            UnknownOffline: it would have to be asked for, offline.
            ResolveError: it could not be fetched or read.
        """
        url = without_credentials(address)
        return self.once(url, lambda: self._look_up(url, address, digest, project))

    def _consult(self, url: str, project: str | None, body: bytes) -> None:
        with self._lock:
            self._consulted[url] = Consulted(project or "", body)

    def is_at_hand(self, address: str) -> bool:
        """Whether a page is on this machine, or remembered and still believed."""
        url = without_credentials(address)
        if url.startswith("file:") or self._offline or url in self._outcomes:
            return True
        return not self._refresh and url not in self._doubted and self._facts.fresh_until(url) > self._now()

    def once(self, key: str, find: Callable[[], Page | RawPage | None]) -> Page | RawPage | None:
        """Call `find` for the first caller with this key; all others get (or wait for) its outcome."""
        with self._lock:
            is_first = key not in self._outcomes
            outcome = self._outcomes.setdefault(key, _Outcome())
        if is_first:
            outcome.settle(find)
        return outcome.result()

    def doubt(self, address: str) -> bool:
        """Let a page be asked for when it is looked up next, however fresh it is; False if it was asked for already."""
        url = without_credentials(address)
        with self._lock:
            if self._offline or url in self._asked or url in self._doubted:
                return False
            self._doubted.add(url)
            self._outcomes.pop(url, None)
        return True

    def remembered(self, url: str) -> Page | None:
        """The page as it was last seen, however long ago; None if it never was, or was missing."""
        cached = self._recall(url)
        return _open(cached) if cached is not None else None

    def consulted(self) -> dict[str, Consulted]:
        """The pages that were looked up so far, by URL."""
        with self._lock:
            return dict(self._consulted)

    def unreachable(self) -> dict[Origin, FetchFailed]:
        """The origins whose pages were taken as they were last seen, because they do not answer; and why."""
        with self._lock:
            return dict(self._unreachable)

    def flush(self) -> None:
        """Write what was learned and is not written yet; pages are written together, as a commit each takes 1 ms."""
        with self._lock:
            pages, self._unwritten = self._unwritten, {}
        self._facts.remember_pages(pages)

    def _remember(self, url: str, page: CachedPage) -> None:
        with self._lock:
            self._unwritten[url] = page
            is_many = len(self._unwritten) >= _PAGES_AT_ONCE
        if is_many:
            self.flush()

    def _recall(self, url: str) -> CachedPage | None:
        """What is remembered; a page that was kept as it came is digested now."""
        cached = self._facts.page(url)
        if cached is None or not is_raw(cached.digest):
            return cached
        try:
            cached = cached._replace(digest=digest_raw(cached.digest))
        except (ValueError, BadPage):
            return None
        self._remember(url, cached)
        return cached

    def _look_up(self, url: str, address: str, digest: Digest, project: str | None) -> Page | RawPage | None:
        cached = self._recall(url)
        if url.startswith("file:"):
            return self._ask(url, address, digest, cached, project)
        is_believed = not self._refresh and url not in self._doubted
        is_fresh = cached is not None and is_believed and self._now() < cached.fresh_until
        if cached is not None and (self._offline or is_fresh):
            page = _open(cached)
            if page is not None or cached.status in _MISSING:
                self._consult(url, project, cached.body)
                return page
        if self._offline:
            raise UnknownOffline(url)
        if not self._stale_if_error or cached is None:
            return self._ask(url, address, digest, cached, project)
        return self._ask_or_recall(url, address, digest, cached, project)

    def _ask_or_recall(
        self, url: str, address: str, digest: Digest, cached: CachedPage, project: str | None
    ) -> Page | RawPage | None:
        """Ask; what was last seen does where nobody answers, and nobody is asked again there."""
        origin = origin_of(url)
        if origin not in self._unreachable:
            try:
                return self._ask(url, address, digest, cached, project)
            except FetchFailed as error:
                if error.status is not None and error.status < 500:
                    raise
                with self._lock:
                    self._unreachable.setdefault(origin, error)
        page = _open(cached)
        if page is None and cached.status not in _MISSING:
            raise self._unreachable[origin]
        self._consult(url, project, cached.body)
        return page

    def _ask(
        self, url: str, address: str, digest: Digest, cached: CachedPage | None, project: str | None
    ) -> Page | RawPage | None:
        self._asked.add(url)
        known = _open(cached) if cached is not None else None
        conditions = _conditions(cached) if cached and known else {}
        reply = self._source.get(address, accept=ACCEPT, headers=conditions)
        now = self._now()
        headers = {name.lower(): value for name, value in reply.headers.items()}
        until = fresh_until(headers, now=now)
        if reply.status in _MISSING:
            self._remember_absence(url, now, until)
            self._consult(url, project, b"")
            return None
        body = hashlib.sha256(reply.body).digest()
        if cached and known and (reply.status == 304 or (reply.status == 200 and cached.body == body)):
            if not url.startswith("file:"):
                self._facts.confirm_page(url, fetched=now, fresh_until=until)
            self._consult(url, project, cached.body)
            return known
        if reply.status != 200:
            raise FetchFailed(url, f"HTTP {reply.status}", status=reply.status)
        content_type = headers.get("content-type", "")
        page: Page | RawPage
        if project is not None and is_json_page(reply.body, content_type=content_type, url=reply.url):
            page = RawPage.parse(reply.body, url=reply.url, project=project)
            blob = pack_raw(reply.body, url=without_credentials(reply.url), project=project)
        else:
            blob = digest(parse_page(reply.body, content_type=content_type, url=reply.url))
            page = Page(blob)
        etag, modified = headers.get("etag"), headers.get("last-modified")
        self._remember(url, CachedPage(200, etag, modified, now, until, body, blob))
        self._consult(url, project, body)
        return page

    def _remember_absence(self, url: str, now: float, until: float) -> None:
        if not url.startswith("file:"):
            until = min(until, now + LONGEST_ABSENCE)
            self._facts.remember_page(url, CachedPage(404, None, None, now, until, b"", b""))


class _Outcome:
    """What one thread finds and others wait for (a `Future` without the import of logging, 6 ms)."""

    def __init__(self) -> None:
        self._settled = threading.Event()
        self._page: Page | RawPage | None = None
        self._error: BaseException | None = None

    def settle(self, find: Callable[[], Page | RawPage | None]) -> None:
        try:
            self._page = find()
        except BaseException as error:
            self._error = error
        finally:
            self._settled.set()

    def result(self) -> Page | RawPage | None:
        self._settled.wait()
        if self._error is not None:
            raise self._error
        return self._page


def _open(cached: CachedPage) -> Page | None:
    try:
        return Page(cached.digest) if cached.status == 200 else None
    except ValueError:  # an older program's format
        return None


def _conditions(cached: CachedPage) -> dict[str, str]:
    conditions = {}
    if cached.etag is not None:
        conditions["If-None-Match"] = cached.etag
    if cached.last_modified is not None:
        conditions["If-Modified-Since"] = cached.last_modified
    return conditions
