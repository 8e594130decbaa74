"""`store run`: an environment in front of an image, for one command, of which nothing is left. On the warm path.

The environment is in the operation's directory, and registered nowhere. What keeps it is a locked file that the
command has open, and those of its children that inherit the descriptors: `gc` lets everything be as long as one of them
lives. Children that close them, as those of Python's `subprocess` do, keep nothing once the command has ended. The
image is kept by the lease's row; in someone else's store by a lock of its own. A process that nobody waits for waits
for the end, and then removes the environment; where it cannot, the next `gc` does.
"""

from __future__ import annotations

import os
import time

from wheelstore.cli.afterwards import VARIABLE
from wheelstore.cli.answers import LockFile, answer_key, asked_bytecode, inputs_hold
from wheelstore.cli.becoming import attend, become, end_as
from wheelstore.cli.forms import unpacked
from wheelstore.cli.interpreters import find, memory_of
from wheelstore.materialize.fresh import TargetUnwritable, remove_tree
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.shapes import LAYER
from wheelstore.materialize.tree import Tree
from wheelstore.materialize.venv import write_venv
from wheelstore.store.claims import claim_directory
from wheelstore.store.index import IndexUnusable, open_index
from wheelstore.store.layout import open_store
from wheelstore.store.lease import Lease, hold_image, inheritable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheelstore.cli.run_request import RunRequest
    from wheelstore.materialize.interpreter import Interpreter
    from wheelstore.materialize.link import Mode
    from wheelstore.materialize.plan import Plan
    from wheelstore.store.index import Index
    from wheelstore.store.layout import Store

_NOTED = 3600.0  # seconds in which an image's use need not be noted again


class Lodging:
    """Where the command's environment is: in `directory`, which goes when nobody has the lock of the file any more.

    `held` are the descriptors that the command is to have, `watch` is one of the same file that has no lock.
    """

    __slots__ = ("directory", "file", "held", "venv", "watch")

    def __init__(self, directory: str, file: str, held: tuple[int, ...], watch: int) -> None:
        self.directory, self.file, self.held, self.watch = directory, file, held, watch
        self.venv = f"{directory}/venv"


def run_warm(request: RunRequest, environ: Mapping[str, str]) -> int | None:
    """Run the command in what is remembered and ready; its exit status, or None if it takes more to make that.

    Where the system can, this process becomes the command, and the function does not return.

    Raises:
        StoreError: there is no such interpreter, or no environment can be made.
    """
    sync = request.sync
    try:
        locks = [LockFile(path) for path in sync.locks]
    except OSError:
        return None
    if any(lock.depends_on_environment for lock in locks) or not os.path.exists(f"{sync.store}/index.sqlite3"):
        return None
    store = open_store(sync.store)
    index = open_index(store.index_path)
    now = time.time()
    try:
        with Lease(store, index, now=now) as lease:
            interpreter, _ = find(sync.python, memory_of(store, index), environ)
            bytecode = asked_bytecode(sync, unsaid=True)
            identity, hashed = interpreter.identity, sync.require_hashes
            answer = index.answer(answer_key(locks, identity=identity, require_hashes=hashed, bytecode=bytecode))
            if answer is None or not inputs_hold(answer.inputs):
                return None
            lodging = lodge(answer.manifest, interpreter, store, index, lease, now=now)
    except BlobUnusable:  # the full command can get it anew
        return None
    finally:
        index.leave()
    return None if lodging is None else carry_out(request.command, lodging, interpreter, environ)


def lodge(
    manifest: str, interpreter: Interpreter, store: Store, index: Index, lease: Lease, *, now: float
) -> Lodging | None:
    """Make the environment of a manifest, which the `lease` protects from here on; None if there is no image of it.

    In someone else's store, what protects the image is a lock on it.

    Raises:
        BlobUnusable: a file of it is missing in the store.
        TargetUnwritable, UnusablePlace: it cannot be made there.
    """
    image = None if store.writable else hold_image(store, index, manifest)
    if image is None and not store.writable:
        return None
    lodging = None
    try:
        plan = unpacked(lease.shape(manifest, LAYER, with_image=store.writable))
        if plan is not None:
            directory = _build(plan, interpreter, store, lease)
            if store.writable:
                _note(manifest, index, now)
            lodging = _take_over(directory, -1 if image is None else image, store, lease)
    finally:
        if lodging is None and image is not None and image >= 0:
            os.close(image)
    return lodging


