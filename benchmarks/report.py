"""Turn what was measured into a table and JSON."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Measured
from benchmarks.scenarios import Comparison, Scenario
from benchmarks.workshop import Tools

SECONDS = {"wall", "cpu", "import"}
METRICS = {
    "wall": "time",
    "import": "the import alone",
    "slope": "slope per 1,000 files",
    "cpu": "processor time",
    "peak": "memory, largest process",
    "tree": "memory, all processes",
    "allocated": "blocks",
    "apparent": "bytes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison and what came of it; `ratio` is None where a side failed."""

    scenario: str
    title: str
    comparison: Comparison
    subject: float | None
    against: float | None
    ratio: float | None
    group: str = ""

    @property
    def verdict(self) -> str:
        """Whether the budget is met: "met", "missed", "failed", or "" where there is none."""
        if self.ratio is None:
            return "failed"
        if self.comparison.limit is None:
            return ""
        return "met" if self.ratio <= self.comparison.limit else "missed"


def rows(scenario: Scenario, measured: Measured) -> list[Row]:
    """The comparisons of one scenario for which there is anything to say."""
    found = []
    for comparison in scenario.comparisons:
        subject = measured.median(comparison.subject, comparison.metric)
        against = measured.median(comparison.against, comparison.metric)
        if subject is None and against is None:
            continue  # not sampled on this platform
        if {comparison.subject, comparison.against} & measured.skipped.keys():
            continue
        ratio = measured.ratio(comparison.subject, comparison.against, comparison.metric)
        found.append(
            Row(
                scenario=scenario.name,
                title=scenario.title,
                comparison=comparison,
                subject=subject,
                against=against,
                ratio=ratio,
                group=scenario.group,
            )
        )
    return found


def quantity(value: float | None, metric: str) -> str:
    """A median for people: milliseconds, seconds or MiB with three digits or so."""
    if value is None:
        return "failed"
    if metric == "slope":
        return f"{value:.2f} ms"
    if metric not in SECONDS:
        return f"{value / 2**20:.1f} MiB" if value < 100 * 2**20 else f"{value / 2**20:.0f} MiB"
    if value < 0.1:
        return f"{value * 1000:.1f} ms"
    return f"{value * 1000:.0f} ms" if value < 10 else f"{value:.1f} s"


def page(results: Sequence[tuple[Scenario, Measured]]) -> str:
    """Everything as Markdown: a table for each group, then the tables of scenarios that have their own."""
    found = [row for scenario, measured in results for row in rows(scenario, measured)]
    parts = []
    for group in dict.fromkeys(scenario.group for scenario, _ in results):
        of_group = [row for row in found if row.group == group]
        own = [(scenario, measured.appendix) for scenario, measured in results if scenario.group == group]
        parts += [f"### {group}\n"] if group else []
        parts += [table(of_group)] if of_group else []
        parts += [f"{scenario.title}:\n\n{appendix}" for scenario, appendix in own if appendix]
    return "\n".join(parts)


def table(found: Sequence[Row]) -> str:
    """The comparisons as a Markdown table."""
    lines = [
        "| scenario | measured | wheelstore | peer | ratio | budget | |",
        "| --- | --- | --: | --: | --: | --: | --- |",
    ]
    previous = ""
    for row in found:
        metric, limit = row.comparison.metric, row.comparison.limit
        subject = quantity(row.subject, metric)
        if row.comparison.subject != "store":
            subject = f"{row.comparison.subject.removeprefix('store ')} {subject}"
        cells = (
            row.title if row.title != previous else "",
            METRICS[metric],
            subject,
            f"{row.comparison.against} {quantity(row.against, metric)}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if limit is None else f"≤ {limit:g}",
            row.verdict,
        )
        lines.append(f"| {' | '.join(cells)} |")
        previous = row.title
    return "\n".join(lines) + "\n"


def document(
    results: Sequence[tuple[Scenario, Measured]], found: Sequence[Row], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything as JSON: facts, every round's numbers (seconds and bytes), comparisons, failures."""
    return {
        "machine": dict(facts),
        "scenarios": {
            scenario.name: {
                "title": scenario.title,
                "rounds": measured.values,
                "medians": {
                    name: {metric: measured.median(name, metric) for metric in metrics}
                    for name, metrics in measured.values.items()
                },
                "failed": sorted(measured.failures),
                "skipped": sorted(measured.skipped),
            }
            for scenario, measured in results
        },
        "comparisons": [
            {
                "scenario": row.scenario,
                "metric": row.comparison.metric,
                "subject": row.comparison.subject,
                "against": row.comparison.against,
                "ratio": row.ratio,
                "budget": row.comparison.limit,
                "verdict": row.verdict,
            }
            for row in found
        ],
    }


def machine(tools: Tools, directory: Path) -> dict[str, Any]:
    """What the numbers depend on, without names or paths."""
    pages, page_size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processors": os.cpu_count(),
        "memory_gib": round(pages * page_size / 2**30),
        "filesystem": filesystem(directory),
        "python": platform.python_version(),
        "environments_python": answer(tools.python, "--version"),
        "uv": " ".join(answer(tools.uv, "--version").split()[:2]),
        "pip": " ".join(answer(tools.pip, "--version").split()[:2]),
    }


def answer(*command: str) -> str:
    """What a command prints, in one line."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def filesystem(directory: Path) -> str:
    """The type of the filesystem that holds `directory` ("ext4"); "" where the system doesn't say."""
    mounts = Path("/proc/self/mounts")
    if not mounts.is_file():
        return ""
    device = directory.stat().st_dev
    for line in reversed(mounts.read_text().splitlines()):
        _, place, kind, *_ = line.split()
        try:
            if os.stat(place.replace("\\040", " ")).st_dev == device:
                return kind
        except OSError:
            continue
    return ""
