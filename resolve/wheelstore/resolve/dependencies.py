"""Requirements as distributions and projects declare them (PEP 508), and when their markers hold.

The solver asks for the same few thousand texts again and again, and for the same markers under every
version of a project: both are parsed once per text, and evaluated once per target and extra. A text that
was seen before costs 0.05 µs, one with a new specifier 7 µs, and packaging 20 to 40 µs for each with a marker.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from wheelstore.resolve.coverage import parse_marker
from wheelstore.resolve.pins import normalize, parse_extras
from wheelstore.resolve.problem import Dependency
from wheelstore.resolve.references import BadReference, is_absolute, parse_reference
from wheelstore.resolve.requirement import BadRequirement, parse_packaging

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

_MANY = 65_536
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_CLAUSE = r"(?:[<>]=?|[=!]=|~=)[ \t]*[0-9][A-Za-z0-9.!+]*(?:\*)?"
_CLAUSES = rf"{_CLAUSE}(?:[ \t]*,[ \t]*{_CLAUSE})*"
# What nearly every requirement looks like; everything else, and every error, is left to packaging.
_COMMON = re.compile(
    rf"[ \t]*(?P<name>{_NAME})[ \t]*(?:\[(?P<extras>{_NAME}(?:[ \t]*,[ \t]*{_NAME})*)\])?[ \t]*"
    rf"(?:(?P<bare>{_CLAUSES})|\([ \t]*(?P<wrapped>{_CLAUSES})[ \t]*\))?[ \t]*"
    r"(?:;(?P<marker>[^;]*))?\Z"
)
_ENVIRONMENTS = 64

_evaluated: dict[int, tuple[Mapping[str, str], dict[tuple[int, str], tuple[Marker, bool]]]] = {}


@lru_cache(maxsize=_MANY)
def parse_dependency(text: str, directory: Path | None = None) -> Dependency:
    """Read one requirement of metadata or of a project file.

    Sloppy texts are taken as far as packaging takes them (`demo (>=1.0)`, `demo>=1,`).

    Args:
        directory: where relative paths behind an `@` start; without it there are none.

    Raises:
        BadRequirement: it does not parse, or its URL or path names nothing installable.
    """
    match = _COMMON.match(text)
    if match is not None:
        dependency = _from_common(match, text)
        if dependency is not None:
            return dependency
    parsed = parse_packaging(text)
    name, extras = normalize(parsed.name), parse_extras(",".join(parsed.extras))
    if parsed.url is not None:
        return _direct(parsed, text, directory)
    marker = parse_marker(str(parsed.marker)) if parsed.marker is not None else None
    specifier = _specifier(str(parsed.specifier))
    return Dependency(name=name, extras=extras, specifier=specifier, marker=marker, text=text.strip())


def _from_common(match: re.Match[str], text: str) -> Dependency | None:
    """Return what a text of the common form says, None where packaging has to say what is wrong with it."""
    marker = match["marker"]
    try:
        return Dependency(
            name=normalize(match["name"]),
            extras=parse_extras(match["extras"]) if match["extras"] else frozenset(),
            specifier=_specifier(match["bare"] or match["wrapped"] or ""),
            marker=parse_marker(marker.strip()) if marker is not None and marker.strip() else None,
            text=text.strip(),
        )
    except ValueError:  # a specifier, or a marker
        return None


@lru_cache(maxsize=_MANY)
def _specifier(text: str) -> SpecifierSet:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(text)


def _direct(parsed: Requirement, text: str, directory: Path | None) -> Dependency:
    url = parsed.url or ""
    if directory is None and not is_absolute(url):
        raise BadRequirement(f"{text!r} is relative, and there is nothing that it could be relative to")
    try:
        reference = parse_reference(url, directory=directory or Path("/"), name=parsed.name, pinned=False)
    except BadReference as error:
        raise BadRequirement(str(error)) from None
    return Dependency(
        name=normalize(parsed.name),
        extras=reference.extras | parse_extras(",".join(parsed.extras)),
        specifier=_specifier(""),
        marker=parse_marker(str(parsed.marker)) if parsed.marker is not None else None,
        text=text.strip(),
        source=reference.source,
        hashes=reference.hashes,
    )


def applies(dependency: Dependency, environment: Mapping[str, str], extra: str = "") -> bool:
    """Tell whether a dependency is asked for on a target (its `markers`), by the project itself or its `extra`."""
    return dependency.marker is None or evaluate(dependency.marker, environment, extra)


def evaluate(marker: Marker, environment: Mapping[str, str], extra: str = "") -> bool:
    """Tell whether a marker holds; one that compares what cannot be compared does not (as in uv).

    The answer is remembered for this very environment object: it must not change.
    """
    known = _evaluated.get(id(environment))
    if known is None:
        while len(_evaluated) >= _ENVIRONMENTS:
            _evaluated.pop(next(iter(_evaluated)), None)
        known = _evaluated[id(environment)] = (environment, {})  # which keeps the object, and so its id
    answers = known[1]
    answer = answers.get((id(marker), extra))
    if answer is None:
        answer = answers[id(marker), extra] = (marker, _evaluate(marker, environment, extra))
    return answer[1]


def _evaluate(marker: Marker, environment: Mapping[str, str], extra: str) -> bool:
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

    try:
        return marker.evaluate({**environment, "extra": extra}, "requirement")
    except (UndefinedComparison, UndefinedEnvironmentName):
        return False


def settle_extras(marker: Marker, extras: Collection[str]) -> Marker | bool:
    """Return what is left of a marker when it is known which extras (normalized names) are asked for."""
    left = _settled(marker._markers, extras)  # noqa: SLF001 (packaging has no other way to look inside)
    return left if isinstance(left, bool) else parse_marker(left)


def _settled(node: object, extras: Collection[str]) -> str | bool:
    """Settle a node of packaging's tree: a comparison, or a list of nodes with `and` and `or` between."""
    if isinstance(node, tuple):
        left, operator, right = node
        names = [each.value for each in (left, right) if str(each) != "extra"]
        if len(names) == 2:
            return f"{left.serialize()} {operator.serialize()} {right.serialize()}"
        return (normalize(names[0]) in extras) is (operator.value == "==")
    if not isinstance(node, list):
        return str(node)
    alternatives: list[list[str | bool]] = [[]]
    for each in node:
        if each == "or":
            alternatives.append([])
        elif each != "and":
            alternatives[-1].append(_settled(each, extras))
    return _joined("or", [_joined("and", parts) for parts in alternatives])


def _joined(word: str, parts: Iterable[str | bool]) -> str | bool:
    absorbing = word == "or"
    left = [part for part in parts if part is not (not absorbing)]
    if any(part is absorbing for part in left):
        return absorbing
    texts = [str(part) for part in left]
    if not texts:
        return not absorbing
    if len(texts) == 1:
        return texts[0]
    return f" {word} ".join(f"({text})" if " or " in text and word == "and" else text for text in texts)
