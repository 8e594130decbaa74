"""`store du`: how large everything is, what sharing saves, and what would go."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelstore.cli.console import Console, write_json
from wheelstore.cli.summary import size_text
from wheelstore.cli.tables import for_people, is_store, write_lines, write_table
from wheelstore.resolve.facts import Facts
from wheelstore.store.collection import rehearse
from wheelstore.store.index import Index, open_index
from wheelstore.store.index_reports import WheelUse, wheel_uses
from wheelstore.store.layout import Store, open_store
from wheelstore.store.policy import Policy
from wheelstore.store.ready import all_spares
from wheelstore.store.usage import Totals, Usage, measure
from wheelstore.store.vanished import RootUnknown, RootUnreadable


@dataclass(frozen=True, slots=True)
class Measured:
    """All that there is to tell, in bytes; `freed` is what gc would free, None if that cannot be told.

    `images` and `spares` are how many there are, and what they take up beside the blobs.
    """

    usages: Sequence[Usage]
    totals: Totals
    freed: int | None
    images: tuple[int, int] = (0, 0)
    spares: tuple[int, int] = (0, 0)

    @property
    def apparent(self) -> int:
        """The size of all environments, if each had files of its own."""
        return sum(usage.apparent for usage in self.usages)

    @property
    def saved(self) -> int:
        """What the environments would take more without the store: copies take their space all the same."""
        copied = sum(usage.apparent for usage in self.usages if usage.environment.mode == "copy")
        return max(0, self.apparent - copied - self.totals.used)


def show_usage(root: str, *, wheels: bool, as_json: bool, quiet: int) -> None:
    """Print the usage of every environment and of the store; with `wheels` of every wheel instead."""
    if not is_store(root):
        if as_json:
            write_json([] if wheels else _as_json(Measured((), Totals(0, 0, 0), 0)))
        else:
            Console(quiet=quiet).say(f"There is no store at {root}")
        return
    store = open_store(root)
    with open_index(store.index_path) as index:
        if wheels:
            _show_wheels(wheel_uses(index), as_json=as_json)
            return
        usages, totals = measure(index)
        freed = _freed(store, index, Console(quiet=quiet))
        images = len(index.images()), index.images_size()
        measured = Measured(usages, totals, freed, images, all_spares(store))
    if as_json:
        write_json(_as_json(measured))
    elif for_people():
        _show(measured)
    else:
        _write(measured)


def _freed(store: Store, index: Index, console: Console) -> int | None:
    """What ``store gc`` would free, found out as its rehearsal does; only the store's owner can."""
    if not store.writable:
        return None
    now = time.time()
    try:
        freed = rehearse(store, index, Policy(), now=now).size
    except (RootUnknown, RootUnreadable) as error:
        console.warn(str(error).replace("nothing was freed", "gc would free nothing", 1))
        return None
    if os.path.exists(store.facts_path):
        with Facts(Path(store.facts_path)) as facts:
            freed += facts.prunable(before=now, now=now)[1]
    return freed


def _show_wheels(uses: Sequence[WheelUse], *, as_json: bool) -> None:
    if as_json:
        write_json([use._asdict() for use in uses])
    elif for_people():
        rows = [(one.name, one.version, one.filename, size_text(one.unpacked), str(one.environments)) for one in uses]
        write_table(("NAME", "VERSION", "FILENAME", "UNPACKED", "ENVIRONMENTS"), rows, right=(3, 4))
    else:
        write_lines([(one.name, one.version, one.filename, one.unpacked, one.environments) for one in uses])


def _as_json(measured: Measured) -> dict[str, object]:
    return {
        "apparent": measured.apparent,
        "stored": measured.totals.stored,
        "blobs": measured.totals.blobs,
        "images": {"count": measured.images[0], "bytes": measured.images[1]},
        "spares": {"count": measured.spares[0], "bytes": measured.spares[1]},
        "saved": measured.saved,
        "freed_by_gc": measured.freed,
        "environments": [
            {
                "path": usage.environment.path,
                "id": usage.environment.id,
                "mode": usage.environment.mode,
                "apparent": usage.apparent,
                "shared": usage.shared,
                "unique": usage.unique,
                "earlier": usage.earlier,
            }
            for usage in measured.usages
        ],
    }


def _totals(measured: Measured) -> list[tuple[str, int]]:
    freed = [] if measured.freed is None else [("gc would free", measured.freed)]
    extra = (("images", measured.images), ("spares", measured.spares))
    return [
        ("environments", measured.apparent),
        ("store", measured.totals.stored),
        *((name, size) for name, (count, size) in extra if count),
        ("saved by sharing", measured.saved),
        *freed,
    ]


def _show(measured: Measured) -> None:
    if measured.usages:
        rows = [
            (usage.environment.path, *(size_text(size) for size in usage[1:]))  # the row, then sizes
            for usage in measured.usages
        ]
        write_table(("PATH", "SIZE", "SHARED", "UNIQUE", "EARLIER"), rows, right=(1, 2, 3, 4))
    rows = [(name, size_text(size)) for name, size in _totals(measured)]
    write_table(("TOTAL", ""), rows, right=(1,))


def _write(measured: Measured) -> None:
    """A line for each environment, then one for each total."""
    write_lines([("environment", usage.environment.path, *usage[1:]) for usage in measured.usages])
    write_lines([("total", name, size) for name, size in _totals(measured)])
