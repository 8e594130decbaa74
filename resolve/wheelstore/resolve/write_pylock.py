"""An answer as a PEP 751 lock, `pylock.toml`: one file of a distribution a line. No password or token is written.

By hand, not by a TOML library: the shape is fixed, none lays inline tables out like this, and there can be
thousands of files.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wheelstore.resolve.addresses import file_url_path
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.filenames import split_wheel
from wheelstore.resolve.locations import path_from, public_url
from wheelstore.resolve.moments import upload_moment
from wheelstore.resolve.pins import IndexSource, PathSource, UrlSource, VcsSource
from wheelstore.resolve.write_requirements import header_lines

if TYPE_CHECKING:
    from wheelstore.resolve.problem import Answer, Chosen
    from wheelstore.resolve.simple import IndexFile

_Table = Mapping[str, object]
_SDIST_SUFFIXES = (".tar.gz", ".zip")  # those that the specification of filenames still has; the better first
_COMMITS = frozenset(("git", "hg"))


class Unwritable(ResolveError):
    """What a `pylock.toml` cannot say of a distribution, though it has to."""

    def __init__(self, spelling: str, reason: str, hint: str) -> None:
        super().__init__(spelling, reason, hint)
        self.spelling, self.reason, self.hint = spelling, reason, hint

    def __str__(self) -> str:
        return f"{self.spelling} cannot be written to a pylock.toml: {self.reason}"


def write_pylock(
    answer: Answer,
    *,
    created_by: str = "wheelstore",
    base: Path | None = None,
    header: str | None = None,
    extras: Iterable[str] = (),
    groups: Iterable[str] = (),
    default_groups: Iterable[str] = (),
    omitted: Collection[str] = frozenset(),
) -> str:
    """Return the text of the lock, its packages in the order of the answer.

    Args:
        base: the directory of the lock, where relative paths start; None for absolute ones.
        header: the command that wrote it, for a comment.
        extras, groups, default_groups: what its markers may ask for.
        omitted: normalized names of what is left out.

    Raises:
        Unwritable: a file without any hash, or a checkout without its commit.
    """
    top: dict[str, object] = {
        "lock-version": "1.0",
        "environments": answer.environments,
        "requires-python": answer.requires_python,
        "extras": sorted(extras),
        "dependency-groups": sorted(groups),
        "default-groups": sorted(default_groups),
        "created-by": created_by,
    }
    chosen = [each for each in answer.chosen if each.name not in omitted]
    by_name: dict[str, list[Chosen]] = {}
    for each in chosen:
        by_name.setdefault(each.name, []).append(each)
    lines = [*header_lines(header), *_lines(top)]
    if not chosen:
        lines += ["packages = []"]
    for each in chosen:
        lines += ["", "[[packages]]", *_lines(_package(each, by_name, base))]
    return "".join(f"{line}\n" for line in lines)


def _package(chosen: Chosen, by_name: Mapping[str, list[Chosen]], base: Path | None) -> dict[str, object]:
    """One package, in the order of the specification; the version only where it stays what it is."""
    immutable = isinstance(chosen.source, (IndexSource, UrlSource)) or bool(chosen.files)
    package: dict[str, object] = {
        "name": chosen.name,
        "version": str(chosen.version) if immutable else None,
        "marker": chosen.marker,
        "requires-python": _specifier(chosen.requires_python),
        "dependencies": _dependencies(chosen, by_name),
    }
    source = chosen.source
    if isinstance(source, IndexSource):
        return package | _index_files(chosen, base)
    if isinstance(source, VcsSource):
        return package | {"vcs": _checkout(chosen, source, base)}
    if isinstance(source, PathSource) and not chosen.files:
        directory = {"path": path_from(source.path, base), "editable": source.editable or None}
        return package | {"directory": directory | {"subdirectory": source.subdirectory}}
    return package | {"archive": _archive(chosen, source, base)}


def _specifier(text: str | None) -> str | None:
    """Requires-Python as the specification wants it; one that says nothing to it is left out."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return str(SpecifierSet(text)) if text else None
    except InvalidSpecifier:
        return None


