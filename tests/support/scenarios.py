"""Small indexes as tables, what is asked of them, and what must come out: pins, or the whole text of an explanation.

A line of a table is one or more files of one version::

    a 1.0
    a 2.0 python>=3.9 -> b>=2 | c<3; sys_platform == "linux" | [x] d
    a 3.0 sdist cp312-cp312-win_amd64 yanked="broke the API" at=2024-01-01

Behind the arrow are the requirements, `|` between them; `[x] d` is short for `d; extra == "x"`. Without a format a
line is a pure wheel. `broken` has unusable metadata, `metadata-python` is told by the metadata but not by the page,
`extras=x,y` are declared without requiring anything, `name=` and `file=` replace what would be said or served.
`@other` begins the table of the next index, `@links` of a find-links page and `@direct` that of archives at URLs.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from packaging.version import Version

from wheelstore.resolve.dependencies import applies, parse_dependency
from wheelstore.resolve.direct_sources import Direct, DirectSources, find_direct
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.facts import Facts
from wheelstore.resolve.fetch_errors import FetchFailed
from wheelstore.resolve.filenames import split_wheel
from wheelstore.resolve.indexes import Indexes, IndexOptions, Strategy
from wheelstore.resolve.metadata import BadMetadata
from wheelstore.resolve.pins import normalize
from wheelstore.resolve.platforms import target_for
from wheelstore.resolve.problem import Answer, Dependency, Given, Metadata, Problem, Rules, Selected
from wheelstore.resolve.projects import Catalog
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.solving import solve
from wheelstore.resolve.target import Target

JSON = "application/vnd.pypi.simple.v1+json"
_TAGS = re.compile(r"[a-z0-9_.]+-[a-z0-9_.]+-[A-Za-z0-9_.]+")
_EXTRA = re.compile(r"\[([^\]]+)\] (.+)")


class Row(NamedTuple):
    """One file of a table; `page_python` is what the index says, `metadata` None where it cannot be used."""

    table: str
    project: str
    filename: str
    metadata: Metadata | None
    page_python: str | None
    yanked: str | None
    uploaded: str | None
    url: str
    is_down: bool


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One table, one problem, and the answer; `pins` are like `a 1.0, b[x] 2.0`, `error` ends with the hints."""

    name: str
    index: str
    roots: str
    pins: str | None = None
    error: str | None = None
    constraints: str = ""
    overrides: str = ""
    excludes: str = ""
    preferred: str = ""
    rules: Rules = field(default_factory=Rules)
    strategy: Strategy = Strategy.FIRST_INDEX
    python: str = "3.12"
    platform: str = "linux"
    locations: str = ""
    """Where some pins must come from: `a other`."""

    def check(self) -> None:
        """Solve it, and compare; the order of a page's files must not matter."""
        for rows in (read_table(self.index), read_table(self.index)[::-1]):
            if self.error is not None:
                assert explained(self, rows) == self.error.strip("\n")
                continue
            answer = run(self, rows)
            assert pins_of(answer) == _pairs(self.pins or "")
            _check_sound(self, answer, rows)
            places: dict[str, str] = {one.name: one.location for one in answer.chosen}
            for name, place in _pairs(self.locations).items():
                assert places[name] == address(place)


def all_of(*names: str) -> Selected:
    """Some projects, or all without a name."""
    return Selected(everything=not names, names=frozenset(names))


def pins_of(answer: Answer) -> dict[str, str]:
    """What was chosen, `b[x]` spelled with its extras."""
    return {
        one.name + (f"[{','.join(sorted(one.extras))}]" if one.extras else ""): str(one.version)
        for one in answer.chosen
    }


def address(index: str) -> str:
    """The URL of a table."""
    return f"https://{index}.test/" if index == "links" else f"https://{index}.test/simple/"


