"""What a lock says: values only, no file is read here.

Import-light on purpose (no `packaging` at run time): every stage after the lock imports these types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheelstore.resolve.errors import ResolveError

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version

DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
"""The hash algorithms a lock may carry, as pip accepts them, with their length in hex digits."""

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_SEPARATORS = re.compile(r"[-_.]+")


def normalize(name: str) -> NormalizedName:
    """Return a project's or extra's normalized name (PEP 503, PEP 685)."""
    return _SEPARATORS.sub("-", name).lower()  # type: ignore[return-value]


def parse_extras(text: str) -> frozenset[str]:
    """Return the normalized names of `a, b`."""
    return frozenset(normalize(extra.strip()) for extra in text.split(",") if extra.strip())


def hide_credentials(text: str) -> str:
    """Return `text` without what stands before the `@` of the URLs in it."""
    return _CREDENTIALS.sub("", text)


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a lock something stands; line 0 is the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSource:
    """The distribution comes from an index, or from a find-links location."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSource:
    """The distribution is one archive at an http(s) URL.

    `url` has no fragment; it may hold credentials. `hashes` are those of the fragment (the pin has them
    too) and take no part in comparisons.
    """

    url: str
    hashes: tuple[str, ...] = ()
    subdirectory: str | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UrlSource):
            return NotImplemented
        return self.url == other.url and self.subdirectory == other.subdirectory

    def __hash__(self) -> int:
        return hash((self.url, self.subdirectory))

    def __str__(self) -> str:
        return hide_credentials(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathSource:
    """The distribution is a directory or an archive on this machine; only a directory can be editable."""

    path: Path
    editable: bool = False
    subdirectory: str | None = None

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class VcsSource:
    """The distribution is a checkout.

    `vcs` is `git`, `hg`, `svn` or `bzr`; `url` is without `git+`, revision and fragment, and may hold
    credentials. `revision` is what the lock asks for (a commit, a tag, a branch); `commit_id` is set
    where the lock names the full commit, so only then is the source immutable.
    """

    vcs: str
    url: str
    revision: str | None = None
    commit_id: str | None = None
    subdirectory: str | None = None
    editable: bool = False

    def __str__(self) -> str:
        revision = self.revision or self.commit_id
        return f"{self.vcs}+{hide_credentials(self.url)}{f'@{revision}' if revision else ''}"


Source = IndexSource | UrlSource | PathSource | VcsSource

INDEX = IndexSource()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file that the lock itself lists for a pin (PEP 751).

    `url` is absolute (`file:` for a path in the lock) or None where the lock has none; `hashes` are like
    a pin's; `size` is in bytes.
    """

    filename: str
    url: str | None
    hashes: tuple[str, ...]
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One distribution of a lock, at one version, from one source.

    Attributes:
        version: None where only the source's own metadata tells it (a directory, a checkout).
        extras: normalized names.
        marker: when the pin applies (PEP 508, in a PEP 751 lock with `extras` and `dependency_groups`).
        hashes: `"sha256:<lower-case hex>"`, sorted; any one of them identifies an acceptable file.
        artifacts: the files that the lock lists; empty where an index has to be asked.
        index: the index that the lock names for this pin.
        config_settings: for the build backend, in the order given.
        position: where the lock says so.
    """

    name: NormalizedName
    version: Version | None
    extras: frozenset[str] = frozenset()
    marker: Marker | None = None
    hashes: tuple[str, ...] = ()
    source: Source = INDEX
    artifacts: tuple[Artifact, ...] = ()
    index: str | None = None
    requires_python: SpecifierSet | None = None
    config_settings: tuple[tuple[str, str], ...] = ()
    position: Position

    @property
    def spelling(self) -> str:
        """What the pin names, as a user would write it: `demo==1.0` or `demo @ https://…`."""
        if isinstance(self.source, IndexSource):
            return self.name if self.version is None else f"{self.name}=={self.version}"
        return f"{self.name} @ {self.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockInput:
    """One file that was read for a lock, with the sha256 (hex) of its bytes; `-` is standard input."""

    path: Path
    sha256: str


class LockError(ResolveError):
    """What was read is no lock, or none for this target.

    `errors` holds every problem found, one by one; a single problem holds itself.
    """

    def __init__(self, position: Position, message: str, hint: str | None = None) -> None:
        message = hide_credentials(message)
        super().__init__(position, message, hint)
        self.position, self.message, self.hint = position, message, hint

    @property
    def errors(self) -> tuple[LockError, ...]:
        """Each problem on its own."""
        return (self,)

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"


class NotPinned(LockError):
    """A requirement that more than one version satisfies."""


class Conflict(LockError):
    """Two lines that cannot both hold; `other` is the first one's position."""

    def __init__(self, position: Position, message: str, other: Position) -> None:
        super().__init__(position, message)
        self.other = other

    def __str__(self) -> str:
        return f"{self.position}: {self.message} ({self.other})"


class NotCovered(LockError):
    """A sound lock, made for other interpreters than the target."""


class LockErrors(LockError):
    """Several problems of one reading, by file and line; `str()` is the first and a count."""

    def __init__(self, errors: tuple[LockError, ...]) -> None:
        super().__init__(errors[0].position, errors[0].message, errors[0].hint)
        self._errors = errors

    @property
    def errors(self) -> tuple[LockError, ...]:
        """Each problem on its own."""
        return self._errors

    def __str__(self) -> str:
        return f"{self._errors[0]} (and {len(self._errors) - 1} more)"


def raise_all(errors: Iterable[LockError]) -> None:
    """Raise what was collected, as one error, by file and line; nothing, if there is nothing.

    Raises:
        LockError: the one problem, or `LockErrors` for several.
    """
    found = [each for error in errors for each in error.errors]
    files = {file: place for place, file in enumerate(dict.fromkeys(each.position.file for each in found))}
    found.sort(key=lambda each: (files[each.position.file], each.position.line))
    if found:
        raise found[0] if len(found) == 1 else LockErrors(tuple(found))


def checked_hash(algorithm: str, digest: str) -> str:
    """Return `"algorithm:digest"` with the digest in lower case.

    Raises:
        ValueError: an algorithm that a lock may not rely on, or a digest of the wrong shape; the text
            says which.
    """
    length = DIGEST_LENGTHS.get(algorithm)
    if length is None:
        accepted = ", ".join(DIGEST_LENGTHS)
        raise ValueError(f"hash algorithm {algorithm!r} is not accepted, use one of {accepted}")
    digest = digest.lower()
    if len(digest) != length:
        raise ValueError(f"a {algorithm} hash has {length} hex digits, not {len(digest)}")
    if not re.fullmatch("[0-9a-f]+", digest):
        raise ValueError(f"{digest!r} is not a hex digest")
    return f"{algorithm}:{digest}"
