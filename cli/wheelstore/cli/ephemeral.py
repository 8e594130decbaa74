"""`store run` in full, where the environment of the locks, or its image, has to be made first."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from wheelstore.cli.answering import Answering
from wheelstore.cli.answers import asked_bytecode
from wheelstore.cli.console import Console
from wheelstore.cli.forms import LAYERED, ImageMissing
from wheelstore.cli.images import ensure_image
from wheelstore.cli.registering import Goal, Means
from wheelstore.cli.run_request import RunRequest
from wheelstore.cli.running import Lodging, carry_out, lodge
from wheelstore.store.index import open_index
from wheelstore.store.layout import open_store
from wheelstore.store.lease import Lease


def run_command(request: RunRequest, environ: Mapping[str, str] = os.environ) -> int:
    """Run the command; its exit status. Where the system can, this process becomes the command.

    Raises:
        StoreError, ResolveError: the environment cannot be made.
    """
    sync = request.sync
    console = Console(quiet=sync.quiet, verbose=sync.verbose)
    store = open_store(sync.store)
    with open_index(store.index_path) as index, Lease(store, index, now=time.time()) as lease:
        answering = Answering.to(sync, store=store, index=index, lease=lease, console=console, environ=environ)

        def make(goals: Sequence[Goal]) -> Lodging:
            means = Means(store, index, lease, "hardlink", time.time(), form=LAYERED, say=console.say)
            if store.writable:
                ensure_image(goals[0], means)
            lodging = lodge(goals[0].manifest, answering.interpreter, store, index, lease, now=means.now)
            if lodging is None:
                raise ImageMissing(store.root, LAYERED)
            return lodging

        lodging = answering.answer([asked_bytecode(sync, unsaid=True)], make)
    return carry_out(request.command, lodging, answering.interpreter, environ)
