"""JSON pages as they were served, for the first time that they are needed: read only as far as the question goes.

A lock with hashes asks a page of 300 files for two of them. Digesting all (`pages`) takes 13 µs a file, 0.4 s for the
29,800 files of jupyter's 96 projects; looking through their hashes takes 0.1 µs a file. So a page is kept compressed
as it came, and digested by the next run that needs it again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from isal import isal_zlib

from wheelstore.resolve.filenames import public_key, version_of
from wheelstore.resolve.pages import ascending, digest_by_version, unversioned
from wheelstore.resolve.simple import IndexFile, json_entries, json_file, parse_page

InflateError: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub calls it an instance

_MARK = b"raw-1 "
_JSON = "application/json"


class RawPage:
    """A page of one project; has what `pages.Page` has, and works out each group when it is asked for."""

    __slots__ = ("_entries", "_groups", "_project", "_url")

    def __init__(self, entries: list[Mapping[str, Any]], *, url: str, project: str) -> None:
        self._entries, self._url, self._project = entries, url, project
        self._groups: dict[str, list[Mapping[str, Any]]] | None = None

    @classmethod
    def parse(cls, body: bytes, *, url: str, project: str) -> RawPage:
        """Read a JSON page.

        Raises:
            BadPage: it cannot be read.
        """
        return cls(json_entries(body, url), url=url, project=project)

    @property
    def keys(self) -> tuple[str, ...]:
        """The public versions, in the page's order."""
        return tuple(dict.fromkeys(key for entry in self._entries if (key := self._key(entry)) is not None))

    @property
    def versions(self) -> list[str]:
        """The `version_key`s, local labels included, the lowest first; whoever asks will want many groups."""
        groups: dict[str, list[Mapping[str, Any]]] = {}
        versions = []
        for entry in self._entries:
            version = version_of(entry["filename"], self._project)
            key = public_key(version) if version is not None else None
            if key is not None:
                versions.append(version)
                groups.setdefault(key, []).append(entry)
        self._groups = groups
        return ascending(versions)

    @property
    def passed_over(self) -> list[str]:
        """The files whose version is none."""
        return unversioned((entry["filename"] for entry in self._entries), self._project)

    def group(self, key: str) -> tuple[IndexFile, ...]:
        """The files of one public version, in the page's order."""
        if self._groups is not None:
            return json_file(self._groups.get(key, ()), self._url)
        return json_file([entry for entry in self._entries if self._key(entry) == key], self._url)

    def candidates(self, key: str, hashes: Collection[str]) -> tuple[IndexFile, ...]:
        """Those files of a version that `hashes` name; the whole group, if they name none of it."""
        wanted = {text[7:] for text in hashes if text.startswith("sha256:")}
        if wanted and len(wanted) == len(hashes):
            named = [
                entry for entry in self._entries if entry["hashes"].get("sha256") in wanted and self._key(entry) == key
            ]
            if named:
                return json_file(named, self._url)
        return self.group(key)

    def files(self) -> tuple[IndexFile, ...]:
        """Every file that has a version."""
        return json_file([entry for entry in self._entries if self._key(entry) is not None], self._url)

    def _key(self, entry: Mapping[str, Any]) -> str | None:
        version = version_of(entry["filename"], self._project)
        return public_key(version) if version is not None else None


def pack_raw(body: bytes, *, url: str, project: str) -> bytes:
    """What is kept of a page until it is needed again."""
    return b"%s%s %s\n%s" % (_MARK, project.encode(), url.encode(), isal_zlib.compress(body, 1))


def is_raw(blob: bytes) -> bool:
    """Whether a remembered page was kept by `pack_raw`."""
    return blob.startswith(_MARK)


def digest_raw(blob: bytes) -> bytes:
    """Turn what `pack_raw` kept into a digest for `pages.Page`.

    Raises:
        ValueError: it is damaged.
    """
    head, _, packed = blob.partition(b"\n")
    _, project, url = head.decode().split(" ", 2)
    try:
        body = isal_zlib.decompress(packed)
    except InflateError as error:
        raise ValueError(str(error)) from None
    return digest_by_version(parse_page(body, content_type=_JSON, url=url), project)
