"""Contenders take turns, ratios are taken within rounds, failures don't stop the others."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from benchmarks.harness import Contender, ContenderError, Measured, Step, Usage, compete, paired_ratio, spawner

posix = pytest.mark.skipif(os.name == "nt", reason="the benchmarks need posix_spawn and wait4")
CHILDREN = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
BROKEN = "broken"


def step(name: str) -> Step:
    return Step(argv=(name,), environment={})


def always(name: str) -> Callable[[int], Sequence[Step]]:
    return lambda _round: (step(name),)


class Log:
    """A runner that runs nothing and remembers everything."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def run(self, steps: Sequence[Step], *, sample_memory: bool = False) -> Usage:
        for each in steps:
            self.names.append(each.argv[0])
            if each.argv[0] == BROKEN:
                raise ContenderError(each, 3, "no such thing")
        return Usage(wall=float(len(self.names)), user=0.25, system=0.5, peak=1)


def test_a_ratio_is_the_median_over_pairs_and_not_of_medians() -> None:
    assert paired_ratio([1.0, 20.0, 3.0], [2.0, 10.0, 6.0]) == 0.5


def test_a_ratio_uses_the_rounds_that_both_took_part_in() -> None:
    assert paired_ratio([1.0, 1.0, 90.0], [2.0, 2.0]) == 0.5
    assert paired_ratio([1.0], []) is None


def test_contenders_take_turns_and_the_order_turns_too() -> None:
    log = Log()
    compete([Contender(name="a", steps=always("a")), Contender(name="b", steps=always("b"))], 3, log)
    assert "".join(log.names) == "abbaab"


def test_preparation_runs_once_and_setup_in_every_round_outside_of_the_measured_time() -> None:
    log = Log()
    contender = Contender(name="a", prepare=lambda: (step("prepare"),), setup=always("setup"), steps=always("steps"))
    measured = compete([contender], 2, log)
    assert log.names == ["prepare", "setup", "steps", "setup", "steps"]
    assert measured.values["a"]["wall"] == [3.0, 5.0]
    assert measured.values["a"]["cpu"] == [0.75, 0.75]


def test_a_slow_contender_takes_part_in_the_first_rounds_only() -> None:
    log = Log()
    slow = Contender(name="slow", steps=always("slow"), rounds=1)
    compete([Contender(name="a", steps=always("a")), slow], 3, log)
    assert log.names.count("slow") == 1
    assert log.names.count("a") == 3


@pytest.mark.parametrize("where", ["prepare", "setup", "steps"])
def test_a_contender_that_fails_leaves_and_says_why(where: str) -> None:
    broken = {
        "prepare": Contender(name="b", prepare=lambda: (step(BROKEN),), steps=always("b")),
        "setup": Contender(name="b", setup=always(BROKEN), steps=always("b")),
        "steps": Contender(name="b", steps=always(BROKEN)),
    }[where]
    log = Log()
    measured = compete([broken, Contender(name="a", steps=always("a"))], 2, log)
    assert log.names.count(BROKEN) == 1
    assert len(measured.values["a"]["wall"]) == 2
    assert measured.failures == {"b": "`broken` ended with status 3:\nno such thing"}
    assert measured.ratio("a", "b", "wall") is None


def test_medians_of_what_was_not_measured_are_none() -> None:
    measured = Measured()
    measured.record("a", wall=1.0)
    measured.record("a", wall=4.0)
    assert measured.median("a", "wall") == 2.5
    assert measured.median("a", "peak") is None
    assert measured.median("b", "wall") is None


@posix
def test_the_spawner_accounts_for_the_steps_as_one(tmp_path: Path) -> None:
    small = Step(argv=(sys.executable, "-I", "-S", "-c", ""), environment={})
    large = Step(argv=(sys.executable, "-I", "-S", "-c", "b'x' * (64 << 20)"), environment={})
    with spawner(tmp_path) as runner:
        little = runner.run([small])
        much = runner.run([large, small])
    assert little.wall > 0
    assert little.peak < 64 << 20 < much.peak


@pytest.mark.skipif(not CHILDREN.exists(), reason="only Linux tells")
def test_the_memory_of_all_processes_is_sampled_together(tmp_path: Path) -> None:
    child = "import time; held = b'x' * (32 << 20); time.sleep(0.6)"
    parent = f"import subprocess, sys; held = b'x' * (32 << 20); subprocess.run([sys.executable, '-c', {child!r}])"
    with spawner(tmp_path) as runner:
        used = runner.run([Step(argv=(sys.executable, "-c", parent), environment={})], sample_memory=True)
    assert used.peak < 64 << 20 < used.tree


@posix
def test_the_spawner_stops_at_the_first_step_that_fails_and_shows_its_output(tmp_path: Path) -> None:
    good = Step(argv=(sys.executable, "-c", "print('fine')"), environment={})
    script = "import os, sys; print(os.environ['WORD'], file=sys.stderr); sys.exit(7)"
    bad = Step(argv=(sys.executable, "-c", script), environment={"WORD": "oops"})
    never = Step(argv=(sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"), environment={})
    with spawner(tmp_path) as runner, pytest.raises(ContenderError) as caught:
        runner.run([good, bad, never])
    assert caught.value.step is bad
    assert caught.value.status == 7
    assert caught.value.output.strip() == "oops"
    assert not (tmp_path / "ran").exists()


@posix
def test_the_last_step_is_timed_alone_too(tmp_path: Path) -> None:
    slow = Step(argv=(sys.executable, "-I", "-S", "-c", "sum(range(5_000_000))"), environment={})
    quick = Step(argv=(sys.executable, "-I", "-S", "-c", ""), environment={})
    with spawner(tmp_path) as runner:
        used = runner.run([slow, quick])
    assert 0 < used.last < used.wall / 2


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)")
def test_what_a_command_leaves_running_ends_before_the_next_and_costs_no_time(tmp_path: Path) -> None:
    script = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    t = time.process_time()\n"
    script += f"    while time.process_time() < t + 0.3: pass\n    open({str(tmp_path / 'done')!r}, 'w').close()"
    with spawner(tmp_path) as runner:
        started = time.perf_counter()
        used = runner.run([Step(argv=(sys.executable, "-I", "-S", "-c", script), environment={})])
        waited = time.perf_counter() - started
    assert (tmp_path / "done").exists()
    assert used.user + used.system > 0.3
    assert used.wall < waited - 0.2
