"""Scripts that start the environment's interpreter: entry points, and wheels' own ``#!python`` files."""

from __future__ import annotations

_SHEBANG_LIMIT = 127  # bytes of a #! line that Linux before 5.1 reads (BINPRM_BUF_SIZE - 1)

# The text that uv writes, so that an environment holds the same bytes whichever tool made it. The two endings are
# those of setuptools' Windows launchers.
_ENTRY_POINT = """\
# -*- coding: utf-8 -*-
import sys
from {module} import {imported}
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit({attribute}())
"""


def shebang(python: str) -> str:
    """The first line or lines of a script for the interpreter `python`, an absolute path.

    A path with a space in it, or too long for the kernel, goes through ``/bin/sh`` in a way that Python reads as a
    string literal (as distlib and uv do).
    """
    line = f"#!{python}\n"
    if " " not in python and len(line.encode()) <= _SHEBANG_LIMIT:
        return line
    escaped = python.replace("\\", "\\\\").replace("'", "'\"'\"'")
    return f"#!/bin/sh\n'''exec' '{escaped}' \"$0\" \"$@\"\n' '''\n"


def entry_point(module: str, attribute: str) -> str:
    """The body of a script that calls ``module:attribute`` (Entry points specification, "Use for scripts")."""
    return _ENTRY_POINT.format(module=module, imported=attribute.split(".", 1)[0], attribute=attribute)


def names_interpreter(head: bytes) -> bool:
    """Whether a wheel's script asks for its first line to be rewritten (Binary distribution format, "scripts")."""
    return head.startswith(b"#!python")


def rewrite(content: bytes, python: str) -> bytes:
    """A wheel's ``#!python`` script with its first line naming `python`.

    ``#!pythonw`` loses its ``w`` outside Windows, where no such program exists.
    """
    _, newline, rest = content.partition(b"\n")
    return shebang(python).encode() + (rest if newline else b"")
