"""Direct references: URLs, paths and checkouts that stand where a version could (PEP 440, PEP 508, pip).

Looks at the disk only to tell a directory from an archive, and a nameless directory's name.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from wheelstore.resolve.pins import (
    PathSource,
    Source,
    UrlSource,
    VcsSource,
    checked_hash,
    normalize,
    parse_extras,
)

if TYPE_CHECKING:
    from packaging.utils import NormalizedName
    from packaging.version import Version

_ARCHIVE_SUFFIXES = (
    ".whl",
    ".zip",
    ".tar.gz",
    ".tgz",
    ".tar",
    ".tar.bz2",
    ".tbz",
    ".tar.xz",
    ".txz",
    ".tlz",
    ".tar.lz",
    ".tar.lzma",
)
_SCHEME = re.compile(  # of two letters at least, so that a drive is none
    r"([A-Za-z][A-Za-z0-9+.-]+):"
)
_VCS = re.compile(r"(git|hg|svn|bzr)\+[A-Za-z+]+$")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_URL_MARKER = re.compile(r"(?<=\s);|;(?=\s)")
_PATH_FRAGMENT = re.compile(r"#(?=(?:egg|subdirectory|sha\d+|md5)=)")
_EGG = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[([^\]]*)\])?$")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?$")
_HASH_KEYS = ("sha256", "sha384", "sha512", "sha224", "sha1", "md5")


class BadReference(ValueError):
    """A direct reference that names nothing installable; the text says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a direct reference says by itself.

    `name` is None where neither the text nor the source's static metadata tells it; `read` are the files
    that told it. Only a `file`, unlike a directory or a checkout, can match a hash.
    """

    source: Source
    name: NormalizedName | None = None
    version: Version | None = None
    extras: frozenset[str] = frozenset()
    hashes: tuple[str, ...] = ()
    file: bool = True
    read: tuple[Path, ...] = ()


def is_reference(text: str) -> bool:
    """Tell whether a requirement is a URL or a path, as opposed to a name with a version."""
    if _SCHEME.match(text) or _DRIVE.match(text) or text.startswith("."):
        return True
    bare, _ = _split_extras(text.split(";", 1)[0].rstrip())
    return "/" in bare or "\\" in bare or bare.lower().endswith(_ARCHIVE_SUFFIXES)


def split_marker(text: str) -> tuple[str, str]:
    """Split a bare URL or path from the marker behind it ("" if none); in a URL, `;` alone is part of it."""
    if _SCHEME.match(text):
        match = _URL_MARKER.search(text)
        return (text[: match.start()].rstrip(), text[match.end() :].lstrip()) if match else (text, "")
    reference, _, marker = text.partition(";")
    return reference.rstrip(), marker.strip()


def is_absolute(text: str) -> bool:
    """Tell whether a URL or path means the same wherever it stands."""
    if not _SCHEME.match(text):
        return os.path.isabs(text)
    return not text.lower().startswith("file:") or text[5:6] == "/"


def parse_reference(
    text: str, *, directory: Path, editable: bool = False, name: str | None = None, pinned: bool = True
) -> Reference:
    """Read a URL or a path (without marker); relative paths start at `directory`.

    `name` is what the line says in front of an `@`; no metadata is read for it then. Unless it has to be
    `pinned`, a checkout may be without a revision.

    Raises:
        BadReference: an unknown scheme, a missing file, a filename that is none, a wrong hash in the
            fragment, another name than `name`.
    """
    if _SCHEME.match(text):
        return _parse_url(text, directory=directory, editable=editable, name=name, pinned=pinned)
    bare, more = _split_extras(text)
    path, *fragment = _PATH_FRAGMENT.split(bare, maxsplit=1)
    parts = _Fragment.parse("".join(fragment))
    extras = parts.extras | parse_extras(more)
    return _from_path(directory / path, parts, editable=editable, name=name or parts.name, extras=extras)


def _split_extras(text: str) -> tuple[str, str]:
    """Split `./path[a,b]` into the path and `a,b` ("" if there is none)."""
    bare, _, extras = text.rpartition("[")
    return (bare, extras[:-1]) if bare and extras.find("]") == len(extras) - 1 else (text, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fragment:
    """What stands behind the `#` of a URL: `egg=name[extras]&subdirectory=…&sha256=…`."""

    name: str | None = None
    extras: frozenset[str] = frozenset()
    subdirectory: str | None = None
    hashes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> _Fragment:
        values = dict(part.split("=", 1) for part in text.split("&") if "=" in part)
        hashes = []
        for algorithm in _HASH_KEYS:
            if algorithm in values:
                try:
                    hashes.append(checked_hash(algorithm, values[algorithm]))
                except ValueError as error:
                    raise BadReference(str(error)) from None
        subdirectory = values.get("subdirectory") or None
        if subdirectory is not None:
            inside = PurePosixPath(subdirectory)
            if inside.is_absolute() or ".." in inside.parts or "\\" in subdirectory:
                raise BadReference(f"subdirectory {subdirectory!r} leaves the source")
        egg = _EGG.match(values.get("egg", ""))
        if "egg" in values and egg is None:
            raise BadReference(f"egg={values['egg']!r} is not a name")
        return cls(
            name=egg[1] if egg else None,
            extras=parse_extras(egg[2] or "") if egg else frozenset(),
            subdirectory=subdirectory,
            hashes=tuple(sorted(hashes)),
        )


def _parse_url(text: str, *, directory: Path, editable: bool, name: str | None, pinned: bool) -> Reference:
    from urllib.parse import urlsplit

    url, _, fragment = text.partition("#")
    parts = _Fragment.parse(fragment)
    try:
        split = urlsplit(url)
    except ValueError as error:
        raise BadReference(f"{url!r} is not a URL: {error}") from None
    scheme = split.scheme.lower()
    if _VCS.match(scheme):
        checkout = _from_checkout(url, split.path, parts, editable=editable, name=name)
        if pinned and isinstance(checkout.source, VcsSource) and checkout.source.revision is None:
            raise BadReference(f"{checkout.source} names no revision, so it is not pinned: write …@COMMIT")
        return checkout
    if scheme == "file":
        path = directory / path_of(url)
        return _from_path(path, parts, editable=editable, name=name or parts.name, extras=parts.extras)
    if scheme not in ("http", "https"):
        raise BadReference(f"{url!r} has the unknown scheme {scheme!r}")
    if editable:
        raise BadReference(f"{url!r} is an archive: only a directory or a checkout can be editable")
    found, version = named_by(_filename(split.path))
    return Reference(
        source=UrlSource(url=url, hashes=parts.hashes, subdirectory=parts.subdirectory),
        name=_agreed(name or (None if found else parts.name), found, url),
        version=version,
        extras=parts.extras,
        hashes=parts.hashes,
    )


def _filename(path: str) -> str:
    from urllib.parse import unquote

    return unquote(path.rsplit("/", 1)[-1])


def _agreed(said: str | None, found: NormalizedName | None, where: object) -> NormalizedName | None:
    if said is None:
        return found
    name = normalize(said)
    if found is not None and found != name:
        raise BadReference(f"{where} is {found}, not {name}")
    return name


def named_by(filename: str) -> tuple[NormalizedName | None, Version | None]:
    """Return what an archive's filename says, (None, None) for one that is no wheel and no sdist.

    Raises:
        BadReference: it ends in `.whl` and is no wheel's filename.
    """
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    if filename.lower().endswith(".whl"):
        try:
            return parse_wheel_filename(filename)[:2]
        except InvalidWheelFilename as error:
            raise BadReference(str(error)) from None
    try:
        return parse_sdist_filename(filename)
    except InvalidSdistFilename:
        return None, None


def _from_checkout(url: str, path: str, parts: _Fragment, *, editable: bool, name: str | None) -> Reference:
    if parts.hashes:
        raise BadReference("a checkout is no file and can have no hash")
    vcs, _, url = url.partition("+")
    _, at, revision = path.rpartition("@") if "@" in path else ("", "", "")
    location, mark, query = url.partition("?")
    location = location[: -len(revision) - 1] if at else location
    commit = _COMMIT.match(revision) is not None and vcs.lower() in ("git", "hg")
    return Reference(
        source=VcsSource(
            vcs=vcs.lower(),
            url=location + mark + query,
            revision=revision or None,
            commit_id=revision if commit else None,
            subdirectory=parts.subdirectory,
            editable=editable,
        ),
        name=_agreed(name or parts.name, None, url),
        extras=parts.extras,
        file=False,
    )


def path_of(url: str) -> str:
    """Return the path that a `file:` URL names, in this system's form; it may be relative.

    Raises:
        BadReference: the URL names another host (a UNC share, on Windows, is none).
    """
    from urllib.parse import unquote, urlsplit

    split = urlsplit(url)
    path = unquote(split.path)
    if split.netloc and split.netloc.lower() != "localhost":
        if os.name != "nt":
            raise BadReference(f"{url!r} names another host")
        return f"//{split.netloc}{path}"
    return path[1:] if os.name == "nt" and _DRIVE.match(path[1:]) else path


def _from_path(path: Path, parts: _Fragment, *, editable: bool, name: str | None, extras: frozenset[str]) -> Reference:
    path = Path(os.path.normpath(path))
    source = PathSource(path=path, editable=editable, subdirectory=parts.subdirectory)
    if os.path.isdir(path):
        if parts.hashes:
            raise BadReference(f"{path} is a directory and can have no hash")
        found, read = (normalize(name), ()) if name else _static_name(path / (parts.subdirectory or ""))
        return Reference(source=source, name=found, extras=extras, file=False, read=read)
    if not os.path.isfile(path):
        raise BadReference(f"{path} does not exist")
    if editable:
        raise BadReference(f"{path} is a file: only a directory or a checkout can be editable")
    if not path.name.lower().endswith(_ARCHIVE_SUFFIXES):
        raise BadReference(f"{path} is neither a wheel nor a source archive")
    told, version = named_by(path.name)
    return Reference(
        source=source,
        name=_agreed(name, told, path),
        version=version,
        extras=extras,
        hashes=parts.hashes,
    )


def _static_name(project: Path) -> tuple[NormalizedName | None, tuple[Path, ...]]:
    """Return the name that a source tree states without being built (PEP 621, else setup.cfg)."""
    pyproject, setup_cfg = project / "pyproject.toml", project / "setup.cfg"
    read: list[Path] = []
    if pyproject.is_file():
        import tomllib

        read.append(pyproject)
        try:
            metadata = tomllib.loads(pyproject.read_text("utf-8")).get("project", {})
        except (ValueError, OSError) as error:
            raise BadReference(f"{pyproject} cannot be read: {error}") from None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if isinstance(name, str) and name:
            return normalize(name), (pyproject,)
    elif not (project / "setup.py").is_file():
        raise BadReference(f"{project} has neither pyproject.toml nor setup.py")
    if setup_cfg.is_file():
        import configparser

        read.append(setup_cfg)
        config = configparser.RawConfigParser()
        try:
            config.read(setup_cfg, encoding="utf-8")
        except (configparser.Error, ValueError) as error:
            raise BadReference(f"{setup_cfg} cannot be read: {str(error).splitlines()[0]}") from None
        name = config.get("metadata", "name", fallback="").strip()
        if name:
            return normalize(name), tuple(read)
    return None, tuple(read)
