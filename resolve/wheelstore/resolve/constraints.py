"""What constraint files do to a lock: they pin what is unpinned, and contradict what is pinned otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wheelstore.resolve.pins import Conflict, IndexSource, LockError, Pin

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelstore.resolve.requirement import Requirement


def constrain(pin: Pin, constraints: Iterable[Requirement]) -> Pin:
    """Return the pin with what the constraints on its name add: a local version, fewer hashes.

    Raises:
        Conflict: a constraint excludes the pin.
    """
    for constraint in constraints:
        other = constraint.pin
        if not isinstance(other.source, IndexSource):
            pin = _with_source(pin, constraint)
        elif pin.version is not None:
            pin = _with_version(pin, constraint)
        if other.hashes:
            hashes = tuple(sorted({*pin.hashes} & {*other.hashes})) if pin.hashes else other.hashes
            if not hashes:
                message = f"{pin.spelling} has no hash that its constraint allows"
                raise Conflict(pin.position, message, other.position)
            pin = replace(pin, hashes=hashes)
    return pin


def settle(requirement: Requirement, constraints: Sequence[Requirement]) -> Pin | None:
    """Return the pin that the constraints make of an unpinned requirement, None if they make none.

    Raises:
        Conflict: the requirement excludes what its constraint pins, or two constraints contradict.
    """
    pinning = next((constraint for constraint in constraints if constraint.settles), None)
    if pinning is None:
        return None
    version = pinning.pin.version
    if version is not None and not _allows(requirement, version):
        message = f"{requirement.text} excludes its constraint {pinning.text}"
        raise Conflict(requirement.pin.position, message, pinning.pin.position)
    pin = replace(requirement.pin, version=version, source=pinning.pin.source)
    return constrain(pin, constraints)


def apply_constraints(
    pins: Iterable[Pin], unpinned: Iterable[Requirement], constraints: Iterable[Requirement]
) -> tuple[list[Pin], list[Requirement], list[LockError]]:
    """Apply constraints to all lines of a lock; their markers have been looked at.

    Returns the pins, the requirements that stay unpinned, and the contradictions found.
    """
    by_name: dict[str, list[Requirement]] = {}
    for constraint in constraints:
        by_name.setdefault(constraint.pin.name, []).append(constraint)
    settled: list[Pin] = []
    left: list[Requirement] = []
    errors: list[LockError] = []
    for pin in pins:
        try:
            settled.append(constrain(pin, by_name[pin.name]) if pin.name in by_name else pin)
        except Conflict as error:
            errors.append(error)
    for requirement in unpinned:
        try:
            made = settle(requirement, by_name.get(requirement.pin.name, ()))
        except Conflict as error:
            errors.append(error)
            continue
        if made is None:
            left.append(requirement)
        else:
            settled.append(made)
    return settled, left, errors


def _with_source(pin: Pin, constraint: Requirement) -> Pin:
    source, version = constraint.pin.source, constraint.pin.version
    if source == pin.source:
        return pin
    if isinstance(pin.source, IndexSource) and version in (None, pin.version):
        return replace(pin, source=source)
    raise _contradiction(pin, constraint)


def _with_version(pin: Pin, constraint: Requirement) -> Pin:
    assert pin.version is not None
    wanted = constraint.pin.version
    if wanted is None:
        if _allows(constraint, pin.version):
            return pin
    elif wanted == pin.version or _is_local_of(pin.version, wanted):
        return pin
    elif _is_local_of(wanted, pin.version):
        return replace(pin, version=wanted)  # ==1.0 and ==1.0+local both hold for 1.0+local
    raise _contradiction(pin, constraint)


def _is_local_of(version: Version, public: Version) -> bool:
    from packaging.version import Version

    return version.local is not None and Version(version.public) == public


def _allows(requirement: Requirement, version: Version) -> bool:
    return requirement.specifier is None or requirement.specifier.contains(version, prereleases=True)


def _contradiction(pin: Pin, constraint: Requirement) -> Conflict:
    message = f"{pin.spelling} contradicts its constraint {constraint.text}"
    return Conflict(pin.position, message, constraint.pin.position)
