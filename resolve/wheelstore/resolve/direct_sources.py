"""Distributions that are asked for by URL, path or checkout: each is the only version of its project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from wheelstore.resolve.dependencies import applies, parse_dependency
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.filenames import version_key
from wheelstore.resolve.metadata import BadMetadata
from wheelstore.resolve.pins import IndexSource, Source
from wheelstore.resolve.problem import Dependency, Metadata, Problem
from wheelstore.resolve.projects import Project
from wheelstore.resolve.requirement import BadRequirement
from wheelstore.resolve.usable import Usable

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelstore.resolve.problem import Rules
    from wheelstore.resolve.simple import IndexFile
    from wheelstore.resolve.target import Target


class Direct(NamedTuple):
    """What is at a direct source: ``source`` as it is locked (a checkout with its commit), and the archive, if any."""

    source: Source
    metadata: Metadata
    files: tuple[IndexFile, ...] = ()


class TwoSources(ResolveError):
    """One project is asked for from two places."""

    hint = "a project has one source in an environment; --override decides which"

    def __init__(self, name: str, one: Source, other: Source) -> None:
        super().__init__(name, one, other)
        self.name, self.one, self.other = name, one, other

    def __str__(self) -> str:
        return f"{self.name} is asked for from {self.one} and from {self.other}"


class DirectSources:
    """Direct sources by the name of their project."""

    def __init__(self, found: Mapping[str, Direct], asked: Mapping[str, Source]) -> None:
        self._found, self._asked = found, asked

    def has_name(self, name: str) -> bool:
        """Whether a project comes from a direct source."""
        return name in self._found

    def has(self, dependency: Dependency) -> bool:
        """Whether a dependency's own source is the one that its project comes from."""
        return self._asked.get(dependency.name) == dependency.source

    def project(self, name: str) -> Project | None:
        """A project with one version; None if it comes from an index."""
        direct = self._found.get(name)
        return _OneVersion(name, direct) if direct is not None else None

    def metadata(self, name: str) -> Metadata | None:
        """What a direct source says of itself."""
        direct = self._found.get(name)
        return direct.metadata if direct is not None else None

    def chosen(self, name: str) -> Direct | None:
        """What is locked."""
        return self._found.get(name)


class _Page:
    def __init__(self, version: str) -> None:
        self.versions = [version]


class _OneVersion(Project):
    __slots__ = ("_direct",)

    def __init__(self, name: str, direct: Direct) -> None:
        from wheelstore.resolve.indexes import Answer

        version = direct.metadata.version
        super().__init__(name, (Answer("", _Page(version_key(version) or version)),))  # type: ignore[arg-type]
        self.stable = self.known  # who asks for it by its place wants it
        self._direct = direct

    def version(self, number: int) -> Version:  # noqa: ARG002
        from packaging.version import Version

        return Version(self._direct.metadata.version)

    def files(self, number: int) -> tuple[IndexFile, ...]:  # noqa: ARG002
        return self._direct.files

    def look(self, number: int, *, rules: Rules, target: Target, pinned: bool) -> Usable | None:  # noqa: ARG002
        return None


def find_direct(problem: Problem, describe: Callable[[Dependency], Direct]) -> DirectSources:
    """Look at all direct sources among what is given, and at those that they depend on themselves.

    What is excluded or overridden is not looked at, whoever asks for it. A constraint's source is its project's, if
    that is needed.

    Raises:
        TwoSources: a project is asked for from two places.
        BadMetadata: a source declares what is no requirement.
        ResolveError: a source cannot be had, or built.
    """
    markers = problem.target.markers
    passed_over = {*problem.excludes, *(one.dependency.name for one in problem.overrides)}
    found: dict[str, Direct] = {}
    asked: dict[str, Source] = {}
    declared: dict[str, list[Dependency]] = {}
    extras: dict[str, set[str]] = {}
    waiting = [one.dependency for one in problem.overrides if one.dependency.name not in problem.excludes]
    given = (*problem.roots, *problem.constraints)
    waiting += [one.dependency for one in given if one.dependency.name not in passed_over]
    waiting = [one for one in waiting if applies(one, markers)]
    while waiting:
        dependency = waiting.pop(0)
        name, source = dependency.name, dependency.source
        followed = extras.setdefault(name, set())
        new = dependency.extras - followed
        followed |= new
        if not isinstance(source, IndexSource):
            if asked.setdefault(name, source) != source:
                raise TwoSources(name, asked[name], source)
            if name not in found:
                found[name] = describe(dependency)
                declared[name] = _declared(found[name], source)
                new = frozenset({"", *followed})
        waiting += [
            one
            for one in declared.get(name, ())
            if one.name not in passed_over and any(applies(one, markers, extra) for extra in new)
        ]
    return DirectSources(found, asked)


def _declared(direct: Direct, source: Source) -> list[Dependency]:
    try:
        return [parse_dependency(text) for text in direct.metadata.requires_dist]
    except BadRequirement as error:
        raise BadMetadata(str(error), where=str(source)) from None
