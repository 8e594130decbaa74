"""How one wheel lies in an environment: which blob appears where, its scripts, its RECORD.

Binary distribution format (PEP 427), "Installing a wheel"; Recording installed projects (PEP 376, 627); PEP 610.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from wheelstore.materialize.environment import DIRECTORY
from wheelstore.materialize.plan import Distribution, Link, Plan, Record, Script, make_plan
from wheelstore.materialize.record import hash_field, record_hash, record_line, relative_to_site
from wheelstore.materialize.scripts import names_interpreter
from wheelstore.store.blobs import blob_name
from wheelstore.store.entry_points import EntryPoint, parse_entry_points
from wheelstore.store.errors import StoreError
from wheelstore.store.filelist import StoredFile, unpack
from wheelstore.store.index import WheelRow
from wheelstore.store.recorded import ALGORITHMS, parse_record

INSTALLER = b"wheelstore\n"

# What setuptools put beside, or instead of, an entry point's name (as pip's `is_entrypoint_wrapper` knows them).
_WRAPPERS = (".exe", "-script.py", "-script.pyw", ".pya")
_PLAIN = len("sha256=") + 43  # characters of the usual hash field: base64 of 32 bytes, without padding


class PathConflict(StoreError):
    """Two distributions claim one path with different content; or one does so itself, and is both `owners`."""

    hint = "one of the two has to go from the lock, or to another version"

    def __init__(self, target: str, owners: tuple[str, str]) -> None:
        super().__init__(target, owners)
        self.target, self.owners = target, owners

    def __str__(self) -> str:
        one, other = self.owners
        if one == other:
            return f"{one} installs {self.target} twice, with different content"
        return f"{one} and {other} both install {self.target}, with different content"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Where an interpreter's environments keep each kind of file, relative to their root (sysconfig's terms)."""

    purelib: str
    platlib: str
    scripts: str
    include: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A wheel that an environment is to hold; `direct_url` is the text of its direct_url.json (PEP 610), if any."""

    wheel: WheelRow
    direct_url: str | None = None


@dataclass(frozen=True, slots=True)
class Blobs:
    """How a plan's maker reads blobs, and stores the small files it makes up; both by key."""

    read: Callable[[bytes], bytes]
    put: Callable[[bytes], bytes]


def plan_environment(wheels: Iterable[Installed], scheme: Scheme, blobs: Blobs) -> Plan:
    """The plan of an environment that holds exactly `wheels`, in whatever order they are given.

    Raises:
        PathConflict: two wheels claim one path with different content, or one wants a directory where another has
            a file.
    """
    ordered = sorted(wheels, key=lambda item: (item.wheel.name, item.wheel.version, item.wheel.sha256))
    laid_out = [_LayOut(item, scheme, blobs) for item in ordered]
    _refuse_conflicts(laid_out)
    links: dict[str, Link] = {}
    for link in (link for one in laid_out for link in one.links):
        # The same content, executable for one wheel and not for another, is executable.
        if link.target not in links or link.source > links[link.target].source:
            links[link.target] = link
    scripts = {script.target: script for one in laid_out for script in one.scripts}
    sites = {scheme.purelib, scheme.platlib}
    modules = any(link.endswith(".py") and link.rpartition("/")[0] in sites for link in links)
    return make_plan(
        links.values(),
        scripts.values(),
        [one.record for one in laid_out if one.record],
        [one.distribution for one in laid_out],
        # Made in advance, so that the first import of a top-level module does not touch site-packages itself,
        # whose time tells whether someone else has installed there.
        directories=[scheme.purelib, scheme.scripts, *([f"{scheme.purelib}/__pycache__"] if modules else [])],
    )


def _refuse_conflicts(laid_out: Iterable[_LayOut]) -> None:
    owners: dict[str, tuple[str, str]] = {DIRECTORY: ("the environment itself", "")}
    for one in laid_out:
        for target, content in one.claims():
            owner, content_before = owners.setdefault(target, (one.title, content))
            if content_before != content:
                raise PathConflict(target, (owner, one.title))
    checked: set[str] = set()
    for target, (owner, _) in owners.items():
        parent = target.rpartition("/")[0]
        while parent and parent not in checked:
            if parent in owners:
                raise PathConflict(parent, (owners[parent][0], owner))
            checked.add(parent)
            parent = parent.rpartition("/")[0]


