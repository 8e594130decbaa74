"""Which files there are of a project: find-links first, then the indexes, with the pages remembered.

Every index is trusted only as far as its place in the order: unless told otherwise, the first one that has
a project is the only one that is asked for it, so that nobody can shadow a private project by publishing
its name on a public index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from wheelstore.resolve.addresses import Origin
from wheelstore.resolve.facts import Facts, KnownFile
from wheelstore.resolve.fetch_errors import FetchFailed
from wheelstore.resolve.find_links import as_url, hash_file, local_path, scan_directory, stamp_of
from wheelstore.resolve.links import without_credentials
from wheelstore.resolve.page_cache import Consulted, PageCache, PageSource, UnknownOffline
from wheelstore.resolve.pages import Page, digest_by_project, digest_by_version
from wheelstore.resolve.raw_pages import RawPage
from wheelstore.resolve.simple import IndexFile


class Strategy(Enum):
    """Which of several indexes may answer for a project; the names are uv's."""

    FIRST_INDEX = "first-index"
    """Only the first one that has the project."""

    FIRST_MATCH = "unsafe-first-match"
    """The first one that has the version."""

    BEST_MATCH = "unsafe-best-match"
    """All of them, as in pip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """Where to look, in the order of asking; locations are URLs or absolute paths, maybe with credentials.

    ``no_index`` leaves only ``find_links``, also where a lock names an index itself.
    """

    index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    strategy: Strategy = Strategy.FIRST_INDEX


class Answer(NamedTuple):
    """What one location has of a project, grouped by public version.

    ``location`` is without credentials; ``is_index`` tells an index from a find-links location.
    """

    location: str
    page: Page | RawPage
    is_index: bool = True


class Indexes:
    """The configured locations. Thread-safe; each page is asked for once in the object's life.

    ``sources`` are all of them, without credentials, in the order in which they are asked. No URL handed
    out holds credentials: the transport needs to know those of the options' URLs.
    """

    def __init__(
        self,
        options: IndexOptions,
        *,
        pages: PageSource,
        facts: Facts,
        now: Callable[[], float],
        offline: bool = False,
        refresh: bool = False,
        stale_if_error: bool = False,
    ) -> None:
        """Look in `options`' places through `pages`.

        Args:
            facts: where pages are remembered.
            now: the time, in seconds since the epoch.
            offline: use what is remembered, however old, and what is on this machine.
            refresh: believe no remembered page without asking.
            stale_if_error: believe a remembered page, however old, of a host that does not answer.
        """
        self.options, self.facts = options, facts
        self.offline, self.refresh = offline, refresh
        urls = () if options.no_index else options.index_urls
        self._indexes = tuple(_slashed(as_url(url)) for url in urls)
        self._find_links = tuple(as_url(location) for location in options.find_links)
        self._cache = PageCache(pages, facts, now=now, offline=offline, refresh=refresh, stale_if_error=stale_if_error)
        self._answered: dict[tuple[str, str], Page | RawPage] = {}
        self.sources = tuple(without_credentials(url) for url in (*self._find_links, *self._indexes))

    def flush(self) -> None:
        """Write what was learned of pages; to be called when a search is over."""
        self._cache.flush()

    def consulted(self) -> dict[str, Consulted]:
        """The pages that had a say so far, by URL; directories are not among them."""
        return self._cache.consulted()

    def unreachable(self) -> dict[Origin, FetchFailed]:
        """The origins that do not answer, of which remembered pages were believed; and why."""
        return self._cache.unreachable()

    @property
    def is_local(self) -> bool:
        """Whether all locations are on this machine, so that being offline hides nothing."""
        return all(source.startswith("file:") for source in self.sources)

    def files(self, project: str) -> tuple[IndexFile, ...]:
        """All files of a project (by its normalized name), as the strategy allows."""
        found: list[IndexFile] = []
        for answer in self.search(project):
            found += answer.page.files()
            if answer.is_index and self.options.strategy is Strategy.FIRST_INDEX:
                break
        self.flush()
        return tuple(found)

    def search(self, project: str, *, index: str | None = None) -> Iterator[Answer]:
        """Ask one location after the other, and yield those that have the project.

        The caller stops when it has enough. `index` replaces the configured indexes, for a lock that
        names one. Offline, locations whose answer is not remembered are passed over.

        Raises:
            ResolveError: a page could not be fetched or read.
        """
        for location in self._find_links:
            page = self._or_none(self._find, location, project)
            if page is not None:
                yield Answer(without_credentials(location), page, is_index=False)
        indexes = self._indexes
        if index is not None and not self.options.no_index:
            indexes = (_slashed(as_url(index)),)
        for location in indexes:
            page = self._or_none(self._index_page, location, project)
            if page is not None:
                self._answered[project, location] = page
                yield Answer(without_credentials(location), page)

    def passed_over(self) -> dict[str, tuple[str, ...]]:
        """Files on the pages that had a say whose version is none (PEP 440), by project."""
        found: dict[str, dict[str, None]] = {}
        for (project, _), page in sorted(self._answered.items(), key=lambda one: one[0]):
            found.setdefault(project, {}).update(dict.fromkeys(page.passed_over))
        return {project: tuple(names) for project, names in found.items() if names}

    def is_at_hand(self, project: str) -> bool:
        """Whether asking for a project takes no network, as far as that can be told quickly."""
        return all(self._cache.is_at_hand(_project_url(location, project)) for location in self._indexes[:1])

    def doubt(self, project: str, *, index: str | None = None) -> bool:
        """Let the next `search` ask for pages that this object has only remembered so far; False if it has not.

        What is missing on a page that is still fresh may have been published since.
        """
        indexes = (_slashed(as_url(index)),) if index is not None else self._indexes
        pages = (*self._find_links, *(_project_url(location, project) for location in indexes))
        doubted = [self._cache.doubt(page) for page in pages if not page.startswith("file:")]
        return any(doubted)

    def moved(self, project: str, sha256: str, *, index: str | None = None) -> str | None:
        """Where a file is now, for one that is no longer where it was; None if no page that is asked anew tells."""
        if not self.doubt(project, index=index):
            return None
        answers = list(self.search(project, index=index))
        self.flush()
        found = [KnownFile(file, one.location) for one in answers for file in one.page.files() if file.sha256 == sha256]
        self.facts.remember_files(found[:1])
        return found[0].file.url if found else None

    def remembered(self, project: str) -> Iterator[Answer]:
        """What was last seen of a project, however old, without asking anyone."""
        for location in self._indexes:
            page = self._cache.remembered(without_credentials(_project_url(location, project)))
            if page is not None:
                yield Answer(without_credentials(location), page)

    def hashed(self, file: IndexFile) -> IndexFile:
        """The file with its sha256, where that can be had by reading it on this machine."""
        path = local_path(file.url) if file.url.startswith("file:") else None
        if path is None or file.sha256 is not None:
            return file
        try:
            stamp = stamp_of(path)
            sha256 = self.facts.local_hash(path, stamp)
            if sha256 is None:
                sha256 = hash_file(path)
                self.facts.remember_local_hash(path, stamp, sha256)
        except OSError:
            return file
        return file._replace(hashes=(*file.hashes, f"sha256:{sha256}"))

    def _or_none(
        self, find: Callable[[str, str], Page | RawPage | None], location: str, project: str
    ) -> Page | RawPage | None:
        try:
            return find(location, project)
        except UnknownOffline:
            return None

    def _index_page(self, location: str, project: str) -> Page | RawPage | None:
        return self._cache.page(
            _project_url(location, project), lambda files: digest_by_version(files, project), project=project
        )

    def _find(self, location: str, project: str) -> Page | None:
        """The project's files at a find-links location: of a directory, or of a page of links."""
        path = local_path(location) if location.startswith("file:") else None
        if path is not None and not path.endswith((".html", ".htm")):
            everything = self._cache.once(location, lambda: Page(digest_by_project(scan_directory(path))))
        else:
            everything = self._cache.page(location, digest_by_project)
        files = everything.group(project) if everything is not None else ()
        return Page(digest_by_version(files, project)) if files else None


def _slashed(url: str) -> str:
    return url.rstrip("/") + "/"


def _project_url(index: str, project: str) -> str:
    return f"{index}{project}/"
