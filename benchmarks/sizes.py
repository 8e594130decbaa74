"""The disk space of a store or a cache."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from benchmarks.contenders import Store, Uv
from benchmarks.harness import ContenderError, Measured, Runner
from benchmarks.workshop import Workshop


def fill_both(shop: Workshop, runner: Runner, _rounds: int) -> Measured:
    """The disk space of each tool's cache or store with the wheels of both locks."""
    measured = Measured()
    locks = shop.lock("jupyter"), shop.lock("trio-docs")
    uv, store = Uv(shop=shop, cache="uv-size"), Store(shop=shop, cache="store-size")
    filling = {
        "store": [store.sync(lock, shop.fresh("store")) for lock in locks],
        "uv": [step for lock in locks for step in uv.fresh(lock, shop.fresh("uv"))],
    }
    for name, steps in filling.items():
        try:
            runner.run(steps)
        except ContenderError as failure:
            measured.failures[name] = str(failure)
        else:
            allocated, apparent, files = disk_usage(shop.cache(f"{name}-size"))
            measured.record(name, allocated=allocated, apparent=apparent, files=files)
    return measured


def disk_usage(directory: Path) -> tuple[int, int, int]:
    """Bytes allocated and bytes in files below `directory`, and how many files; hard links count once."""
    seen: dict[tuple[int, int], os.stat_result] = {}
    for entry in walk(directory):
        status = entry.stat(follow_symlinks=False)
        seen[status.st_dev, status.st_ino] = status
    files = [status for status in seen.values() if not stat.S_ISDIR(status.st_mode)]
    allocated = sum(status.st_blocks * 512 for status in seen.values())
    return allocated, sum(status.st_size for status in files), len(files)


def walk(directory: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a directory."""
    with os.scandir(directory) as entries:
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from walk(Path(entry.path))
