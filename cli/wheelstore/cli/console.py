"""What a command says and where: data on stdout, the rest on stderr, errors as one line with a hint.

On the warm path.
"""

from __future__ import annotations

import errno
import os
import sys

from wheelstore.cli.colors import palette_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO


def report(error: BaseException, stream: TextIO | None = None) -> None:
    """Write ``error: …`` for the error and each that it collects, then ``hint: …`` for each distinct hint.

    Between them is what another program said, which an error has as its `lines`; one whose text has several lines
    has a `headline`, and one that has several hints `hints`.
    """
    errors: Sequence[BaseException] = getattr(error, "errors", ()) or (error,)
    hints = {str(hint): None for one in (*errors, error) for hint in _hints(one)}
    said = [line for one in errors for line in getattr(one, "lines", ())]
    texts = (getattr(one, "headline", "") or str(one) or type(one).__name__ for one in errors)
    fail(texts, hints, stream, said=said)


def _hints(error: BaseException) -> Sequence[str]:
    hint = getattr(error, "hint", None)
    return getattr(error, "hints", ()) or ((hint,) if hint else ())


def fail(
    errors: Iterable[str], hints: Iterable[str] = (), stream: TextIO | None = None, *, said: Iterable[str] = ()
) -> None:
    """Write a line for each error, then, set in, those that another program `said`, then one for each hint."""
    stream = stream or sys.stderr
    paint = palette_for(stream).paint
    for error in errors:
        stream.write(f"{paint('error', 'red', 'bold')}{paint(':', 'bold')} {one_line(error)}\n")
    for line in said:
        stream.write(f"  {one_line(line)}\n")
    for hint in hints:
        first, *shown = hint.split("\n    ")  # what is wrong in a line, and a mark below it
        stream.write(f"{paint('hint', 'cyan', 'bold')}{paint(':', 'bold')} {one_line(first)}\n")
        for line in shown:
            stream.write(f"    {one_line(line)}\n")


def explain(error: Exception) -> bool:
    """Report what users can meet; false for an error that only a mistake of ours can have caused."""
    from wheelstore.resolve.errors import ResolveError
    from wheelstore.store.errors import StoreError

    if isinstance(error, BrokenPipeError):  # whoever read it has enough
        return True
    if isinstance(error, (StoreError, ResolveError)):
        report(error)
    elif isinstance(error, OSError):
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        text = ": ".join((" -> ".join(names), error.strerror or str(error))) if names else error.strerror or str(error)
        fail([text], [_MAKE_ROOM] if error.errno in (errno.ENOSPC, errno.EDQUOT) else [])
    elif isinstance(error, UnicodeEncodeError):
        fail([f"{error.object!r} is a name that is not UTF-8, and cannot be used here"])
    else:
        return False
    return True


def one_line(text: str) -> str:
    """The text without line breaks, and without what a terminal would obey: indexes and wheels have a say in it."""
    return text.translate(_CONTROL)


_MAKE_ROOM = "make room there, and run the same command again"
_CONTROL = dict.fromkeys((*range(32), *range(127, 160), 8232, 8233), " ")


def write_data(text: str, stream: TextIO | None = None) -> None:
    """Write what the command was asked for to stdout, in which file names may hold bytes that are no text."""
    stream = stream or sys.stdout
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.flush()
        stream.buffer.write(os.fsencode(text))


def write_json(value: object) -> None:
    """Write a report as JSON to stdout."""
    import json

    write_data(json.dumps(value, indent=2) + "\n")


class Console:
    """One command's voice on stderr: `quiet` silences all but errors, `verbose` adds `detail`."""

    def __init__(self, *, quiet: int = 0, verbose: int = 0, stream: TextIO | None = None) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.stream = stream or sys.stderr
        self.palette = palette_for(self.stream)

    def say(self, text: str) -> None:
        """Something everyone wants to know."""
        if not self.quiet:
            self.stream.write(f"{text}\n")

    def warn(self, text: str) -> None:
        """Something that may be wrong."""
        if self.quiet < 2:
            paint = self.palette.paint
            self.stream.write(f"{paint('warning', 'yellow', 'bold')}{paint(':', 'bold')} {one_line(text)}\n")

    def detail(self, text: str) -> None:
        """Something for those who asked with ``-v``."""
        if self.verbose:
            self.stream.write(f"{self.palette.paint(text, 'dim')}\n")
