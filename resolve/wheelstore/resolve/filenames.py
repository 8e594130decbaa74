"""What a distribution's filename says (the wheel and sdist specifications; PEP 440 for versions).

Hot: a page can hold 5,000 names and a lock 2,000 hashes, so names are split by hand, versions are compared
by memoised text keys (0.1 µs where `packaging.version.Version` takes 3), and nothing makes `Tag` objects.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from wheelstore.resolve.pins import normalize

SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".tar")
"""Longest first where one ends another; only the first two are in today's specification."""

_PLAIN_VERSION = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*").fullmatch
_BUILD = re.compile(r"([0-9]+)(.*)", re.DOTALL).fullmatch


class WheelName(NamedTuple):
    """The parts of a wheel's filename, as written; ``tags`` is the compressed set (``py2.py3-none-any``)."""

    name: str
    version: str
    build: str
    tags: str


def split_wheel(filename: str) -> WheelName | None:
    """Split a wheel's filename; None when it is not one."""
    if not filename.endswith(".whl"):
        return None
    parts = filename[:-4].split("-")
    if len(parts) == 5:
        name, version, python, abi, platform = parts
        return WheelName(name, version, "", f"{python}-{abi}-{platform}")
    if len(parts) == 6 and _BUILD(parts[2]):
        name, version, build, python, abi, platform = parts
        return WheelName(name, version, build, f"{python}-{abi}-{platform}")
    return None


def build_order(build: str) -> tuple[int, str]:
    """Sort key of a build tag: by its number, then its rest; none at all comes first."""
    match = _BUILD(build)
    return (int(match[1]), match[2]) if match else (-1, "")


def sdist_stem(filename: str) -> str | None:
    """``name-version`` of an sdist's filename; None when it is not one."""
    for suffix in SDIST_SUFFIXES:
        if filename.endswith(suffix):
            return filename[: -len(suffix)]
    return None


@lru_cache(maxsize=65536)
def project_name(name: str) -> str:
    """Normalize a project's name (PEP 503)."""
    return normalize(name)


def version_of(filename: str, project: str) -> str | None:
    """Read the version out of a wheel's or sdist's filename; None unless it is one of this project.

    An old sdist's name can hold dashes on both sides of the one that matters, so the project decides.
    """
    if filename.endswith(".whl"):
        parts = filename.split("-")
        if len(parts) != 5 and split_wheel(filename) is None:
            return None
        return parts[1] if project_name(parts[0]) == project else None
    stem = sdist_stem(filename)
    if stem is None:
        return None
    dash = stem.find("-")
    while dash > 0:
        if project_name(stem[:dash]) == project:
            return stem[dash + 1 :]
        dash = stem.find("-", dash + 1)
    return None


def projects_of(filename: str) -> tuple[str, ...]:
    """Which projects a filename can belong to: one for a wheel, one per possible split for an sdist."""
    wheel = split_wheel(filename)
    if wheel is not None:
        return (project_name(wheel.name),)
    stem = sdist_stem(filename)
    if stem is None:
        return ()
    splits = [at for at, letter in enumerate(stem) if letter == "-" and stem[at + 1 : at + 2].isdigit()]
    return tuple(dict.fromkeys(project_name(stem[:at]) for at in splits))


@lru_cache(maxsize=65536)
def version_key(version: str) -> str | None:
    """A text that is equal for equal versions (PEP 440), local label included; None for no version."""
    if _PLAIN_VERSION(version):
        while version.endswith(".0"):
            version = version[:-2]
        return version
    from packaging.utils import canonicalize_version
    from packaging.version import InvalidVersion, Version

    try:
        return canonicalize_version(Version(version))
    except InvalidVersion:
        return None


@lru_cache(maxsize=65536)
def public_key(version: str) -> str | None:
    """`version_key` without the local label: what ``==`` compares unless it names a local version."""
    key = version_key(version)
    return key.partition("+")[0] if key is not None else None
