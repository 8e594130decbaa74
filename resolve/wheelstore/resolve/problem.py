"""What is to be locked, and what came out: the values that inputs, solver, explanations and outputs share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from wheelstore.resolve.pins import INDEX, Source

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version

    from wheelstore.resolve.simple import IndexFile
    from wheelstore.resolve.target import Target


class Preference(Enum):
    """``--resolution``: which of the versions that fit; the names are uv's."""

    HIGHEST = "highest"
    LOWEST = "lowest"
    LOWEST_DIRECT = "lowest-direct"
    """The lowest of what is asked for directly, the highest of the rest."""


class Prereleases(Enum):
    """``--prerelease``: when pre-releases are taken; the names and meanings are uv's."""

    ALLOW = "allow"
    DISALLOW = "disallow"
    IF_NECESSARY = "if-necessary"
    """Where nothing else is left."""
    EXPLICIT = "explicit"
    """Of projects that an input names with a pre-release in its specifier."""
    IF_NECESSARY_OR_EXPLICIT = "if-necessary-or-explicit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One requirement, whoever has it: PEP 508 with normalized names.

    ``text`` is how it was written; ``hashes`` are a line's ``--hash`` options, ``algorithm:hex``.
    """

    name: NormalizedName
    extras: frozenset[str]
    specifier: SpecifierSet
    marker: Marker | None
    text: str
    source: Source = INDEX
    hashes: tuple[str, ...] = ()


class Given(NamedTuple):
    """A requirement of the user's, and where it stands.

    ``origin`` is for annotations: ``-r requirements.in``, ``demo (pyproject.toml)``, ``-c constraints.txt``;
    ``position`` is for errors: ``requirements.in:3``.
    """

    dependency: Dependency
    origin: str
    position: str


class Selected(NamedTuple):
    """Projects by name, or all: ``--no-binary``, ``--only-binary``."""

    everything: bool = False
    names: frozenset[str] = frozenset()

    def has(self, name: str) -> bool:
        """Whether a project (by normalized name) is among them."""
        return self.everything or name in self.names


NONE_SELECTED = Selected()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which files and versions may be taken, and which are better.

    ``exclude_newer`` is in seconds since the epoch: files that were uploaded at that time or later do not exist;
    ``exclude_newer_package`` says so for single projects. ``pinned_indexes`` are the only ones that have a project,
    by its name.
    """

    preference: Preference = Preference.HIGHEST
    prereleases: Prereleases = Prereleases.IF_NECESSARY_OR_EXPLICIT
    exclude_newer: float | None = None
    exclude_newer_package: Mapping[str, float] = field(default_factory=dict)
    no_binary: Selected = NONE_SELECTED
    only_binary: Selected = NONE_SELECTED
    no_dependencies: bool = False
    pinned_indexes: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is to be solved for one target.

    ``constraints`` narrow what others ask for; ``overrides`` replace what others declare, whatever their marker;
    ``excludes`` are left out, by name. ``preferred`` are the pins of an earlier lock, which stay if they fit.
    """

    roots: tuple[Given, ...]
    target: Target
    constraints: tuple[Given, ...] = ()
    overrides: tuple[Given, ...] = ()
    excludes: frozenset[str] = frozenset()
    preferred: Mapping[str, Version] = field(default_factory=dict)
    rules: Rules = Rules()


class Metadata(NamedTuple):
    """What a distribution's core metadata says, as far as solving goes; names are as written, texts are PEP 508."""

    name: str
    version: str
    requires_dist: tuple[str, ...] = ()
    requires_python: str | None = None
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One distribution of an answer.

    Attributes:
        extras: those that somebody asked for.
        files: all usable files of the version (of one index), for the hashes; of a URL or path, the one archive if
            there is one.
        location: the index or find-links location that has it, without credentials; empty for a direct source.
        via: who asks for it: names of distributions in the answer, and the origins of what was given.
        requires_python: the metadata's, if it says so.
        dependencies: names of what it asks for on this target, extras included.
        marker: on which targets, in a lock for several; None for all.
    """

    name: NormalizedName
    version: Version
    extras: frozenset[str] = frozenset()
    files: tuple[IndexFile, ...] = ()
    location: str = ""
    source: Source = INDEX
    via: tuple[str, ...] = ()
    requires_python: str | None = None
    dependencies: tuple[str, ...] = ()
    marker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was found: sorted by name. In a lock for several targets, a name can be there more than once.

    ``environments`` are the markers of the targets, in their order, ``requires_python`` what they have in common;
    both empty in an answer for one target.
    """

    chosen: tuple[Chosen, ...]
    environments: tuple[str, ...] = ()
    requires_python: str = ""
