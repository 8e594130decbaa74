"""Change an existing environment so that no moment of it is half a change.

Everything new is made in a directory of its own, ``.wheelstore/change-…/new/`` in the environment, at the paths that
it is to have. Then the list of what moves in and what goes is written down, which is the decision: before it, an
interrupted change is thrown away; from then on it is only ever finished, by this process or by the next that holds
the environment (`hold`), because moving and removing can be repeated.
"""

from __future__ import annotations

import errno
import os

from wheelstore.materialize.directories import Directories
from wheelstore.materialize.environment import DIRECTORY, LEFTOVERS, LOCK, WHOLE, read_state, write_state
from wheelstore.materialize.link import Linker
from wheelstore.materialize.plan import links_among
from wheelstore.materialize.removal import remove_files, remove_hollow, unlink
from wheelstore.materialize.tree import is_program, write_file
from wheelstore.store.claims import Claims

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wheelstore.materialize.link import Mode
    from wheelstore.materialize.plan import Plan
    from wheelstore.materialize.sync import Work
    from wheelstore.materialize.tree import Tree

_PREFIX = "change-"
_LIST = "list"


class hold:  # noqa: N801 - used like a function
    """A context in which no other process changes the environment `root`; `waiting` is as for `Claims`.

    Raises:
        OSError: the environment cannot be written to, or is not there.
    """

    __slots__ = ("_claims", "_root", "_waiting")

    def __init__(self, root: str, *, waiting: Callable[[int], None] | None = None) -> None:
        self._root, self._waiting = root, waiting

    def __enter__(self) -> None:
        while True:
            try:  # noqa: SIM105 - what that takes is not imported on the warm path
                os.mkdir(f"{self._root}/{DIRECTORY}")
            except FileExistsError:
                pass
            self._claims = Claims(f"{self._root}/{LOCK}", [WHOLE], waiting=self._waiting)
            self._claims.__enter__()
            if self._claims.are_there():  # else it was replaced while we waited
                return
            self._claims.__exit__()

    def __exit__(self, *exception: object) -> None:
        self._claims.__exit__()


def finish_changes(root: str) -> None:
    """Finish what an earlier process had decided to change, and throw away what it had not; inside `hold`."""
    for name in os.listdir(f"{root}/{DIRECTORY}"):
        if name.startswith(_PREFIX):
            change = f"{root}/{DIRECTORY}/{name}"
            if os.path.exists(f"{change}/{_LIST}"):
                _finish(root, change)
            else:
                _clear(change)
        elif name.startswith(LEFTOVERS):  # of a process that was killed while it wrote
            os.unlink(f"{root}/{DIRECTORY}/{name}")


def apply(tree: Tree, plan: Plan, work: Work, *, blobs: str, mode: Mode, site: str) -> None:
    """Carry out `work` in the existing environment `tree`; inside `hold`. Its state does not hold afterwards.

    Raises:
        BlobUnusable: what a file is to be made from is damaged; the environment is as it was.
        OSError: the environment cannot be written to, and is as it was; or, in the rare case that this shows only
            after the decision, the next `finish_changes` goes on.
    """
    directories = Directories(tree.root)
    work = _with_displaced(tree.root, plan, work, directories)
    change = f"{tree.root}/{DIRECTORY}/{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
    new = f"{change}/new"
    try:
        _make_parents(new, work.written)
        _make_files(tree, new, plan, work, blobs=blobs, mode=mode, site=site)
        _forget_marks(tree.root)
        moves = _moves(work.written, directories)
        _check_room(tree.root, moves, set(work.removed), directories)
        _decide(change, moves, work.removed, keep=set(plan.directories))
    except BaseException:
        if os.path.lexists(change):
            _clear(change)
        raise
    try:
        _finish(tree.root, change)
    except KeyboardInterrupt:
        finish_changes(tree.root)
        raise


def _with_displaced(root: str, plan: Plan, work: Work, directories: Directories) -> Work:
    """`work`, and all that the plan has where something else (a link, a file) is in the place of a directory."""
    parents = {parent for target in work.written for parent in _parents_of(target)}
    displaced = {one for one in parents if not directories.own(one) and os.path.lexists(f"{root}/{one}")}
    if not displaced:
        return work
    written = work.written.union(target for target in plan.items() if not displaced.isdisjoint(_parents_of(target)))
    return work._replace(written=written, links=links_among(plan, written))


def _make_parents(new: str, targets: Iterable[str]) -> None:
    made: set[str] = set()
    os.makedirs(new)
    for directory in sorted({target.rpartition("/")[0] for target in targets}):
        at = 0
        while at >= 0 and directory:
            at = directory.find("/", at + 1)
            parent = directory if at < 0 else directory[:at]
            if parent not in made:
                made.add(parent)
                os.mkdir(f"{new}/{parent}")