def _build(plan: Plan, interpreter: Interpreter, store: Store, lease: Lease) -> str:
    """Make the environment; the directory that it is in."""
    directory = lease.directory if store.writable else _directory_elsewhere()
    venv = f"{directory}/venv"
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
        write_venv(venv, final=venv, interpreter=interpreter, activation=False)
        python = os.path.join(venv, interpreter.scripts, "python.exe" if interpreter.windows else "python")
        mode: Mode = "hardlink" if store.writable else "clone"
        tree = Tree(root=venv, final=venv, blobs=store.blobs, mode=mode, python=python, images=store.images)
        tree.create(plan, interpreter.purelib, processes=1)
    except BaseException as error:
        if not store.writable:
            remove_tree(directory)
        if isinstance(error, OSError):
            raise TargetUnwritable(directory, error.strerror or str(error)) from error
        raise
    return directory


def _directory_elsewhere() -> str:
    directory = os.path.join(os.path.abspath(os.environ.get("TMPDIR") or "/tmp"), f"store-run-{os.urandom(8).hex()}")
    try:
        os.mkdir(directory, 0o700)
    except OSError as error:
        raise TargetUnwritable(directory, error.strerror or str(error)) from None
    return directory


def _take_over(directory: str, image: int, store: Store, lease: Lease) -> Lodging:
    """Lock what says that the environment is in use, for the command to have the lock."""
    if store.writable:
        file = lease.file
        watch = os.open(file, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        lock = lease.bequeath()
    else:
        file = directory
        lock = inheritable(claim_directory(directory)) if os.name != "nt" else -1
        watch = os.open(directory, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)) if os.name != "nt" else -1
    held = [lock] if lock >= 0 else []
    if image >= 0:
        held.append(inheritable(image))
    return Lodging(directory, file, tuple(held), watch)


def _note(manifest: str, index: Index, now: float) -> None:
    """Note that an image is in use, if that was not noted lately."""
    image, row = index.image(manifest), index.prewarmed(manifest)
    last = min((one.used for one in (image, row) if one is not None), default=now)
    if now - last > _NOTED:
        try:
            with index.writing():
                index.use_manifest(manifest, now=now)
                index.use_image(manifest, now=now)
                index.use_prewarmed(manifest, now=now)
        except IndexUnusable:  # it is no less there
            return


def carry_out(command: Sequence[str], lodging: Lodging, interpreter: Interpreter, environ: Mapping[str, str]) -> int:
    """Run `command` in the environment, and see to it that this goes when that has ended; its exit status."""
    variables = _variables(lodging.venv, interpreter, environ)
    if environ.get(VARIABLE) != "0" and _detach_cleaner(lodging):
        return become(command, variables)
    status = attend(command, variables, closing=lodging.held)
    _clean_if_free(lodging)
    return end_as(status)


def _variables(venv: str, interpreter: Interpreter, environ: Mapping[str, str]) -> dict[str, str]:
    """What `activate` would set."""
    variables = {**environ, "VIRTUAL_ENV": venv}
    scripts = os.path.join(venv, interpreter.scripts)
    variables["PATH"] = os.pathsep.join((scripts, environ.get("PATH") or os.defpath))
    for name in ("PYTHONHOME", "VIRTUAL_ENV_PROMPT"):
        variables.pop(name, None)
    return variables


def _detach_cleaner(lodging: Lodging) -> bool:
    """Let another process wait for the end of the command, which has this process's number, and of its children."""
    from wheelstore.store.detached import detach

    process = -1
    if hasattr(os, "pidfd_open"):
        try:
            process = os.pidfd_open(os.getpid())
        except OSError:
            process = -1
    kept = [*lodging.held, lodging.watch, *([process] if process >= 0 else [])]
    return detach(lambda: _clean_after(process, lodging), keep=kept)


def _clean_after(process: int, lodging: Lodging) -> None:
    """Wait, then remove the environment.

    A command that closes all files that it did not open is waited for by its number; the locks are kept until then.
    """
    if process >= 0:
        from select import POLLIN, poll

        ended = poll()
        ended.register(process, POLLIN)
        ended.poll()
    for descriptor in lodging.held:
        os.close(descriptor)
    from fcntl import LOCK_EX, flock

    flock(lodging.watch, LOCK_EX)
    _remove(lodging)


def _clean_if_free(lodging: Lodging) -> None:
    """Remove the environment, unless something that the command has started still uses it: then `gc` does, later."""
    if os.name != "nt":
        from fcntl import LOCK_EX, LOCK_NB, flock

        try:
            flock(lodging.watch, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return
    _remove(lodging)


def _remove(lodging: Lodging) -> None:
    from wheelstore.store.leftovers import remove

    try:
        remove(lodging.directory)
        if lodging.file != lodging.directory:
            os.unlink(lodging.file)
    except OSError:  # gc was quicker, or there is something that is not ours
        return
