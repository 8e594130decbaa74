"""Projects as the solver sees them: versions in order, and what each comes to when it is looked at."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.filenames import version_key, version_of
from wheelstore.resolve.indexes import Indexes, Strategy
from wheelstore.resolve.links import without_credentials
from wheelstore.resolve.problem import Metadata, Prereleases, Rules
from wheelstore.resolve.ranges import Range, Versions
from wheelstore.resolve.usable import Refusal, Usable, judge

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from wheelstore.resolve.indexes import Answer
    from wheelstore.resolve.simple import IndexFile
    from wheelstore.resolve.target import Target

_PRERELEASE = re.compile(r"a|b|c|dev")
_THREADS = 24


class MetadataReader(Protocol):
    """Tells what is in a distribution."""

    def metadata(self, file: IndexFile, name: str, /) -> Metadata:
        """The metadata of a file.

        Raises:
            ResolveError: there is none that can be used.
        """

    def prime(self, files: Iterable[IndexFile], /) -> None:
        """Recall what is remembered of these files, in one go."""


class Project:
    """One project's versions, for one target; numbers are positions in `versions`.

    ``stable`` and ``known`` are sets of them; ``refused`` is why some that were looked at cannot be taken. All of one
    of the ``groups`` come before any of the next, however high: there is one, or one per location.
    """

    __slots__ = ("_answers", "_looked", "groups", "known", "name", "places", "refused", "stable", "versions")

    def __init__(self, name: str, answers: Iterable[Answer], *, place_by_place: bool = False) -> None:
        self.name = name
        self._answers = tuple(answers)
        places: dict[str, int] = {}
        for number, answer in enumerate(self._answers):
            for key in answer.page.versions:
                places.setdefault(key, number)
        keys = list(places) if len(self._answers) <= 1 else _sorted(places)
        self.places = [places[key] for key in keys]
        self.versions = Versions(keys)
        self.known = self.versions.known
        stable = 0
        for number, key in enumerate(keys):
            if not _PRERELEASE.search(key.partition("+")[0]):
                stable |= 1 << number
        self.stable = Range(stable)
        self.groups: tuple[int, ...] = (int(self.known),)
        if place_by_place:
            parts = [0] * len(self._answers)
            for number, place in enumerate(self.places):
                parts[place] |= 1 << number
            self.groups = tuple(parts)
        self.refused: dict[int, Refusal] = {}
        self._looked: dict[int, Usable | None] = {}

    @property
    def exists(self) -> bool:
        """Whether any location has it."""
        return bool(self._answers)

    @property
    def locations(self) -> tuple[str, ...]:
        """Who has it."""
        return tuple(answer.location for answer in self._answers)

    def version(self, number: int) -> Version:
        """The version as its files spell it."""
        from packaging.version import Version

        files = self.files(number)
        spelled = version_of(files[0].filename, self.name) if files else None
        return Version(spelled) if spelled is not None else self.versions[number]

    def location(self, number: int) -> str:
        """Which location a version is taken from."""
        return self._answers[self.places[number]].location

    def files(self, number: int) -> tuple[IndexFile, ...]:
        """All files of exactly one version, at the first location that has it."""
        key = self.versions.key(number)
        page = self._answers[self.places[number]].page
        files = page.group(key.partition("+")[0])
        return tuple(file for file in files if version_key(version_of(file.filename, self.name) or "") == key)

    def look(self, number: int, *, rules: Rules, target: Target, pinned: bool) -> Usable | None:
        """What may be taken of a version; None (and a reason in `refused`) if nothing may."""
        if number not in self._looked:
            found = judge(self.files(number), self.name, rules=rules, target=target, yanked=pinned)
            if isinstance(found, Refusal):
                self.refuse(number, found)
                return None
            self._looked[number] = found
        return self._looked[number]

    def refuse(self, number: int, refusal: Refusal) -> None:
        """Note that a version cannot be taken."""
        self.refused[number] = refusal
        self._looked[number] = None


def _sorted(keys: Iterable[str]) -> list[str]:
    from packaging.version import Version

    return sorted(keys, key=Version)


def admitted(project: Project, prereleases: Prereleases, *, explicit: bool) -> tuple[Range, Range]:
    """The versions that may be taken as far as pre-releases go, and those of them that are taken before the others.

    What is necessary is for the solver to find out, which takes pre-releases where no release is left, as uv does.
    """
    is_explicit = explicit and prereleases in (Prereleases.EXPLICIT, Prereleases.IF_NECESSARY_OR_EXPLICIT)
    if prereleases is Prereleases.ALLOW or is_explicit:
        return project.known, project.known
    is_necessary = prereleases in (Prereleases.IF_NECESSARY, Prereleases.IF_NECESSARY_OR_EXPLICIT)
    return (project.known if is_necessary else project.stable), project.stable


class Catalog:
    """All projects that a solver asks for; pages and metadata are fetched ahead where that takes the network."""

    def __init__(self, indexes: Indexes, reader: MetadataReader, *, rules: Rules) -> None:
        self._indexes, self._reader, self._rules = indexes, reader, rules
        self._projects: dict[str, Project] = {}
        self._wanted: dict[str, Future[Project]] = {}
        self._metadata: dict[str, Metadata] = {}
        self._fetching: dict[str, Future[Metadata]] = {}
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """End what was fetched ahead and is not needed."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._indexes.flush()

    def want(self, names: Iterable[str]) -> None:
        """Begin to fetch the pages of projects that will be asked for, unless they are here."""
        for name in names:
            if name not in self._projects and name not in self._wanted and not self._indexes.is_at_hand(name):
                self._wanted[name] = self._threads().submit(self._find, name)

    def project(self, name: str) -> Project:
        """One project by its normalized name; one that nobody has has no versions.

        Raises:
            ResolveError: an index cannot be asked, or says nonsense.
        """
        project = self._projects.get(name)
        if project is None:
            wanted = self._wanted.pop(name, None)
            project = self._projects[name] = wanted.result() if wanted is not None else self._find(name)
        return project

    def _find(self, name: str) -> Project:
        answers = []
        for answer in self._indexes.search(name, index=self._rules.pinned_indexes.get(name)):
            answers.append(answer)
            if answer.is_index and self._indexes.options.strategy is Strategy.FIRST_INDEX:
                break
        by_place = self._indexes.options.strategy is Strategy.FIRST_MATCH
        return Project(name, answers, place_by_place=by_place)

    def searched(self, name: str) -> tuple[str, ...]:
        """The locations that a project is looked for in, without credentials."""
        index = self._rules.pinned_indexes.get(name)
        if index is None:
            return self._indexes.sources
        return (without_credentials(index),)

    def elsewhere(self, name: str, specifiers: SpecifierSet) -> tuple[str, ...]:
        """Indexes that have other versions of a project which `specifiers` allow, but come after one that has it.

        Nothing if they cannot be asked: this is for hints.
        """
        if self._indexes.options.strategy is not Strategy.FIRST_INDEX:
            return ()
        project = self.project(name)
        known = {project.versions.key(number) for number in range(len(project.versions))}
        try:
            answers = list(self._indexes.search(name, index=self._rules.pinned_indexes.get(name)))
        except ResolveError:
            return ()
        return tuple(
            answer.location
            for answer in answers
            if answer.location not in project.locations
            and any(specifiers.contains(key) for key in answer.page.versions if key not in known)
        )

    def metadata(self, file: IndexFile, name: str) -> Metadata:
        """What is in a file.

        Raises:
            ResolveError: that is not to be had.
        """
        found = self._metadata.get(file.url)
        if found is None:
            future = self._fetching.pop(file.url, None)
            found = future.result() if future is not None else self._reader.metadata(file, name)
            self._metadata[file.url] = found
        return found

    def foresee(self, file: IndexFile, name: str) -> None:
        """Begin to fetch metadata that will probably be asked for, if that takes the network."""
        if self._pool is not None and file.url not in self._metadata and file.url not in self._fetching:
            self._fetching[file.url] = self._threads().submit(self._reader.metadata, file, name)

    @property
    def is_fetching(self) -> bool:
        """Whether anything has taken the network so far, so that it is worth to look ahead."""
        return self._pool is not None

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="lock")
            return self._pool