def explained(scenario: Scenario, rows: list[Row] | None = None) -> str:
    """The text and hint of what goes wrong."""
    try:
        answer = run(scenario, rows)
    except ResolveError as error:
        return str(error) + (f"\nhint: {error.hint}" if error.hint else "")
    raise AssertionError(f"there is an answer: {pins_of(answer)}")


def run(scenario: Scenario, rows: list[Row] | None = None) -> Answer:
    """Solve a scenario."""
    rows = rows if rows is not None else read_table(scenario.index)
    indexes = [row.table for row in read_table(scenario.index) if row.table not in ("links", "direct")]
    options = IndexOptions(
        index_urls=tuple(address(index) for index in dict.fromkeys(indexes or ["index"])),
        find_links=(address("links"),) if any(row.table == "links" for row in rows) else (),
        strategy=scenario.strategy,
    )
    target = _target(scenario.python, scenario.platform)
    problem = Problem(
        roots=_given(scenario.roots, "-r requirements.in", "requirements.in"),
        target=target,
        constraints=_given(scenario.constraints, "-c constraints.txt", "constraints.txt"),
        overrides=_given(scenario.overrides, "--override overrides.txt", "overrides.txt"),
        excludes=frozenset(normalize(name) for name in scenario.excludes.split()),
        preferred={normalize(name): Version(version) for name, version in _pairs(scenario.preferred).items()},
        rules=scenario.rules,
    )
    with Facts(None) as facts:
        found = Indexes(options, pages=_Pages(rows), facts=facts, now=lambda: 0.0)
        catalog = Catalog(found, _Reader(rows), rules=scenario.rules)
        try:
            return solve(problem, catalog, _direct(problem, rows))
        finally:
            catalog.close()


def read_table(table: str) -> list[Row]:
    """The files of a table, in its order."""
    rows: list[Row] = []
    index = "index"
    for line in filter(None, map(str.strip, table.splitlines())):
        if line.startswith("@"):
            index = line[1:]
        elif not line.startswith("#"):
            rows += _rows(index, line)
    return rows


def _rows(index: str, line: str) -> Iterable[Row]:
    left, _, right = line.partition("->")
    name, version, *words = shlex.split(left)
    requires = tuple(_requirement(text.strip()) for text in right.split(" | ") if text.strip())
    options = dict(word.partition("=")[::2] for word in words if re.match(r"[a-z]+(=|$)", word))
    page = next((word[6:] for word in words if word.startswith("python")), None)
    told = next((word[15:] for word in words if word.startswith("metadata-python")), page)
    spelled = re.findall(r"extra == .([A-Za-z0-9._-]+)", " ".join(requires))
    extras = dict.fromkeys((*spelled, *filter(None, options.get("extras", "").split(","))))
    metadata = Metadata(options.get("name", name), version, requires, told, tuple(extras))
    for filename in _filenames(name, version, words, options):
        yield Row(
            index,
            normalize(name),
            filename,
            metadata if "broken" not in options else None,
            page,
            options.get("yanked"),
            options.get("at"),
            options.get("url") or f"https://files.test/{index}/{filename}",
            "down" in options,
        )


def _requirement(text: str) -> str:
    match = _EXTRA.fullmatch(text)
    if match is None:
        return text
    requirement, _, marker = match[2].partition(";")
    marker = f"({marker.strip()}) and " if marker else ""
    return f'{requirement.strip()} ; {marker}extra == "{match[1]}"'


def _filenames(name: str, version: str, words: list[str], options: Mapping[str, str]) -> Iterable[str]:
    if "file" in options:
        return [options["file"]]
    stem = re.sub(r"[-_.]+", "_", name)
    found = [f"{stem}-{version}-{word}.whl" for word in words if _TAGS.fullmatch(word) and "python" not in word]
    if "wheel" in words or not (found or "sdist" in words):
        found.append(f"{stem}-{version}-py3-none-any.whl")
    return [*found, f"{stem}-{version}.tar.gz"] if "sdist" in words else found


