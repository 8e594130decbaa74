"""Metadata of distributions that an index, a find-links location or a URL has: found once, and remembered.

A wheel's is remembered, or comes from its sidecar (PEP 658), out of the remote archive by range requests, or out of
the file fetched whole; in that order. An sdist's comes from its PKG-INFO where that is static, else of a build.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from wheelstore.resolve.addresses import redact
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.fetch_errors import FetchFailed, HashMismatch
from wheelstore.resolve.find_links import hash_file, stamp_of
from wheelstore.resolve.local_files import path_of
from wheelstore.resolve.metadata import (
    BadMetadata,
    check_identity,
    pack_metadata,
    parse_metadata,
    static_sdist_metadata,
    unpack_metadata,
)
from wheelstore.resolve.metadata_files import read_sdist, read_wheel
from wheelstore.resolve.once import Once
from wheelstore.resolve.page_cache import UnknownOffline
from wheelstore.resolve.remote_zip import RemoteZips
from wheelstore.resolve.zip_member import TooLarge

if TYPE_CHECKING:
    from wheelstore.resolve.facts import Facts
    from wheelstore.resolve.problem import Metadata
    from wheelstore.resolve.simple import IndexFile
    from wheelstore.resolve.transport import Transport

_ROWS_AT_ONCE = 64


class Builder(Protocol):
    """Asks an sdist's build backend (PEP 517); from several threads at once."""

    @property
    def identity(self) -> str:
        """What the answers depend on beside the sdist: the interpreter that backends run under."""

    def metadata(self, name: str, file: IndexFile) -> bytes:
        """METADATA of what would be built of the sdist `file` of the project `name`.

        Raises:
            ResolveError: it cannot be built.
        """


class BuildNeeded(ResolveError):
    """An sdist says what it requires only when it is built, and nothing here builds."""

    hint = "allow the build, or a version that has a wheel or static metadata"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = redact(url)

    def __str__(self) -> str:
        return f"{self.url}: what it requires is known only after a build"


class _Found(NamedTuple):
    """What a look brought; `sidecar` is the sha256 of the file beside a wheel, if that was believed."""

    metadata: Metadata
    sidecar: bytes | None = None
    is_built: bool = False  # so that it is for one interpreter only
    is_costly: bool = True  # to find, and so worth remembering


