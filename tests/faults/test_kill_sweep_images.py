"""Killed while an image is made, used or collected: no layered environment ever looks at nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import Scene
from support.sweeping import IMAGE_OPERATIONS, Sweep, content, kill, points

NEW, CHANGES, COLLECTIONS = ["layered", "layered warm"], ["layered change", "layered stranger"], ["gc"]


def test_every_operation_is_swept() -> None:
    assert {*NEW, *CHANGES, *COLLECTIONS} == IMAGE_OPERATIONS.keys()


@pytest.mark.parametrize("name", NEW)
def test_new_environments_are_there_whole_or_not_at_all(scene: Scene, name: str, thorough: bool) -> None:
    sweep = Sweep(scene, IMAGE_OPERATIONS[name])
    flaws = []
    for fault, at in points(sweep, thorough):
        sweep.rewind()
        where = kill(sweep, fault, at)
        if content(scene.venv) not in (sweep.before.environment, sweep.after.environment):
            flaws.append(f"{where}: half an environment")
        flaws += [f"{where}: {flaw}" for flaw in [*missing_images(scene), *sweep.flaws()]]
    assert flaws == []


@pytest.mark.parametrize(
    ("name", "forward"), [("layered change", True), ("layered change", False), ("layered stranger", True)]
)
def test_a_collection_after_a_killed_change_takes_neither_image(
    scene: Scene, thorough: bool, name: str, forward: bool
) -> None:
    sweep = Sweep(scene, IMAGE_OPERATIONS[name])
    flaws = []
    for fault, at in points(sweep, thorough)[:: 1 if thorough else 2]:
        sweep.rewind()
        where = kill(sweep, fault, at)
        scene.done("gc", "--grace", "0s", "--max-size", "0")
        flaws += [f"{where}: {flaw}" for flaw in [*missing_images(scene), *sweep.flaws(forward=forward)]]
    assert flaws == []


def test_a_killed_collection_takes_no_image_that_is_used_and_the_next_finishes(scene: Scene, thorough: bool) -> None:
    sweep = Sweep(scene, IMAGE_OPERATIONS["gc"])
    flaws = []
    for fault, at in points(sweep, thorough):
        sweep.rewind()
        where = kill(sweep, fault, at)
        flaws += [f"{where}: {flaw}" for flaw in [*missing_images(scene), *sweep.flaws()]]
    assert flaws == []


def missing_images(scene: Scene) -> list[str]:
    """What environments look into and is not there: whoever imports something sees this, whatever any index says."""
    return [f"{path} leads to {line}" for path, line in _lines(scene.work) if not Path(line).is_dir()]


def _lines(work: Path) -> Iterator[tuple[Path, str]]:
    for path in work.glob("*/lib/python3*/site-packages/_wheelstore-image*.pth"):
        yield from ((path, line) for line in path.read_text().splitlines())
