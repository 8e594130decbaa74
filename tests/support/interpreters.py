"""Pythons for tests: those of this machine, descriptions of ones it does not have, and scripts that play one."""

from __future__ import annotations

import json
import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

import pytest

from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.probe import probe

_NAME = re.compile(r"(?:python|pypy)3\.(\d+)[td]?")


class DictMemory:
    """A memory that lasts as long as the test."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def recall(self, key: str) -> bytes | None:
        return self.values.get(key)

    def remember(self, key: str, value: bytes) -> None:
        self.values[key] = value


def installed_pythons(oldest: int = 8) -> list[str]:
    """Every Python 3.`oldest` or newer on the PATH and under PYENV_ROOT, and the one that runs; found by name only."""
    directories = os.environ.get("PATH", "").split(os.pathsep)
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    directories += [str(path) for path in versions.glob("*/bin")]
    found = {os.path.realpath(sys.executable): os.path.realpath(sys.executable)}
    for directory in directories:
        for path in sorted(Path(directory).glob("py*3.*")) if os.path.isdir(directory) else []:
            match = _NAME.fullmatch(path.name)
            if match and int(match[1]) >= oldest and os.access(path, os.X_OK) and path.read_bytes()[:2] != b"#!":
                found.setdefault(os.path.realpath(path), str(path))
    return sorted(found.values())


def _name(path: str) -> str:
    return "-".join(Path(path).parts[-3:])


@cache
def facts_of(python: str) -> Interpreter:
    """What a Python of this machine answers; it is asked once in a test run."""
    return probe(python)


T = TypeVar("T")

PYTHONS = installed_pythons()
_PARAMETERS = pytest.mark.parametrize("python", PYTHONS, ids=[*map(_name, PYTHONS)])


def every_python(test: T) -> T:
    """Call a test with each `python`; what it shows does not depend on the one that the tests run under."""
    return cast("T", pytest.mark.every_python(_PARAMETERS(test)))


LINUX: dict[str, object] = {
    "executable": "/opt/python/bin/python3.12",
    "version": "3.12.1",
    "implementation": "cpython",
    "markers": {
        "implementation_name": "cpython",
        "implementation_version": "3.12.1",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "6.1.0",
        "platform_system": "Linux",
        "platform_version": "#1 SMP",
        "python_full_version": "3.12.1",
        "python_version": "3.12",
        "sys_platform": "linux",
    },
    "cache_tag": "cpython-312",
    "magic": "cb0d0d0a",
    "platform": "linux-x86_64",
    "libc": "glibc 2.36",
    "mac_version": "",
    "pointer_bits": 64,
    "ext_suffix": ".cpython-312-x86_64-linux-gnu.so",
    "soabi": "cpython-312-x86_64-linux-gnu",
    "debug": False,
    "gil_disabled": False,
    "prefix": "/opt/python",
    "stdlib": "/opt/python/lib/python3.12",
    "wheel_pkg_dir": "",
    "purelib": "lib/python3.12/site-packages",
    "platlib": "lib/python3.12/site-packages",
    "scripts": "bin",
    "data": "",
    "include": "include/site/python3.12",
}


def describe(**facts: object) -> Interpreter:
    """CPython 3.12 on Linux, but for these facts; ``markers`` are merged."""
    markers: dict[str, str] = {**LINUX["markers"], **facts.pop("markers", {})}  # type: ignore[dict-item]
    return Interpreter(**{**LINUX, **facts, "markers": markers})


def describe_windows(**facts: object) -> Interpreter:
    """CPython 3.12 on Windows, but for these facts."""
    windows = {
        "executable": r"C:\Python312\python.exe",
        "markers": {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"},
        "platform": "win-amd64",
        "libc": "",
        "ext_suffix": ".cp312-win_amd64.pyd",
        "soabi": "",
        "prefix": r"C:\Python312",
        "stdlib": r"C:\Python312\Lib",
        "purelib": "Lib/site-packages",
        "platlib": "Lib/site-packages",
        "scripts": "Scripts",
    }
    return describe(**{**windows, **facts})


def play_python(path: Path, *, version: str = "3.12.1", implementation: str = "cpython", **facts: object) -> str:
    """A shell script that answers like such a Python; its path."""
    described = {"executable": str(path), **facts, "version": version, "implementation": implementation}
    answer = json.dumps({**LINUX, **described, "running": str(path)})
    return script(path, f"cat <<'ANSWER'\n\nwheelstore-probe:{answer}\nANSWER")


def script(path: Path, text: str) -> str:
    """An executable shell script; its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)
