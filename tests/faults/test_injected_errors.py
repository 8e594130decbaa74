"""A full or failing disk at any effect: one clear line, the environment as it was, and the same command works later."""

from __future__ import annotations

import pytest
from support.faults import Ended, Scene
from support.sweeping import CHANGES, NEW_ENVIRONMENTS, Sweep, content

OPERATIONS = {**NEW_ENVIRONMENTS, **CHANGES}


@pytest.mark.parametrize("fault", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("name", ["cold", "sync --clear", "change"])
def test_failing_effects(scene: Scene, name: str, fault: str, thorough: bool) -> None:
    sweep = Sweep(scene, OPERATIONS[name])
    flaws, failed = [], 0
    points = sweep.points(fault)[:: 1 if thorough else 5]
    for at in points:
        sweep.rewind()
        ran = scene.run(*sweep.operation.words, at=at, fault=fault, lasting=fault == "ENOSPC")
        where = f"{fault} {sweep.whole.effects[at - 1]}: "
        failed += ran.status == 1
        said = unclear(ran, fault) if ran.status else []
        if not is_decided(sweep, at):
            said += environment_flaws(sweep, ran)
        flaws += [f"{where}{flaw}" for flaw in [*said, *sweep.flaws()]]
    assert flaws == []
    assert failed > len(points) // 3


def environment_flaws(sweep: Sweep, ran: Ended) -> list[str]:
    """What a command did to the environment that it should not have, by how it ended."""
    found = content(sweep.scene.venv)
    if found == (sweep.before if ran.status else sweep.after).environment:
        return []
    if found == sweep.after.environment and any(effect.split(" ")[1] == "renameat2" for effect in ran.effects):
        return []  # what failed is the removal of the old one, which is beside
    return [f"the environment was changed, status {ran.status}"]


def unclear(ran: Ended, fault: str) -> list[str]:
    """What is not as it should be in how a command refused."""
    reasons = (
        ("No space left on device", "disk is full") if fault == "ENOSPC" else ("put/output error", "disk I/O error")
    )
    lines = [line for line in ran.stderr.splitlines() if not line.startswith(("Using ", "Creating "))]
    if (
        ran.status == 1
        and len(ran.errors) == 1
        and any(reason in ran.errors[0] for reason in reasons)
        and (ran.hints or fault == "EIO")
    ):
        lines = [line for line in lines if not line.startswith(("error: ", "hint: "))]
    return [f"status {ran.status} {lines}"] if lines else []


def is_decided(sweep: Sweep, at: int) -> bool:
    """Whether a change has been written down by then, so that it is only ever finished."""
    return any(effect.endswith("/list") for effect in sweep.whole.effects[: at - 1])
