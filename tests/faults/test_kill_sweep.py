"""Killed at any effect: the environment is the old or the new one, and the next command puts everything right."""

from __future__ import annotations

import pytest
from support.faults import Scene
from support.sweeping import NEW_ENVIRONMENTS, Sweep, content, kill, points


@pytest.mark.parametrize("name", NEW_ENVIRONMENTS)
def test_new_environments_are_there_whole_or_not_at_all(scene: Scene, name: str, thorough: bool) -> None:
    sweep = Sweep(scene, NEW_ENVIRONMENTS[name])
    witness = content(scene.work / "witness")
    flaws = []
    for fault, at in points(sweep, thorough):
        sweep.rewind()
        where = kill(sweep, fault, at)
        if content(scene.venv) not in (sweep.before.environment, sweep.after.environment):
            flaws.append(f"{where}: half an environment")
        if content(scene.work / "witness") != witness:
            flaws.append(f"{where}: another environment was touched")
        flaws += [f"{where}: {flaw}" for flaw in sweep.flaws()]
    assert flaws == []


@pytest.mark.parametrize("name", ["cold", "warm"])
def test_processes_side_by_side(scene: Scene, name: str, thorough: bool) -> None:
    sweep = Sweep(scene, NEW_ENVIRONMENTS[name])
    flaws = []
    for at in sweep.points("kill")[:: 1 if thorough else 8]:
        sweep.rewind()
        killed = scene.run(*sweep.operation.words, at=at, processors=2)
        if content(scene.venv) not in (sweep.before.environment, sweep.after.environment):
            flaws.append(f"{killed.last}: half an environment")
        flaws += [f"{killed.last}: {flaw}" for flaw in sweep.flaws()]
    assert flaws == []
