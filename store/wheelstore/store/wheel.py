"""A wheel: what its names and its metadata say, checked against each other and against the archive.

Binary distribution format (PEP 427): https://packaging.python.org/specifications/binary-distribution-format/.
Hot: 12,000 entries take 40 ms, most of it RECORD.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from wheelstore.store.archive import Entry
from wheelstore.store.entry_points import EntryPoint, check_script_name, parse_entry_points
from wheelstore.store.headers import scan_headers
from wheelstore.store.recorded import ALGORITHMS, Recorded, check_listed, parse_record
from wheelstore.store.refusal import BadWheel, Rule, naming

__all__ = ["EntryPoint", "WheelContents", "WheelName", "check_recorded", "check_wheel", "parse_wheel_name"]

_FILENAME = re.compile(r"(?a:([\w.]+)-([\w.+!]+)(?:-(\d[\w.]*))?-([\w.]+)-([\w.]+)-([\w.]+))\.whl").fullmatch
_DATA_KEYS = frozenset(("purelib", "platlib", "scripts", "headers", "data"))
_SCRIPT_DIRECTORIES = frozenset(("bin", "scripts"))
_ENVIRONMENT_FILES = frozenset(("pyvenv.cfg", "bin", "scripts", "lib", "lib64", "include"))
_FOREIGN_DIST_INFO = re.compile(r"(?:^|/)site-packages/[^/]*\.dist-info(?:/|$)").search
_LARGEST = {"METADATA": 16 << 20, "WHEEL": 1 << 20, "entry_points.txt": 4 << 20, "RECORD": 128 << 20}
"""Bytes that each file of .dist-info may have; they are read whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelName:
    """What a wheel's file name says: the normalized project, the version as written, the rest as written."""

    project: str
    version: Version
    build: str
    python: str
    abi: str
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelContents:
    """What the store needs to know of a sound wheel.

    `name` and `version` are normalized; `dist_info` and `data_dir` are top-level directories of the archive
    (`data_dir` need not exist); `record` has every file but RECORD and its signatures.
    """

    name: str
    version: str
    dist_info: str
    data_dir: str
    root_is_purelib: bool
    record: Mapping[str, Recorded]
    entry_points: tuple[EntryPoint, ...]
    requires_python: str | None

    def algorithm(self, name: str) -> str:
        """How `hashlib` calls the hash that RECORD has for the file `name`."""
        return ALGORITHMS[len(self.record[name][0])]


def parse_wheel_name(filename: str) -> WheelName:
    """Take a wheel's file name apart.

    Raises:
        BadWheel: it is no wheel's, or its version is not one (PEP 440).
    """
    match = _FILENAME(filename)
    version = match and _version(match[2])
    if not match or not version:
        raise BadWheel(None, Rule.FILENAME, wheel=filename)
    project, _, build, python, abi, platform = match.groups(default="")
    return WheelName(
        project=_normalized(project), version=version, build=build, python=python, abi=abi, platform=platform
    )


def check_wheel(
    filename: str, entries: Sequence[Entry], read: Callable[[Entry], bytes], metadata_sha256: str | None = None
) -> WheelContents:
    """Check everything about a wheel but the hashes in RECORD, for which see `check_recorded`.

    `read` gives the content of one small file, checked against its size and CRC; METADATA has the hex
    `metadata_sha256`, if there is one.

    Raises:
        BadWheel: naming the entry and the rule.
    """
    with naming(filename):
        wheel_name = parse_wheel_name(filename)
        dist_info = _find_dist_info(entries, wheel_name)
        data_dir = f"{dist_info.removesuffix('.dist-info')}.data"
        _check_data(entries, data_dir)
        metadata = _Metadata(dist_info, entries, read)
        requires_python = _check_metadata(metadata, wheel_name, metadata_sha256)
        root_is_purelib = _check_wheel_file(metadata)
        record = parse_record(metadata.read("RECORD"), f"{dist_info}/RECORD")
        check_listed(record, entries, f"{dist_info}/RECORD")
        scripts = metadata.read("entry_points.txt", required=False)
        return WheelContents(
            name=wheel_name.project,
            version=str(wheel_name.version),
            dist_info=dist_info,
            data_dir=data_dir,
            root_is_purelib=root_is_purelib,
            record=record,
            entry_points=parse_entry_points(scripts, f"{dist_info}/entry_points.txt"),
            requires_python=requires_python,
        )


def check_recorded(contents: WheelContents, name: str, digest: bytes, size: int) -> None:
    """Compare the content of file `name` with RECORD; `digest` is by `contents.algorithm(name)`.

    RECORD and its signatures, of which RECORD says nothing, pass.

    Raises:
        BadWheel: the hash or the size is another.
        ValueError: the digest is by another algorithm.
    """
    recorded = contents.record.get(name)
    if recorded is None:
        return
    if len(digest) != len(recorded[0]):
        raise ValueError(f"RECORD has a {contents.algorithm(name)} for {name}")
    if digest != recorded[0]:
        raise BadWheel(name, Rule.RECORD_HASH)
    if recorded[1] is not None and recorded[1] != size:
        raise BadWheel(name, Rule.RECORD_SIZE)


