"""A rollback that is killed at any effect is a rollback after the next one."""

from __future__ import annotations

import signal

from support.faults import Scene
from support.sweeping import Operation, Sweep, prepare_environment


def prepare_history(scene: Scene) -> None:
    """An environment at the second of two generations."""
    prepare_environment(scene)
    scene.done("sync", "new.txt")


ROLLBACK = Operation(prepare=prepare_history, words=("rollback",), again=("rollback", "--to", "1"), least=50)


def test_rollback(scene: Scene, thorough: bool) -> None:
    sweep = Sweep(scene, ROLLBACK)
    points = [(fault, at) for fault in ("kill", "torn") for at in sweep.points(fault)]
    flaws = []
    for fault, at in points if thorough else points[::2]:
        sweep.rewind()
        killed = scene.run(*ROLLBACK.words, at=at, fault=fault)
        assert killed.status == -signal.SIGKILL, killed
        flaws += [f"{fault} {killed.last}: {flaw}" for flaw in sweep.flaws()]
    assert flaws == []
