"""`store venv --seed`: pip, and before Python 3.12 setuptools and wheel, as uv and virtualenv put them there.

What comes with the Python itself (ensurepip) is taken from there; what does not is taken from the index, in the newest
stable version that has a wheel for this Python.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence

from wheelstore.cli.compiling import Bytecode
from wheelstore.cli.goals import NO_BYTECODE, goal_of
from wheelstore.cli.registering import Goal
from wheelstore.cli.request import Common
from wheelstore.materialize.distribution import Installed
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.seeds import bundled_seeds
from wheelstore.resolve.errors import ResolveError
from wheelstore.store.index import Index, WheelRow
from wheelstore.store.layout import Store
from wheelstore.store.lease import Lease

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wheelstore.cli.sources import Sources
    from wheelstore.resolve.selection import Selected
    from wheelstore.resolve.simple import IndexFile
    from wheelstore.resolve.target import Target

_ONLY_PIP_SINCE = (3, 12)


class NoSeed(ResolveError):
    """A seed is neither part of the Python nor on an index."""

    def __init__(self, name: str, python: str) -> None:
        super().__init__(name, python)
        self.name, self.python = name, python
        self.hint = "the Python brings none of its own, so an index or --find-links has to have one"

    def __str__(self) -> str:
        return f"no wheel of {self.name} is found for Python {self.python}"


def seeded_goal(
    interpreter: Interpreter,
    stamp: str,
    common: Common,
    *,
    store: Store,
    index: Index,
    lease: Lease,
    environ: Mapping[str, str],
    bytecode: Bytecode = NO_BYTECODE,
) -> Goal:
    """An environment of `interpreter` that holds the seeds, which are brought into the store if need be.

    Raises:
        NoSeed: there is none for this Python.
        StoreError, ResolveError: one cannot be had.
    """
    names = ("pip",) if interpreter.release >= _ONLY_PIP_SINCE else ("pip", "setuptools", "wheel")
    bundled = {os.path.basename(path).partition("-")[0]: path for path in bundled_seeds(interpreter)}
    digests = {name: _sha256(path) for name, path in bundled.items()}
    present = lease.wheels(digests.values())
    rows = {name: present[digest] for name, digest in digests.items() if digest in present}
    missing = [name for name in names if name not in rows]
    if missing:
        fetch = _Fetch(interpreter, common, store, index, lease, environ)
        rows |= fetch.run(missing, bundled)
    installed = [Installed(wheel=rows[name]) for name in names]
    return goal_of(installed, interpreter, stamp, store=store, index=index, lease=lease, bytecode=bytecode)


def _sha256(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Fetch:
    """Seeds that the store lacks."""

    def __init__(
        self,
        interpreter: Interpreter,
        common: Common,
        store: Store,
        index: Index,
        lease: Lease,
        environ: Mapping[str, str],
    ) -> None:
        self._interpreter, self._common = interpreter, common
        self._store, self._index, self._lease, self._environ = store, index, lease, environ

    def run(self, names: Sequence[str], bundled: Mapping[str, str]) -> dict[str, WheelRow]:
        """The rows of `names` after bringing them in; `bundled` are paths by name."""
        from wheelstore.cli.console import Console
        from wheelstore.cli.fetching import Ingestion
        from wheelstore.cli.selecting import wheel_file
        from wheelstore.cli.sources import open_sources
        from wheelstore.resolve.target import Target

        target = Target.of(self._interpreter)
        with open_sources(self._common, None, store=self._store, environ=self._environ) as sources:
            selected = [
                wheel_file(bundled[name]) if name in bundled else self._from_index(name, target, sources)
                for name in names
            ]
            console = Console(quiet=self._common.quiet)
            means = Ingestion(self._store, self._index, self._lease, sources, console.say)
            wanted = self._common.progress and not self._common.quiet and not self._common.json
            rows = means.ensure(selected, wanted=wanted, stream=console.stream)
        return {name: rows[at] for at, name in enumerate(names)}

    def _from_index(self, name: str, target: Target, sources: Sources) -> Selected:
        from packaging.version import Version

        from wheelstore.cli.selecting import known_in
        from wheelstore.resolve.pins import Pin, Position
        from wheelstore.resolve.selection import select

        version = Version(self._newest(name, target, sources))
        pin = Pin(name=name, version=version, position=Position("--seed"))  # type: ignore[arg-type]
        return select([pin], target, sources.indexes, known=known_in(self._index.path))[0]

    def _newest(self, name: str, target: Target, sources: Sources) -> str:
        """The highest stable version with a wheel that fits; offline, of those that are here."""
        from packaging.version import Version

        from wheelstore.resolve.candidates import admits_python
        from wheelstore.resolve.filenames import version_key, version_of

        files = [
            file
            for file in sources.indexes.files(name)
            if target.rank(file.filename) is not None
            and file.yanked is None
            and admits_python(file.requires_python, target.python)
        ]
        if self._common.offline:
            files = self._here(files)
        versions = {key for file in files if (key := version_key(version_of(file.filename, name) or ""))}
        stable = [version for version in map(Version, versions) if not version.is_prerelease]
        if not stable:
            raise NoSeed(name, self._interpreter.version)
        return str(max(stable))

    def _here(self, files: Sequence[IndexFile]) -> list[IndexFile]:
        known = self._index.filenames([file.sha256 for file in files if file.sha256])
        return [file for file in files if file.sha256 in known or file.url.startswith("file:")]
