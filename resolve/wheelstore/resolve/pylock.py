"""Locks in the standard format, `pylock.toml` (PEP 751), read and validated by `packaging.pylock`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wheelstore.resolve.coverage import Coverage
from wheelstore.resolve.pins import (
    DIGEST_LENGTHS,
    INDEX,
    Artifact,
    LockError,
    PathSource,
    Pin,
    Position,
    Source,
    UrlSource,
    VcsSource,
    checked_hash,
    raise_all,
)
from wheelstore.resolve.references import named_by

if TYPE_CHECKING:
    from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock

_PACKAGES = re.compile(r"^[ \t]*\[\[[ \t]*[\"']?packages[\"']?[ \t]*\]\]", re.MULTILINE)
_LINE_OF_TOML_ERROR = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_PACKAGE_INDEX = re.compile(r"packages\[(\d+)\]")
_SUPPORTED = "1.0"


class PylockContents(NamedTuple):
    """One lock file: its pins, whom they are for, and what a user should be told about it."""

    pins: tuple[Pin, ...]
    coverage: Coverage
    warnings: tuple[str, ...] = ()


def read_pylock(path: Path, data: bytes) -> PylockContents:
    """Read the lock that was found at `path`; its relative paths start there.

    Raises:
        LockError: not TOML, not valid, of another major version, or with hashes that prove nothing.
    """
    file = str(path)
    text = decode(data, file)
    lines = _package_lines(text)
    pylock, warnings = _validated(parse_toml(text, file), file, text, lines)
    directory = Path(os.path.abspath(path)).parent
    pins: list[Pin] = []
    errors: list[LockError] = []
    for number, package in enumerate(pylock.packages):
        position = Position(file, lines[number] if number < len(lines) else 0)
        try:
            pins.append(_pin(package, directory, position))
        except ValueError as error:
            errors.append(LockError(position, f"{package.name}: {error}"))
    raise_all(errors)
    coverage = Coverage(
        position=Position(file),
        requires_python=pylock.requires_python,
        environments=tuple(pylock.environments or ()),
        extras=frozenset(pylock.extras or ()),
        groups=frozenset(pylock.dependency_groups or ()) | frozenset(pylock.default_groups or ()),
        default_groups=frozenset(pylock.default_groups or ()),
    )
    return PylockContents(pins=tuple(pins), coverage=coverage, warnings=warnings)


def decode(data: bytes, file: str) -> str:
    """Return the text of a TOML file.

    Raises:
        LockError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LockError(Position(file, line), f"is not UTF-8, as TOML has to be: {error.reason}") from None


