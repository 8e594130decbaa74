"""How to activate an environment, said for the shell that the user is in. On the warm path."""

from __future__ import annotations

import os
import sys

from wheelstore.materialize.activation import quote_csh, quote_fish, quote_posix, quote_powershell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+:@%,")
_OWN_VARIABLES = {"FISH_VERSION": "fish", "NU_VERSION": "nu"}
_WITHOUT_SOURCE = ("sh", "dash", "ash")
_POWERSHELLS = ("pwsh", "powershell")


def shell_of(environ: Mapping[str, str], platform: str = sys.platform) -> str:
    """The name of the user's shell, as far as the environment tells; ``bash`` or ``cmd`` if it does not."""
    for variable, shell in _OWN_VARIABLES.items():
        if variable in environ:
            return shell
    if platform == "win32" and "SHELL" not in environ:
        return "powershell" if "PSModulePath" in environ else "cmd"
    return os.path.basename(environ.get("SHELL", "")).removesuffix(".exe") or "bash"


def activation_command(environment: str, scripts: str, shell: str) -> str | None:
    """What to type to activate `environment`, a path as the user would write it; None in a shell without a script."""
    stem = os.path.join(environment, scripts, "activate")
    if shell == "nu":
        return None
    if shell == "cmd":
        return f'"{stem}"' if " " in stem else stem
    if shell in _POWERSHELLS:
        path = f"{stem}.ps1"
        return path if _is_plain(path) else f"& {quote_powershell(path)}"
    if shell == "fish":
        return f"source {_quoted(f'{stem}.fish', quote_fish)}"
    if shell in ("csh", "tcsh"):
        return f"source {_quoted(f'{stem}.csh', quote_csh)}"
    return f"{'.' if shell in _WITHOUT_SOURCE else 'source'} {_quoted(stem, quote_posix)}"


def as_typed(path: str, directory: str) -> str:
    """`path` from `directory` on if it is below, else as it is: how a user would write it."""
    below = path.removeprefix(directory.rstrip(os.sep) + os.sep)
    if below == path or not below:
        return path
    return f".{os.sep}{below}" if below.startswith("-") else below


def _quoted(path: str, quote: Callable[[str], str]) -> str:
    return path if _is_plain(path) else quote(path)


def _is_plain(path: str) -> bool:
    return _PLAIN.issuperset(path.replace("\\", "/"))
