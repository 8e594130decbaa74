"""What the loopback index serves: pages and files kept in a directory, fetched from upstream once.

DIR/pages/<project>.json      as upstream sent it (PEP 691)
DIR/files/<filename>          distributions
DIR/files/<filename>.metadata their METADATA (PEP 658), made here when upstream offers none
"""

from __future__ import annotations

import json
import os
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol, cast

from benchmarks.remote import RemoteFile

PAGE_TYPE = "application/vnd.pypi.simple.v1+json"
METADATA = ".metadata"


class Source(Protocol):
    """Where a recording gets what it lacks."""

    def fetch_page(self, project: str) -> tuple[bytes, str] | None:
        """A project's JSON page and its address; None where there is none."""

    def fetch(self, url: str) -> tuple[bytes, str] | None:
        """A file and its address; None where there is none."""

    def open(self, url: str) -> IO[bytes]:
        """A file to read parts of; OSError where that is not possible."""


class Upstream:
    """The index that pages and files are recorded from."""

    def __init__(self, url: str) -> None:
        self._url = url if url.endswith("/") else url + "/"
        self._tls = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)

    def fetch_page(self, project: str) -> tuple[bytes, str] | None:
        """A project's page and its address; None where there is none."""
        return self.fetch(urllib.parse.urljoin(self._url, f"{project}/"), accept=PAGE_TYPE)

    def fetch(self, url: str, *, accept: str = "*/*") -> tuple[bytes, str] | None:
        """The body at `url` and where redirects led; None for 404."""
        request = urllib.request.Request(url, headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, context=self._tls) as reply:
                return reply.read(), reply.url
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise

    def open(self, url: str) -> IO[bytes]:
        """The file at `url`, to read parts of; OSError where that is not possible."""
        return cast("IO[bytes]", RemoteFile(url, self._tls))


class Recording:
    """A directory of pages and files that grows while there is an upstream."""

    def __init__(self, directory: Path, upstream: Source | None = None) -> None:
        self._pages, self._files = directory / "pages", directory / "files"
        self._pages.mkdir(parents=True, exist_ok=True)
        self._files.mkdir(parents=True, exist_ok=True)
        self._upstream = upstream
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._addresses: dict[str, str] = {}

    def page(self, project: str) -> bytes | None:
        """A project's page in this index's terms: JSON whose files are served from here."""
        path = self._pages / f"{project}.json"
        if not path.is_file():
            found = self._upstream and self._upstream.fetch_page(project)
            if not found:
                return None
            content = json.loads(found[0])
            for file in content["files"]:
                file["url"] = urllib.parse.urljoin(found[1], file["url"])
            replace(path, json.dumps(content).encode())
        return self._serve(json.loads(path.read_bytes()))

    def _serve(self, content: dict[str, Any]) -> bytes:
        for file in content["files"]:
            self._addresses[file["filename"]] = file["url"]
            file["url"] = f"../../files/{file['filename']}"
            if file["filename"].endswith(".whl"):
                file["core-metadata"] = True
            else:
                file.pop("core-metadata", None)
            file.pop("data-dist-info-metadata", None)
            file.pop("dist-info-metadata", None)
            file.pop("provenance", None)
        return json.dumps(content, separators=(",", ":")).encode()

    def file(self, name: str) -> Path | None:
        """The file served under `name`, a distribution's or its metadata's."""
        path = self._files / name
        if path.is_file():
            return path
        with self._lock:
            recording = self._locks.setdefault(name.removesuffix(METADATA), threading.Lock())
        with recording:
            if not path.is_file() and not self._record_metadata(name) and not self._record(name.removesuffix(METADATA)):
                return None
        return path if path.is_file() else None

    def _record_metadata(self, name: str) -> bool:
        """Record the metadata of a wheel that nobody has asked for, without the wheel."""
        wheel = name.removesuffix(METADATA)
        address = self._addresses.get(wheel)
        if not name.endswith(".whl" + METADATA) or (self._files / wheel).is_file() or not self._upstream or not address:
            return False
        with suppress(OSError, zipfile.BadZipFile, StopIteration), self._upstream.open(address) as stream:
            replace(self._files / name, metadata_of(stream))
            return True
        return False

    def _record(self, name: str) -> bool:
        path = self._files / name
        if not path.is_file():
            address = self._addresses.get(name)
            found = self._upstream and address and self._upstream.fetch(address)
            if not found:
                return False
            replace(path, found[0])
        if name.endswith(".whl"):
            replace(path.with_name(name + METADATA), metadata_of(path))
        return True


def metadata_of(wheel: Path | IO[bytes]) -> bytes:
    """The METADATA of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.count("/") == 1]
        member = next(name for name in names if name.endswith(".dist-info/METADATA"))
        return archive.read(member)


def replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there in full or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(content)
    partial.replace(path)
