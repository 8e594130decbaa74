"""`store ls`, `store envs` and `store path`: what there is.

On a terminal for people, in aligned columns; elsewhere for programs, a line an item, fields separated by tabs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from packaging.version import Version

from wheelstore.cli.colors import palette_for
from wheelstore.cli.console import Console, write_data, write_json
from wheelstore.cli.summary import size_text
from wheelstore.materialize.environment import read_state
from wheelstore.resolve.pins import normalize
from wheelstore.store.index import EnvironmentRow, Index, ListedWheel, open_index
from wheelstore.store.layout import open_store


def show_path(root: str, *, as_json: bool) -> None:
    """Print the store's directory, whether it is there or not."""
    if as_json:
        write_json({"path": root, "exists": os.path.exists(f"{root}/format")})
    else:
        write_data(f"{root}\n")


def list_wheels(root: str, name: str | None, *, as_json: bool, quiet: int) -> None:
    """Print the wheels in the store, or those of the project `name`, by name and version."""
    wheels: list[ListedWheel] = []
    if _is_store(root):
        with open_index(open_store(root).index_path) as index:
            wheels = sorted(index.listing(normalize(name) if name else None), key=_by_version)
    if as_json:
        write_json([_wheel_json(wheel) for wheel in wheels])
        return
    if not wheels:
        Console(quiet=quiet).say(f"No wheels{f' of {name}' if name else ''} in {root}")
        return
    if sys.stdout.isatty():
        rows = [(one.name, one.version, one.filename, size_text(one.size)) for one in wheels]
        _write_table(("NAME", "VERSION", "FILENAME", "SIZE"), rows, right=(3,))
    else:
        write_data("".join(f"{one.name}\t{one.version}\t{one.filename}\t{one.size}\n" for one in wheels))


def _wheel_json(wheel: ListedWheel) -> dict[str, object]:
    told = dict(zip(ListedWheel._fields, wheel, strict=True))
    return {**told, "added": _utc(wheel.added), "used": _utc(wheel.used)}


def list_environments(root: str, *, as_json: bool, quiet: int) -> None:
    """Print the environments that the store knows, those too that are not there any more."""
    listed: list[tuple[EnvironmentRow, int, bool]] = []
    if _is_store(root):
        with open_index(open_store(root).index_path) as index:
            listed = [(row, _package_count(index, row), _exists(row)) for row in index.environments()]
    if as_json:
        write_json([_environment_json(*one) for one in listed])
    elif not listed:
        Console(quiet=quiet).say(f"No environments in {root}")
    elif sys.stdout.isatty():
        rows = [
            (row.path, row.python, str(count), row.mode, _local(row.synced), "" if exists else "missing")
            for row, count, exists in listed
        ]
        _write_table(("PATH", "PYTHON", "PACKAGES", "MODE", "LAST SYNC", ""), rows, right=(2,))
    else:
        write_data(
            "".join(
                f"{row.path}\t{row.python}\t{count}\t{row.mode}\t{_utc(row.synced)}\t{'' if exists else 'missing'}\n"
                for row, count, exists in listed
            )
        )


def _environment_json(row: EnvironmentRow, packages: int, exists: bool) -> dict[str, object]:  # noqa: FBT001
    return {
        "path": row.path,
        "python": row.python,
        "packages": packages,
        "mode": row.mode,
        "created": _utc(row.created),
        "synced": _utc(row.synced),
        "manifest": row.manifest,
        "exists": exists,
    }


def _is_store(root: str) -> bool:
    """Whether there is anything to list; looking does not make a store."""
    return os.path.exists(f"{root}/index.sqlite3")


def _package_count(index: Index, row: EnvironmentRow) -> int:
    """A manifest has a line for each wheel, after two of its own."""
    content = index.manifest_content(row.manifest)
    return max(0, content.count(b"\n") - 1) if content else 0


def _exists(row: EnvironmentRow) -> bool:
    """Whether what was registered is still there, and not another environment in its place."""
    state = read_state(row.path)
    return state is not None and state.id == row.id


def _by_version(wheel: ListedWheel) -> tuple[str, Version, str]:
    return wheel.name, Version(wheel.version), wheel.filename


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _write_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int]) -> None:
    """Aligned columns, those at the positions `right` to the right."""
    paint = palette_for(sys.stdout).paint
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for number, row in enumerate((heads, *rows)):
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        if not number:
            line = paint(line, "dim")
        write_data(f"{line}\n")
