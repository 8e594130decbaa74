"""What a Simple index says about a directory of wheels and sdists (PEP 503, 658, 691, 700)."""

from __future__ import annotations

import functools
import hashlib
import html
import json
import re
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from pathlib import Path
from urllib.parse import quote

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html; charset=utf-8"
SUFFIXES = (".whl", ".tar.gz", ".zip")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFile:
    """One distribution in the directory, as its page shows it."""

    filename: str
    project: str
    version: str
    sha256: str
    size: int
    metadata: bytes | None
    requires_python: str | None


@dataclass(slots=True, kw_only=True)
class PageOptions:
    """What a test changes about the pages; every mapping is by filename."""

    claimed_sha256: dict[str, str | None] = field(default_factory=dict)
    yanked: dict[str, str] = field(default_factory=dict)
    upload_times: dict[str, str] = field(default_factory=dict)
    core_metadata: bool = True
    sidecars: dict[str, bytes] = field(default_factory=dict)
    sizes: bool = True
    files_url: str = "../../files/"


def normalize(name: str) -> str:
    """Spell a project's name as PEP 503 does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def list_files(directory: Path) -> list[IndexedFile]:
    """Read every distribution in the directory; remembered until a file changes."""
    found = []
    for path in sorted(directory.iterdir()):
        if path.name.endswith(SUFFIXES):
            status = path.stat()
            found.append(_describe(path, status.st_size, status.st_mtime_ns))
    return found


@functools.lru_cache(maxsize=4096)
def _describe(path: Path, size: int, _mtime: int) -> IndexedFile:
    name, version = _split(path.name)
    metadata = _metadata(path)
    headers = BytesHeaderParser().parsebytes(metadata or b"")
    return IndexedFile(
        filename=path.name,
        project=normalize(name),
        version=version,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=size,
        metadata=metadata if path.name.endswith(".whl") else None,
        requires_python=headers.get("Requires-Python"),
    )


def _split(filename: str) -> tuple[str, str]:
    if filename.endswith(".whl"):
        name, version = filename.split("-")[:2]
        return name, version
    stem = filename.removesuffix(".zip").removesuffix(".tar.gz")
    name, _, version = stem.rpartition("-")
    return name, version


def _metadata(path: Path) -> bytes | None:
    """Take METADATA or PKG-INFO out; a file that is no archive (a test's plain bytes) has none."""
    try:
        if path.name.endswith(".tar.gz"):
            with tarfile.open(path) as tar:
                for member in tar:
                    if member.name.count("/") == 1 and member.name.endswith("/PKG-INFO"):
                        content = tar.extractfile(member)
                        return content.read() if content else None
            return None
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith((".dist-info/METADATA", "/PKG-INFO")):
                    return archive.read(name)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError):
        return None
    return None


def sidecar_of(file: IndexedFile, options: PageOptions) -> bytes | None:
    """What is served beside a file (PEP 658): its metadata, or a test's lie."""
    return options.sidecars.get(file.filename, file.metadata)


def project_json(project: str, files: list[IndexedFile], options: PageOptions) -> bytes:
    """Write a project's page as PEP 691 JSON."""
    page = {
        "meta": {"api-version": "1.1"},
        "name": project,
        "versions": sorted({file.version for file in files}),
        "files": [_file_json(file, options) for file in files],
    }
    return json.dumps(page).encode()


def _file_json(file: IndexedFile, options: PageOptions) -> Mapping[str, object]:
    claimed = options.claimed_sha256.get(file.filename, file.sha256)
    entry: dict[str, object] = {
        "filename": file.filename,
        "url": options.files_url + quote(file.filename),
        "hashes": {"sha256": claimed} if claimed else {},
        "requires-python": file.requires_python,
        "yanked": options.yanked.get(file.filename, False) or file.filename in options.yanked,
    }
    if options.sizes:
        entry["size"] = file.size
    if file.filename in options.upload_times:
        entry["upload-time"] = options.upload_times[file.filename]
    if options.core_metadata and (sidecar := sidecar_of(file, options)) is not None:
        entry["core-metadata"] = {"sha256": hashlib.sha256(sidecar).hexdigest()}
    return entry


def project_html(project: str, files: list[IndexedFile], options: PageOptions) -> bytes:
    """Write a project's page as PEP 503 HTML."""
    links = "\n".join(_file_html(file, options) for file in files)
    return (
        "<!DOCTYPE html>\n<html><head>"
        '<meta name="pypi:repository-version" content="1.0">'
        f"<title>Links for {project}</title></head><body>\n<h1>Links for {project}</h1>\n"
        f"{links}\n</body></html>\n"
    ).encode()


def _file_html(file: IndexedFile, options: PageOptions) -> str:
    claimed = options.claimed_sha256.get(file.filename, file.sha256)
    attributes = {"href": options.files_url + quote(file.filename) + (f"#sha256={claimed}" if claimed else "")}
    if file.requires_python is not None:
        attributes["data-requires-python"] = file.requires_python
    if file.filename in options.yanked:
        attributes["data-yanked"] = options.yanked[file.filename]
    if options.core_metadata and (sidecar := sidecar_of(file, options)) is not None:
        attributes["data-core-metadata"] = f"sha256={hashlib.sha256(sidecar).hexdigest()}"
    text = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {text}>{file.filename}</a><br/>"


def root_json(projects: list[str]) -> bytes:
    """Write the list of projects as PEP 691 JSON."""
    page = {"meta": {"api-version": "1.1"}, "projects": [{"name": project} for project in projects]}
    return json.dumps(page).encode()


def root_html(projects: list[str]) -> bytes:
    """Write the list of projects as PEP 503 HTML."""
    links = "\n".join(f'<a href="{project}/">{project}</a>' for project in projects)
    return f"<!DOCTYPE html>\n<html><head></head><body>\n{links}\n</body></html>\n".encode()
