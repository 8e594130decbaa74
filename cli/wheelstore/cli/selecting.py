"""Choose wheels for pins, and say what about them deserves a warning."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urldefrag

from wheelstore.cli.console import Console
from wheelstore.cli.fetching import local_hashes
from wheelstore.cli.locks import Meaning
from wheelstore.cli.sources import Sources
from wheelstore.materialize.distribution import Installed
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.filenames import project_name, split_wheel, version_key
from wheelstore.resolve.links import filename_of
from wheelstore.resolve.pins import (
    IndexSource,
    PathSource,
    Pin,
    Position,
    Source,
    UrlSource,
    checked_hash,
    hide_credentials,
)
from wheelstore.resolve.selection import Known, Selected, select
from wheelstore.resolve.selection_errors import SelectionFailed
from wheelstore.resolve.target import Target
from wheelstore.store.index import Index, WheelRow, open_index


class NotAWheel(ResolveError):
    """What was named is a file of another kind, or has a name that no wheel has."""

    hint = "a wheel is named NAME-VERSION-PYTHON-ABI-PLATFORM.whl; what is not built yet has to be built first"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"{hide_credentials(self.name)} is not a wheel"


def select_wheels(
    meaning: Meaning, interpreter: Interpreter, sources: Sources, *, index: Index, console: Console
) -> tuple[Selected, ...]:
    """The wheel that each pin of `meaning` means for `interpreter`, in the pins' order.

    Raises:
        SelectionFailed: with every problem.
    """
    console.detail(f"Looking in {', '.join(sources.indexes.sources) or 'no index'}")
    selected = local_hashes(_select(meaning, interpreter, sources, index))
    for one in selected:
        if one.yanked is not None:
            reason = f" ({one.yanked})" if one.yanked else ""
            console.warn(f"{one.pin.spelling} is yanked{reason}")
        console.detail(f"Selected {one.filename}")
    return selected


def _select(meaning: Meaning, interpreter: Interpreter, sources: Sources, index: Index) -> tuple[Selected, ...]:
    target, known, options = Target.of(interpreter), known_in(index.path), meaning.lock.options
    if sources.stored is not None:
        with suppress(SelectionFailed):
            return select(meaning.pins, target, sources.stored, known=known, formats=options)
    return select(meaning.pins, target, sources.indexes, known=known, formats=options)


def known_in(path: str) -> Known:
    """What the index at `path` has; it may be asked from any thread, unlike an open one."""

    def known(sha256s: Collection[str]) -> Mapping[str, str]:
        with open_index(path) as index:
            return index.filenames(list(sha256s))

    return known


def installations(selected: Sequence[Selected], rows: Sequence[WheelRow]) -> list[Installed]:
    """The selected wheels, of which `rows` are in the store, as an environment is to hold them."""
    return [Installed(wheel=row, direct_url=_direct_url(one.pin, row)) for one, row in zip(selected, rows, strict=True)]


def _direct_url(pin: Pin, row: WheelRow) -> str | None:
    """The text of direct_url.json (PEP 610) for a pin that names a URL or a path; credentials are left out."""
    if isinstance(pin.source, IndexSource):
        return None
    url = pin.source.path.absolute().as_uri() if isinstance(pin.source, PathSource) else ""
    if isinstance(pin.source, UrlSource):
        url = hide_credentials(pin.source.url)
    archive = {"hash": f"sha256={row.sha256}", "hashes": {"sha256": row.sha256}}
    return json.dumps({"archive_info": archive, "url": url}, sort_keys=True)


def wheel_file(path: str) -> Selected:
    """The wheel that is a file on this machine, with the hash that it has.

    Raises:
        NotAWheel: its name is not a wheel's.
        OSError: it cannot be read.
    """
    absolute = Path(os.path.abspath(path))
    pin = _pin(absolute.name, PathSource(path=absolute), path)
    return local_hashes([Selected(pin=pin, filename=absolute.name, url=absolute.as_uri(), sha256=None)])[0]


def wheel_url(given: str) -> Selected:
    """The wheel at a URL, whose fragment may say what hash it has (``#sha256=…``).

    Raises:
        NotAWheel: its name is not a wheel's.
    """
    url, fragment = urldefrag(given)
    algorithm, _, digest = fragment.partition("&")[0].partition("=")
    try:
        hashes = (checked_hash(algorithm, unquote(digest)),) if digest and algorithm != "egg" else ()
    except ValueError as error:
        raise BadHash(given, str(error)) from None
    pin = _pin(filename_of(url), UrlSource(url=url), given, hashes)
    sha256 = next((text[7:] for text in hashes if text.startswith("sha256:")), None)
    return local_hashes([Selected(pin=pin, filename=filename_of(url), url=url, sha256=sha256)])[0]


class BadHash(ResolveError):
    """The fragment of a URL says a hash that is none."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"{hide_credentials(self.url)}: {self.reason}"


def _pin(filename: str, source: Source, given: str, hashes: tuple[str, ...] = ()) -> Pin:
    from packaging.version import Version

    wheel = split_wheel(filename)
    if wheel is None or version_key(wheel.version) is None:
        raise NotAWheel(given)
    return Pin(
        name=project_name(wheel.name),  # type: ignore[arg-type]
        version=Version(wheel.version),
        hashes=hashes,
        source=source,
        position=Position(hide_credentials(given)),
    )
