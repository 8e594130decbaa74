"""The command line of the benchmarks: set up, record, measure, report."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.chart import Bar, Group, draw
from benchmarks.contenders import Store, Uv
from benchmarks.contests import CHANGED_LOCK
from benchmarks.harness import ContenderError, Measured, Runner, spawner
from benchmarks.locks import with_previous_version
from benchmarks.mounts import Unavailable
from benchmarks.scenarios import SCENARIOS, Scenario, chosen
from benchmarks.workshop import ROOT, Workshop, configured_index, open_workshop, project_page, serving

CHANGING = "idna"  # small and pure; the package of jupyter.txt that scenario one-changed changes
CHARTED = (
    "warm",
    "layered",
    "layered-large",
    "bytecode",
    "first-import",
    "no-op",
    "one-changed",
    "cold",
    "lock",
    "venv",
)
RESULTS = ROOT / "benchmarks" / "results"


def main() -> int:
    """Run what the command line asks for; 1 if a contender failed."""
    options = parse_options()
    scenarios = chosen(options.only)
    with open_workshop(options.work, options.python) as shop, spawner(shop.run) as runner:
        shop.index = (options.work or shop.run) / "index"
        record(shop, runner, scenarios)
        with serving(shop.index) as shop.index_url:
            results = []
            for number, scenario in enumerate(scenarios, 1):
                say(f"[{number}/{len(scenarios)}] {scenario.title}")
                try:
                    measured = scenario.measure(shop, runner, rounds(scenario, options))
                except Unavailable as reason:
                    say(f"    skipped: {reason}")
                    continue
                results.append((scenario, measured))
                say_results(scenario, measured)
        found = [row for scenario, measured in results for row in report.rows(scenario, measured)]
        facts = report.machine(shop.tools, shop.run)
    partial = options.quick or options.only
    output = options.output or (Path(tempfile.mkdtemp(prefix="benchmark-results-")) if partial else RESULTS)
    write(output, results, report.document(results, found, facts))
    print("\n" + report.page(results))
    say(f"written to {output}")
    return 1 if any(measured.failures for _, measured in results) else 0


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(
        prog="python benchmarks/run.py",
        description="Measure wheelstore beside uv and pip. Needs the configured package index once.",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: a look, not a result")
    parser.add_argument("--only", nargs="+", default=(), choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, help="rounds of every scenario")
    parser.add_argument("--output", type=Path, help="where results go (a temporary directory if partial)")
    parser.add_argument("--work", type=Path, help="scratch directory; keeps the tools and the recorded index")
    parser.add_argument("--python", help="interpreter of the environments (3.12 where there is one)")
    options = parser.parse_args()
    for name in ("work", "output"):
        if path := getattr(options, name):
            setattr(options, name, path.resolve())
    return options


def rounds(scenario: Scenario, options: argparse.Namespace) -> int:
    """How many rounds a scenario gets."""
    asked: int | None = options.rounds
    return asked or (max(2, scenario.rounds // 5) if options.quick else scenario.rounds)


def record(shop: Workshop, runner: Runner, scenarios: Sequence[Scenario]) -> None:
    """Let each tool ask the configured index, through the loopback one, for all it will need."""
    say("recording what the contenders ask the index for")
    with serving(shop.index, upstream=configured_index(shop.tools)) as shop.index_url:
        uv, store = Uv(shop=shop, cache="uv-recording"), Store(shop=shop, cache="store-recording")
        for stem in dict.fromkeys(stem for scenario in scenarios for stem in scenario.locks):
            lock = shop.lock(stem)
            if stem == CHANGED_LOCK:
                jupyter = shop.lock("jupyter").read_text()
                changed = with_previous_version(jupyter, CHANGING, project_page(shop.index_url, CHANGING)["files"])
                lock.write_text(changed)
            for steps in (uv.fresh(lock, shop.fresh("uv")), [store.sync(lock, shop.fresh("store"))]):
                try:
                    runner.run(steps)
                except ContenderError as failure:
                    say(f"while recording: {failure}")
        for contenders in dict.fromkeys(scenario.recorded_by for scenario in scenarios if scenario.recorded_by):
            for contender in contenders(shop):
                try:
                    runner.run(contender.steps(0))
                except ContenderError as failure:
                    say(f"while recording: {failure}")


def write(output: Path, results: Sequence[tuple[Scenario, Measured]], document: object) -> None:
    """Write the table, the numbers and the chart."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "table.md").write_text(report.page(results), encoding="utf-8")
    (output / "latest.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (output / "chart.svg").write_text(draw(groups(results)), encoding="utf-8")


def groups(results: Sequence[tuple[Scenario, Measured]]) -> list[Group]:
    """What the chart shows."""
    found = []
    for scenario, measured in results:
        if scenario.name in CHARTED and measured.values:
            found.append(Group(title=scenario.title, bars=tuple(bars(measured))))
    return found


def bars(measured: Measured) -> list[Bar]:
    """One scenario's contenders, ours first."""
    medians = {name: measured.median(name, "wall") for name in measured.values}
    return [
        Bar(
            label=name.replace("store", "wheelstore"),
            value=value,
            text=report.quantity(value, "wall"),
            ours=name.startswith("store"),
        )
        for name, value in medians.items()
        if value is not None
    ]


def say(text: str) -> None:
    """Tell about progress."""
    print(text, file=sys.stderr, flush=True)


def say_results(scenario: Scenario, measured: Measured) -> None:
    """Tell what a scenario found as soon as it did."""
    for row in report.rows(scenario, measured):
        metric, ours, theirs = row.comparison.metric, row.comparison.subject, row.comparison.against
        ratio = "" if row.ratio is None else f"  x {row.ratio:.2f} {row.verdict}"
        mine, other = report.quantity(row.subject, metric), report.quantity(row.against, metric)
        say(f"    {report.METRICS[metric]}: {ours} {mine}, {theirs} {other}{ratio}")
    for name, failure in measured.failures.items():
        say(f"    {name} failed: {failure}")
    for name, reason in measured.skipped.items():
        say(f"    {name} skipped: {reason}")
    if measured.appendix:
        say(measured.appendix)


if __name__ == "__main__":
    sys.exit(main())
