"""Reports in rows: on a terminal for people, in aligned columns; elsewhere for programs, fields separated by tabs.

A name that holds line breaks, or what a terminal would obey, is shown with spaces there; ``--json`` has it as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from wheelstore.cli.colors import palette_for
from wheelstore.cli.console import one_line, write_data


def is_store(root: str) -> bool:
    """Whether there is anything to report on; looking does not make a store."""
    return os.path.exists(f"{root}/index.sqlite3")


def for_people() -> bool:
    """Whether somebody reads along."""
    return sys.stdout.isatty()


def write_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Aligned columns below `heads`, those at the positions `right` to the right."""
    paint = palette_for(sys.stdout).paint
    cleaned = [heads, *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cleaned, strict=True)]
    for number, row in enumerate(cleaned):
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        if not number:
            line = paint(line, "dim")
        write_data(f"{line}\n")


def write_lines(rows: Sequence[Sequence[object]]) -> None:
    """A line for each row, its fields separated by tabs."""
    write_data("".join("\t".join(one_line(str(field)) for field in row) + "\n" for row in rows))


def utc(seconds: float) -> str:
    """A time for programs."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(seconds: float) -> str:
    """A time for people."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
