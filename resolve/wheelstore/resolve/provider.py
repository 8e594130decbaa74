"""What the solver asks: which version is best, and what it depends on. No answer depends on when it is asked.

A package is a project's name, or ``name[extra]``, which depends on the same version of ``name``. What a version
depends on is a range (`ranges.Range`) of each project; what cannot be taken at all (`usable`) is in no range that
is chosen from, so that the solver only learns that nothing is left, and `explanation` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from nab_resolver.resolver import BaseProvider

from wheelstore.resolve.candidates import admits_python
from wheelstore.resolve.dependencies import applies, parse_dependency, settle_extras
from wheelstore.resolve.direct_sources import DirectSources
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.pins import IndexSource
from wheelstore.resolve.problem import Dependency, Metadata, Preference, Problem
from wheelstore.resolve.projects import Catalog, Project, admitted
from wheelstore.resolve.ranges import FULL, Range
from wheelstore.resolve.requirement import BadRequirement
from wheelstore.resolve.usable import Refusal, Why

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


Bits = Any
"""A `Range`; nab_resolver's protocols only know that it has some type."""


def split(package: str) -> tuple[str, str]:
    """A package's project and extra; the extra is empty for the project itself."""
    name, bracket, extra = package.partition("[")
    return name, extra[:-1] if bracket else ""