def parse_toml(text: str, file: str) -> dict[str, object]:
    """Parse TOML.

    Raises:
        LockError: with the line that is wrong.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        match = _LINE_OF_TOML_ERROR.search(message)
        line = text.count("\n") + 1
        if match:
            line, message = int(match[1] or line), message[: match.start()]
        raise LockError(Position(file, line), f"is not TOML: {message}") from None


def _validated(data: dict[str, object], file: str, text: str, lines: list[int]) -> tuple[Pylock, tuple[str, ...]]:
    from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError
    from packaging.version import InvalidVersion, Version

    warnings: tuple[str, ...] = ()
    said = data.get("lock-version")
    try:
        if isinstance(said, str) and Version(_SUPPORTED) < Version(said) < Version("2"):
            warnings = (f"{file}: lock-version {said} is newer than {_SUPPORTED}: what it adds is not seen",)
            data = data | {"lock-version": _SUPPORTED}  # packaging would log the same
    except InvalidVersion:
        pass  # said better below
    try:
        return Pylock.from_dict(data), warnings
    except PylockUnsupportedVersionError:
        position = Position(file, _line_of("lock-version", text, lines))
        raise LockError(position, f"lock-version {said} is not supported, only 1.x is") from None
    except PylockValidationError as error:
        context = error.context or ""
        where = f" in {context}" if context else ""
        position = Position(file, _line_of(context, text, lines))
        raise LockError(position, f"{error.message.splitlines()[0]}{where}") from None


def _package_lines(text: str) -> list[int]:
    """Return the line on which each `[[packages]]` stands; an inline array has none."""
    lines: list[int] = []
    start, line = 0, 1
    for match in _PACKAGES.finditer(text):
        line += text.count("\n", start, match.start())
        start = match.start()
        lines.append(line)
    return lines


def _line_of(context: str, text: str, lines: list[int]) -> int:
    """Return the line of what packaging calls `packages[3].wheels[0]`: its package, or its top-level key."""
    match = _PACKAGE_INDEX.match(context)
    if match:
        number = int(match[1])
        return lines[number] if number < len(lines) else 0
    key = re.search(rf"^[ \t]*{re.escape(context.split('[')[0])}[ \t]*=", text, re.MULTILINE)
    return text.count("\n", 0, key.start()) + 1 if key and context else 0


def _pin(package: Package, directory: Path, position: Position) -> Pin:
    source, artifacts, version = _source(package, directory), _artifacts(package, directory), package.version
    hashes = {each for artifact in artifacts for each in artifact.hashes}
    if package.archive is not None:
        hashes.update(_hashes(package.archive.hashes))
    if version is None and artifacts:
        version = named_by(artifacts[0].filename)[1]
    elif version is None and package.archive is not None:
        version = named_by(_filename(None, package.archive.path, package.archive.url))[1]
    return Pin(
        name=package.name,
        version=version,
        marker=package.marker,
        hashes=tuple(sorted(hashes)),
        source=source,
        artifacts=artifacts,
        index=package.index,
        requires_python=package.requires_python,
        position=position,
    )


def _source(package: Package, directory: Path) -> Source:
    if package.vcs is not None:
        vcs = package.vcs
        return VcsSource(
            vcs=vcs.type,
            url=vcs.url or _inside(directory, vcs.path or "").as_uri(),
            revision=vcs.requested_revision or vcs.commit_id,
            commit_id=vcs.commit_id,
            subdirectory=vcs.subdirectory,
        )
    if package.directory is not None:
        return PathSource(
            path=_inside(directory, package.directory.path),
            editable=bool(package.directory.editable),
            subdirectory=package.directory.subdirectory,
        )
    if package.archive is None:
        return INDEX
    archive = package.archive
    path = _inside(directory, archive.path) if archive.path else None
    if path is not None and (archive.url is None or path.exists()):
        return PathSource(path=path, subdirectory=archive.subdirectory)
    return UrlSource(url=archive.url or "", hashes=_hashes(archive.hashes), subdirectory=archive.subdirectory)


def _artifacts(package: Package, directory: Path) -> tuple[Artifact, ...]:
    files: list[PackageWheel | PackageSdist] = [*(package.wheels or ())]
    if package.sdist is not None:
        files.append(package.sdist)
    artifacts = []
    for file in files:
        url, path = file.url, _inside(directory, file.path) if file.path else None
        if path is not None and (url is None or path.exists()):
            url = path.as_uri()
        filename = _filename(file.name, file.path, file.url)
        artifacts.append(Artifact(filename=filename, url=url, hashes=_hashes(file.hashes), size=file.size))
    return tuple(artifacts)


def _inside(directory: Path, path: str) -> Path:
    """Return a lock's path, which may have either system's separators, on this system."""
    if os.sep == "/" and "/" not in path:
        path = path.replace("\\", "/")
    return Path(os.path.normpath(directory / path))


def _filename(name: str | None, path: str | None, url: str | None) -> str:
    """Return an artifact's filename as packaging does, in a tenth of the time (there can be thousands)."""
    if name or path:
        return name or (path or "").replace("\\", "/").rsplit("/", 1)[-1]
    tail = (url or "").partition("#")[0].partition("?")[0].rsplit("/", 1)[-1]
    if "%" not in tail:
        return tail
    from urllib.parse import unquote

    return unquote(tail)


def _hashes(hashes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the hashes that prove something; others are welcome beside them.

    Raises:
        ValueError: there is none, or one that is malformed.
    """
    proving = [name for name in hashes if name in DIGEST_LENGTHS]
    return tuple(sorted(checked_hash(name, hashes[name]) for name in proving or hashes))
