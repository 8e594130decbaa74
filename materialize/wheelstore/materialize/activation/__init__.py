"""The scripts that put an environment first in a running shell, and how each shell quotes.

The templates beside this file hold ``@@NAME@@`` where a value goes, in the quotes of that shell. Warm path: `str`
methods only.
"""

from __future__ import annotations

import os

_HERE = os.path.dirname(os.path.abspath(__file__))
_SPECIAL_IN_PROMPTS = "\\$`!%^"


def activation_scripts(*, directory: str, scripts: str, prompt: str, windows: bool) -> tuple[tuple[str, bytes], ...]:
    """File names and contents for an environment at ``directory``, whose executables are in its ``scripts``.

    ``VIRTUAL_ENV_PROMPT`` is ``prompt`` exactly; what is shown has ``_`` for the characters that some shell, in some
    state of its options, would act upon whenever it draws the prompt.
    """
    prompt = "".join(character if character.isprintable() or _is_byte(character) else " " for character in prompt)
    shown = f"({''.join('_' if character in _SPECIAL_IN_PROMPTS else character for character in prompt)}) "
    made = []
    for name, template, quote in _WINDOWS if windows else _POSIX:
        values = {"SCRIPTS": scripts, "DIRECTORY": quote(directory), "PROMPT": quote(prompt), "DISPLAY": quote(shown)}
        content = _fill(template, values)
        if windows and name.endswith(".bat"):
            content = content.replace("\n", "\r\n")
        encoded = content.encode("utf-8", "surrogateescape")
        if name.endswith(".ps1") and not encoded.isascii():
            encoded = b"\xef\xbb\xbf" + encoded  # else Windows PowerShell 5 takes it for the local code page
        made.append((name, encoded))
    return tuple(made)


def _is_byte(character: str) -> bool:
    """Whether this stands for a byte of a file name that is no UTF-8 (PEP 383)."""
    return "\udc80" <= character <= "\udcff"


def _fill(template: str, values: dict[str, str]) -> str:
    """Replace every ``@@NAME@@`` once, so that a value may hold anything, that too."""
    with open(f"{_HERE}/{template}", encoding="utf-8") as file:
        pieces = file.read().split("@@")
    pieces[1::2] = [values[name] for name in pieces[1::2]]
    return "".join(pieces)


def quote_posix(text: str) -> str:
    r"""For bash, zsh, dash: nothing is special between ``'`` and ``'``."""
    return "'" + text.replace("'", r"'\''") + "'"


def quote_fish(text: str) -> str:
    r"""For fish: between ``'`` and ``'``, a backslash escapes itself and ``'``."""
    return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"


def quote_csh(text: str) -> str:
    r"""For csh and tcsh: as in `quote_posix`, but ``!`` is special in quotes too, and ``\`` in some settings."""
    for special in "\\'!":
        text = text.replace(special, f"\0{special}")
    return (
        "'" + "".join("'\\" + part[0] + "'" + part[1:] if i else part for i, part in enumerate(text.split("\0"))) + "'"
    )


def quote_powershell(text: str) -> str:
    """For PowerShell: quotes are doubled, also the typographic ones, which it takes for ``'``."""
    return "'" + "".join(c * 2 if c in "'\u2018\u2019\u201a\u201b" else c for c in text) + "'"


def quote_cmd(text: str) -> str:
    """For cmd, inside ``set "NAME=…"``: there is no way to write a quote, so it goes; ``%`` is doubled."""
    return text.replace('"', "").replace("%", "%%")


_POSIX = (
    ("activate", "activate.sh", quote_posix),
    ("activate.csh", "activate.csh", quote_csh),
    ("activate.fish", "activate.fish", quote_fish),
    ("activate.ps1", "activate.ps1", quote_powershell),
)
_WINDOWS = (
    ("activate", "activate.sh", quote_posix),
    ("activate.bat", "activate.bat", quote_cmd),
    ("activate.ps1", "activate.ps1", quote_powershell),
    ("deactivate.bat", "deactivate.bat", quote_cmd),
)