def _make_files(tree: Tree, new: str, plan: Plan, work: Work, *, blobs: str, mode: Mode, site: str) -> None:
    links = sorted(work.links.items())
    Linker(blobs, new, mode).run([source for _, source in links], [target for target, _ in links])
    for target, content in tree.written_files(plan, site, among=work.written):
        write_file(f"{new}/{target}", content, executable=is_program(target))


def _forget_marks(root: str) -> None:
    """Let nobody take the environment for what it was, from before the decision on."""
    state = read_state(root)
    if state is not None:
        write_state(root, state._replace(marks=""))


def _moves(targets: Iterable[str], directories: Directories) -> list[str]:
    """What is to be moved, for all of `targets` to be: the uppermost directories that are new, and single files."""
    moves: dict[str, None] = {}
    for target in sorted(targets):
        at = target.find("/")
        while at >= 0:
            directory = target[:at]
            if not directories.own(directory):
                moves[directory] = None
                break
            at = target.find("/", at + 1)
        else:
            moves[target] = None
    return list(moves)


def _check_room(root: str, moves: Iterable[str], removed: set[str], directories: Directories) -> None:
    """Refuse to put a file where a directory is that does not go away with what is removed."""
    for target in moves:
        if directories.own(target):
            for directory, below, files in os.walk(f"{root}/{target}"):
                parent = os.path.relpath(directory, root).replace(os.sep, "/")
                names = [*files, *(name for name in below if os.path.islink(f"{directory}/{name}"))]
                if any(f"{parent}/{name}" not in removed and not name.endswith(".pyc") for name in names):
                    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), f"{root}/{target}")


def _decide(change: str, moves: list[str], removed: list[str], *, keep: set[str]) -> None:
    """Write down the list: how many there are of each, then what moves, what goes, and what stays when it is empty."""
    parents = {parent for target in removed for parent in _parents_of(target)}
    kept = sorted((keep & parents) | keep.intersection(f"{parent}/__pycache__" for parent in parents))
    lines = (f"{len(moves)} {len(removed)} {len(kept)}", *moves, *removed, *kept)
    with open(f"{change}/{_LIST}.tmp", "wb") as stream:
        stream.write("\0".join(lines).encode("utf-8", "surrogateescape"))
    os.rename(f"{change}/{_LIST}.tmp", f"{change}/{_LIST}")


def _finish(root: str, change: str) -> None:
    """Do what the list says, as far as that is not done yet."""
    decided = _read(change)
    if decided is None:
        _clear(change)
        return
    moves, removed, lines = decided
    files = lines[moves : moves + removed]
    blocked = [name for name in lines[:moves] if not _move(f"{change}/new/{name}", f"{root}/{name}")]
    remove_files(root, files, keep=set(lines[moves + removed :]))
    for name in blocked:
        if os.path.isdir(f"{root}/{name}"):
            remove_hollow(f"{root}/{name}")
        _move(f"{change}/new/{name}", f"{root}/{name}")
    os.unlink(f"{change}/{_LIST}")
    _clear(change)


def _read(change: str) -> tuple[int, int, list[str]] | None:
    """How many lines of the list are moves and removals, and its lines.

    None for one that is not whole: the power went before it was on the disk. Then every file is looked at again by
    whoever comes next, since the machine has started anew (`State.boot`).
    """
    with open(f"{change}/{_LIST}", "rb") as stream:
        head, *lines = stream.read().decode("utf-8", "surrogateescape").split("\0")
    try:
        moves, removed, kept = map(int, head.split(" "))
    except ValueError:
        return None
    return (moves, removed, lines) if moves + removed + kept == len(lines) else None


def _move(source: str, target: str) -> bool:
    """Move a file or directory into its place unless that is done; false if a directory is in a file's way."""
    if not os.path.lexists(source):
        return True
    is_directory = os.path.isdir(source)
    try:
        os.replace(source, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target))
        os.replace(source, target)
    except NotADirectoryError:  # a file where a directory is to be
        unlink(target)
        os.replace(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return _move_across(source, target)
        if not os.path.isdir(target):
            raise
        return is_directory and all(_move(f"{source}/{name}", f"{target}/{name}") for name in os.listdir(source))
    return True


def _move_across(source: str, target: str) -> bool:
    """`_move` to another filesystem, which someone has put into the environment."""
    import shutil

    beside = f"{target}.{os.urandom(4).hex()}"
    try:
        if os.path.isdir(source):
            shutil.copytree(source, beside, symlinks=True)
        else:
            shutil.copy2(source, beside)
        return _move(beside, target)
    finally:
        if os.path.lexists(beside):
            _clear(beside)


def _clear(directory: str) -> None:
    """Remove a directory of ours with all that is left in it; `shutil` takes 8 ms to import, and this 0.1."""
    if not os.path.isdir(directory):
        os.unlink(directory)
        return
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _clear(entry.path)
            else:
                os.unlink(entry.path)
    os.rmdir(directory)


def _parents_of(target: str) -> list[str]:
    parents = []
    while "/" in target:
        target = target.rpartition("/")[0]
        parents.append(target)
    return parents
