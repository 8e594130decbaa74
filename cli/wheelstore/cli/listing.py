"""`store ls` and `store path`: what there is."""

from __future__ import annotations

import os

from packaging.version import Version

from wheelstore.cli.console import Console, write_data, write_json
from wheelstore.cli.summary import size_text
from wheelstore.cli.tables import for_people, is_store, utc, write_lines, write_table
from wheelstore.resolve.pins import normalize
from wheelstore.store.index import ListedWheel, open_index
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
    if is_store(root):
        with open_index(open_store(root).index_path) as index:
            wheels = sorted(index.listing(normalize(name) if name else None), key=_by_version)
    if as_json:
        write_json([_wheel_json(wheel) for wheel in wheels])
        return
    if not wheels:
        Console(quiet=quiet).say(f"No wheels{f' of {name}' if name else ''} in {root}")
        return
    if for_people():
        rows = [(one.name, one.version, one.filename, size_text(one.size)) for one in wheels]
        write_table(("NAME", "VERSION", "FILENAME", "SIZE"), rows, right=(3,))
    else:
        write_lines([(one.name, one.version, one.filename, one.size) for one in wheels])


def _wheel_json(wheel: ListedWheel) -> dict[str, object]:
    told = dict(zip(ListedWheel._fields, wheel, strict=True))
    return {**told, "added": utc(wheel.added), "used": utc(wheel.used)}


def _by_version(wheel: ListedWheel) -> tuple[str, Version, str]:
    return wheel.name, Version(wheel.version), wheel.filename
