"""Which wheel each pin means for one interpreter.

A hash names a file: where every sha256 of a pin is already known, nobody is asked. Otherwise find-links and
indexes are searched, all pins at once. What a hash of the lock allows may come from any index; without
hashes the strategy of the options holds. Every problem is collected, and raised once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wheelstore.resolve.candidates import Formats, of_version, rank_wheels
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.facts import KnownFile
from wheelstore.resolve.fetch_errors import FetchFailed
from wheelstore.resolve.filenames import project_name, public_key, sdist_stem, split_wheel
from wheelstore.resolve.find_links import local_path
from wheelstore.resolve.gathering import absence, gather, merged
from wheelstore.resolve.indexes import Indexes
from wheelstore.resolve.links import filename_of
from wheelstore.resolve.pins import IndexSource, PathSource, Pin, UrlSource
from wheelstore.resolve.selection_errors import (
    MissingOffline,
    NeedsBuild,
    NoCompatibleWheel,
    PinRefused,
    RequiresPythonExcludes,
    SelectionFailed,
    WrongWheel,
)
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.target import Target

WORKERS = 16
"""How many pages are asked for at once."""


class Known(Protocol):
    """What is in the store already."""

    def __call__(self, sha256s: Collection[str], /) -> Mapping[str, str]:
        """The filenames of those wheels (by hex sha256) that are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The wheel that a pin means for one interpreter.

    ``url`` is without credentials unless the lock itself has them in a direct URL; None when only the store
    is known to have the file. ``sha256`` is None where neither lock nor index told it: `pin.hashes`, if
    any, then decide after the download. ``yanked`` is the reason (maybe empty) for a yanked file, to be
    warned about; None for others.
    """

    pin: Pin
    filename: str
    url: str | None = field(repr=False)
    sha256: str | None
    size: int | None = None
    yanked: str | None = None


def select(
    pins: Sequence[Pin],
    target: Target,
    indexes: Indexes,
    *,
    known: Known,
    formats: Formats | None = None,
    workers: int = WORKERS,
) -> tuple[Selected, ...]:
    """Choose one wheel for each pin, in the pins' order.

    Args:
        known: asked offline, and about files of locations that are no longer configured.
        formats: the lock's ``--no-binary`` and ``--only-binary``.
        workers: how many pins are searched for at once.

    Raises:
        SelectionFailed: with every error found; each is a `PinRefused` or a failure to fetch.
    """
    selection = _Selection(target, indexes, known, formats)
    selection.recall(pins)
    outcomes: list[Selected | ResolveError | None] = [selection.without_asking(pin) for pin in pins]
    waiting = [number for number, outcome in enumerate(outcomes) if outcome is None]
    found = selection.search_all([pins[number] for number in waiting], workers)
    for number, outcome in zip(waiting, found, strict=True):
        outcomes[number] = outcome
    errors = {str(outcome): outcome for outcome in outcomes if isinstance(outcome, ResolveError)}
    if errors:
        raise SelectionFailed(tuple(errors.values()))
    return tuple(outcome for outcome in outcomes if isinstance(outcome, Selected))


class _Selection:
    """One run of `select`: what all pins share."""

    def __init__(self, target: Target, indexes: Indexes, known: Known, formats: Formats | None) -> None:
        self._target, self._indexes, self._formats = target, indexes, formats
        self._ask_store = known
        self._sources = frozenset(indexes.sources)
        self._facts: dict[str, KnownFile] = {}
        self._stored: Mapping[str, str] = {}

    def recall(self, pins: Iterable[Pin]) -> None:
        """Look up all hashes of the lock at once."""
        sha256s = {sha256 for pin in pins for sha256 in sha256s_of(pin)}
        if not self._indexes.refresh:
            self._facts = self._indexes.facts.files(sha256s)
        if self._indexes.offline:
            self._stored = self._ask_store(sha256s)
        else:
            foreign = [sha256 for sha256, fact in self._facts.items() if fact.source not in self._sources]
            self._stored = self._ask_store(foreign) if foreign else {}

    def without_asking(self, pin: Pin) -> Selected | ResolveError | None:
        """Select what needs no index; None for a pin that has to be searched for."""
        try:
            if not isinstance(pin.source, IndexSource):
                return self._direct(pin)
            return self._from_lock(pin) if pin.artifacts else self._by_hashes(pin)
        except PinRefused as error:
            return error

    def search_all(self, pins: Sequence[Pin], workers: int) -> list[Selected | ResolveError | None]:
        """Search for several pins at once; once the network is found dead, the rest is left (None)."""
        if not pins:
            return []
        from concurrent.futures import ThreadPoolExecutor

        dead = threading.Event()
        learned: list[KnownFile] = []

        def search(pin: Pin) -> Selected | ResolveError | None:
            try:
                return None if dead.is_set() else self._search_again(pin, learned)
            except ResolveError as error:
                if isinstance(error, FetchFailed) and error.status is None:
                    dead.set()
                return error

        pool = ThreadPoolExecutor(min(workers, len(pins)), thread_name_prefix="search")
        try:
            outcomes = list(pool.map(search, pins))
        except BaseException:  # an interrupted search must not be waited for
            dead.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        self._indexes.facts.remember_files(learned)
        self._indexes.flush()
        return outcomes

    def _direct(self, pin: Pin) -> Selected:
        """Select the archive that a URL or path is."""
        source = pin.source
        if isinstance(source, UrlSource):
            filename, url = filename_of(source.url), source.url
        elif isinstance(source, PathSource):
            filename, url = source.path.name, source.path.absolute().as_uri()
        else:
            raise NeedsBuild(pin, "a checkout")
        wheel = split_wheel(filename)
        if wheel is None:
            is_sdist = sdist_stem(filename) is not None
            raise NeedsBuild(pin, filename if is_sdist else "a directory", filename=filename, url=url)
        file = IndexFile(filename, url, self._hash_of(pin, filename))
        if project_name(wheel.name) != pin.name or not of_version(pin, [file]):
            raise WrongWheel(pin, filename)
        if self._target.rank_tags(wheel.tags) is None:
            raise NoCompatibleWheel(pin, [filename], self._target.tags)
        self._check_python(pin)
        return self._selected(pin, [file])

    def _hash_of(self, pin: Pin, filename: str) -> tuple[str, ...]:
        """Which of a direct pin's hashes is the file's, as far as that is clear."""
        if len(pin.hashes) == 1:
            return pin.hashes
        return tuple(f"sha256:{each}" for each in sha256s_of(pin) if self._stored.get(each) == filename)[:1]

    def _from_lock(self, pin: Pin) -> Selected | None:
        """Select among the files that the lock itself lists; an index finds those without a URL."""
        files = [IndexFile(one.filename, one.url or "", one.hashes, one.size) for one in pin.artifacts]
        right = of_version(pin, files)
        if not right:
            raise WrongWheel(pin, files[0].filename)
        ranked = self._rank(pin, right)
        return self._selected(pin, ranked) if ranked[0].url or self._indexes.offline else None

    def _by_hashes(self, pin: Pin) -> Selected | None:
        """Select by what the pin's sha256s are known to name, if that is known of all of them."""
        sha256s = sha256s_of(pin)
        if not sha256s or self._indexes.refresh:
            return None
        named = [self._facts[sha256] for sha256 in sha256s if sha256 in self._facts]
        if len(named) < len(sha256s):
            named = self._remembered(pin, sha256s)
            if len({fact.file.sha256 for fact in named}) < len(sha256s):
                return None
            self._indexes.facts.remember_files(named)
        files = of_version(pin, [fact.file for fact in named])
        if not files:
            return None
        ranked = self._rank(pin, files)
        best = next(fact for fact in named if fact.file is ranked[0])
        return self._selected(pin, ranked) if self._indexes.offline or self._is_had(best) else None

    def _remembered(self, pin: Pin, sha256s: Sequence[str]) -> list[KnownFile]:
        """Find the files that hashes name on pages seen before: what a hash names does not go stale."""
        wanted, key = set(sha256s), public_key(str(pin.version)) or ""
        return merged(
            KnownFile(file, answer.location)
            for answer in self._indexes.remembered(pin.name)
            for file in answer.page.group(key)
            if file.sha256 in wanted
        )

    def _search_again(self, pin: Pin, learned: list[KnownFile]) -> Selected:
        """Search; what is not found on remembered pages is searched for once more on new ones."""
        try:
            return self._search(pin, learned)
        except PinRefused:
            if not self._indexes.doubt(pin.name, index=pin.index):
                raise
            return self._search(pin, learned)

    def _search(self, pin: Pin, learned: list[KnownFile]) -> Selected:
        """Ask the locations for the pin's files, and select among them."""
        found = gather(pin, self._indexes, self._target)
        wanted = set(pin.hashes)
        learned += [fact for fact in found.files if not wanted.isdisjoint(fact.file.hashes)]
        files = [fact.file for fact in found.files]
        is_partial = self._indexes.offline and not self._indexes.is_local
        if self._indexes.offline:
            files += self._from_store(pin, files)
        try:
            if not files:
                raise absence(pin, self._indexes, found)
            return self._selected(pin, self._rank(pin, files, [fact.source for fact in found.files]))
        except MissingOffline:
            raise
        except PinRefused:
            if is_partial:
                raise MissingOffline(pin) from None
            raise

    def _from_store(self, pin: Pin, files: Sequence[IndexFile]) -> list[IndexFile]:
        """Describe the pin's files that only the store, or an earlier run, can tell something of."""
        told = {file.sha256 for file in files}
        more = []
        for sha256 in sha256s_of(pin):
            if sha256 not in told and sha256 in self._facts:
                more.append(self._facts[sha256].file)
            elif sha256 not in told and sha256 in self._stored:
                more.append(IndexFile(self._stored[sha256], "", (f"sha256:{sha256}",)))
        return of_version(pin, more)

    def _rank(self, pin: Pin, files: Sequence[IndexFile], searched: Sequence[str] = ()) -> list[IndexFile]:
        self._check_python(pin)
        places = tuple(dict.fromkeys(searched))
        return rank_wheels(pin, files, self._target, formats=self._formats, searched=places)

    def _check_python(self, pin: Pin) -> None:
        requires, python = pin.requires_python, self._target.python
        if requires is not None and not requires.contains(python, prereleases=True):
            raise RequiresPythonExcludes(pin, str(requires), python)

    def _selected(self, pin: Pin, ranked: Sequence[IndexFile]) -> Selected:
        """Take the best; offline, the best of what is here.

        Raises:
            MissingOffline: none is.
        """
        file: IndexFile | None = ranked[0]
        if self._indexes.offline:
            sha256s = [sha256 for file in ranked if (sha256 := file.sha256) is not None]
            stored = self._stored if pin.hashes else self._ask_store(sha256s)
            file = next((file for file in ranked if file.sha256 in stored or _is_here(file.url)), None)
        if file is None:
            raise MissingOffline(pin, [file.filename for file in ranked])
        return Selected(
            pin=pin,
            filename=file.filename,
            url=file.url or None,
            sha256=file.sha256,
            size=file.size,
            yanked=file.yanked,
        )

    def _is_had(self, fact: KnownFile) -> bool:
        """Whether a file that was learned of earlier can still be had: stored, or where it was."""
        if fact.file.sha256 in self._stored:
            return True
        return fact.source in self._sources and (not fact.file.url.startswith("file:") or _is_here(fact.file.url))


def sha256s_of(pin: Pin) -> list[str]:
    """The hex sha256s among a pin's hashes."""
    return [text[7:] for text in pin.hashes if text.startswith("sha256:")]


def _is_here(url: str) -> bool:
    path = local_path(url) if url.startswith("file:") else None
    return path is not None and os.path.exists(path)
