"""Whether an environment is exactly some wheels: their files, byte by byte, and RECORDs that are right about them."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_WRITTEN = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a wheel puts into site-packages: a sha256 by path, without what an installer writes."""

    dist_info: str
    files: dict[str, str]


def contents_of(wheel: Path) -> Contents:
    """Read a wheel by other means than the project's; of its ``.data`` only what goes to site-packages counts."""
    files: dict[str, str] = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = entry.filename
            head, _, rest = path.partition("/")
            if head.endswith(".data"):
                kind, _, path = rest.partition("/")
                if kind not in ("purelib", "platlib"):
                    continue
            if not entry.is_dir():
                files[path] = hashlib.sha256(archive.read(entry)).hexdigest()
    dist_info = next(path.partition("/")[0] for path in files if path.endswith(".dist-info/RECORD"))
    for name in _WRITTEN:
        files.pop(f"{dist_info}/{name}", None)
    return Contents(dist_info, files)


def differences(environment: Path, wheels: Sequence[Contents]) -> list[str]:
    """What is not as the wheels say, a line each; bytecode does not count."""
    site = next(environment.glob("lib/python*/site-packages"))
    expected: dict[str, str] = {}
    for wheel in wheels:
        expected.update(wheel.files)
    found = dict(_digests(site))
    written = {f"{wheel.dist_info}/{name}" for wheel in wheels for name in _WRITTEN}
    problems = [f"missing: {path}" for path in expected.keys() - found.keys()]
    problems += [f"extra: {path}" for path in found.keys() - expected.keys() - written]
    problems += [f"altered: {path}" for path in expected.keys() & found.keys() if expected[path] != found[path]]
    for wheel in wheels:
        problems += _misrecorded(site, wheel)
    return sorted(problems)


def _digests(site: Path) -> Iterable[tuple[str, str]]:
    for directory, directories, files in os.walk(site):
        directories[:] = [name for name in directories if name != "__pycache__"]
        for name in files:
            path = Path(directory, name)
            yield path.relative_to(site).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()


def _misrecorded(site: Path, wheel: Contents) -> list[str]:
    """What a RECORD says wrongly or not at all; scripts are looked for where it says."""
    record = site / wheel.dist_info / "RECORD"
    if not record.exists():
        return [f"missing: {wheel.dist_info}/RECORD"]
    with record.open(newline="") as stream:
        rows = {path: (hashed, size) for path, hashed, size in csv.reader(stream)}
    problems = [f"not in RECORD: {path}" for path in wheel.files if path not in rows]
    for path, (hashed, size) in rows.items():
        if not hashed:
            continue
        algorithm, _, text = hashed.partition("=")
        try:
            content = (site / path).read_bytes()
        except OSError as error:
            problems.append(f"in RECORD, but {error.strerror}: {path}")
            continue
        digest = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=").decode()
        if digest != text or size != str(len(content)):
            problems.append(f"RECORD is wrong about {path}")
    return problems
