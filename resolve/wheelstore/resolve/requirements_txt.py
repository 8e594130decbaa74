"""Locks in pip's requirements format: files in, pins out.

The common line (`name==1.2.3 ; marker` with hashes on continuation lines) is taken by one regular
expression over the text: 100 pins with 7,000 hashes in 10 ms. Everything else, and every error, goes the
long way through `requirements_lines`; both give equal results.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wheelstore.resolve.pins import LockError, LockInput, Pin, Position, checked_hash, normalize
from wheelstore.resolve.pylock import is_pylock
from wheelstore.resolve.references import BadReference, parse_extras, path_of
from wheelstore.resolve.requirement import (
    BadRequirement,
    Requirement,
    parse_marker,
    parse_requirement,
)
from wheelstore.resolve.requirements_lines import (
    LINE_ENDS,
    LogicalLine,
    Variables,
    decode,
    split_options,
    take_line,
)
from wheelstore.resolve.requirements_options import (
    FORMAT_OPTIONS,
    REQUIREMENT_OPTIONS,
    BadOption,
    Option,
    OptionsSoFar,
    parse_options,
)

STDIN = "<stdin>"

_SKIPPED = re.compile(f"(?:[ \t]*(?:#[^{LINE_ENDS}]*)?\r?\n)*")
_HASH = r"sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})"
_HASHES = re.compile(r"sha\d{3}:[0-9a-f]+")
# No $ (a variable), no # (a comment) and no backslash (a continuation) but before a hash: those, and
# every character that is not plain ASCII, go the long way.
_COMMON = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
    r"(?:\[(?P<extras>[A-Za-z0-9._-]+(?:, *[A-Za-z0-9._-]+)*)\])?"
    r" ?== ?(?P<version>[0-9][A-Za-z0-9.!+]*)"
    r"(?: *; *(?P<marker>[A-Za-z(\"'][ !\"%-\[\]-~]*?))?"
    rf"(?P<hashes>(?: +(?:\\\r?\n *)?--hash={_HASH})*)"
    r" *(?: #[^\\\x00-\x08\x0a-\x1f\x7f-\uffff]*)?(?:\r?\n|\Z)"
)
_EDITABLE = re.compile(r"(?:-e\s*|--editable(?:\s*=\s*|\s+))(?=[^\s=])")
_REMOTE = re.compile(r"https?:", re.IGNORECASE)
_ENCODING_HINT = "a first line '# -*- coding: latin-1 -*-' names another encoding"


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The file being read: its name in messages, where its includes start, what includes it."""

    name: str
    directory: Path
    chain: tuple[str, ...]
    constraint: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A logical line on its way: expanded, with the options behind its requirement."""

    file: _File
    source: LogicalLine
    options: tuple[Option, ...] = ()

    @property
    def position(self) -> Position:
        return Position(self.file.name, self.source.number)


class RequirementsReader:
    """Reads requirements files as pip would be given them, one after the other.

    What they say collects on the attributes: `pins`, the lines that are none (`unpinned`), the
    `constraints`, the `options`, all `inputs` in order, and every error.

    Args:
        variables: expands `${NAME}`.
        directory: where relative paths of requirements start (pip: the current directory), unlike those
            of `-r` and `-c`, which start at the file that says them.
    """

    def __init__(self, *, variables: Variables, directory: Path) -> None:
        self.pins: list[Pin] = []
        self.unpinned: list[Requirement] = []
        self.constraints: list[Requirement] = []
        self.options = OptionsSoFar()
        self.inputs: list[LockInput] = []
        self.errors: list[LockError] = []
        self.hashed: Position | None = None  # the first line with a --hash: from then on, all need one
        self._variables = variables
        self._directory = directory

    def read(self, path: Path) -> None:
        """Read the file at `path` and what it includes."""
        data = self.load(path)
        if data is not None:
            chain = (os.path.abspath(path),)
            file = _File(name=str(path), directory=path.parent, chain=chain, constraint=False)
            self._read_text(data, file)

    def read_stdin(self, data: bytes) -> None:
        """Read what came on standard input; its includes start at the reader's directory."""
        self._record(Path("-"), data)
        file = _File(name=STDIN, directory=self._directory, chain=(STDIN,), constraint=False)
        self._read_text(data, file)

    def load(self, path: Path) -> bytes | None:
        """Return a file's bytes and note it among the inputs; None (and an error) if it cannot be read."""
        try:
            data = path.read_bytes()
        except OSError as error:
            self._fail(Position(str(path)), f"cannot be read: {error.strerror or error}")
            return None
        self._record(path, data)
        return data

    def _fail(self, position: Position, message: str, hint: str | None = None) -> None:
        self.errors.append(LockError(position, self._variables.conceal(message), hint))

    def _record(self, path: Path, data: bytes) -> None:
        from hashlib import sha256

        entry = LockInput(path=path, sha256=sha256(data).hexdigest())
        if entry not in self.inputs:
            self.inputs.append(entry)

    def _read_text(self, data: bytes, file: _File) -> None:
        try:
            text = decode(data)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._fail(Position(file.name, line), f"cannot be decoded: {error}", _ENCODING_HINT)
            return
        except ValueError as error:
            self._fail(Position(file.name, 1), f"cannot be decoded: {error}")
            return
        self._take_lines(text, file)

    def _take_lines(self, text: str, file: _File) -> None:
        end, number = 0, 1
        while True:
            skipped = _SKIPPED.match(text, end)
            assert skipped is not None  # it matches nothing, too
            start, end = end, skipped.end()
            number += text.count("\n", start, end)
            if end == len(text):
                return
            common = _COMMON.match(text, end)
            if common is not None and self._take_common(common, Position(file.name, number), file):
                start, end = end, common.end()
                number += text.count("\n", start, end)
            else:
                line, end = take_line(text, end, number)
                number += len(line.physical)
                if line.text:
                    self._take(_Line(file=file, source=line))

    # The common line

    def _take_common(self, match: re.Match[str], position: Position, file: _File) -> bool:
        """Take a line that `_COMMON` matched, or leave it to the long way (and its messages)."""
        from packaging.version import InvalidVersion, Version

        name, extras, version, marker, hashes = match.groups()
        if marker and " -" in marker:  # begins the options, wherever it stands
            return False
        try:
            pin = Pin(
                name=normalize(name),
                version=Version(version),
                extras=parse_extras(extras) if extras else frozenset(),
                marker=parse_marker(marker) if marker else None,
                hashes=tuple(sorted(set(_HASHES.findall(hashes)))) if hashes else (),
                position=position,
            )
        except (InvalidVersion, BadRequirement):
            return False
        if file.constraint:
            if extras:
                return False
            self._keep(Requirement(pin=pin, text=f"{name}=={version}"), file)
        else:
            self.pins.append(pin)
        if hashes and self.hashed is None:
            self.hashed = position
        return True

    # The long way

    def _take(self, line: _Line) -> None:
        text = self._variables.expand(line.source.text)
        editable = _EDITABLE.match(text)
        try:
            requirement, option_text = split_options(text[editable.end() :] if editable else text)
            options, words = parse_options(option_text)
            if words:
                raise BadOption(f"unexpected {words[0]!r} behind {option_text.split()[0]}", words[0])
            line = _Line(file=line.file, source=line.source, options=tuple(options))
            if requirement:
                self._take_requirement(requirement, line, editable=editable is not None)
            else:
                self._take_options(line)
        except BadOption as error:
            word = self._variables.conceal(error.word)
            at = Position(line.file.name, line.source.line_of(word))
            self._fail(at, str(error), error.hint)
        except BadRequirement as error:
            self._fail(line.position, str(error), error.hint)

    def _take_requirement(self, text: str, line: _Line, *, editable: bool) -> None:
        for option in line.options:
            if option.name in FORMAT_OPTIONS:
                self.options.add(option.name, option.value)
            elif option.name not in REQUIREMENT_OPTIONS:
                raise BadOption(f"--{option.name} has to stand on a line of its own", option.written)
        if editable:
            text = _unquoted(text)
            if line.file.constraint:
                raise BadRequirement("a constraint cannot be editable")
        requirement = parse_requirement(
            text,
            directory=self._directory,
            editable=editable,
            hashes=self._hashes(line),
            config_settings=_config_settings(line.options),
            position=line.position,
        )
        if line.file.constraint and requirement.pin.extras:
            raise BadRequirement("a constraint cannot have extras")
        self._keep(requirement, line.file)

    def _keep(self, requirement: Requirement, file: _File) -> None:
        for path in requirement.read:
            self._record(path, path.read_bytes())
        if file.constraint:
            self.constraints.append(requirement)
        elif requirement.settles:
            self.pins.append(requirement.pin)
        else:
            self.unpinned.append(requirement)

    def _hashes(self, line: _Line) -> list[str]:
        hashes: list[str] = []
        for option in line.options:
            if option.name != "hash":
                continue
            self.hashed = self.hashed or line.position
            algorithm, colon, digest = option.value.partition(":")
            try:
                if not colon:
                    raise ValueError(f"{option.value!r} is no hash: write --hash=sha256:DIGEST")
                hashes.append(checked_hash(algorithm, digest))
            except ValueError as error:
                at = line.source.line_of(option.written)
                self._fail(Position(line.file.name, at), str(error))
        return hashes

    def _take_options(self, line: _Line) -> None:
        for option in line.options:
            match option.name:
                case "requirement":
                    self._include(option.value, line, constraint=False)
                case "constraint":
                    self._include(option.value, line, constraint=True)
                case "editable":
                    rest = tuple(each for each in line.options if each is not option)
                    alone = _Line(file=line.file, source=line.source, options=rest)
                    self._take_requirement(option.value, alone, editable=True)
                    return
                case "find-links":
                    self.options.add("find-links", _beside(option.value, line.file.directory))
                case name if name in REQUIREMENT_OPTIONS:
                    raise BadOption(
                        f"--{name} belongs to no requirement (a comment line ends the line above it)",
                        option.written,
                    )
                case name:
                    self.options.add(name, option.value)

    def _include(self, target: str, line: _Line, *, constraint: bool) -> None:
        spelled = f"{'-c' if constraint else '-r'} {target}"
        if _REMOTE.match(target):
            self._fail(line.position, f"{spelled}: a file at a URL is not read; download it first")
            return
        try:
            local = path_of(target) if target.lower().startswith("file:") else target
        except BadReference as error:
            self._fail(line.position, f"{spelled}: {error}")
            return
        path = Path(os.path.normpath(line.file.directory / local))
        resolved = os.path.abspath(path)
        if is_pylock(path.name):
            self._fail(line.position, f"{spelled}: a pylock.toml cannot be included")
        elif resolved in line.file.chain:
            self._fail(line.position, f"{spelled}: the file includes itself")
        else:
            try:
                data = path.read_bytes()
            except OSError as error:
                self._fail(line.position, f"{spelled}: {error.strerror or error}")
                return
            chain = (*line.file.chain, resolved)
            file = _File(name=str(path), directory=path.parent, chain=chain, constraint=constraint)
            self._record(path, data)
            self._read_text(data, file)


def _unquoted(text: str) -> str:
    """Return what stands behind `-e` without the shell's quotes around the reference."""
    quote = text[0]
    end = text.find(quote, 1) if quote in "'\"" else -1
    return text[1:end] + text[end + 1 :] if end > 0 else text


def _beside(location: str, directory: Path) -> str:
    """Return a find-links path relative to its file where that exists, as pip does."""
    beside = directory / location
    return str(beside) if "://" not in location and beside.exists() else location


def _config_settings(options: Iterable[Option]) -> tuple[tuple[str, str], ...]:
    settings: list[tuple[str, str]] = []
    for option in options:
        if option.name == "config-settings":
            key, equals, value = option.value.partition("=")
            if not equals:
                raise BadOption(f"--config-settings wants KEY=VALUE, not {option.value!r}", option.written)
            settings.append((key, value))
    return tuple(settings)