class _Reply(NamedTuple):
    status: int
    body: bytes
    url: str
    headers: Mapping[str, str] = {"Content-Type": JSON}  # never written to


class _Pages:
    def __init__(self, rows: Iterable[Row]) -> None:
        self._pages: dict[str, list[Row]] = {}
        for row in rows:
            url = address(row.table) + ("" if row.table == "links" else f"{row.project}/")
            self._pages.setdefault(url, []).append(row)

    def get(self, url: str, *, accept: str, headers: Mapping[str, str]) -> _Reply:
        rows = self._pages.get(url)
        if rows is None:
            return _Reply(404, b"", url)
        files = [_entry(row) for row in rows]
        page = {"meta": {"api-version": "1.1"}, "name": rows[0].project, "files": files}
        return _Reply(200, json.dumps(page).encode(), url)


def _entry(row: Row) -> dict[str, object]:
    entry: dict[str, object] = {
        "filename": row.filename,
        "url": row.url,
        "hashes": {"sha256": hashlib.sha256(row.url.encode()).hexdigest()},
        "yanked": False if row.yanked is None else row.yanked or True,
    }
    if row.page_python is not None:
        entry["requires-python"] = row.page_python
    if row.uploaded is not None:
        entry["upload-time"] = f"{row.uploaded}T00:00:00Z"
    return entry


class _Reader:
    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {row.url: row for row in rows}

    def metadata(self, file: IndexFile, name: str) -> Metadata:
        row = self._rows[file.url]
        if row.is_down:
            raise FetchFailed(file.url, "HTTP 503", status=503)
        if row.metadata is None:
            raise BadMetadata("it has no Version", where=file.url)
        return row.metadata

    def prime(self, files: Iterable[IndexFile]) -> None:
        """Nothing is remembered."""


def _direct(problem: Problem, rows: Iterable[Row]) -> DirectSources:
    found = {row.url: row for row in rows if row.table == "direct"}

    def describe(dependency: Dependency) -> Direct:
        row = found[str(dependency.source)]
        assert row.metadata is not None
        files = (IndexFile(row.filename, row.url),) if split_wheel(row.filename) else ()
        return Direct(dependency.source, row.metadata, files)

    return find_direct(problem, describe)


@cache
def _target(python: str, platform: str) -> Target:
    return target_for(python, platform)


def _given(text: str, origin: str, file: str) -> tuple[Given, ...]:
    lines = [line.strip() for line in text.split(" | ") if line.strip()]
    return tuple(Given(parse_dependency(line), origin, f"{file}:{at}") for at, line in enumerate(lines, 1))


def _pairs(text: str) -> dict[str, str]:
    return {part.split(" ")[0]: part.split(" ")[1] for part in text.split(", ") if part}


def _check_sound(scenario: Scenario, answer: Answer, rows: Iterable[Row]) -> None:
    """What is asked for is there, at a version that fits; and nothing else is."""
    target = _target(scenario.python, scenario.platform)
    told = {row.url: row.metadata for row in rows}
    chosen = {one.name: one for one in answer.chosen}
    assert [one.name for one in answer.chosen] == sorted(chosen)
    changed = {given.dependency.name for given in _given(scenario.overrides, "", "")}
    changed |= {normalize(name) for name in scenario.excludes.split()}
    for one in answer.chosen:
        assert one.via, f"nobody asks for {one.name}"
        usable = [file for file in one.files if told.get(file.url) is not None]
        metadata = told[usable[0].url] if usable else None
        if metadata is None or scenario.rules.no_dependencies:
            continue
        for dependency in map(parse_dependency, metadata.requires_dist):
            if dependency.name in changed or not any(
                applies(dependency, target.markers, extra) for extra in ("", *one.extras)
            ):
                continue
            assert dependency.specifier.contains(chosen[dependency.name].version, prereleases=True), dependency.text
            assert dependency.extras <= chosen[dependency.name].extras
