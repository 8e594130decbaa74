"""What a command says and where: data on stdout, the rest on stderr, errors as one line with a hint."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol, TextIO


class Reportable(Protocol):
    """An error of any stage."""

    @property
    def hint(self) -> str | None:
        """What the user can do."""


def report(error: BaseException, stream: TextIO | None = None) -> None:
    """Write ``error: …`` for the error and each that it collects, then ``hint: …`` for each distinct hint."""
    stream = stream or sys.stderr
    errors: Sequence[BaseException] = getattr(error, "errors", ()) or (error,)
    hints: dict[str, None] = {}
    for one in errors:
        stream.write(f"error: {_one_line(one)}\n")
        hint = getattr(one, "hint", None)
        if hint:
            hints[str(hint)] = None
    if getattr(error, "hint", None):
        hints[str(error.hint)] = None  # type: ignore[attr-defined]
    for hint in hints:
        stream.write(f"hint: {hint}\n")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split("\n")) or type(error).__name__


class Console:
    """One command's voice on stderr: `quiet` silences all but errors, `verbose` adds `detail`."""

    def __init__(self, *, quiet: int = 0, verbose: int = 0, stream: TextIO | None = None) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.stream = stream or sys.stderr

    def say(self, text: str) -> None:
        """Something everyone wants to know."""
        if not self.quiet:
            self.stream.write(f"{text}\n")

    def warn(self, text: str) -> None:
        """Something that may be wrong."""
        if self.quiet < 2:
            self.stream.write(f"warning: {text}\n")

    def detail(self, text: str) -> None:
        """Something for those who asked with ``-v``."""
        if self.verbose:
            self.stream.write(f"{text}\n")
