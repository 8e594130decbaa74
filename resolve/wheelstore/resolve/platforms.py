"""Targets that are not this machine: any Python on any platform, by the names that uv has for platforms.

What a foreign interpreter would say of itself is made up here, so that the rest of resolving cannot tell it from one
that was asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.target import Target, tags_of, tags_on

OLDEST_PYTHON = (3, 8)
"""Tags of interpreters before this one have other ABIs."""

MACOS = "13.0"
"""The macOS that a target has unless told otherwise; as in uv."""

_GLIBC = "2.28"
_MUSL = "1.2"
_PYPY = "7.3.0"  # of PyPy's own version, markers and tags only need the beginning

_ALIASES = {
    "linux": "x86_64-unknown-linux-gnu",
    "macos": "aarch64-apple-darwin",
    "windows": "x86_64-pc-windows-msvc",
}
_GLIBC_MINORS = (17, 28, *range(31, 41))
_MANYLINUX = re.compile(r"(x86_64|i686|aarch64|ppc64le|s390x|riscv64)-manylinux(?:_2_(\d{1,2})|(2014))")
_PYTHON = re.compile(
    r"(?P<implementation>cpython|cp|pypy|pp|python|py)?-?(?P<release>3\.\d{1,2}(?:\.\d{1,2})?)"
    r"(?P<pre>(?:a|b|rc)\d{1,3})?(?P<threaded>t)?"
)


class UnknownPlatform(ResolveError):
    """A platform name that stands for nothing; ``close`` are similar ones."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name, self.close = name, tuple(get_close_matches(name.lower(), platform_names(), n=2))
        self.hint = f"did you mean {' or '.join(self.close)}?" if self.close else "try linux, macos or windows"

    def __str__(self) -> str:
        return f"{self.name!r} is no platform that a lock can be made for"


class UnknownPython(ResolveError):
    """A Python version that is none, or that nothing can be locked for."""

    def __init__(self, text: str, reason: str = "is no Python version") -> None:
        super().__init__(text, reason)
        self.text, self.reason = text, reason
        self.hint = "write it as 3.12, 3.12.1, 3.13t or pypy3.10"

    def __str__(self) -> str:
        return f"{self.text!r} {self.reason}"


