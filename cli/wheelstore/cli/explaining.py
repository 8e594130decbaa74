"""`store why`: who keeps a wheel in the store, and where it came from."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from wheelstore.cli.console import one_line, write_data, write_json
from wheelstore.cli.suggesting import did_you_mean
from wheelstore.cli.summary import size_text
from wheelstore.cli.tables import for_people, is_store, local, utc, write_lines
from wheelstore.resolve.pins import normalize
from wheelstore.store.errors import StoreError
from wheelstore.store.index import Index, open_index
from wheelstore.store.index_reports import (
    Holder,
    Keeper,
    KnownWheel,
    Wish,
    bytes_only_of,
    holders,
    keepers,
    known_wheels,
    project_names,
    wishes,
)
from wheelstore.store.layout import Store, open_store
from wheelstore.store.lease import is_alive


class NoSuchWheel(StoreError):
    """The store has no wheel of that project, or none of that version; `close` are similar, or the other versions."""

    def __init__(self, name: str, root: str, close: Sequence[str]) -> None:
        super().__init__(name, root, tuple(close))
        self.name, self.root, self.close = name, root, tuple(close)
        self.hint = did_you_mean(close)

    def __str__(self) -> str:
        return f"the store {self.root} has no wheel of {self.name}"


@dataclass(frozen=True, slots=True)
class Explained:
    """A wheel and who keeps it; `freed` are the bytes that go if nobody does."""

    wheel: KnownWheel
    keepers: tuple[Keeper, ...]
    holders: tuple[Holder, ...]
    wishes: tuple[Wish, ...]
    freed: int

    @property
    def kept(self) -> bool:
        """Whether anybody keeps it."""
        return bool(self.keepers or self.holders or self.wishes)


def explain_wheels(root: str, name: str, *, as_json: bool) -> None:
    """Print who keeps the wheels that `name`, ``NAME`` or ``NAME==VERSION``, means.

    Raises:
        NoSuchWheel: the store has none.
    """
    if not is_store(root):
        raise NoSuchWheel(name, root, [])
    store = open_store(root)
    with open_index(store.index_path) as index:
        found = [_explain(store, index, wheel) for wheel in _find(index, name, root)]
    if as_json:
        write_json([_as_json(one) for one in found])
    elif for_people():
        for one in found:
            write_data("".join(f"{one_line(line)}\n" for line in _text(one)))
    else:
        write_lines([fields for one in found for fields in _fields(one)])


def _find(index: Index, name: str, root: str) -> list[KnownWheel]:
    project, _, version = name.partition("==")
    project, version = normalize(project.strip()), version.strip()
    wheels = sorted(known_wheels(index, project), key=lambda one: (Version(one.version), one.filename, one.sha256))
    if not wheels:
        raise NoSuchWheel(name, root, difflib.get_close_matches(project, project_names(index)))
    found = [one for one in wheels if not version or _is(one.version, version)]
    if not found:
        raise NoSuchWheel(name, root, [f"{project}=={one}" for one in dict.fromkeys(one.version for one in wheels)])
    return found


def _is(version: str, asked: str) -> bool:
    try:
        return Version(version) == Version(asked)
    except InvalidVersion:
        return version == asked


def _explain(store: Store, index: Index, wheel: KnownWheel) -> Explained:
    kept = tuple(keepers(index, wheel.id))
    held = tuple(one for one in holders(index, wheel) if _lives(store, one.lease))
    wished = tuple(wishes(index, wheel.id))
    return Explained(wheel, kept, held, wished, 0 if kept or held or wished else bytes_only_of(index, [wheel.id]))


def _lives(store: Store, lease: str) -> bool:
    """Whether an operation is under way; in someone else's store, where that cannot be told, it is."""
    try:
        return is_alive(store, lease, tidy=False)
    except OSError:
        return True


def _as_json(one: Explained) -> dict[str, object]:
    wheel = one.wheel
    return {
        "name": wheel.name,
        "version": wheel.version,
        "filename": wheel.filename,
        "sha256": wheel.sha256,
        "size": wheel.size,
        "origin": wheel.origin,
        "added": utc(wheel.added),
        "used": utc(wheel.used),
        "environments": [
            {
                "path": keeper.path,
                "id": keeper.environment,
                "generation": keeper.number,
                "current": keeper.current,
                "synced": utc(keeper.synced),
            }
            for keeper in one.keepers
        ],
        "leases": [{"id": holder.lease, "started": utc(holder.started)} for holder in one.holders],
        "prewarmed": [{"source": wish.source, "spares": wish.spares, "used": utc(wish.used)} for wish in one.wishes],
        "freed_bytes": one.freed,
    }


def _text(one: Explained) -> list[str]:
    wheel = one.wheel
    lines = [f"{wheel.name} {wheel.version}  {wheel.filename}  {size_text(wheel.size)}"]
    origin = f"from {wheel.origin}, " if wheel.origin else ""
    lines.append(f"  {origin}added {local(wheel.added)}, last used {local(wheel.used)}")
    for keeper in one.keepers:
        what = "" if keeper.current else f", as it was on {local(keeper.synced)}"
        lines.append(f"  used by {keeper.path} (generation {keeper.number}{what})")
    lines += [f"  used by a command that started on {local(holder.started)}" for holder in one.holders]
    lines += [f"  kept ready for {wish.source}" for wish in one.wishes]
    if not one.kept:
        lines.append(f"  nothing uses it; gc would free {size_text(one.freed)}")
    return lines


def _fields(one: Explained) -> list[tuple[object, ...]]:
    """A line for each reason: name, version, filename, then the kind of reason and what it is."""
    wheel = one.wheel
    known = wheel.name, wheel.version, wheel.filename
    reasons: list[tuple[object, ...]] = [
        (*known, "environment" if keeper.current else "generation", keeper.path, keeper.number)
        for keeper in one.keepers
    ]
    reasons += [(*known, "lease", holder.lease, utc(holder.started)) for holder in one.holders]
    reasons += [(*known, "prewarmed", wish.source, wish.spares) for wish in one.wishes]
    return reasons or [(*known, "nothing", "", one.freed)]