def _dependencies(chosen: Chosen, by_name: Mapping[str, list[Chosen]]) -> list[_Table]:
    """Those in the lock; where a name is there more than once, all of them, by version."""
    found: list[_Table] = []
    for name in sorted({each.partition("[")[0] for each in chosen.dependencies} - {chosen.name}):
        entries = by_name.get(name, [])
        if len(entries) == 1:
            found.append({"name": name})
        else:
            found += [{"name": name, "version": each} for each in sorted({str(entry.version) for entry in entries})]
    return found


def _index_files(chosen: Chosen, base: Path | None) -> dict[str, object]:
    usable = [each for each in chosen.files if each.hashes]
    wheels = sorted((each for each in usable if _is_wheel(each.filename, chosen)), key=lambda each: each.filename)
    sdists = [each for suffix in _SDIST_SUFFIXES for each in usable if _is_sdist(each.filename, suffix, chosen)]
    if not wheels and not sdists:
        raise Unwritable(_spelling(chosen), "its index has no hashes for its files", "write requirements.txt instead")
    local = not chosen.location or "://" not in chosen.location or chosen.location.startswith("file:")
    return {
        "index": None if local else public_url(chosen.location),
        "sdist": _file(sdists[0], base) if sdists else None,
        "wheels": [_file(each, base) for each in wheels],
    }


def _is_wheel(filename: str, chosen: Chosen) -> bool:
    """Whether readers will take a filename for a wheel of this version; one that they refuse spoils the lock."""
    if split_wheel(filename) is None:
        return False
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(filename)[:2] == (chosen.name, chosen.version)
    except InvalidWheelFilename:
        return False


def _is_sdist(filename: str, suffix: str, chosen: Chosen) -> bool:
    if not filename.endswith(suffix):
        return False
    from packaging.utils import InvalidSdistFilename, parse_sdist_filename

    try:
        return parse_sdist_filename(filename) == (chosen.name, chosen.version)
    except InvalidSdistFilename:
        return False


def _file(file: IndexFile, base: Path | None) -> _Table:
    return {
        "name": file.filename,
        "upload-time": upload_moment(file.upload_time or ""),
        **_location(file.url, base),
        **_proof(file),
    }


def _location(url: str, base: Path | None) -> dict[str, object]:
    if url.lower().startswith("file:"):
        return {"path": path_from(Path(file_url_path(url)), base)}
    return {"url": public_url(url)}


def _proof(file: IndexFile) -> dict[str, object]:
    return {"size": file.size, "hashes": dict(each.split(":", 1) for each in sorted(file.hashes))}


def _checkout(chosen: Chosen, source: VcsSource, base: Path | None) -> _Table:
    commit = source.commit_id or (source.revision if source.vcs not in _COMMITS else None)
    if commit is None:
        raise Unwritable(_spelling(chosen), "the commit of its checkout is not known", "name the commit: …@COMMIT")
    asked = source.revision if source.revision != commit else None
    vcs = {"type": source.vcs, **_location(source.url, base), "requested-revision": asked, "commit-id": commit}
    return vcs | {"subdirectory": source.subdirectory}


def _archive(chosen: Chosen, source: UrlSource | PathSource, base: Path | None) -> _Table:
    file = chosen.files[0] if chosen.files else None
    proof = _proof(file) if file is not None else {}
    if not proof.get("hashes") and isinstance(source, UrlSource):
        proof["hashes"] = dict(each.split(":", 1) for each in sorted(source.hashes))
    if not proof.get("hashes"):
        raise Unwritable(_spelling(chosen), "its hash is not known", "write requirements.txt instead")
    archive = (
        {"path": path_from(source.path, base)} if isinstance(source, PathSource) else {"url": public_url(source.url)}
    )
    return {**archive, **proof, "subdirectory": source.subdirectory}


def _spelling(chosen: Chosen) -> str:
    return f"{chosen.name}=={chosen.version}"


def _lines(table: _Table) -> Iterator[str]:
    """A table's lines: what is empty is left out, and a list of tables has one a line."""
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield f"{key} = ["
            yield from (f"    {_toml(each)}," for each in value)
            yield "]"
        elif value:
            yield f"{key} = {_toml(value)}"


def _toml(value: object) -> str:
    """A value on one line (TOML 1.0): strings are literal where that saves backslashes."""
    if isinstance(value, str):
        if value.isprintable():
            if '"' not in value and "\\" not in value:
                return f'"{value}"'
            if "'" not in value:
                return f"'{value}'"
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {_toml(each)}' for key, each in value.items() if each is not None)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return str(value).lower()
