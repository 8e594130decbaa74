"""Projects that are to be locked: what pyproject.toml states, and what only their metadata tells (PEP 621, PEP 735)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wheelstore.resolve.dependencies import parse_dependency, settle_extras
from wheelstore.resolve.pins import LockError, PathSource, Position, normalize, raise_all
from wheelstore.resolve.problem import Dependency, Given
from wheelstore.resolve.requirement import BadRequirement
from wheelstore.resolve.requirements_in import parse_given

if TYPE_CHECKING:
    from packaging.markers import Marker

    from wheelstore.resolve.problem import Metadata


class RequiresPython(NamedTuple):
    """What a project says about Python (PEP 440), and where."""

    specifier: str
    position: str


class Unbuilt(NamedTuple):
    """A project whose dependencies only its metadata tells; `extras` are asked for, all if None."""

    source: PathSource
    file: str
    extras: frozenset[str] | None

    def requirements(self, metadata: Metadata) -> tuple[Given, ...]:
        """Return what the project asks for, by its metadata.

        Raises:
            LockError: one of the requirements does not parse.
        """
        name = normalize(metadata.name)
        origin = f"{name} ({self.file})"
        offered = metadata.extras if self.extras is None else self.extras
        asked: set[str] = {normalize(extra) for extra in offered}
        while True:  # an extra may ask for further extras of its own project
            found = list(self._applying(metadata, asked))
            more: set[str] = {extra for each in found if each.name == name for extra in each.extras} - asked
            if not more:
                return tuple(Given(each, origin, self.file) for each in found if each.name != name)
            asked |= more

    def _applying(self, metadata: Metadata, extras: Collection[str]) -> Iterator[Dependency]:
        for text in metadata.requires_dist:
            try:
                dependency = parse_dependency(text, self.source.path)
            except BadRequirement as error:
                raise LockError(Position(self.file), f"Requires-Dist: {error}", error.hint) from None
            if dependency.marker is None:
                yield dependency
                continue
            left = settle_extras(dependency.marker, extras)
            if left is not False:
                yield replace(dependency, marker=None if left is True else left)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFile:
    """What a pyproject.toml says about what to lock.

    Attributes:
        given: dependencies, those of the extras, those of the groups.
        unbuilt: the project, if its metadata has to say what the file does not.
        extras, groups: all that it offers, normalized.
    """

    name: str | None
    given: tuple[Given, ...]
    unbuilt: Unbuilt | None
    extras: frozenset[str]
    groups: frozenset[str]
    requires_python: RequiresPython | None


def read_project_file(
    path: Path, data: bytes, *, extras: Collection[str] | None, groups: Collection[str], only_groups: bool = False
) -> ProjectFile:
    """Read a pyproject.toml that was found at `path`.

    Args:
        extras: what to take of the optional dependencies; None for all. Names that the file does not have
            are left to the caller, and so are those of `groups`.
        only_groups: nothing but the groups counts.

    Raises:
        LockError: not TOML, or of another shape than the standards say, with all problems.
    """
    return _Reading(path, data).result(extras, groups, only_groups=only_groups)


class _Reading:
    """One pyproject.toml while it is read; what is wrong with it collects in `errors`."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.file = str(path)
        self.directory = Path(os.path.abspath(path)).parent
        self.errors: list[LockError] = []
        self.text, self.toml = self._parsed(data)
        project = self._table(self.toml, "project", "")
        self.project = project or {}
        name = self.project.get("name")
        if project is not None and (not isinstance(name, str) or not name):
            self._fail("project.name", "is missing" if name is None else "is no name")
        self.name = normalize(name) if isinstance(name, str) and name else None

    def result(self, extras: Collection[str] | None, groups: Collection[str], *, only_groups: bool) -> ProjectFile:
        """Put together what is asked for."""
        dynamic = self._strings(self.project.get("dynamic", []), "project.dynamic")
        optional = self._lists(self.project, "optional-dependencies", "project.")
        tables = self._lists(self.toml, "dependency-groups", "")
        asked: set[str] = set(optional) if extras is None else {normalize(each) for each in extras}
        build = "project" not in self.toml or "dependencies" in dynamic
        build = (build or (bool(asked or extras is None) and "optional-dependencies" in dynamic)) and not only_groups
        given: list[Given] = []
        if not only_groups and not build:
            given += self._declared(optional, asked)
        for group in dict.fromkeys(normalize(each) for each in groups):
            if group in tables:
                given += self._group(tables, group, group, ())
        requires = None if only_groups else self._requires_python()
        raise_all(self.errors)
        source = PathSource(path=self.directory)
        return ProjectFile(
            name=self.name,
            given=tuple(given),
            unbuilt=Unbuilt(source, self.file, None if extras is None else frozenset(asked)) if build else None,
            extras=frozenset(optional),
            groups=frozenset(tables),
            requires_python=requires,
        )

    def _declared(self, optional: dict[str, Any], asked: set[str]) -> Iterator[Given]:
        """Yield the dependencies and those of the extras; the project's own extras stand for what they hold."""
        seen: set[tuple[str, str]] = set()
        for extra in ("", *sorted(asked & set(optional))):
            for given in self._of_extra(optional, extra, None, within=(), asked=asked):
                place = given.position, str(given.dependency.marker)
                if place not in seen:  # two extras may ask for the same one
                    seen.add(place)
                    yield given

    def _of_extra(
        self,
        optional: dict[str, Any],
        extra: str,
        marker: Marker | None,
        *,
        within: tuple[str, ...],
        asked: Collection[str],
    ) -> Iterator[Given]:
        """Yield an extra's requirements, where `marker` is true; those `asked` for are not brought by others, too."""
        key = f"project.optional-dependencies.{extra}" if extra else "project.dependencies"
        items = optional[extra] if extra else self.project.get("dependencies", [])
        chain = (*within, extra)
        more: list[tuple[str, Marker | None]] = []
        for number, text in enumerate(self._strings(items, key)):
            given = self._requirement(text, f"{key}[{number}]", f"{self.name} ({self.file})")
            if given is None:
                continue
            both = _both(marker, given.dependency.marker)
            if given.dependency.name != self.name:
                yield given._replace(dependency=replace(given.dependency, marker=both))
                continue
            more += [(own, both) for own in sorted(given.dependency.extras & set(optional) - set(chain) - set(asked))]
        for own, where in more:
            yield from self._of_extra(optional, own, where, within=chain, asked=asked)

    def _group(self, tables: dict[str, Any], group: str, asked: str, within: tuple[str, ...]) -> Iterator[Given]:
        """Yield a group's requirements; what it includes counts as its own (PEP 735)."""
        origin = f"{self.name} ({self.file}:{asked})" if self.name else f"{self.file}:{asked}"
        items = tables[group]
        if not isinstance(items, list):
            self._fail(f"dependency-groups.{group}", "is no list")
            return
        for number, item in enumerate(items):
            key = f"dependency-groups.{group}[{number}]"
            if isinstance(item, str):
                given = self._requirement(item, key, origin)
                if given is not None:
                    yield given
                continue
            included = item.get("include-group") if isinstance(item, dict) and len(item) == 1 else None
            if not isinstance(included, str):
                self._fail(key, "is neither a requirement nor {include-group = NAME}")
                continue
            chain = (*within, group)
            if normalize(included) in chain:
                cycle = " → ".join((*chain[chain.index(normalize(included)) :], normalize(included)))
                self._fail(key, f"the group includes itself: {cycle}")
            elif normalize(included) not in tables:
                self._fail(key, f"there is no group {included!r}")
            else:
                yield from self._group(tables, normalize(included), asked, chain)

    def _requirement(self, text: str, key: str, origin: str) -> Given | None:
        position = Position(self.file, self._line_of(text))
        try:
            return parse_given(text, directory=self.directory, origin=origin, position=position)
        except LockError as error:
            self.errors.append(LockError(position, f"{key}: {error.message}", error.hint))
            return None

    def _requires_python(self) -> RequiresPython | None:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        text = self.project.get("requires-python")
        if text is None:
            return None
        try:
            if not isinstance(text, str):
                raise InvalidSpecifier("is no text")
            return RequiresPython(str(SpecifierSet(text)), f"{self.file}:{self._line_of(text)}")
        except InvalidSpecifier as error:
            self._fail("project.requires-python", str(error))
            return None

    def _parsed(self, data: bytes) -> tuple[str, dict[str, Any]]:
        from wheelstore.resolve.pylock import decode, parse_toml

        text = decode(data, self.file)
        return text, parse_toml(text, self.file)

    def _fail(self, key: str, message: str) -> None:
        self.errors.append(LockError(Position(self.file), f"{key}: {message}"))

    def _table(self, within: dict[str, Any], key: str, prefix: str) -> dict[str, Any] | None:
        table = within.get(key)
        if table is not None and not isinstance(table, dict):
            self._fail(f"{prefix}{key}", "is no table")
            return None
        return table

    def _lists(self, within: dict[str, Any], key: str, prefix: str) -> dict[str, Any]:
        """Return a table of lists, by normalized names; two names that are one are an error."""
        found: dict[str, Any] = {}
        for name, items in (self._table(within, key, prefix) or {}).items():
            if normalize(name) in found:
                self._fail(f"{prefix}{key}.{name}", "is there twice, by its normalized name")
            found[normalize(name)] = items
        return found

    def _strings(self, items: object, key: str) -> list[str]:
        if isinstance(items, list) and all(isinstance(each, str) for each in items):
            return items
        self._fail(key, "is no list of texts")
        return []

    def _line_of(self, text: str) -> int:
        """Return the line where a text stands, 0 if it is not there as it is."""
        at = max(self.text.find(f'"{text}"'), self.text.find(f"'{text}'"))
        return self.text.count("\n", 0, at) + 1 if at >= 0 else 0


def _both(one: Marker | None, other: Marker | None) -> Marker | None:
    if one is None or other is None:
        return other if one is None else one
    from packaging.markers import Marker as Parsed

    return Parsed(f"({one}) and ({other})")
