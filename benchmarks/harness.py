"""Measure contenders: paired, interleaved, each round's order turned by one."""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

SAMPLE_SECONDS = 0.005
OUTPUT_LINES = 15  # of a failed command that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command with its whole environment; nothing is inherited. `status` is how it ends when all is well."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    status: int = 0


def no_steps(_round: int) -> Sequence[Step]:
    """Nothing to do."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to do what a scenario measures.

    `prepare` runs once, `setup` before each round, both unmeasured; `steps` are measured as one.
    `rounds` limits how often a slow contender takes part; `last` is a metric for the last step alone.
    """

    name: str
    steps: Callable[[int], Sequence[Step]]
    setup: Callable[[int], Sequence[Step]] = no_steps
    prepare: Callable[[], Sequence[Step]] = tuple
    rounds: int | None = None
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the steps of one round used: seconds (`last`: of the last step alone), and bytes of memory.

    `peak` is that of the largest process; `tree` the sampled sum over all processes at one time, with
    shared pages divided among those that share them (0 where it was not sampled).
    """

    wall: float
    user: float
    system: float
    peak: int
    tree: int = 0
    last: float = 0.0


class ContenderError(Exception):
    """A contender's command did not succeed."""

    def __init__(self, step: Step, status: int, output: str) -> None:
        super().__init__(step, status, output)
        self.step, self.status, self.output = step, status, output

    def __str__(self) -> str:
        return f"`{shlex.join(self.step.argv)}` ended with status {self.status}:\n{self.output.strip()}"


@dataclass(slots=True, kw_only=True)
class Measured:
    """What a scenario found: per contender and metric one number for each round, or why there is none.

    `skipped` says which contenders this machine cannot have; `appendix` is Markdown for a table of its own.
    """

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    appendix: str = ""

    def record(self, contender: str, **metrics: float) -> None:
        """Add one round of one contender."""
        of_contender = self.values.setdefault(contender, {})
        for metric, value in metrics.items():
            of_contender.setdefault(metric, []).append(value)

    def median(self, contender: str, metric: str) -> float | None:
        """The median over the rounds; None where nothing was measured."""
        values = self.values.get(contender, {}).get(metric)
        return statistics.median(values) if values else None

    def ratio(self, subject: str, against: str, metric: str) -> float | None:
        """The median of the ratios of pairs; None where either took no part."""
        return paired_ratio(self.values.get(subject, {}).get(metric, ()), self.values.get(against, {}).get(metric, ()))


def paired_ratio(subject: Sequence[float], against: Sequence[float]) -> float | None:
    """The median of subject/against over the rounds in which both took part (the first ones).

    The ratio is taken within each round, so what slows a whole round cancels out.
    """
    ratios = [mine / other for mine, other in zip(subject, against, strict=False) if other]
    return statistics.median(ratios) if ratios else None


class Runner(Protocol):
    """What `compete` needs of a `Spawner`."""

    def run(self, steps: Sequence[Step], *, sample_memory: bool = False) -> Usage:
        """Run steps in order; ContenderError if one fails."""


class Spawner:
    """The small process that starts the contenders' commands (`spawner`)."""

    def __init__(self, process: subprocess.Popen[str], output: Path) -> None:
        self._process, self._output = process, output

    def run(self, steps: Sequence[Step], *, sample_memory: bool = False) -> Usage:
        """Run `steps` in order.

        Raises:
            ContenderError: one of them did not end with the status that it should.
        """
        request = {
            "steps": [
                {"argv": step.argv, "environment": dict(step.environment), "status": step.status} for step in steps
            ],
            "output": str(self._output),
        }
        with tree_memory(self._process.pid, enabled=sample_memory) as tree:
            answer = self._ask(request)
        if answer["failed"] is not None:
            text = "".join(self._output.read_text(errors="replace").splitlines(keepends=True)[-OUTPUT_LINES:])
            raise ContenderError(steps[answer["failed"]], answer["status"], text)
        return Usage(
            wall=answer["wall"],
            user=answer["user"],
            system=answer["system"],
            peak=answer["peak"],
            tree=max(tree, default=0),
            last=answer["last"],
        )

    def _ask(self, request: object) -> dict[str, int]:
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write(json.dumps(request) + "\n")
        to.flush()
        answer: dict[str, int] = json.loads(back.readline())
        return answer


@contextmanager
def spawner(directory: Path) -> Iterator[Spawner]:
    """Start a spawner; the last command's output is kept in `directory`."""
    script = Path(__file__).with_name("spawner.py")
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Spawner(process, directory / "output")
        close(process.stdin)


def close(pipe: IO[str] | None) -> None:
    """Close a pipe that may not be there."""
    if pipe is not None:
        pipe.close()


@contextmanager
def tree_memory(root: int, *, enabled: bool) -> Iterator[list[int]]:
    """Sample the memory of all descendants of `root` while the block runs (Linux; elsewhere nothing)."""
    samples: list[int] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            samples.append(sum(map(proportional_memory, descendants(root))))

    if not enabled or not Path(f"/proc/{root}/task/{root}/children").exists():
        yield samples
        return
    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def descendants(process: int) -> list[int]:
    """The processes below `process`, as far as they still run (Linux, proc(5))."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{process}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            children = Path(f"/proc/{process}/task/{thread}/children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            found += [child, *descendants(child)]
    return found


def proportional_memory(process: int) -> int:
    """A process's resident bytes with shared pages divided among their users (proc(5), Pss)."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def compete(contenders: Sequence[Contender], rounds: int, runner: Runner, *, sample_memory: bool = False) -> Measured:
    """Let the contenders take turns; one that fails is left out from there on, and its error kept."""
    measured = Measured()
    standing = [each for each in contenders if prepared(each, runner, measured)]
    for number in range(rounds):
        turn = number % len(standing) if standing else 0
        for contender in [*standing[turn:], *standing[:turn]]:
            if contender.rounds is not None and number >= contender.rounds:
                continue
            try:
                runner.run(contender.setup(number))
                settle()  # what an earlier command left to be written must not slow this one
                used = runner.run(contender.steps(number), sample_memory=sample_memory)
            except ContenderError as failure:
                measured.failures[contender.name] = str(failure)
                standing.remove(contender)
                continue
            measured.record(
                contender.name,
                wall=used.wall,
                cpu=used.user + used.system,
                peak=used.peak,
                **({"tree": used.tree} if used.tree else {}),
                **({contender.last: used.last} if contender.last else {}),
            )
    return measured


def settle() -> None:
    """Wait until the system has written what it holds back, where that can be asked for."""
    if hasattr(os, "sync"):
        os.sync()


def prepared(contender: Contender, runner: Runner, measured: Measured) -> bool:
    """Run a contender's preparation; False, with the failure recorded, where that is not possible."""
    try:
        runner.run(contender.prepare())
    except ContenderError as failure:
        measured.failures[contender.name] = str(failure)
        return False
    return True
