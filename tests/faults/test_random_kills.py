"""Real commands, several at once in one store, killed at any time: whoever comes next finds everything in order."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.commands import store_script
from support.faults import Scene
from support.soundness import flaws_of
from support.sweeping import CAN_COLLECT
from support.trees import check_records, environment_content

PINS = ("alpha==1.0", "alpha==2.0", "beta==1.0", "gamma==1.0", "delta==1.0", "foxtrot==1.0")
LONGEST = 0.5
"""Seconds that a command is given at most, about as long as one takes."""


@dataclass(frozen=True, slots=True)
class Round:
    """Two commands, and after how long each is killed."""

    first: list[str]
    second: list[str]
    delays: tuple[float, float]


def rounds(scene: Scene, count: int, *, seed: int) -> list[Round]:
    """Which commands and delays; the same for the same seed."""
    dice = random.Random(seed)
    found = []
    for number in range(count):
        pins = [pin for pin in PINS if dice.random() < 0.6 and pin != f"alpha=={dice.choice('12')}.0"]
        if "delta==1.0" in pins:
            pins = [pin for pin in pins if pin != "foxtrot==1.0"]
        if "alpha==1.0" in pins:
            pins = [pin for pin in pins if pin != "alpha==2.0"]
        lock = scene.lock(f"{number}.txt", *pins)
        others = [["sync", str(lock), "--venv", "other"], ["add", str(lock)], ["sync", str(lock)]]
        if CAN_COLLECT:
            others += [["gc"], ["gc", "--grace", "0s"]]
        delays = dice.random() * LONGEST, dice.random() * LONGEST
        found.append(Round(["sync", str(lock)], dice.choice(others), delays))
    return found


def start(scene: Scene, words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [store_script(), *words],
        cwd=scene.work,
        env=scene.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_after(process: subprocess.Popen[bytes], delay: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(delay)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("seed", [1])
def test_rounds(scene: Scene, seed: int, thorough: bool) -> None:
    wanted = scene.root / "wanted"
    for at, one in enumerate(rounds(scene, 400 if thorough else 12, seed=seed)):
        processes = [start(scene, one.first), start(scene, one.second)]
        for process, delay in zip(processes, one.delays, strict=True):
            kill_after(process, delay)
        if at % 3 == 2:
            scene.done(*one.first)
            hold_to(scene, one, wanted)


def hold_to(scene: Scene, one: Round, wanted: Path) -> None:
    """Compare the environment with a new one of the same lock, and the store with itself."""
    scene.done("sync", "--clear", one.first[1], "--venv", wanted)
    assert environment_content(scene.venv) == environment_content(wanted), one
    check_records(scene.venv)
    if CAN_COLLECT:
        scene.done("gc")
    assert flaws_of(scene.store, collected=CAN_COLLECT) == [], one
