"""One requirement: a name with a specifier, a URL, a path; what it pins, if it pins anything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelstore.resolve.coverage import BadMarker, condensed, parse_marker
from wheelstore.resolve.pins import INDEX, IndexSource, NotPinned, Pin, Position, normalize, parse_extras
from wheelstore.resolve.references import (
    BadReference,
    Reference,
    is_reference,
    parse_reference,
    split_marker,
)

if TYPE_CHECKING:
    from packaging.requirements import Requirement as Dependency
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version

_NAME_AT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\]\s*)?@\s*(?=\S)")
_SINGLE_EQUALS = re.compile(r"(?<![=<>!~])=([<>!~]?)(?!=)")
_EXCERPT = 120
_LOCK_IT = "only a line with == and one version is a pin; 'store lock' writes such a file"
_SPACE_HINT = "a space behind a backslash keeps the next line from joining"
_NAME_IT = "write it as 'NAME @ …'"


class BadRequirement(ValueError):
    """What is neither a dependency specifier (PEP 508) nor a URL or path that pip would take."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A line that need not name one version: a requirement of a file, or a constraint.

    `pin` is what it says about its distribution (its version is None unless the line names one);
    `specifier` is set where the line allows more than one version; `text` is the line, `read` the files
    whose content decided what it means.
    """

    pin: Pin
    text: str
    specifier: SpecifierSet | None = None
    read: tuple[Path, ...] = ()

    @property
    def settles(self) -> bool:
        """Whether exactly one distribution satisfies the line."""
        return self.pin.version is not None or not isinstance(self.pin.source, IndexSource)

    def not_pinned(self) -> NotPinned:
        """Return the error that this line is, if no constraint pins it."""
        if "==" in self.text and ".*" in self.text:
            reason = "is not pinned: a wildcard stands for many versions"
        else:
            reason = "is not pinned with =="
        return NotPinned(self.pin.position, f"{_short(self.text)} {reason}", _LOCK_IT)


def parse_requirement(
    text: str,
    *,
    directory: Path,
    editable: bool = False,
    hashes: Iterable[str] = (),
    config_settings: tuple[tuple[str, str], ...] = (),
    position: Position,
    pinned: bool = True,
) -> Requirement:
    """Read one requirement without its options; relative paths start at `directory`.

    Where it need not be `pinned`, it can be a checkout without a revision, or a source whose name only building
    it tells: the pin's name is empty then.

    Raises:
        BadRequirement: it does not parse, or contradicts itself.
    """
    if text.endswith("\\"):
        raise BadRequirement(f"{_quoted(text)} ends in a backslash, but not its line", _SPACE_HINT)
    try:
        if _NAME_AT.match(text):
            dependency = parse_packaging(text)
            url = dependency.url or ""
            reference = parse_reference(
                url, directory=directory, editable=editable, name=dependency.name, pinned=pinned
            )
            extras, marker = parse_extras(",".join(dependency.extras)), dependency.marker
        elif editable or is_reference(text):
            location, condition = split_marker(text)
            extras, marker = frozenset[str](), parse_marker(condition) if condition else None
            reference = parse_reference(location, directory=directory, editable=editable, pinned=pinned)
        else:
            return _from_dependency(text, hashes=hashes, config_settings=config_settings, position=position)
    except (BadReference, BadMarker) as error:
        raise BadRequirement(str(error)) from None
    if hashes and not reference.file:
        raise BadRequirement(f"{reference.source} is no file and can have no hash")
    pin = Pin(
        name=_name_of(reference) if pinned or reference.name else normalize(""),
        version=reference.version,
        extras=reference.extras | extras,
        marker=marker,
        hashes=tuple(sorted({*hashes, *reference.hashes})),
        source=reference.source,
        config_settings=config_settings,
        position=position,
    )
    return Requirement(pin=pin, text=text, read=reference.read)


def _short(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[: _EXCERPT - 1]}…"


def _quoted(text: str) -> str:
    return repr(_short(text))


def _name_of(reference: Reference) -> NormalizedName:
    if reference.name is None:
        raise BadRequirement(f"the name of {reference.source} is not known without building it", _NAME_IT)
    return reference.name


def _from_dependency(
    text: str,
    *,
    hashes: Iterable[str],
    config_settings: tuple[tuple[str, str], ...],
    position: Position,
) -> Requirement:
    dependency = parse_packaging(text)
    version = _exact_version(dependency, text)
    pin = Pin(
        name=normalize(dependency.name),
        version=version,
        extras=parse_extras(",".join(dependency.extras)),
        marker=dependency.marker,
        hashes=tuple(sorted(set(hashes))),
        source=INDEX,
        config_settings=config_settings,
        position=position,
    )
    shown = text.partition(";")[0].rstrip()
    return Requirement(pin=pin, text=shown, specifier=dependency.specifier if version is None else None)


def parse_packaging(text: str) -> Dependency:
    """Parse a dependency specifier (PEP 508).

    Raises:
        BadRequirement: with a hint that points at the column.
    """
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Dependency

    stripped = text.rstrip("; \t")
    try:
        return Dependency(stripped)
    except InvalidRequirement as error:
        message = f"{_quoted(text)} is not a requirement: {condensed(error)}"
        raise BadRequirement(message, _pointed(stripped, error)) from None


def _pointed(text: str, error: ValueError) -> str | None:
    """Return a hint: what may have been meant, and the text with a mark below the place."""
    single = _SINGLE_EQUALS.search(text.partition(";")[0])
    if single:
        meant = f"{single[1]}=" if single[1] else "=="
        hint, start, end = f"{single[0]} is no operator, did you mean {meant}?", *single.span()
    else:
        hint, (start, end) = "look here:", getattr(error.__cause__, "span", (0, 0))
        start = end if text[start:end].strip() else start  # packaging marks what it took, up to the place
    if "://" in text:  # may hold a secret
        return hint if single else None
    cut = max(0, start - _EXCERPT // 2)
    shown = text[cut : cut + _EXCERPT]
    return f"{hint}\n    {shown}\n    {' ' * (start - cut)}{'^' * max(1, end - start)}"


def _exact_version(dependency: Dependency, text: str) -> Version | None:
    """Return the one version that the specifiers allow, None if they allow several (or other) versions."""
    from packaging.version import InvalidVersion, Version

    exact = [
        each.version
        for each in dependency.specifier
        if each.operator == "===" or (each.operator == "==" and not each.version.endswith(".*"))
    ]
    try:
        versions = [Version(each) for each in exact]
    except InvalidVersion as error:
        raise BadRequirement(f"{_quoted(text)} is not a requirement: {error}") from None
    if len(dependency.specifier) <= 1:
        return versions[0] if versions else None
    for version in versions:
        if dependency.specifier.contains(version, prereleases=True):
            return version
    if versions:
        raise BadRequirement(f"{_quoted(text)} contradicts itself")
    return None
