"""Killed while something is made ready, taken, or run in: it leaves leftovers, and the next command has all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.faults import Scene
from support.sweeping import Operation, Sweep, content, kill, points, prepare_wheels


def prepare_spare(scene: Scene) -> None:
    prepare_wheels(scene)
    scene.done("prewarm", "old.txt", "--spares", "1")


def prepare_spares(scene: Scene) -> None:
    prepare_wheels(scene)
    scene.done("prewarm", "old.txt", "--spares", "3")


def prepare_image(scene: Scene) -> None:
    prepare_wheels(scene)
    scene.done("prewarm", "old.txt")


READY = {
    "prewarm": (Operation(prepare=prepare_wheels, words=("prewarm", "old.txt", "--spares", "2"), least=80), 2),
    "fewer": (Operation(prepare=prepare_spares, words=("prewarm", "old.txt", "--spares", "1"), least=20), 1),
    "drop": (Operation(prepare=prepare_spare, words=("prewarm", "old.txt", "--drop"), least=5), 0),
    "run": (Operation(prepare=prepare_image, words=("run", "old.txt", "--", "/bin/true"), least=15), 0),
    "first run": (Operation(prepare=prepare_wheels, words=("run", "old.txt", "--", "/bin/true"), least=60), 0),
}


@pytest.mark.parametrize("name", READY)
def test_only_leftovers_are_left(scene: Scene, name: str, thorough: bool) -> None:
    operation, spares = READY[name]
    sweep = Sweep(scene, operation)
    before = os.listdir(scene.work)
    flaws = []
    for fault, at in points(sweep, thorough):
        sweep.rewind()
        where = kill(sweep, fault, at)
        flaws += [f"{where}: {flaw}" for flaw in (*sweep.flaws(), *_flaws_of_spares(scene, spares))]
        if sorted(os.listdir(scene.work)) != sorted(before):
            flaws.append(f"{where}: something is left in the working directory")
    assert flaws == []


def test_a_spare_that_is_taken_becomes_the_environment_or_nothing(scene: Scene, thorough: bool) -> None:
    sweep = Sweep(scene, Operation(prepare=prepare_spare, words=("sync", "old.txt"), least=30))
    flaws = []
    for fault, at in points(sweep, thorough):
        sweep.rewind()
        where = kill(sweep, fault, at)
        if content(scene.venv) not in (sweep.before.environment, sweep.after.environment):
            flaws.append(f"{where}: half an environment")
        flaws += [f"{where}: {flaw}" for flaw in sweep.flaws()]
    assert flaws == []


def _flaws_of_spares(scene: Scene, wanted: int) -> list[str]:
    """What is wrong with the spares after the next command, which has been there."""
    found = sorted((scene.store / "spares").glob("*/*"))
    flaws = [] if len(found) == wanted else [f"{len(found)} spares, {wanted} wanted"]
    names = {tuple(_names(spare)) for spare in found}
    return flaws if len(names) <= 1 else [*flaws, "half a spare"]


def _names(tree: Path) -> list[str]:
    return sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*"))
