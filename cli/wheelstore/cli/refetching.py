"""Download wheels again that the store has had: from where they came, or from where an index has them now."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from wheelstore.cli.sources import Sources
from wheelstore.resolve.downloads import Downloads, Job
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.find_links import local_path
from wheelstore.store.index import WheelRow


class Refetching:
    """Gets wheels by their sha256; whatever sends something else is as good as silent."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def fetch(self, rows: Sequence[WheelRow], directory: str, reasons: list[str]) -> dict[str, str]:
        """Download wheels: where they came from, else where an index has them now. Their paths by sha256."""
        fetched: dict[str, str] = {}
        original = [(row, row.origin) for row in rows if row.origin and _may_be(row.origin)]
        self._download(original, directory, fetched)
        # The first failure ends them all, so each is tried on its own as well.
        alone = dict(original) if len(original) > 1 else {}
        for row in rows:
            if row.sha256 not in fetched and not (
                row in alone and self._download([(row, alone[row])], directory, fetched) is None
            ):
                reason = self._fetch_located(row, directory, fetched)
                if reason:
                    reasons.append(f"{row.filename} cannot be had again: {reason}")
        return fetched

    def _fetch_located(self, row: WheelRow, directory: str, fetched: dict[str, str]) -> str | None:
        """Get one wheel from wherever an index says that it is; why not."""
        try:
            url = self._located(row)
        except ResolveError as error:
            return str(error)
        if url is None:
            return "neither its origin nor an index has it"
        return self._download([(row, url)], directory, fetched)

    def _located(self, row: WheelRow) -> str | None:
        indexes = self._sources.indexes
        indexes.doubt(row.name)
        for answer in indexes.search(row.name):
            for file in answer.page.files():
                if file.filename == row.filename and indexes.hashed(file).sha256 in (row.sha256, None):
                    indexes.flush()
                    return file.url
        return None

    def _download(self, jobs: Iterable[tuple[WheelRow, str]], directory: str, fetched: dict[str, str]) -> str | None:
        """Download what can be; the first reason for what cannot."""
        wheels = [
            Job(
                key=row.sha256,
                url=url,
                target=f"{directory}/{row.sha256}.whl",
                hashes={"sha256": row.sha256},
                size=row.size,
            )
            for row, url in jobs
        ]
        try:
            with Downloads(self._sources.transport, wheels) as downloads:
                for sha256, _ in downloads:
                    fetched[sha256] = f"{directory}/{sha256}.whl"
        except ResolveError as error:
            errors: Sequence[BaseException] = getattr(error, "errors", ()) or (error,)
            return str(errors[0])
        return None


def _may_be(origin: str) -> bool:
    """Whether it is worth to ask for a wheel where it came from: a file that is gone needs no error."""
    path = local_path(origin) if origin.startswith("file:") else None
    return path is None or os.path.exists(path)