class MetadataSource:
    """Finds each file's metadata once in its life; thread-safe. What was learned is written by `flush`.

    Attributes:
        has_failed: something could not be had that may be there the next time: a fetch or a build did not succeed.
        local_files: paths of the files on this machine that were asked for.
    """

    def __init__(
        self,
        transport: Transport,
        facts: Facts,
        *,
        builder: Builder | None = None,
        offline: bool = False,
        scratch: Path | None = None,
    ) -> None:
        """Fetch through `transport`, remember in `facts`; files that are fetched whole are in `scratch` meanwhile."""
        self._transport, self._facts, self._builder = transport, facts, builder
        self._offline, self._scratch = offline, scratch
        self.has_failed = False
        self.local_files: set[str] = set()
        self._archives = RemoteZips(transport)
        self._found: Once[bytes, Metadata] = Once()
        self._lock = threading.Lock()
        self._recalled: dict[bytes, Metadata | None] = {}
        self._unwritten: dict[bytes, bytes] = {}
        self._sidecars: dict[bytes, bytes] = {}

    def metadata(self, file: IndexFile, name: str) -> Metadata:
        """What a wheel or sdist of the project `name` (normalized) says of itself.

        Raises:
            BadMetadata: it says nothing usable, or is of something else.
            HashMismatch: what came is not what the index announced.
            FetchFailed: it cannot be fetched.
            UnknownOffline: it would have to be fetched, offline.
            BuildNeeded, ResolveError: an sdist has to be built, and that is not possible.
        """
        key = key_of(file)
        metadata = self._recalled.get(key)
        if metadata is None:
            metadata = self._found.get(key, lambda: self._find(file, name, key))
        return check_identity(metadata, filename=file.filename, name=name, where=file.url)

    def prime(self, files: Iterable[IndexFile]) -> None:
        """Recall what is remembered of many files at once; a lookup each takes three times as long."""
        keys = {key for file in files if (key := key_of(file)) not in self._recalled and not self._found.knows(key)}
        self._recall(keys)

    def remembered(self, file: IndexFile) -> Metadata | None:
        """What is known without any work, after `prime`."""
        return self._recalled.get(key_of(file))

    def flush(self) -> None:
        """Write what was learned and is not written yet: rows together, as a commit each takes 1 ms."""
        with self._lock:
            rows, self._unwritten = self._unwritten, {}
            sidecars, self._sidecars = self._sidecars, {}
        self._facts.remember_metadata(rows, sidecars)

    def _recall(self, keys: Iterable[bytes]) -> None:
        recalled: dict[bytes, Metadata | None] = dict.fromkeys(keys)
        if recalled:
            for key, packed in self._facts.metadata(recalled).items():
                try:
                    recalled[key] = unpack_metadata(packed)
                except ValueError:
                    continue
            self._recalled.update(recalled)

    def _find(self, file: IndexFile, name: str, key: bytes) -> Metadata:
        if key not in self._recalled:
            self._recall([key])
        metadata = self._recalled[key] or self._recall_built(file, key)
        if metadata is not None:
            return metadata
        try:
            found = self._look(file, name)
        except BadMetadata as error:
            raise error if error.where else BadMetadata(error.reason, where=file.url) from None
        except BaseException:
            self.has_failed = True
            raise
        check_identity(found.metadata, filename=file.filename, name=name, where=file.url)
        if found.is_costly:
            self._remember(self._built_key(key) if found.is_built else key, found)
        return found.metadata

    def _recall_built(self, file: IndexFile, key: bytes) -> Metadata | None:
        if self._builder is None or file.filename.endswith(".whl"):
            return None
        built = self._built_key(key)
        self._recall([built])
        return self._recalled[built]

    def _built_key(self, key: bytes) -> bytes:
        """What a backend said is remembered under: an answer may depend on the Python that it was asked with."""
        assert self._builder is not None
        return hashlib.sha256(key + self._builder.identity.encode()).digest()

    def _remember(self, key: bytes, found: _Found) -> None:
        with self._lock:
            self._unwritten[key] = pack_metadata(found.metadata)
            if found.sidecar is not None:
                self._sidecars[key] = found.sidecar
            is_many = len(self._unwritten) >= _ROWS_AT_ONCE
        if is_many:
            self.flush()

    def _look(self, file: IndexFile, name: str) -> _Found:
        """Find the metadata. To remember that of a wheel on this machine is not worth it."""
        is_wheel = file.filename.endswith(".whl")
        if file.url[:5].lower() == "file:":
            path = path_of(file.url)
            self.local_files.add(path)
            metadata, is_built = self._look_here(file, name, path)
            return _Found(metadata, is_built=is_built, is_costly=not is_wheel)
        if self._offline:
            raise UnknownOffline(file.url)
        beside = self._sidecar(file)
        if beside is not None:
            return beside
        if is_wheel:
            try:
                data = self._archives.metadata(file.url, size=file.size)
            except TooLarge as error:
                raise BadMetadata(str(error)) from None
            if data is not None:
                return _Found(parse_metadata(data))
        inside = self._look_into_download(file)
        return _Found(inside) if inside is not None else _Found(self._built(file, name), is_built=True)

    def _look_here(self, file: IndexFile, name: str, path: str) -> tuple[Metadata, bool]:
        """What a file on this machine says, and whether it had to be built for that."""
        try:
            if file.filename.endswith(".whl"):
                return parse_metadata(read_wheel(path)), False
            if file.sha256 is not None and (actual := hash_file(path)) != file.sha256:
                raise HashMismatch(file.url, expected=[f"sha256:{file.sha256}"], actual=f"sha256:{actual}")
            found = _of_sdist(file, path)
        except OSError as error:
            raise FetchFailed(file.url, error.strerror or str(error)) from None
        return (found, False) if found is not None else (self._built(file, name), True)

    def _built(self, file: IndexFile, name: str) -> Metadata:
        if self._builder is None:
            raise BuildNeeded(file.url)
        return parse_metadata(self._builder.metadata(name, file))

    def _sidecar(self, file: IndexFile) -> _Found | None:
        """What the file beside it says, if the index announces one and it is there.

        One that was announced with its hash has to be right; of others only the sensible are taken.
        """
        if file.core_metadata is None:
            return None
        url = _sidecar_url(file.url)
        try:
            reply = self._transport.get(url)
        except FetchFailed as error:
            if error.status is None or not 400 <= error.status < 500 or error.status == 429:
                raise
            return None
        if reply.status != 200:
            return None
        expected = file.core_metadata.lower()
        digest = hashlib.sha256(reply.body)
        actual = f"sha256:{digest.hexdigest()}"
        if expected and actual != expected:
            raise HashMismatch(url, expected=[expected], actual=actual)
        try:
            if file.filename.endswith(".whl"):
                return _Found(parse_metadata(reply.body), digest.digest())
            static = static_sdist_metadata(reply.body)
            return _Found(static) if static is not None else None
        except BadMetadata:
            if expected:
                raise
            return None

    def _look_into_download(self, file: IndexFile) -> Metadata | None:
        """Fetch the whole file, check it, and read it; None for an sdist that has to be built."""
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="metadata-", dir=self._scratch) as directory:
            path = f"{directory}/file"
            self._transport.download(file.url, path, hashes=_hashes(file), size=file.size)
            if file.filename.endswith(".whl"):
                return parse_metadata(read_wheel(path))
            return _of_sdist(file, path)


def key_of(file: IndexFile) -> bytes:
    """What a file's metadata is remembered under: its sha256, else a digest of its URL and state."""
    if file.sha256 is not None:
        return bytes.fromhex(file.sha256)
    state = f"{file.size} {file.upload_time}"
    if file.url[:5].lower() == "file:":
        try:
            state = stamp_of(path_of(file.url))
        except OSError:
            state = "missing"
    return hashlib.sha256(f"{file.url}\n{state}".encode(errors="surrogateescape")).digest()


def _of_sdist(file: IndexFile, path: str) -> Metadata | None:
    pkg_info = read_sdist(path, file.filename)
    return static_sdist_metadata(pkg_info) if pkg_info is not None else None


def _sidecar_url(url: str) -> str:
    path, mark, query = url.partition("#")[0].partition("?")
    return f"{path}.metadata{mark}{query}"


def _hashes(file: IndexFile) -> dict[str, str]:
    """The hashes that a whole file must have: sha256 says enough."""
    if file.sha256 is not None:
        return {"sha256": file.sha256}
    return dict(text.split(":", 1) for text in file.hashes)
