"""A plan becomes files: all of them in a new tree, or only what changed in an existing one.

Hot path. A fresh tree of 12,300 files and 1,700 directories on ext4 takes 160 ms in one process and 90 ms in two,
each making its own run of directories and links (creating a directory costs 35 µs, a link 9 µs, nearly all of it in
the kernel); so a large plan is halved over a fork, which costs 1 ms in a process as small as the warm path's.
"""

from __future__ import annotations

import os
from itertools import accumulate

from wheelstore.materialize.link import Linker, read_blob
from wheelstore.materialize.record import finish_record
from wheelstore.materialize.scripts import entry_point, rewrite, shebang
from wheelstore.materialize.shapes import lift_text
from wheelstore.store.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from wheelstore.materialize.link import Mode
    from wheelstore.materialize.plan import Lift, Plan, Script


class ImageUnreachable(StoreError):
    """No layered environment can look into the images there."""

    hint = "point --store (or STORE_DIR) at a directory with another name, or choose another --link-mode"

    def __init__(self, images: str) -> None:
        super().__init__(images)
        self.images = images

    def __str__(self) -> str:
        return f"Python cannot be led to {self.images!r}: the name is not UTF-8, or has control characters"


_PLAIN = (".dist-info/RECORD", ".pth", ".start")

_WORTH_A_FORK = 2000  # links


def is_program(target: str) -> bool:
    """Whether a file that is written rather than linked is to be executable: all are but RECORDs and lifts."""
    return not target.endswith(_PLAIN)


class Tree:
    """An environment's files under `root`, which will be (or already is) the environment `final`.

    `python` is the absolute path of the environment's interpreter as scripts are to name it, `images` the directory
    of the images that a plan's lifts lead to.
    """

    def __init__(self, *, root: str, final: str, blobs: str, mode: Mode, python: str, images: str = "") -> None:
        self.root, self.final, self._blobs, self._mode, self._python = root, final, blobs, mode, python
        self._images = images

    def create(self, plan: Plan, site: str, *, processes: int) -> None:
        """Make everything that `plan` names; `root` exists and holds none of it but perhaps directories.

        What a venv has at its very root (such as ``.gitignore``) gives way.

        Raises:
            BlobUnusable, OSError: as `Linker.run`; what was made so far is left for the caller to throw away.
        """
        for directory in plan.directories[1:]:
            if directory.count("/") < 3:
                _make_directory(f"{self.root}/{directory}")
        for target in plan.targets[: plan.counts[0]]:
            if os.path.lexists(f"{self.root}/{target}"):
                os.unlink(f"{self.root}/{target}")
        if processes > 1 and len(plan.targets) >= _WORTH_A_FORK and hasattr(os, "fork"):
            self._create_halves(plan)
        else:
            self._create_run(plan, 0, len(plan.directories), 0, len(plan.targets))
        for target, content in self.written_files(plan, site):
            write_file(f"{self.root}/{target}", content, executable=is_program(target))

    def finish(self, shell: Plan, site: str) -> None:
        """Make a tree that has all links, from a snapshot or a spare, the environment: `shell` is what it lacks.

        Raises:
            BlobUnusable, OSError: as for `create`.
        """
        for directory in shell.directories[1:]:
            _make_directory(f"{self.root}/{directory}")
        for target, content in self.written_files(shell, site):
            path = f"{self.root}/{target}"
            if os.path.lexists(path):
                os.unlink(path)
            write_file(path, content, executable=is_program(target))

    def written_files(self, plan: Plan, site: str, among: Container[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """The content of the files (or of those `among` them) that name a path: scripts, then RECORDs, then lifts."""
        records = [record for record in plan.records if among is None or record.target in among]
        needed = {target for record in records for target in record.scripts}
        made: dict[str, bytes] = {}
        for script in plan.scripts:
            wanted = among is None or script.target in among
            if wanted or script.target in needed:
                made[script.target] = content = self._script(script)
                if wanted:
                    yield script.target, content
        for record in records:
            head = read_blob(self._blobs, record.source, record.target)
            own = {target: made[target] for target in record.scripts if target in made}
            yield record.target, finish_record(head, own, site)
        for lift in plan.lifts:
            if among is None or lift.target in among:
                yield lift.target, self._lift(lift)

    def _lift(self, lift: Lift) -> bytes:
        if not self._images.isprintable():
            raise ImageUnreachable(self._images)
        text = read_blob(self._blobs, lift.source, lift.target) if lift.source else None
        if lift.target.endswith(".start"):  # names of functions, no paths
            return text or b""
        return lift_text(text, f"{self._images}/{lift.image}/{lift.site}")

    def _script(self, script: Script) -> bytes:
        if not script.source:
            return (shebang(self._python) + entry_point(script.module, script.attribute)).encode()
        return rewrite(read_blob(self._blobs, script.source, script.target), self._python)

    def _create_run(self, plan: Plan, first: int, last: int, start: int, end: int) -> None:
        mkdir, prefix = os.mkdir, f"{self.root}/"
        for directory in plan.directories[first:last]:
            if directory.count("/") < 3:
                continue
            try:
                mkdir(prefix + directory)
            except FileExistsError:
                continue
        Linker(self._blobs, self.root, self._mode).run(plan.sources[start:end], plan.targets[start:end])

    def _create_halves(self, plan: Plan) -> None:
        """Half of the directories with their links here, half in a child.

        Both need the parents of the directories that the second half starts with; those are made first.
        """
        directories = plan.directories
        total = len(plan.targets)
        ends = list(accumulate(plan.counts))
        middle = next(at + 1 for at, end in enumerate(ends) if end * 2 >= total)
        boundary = ends[middle - 1]
        first_half = set(directories[:middle])
        shared = {d for d in (_parent(directory) for directory in directories[middle:]) if d in first_half}
        for directory in sorted(shared):
            os.makedirs(f"{self.root}/{directory}", exist_ok=True)
        try:
            child = os.fork()
        except OSError:  # as many processes as there may be
            self._create_run(plan, 0, len(directories), 0, total)
            return
        if not child:
            try:
                self._create_run(plan, middle, len(directories), boundary, total)
            except BaseException:
                os._exit(1)
            os._exit(0)
        try:
            self._create_run(plan, 0, middle, 0, boundary)
            _, status = os.waitpid(child, 0)
        except BaseException:
            _end(child)
            raise
        if status:
            self._finish(plan, boundary)

    def _finish(self, plan: Plan, boundary: int) -> None:
        """Make what a failed child left out, so that its error is raised here; or succeed, if only the child had it."""
        for directory in plan.directories[1:]:
            os.makedirs(f"{self.root}/{directory}", exist_ok=True)
        end = len(plan.targets)
        first = next((at for at in range(boundary, end) if not os.path.lexists(f"{self.root}/{plan.targets[at]}")), end)
        if first > boundary:  # a killed child may have left its last file half written
            first -= 1
            os.unlink(f"{self.root}/{plan.targets[first]}")
        Linker(self._blobs, self.root, self._mode).run(plan.sources[first:], plan.targets[first:])


def _end(child: int) -> None:
    """Let a child not go on in a tree that is about to be thrown away."""
    try:
        os.kill(child, 9)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):  # it has ended, and been waited for
        return


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path)
    except FileExistsError:
        return


def write_file(path: str, content: bytes, *, executable: bool) -> None:
    """Write a new file; never through an existing name, which might be a blob's."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o777 if executable else 0o666)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
