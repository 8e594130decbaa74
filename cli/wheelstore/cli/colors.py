"""Colour, where somebody sees it: on a terminal, unless the environment says otherwise. On the warm path."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Palette:
    """Puts the codes of ECMA-48 around text, or with `on` false nothing."""

    __slots__ = ("on",)

    def __init__(self, *, on: bool) -> None:
        self.on = on

    def paint(self, text: str, *styles: str) -> str:
        """`text` in all of these `styles`: ``bold``, ``dim``, ``red``, ``green``, ``yellow``, ``cyan``."""
        if not self.on:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


def palette_for(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Palette:
    """Colours for a terminal that has them; NO_COLOR takes them away and FORCE_COLOR brings them, if not empty."""
    if environ.get("NO_COLOR"):
        return Palette(on=False)
    if environ.get("FORCE_COLOR"):
        return Palette(on=True)
    return Palette(on=stream.isatty() and environ.get("TERM") != "dumb" and _understood(environ))


def _understood(environ: Mapping[str, str]) -> bool:
    """On Windows only newer terminals understand the codes without being asked to."""
    return sys.platform != "win32" or any(name in environ for name in ("WT_SESSION", "TERM", "ANSICON", "ConEmuANSI"))
