"""A repair that is killed at any effect goes on when it is run again."""

from __future__ import annotations

import json
import os
import signal
from random import Random

from support.faults import Scene
from support.rot import blob_files, rot
from support.trees import check_records


def test_a_killed_repair_goes_on(scene: Scene, thorough: bool) -> None:
    scene.lock("lock.txt", "alpha==1.0", "beta==1.0", "gamma==1.0")
    scene.done("sync", "lock.txt")
    dice = Random(5)
    blobs = blob_files(scene.store)
    (module,) = scene.venv.glob("lib/python3*/site-packages/alpha/__init__.py")
    others = [blob for blob in blobs if not blob.samefile(module)]
    gone, *bad = dice.sample(others, 4)
    gone.unlink()
    for blob in (module, *bad):
        rot(blob, dice)
    scene.keep("damaged")
    whole = scene.done("verify", "--repair")
    assert len(whole.effects) > 30
    for at in range(1, len(whole.effects) + 1, 1 if thorough else 5):
        scene.restore("damaged")
        killed = scene.run("verify", "--repair", at=at)
        assert killed.status == -signal.SIGKILL, killed
        again = scene.run("verify", "--repair")
        assert again.status == 0, f"{killed.last}: {again.stderr}"
        told = json.loads(scene.done("verify", "--json").stdout)
        assert (told["bad_blobs"], told["environments"]) == ([], []), killed.last
        assert module.read_bytes() == b"value = 1\n", killed.last
        assert check_records(scene.venv) > 10
        assert os.listdir(scene.store / "trash") == [], killed.last
