"""The Pythons that Windows knows of (PEP 514): `registered_pythons`, for `discovery.find_interpreter`.

On other systems there are none. `Registry` is the part of `winreg` that is used, so that any system can test this.
"""

from __future__ import annotations

import ntpath
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from wheelstore.materialize.discovery import natural_order

_FLAGS = ("KEY_WOW64_64KEY", "KEY_WOW64_32KEY")


class Registry(Protocol):
    """What is called of the standard module `winreg`; keys are opaque."""

    HKEY_CURRENT_USER: Any
    HKEY_LOCAL_MACHINE: Any
    KEY_READ: int
    KEY_WOW64_64KEY: int
    KEY_WOW64_32KEY: int

    def OpenKeyEx(self, key: Any, sub_key: str, reserved: int, access: int) -> AbstractContextManager[Any]:  # noqa: ANN401, N802
        """Open ``sub_key``; raises OSError when there is none."""

    def EnumKey(self, key: Any, index: int) -> str:  # noqa: ANN401, N802
        """The name of a key below; raises OSError after the last."""

    def QueryValueEx(self, key: Any, name: str | None) -> tuple[Any, int]:  # noqa: ANN401, N802
        """A value and its type; raises OSError when there is none."""


def registered_pythons(registry: Registry | None = None) -> tuple[str, ...]:
    """Executables, in PEP 514's order: the user's before the machine's, python.org's first, then the newest first."""
    if registry is None:
        if sys.platform != "win32":
            return ()
        import winreg

        registry = winreg
    found: dict[str, None] = {}
    for root in (registry.HKEY_CURRENT_USER, registry.HKEY_LOCAL_MACHINE):
        for flag in _FLAGS:
            found.update(dict.fromkeys(_executables(registry, root, registry.KEY_READ | getattr(registry, flag))))
    return tuple(found)


def _executables(registry: Registry, root: Any, access: int) -> Iterator[str]:  # noqa: ANN401
    companies = _below(registry, root, r"Software\Python", access)
    for company in sorted(companies, key=lambda name: (name != "PythonCore", name)):
        if company == "PyLauncher":  # PEP 514: not an installation
            continue
        tags = _below(registry, root, rf"Software\Python\{company}", access)
        for tag in sorted(tags, key=natural_order, reverse=True):
            path = _executable(registry, root, rf"Software\Python\{company}\{tag}\InstallPath", access)
            if path:
                yield path


def _below(registry: Registry, root: Any, path: str, access: int) -> list[str]:  # noqa: ANN401
    names: list[str] = []
    try:
        with registry.OpenKeyEx(root, path, 0, access) as key:
            while True:
                names.append(registry.EnumKey(key, len(names)))
    except OSError:
        return names


def _executable(registry: Registry, root: Any, path: str, access: int) -> str | None:  # noqa: ANN401
    try:
        with registry.OpenKeyEx(root, path, 0, access) as key:
            try:
                return str(registry.QueryValueEx(key, "ExecutablePath")[0])
            except OSError:
                return ntpath.join(str(registry.QueryValueEx(key, None)[0]), "python.exe")
    except OSError:
        return None
