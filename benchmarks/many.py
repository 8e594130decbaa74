"""Many environments of one lock: the time and the disk space of each beyond the first.

Space is what the filesystem has less of when all is written (statvfs(3)): `du` counts hardlinks once in each
tree, and what clones and snapshots share as often as they are there. So each filesystem is one of our own, on which
nobody else writes. Without root all of it is in the scratch directory, and the figures are those of the whole disk.
ext4 keeps inodes in space that is set aside beforehand, so they do not count there; btrfs has its metadata twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Store, Uv
from benchmarks.harness import ContenderError, Measured, Runner, Step, settle
from benchmarks.instant import CLONE, HARDLINK, LAYERED, SNAPSHOT
from benchmarks.mounts import Unavailable
from benchmarks.workshop import Workshop

Make = Callable[[Path], Sequence[Step]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way to make environments. Only one of `part` is made of them where each is large or slow."""

    name: str
    tool: str
    options: tuple[str, ...] = ()
    filesystem: str = "ext4"
    part: int = 1
    spares: bool = False


KINDS = (
    Kind(name="store hardlink", tool="store", options=HARDLINK),
    Kind(name="store copy", tool="store", options=("--link-mode", "copy"), part=25),
    Kind(name="store layered", tool="store", options=LAYERED),
    Kind(name="store spare", tool="spares", spares=True),
    Kind(name="uv hardlink", tool="uv", options=HARDLINK),
    Kind(name="store clone", tool="store", options=CLONE, filesystem="btrfs", part=5),
    Kind(name="store snapshot", tool="store", options=SNAPSHOT, filesystem="btrfs"),
    Kind(name="uv clone", tool="uv", options=CLONE, filesystem="btrfs", part=5),
)


def measure(shop: Workshop, runner: Runner, rounds: int) -> Measured:
    """`rounds` environments of each kind: metrics "wall" of each, and "disk", bytes for each."""
    found = Measured()
    for kind in KINDS:
        try:
            there = shop.on(kind.filesystem)
        except Unavailable as reason:
            if kind.filesystem != "ext4":
                found.skipped[kind.name] = str(reason)
                continue
            there = shop
        try:
            make_many(kind, there, runner, max(2, rounds // kind.part), found)
        except ContenderError as failure:
            found.failures[kind.name] = str(failure)
    found.appendix = table(found)
    return found


def make_many(kind: Kind, shop: Workshop, runner: Runner, count: int, found: Measured) -> None:
    """Make one environment, then `count - 1` more, and look at the disk before and after those."""
    make = maker(kind, shop)
    prewarming = Store(shop=shop, cache="store-spares")
    lock = shop.lock("jupyter")
    if kind.spares:
        runner.run([prewarming.prewarm(lock, 1)])
    runner.run(make(shop.fresh(kind.tool)))
    before = free_space(shop.run)
    if kind.spares:
        runner.run([prewarming.prewarm(lock, count - 1)])
        settle()
    for _ in range(count - 1):
        found.record(kind.name, wall=runner.run(make(shop.fresh(kind.tool))).wall)
    found.record(kind.name, disk=(before - free_space(shop.run)) / (count - 1))


def maker(kind: Kind, shop: Workshop) -> Make:
    """The commands that make one environment."""
    lock = shop.lock("jupyter")
    if kind.tool == "uv":
        return lambda target: Uv(shop=shop).fresh(lock, target, *kind.options)
    store = Store(shop=shop, cache="store-spares" if kind.spares else "store-warm")
    return lambda target: (store.sync(lock, target, *kind.options),)


def free_space(directory: Path) -> int:
    """Bytes that are free on a filesystem once all is written."""
    settle()
    settle()  # btrfs: what the first commit has freed
    found = os.statvfs(directory)
    return found.f_bfree * found.f_frsize


def table(found: Measured) -> str:
    """Time and space of each kind as Markdown."""
    lines = ["| mode | on | environments | time, each | disk, each |", "| --- | --- | --: | --: | --: |"]
    for kind in KINDS:
        wall, disk = found.median(kind.name, "wall"), found.median(kind.name, "disk")
        if wall is None or disk is None:
            continue
        count = len(found.values[kind.name]["wall"]) + 1
        cells = (kind.name, kind.filesystem, str(count), f"{wall * 1000:.0f} ms", space(disk))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def space(amount: float) -> str:
    """Bytes for people: KiB below one MiB."""
    return f"{amount / 2**10:.0f} KiB" if amount < 2**20 else f"{amount / 2**20:.1f} MiB"
