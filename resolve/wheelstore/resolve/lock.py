"""A lock: the pins of all its files, and which of them hold for one target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wheelstore.resolve.constraints import apply_constraints
from wheelstore.resolve.coverage import Coverage, LockTarget
from wheelstore.resolve.pins import (
    INDEX,
    Artifact,
    Conflict,
    IndexSource,
    LockError,
    LockErrors,
    LockInput,
    NotCovered,
    NotPinned,
    PathSource,
    Pin,
    Position,
    Source,
    UrlSource,
    VcsSource,
    raise_all,
)
from wheelstore.resolve.requirements_lines import Variables
from wheelstore.resolve.requirements_options import LockOptions
from wheelstore.resolve.requirements_txt import RequirementsReader, is_pylock

if TYPE_CHECKING:
    from wheelstore.resolve.pylock import PylockContents
    from wheelstore.resolve.requirement import Requirement

__all__ = [
    "INDEX",
    "Artifact",
    "Conflict",
    "Coverage",
    "IndexSource",
    "Lock",
    "LockError",
    "LockErrors",
    "LockInput",
    "LockOptions",
    "NotCovered",
    "NotPinned",
    "PathSource",
    "Pin",
    "Position",
    "Source",
    "UrlSource",
    "VcsSource",
    "read_lock",
]

_FOREIGN_LOCKS = {
    "uv.lock": "'uv export -o pylock.toml' writes one",
    "poetry.lock": "'poetry export -o requirements.txt' writes one",
    "pdm.lock": "'pdm export -o requirements.txt' writes one",
    "pipfile.lock": "'pipenv requirements --hash > requirements.txt' writes one",
}
_HASHES_HINT = "as soon as one line has a --hash, all need one; --no-require-hashes in the lock lifts that"
_REQUIRED = "and --require-hashes demands one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Everything that the files of a lock say, for every target.

    Attributes:
        pins: in the order of the files; the same name may come more than once, under markers or with
            other extras. `for_target` is what merges them.
        unpinned, constraints: what only a target's markers can settle; nothing else is left in them.
        inputs: every file that was read, in order; an unchanged lock has equal inputs.
        environment_names: the `${VARIABLES}` that were looked up, set or not.
        coverage: what its PEP 751 files say about themselves.
        warnings: one line each, for the user.
    """

    pins: tuple[Pin, ...]
    options: LockOptions
    inputs: tuple[LockInput, ...] = ()
    environment_names: frozenset[str] = frozenset()
    unpinned: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    warnings: tuple[str, ...] = ()

    def for_target(
        self,
        markers: Mapping[str, str],
        *,
        extras: Collection[str] = (),
        groups: Collection[str] | None = None,
    ) -> tuple[Pin, ...]:
        """Return the pins that hold for a target, one per name, sorted by name.

        Equal duplicates become one pin with the hashes and extras of all.

        Args:
            markers: the target's whole PEP 508 environment, but for `extra`.
            extras: of those that a PEP 751 lock offers.
            groups: dependency groups instead of a PEP 751 lock's default ones.

        Raises:
            LockError: the lock was not made for this target, or two of its lines contradict there; all
                such problems at once.
        """
        target = LockTarget(markers, self.coverage, extras=frozenset(extras), groups=groups)
        raise_all(target.uncovered())
        strict = {each.position.file for each in self.coverage}
        pins = [pin for pin in self.pins if target.holds(pin)]
        errors: list[LockError] = []
        if self.constraints or self.unpinned:
            constraints = [each for each in self.constraints if target.holds(each.pin)]
            unpinned = [each for each in self.unpinned if target.holds(each.pin)]
            pins, left, errors = apply_constraints(pins, unpinned, constraints)
            errors += [each.not_pinned() for each in left]
            if self.options.require_hashes:
                errors += _unhashed((pin for pin in pins if pin.position.file not in strict), reason=_REQUIRED)
        errors += target.errors
        errors += [error for pin in pins for error in target.unsuited(pin)]
        merged, conflicts = _merged(pins, strict=strict)
        raise_all([*errors, *conflicts])
        return merged


