"""Small problems for the solver, over projects that exist in memory only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.markers import default_environment

from wheelstore.resolve.dependencies import parse_dependency
from wheelstore.resolve.direct_sources import DirectSources
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.indexes import Answer, IndexOptions
from wheelstore.resolve.pages import Page, digest_by_version
from wheelstore.resolve.problem import Given, Metadata, Problem, Rules
from wheelstore.resolve.projects import Catalog
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.target import Target

MARKERS = {**default_environment(), "python_full_version": "3.12.1", "python_version": "3.12"}
TARGET = Target(markers=MARKERS, tags=("cp312-cp312-linux_x86_64", "py3-none-any"))  # type: ignore[arg-type]
INDEX = "https://index.test/simple/"


class NotReadable(ResolveError):
    """A file without metadata."""

    def __str__(self) -> str:
        return f"{self.args[0]} has no METADATA"


@dataclass
class Release:
    """One version: what it requires, and what is special about its one wheel."""

    requires: Sequence[str] = ()
    requires_python: str | None = None
    yanked: str | None = None
    tag: str = "py3-none-any"
    uploaded: str | None = None
    sdist: bool = False
    broken: bool = False
    extras: Mapping[str, Sequence[str]] = field(default_factory=dict)


World = Mapping[str, Mapping[str, Release | Sequence[str]]]


class MemoryIndexes:
    """Several indexes in memory, in the order in which they are asked."""

    def __init__(self, worlds: Mapping[str, World], **options: Any) -> None:
        self.options = IndexOptions(**options)
        self.sources = tuple(worlds)
        self._worlds = worlds

    def search(self, project: str, *, index: str | None = None) -> Iterator[Answer]:
        for location, world in self._worlds.items():
            if project in world and index in (None, location):
                files = [file_of(project, version, release) for version, release in world[project].items()]
                yield Answer(location, Page(digest_by_version(files, project)))

    def is_at_hand(self, project: str) -> bool:
        return True

    def flush(self) -> None:
        pass

    def release(self, url: str) -> Release | Sequence[str]:
        location, _, filename = url.rpartition("/")
        name, version = filename.removesuffix(".tar.gz").split("-")[:2]
        return self._worlds[location + "/"][name.replace("_", "-")][version]


def file_of(project: str, version: str, release: Release | Sequence[str], location: str = INDEX) -> IndexFile:
    """The one file of a release."""
    one = release if isinstance(release, Release) else Release()
    stem = f"{project.replace('-', '_')}-{version}"
    filename = f"{stem}.tar.gz" if one.sdist else f"{stem}-{one.tag}.whl"
    return IndexFile(
        filename,
        location + filename,
        (f"sha256:{'0' * 64}",),
        requires_python=one.requires_python,
        yanked=one.yanked,
        upload_time=one.uploaded,
    )


class MemoryReader:
    """Tells what the world says."""

    def __init__(self, indexes: MemoryIndexes) -> None:
        self._indexes = indexes

    def metadata(self, file: IndexFile, name: str) -> Metadata:
        release = self._indexes.release(file.url)
        if not isinstance(release, Release):
            release = Release(release)
        if release.broken:
            raise NotReadable(file.filename)
        texts = list(release.requires)
        for extra, wanted in release.extras.items():
            texts += [f"{text} ; extra == '{extra}'" for text in wanted]
        version = file.filename.removesuffix(".tar.gz").split("-")[1]
        return Metadata(name, version, tuple(texts), release.requires_python, tuple(release.extras))

    def prime(self, files: Iterable[IndexFile]) -> None:
        pass


def given(*texts: str, origin: str = "requirements.in") -> tuple[Given, ...]:
    """Requirements as a file has them, a line each."""
    return tuple(
        Given(parse_dependency(text), f"-r {origin}", f"{origin}:{line}") for line, text in enumerate(texts, 1)
    )


def catalog_of(world: World, *, rules: Rules, others: Mapping[str, World] | None = None, **options: Any) -> Catalog:
    """A catalog over one index, and maybe over others that are asked after it."""
    indexes = MemoryIndexes({INDEX: world, **(others or {})}, **options)
    return Catalog(indexes, MemoryReader(indexes), rules=rules)  # type: ignore[arg-type]


def problem_of(*roots: str, constraints: Sequence[str] = (), rules: Rules | None = None, **more: Any) -> Problem:
    """A problem for Python 3.12.1 on Linux."""
    return Problem(
        roots=given(*roots),
        constraints=given(*constraints, origin="constraints.txt"),
        target=TARGET,
        rules=rules or Rules(),
        **more,
    )


NO_DIRECT = DirectSources({}, {})
