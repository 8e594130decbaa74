"""How the time of a new environment grows with its files, from 10 packages to 400, for each way to make one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Contender, Measured, Runner, compete
from benchmarks.instant import HARDLINK, LAYERED, SNAPSHOT, of_store, of_uv
from benchmarks.mounts import Unavailable
from benchmarks.sizes import walk
from benchmarks.slope import slope
from benchmarks.synthetic import grow
from benchmarks.workshop import Workshop

SIZES = (10, 50, 100, 222, 400)
SNAPSHOTS = "store snapshot"


def measure(shop: Workshop, runner: Runner, rounds: int) -> Measured:
    """Times by number of packages as metrics "10 packages" and so on; "slope" is in ms per 1,000 files."""
    large = shop.lock("large").read_text()
    found = Measured()
    files: dict[int, int] = {}
    for size in SIZES:
        lock = shop.lock(f"scaling-{size}")
        lock.write_text(grow(large, size, shop.index))
        measured = compete(contenders(shop, lock, found), rounds, runner)
        found.failures |= measured.failures
        for name, metrics in measured.values.items():
            for wall in metrics["wall"]:
                found.record(name, **{metric_of(size): wall})
        files[size] = most_files(shop.run / "targets")
    fit(found, files)
    found.appendix = table(found, files)
    return found


def contenders(shop: Workshop, lock: Path, found: Measured) -> Sequence[Contender]:
    """Who takes part with one lock; snapshots only where there is btrfs."""
    ours = [of_store("store hardlink", shop, lock, *HARDLINK), of_store("store layered", shop, lock, *LAYERED)]
    try:
        there = shop.on("btrfs")
    except Unavailable as reason:
        found.skipped[SNAPSHOTS] = str(reason)
    else:
        ours.append(of_store(SNAPSHOTS, there, there.lock(lock.stem), *SNAPSHOT))
    return *ours, of_uv("uv", shop, lock)


def metric_of(size: int) -> str:
    """What the times with so many packages are called."""
    return f"{size} packages"


def most_files(targets: Path) -> int:
    """How many files the newest of uv's environments has."""
    newest = max(path for path in targets.iterdir() if path.name.endswith("-uv"))
    return sum(not entry.is_dir(follow_symlinks=False) for entry in walk(newest))


def fit(found: Measured, files: Mapping[int, int]) -> None:
    """Add the slope of each round's times by number of files to those who took part with every lock."""
    for name, metrics in found.values.items():
        times = [metrics.get(metric_of(size), []) for size in files]
        for of_round in zip(*times, strict=False):
            points = list(zip(files.values(), of_round, strict=True))
            found.record(name, slope=slope(points) * 1e6)


def table(found: Measured, files: Mapping[int, int]) -> str:
    """The times as Markdown, a row for each lock, and the slopes below."""
    names = list(found.values)
    lines = [f"| packages | files | {' | '.join(names)} |", "| --: | --: |" + " --: |" * len(names)]
    for size, count in files.items():
        medians = [found.median(name, metric_of(size)) for name in names]
        cells = ["" if value is None else f"{value * 1000:.0f} ms" for value in medians]
        lines.append(f"| {size} | {count:,} | {' | '.join(cells)} |")
    slopes = [found.median(name, "slope") for name in names]
    cells = ["" if value is None else f"{value:.2f} ms" for value in slopes]
    lines.append(f"| slope | per 1,000 | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
