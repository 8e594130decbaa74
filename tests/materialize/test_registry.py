"""What Windows would tell, played by dictionaries."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from wheelstore.materialize.registry import registered_pythons


class PlayedRegistry:
    """As much of `winreg` as is called. Keys are paths below a root; values are dictionaries."""

    HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE = "user", "machine"
    KEY_READ, KEY_WOW64_64KEY, KEY_WOW64_32KEY = 1, 2, 4

    def __init__(self, keys: dict[tuple[str, int, str], dict[str | None, str]]) -> None:
        self._keys = keys

    def OpenKeyEx(self, key: Any, sub_key: str, reserved: int, access: int) -> Any:  # noqa: N802
        path = (key, access & 6, f"{sub_key}\\")
        if not any((*known[:2], f"{known[2]}\\"[: len(path[2])]) == path for known in self._keys):
            raise FileNotFoundError(sub_key)
        return nullcontext((key, access & 6, sub_key))

    def EnumKey(self, key: Any, index: int) -> str:  # noqa: N802
        root, view, path = key
        names = [
            known[2][len(path) + 1 :].split("\\")[0]
            for known in self._keys
            if known[:2] == (root, view) and known[2].startswith(f"{path}\\")
        ]
        try:
            return list(dict.fromkeys(names))[index]
        except IndexError:
            raise OSError from None

    def QueryValueEx(self, key: Any, name: str | None) -> tuple[str, int]:  # noqa: N802
        try:
            return self._keys[key][name], 1
        except KeyError:
            raise FileNotFoundError from None


def test_pythons_come_in_the_order_of_pep_514() -> None:
    python = r"Software\Python"
    keys: dict[tuple[str, int, str], dict[str | None, str]] = {
        ("machine", 2, rf"{python}\PythonCore\3.11\InstallPath"): {"ExecutablePath": r"C:\311\python.exe"},
        ("machine", 4, rf"{python}\PythonCore\3.9-32\InstallPath"): {None: r"C:\39-32"},
        ("user", 2, rf"{python}\Company\Tag\InstallPath"): {"ExecutablePath": r"C:\Company\py.exe"},
        ("user", 2, rf"{python}\PythonCore\3.9\InstallPath"): {None: "C:\\39\\"},
        ("user", 2, rf"{python}\PythonCore\3.12\InstallPath"): {"ExecutablePath": r"C:\312\python.exe"},
        ("user", 2, rf"{python}\PythonCore\3.13\InstallPath"): {},
        ("user", 2, rf"{python}\PythonCore\3.14\Other"): {},
        ("user", 2, rf"{python}\PyLauncher\InstallPath"): {None: r"C:\Windows"},
        ("user", 4, rf"{python}\PythonCore\3.12\InstallPath"): {"ExecutablePath": r"C:\312\python.exe"},
    }
    assert registered_pythons(PlayedRegistry(keys)) == (
        r"C:\312\python.exe",
        r"C:\39\python.exe",
        r"C:\Company\py.exe",
        r"C:\311\python.exe",
        r"C:\39-32\python.exe",
    )


def test_an_empty_registry_knows_none() -> None:
    assert registered_pythons(PlayedRegistry({})) == ()