class Provider(BaseProvider[str, int]):
    """The facts of one problem, as the solver asks for them."""

    def __init__(self, problem: Problem, catalog: Catalog, direct: DirectSources) -> None:
        self.problem, self.catalog, self.direct = problem, catalog, direct
        self.projects: dict[str, Project] = {}
        self._rules = problem.rules
        self._allowed: dict[str, Range] = {}
        self._sooner: dict[str, Range] = {}  # than other pre-releases
        self._dependencies: dict[tuple[str, int], Mapping[str, Range]] = {}
        names = dict.fromkeys(given.dependency.name for given in problem.roots)
        self._order: dict[str, int] = {name: number for number, name in enumerate(names)}
        self._positive: Mapping[str, Any] = {}
        self._overrides: dict[str, list[Dependency]] = {}
        for given in problem.overrides:
            self._overrides.setdefault(given.dependency.name, []).append(given.dependency)
        stated = [given.dependency for given in (*problem.roots, *problem.constraints, *problem.overrides)]
        self._explicit = {one.name for one in stated if any(_is_pre(part.version) for part in one.specifier)}
        self._exact: dict[str, list[SpecifierSet]] = {}
        for one in stated:
            if any(part.operator in ("==", "===") and not part.version.endswith("*") for part in one.specifier):
                self._exact.setdefault(one.name, []).append(one.specifier)
        self._direct_names = {given.dependency.name for given in problem.roots}

    # What the solver asks.

    def choose_version(self, package: str, version_range: Bits) -> int | None:
        """The best version of a range that can be taken."""
        name, extra = split(package)
        if extra and (base := self._positive.get(name)) is not None:
            found = self._best(name, version_range & base, extra)
            if found is not None:
                return found
        return self._best(name, version_range, extra)

    def has_satisfying_version(self, package: str, version_range: Bits) -> bool:
        """Whether there is one."""
        name, extra = split(package)
        return self._best(name, version_range, extra) is not None

    def receive_partial_solution_hint(self, positive_ranges: Mapping[str, Any], decisions: Mapping[str, int]) -> None:  # noqa: ARG002
        """Keep what the solver has come to: an extra is chosen at a version that its project may have."""
        self._positive = positive_ranges

    def prioritize(
        self,
        package: str,
        version_range: Bits,
        conflict_counts: Mapping[str, int],
        culprit_counts: Mapping[str, int] | None = None,
    ) -> tuple[bool, int, int, int, str]:
        """What has one version left first, then what keeps losing its own, then as they were met; extras after theirs.

        What keeps making others lose theirs comes after those: chosen first again, it would again send them through
        all their versions.
        """
        name, extra = split(package)
        known = self.project(name).known
        single = (version_range & known).bit_count() <= 1
        lost, won = conflict_counts.get(package, 0), (culprit_counts or {}).get(package, 0)
        return (
            not single,
            -lost if lost >= _MANY else 0,
            won if won >= _MANY else 0,
            self._order.setdefault(name, len(self._order)),
            extra,
        )

    def get_dependencies(self, package: str, version: int) -> Mapping[str, Range]:
        """What a version depends on."""
        key = (package, version)
        found = self._dependencies.get(key)
        if found is None:
            name, extra = split(package)
            found = self._dependencies[key] = self._ranges(name, version, extra)
        return found

    def widen_decision(self, package: str, version: int) -> Range | None:
        """Versions that depend on the same, of those that were looked at or cannot be taken."""
        same = self._dependencies[package, version]
        name, _ = split(package)
        project = self.project(name)
        found = 0
        for number in range(len(project.versions)):
            if number in project.refused or self._dependencies.get((package, number)) == same:
                found |= 1 << number
        return Range(found) if found.bit_count() > 1 else None

    def narrow_for_display(self, package: object, constraint: Bits) -> Bits:
        """Only what exists."""
        return constraint & self.project(split(package)[0]).known if isinstance(package, str) else constraint

    # What those answers come from.

    def project(self, name: str) -> Project:
        """One project, of an index or the one version of a direct source."""
        project = self.projects.get(name)
        if project is None:
            project = self.direct.project(name) or self.catalog.project(name)
            self.projects[name] = project
            explicit = name in self._explicit
            self._allowed[name], self._sooner[name] = admitted(project, self._rules.prereleases, explicit=explicit)
        return project

    def allowed(self, name: str) -> Range:
        """The versions of a project that may be taken as far as pre-releases go."""
        self.project(name)
        return self._allowed[name]

    def range_of(self, dependency: Dependency) -> Range:
        """The versions that a dependency allows."""
        versions = self.project(dependency.name).versions
        return versions.range_of(dependency.specifier) if dependency.specifier else FULL

    def metadata(self, name: str, version: int) -> Metadata:
        """What a version that was chosen says."""
        known = self.direct.metadata(name)
        if known is not None:
            return known
        usable = self.projects[name].look(version, rules=self._rules, target=self.problem.target, pinned=True)
        assert usable is not None
        return self.catalog.metadata(usable.source, name)

    def depended(self, name: str, version: int, extra: str = "") -> list[Dependency]:
        """The dependencies that count here: markers, overrides and excludes applied."""
        return self._effective(self.metadata(name, version), extra)

    def was_asked(self, package: str, version: int) -> bool:
        """Whether the solver has asked what a version depends on."""
        return (package, version) in self._dependencies

    def _best(self, name: str, among: Range, extra: str) -> int | None:
        project = self.project(name)
        left = int(among) & int(self._allowed[name])
        preferred = self.problem.preferred.get(name)
        if preferred is not None:
            for number in project.versions.exactly(preferred).numbers():
                if left >> number & 1 and self._can_be_taken(project, number, extra):
                    return number
        lowest = self._rules.preference is Preference.LOWEST or (
            self._rules.preference is Preference.LOWEST_DIRECT and name in self._direct_names
        )
        sooner = int(self._sooner[name])
        for bits, group in product((sooner, ~sooner), project.groups):
            part = left & bits & group
            while part:
                number = (part & -part).bit_length() - 1 if lowest else part.bit_length() - 1
                if self._can_be_taken(project, number, extra):
                    return number
                part &= ~(1 << number)
        return None

    def _can_be_taken(self, project: Project, number: int, extra: str) -> bool:
        """Whether a version can be chosen; one with an extra of which it cannot, cannot at all."""
        if number in project.refused:
            return False
        name = project.name
        metadata = self.direct.metadata(name)
        if metadata is not None:
            return self._admits(project, number, metadata) and not self._has_stranger(project, number, metadata, extra)
        pinned = self._is_pinned(project, number)
        usable = project.look(number, rules=self._rules, target=self.problem.target, pinned=pinned)
        if usable is None:
            return False
        try:
            metadata = self.catalog.metadata(usable.source, name)
            if self._has_stranger(project, number, metadata, extra):
                return False
        except (ResolveError, BadRequirement) as error:
            if getattr(error, "is_outage", False):
                raise
            project.refuse(number, Refusal(Why.METADATA, str(error)))
            return False
        if not self._admits(project, number, metadata):  # where the page did not say so
            return False
        itself = [one for one in self._effective(metadata, "") if one.name == name]
        if any(number not in project.versions.range_of(one.specifier) for one in itself):
            project.refuse(number, Refusal(Why.METADATA, "it depends on another version of itself"))
            return False
        return True

    def _admits(self, project: Project, number: int, metadata: Metadata) -> bool:
        """Refuse a version that is not for this Python."""
        admits = admits_python(metadata.requires_python, self.problem.target.python)
        if not admits:
            project.refuse(number, Refusal(Why.PYTHON, metadata.requires_python or ""))
        return admits

    def _has_stranger(self, project: Project, number: int, metadata: Metadata, extra: str) -> bool:
        """Refuse a version that asks for a project at an address that nobody chose; an index's is another one.

        Raises:
            BadRequirement: it asks for what is no requirement.
        """
        extras = ("", extra) if extra else ("",)
        asked = (one for some in extras for one in self._effective(metadata, some))
        stranger = next((one for one in asked if not self._is_known(one)), None)
        if stranger is not None:
            project.refuse(number, Refusal(Why.DIRECT, stranger.text))
        return stranger is not None

    def _is_known(self, dependency: Dependency) -> bool:
        return isinstance(dependency.source, IndexSource) or self.direct.has(dependency)

    def _is_pinned(self, project: Project, number: int) -> bool:
        preferred = self.problem.preferred.get(project.name)
        if preferred is not None and project.versions[number] == preferred:
            return True
        exact = self._exact.get(project.name, ())
        return any(number in project.versions.range_of(specifier) for specifier in exact)

    def _effective(self, metadata: Metadata, extra: str) -> list[Dependency]:
        if self._rules.no_dependencies:
            return []
        found: list[Dependency] = []
        overridden: set[str] = set()
        markers = self.problem.target.markers
        for text in metadata.requires_dist:
            dependency = parse_dependency(text)
            if dependency.name in self.problem.excludes:
                continue
            if dependency.name in self._overrides:
                if _is_for(dependency, extra) and dependency.name not in overridden:
                    overridden.add(dependency.name)
                    found += [one for one in self._overrides[dependency.name] if applies(one, markers)]
                continue
            if applies(dependency, markers, extra) and not (extra and applies(dependency, markers)):
                found.append(dependency)
        return found

    def _ranges(self, name: str, version: int, extra: str) -> dict[str, Range]:
        dependencies = self._effective(self.metadata(name, version), extra)
        self.catalog.want(one.name for one in dependencies if not self.direct.has_name(one.name))
        ranges = {name: Range.singleton(version)} if extra else {}
        for dependency in dependencies:
            self._add(ranges, dependency, name)
        if self.catalog.is_fetching:
            self._foresee(ranges)
        return ranges

    def _add(self, ranges: dict[str, Range], dependency: Dependency, parent: str) -> None:
        allowed = self.range_of(dependency)
        self._order.setdefault(dependency.name, len(self._order))
        names = [f"{dependency.name}[{extra}]" for extra in sorted(dependency.extras)]
        if dependency.name != parent:
            names.insert(0, dependency.name)
        for package in names:
            ranges[package] = ranges[package] & allowed if package in ranges else allowed

    def _foresee(self, ranges: Mapping[str, Range]) -> None:
        """Fetch the metadata of what will probably be chosen."""
        for package, allowed in ranges.items():
            name, extra = split(package)
            if extra or self.direct.has_name(name):
                continue
            project = self.project(name)
            left = int(allowed) & int(self._allowed[name])
            if not left:
                continue
            number = (left & int(self._sooner[name]) or left).bit_length() - 1
            usable = project.look(
                number, rules=self._rules, target=self.problem.target, pinned=self._is_pinned(project, number)
            )
            if usable is not None:
                self.catalog.foresee(usable.source, name)


def _is_for(dependency: Dependency, extra: str) -> bool:
    """Whether a dependency is one of an extra, or of none if that is empty, wherever else it applies."""
    if dependency.marker is None:
        return not extra
    always = settle_extras(dependency.marker, ()) is not False
    return always if not extra else not always and settle_extras(dependency.marker, (extra,)) is not False


_MANY = 5  # conflicts; as uv counts


def _is_pre(version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version.removesuffix(".*")).is_prerelease
    except InvalidVersion:
        return False


def extras_of(packages: Iterable[str]) -> dict[str, frozenset[str]]:
    """Which extras were solved for, by project."""
    found: dict[str, set[str]] = {}
    for package in packages:
        name, extra = split(package)
        found.setdefault(name, set()).update({extra} - {""})
    return {name: frozenset(extras) for name, extras in found.items()}