def read_lock(
    paths: Sequence[Path],
    *,
    environ: Mapping[str, str],
    require_hashes: bool = False,
    stdin: bytes | None = None,
    directory: Path = Path(),
) -> Lock:
    """Read all files of a lock, as one: options and constraints of each speak for all.

    A file named `pylock.toml` or `pylock.NAME.toml` is a PEP 751 lock, `-` is `stdin`, and everything
    else is in pip's requirements format.

    Args:
        environ: what `${NAME}` expands to.
        require_hashes: demand a hash of every pin, even if no line has one.
        directory: where relative paths in requirements start; pip takes the current directory.

    Raises:
        LockError: with every problem of every file (`errors`).
    """
    variables = Variables(environ)
    reader = RequirementsReader(variables=variables, directory=directory)
    coverage: list[Coverage] = []
    warnings: list[str] = []
    for path in paths:
        if str(path) == "-":
            reader.read_stdin(stdin or b"")
        elif is_pylock(path.name):
            contents = _take_pylock(path, reader)
            coverage += [contents.coverage] if contents else []
            warnings += contents.warnings if contents else []
        elif path.name.lower() in _FOREIGN_LOCKS or path.suffix == ".toml":
            hint = _FOREIGN_LOCKS.get(path.name.lower(), "a PEP 751 lock is named pylock.toml or pylock.NAME.toml")
            reader.errors.append(LockError(Position(str(path)), "is not a lock that can be installed", hint))
        else:
            reader.read(path)
    lock = _settled(reader, require_hashes=require_hashes, strict={each.position.file for each in coverage})
    return replace(
        lock,
        environment_names=frozenset(variables.names),
        coverage=tuple(coverage),
        warnings=tuple(warnings),
    )


def _take_pylock(path: Path, reader: RequirementsReader) -> PylockContents | None:
    from wheelstore.resolve.pylock import read_pylock

    data = reader.load(path)
    if data is None:
        return None
    try:
        contents = read_pylock(path, data)
    except LockError as error:
        reader.errors += error.errors
        return None
    reader.pins += contents.pins
    return contents


def _settled(reader: RequirementsReader, *, require_hashes: bool, strict: Collection[str]) -> Lock:
    """Apply what needs no target: constraints without markers, the rule on hashes, certain conflicts."""
    certain = [each for each in reader.constraints if each.pin.marker is None]
    open_constraints = [each for each in reader.constraints if each.pin.marker is not None]
    pins, left, errors = apply_constraints(reader.pins, reader.unpinned, certain)
    maybe = {each.pin.name for each in open_constraints if each.settles}
    errors += [each.not_pinned() for each in left if each.pin.name not in maybe]
    demanded = require_hashes or reader.options.require_hashes
    if demanded:
        errors += _unhashed(pins, reason=_REQUIRED)
    elif reader.hashed is not None and not reader.options.no_require_hashes:
        demanded = True
        lines = [pin for pin in pins if pin.position.file not in strict]
        errors += _unhashed(lines, reason=f"unlike {reader.hashed}", hint=_HASHES_HINT)
    errors += _merged([pin for pin in pins if pin.marker is None], strict=strict)[1]
    raise_all([*reader.errors, *errors])
    return Lock(
        pins=tuple(pins),
        options=reader.options.freeze(require_hashes=demanded),
        inputs=tuple(reader.inputs),
        unpinned=tuple(left),
        constraints=tuple(open_constraints),
    )


def _unhashed(pins: Iterable[Pin], *, reason: str, hint: str | None = None) -> list[LockError]:
    errors: list[LockError] = []
    for pin in pins:
        if pin.hashes:
            continue
        what = "is a checkout that no hash can prove" if isinstance(pin.source, VcsSource) else "has no hash"
        errors.append(LockError(pin.position, f"{pin.spelling} {what}, {reason}", hint))
    return errors


def _merged(pins: Iterable[Pin], *, strict: Collection[str]) -> tuple[tuple[Pin, ...], list[Conflict]]:
    """Merge equal pins of one name; within the `strict` files a second one is a conflict (PEP 751)."""
    by_name: dict[str, Pin] = {}
    conflicts: list[Conflict] = []
    for pin in pins:
        first = by_name.setdefault(pin.name, pin)
        if first is pin:
            continue
        twice = pin.position.file == first.position.file and pin.position.file in strict
        if twice or first.version != pin.version or first.source != pin.source:
            message = f"{pin.spelling} contradicts {first.spelling}"
            conflicts.append(Conflict(pin.position, message, first.position))
        else:
            by_name[pin.name] = replace(
                first,
                extras=first.extras | pin.extras,
                hashes=tuple(sorted({*first.hashes, *pin.hashes})),
                config_settings=tuple(dict.fromkeys((*first.config_settings, *pin.config_settings))),
                artifacts=first.artifacts or pin.artifacts,
                index=first.index or pin.index,
            )
    return tuple(by_name[name] for name in sorted(by_name)), conflicts
