"""Killed at any effect: what was begun in an environment or the store is finished or undone by the next command."""

from __future__ import annotations

import pytest
from support.faults import Scene
from support.sweeping import CHANGES, STORE_OPERATIONS, Sweep, content, kill, points


@pytest.mark.parametrize("forward", [True, False], ids=["same again", "back"])
@pytest.mark.parametrize("name", CHANGES)
def test_changes(scene: Scene, name: str, forward: bool, thorough: bool) -> None:
    sweep = Sweep(scene, CHANGES[name])
    flaws = []
    for fault, at in points(sweep, thorough):
        sweep.rewind()
        where = kill(sweep, fault, at)
        flaws += [f"{where}: {flaw}" for flaw in sweep.flaws(forward=forward)]
    assert flaws == []


@pytest.mark.parametrize("name", STORE_OPERATIONS)
def test_what_is_about_the_store(scene: Scene, name: str, thorough: bool) -> None:
    sweep = Sweep(scene, STORE_OPERATIONS[name])
    witness = content(scene.work / "witness")
    flaws = []
    for fault, at in points(sweep, thorough):
        sweep.rewind()
        where = kill(sweep, fault, at)
        flaws += [f"{where}: {flaw}" for flaw in sweep.flaws(forward=name != "forget")]
        if name != "forget" and content(scene.work / "witness") != witness:
            flaws.append(f"{where}: another environment was touched")
    assert flaws == []
