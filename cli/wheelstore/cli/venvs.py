"""`store venv`: a new environment with nothing in it, or with pip. On the warm path."""

from __future__ import annotations

import os
import time

from wheelstore.cli.activating import activation_command, as_typed, shell_of
from wheelstore.cli.answers import asked_bytecode
from wheelstore.cli.console import Console
from wheelstore.cli.environments import VenvOptions, build, for_reader, link_mode, look
from wheelstore.cli.forms import unpacked
from wheelstore.cli.interpreters import find, memory_of, using
from wheelstore.cli.registering import Goal, Means
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.manifest import bytecode_levels, manifest_content, manifest_digest
from wheelstore.materialize.plan import make_plan, pack
from wheelstore.store.errors import StoreError
from wheelstore.store.index import open_index
from wheelstore.store.layout import open_store
from wheelstore.store.lease import Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelstore.cli.compiling import Bytecode
    from wheelstore.cli.request import VenvRequest
    from wheelstore.materialize.interpreter import Interpreter
    from wheelstore.store.index import Index
    from wheelstore.store.layout import Store


class EnvironmentExists(StoreError):
    """There is an environment already, and nobody said that it may go."""

    hint = "pass --clear to replace it"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"a virtual environment already exists at: {self.path}"


def run_venv(request: VenvRequest, *, started: float, environ: Mapping[str, str] = os.environ) -> None:
    """Make the environment and say how to activate it.

    Raises:
        StoreError, ResolveError: what the user has to know; what was at the path is still there.
    """
    common = request.common
    store = open_store(common.store)
    shown = as_typed(request.path, os.getcwd())
    with open_index(store.index_path) as index, Lease(store, index, now=time.time()) as lease:
        place = look(request.path, clear=request.clear, spared=(store.root,))
        if place.existing:
            raise EnvironmentExists(shown)
        console = Console(quiet=common.quiet or int(common.json), verbose=common.verbose)
        interpreter, stamp = find(request.python, memory_of(store, index), environ)
        _announce(console, interpreter, shown, seeded=request.seed)
        if request.seed:
            from wheelstore.cli.seeding import seeded_goal

            goal = seeded_goal(
                interpreter,
                stamp,
                request.common,
                store=store,
                index=index,
                lease=lease,
                environ=environ,
                bytecode=_bytecode(request, console),
            )
        else:
            goal = empty_goal(interpreter, stamp, asked_bytecode(request), store=store, index=index, lease=lease)
        options = VenvOptions(_prompt(request), request.system_site_packages, request.seed)
        mode = link_mode(store, index, lease, "auto", place.path)
        goal = goal._replace(source="store venv")
        try:
            build(place, goal, Means(store, index, lease, mode, time.time(), say=console.say), options=options)
        except BlobUnusable as unusable:
            raise unusable if store.writable else for_reader(unusable) from None
    if common.json:
        _report(request, goal, time.perf_counter() - started)
    for name, version, _ in goal.plan.distributions:
        console.say(f" {console.palette.paint('+', 'green')} {console.palette.paint(name, 'bold')}=={version}")
    command = activation_command(shown, interpreter.scripts, shell_of(environ))
    if command:
        console.say(f"Activate with: {console.palette.paint(command, 'green')}")


def _announce(console: Console, interpreter: Interpreter, shown: str, *, seeded: bool) -> None:
    paint = console.palette.paint
    console.say(f"{using(interpreter)}: {paint(interpreter.executable, 'cyan')}")
    console.say(f"Creating virtual environment{' with seed packages' if seeded else ''} at: {paint(shown, 'cyan')}")


def _report(request: VenvRequest, goal: Goal, seconds: float) -> None:
    from wheelstore.cli.console import write_json

    write_json(
        {
            "environment": request.path,
            "python": goal.interpreter.version,
            "interpreter": goal.interpreter.executable,
            "seeds": [{"name": one.name, "version": one.version} for one in goal.plan.distributions],
            "seconds": round(seconds, 4),
        }
    )


def _prompt(request: VenvRequest) -> str | None:
    """What is asked for; ``.`` is the current directory's name, as for `venv` and uv, and so for a ``.venv`` there."""
    if request.prompt == ".":
        return os.path.basename(os.getcwd()) or None
    if request.prompt is None and os.path.basename(request.path) == ".venv":
        return os.path.basename(os.path.dirname(request.path)) or None
    return request.prompt


def _bytecode(request: VenvRequest, console: Console) -> Bytecode:
    from wheelstore.cli.compiling import Bytecode

    return Bytecode(bytecode_levels(asked_bytecode(request)), console)


def empty_goal(
    interpreter: Interpreter, stamp: str, bytecode: str = "", *, store: Store, index: Index, lease: Lease
) -> Goal:
    """An environment in which nothing is installed; what will be shall have `bytecode` (as in `State`)."""
    content = manifest_content([], interpreter.identity, bytecode=bytecode_levels(bytecode))
    digest = manifest_digest(content)
    plan = unpacked(lease.plan(digest))
    if plan is None:
        plan = make_plan([], [], [], [], directories=[interpreter.purelib, interpreter.scripts])
        if store.writable:
            with index.writing():
                index.put_manifest(digest, content, pack(plan), now=time.time())
                lease.hold(digest)
    return Goal(digest, plan, "", "", interpreter, stamp, bytecode=bytecode)
