"""Digested pages: what a Simple API page said, in compact rows that are read one group at a time.

A digest is one blob: a JSON header line, then one JSON array of rows per group. An index page is grouped
by version, a find-links page by project. Reading one version of 2,000 touches the header and a few hundred
bytes: 0.3 ms for botocore's 4,984 files, where the page itself takes 20.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from wheelstore.resolve.filenames import projects_of, public_key, version_key, version_of
from wheelstore.resolve.simple import IndexFile

FORMAT = 3
"""Changes with the layout, so that what an older program remembered is read anew."""

_LITERAL = " "  # begins a stored URL that is not prefix + directory + filename; no URL begins so


def digest_by_version(files: Iterable[IndexFile], project: str) -> bytes:
    """Digest an index page; files of other projects and files without a valid version are left out.

    The groups are public versions: a file of ``1.0+cpu`` is in the group of ``1.0``.
    """
    files = list(files)

    def key(file: IndexFile) -> tuple[str, ...]:
        version = version_of(file.filename, project)
        found = public_key(version) if version is not None else None
        return (found,) if found is not None else ()

    versions = ascending(version_of(file.filename, project) for file in files)
    return _digest(files, key, versions, unversioned((file.filename for file in files), project))


def unversioned(filenames: Iterable[str], project: str) -> list[str]:
    """The files of a project whose version is none (PEP 440): nobody can ask for them."""
    named = ((name, version_of(name, project)) for name in filenames)
    return [name for name, version in named if version is not None and version_key(version) is None]


def ascending(versions: Iterable[str | None]) -> list[str]:
    """The `version_key`s of some versions, each once, the lowest first; what is no version is left out."""
    from packaging.version import Version

    keys = {key for version in versions if version is not None and (key := version_key(version)) is not None}
    return sorted(keys, key=Version)


def digest_by_project(files: Iterable[IndexFile]) -> bytes:
    """Digest a find-links page; a file that could belong to several projects is in each one's group."""
    return _digest(files, lambda file: projects_of(file.filename), [], [])


def _digest(
    files: Iterable[IndexFile],
    keys_of: Callable[[IndexFile], tuple[str, ...]],
    versions: list[str],
    passed_over: list[str],
) -> bytes:
    import orjson

    files = list(files)
    prefix = _common_directory([file.url for file in files])
    groups: dict[str, list[Sequence[Any]]] = {}
    for file in files:
        keys = keys_of(file)
        row = _row(file, len(prefix)) if keys else ()
        for key in keys:
            if key in groups:
                groups[key].append(row)
            else:
                groups[key] = [row]
    header: list[Any] = [FORMAT, prefix, [], versions, passed_over]
    segments: list[bytes] = []
    for key, rows in groups.items():
        segments.append(orjson.dumps(rows))
        header[2].append((key, len(segments[-1])))
    return b"".join([orjson.dumps(header), b"\n", *segments])


def _common_directory(urls: Sequence[str]) -> str:
    first, last = min(urls, default=""), max(urls, default="")
    end = next((at for at, letter in enumerate(first) if last[at : at + 1] != letter), len(first))
    return first[: first.rfind("/", 0, end) + 1]


def _row(file: IndexFile, prefix: int) -> list[Any]:
    """Turn a file into its row, without the nothing at its end and without repeating its name in its URL."""
    url = file.url[prefix:]
    if url.endswith("/" + file.filename) or url == file.filename:
        url = url[: -len(file.filename)]
    else:
        url = _LITERAL + file.url
    hashes = file.hashes
    is_plain = len(hashes) == 1 and hashes[0].startswith("sha256:")
    row = [file.filename, url, hashes[0][7:] if is_plain else hashes, *file[3:]]
    while row[-1] is None:
        row.pop()
    return row


class Page:
    """A digested page, opened; groups are decoded when they are asked for.

    ``passed_over`` are the files of an index page whose version is none.
    """

    __slots__ = ("_blob", "_groups", "_prefix", "_versions", "passed_over")

    def __init__(self, blob: bytes) -> None:
        """Open a digest; raises `ValueError` for one of another format."""
        import orjson

        end = blob.find(b"\n") + 1
        if not blob.startswith(b"[%d," % FORMAT) or not end:
            raise ValueError("not a digested page of this format")
        _, self._prefix, groups, versions, passed_over = orjson.loads(blob[:end])
        self._versions: list[str] = versions
        self.passed_over: list[str] = passed_over
        self._blob = blob
        self._groups: dict[str, tuple[int, int]] = {}
        for key, length in groups:
            self._groups[key] = (end, end + length)
            end += length

    @property
    def keys(self) -> tuple[str, ...]:
        """The groups' keys (`public_key`s, or project names), in the page's order."""
        return tuple(self._groups)

    @property
    def versions(self) -> list[str]:
        """The `version_key`s of an index page, local labels included, the lowest first."""
        return self._versions

    def group(self, key: str) -> tuple[IndexFile, ...]:
        """The files of one version (or project), in the page's order; none for an unknown one."""
        if key not in self._groups:
            return ()
        import orjson

        start, end = self._groups[key]
        return tuple([self._file(row) for row in orjson.loads(self._blob[start:end])])

    def candidates(self, key: str, hashes: Collection[str]) -> tuple[IndexFile, ...]:  # noqa: ARG002
        """The files of a version among which those with `hashes` are, if the page has them."""
        return self.group(key)

    def files(self) -> tuple[IndexFile, ...]:
        """Every file, grouped."""
        return tuple([file for key in self._groups for file in self.group(key)])

    def _file(self, row: list[Any]) -> IndexFile:
        filename, url, hashes = row[:3]
        full = url[1:] if url.startswith(_LITERAL) else f"{self._prefix}{url}{filename}"
        return IndexFile(
            filename,
            full,
            ("sha256:" + hashes,) if isinstance(hashes, str) else tuple(hashes),
            *row[3:],
        )
