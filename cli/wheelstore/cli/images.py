"""Images for environments: made when the first one asks, by one process for all."""

from __future__ import annotations

import os

from wheelstore.cli.environments import by
from wheelstore.cli.fetching import StoreFull
from wheelstore.cli.registering import Goal, Means
from wheelstore.materialize.image import make_image
from wheelstore.materialize.shapes import keep_shapes
from wheelstore.store.claims import Claims
from wheelstore.store.lease import is_there


def ensure_image(goal: Goal, means: Means, *, anew: bool = False) -> None:
    """Let the store have the image of `goal`, whose plan is the long one, and the small plans that go with it.

    With `anew`, one that is there is replaced, whatever it is.

    The lease of `means` protects the manifest, and so the image.

    Raises:
        BlobUnusable: a file that it is made of is missing or damaged.
        StoreFull: there is no room for it.
    """
    store, index = means.store, means.index
    try:
        os.makedirs(store.locks, 0o700, exist_ok=True)
        os.makedirs(store.images, 0o755, exist_ok=True)
        with Claims(f"{store.locks}/images", [goal.manifest], waiting=lambda process: _say_waiting(process, means)):
            if anew or index.image(goal.manifest) is None or not is_there(store, goal.manifest):
                now, lease = means.now, means.lease
                make_image(goal.plan, goal.manifest, store=store, index=index, lease=lease, now=now, replace=anew)
            with index.writing():
                keep_shapes(index, goal.manifest, goal.plan, (goal.interpreter.purelib, goal.interpreter.platlib))
    except OSError as error:
        raise StoreFull(f"make an image in the store {store.root}", error.strerror or str(error)) from error


def _say_waiting(process: int, means: Means) -> None:
    if means.say is not None:
        means.say(f"Waiting for another store command{by(process)} that makes the same image")
