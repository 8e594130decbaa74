"""Killed at any effect: the environment is the old or the new one, and the next command puts everything right."""

from __future__ import annotations

import signal

import pytest
from support.faults import Scene
from support.sweeping import CHANGES, NEW_ENVIRONMENTS, STORE_OPERATIONS, Sweep, content


@pytest.mark.parametrize("name", NEW_ENVIRONMENTS)
def test_new_environments_are_there_whole_or_not_at_all(scene: Scene, name: str, thorough: bool) -> None:
    sweep = Sweep(scene, NEW_ENVIRONMENTS[name])
    witness = content(scene.work / "witness")
    flaws = []
    for fault, at in points(sweep, every=thorough or name != "cold"):
        sweep.rewind()
        where = kill(sweep, fault, at)
        if content(scene.venv) not in (sweep.before.environment, sweep.after.environment):
            flaws.append(f"{where}: half an environment")
        if content(scene.work / "witness") != witness:
            flaws.append(f"{where}: another environment was touched")
        flaws += [f"{where}: {flaw}" for flaw in sweep.flaws()]
    assert flaws == []


@pytest.mark.parametrize("forward", [True, False], ids=["same again", "back"])
@pytest.mark.parametrize("name", CHANGES)
def test_changes(scene: Scene, name: str, forward: bool, thorough: bool) -> None:
    sweep = Sweep(scene, CHANGES[name])
    flaws = []
    for fault, at in points(sweep, every=True):
        sweep.rewind()
        where = kill(sweep, fault, at)
        flaws += [f"{where}: {flaw}" for flaw in sweep.flaws(forward=forward)]
    assert flaws == []


@pytest.mark.parametrize("name", STORE_OPERATIONS)
def test_what_is_about_the_store(scene: Scene, name: str, thorough: bool) -> None:
    sweep = Sweep(scene, STORE_OPERATIONS[name])
    witness = content(scene.work / "witness")
    flaws = []
    for fault, at in points(sweep, every=thorough or name != "verify --repair"):
        sweep.rewind()
        where = kill(sweep, fault, at)
        flaws += [f"{where}: {flaw}" for flaw in sweep.flaws(forward=name != "forget")]
        if name != "forget" and content(scene.work / "witness") != witness:
            flaws.append(f"{where}: another environment was touched")
    assert flaws == []


def points(sweep: Sweep, *, every: bool) -> list[tuple[str, int]]:
    """Where to kill: at every effect, or at every second, and at half of a write."""
    found = [(fault, at) for fault in ("kill", "torn") for at in sweep.points(fault)]
    return found if every else found[::2]


def kill(sweep: Sweep, fault: str, at: int) -> str:
    """Do it; where that was."""
    killed = sweep.scene.run(*sweep.operation.words, at=at, fault=fault)
    assert killed.status == -signal.SIGKILL, killed
    assert len(killed.effects) == at
    return f"{fault} {killed.last}"