class _LayOut:
    """One wheel, laid out: the links, scripts and RECORD that it comes to."""

    def __init__(self, item: Installed, scheme: Scheme, blobs: Blobs) -> None:
        self._wheel, self._scheme, self._blobs = item.wheel, scheme, blobs
        self._site = scheme.purelib if item.wheel.purelib else scheme.platlib
        self.title = f"{item.wheel.name} {item.wheel.version}"
        self.links: list[Link] = []
        self.scripts: list[Script] = []
        files = unpack(item.wheel.files)
        # At the top: a wheel may carry others' metadata deeper down, below some `_vendor`.
        records = (file.path for file in files if file.path.endswith(".dist-info/RECORD"))
        dist_info = next(path for path in records if path.count("/") == 1).rpartition("/")[0]
        self._dist_info = f"{self._site}/{dist_info}"
        self.distribution = Distribution(item.wheel.name, item.wheel.version, self._dist_info)
        points = self._entry_points(files, dist_info)
        lines = self._place(files, dist_info, points)
        for point in points.values():
            target = f"{scheme.scripts}/{point.name}"
            self.scripts.append(Script(target, point.module, point.attribute, "", gui=point.gui))
        lines += self._add_metadata(item)
        self.record = self._add_record(lines)

    def claims(self) -> Iterable[tuple[str, str]]:
        """Every path it installs, with a word for the content."""
        for link in self.links:
            yield link.target, link.source.removesuffix("-x") if len(link.source) > 1 else ""
        for script in self.scripts:
            yield script.target, "\t".join(map(str, script))
        if self.record:
            yield self.record.target, self.title

    def _place(
        self, files: list[StoredFile], dist_info: str, points: Mapping[str, EntryPoint]
    ) -> list[tuple[str, str, str]]:
        """Link what the archive holds; the RECORD lines of it. Entry points go before scripts of the same name."""
        data = f"{dist_info.removesuffix('.dist-info')}.data/"
        record = f"{dist_info}/RECORD"
        unlisted = (record, f"{record}.jws", f"{record}.p7s")
        hashes = self._read_record(files, record)
        lines = []
        for file in files:
            if file.path in unlisted or (file.path.startswith(dist_info) and file.path in self._replaced(dist_info)):
                continue
            if file.path.startswith(data):
                kind, _, rest = file.path[len(data) :].partition("/")
                target = self._data_target(kind, rest)
                if kind == "scripts" and (_wrapped(rest) in points or self._add_own_script(file, target)):
                    continue
            else:
                target = f"{self._site}/{file.path}"
            self.links.append(Link(target, _source(file)))
            lines.append((self._relative(target), hashes.get(file.path, ""), str(file.size)))
        return lines

    @staticmethod
    def _replaced(dist_info: str) -> tuple[str, ...]:
        # Files that only an installer may write; some wheels ship them by mistake.
        return tuple(f"{dist_info}/{name}" for name in ("INSTALLER", "REQUESTED", "direct_url.json"))

    def _read_record(self, files: list[StoredFile], record: str) -> dict[str, str]:
        """The hash field of every file; those not in the specification's form (old wheels have some) put into it."""
        key = next(file.key for file in files if file.path == record)
        content = self._blobs.read(key)
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        hashes = {row[0]: row[1] for row in rows if len(row) > 1}
        odd = [path for path, text in hashes.items() if text and not (len(text) == _PLAIN and text[:7] == "sha256=")]
        if odd:
            recorded = parse_record(content, record)
            for path in odd:
                if path in recorded:
                    digest = recorded[path][0]
                    hashes[path] = hash_field(ALGORITHMS[len(digest)], digest)
        return hashes

    def _data_target(self, kind: str, rest: str) -> str:
        scheme = self._scheme
        if kind == "data":
            return rest
        if kind == "headers":
            return f"{scheme.include}/{self._wheel.name}/{rest}"
        return f"{ {'purelib': scheme.purelib, 'platlib': scheme.platlib, 'scripts': scheme.scripts}[kind] }/{rest}"

    def _add_own_script(self, file: StoredFile, target: str) -> bool:
        if not names_interpreter(self._blobs.read(file.key)[:8] if file.size else b""):
            return False
        self.scripts.append(Script(target, "", "", blob_name(file.key), gui=False))
        return True

    def _entry_points(self, files: list[StoredFile], dist_info: str) -> dict[str, EntryPoint]:
        """The scripts to make, by name; of a console and a GUI script of one name, the latter (as pip leaves it)."""
        path = f"{dist_info}/entry_points.txt"
        key = next((file.key for file in files if file.path == path and file.size), None)
        points = parse_entry_points(self._blobs.read(key)) if key else ()
        return {point.name: point for point in sorted(points, key=lambda point: point.gui)}

    def _add_metadata(self, item: Installed) -> list[tuple[str, str, str]]:
        made = {"INSTALLER": INSTALLER, "REQUESTED": b""}
        if item.direct_url is not None:
            made["direct_url.json"] = item.direct_url.encode()
        lines = []
        for name, content in made.items():
            target = f"{self._dist_info}/{name}"
            self.links.append(Link(target, blob_name(self._blobs.put(content)) if content else ""))
            lines.append((self._relative(target), record_hash(content), str(len(content))))
        return lines

    def _add_record(self, lines: list[tuple[str, str, str]]) -> Record | None:
        """RECORD is a blob like any other unless a script's line depends on where the environment is."""
        target = f"{self._dist_info}/RECORD"
        text = sorted({record_line(*line) for line in (*lines, (self._relative(target), "", ""))})
        source = blob_name(self._blobs.put(("\n".join(text) + "\n").encode()))
        if self.scripts:
            return Record(target, source, tuple(sorted({script.target for script in self.scripts})))
        self.links.append(Link(target, source))
        return None

    def _relative(self, target: str) -> str:
        return relative_to_site(target, self._site)


def _wrapped(script: str) -> str:
    """The entry point that a script of this name would start."""
    for ending in _WRAPPERS:
        if script.lower().endswith(ending):
            return script[: -len(ending)]
    return script


def _source(file: StoredFile) -> str:
    if file.size:
        return blob_name(file.key)
    return "x" if len(file.key) > 32 else ""
