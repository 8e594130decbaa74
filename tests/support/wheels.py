"""Wheels for tests: correct ones with as little said as possible, and wrong ones by one tweak.

The same call always writes the same bytes.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from support.archives import EXECUTABLE, FILE, RawArchive, RawEntry

__all__ = ["RawArchive", "RawEntry", "Tweak", "make_wheel", "record_hash", "record_of", "sha256_of"]

Tweak = str | bytes | Callable[[str], str] | None


def make_wheel(
    directory: Path,
    name: str = "demo",
    version: str = "1.0",
    *,
    files: Mapping[str, bytes] | None = None,
    tag: str = "py3-none-any",
    build: str | None = None,
    entry_points: Mapping[str, Mapping[str, str]] | None = None,
    scripts: Mapping[str, bytes] | None = None,
    data: Mapping[str, bytes] | None = None,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    metadata_extra: str = "",
    executable: Collection[str] = (),
    root_is_purelib: bool = True,
    dist_info_files: Mapping[str, bytes] | None = None,
    dist_info: str | None = None,
    filename: str | None = None,
    metadata: Tweak = None,
    wheel_metadata: Tweak = None,
    record: Tweak = None,
    archive: Callable[[RawArchive], object] | None = None,
) -> Path:
    """Write a wheel into `directory` and return its path.

    `files` defaults to one package with a `__version__`; `scripts` go to `.data/scripts` (executable),
    `data` keys begin with a `.data` key (`"purelib/a.py"`), `executable` names archive paths.
    `metadata`, `wheel_metadata` and `record` replace or rewrite METADATA, WHEEL and RECORD;
    `dist_info` and `filename` replace those names; `archive` may break the zip itself.
    """
    stem = f"{re.sub(r'[-_.]+', '_', name)}-{version.replace('-', '_')}"
    dist_info = dist_info or f"{stem}.dist-info"
    if files is None:
        files = {f"{re.sub(r'[-_.]+', '_', name).lower()}/__init__.py": f'__version__ = "{version}"\n'.encode()}
    content = dict(files)
    content |= {f"{stem}.data/scripts/{script}": body for script, body in (scripts or {}).items()}
    content |= {f"{stem}.data/{path}": body for path, body in (data or {}).items()}
    headers = _metadata(name, version, requires, requires_python) + metadata_extra
    content[f"{dist_info}/METADATA"] = _tweaked(headers, metadata)
    content[f"{dist_info}/WHEEL"] = _tweaked(
        f"Wheel-Version: 1.0\nGenerator: support\nRoot-Is-Purelib: {str(root_is_purelib).lower()}\n"
        + "".join(f"Tag: {single}\n" for single in _expanded(tag)),
        wheel_metadata,
    )
    if entry_points:
        content[f"{dist_info}/entry_points.txt"] = _entry_points(entry_points)
    content |= {f"{dist_info}/{path}": body for path, body in (dist_info_files or {}).items()}
    content[f"{dist_info}/RECORD"] = _tweaked(record_of(content, dist_info), record)

    runnable = {f"{stem}.data/scripts/{script}" for script in scripts or {}} | set(executable)
    raw = RawArchive()
    for path, body in content.items():
        raw.add(path, body, mode=EXECUTABLE if path in runnable else FILE)
    if archive is not None:
        archive(raw)
    directory.mkdir(parents=True, exist_ok=True)
    built = f"{stem}-{build}" if build else stem
    return raw.write(directory / (filename or f"{built}-{tag}.whl"))


def record_of(content: Mapping[str, bytes], dist_info: str) -> str:
    """RECORD's text for `content`, which lacks RECORD itself."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    for path, body in content.items():
        rows.writerow([path, record_hash(body), len(body)])
    rows.writerow([f"{dist_info}/RECORD", "", ""])
    return out.getvalue()


def record_hash(body: bytes, algorithm: str = "sha256") -> str:
    """A hash as RECORD writes it."""
    digest = hashlib.new(algorithm, body).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def sha256_of(path: Path) -> str:
    """The hex sha256 of a file: what a lock says about a wheel."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _metadata(name: str, version: str, requires: Iterable[str], requires_python: str | None) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join(lines) + "\n"


def _expanded(tag: str) -> list[str]:
    pythons, abis, platforms = (part.split(".") for part in tag.split("-"))
    return [f"{python}-{abi}-{platform}" for python in pythons for abi in abis for platform in platforms]


def _entry_points(groups: Mapping[str, Mapping[str, str]]) -> bytes:
    lines: list[str] = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{name} = {reference}" for name, reference in points.items()), ""]
    return "\n".join(lines).encode()


def _tweaked(text: str, tweak: Tweak) -> bytes:
    if tweak is None:
        return text.encode()
    if callable(tweak):
        return tweak(text).encode()
    return tweak if isinstance(tweak, bytes) else tweak.encode()
