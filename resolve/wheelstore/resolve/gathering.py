"""Collect a pin's files from the locations that may answer for it, and explain when there are none."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from wheelstore.resolve.candidates import of_version
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.facts import KnownFile
from wheelstore.resolve.filenames import public_key
from wheelstore.resolve.indexes import Answer, Indexes, Strategy
from wheelstore.resolve.pins import Pin
from wheelstore.resolve.selection_errors import NoMatchingVersion, NoSuchProject, PinRefused
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.target import Target


@dataclass(slots=True)
class Found:
    """What was gathered for one pin: files of its version, and the locations that have its project."""

    files: list[KnownFile] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


def gather(pin: Pin, indexes: Indexes, target: Target) -> Found:
    """Collect the files of the pin's version, from as many locations as may and need to answer.

    With hashes, location after location is asked until every hash has been found, because a hash says which
    file is meant wherever it is; without, as far as the options' strategy goes. A local file without a known
    hash is read for it, if the pin has hashes and the file could be chosen.
    """
    found = Found()
    key = public_key(str(pin.version)) or ""
    missing = set(pin.hashes)
    for answer in indexes.search(pin.name, index=pin.index):
        files = of_version(pin, answer.page.candidates(key, pin.hashes))
        if pin.hashes:
            files = [_hashed(file, indexes, target) for file in files]
            missing.difference_update(text for file in files for text in file.hashes)
        found.files += [KnownFile(file, answer.location) for file in files]
        found.answers.append(answer)
        is_last = not missing if pin.hashes else _is_last(answer, indexes, has_version=bool(files))
        if is_last:
            break
    found.files = merged(found.files)
    return found


def absence(pin: Pin, indexes: Indexes, found: Found) -> PinRefused:
    """Explain that nothing was gathered; looks whether indexes that were not asked have the version."""
    if not found.answers:
        return NoSuchProject(pin, indexes.sources)
    key = public_key(str(pin.version)) or ""
    asked = [answer.location for answer in found.answers]
    elsewhere: list[str] = []
    with suppress(ResolveError):  # what goes wrong further on is not what went wrong
        elsewhere.extend(
            answer.location
            for answer in indexes.search(pin.name, index=pin.index)
            if answer.location not in asked and of_version(pin, answer.page.group(key))
        )
    versions = {version for answer in found.answers for version in answer.page.keys}
    return NoMatchingVersion(pin, _newest_first(versions), asked, elsewhere)


def merged(files: Iterable[KnownFile]) -> list[KnownFile]:
    """Keep one of each file that several locations have: the first, with what only a later one tells of it."""
    kept: dict[tuple[str, str | None], KnownFile] = {}
    for number, (file, source) in enumerate(files):
        key = file.filename, file.sha256 or str(number)
        first = kept.get(key)
        if first is None:
            kept[key] = KnownFile(file, source)
        else:
            size = file.size if first.file.size is None else first.file.size
            requires = first.file.requires_python or file.requires_python
            kept[key] = first._replace(file=first.file._replace(size=size, requires_python=requires))
    return list(kept.values())


def _is_last(answer: Answer, indexes: Indexes, *, has_version: bool) -> bool:
    strategy = indexes.options.strategy
    if not answer.is_index or strategy is Strategy.BEST_MATCH:
        return False
    return has_version or strategy is Strategy.FIRST_INDEX


def _hashed(file: IndexFile, indexes: Indexes, target: Target) -> IndexFile:
    return indexes.hashed(file) if target.rank(file.filename) is not None else file


def _newest_first(versions: Iterable[str]) -> list[str]:
    from packaging.version import Version

    return sorted(versions, key=Version, reverse=True)