class Platform(NamedTuple):
    """Where an interpreter runs.

    ``sysconfig`` is what `sysconfig.get_platform` says; ``libc`` is as in `target.InterpreterFacts`;
    ``soabi`` ends the name of an extension module, as of ``_x.pypy310-pp73-win_amd64.pyd``.
    """

    sys_platform: str
    machine: str
    sysconfig: str
    soabi: str
    libc: str = ""
    macos: str = ""
    bits: int = 64

    @property
    def markers(self) -> dict[str, str]:
        """The PEP 508 variables that are the platform's; what the kernel says of its version is not known."""
        system = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[self.sys_platform]
        return {
            "os_name": "nt" if self.sys_platform == "win32" else "posix",
            "sys_platform": self.sys_platform,
            "platform_machine": self.machine,
            "platform_system": system,
            "platform_release": "",
            "platform_version": "",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """Which interpreter: ``version`` is full, ``3.12.0``."""

    version: str
    implementation: str = "cpython"
    threaded: bool = False

    @property
    def minor(self) -> str:
        """``3.12``."""
        return ".".join(self.version.split(".")[:2])

    @property
    def markers(self) -> dict[str, str]:
        """The PEP 508 variables that are the interpreter's."""
        version = re.sub(r"^(\d+\.\d+\.\d+).*", r"\1", self.version)
        return {
            "implementation_name": self.implementation,
            "implementation_version": version if self.implementation == "cpython" else _PYPY,
            "platform_python_implementation": "CPython" if self.implementation == "cpython" else "PyPy",
            "python_full_version": self.version,
            "python_version": self.minor,
        }

    def suffix(self, soabi: str) -> str:
        """Return what the name of an extension module ends with, as far as tags need it."""
        if self.implementation == "cpython":
            return f".cpython-{self.minor.replace('.', '')}-{soabi}"
        return f".pypy{self.minor.replace('.', '')}-pp73-{soabi}"


def platform_names() -> tuple[str, ...]:
    """Every platform name that help texts list; other manylinux versions and machines are taken, too."""
    manylinux = ("manylinux2014", *(f"manylinux_2_{minor}" for minor in _GLIBC_MINORS))
    return (*_ALIASES, *_triples(MACOS), *(f"{arch}-{each}" for arch in ("x86_64", "aarch64") for each in manylinux))


def python_of(text: str) -> Python:
    """Read ``3.12``, ``3.12.1``, ``3.15.0b1``, ``3.13t`` (free-threaded) or ``pypy3.10``.

    A minor version means its first release, as in uv.

    Raises:
        UnknownPython: it is no Python 3, or too old a one.
    """
    match = _PYTHON.fullmatch(text.strip().lower())
    if match is None:
        raise UnknownPython(text)
    release = tuple(int(number) for number in match["release"].split("."))
    if release[:2] < OLDEST_PYTHON:
        raise UnknownPython(
            text, f"is older than {'.'.join(map(str, OLDEST_PYTHON))}, the first that can be locked for"
        )
    version = ".".join(map(str, (*release, 0)[:3])) + (match["pre"] or "")
    pypy = match["implementation"] in {"pypy", "pp"}
    return Python(version=version, implementation="pypy" if pypy else "cpython", threaded=match["threaded"] is not None)


def platform_of(name: str, *, macos: str = MACOS) -> Platform:
    """Find a platform by its name; ``macos`` is the oldest macOS to run on.

    Raises:
        UnknownPlatform: there is none of this name.
    """
    key = name.strip().lower()
    found = _triples(macos).get(_ALIASES.get(key, key))
    if found is not None:
        return found
    match = _MANYLINUX.fullmatch(key)
    if match is None:
        raise UnknownPlatform(name)
    return _linux(match[1], f"glibc 2.{17 if match[3] else match[2]}")


def target_for(python: str, platform: str, *, macos: str = MACOS) -> Target:
    """Describe an interpreter that is not here: ``target_for("3.12", "macos")``.

    Raises:
        UnknownPython: see `python_of`.
        UnknownPlatform: see `platform_of`.
    """
    return _target(python_of(python), platform_of(platform, macos=macos))


def with_platform(target: Target, platform: str, *, macos: str = MACOS) -> Target:
    """Describe the same Python on another platform.

    Raises:
        UnknownPlatform: see `platform_of`.
    """
    pypy = target.markers.get("implementation_name") == "pypy"
    python = Python(
        version=target.markers["python_full_version"],
        implementation="pypy" if pypy else "cpython",
        threaded=_is_threaded(target),
    )
    other = _target(python, platform_of(platform, macos=macos))
    markers = {**other.markers, "implementation_version": target.markers["implementation_version"]}
    return Target(markers=markers, tags=other.tags)


def with_python(target: Target, version: str) -> Target:
    """Describe another Python on the same platform; it is of the same implementation unless ``version`` names one.

    Raises:
        UnknownPython: see `python_of`.
    """
    python = python_of(version)
    platforms = dict.fromkeys(tag.rpartition("-")[2] for tag in target.tags if not tag.endswith("-any"))
    named = re.match(r"\d", version.strip()) is None
    if not named and target.markers.get("implementation_name") == "pypy":
        python = Python(version=python.version, implementation="pypy")
    tags = tags_on(
        list(platforms),
        implementation=python.implementation,
        version=python.version,
        ext_suffix=python.suffix("any.so"),
        gil_disabled=python.threaded or (not named and _is_threaded(target) and python.minor >= "3.13"),
    )
    return Target(markers={**target.markers, **python.markers}, tags=tags)


def _target(python: Python, platform: Platform) -> Target:
    tags = tags_of(
        implementation=python.implementation,
        version=python.version,
        platform=platform.sysconfig,
        machine=platform.machine,
        libc=platform.libc,
        pointer_bits=platform.bits,
        ext_suffix=python.suffix(platform.soabi),
        gil_disabled=python.threaded,
        mac_version=platform.macos,
    )
    return Target(markers={**python.markers, **platform.markers}, tags=tags)


def _is_threaded(target: Target) -> bool:
    return bool(target.tags) and target.tags[0].split("-")[1].endswith("t")


def _triples(macos: str) -> dict[str, Platform]:
    return {
        "x86_64-pc-windows-msvc": Platform("win32", "AMD64", "win-amd64", "win_amd64.pyd"),
        "aarch64-pc-windows-msvc": Platform("win32", "ARM64", "win-arm64", "win_arm64.pyd"),
        "i686-pc-windows-msvc": Platform("win32", "x86", "win32", "win32.pyd", bits=32),
        "x86_64-unknown-linux-gnu": _linux("x86_64", f"glibc {_GLIBC}"),
        "aarch64-unknown-linux-gnu": _linux("aarch64", f"glibc {_GLIBC}"),
        "riscv64-unknown-linux": _linux("riscv64", "glibc 2.39"),
        "x86_64-unknown-linux-musl": _linux("x86_64", f"musl {_MUSL}"),
        "aarch64-unknown-linux-musl": _linux("aarch64", f"musl {_MUSL}"),
        "aarch64-apple-darwin": Platform("darwin", "arm64", f"macosx-{macos}-arm64", "darwin.so", macos=macos),
        "x86_64-apple-darwin": Platform("darwin", "x86_64", f"macosx-{macos}-x86_64", "darwin.so", macos=macos),
    }


def _linux(machine: str, libc: str) -> Platform:
    bits = 32 if machine == "i686" else 64
    return Platform("linux", machine, f"linux-{machine}", f"{machine}-linux-gnu.so", libc, bits=bits)
