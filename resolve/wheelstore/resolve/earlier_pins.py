"""The pins of an earlier lock at the output's place, which stay unless an upgrade is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wheelstore.resolve.dependencies import parse_dependency
from wheelstore.resolve.pins import IndexSource, LockError, LockInput, Pin, Position, raise_all
from wheelstore.resolve.problem import Given
from wheelstore.resolve.requirement import BadRequirement
from wheelstore.resolve.requirements_lines import Variables
from wheelstore.resolve.requirements_txt import RequirementsReader, is_pylock

if TYPE_CHECKING:
    from packaging.version import Version

_FLAG = "--upgrade-package"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPins:
    """What an earlier lock, and the wish to upgrade from it, mean for the next one.

    Attributes:
        preferred: versions by normalized name; of a name with several, the highest.
        constraints: what `--upgrade-package 'demo<3'` says about its version.
        inputs: the files that were read.
        warnings: one line each, for the user.
        pins: what `preferred` is made of.
    """

    preferred: Mapping[str, Version] = field(default_factory=dict)
    constraints: tuple[Given, ...] = ()
    inputs: tuple[LockInput, ...] = ()
    warnings: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()

    def preferred_on(self, markers: Mapping[str, str]) -> Mapping[str, Version]:
        """The versions that the earlier lock has for a target; for what it does not have there, as `preferred`."""
        there = (pin for pin in self.pins if pin.marker is None or pin.marker.evaluate(dict(markers)))
        return {**self.preferred, **_versions(there)}


def earlier_pins(path: Path | None, *, upgrade: bool = False, upgrade_packages: Collection[str] = ()) -> EarlierPins:
    """Read the pins of the lock at `path`, if there is one; a file that is no lock has none, and gives a warning.

    Args:
        path: where the output goes; None for standard output.
        upgrade: keep none.
        upgrade_packages: requirements whose projects are not kept.

    Raises:
        LockError: one of `upgrade_packages` is no requirement.
    """
    constraints, names, errors = list[Given](), set[str](), list[LockError]()
    for text in upgrade_packages:
        try:
            dependency = parse_dependency(text)
        except BadRequirement as error:
            errors.append(LockError(Position(_FLAG), str(error), error.hint))
            continue
        names.add(dependency.name)
        if len(dependency.specifier):
            constraints.append(Given(dependency, f"{_FLAG} {text}", _FLAG))
    raise_all(errors)
    told = tuple(constraints)
    if upgrade or path is None or not (path.is_file() or path.is_dir()):  # a pipe would be waited for
        return EarlierPins(constraints=told)
    reader = RequirementsReader(variables=Variables({}), directory=path.parent)
    try:
        pins = _pins(path, reader)
    except LockError as error:
        warning = f"{path} is overwritten without keeping its pins, for it is no lock: {error}"
        return EarlierPins(constraints=told, warnings=(warning,))
    kept = tuple(pin for pin in pins if pin.name not in names)
    return EarlierPins(preferred=_versions(kept), constraints=told, inputs=tuple(reader.inputs), pins=kept)


def _pins(path: Path, reader: RequirementsReader) -> Iterable[Pin]:
    if is_pylock(path.name):
        from wheelstore.resolve.pylock import read_pylock

        data = reader.load(path)
        raise_all(reader.errors)
        return read_pylock(path, data or b"").pins
    reader.read(path)
    raise_all(reader.errors)
    return reader.pins


def _versions(pins: Iterable[Pin]) -> dict[str, Version]:
    found: dict[str, Version] = {}
    for pin in pins:
        if pin.version is None or not isinstance(pin.source, IndexSource):
            continue
        known = found.get(pin.name)
        found[pin.name] = pin.version if known is None else max(known, pin.version)
    return dict(sorted(found.items()))
