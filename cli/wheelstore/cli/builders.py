"""Metadata of what is no wheel on an index: sdists, archives at URLs, directories, checkouts.

What a source says of itself without a backend is taken; else its backend is asked, in an environment that holds what
it needs and nothing else. Nothing is remembered here beyond the command; callers do that.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from wheelstore.cli.build_environments import BuildEnvironments, ResolveBuild, Workshop
from wheelstore.cli.checkouts import Checkouts
from wheelstore.materialize.pep517 import BackendFailed, Backends, BadBuildSystem, build_requires
from wheelstore.resolve.direct import static_metadata
from wheelstore.resolve.download import download
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.links import filename_of, without_credentials
from wheelstore.resolve.metadata import BadMetadata, parse_metadata
from wheelstore.resolve.pins import PathSource, UrlSource, VcsSource, normalize
from wheelstore.resolve.requirement import BadRequirement
from wheelstore.resolve.sdists import BadSdist, unpack_sdist
from wheelstore.resolve.simple import IndexFile
from wheelstore.store.errors import StoreError
from wheelstore.store.index import open_index
from wheelstore.store.lease import Lease

_HAVING_WHEELS = "versions that have wheels need no build, and --only-binary takes only those"


class CannotBuild(ResolveError):
    """The metadata of something cannot be had from its build backend; `lines` are the last that this said."""

    def __init__(self, what: str, reason: str, lines: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(what, reason, lines)
        self.what, self.reason, self.lines = what, reason, lines
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


class OtherProject(ResolveError):
    """What was built is another project than its name says."""

    def __init__(self, filename: str, expected: str, found: str) -> None:
        super().__init__(filename, expected, found)
        self.filename, self.expected, self.found = filename, expected, found

    def __str__(self) -> str:
        return f"{self.filename}: its metadata is of {self.found}, not of {self.expected}"


class Told(NamedTuple):
    """What a source was found to be.

    `source` is what was asked for, with the full commit of a checkout; `files` is the archive, with its hashes, if it
    is one.
    """

    metadata: bytes
    source: UrlSource | PathSource | VcsSource
    files: tuple[IndexFile, ...] = ()


class IsolatedBuilder:
    """Builds metadata, in any thread; a context manager that leaves no process and no file behind.

    Leaving it ends what is running. `resolve_build` is to choose wheels only: to build for it could mean to wait for
    oneself.
    """

    def __init__(
        self, workshop: Workshop, resolve_build: ResolveBuild, environ: Mapping[str, str], *, offline: bool = False
    ) -> None:
        self._workshop, self._resolve_build, self._environ, self._offline = workshop, resolve_build, environ, offline
        self._backends = Backends(environ)
        self._numbers, self._lock = count(), threading.Lock()

    def __enter__(self) -> IsolatedBuilder:
        self._room = _room(self._workshop)
        self._directory = Path(self._room.__enter__())
        self._environments = BuildEnvironments(self._workshop, self._resolve_build, self._directory)
        self.checkouts = Checkouts(self._directory / "git", self._environ, offline=self._offline)
        return self

    def __exit__(self, *exception: object) -> None:
        self._backends.stop()
        self.checkouts.stop()
        self._room.__exit__(None, None, None)

    def metadata(self, name: str, file: IndexFile) -> bytes:
        """METADATA of the project `name` (normalized) out of an sdist on an index.

        Raises:
            ResolveError: the sdist cannot be had, or not be built.
        """
        algorithms = dict(text.split(":", 1) for text in file.hashes)
        with self._place() as place:
            archive = place / "archive"
            download(self._workshop.sources.transport, file.url, str(archive), hashes=algorithms, size=file.size)
            told = self._of_archive(archive, file.filename, None, place / "source")
        try:
            found = parse_metadata(told).name
        except BadMetadata as error:
            raise CannotBuild(file.filename, f"its backend's metadata is unusable: {error}") from None
        if normalize(found) != normalize(name):
            raise OtherProject(file.filename, name, found)
        return told

    def metadata_of_source(self, source: UrlSource | PathSource | VcsSource) -> Told:
        """METADATA of what a requirement names directly.

        Raises:
            ResolveError: it cannot be had, or not be built.
        """
        if isinstance(source, VcsSource):
            return self._of_checkout(source)
        if isinstance(source, UrlSource):
            return self._of_url(source)
        if source.path.is_dir():
            tree = source.path / (source.subdirectory or "")
            return Told(static_metadata(tree) or self._built(tree, str(source)), source)
        return self._of_file(source)

    def _of_checkout(self, source: VcsSource) -> Told:
        checkout = self.checkouts.shallow(source)
        found = replace(source, commit_id=checkout.commit_id)
        inside = source.subdirectory or ""
        metadata = static_metadata(checkout.tree / inside)
        if metadata is None:
            metadata = self._built(self.checkouts.whole(source).tree / inside, str(source))
        return Told(metadata, found)

    def _of_url(self, source: UrlSource) -> Told:
        filename, transport = filename_of(source.url), self._workshop.sources.transport
        with self._place() as place:
            archive = place / "archive"
            loaded = download(transport, source.url, str(archive), hashes={}, accepted=source.hashes)
            called = filename or without_credentials(source.url)
            metadata = self._of_archive(archive, called, source.subdirectory, place / "source")
        hashes = (f"sha256:{loaded.sha256}",)
        return Told(metadata, source, (IndexFile(filename, without_credentials(source.url), hashes, loaded.size),))

    def _of_file(self, source: PathSource) -> Told:
        try:
            with source.path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
                size = os.fstat(stream.fileno()).st_size
        except OSError as error:
            raise CannotBuild(str(source), error.strerror or str(error), hint="check the path") from None
        file = IndexFile(source.path.name, source.path.absolute().as_uri(), (f"sha256:{sha256}",), size)
        with self._place() as place:
            metadata = self._of_archive(source.path, source.path.name, source.subdirectory, place / "source")
        return Told(metadata, source, (file,))

    def _of_archive(self, archive: Path, filename: str, subdirectory: str | None, into: Path) -> bytes:
        """METADATA of an archive: of a wheel what it holds, of an sdist what it says or its backend does."""
        if filename.endswith(".whl"):
            return _of_wheel(archive, filename)
        tree = unpack_sdist(archive, into, filename=filename) / (subdirectory or "")
        return static_metadata(tree, unpacked=True) or self._built(tree, filename)

    def _built(self, tree: Path, what: str) -> bytes:
        """METADATA by the backend of the project in `tree`, which errors call `what`."""
        try:
            requirements = build_requires(tree)
            self._workshop.say(f"Building the metadata of {what}")
            python = self._environments.python_with(requirements)
            more = self._backends.requires(tree, python)
            if not set(more) <= set(requirements):
                python = self._environments.python_with([*requirements, *more])
            return self._backends.metadata(tree, python)
        except BackendFailed as failed:
            reason = f"the build backend {failed.backend} failed to {failed.doing}: {failed.reason}"
            raise CannotBuild(what, reason, failed.lines, _advice((failed.reason, *failed.lines))) from None
        except BadBuildSystem as bad:
            raise CannotBuild(what, f"pyproject.toml: {bad.reason}") from None
        except BadRequirement as bad:
            raise CannotBuild(what, f"what it needs to be built makes no sense: {bad}", hint=bad.hint) from None
        except StoreError as error:
            raise CannotBuild(what, f"no environment to build it in: {error}", hint=error.hint) from error
        except ResolveError as error:
            raise CannotBuild(what, f"what it is built with cannot be had: {error}", hint=error.hint) from error

    @contextmanager
    def _place(self) -> Iterator[Path]:
        """A new directory, for as long as it is needed: a search may look at many sdists."""
        with self._lock:
            number = next(self._numbers)
        place = self._directory / f"source-{number}"
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _advice(lines: Sequence[str]) -> str:
    """What to do about a backend that said `lines` last."""
    missing = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", "\n".join(lines))
    if missing:
        return f"the project needs {missing[1]} to be built and does not say so in its [build-system]; {_HAVING_WHEELS}"
    return f"a compiler or a library may be missing; {_HAVING_WHEELS}"


def _of_wheel(archive: Path, filename: str) -> bytes:
    import zipfile

    try:
        with zipfile.ZipFile(archive) as wheel:
            names = [name for name in wheel.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA")]
            if len(names) == 1:
                return wheel.read(names[0])
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise BadSdist(filename, str(error)) from None
    raise BadSdist(filename, f"it has {len(names)} METADATA files")


@contextmanager
def _room(workshop: Workshop) -> Iterator[str]:
    """A directory for the command: in the store, under a lease that protects nothing else, where that is ours."""
    store = workshop.store
    if not store.writable:
        with tempfile.TemporaryDirectory(prefix="store-build-", ignore_cleanup_errors=True) as directory:
            yield directory
        return
    import time

    with open_index(store.index_path) as index:
        lease = Lease(store, index, now=time.time())
    with lease:  # it writes nothing into the index, which must not stay open: the last to leave is in another thread
        os.makedirs(lease.directory, 0o700, exist_ok=True)
        yield lease.directory