class _Metadata:
    """The files of the .dist-info directory."""

    def __init__(self, dist_info: str, entries: Iterable[Entry], read: Callable[[Entry], bytes]) -> None:
        self.dist_info, self._read = dist_info, read
        prefix = f"{dist_info}/"
        self._entries = {entry.name: entry for entry in entries if entry.name.startswith(prefix)}

    def read(self, name: str, *, required: bool = True) -> bytes:
        """The content of one file; empty if it is not there and not required."""
        path = f"{self.dist_info}/{name}"
        entry = self._entries.get(path)
        if entry is None:
            if required:
                raise BadWheel(path, Rule.MISSING_FILE)
            return b""
        if entry.size > _LARGEST[name]:
            raise BadWheel(path, Rule.OVERSIZED_FILE, f"{entry.size} bytes")
        return self._read(entry)

    def header(self, name: str, field: str, values: Sequence[str], rule: Rule) -> str:
        """The only value of a header field of file `name`."""
        if len(set(values)) != 1:
            raise BadWheel(f"{self.dist_info}/{name}", rule, f"{field} is there {len(values)} times")
        return values[0]


def _find_dist_info(entries: Iterable[Entry], wheel_name: WheelName) -> str:
    """The wheel's own .dist-info directory; there is no other that would be installed beside it."""
    tops = {entry.name.partition("/")[0] for entry in entries if "/" in entry.name}
    found = sorted(top for top in tops if top.lower().endswith(".dist-info"))
    if len(found) != 1 or not found[0].endswith(".dist-info"):
        raise BadWheel(None, Rule.DIST_INFO, f"found {', '.join(map(repr, found)) or 'none'}"[:300])
    stem = found[0].removesuffix(".dist-info")
    # A project's name may be written with hyphens, and so may a version: try each split.
    splits = (stem[: match.start()] + "\0" + stem[match.end() :] for match in re.finditer("-", stem))
    for project, _, version in (split.partition("\0") for split in splits):
        if _normalized(project) == wheel_name.project and _version(version) == wheel_name.version:
            return found[0]
    raise BadWheel(f"{found[0]}/", Rule.DIST_INFO_NAME)


def _check_data(entries: Iterable[Entry], data_dir: str) -> None:
    """Check what would be installed elsewhere than in site-packages, or, from .data, beside the wheel's own."""
    for entry in entries:
        top, slash, path = entry.name.partition("/")
        if not slash or not top.lower().endswith(".data"):
            continue
        if top != data_dir:
            raise BadWheel(entry.name, Rule.DATA_NAME)
        key, slash, path = path.partition("/")
        if key not in _DATA_KEYS or not slash:
            raise BadWheel(entry.name, Rule.DATA_KEY)
        if key == "scripts":
            check_script_name(entry.name, path)
        elif key == "data":
            _check_data_target(entry.name, path)
        elif key != "headers" and path.partition("/")[0].lower().endswith(".dist-info"):
            raise BadWheel(entry.name, Rule.DIST_INFO)


def _check_data_target(name: str, path: str) -> None:
    """Check where in the environment a file of the `data` scheme would go."""
    folded = path.lower()
    if folded in _ENVIRONMENT_FILES:
        raise BadWheel(name, Rule.DATA_TARGET)
    if _FOREIGN_DIST_INFO(folded):
        raise BadWheel(name, Rule.DIST_INFO)
    directory, _, script = folded.partition("/")
    if directory in _SCRIPT_DIRECTORIES and "/" not in script:
        check_script_name(name, script)


def _check_metadata(metadata: _Metadata, wheel_name: WheelName, sha256: str | None) -> str | None:
    """Compare METADATA with the file name and, if it is known, with what was served in its place (PEP 658).

    Its Requires-Python.
    """
    content = metadata.read("METADATA")
    headers = scan_headers(content, frozenset(("name", "version", "requires-python")))
    path = f"{metadata.dist_info}/METADATA"
    project = metadata.header("METADATA", "Name", headers["name"], Rule.METADATA)
    version = metadata.header("METADATA", "Version", headers["version"], Rule.METADATA)
    if _normalized(project) != wheel_name.project:
        raise BadWheel(path, Rule.METADATA_NAME, repr(project)[:200])
    if _version(version) != wheel_name.version:
        raise BadWheel(path, Rule.METADATA_VERSION, repr(version)[:200])
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise BadWheel(path, Rule.METADATA_SERVED)
    if not any(headers["requires-python"]):
        return None
    return metadata.header("METADATA", "Requires-Python", headers["requires-python"], Rule.METADATA)


def _check_wheel_file(metadata: _Metadata) -> bool:
    """Check WHEEL; its Root-Is-Purelib. A newer minor version of the format is still readable (PEP 427)."""
    headers = scan_headers(metadata.read("WHEEL"), frozenset(("wheel-version", "root-is-purelib")))
    path = f"{metadata.dist_info}/WHEEL"
    version = metadata.header("WHEEL", "Wheel-Version", headers["wheel-version"], Rule.WHEEL_METADATA)
    match = re.fullmatch(r"(?a)(\d+)\.\d+", version)
    if match is None or int(match[1]) != 1:
        raise BadWheel(path, Rule.WHEEL_VERSION, repr(version)[:200])
    purelib = metadata.header("WHEEL", "Root-Is-Purelib", headers["root-is-purelib"], Rule.WHEEL_METADATA).lower()
    if purelib not in ("true", "false"):
        raise BadWheel(path, Rule.WHEEL_METADATA, "Root-Is-Purelib is neither true nor false")
    return purelib == "true"


def _normalized(project: str) -> str:
    """A project's name, normalized (PEP 503)."""
    return re.sub(r"[-_.]+", "-", project).lower()


def _version(text: str) -> Version | None:
    """A version, as file names write it too: with underscores for hyphens."""
    try:
        return Version(text)
    except InvalidVersion:
        pass
    try:
        return Version(text.replace("_", "-"))
    except InvalidVersion:
        return None
