"""Locks in pip's requirements format: files in, pins out.

The common line (`name==1.2.3 ; marker` with hashes on continuation lines) is taken by one regular
expression over the text: 100 pins with 7,000 hashes in 10 ms. Everything else, and every error, goes the
long way through `requirements_lines`; both give equal results.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wheelstore.resolve.pins import LockError, LockInput, Pin, Position, normalize, parse_extras
from wheelstore.resolve.requirements_lines import LINE_ENDS, LogicalLine, Variables, decode, take_line
from wheelstore.resolve.requirements_options import Option, OptionsSoFar

if TYPE_CHECKING:
    from packaging.markers import Marker

    from wheelstore.resolve.requirement import Requirement

STDIN = "<stdin>"

_SKIPPED = re.compile(f"(?:[ \t]*(?:#[^{LINE_ENDS}]*)?\r?\n)*")
_HASH = r"sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})"
_HASHES = re.compile(r"sha\d{3}:[0-9a-f]+")
# No $ (a variable), no # (a comment) and no backslash (a continuation) but before a hash: those, and
# every character that is not plain ASCII, go the long way. No part may match one text in two ways: a line
# of many spaces would take quadratic time.
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_MARK = r"[!\"%-\[\]-~]"
_COMMON = re.compile(
    rf"(?P<name>{_NAME})(?:\[(?P<extras>{_NAME}(?:, *{_NAME})*)\])?"
    r" ?== ?(?P<version>[0-9][A-Za-z0-9.!+]*)"
    rf"(?: *; *(?P<marker>[A-Za-z(\"']{_MARK}*(?: (?!-){_MARK}+)*))?"
    rf"(?P<hashes>(?: +(?:\\\r?\n *)?--hash={_HASH})*)"
    r" *(?: #[\t -\[\]-~]*)?(?:\r?\n|\Z)"
)
_REMOTE = re.compile(r"https?:", re.IGNORECASE)
_ENCODING_HINT = "a first line '# -*- coding: latin-1 -*-' names another encoding"


class FileRead(NamedTuple):
    """The file being read: its name in messages, where its includes start, what includes it."""

    name: str
    directory: Path
    chain: tuple[str, ...]
    constraint: bool


class RequirementsReader:
    """Reads requirements files as pip would be given them, one after the other.

    What they say collects on the attributes: `pins`, the lines that are none (`unpinned`), the
    `constraints`, the `options`, all `inputs` in order, and every error.

    Args:
        variables: expands `${NAME}`.
        directory: where relative paths of requirements start (pip: the current directory), unlike those
            of `-r` and `-c`, which start at the file that says them.
    """

    pinned = True
    """Whether the files are a lock: then the short way is open, and sources have to be pinned and named."""

    constraint = False
    """Whether the files that are read first are constraints."""

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
            self._read_text(data, FileRead(str(path), path.parent, chain, constraint=self.constraint))

    def read_stdin(self, data: bytes) -> None:
        """Read what came on standard input; its includes start at the reader's directory."""
        self._record(Path("-"), data)
        self._read_text(data, FileRead(STDIN, self._directory, (STDIN,), constraint=False))

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
        hint = self._variables.conceal(hint) if hint else None
        self.errors.append(LockError(position, self._variables.conceal(message), hint))

    def _record(self, path: Path, data: bytes) -> None:
        from hashlib import sha256

        entry = LockInput(path=path, sha256=sha256(data).hexdigest())
        if entry not in self.inputs:
            self.inputs.append(entry)

    def _read_text(self, data: bytes, file: FileRead) -> None:
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

    def _take_lines(self, text: str, file: FileRead) -> None:
        end, number = 0, 1
        while True:
            skipped = _SKIPPED.match(text, end)
            assert skipped is not None  # it matches nothing, too
            start, end = end, skipped.end()
            number += text.count("\n", start, end)
            if end == len(text):
                return
            common = _COMMON.match(text, end) if self.pinned else None
            if common is not None and self._take_common(common, Position(file.name, number), file):
                start, end = end, common.end()
                number += text.count("\n", start, end)
            else:
                line, end = take_line(text, end, number)
                number += len(line.physical)
                if line.text:
                    self._take(line, file)

    def _take_common(self, match: re.Match[str], position: Position, file: FileRead) -> bool:
        """Take a line that `_COMMON` matched, or leave it to the long way (and its messages)."""
        from packaging.version import Version

        name, extras, version, marker, hashes = match.groups()
        if file.constraint:
            return False
        try:
            pin = Pin(
                name=normalize(name),
                version=Version(version),
                extras=parse_extras(extras) if extras else frozenset(),
                marker=_marker(marker) if marker else None,
                hashes=tuple(sorted(set(_HASHES.findall(hashes)))) if hashes else (),
                position=position,
            )
        except ValueError:
            return False
        self.pins.append(pin)
        if hashes and self.hashed is None:
            self.hashed = position
        return True

    def _take(self, line: LogicalLine, file: FileRead) -> None:
        """Take any line, the long way."""
        from wheelstore.resolve.statements import parse_statement  # most locks never need it

        position = Position(file.name, line.number)
        statement = parse_statement(
            self._variables.expand(line.text),
            directory=self._directory,
            constraint=file.constraint,
            position=position,
            pinned=self.pinned,
        )
        if statement.hashed and self.hashed is None:
            self.hashed = position
        for flaw in statement.flaws:
            at = line.line_of(self._variables.conceal(flaw.word))
            self._fail(Position(file.name, at), flaw.message, flaw.hint)
        for option in statement.options:
            self._take_option(option, position, file)
        if statement.requirement is not None:
            for path in statement.requirement.read:
                self._record(path, path.read_bytes())
            self._keep(statement.requirement, file)

    def _keep(self, requirement: Requirement, file: FileRead) -> None:
        if file.constraint:
            self.constraints.append(requirement)
        elif requirement.settles:
            self.pins.append(requirement.pin)
        else:
            self.unpinned.append(requirement)

    def _take_option(self, option: Option, position: Position, file: FileRead) -> None:
        match option.name:
            case "requirement" | "constraint":
                self._include(option, position, file)
            case "find-links":
                self.options.add("find-links", _beside(option.value, file.directory))
            case name:
                self.options.add(name, option.value)

    def _include(self, option: Option, position: Position, file: FileRead) -> None:
        from wheelstore.resolve.references import BadReference, path_of

        constraint, target = option.name == "constraint", option.value
        spelled = f"{'-c' if constraint else '-r'} {target}"
        if _REMOTE.match(target):
            self._fail(position, f"{spelled}: a file at a URL is not read, download it first")
            return
        try:
            local = path_of(target) if target.lower().startswith("file:") else target
            path = Path(os.path.normpath(file.directory / local))
            resolved = os.path.abspath(path)
            if resolved in file.chain:
                raise BadReference(f"the file includes itself{_cycle(file.chain, resolved)}")
            if is_pylock(path.name):
                raise BadReference("a pylock.toml cannot be included")
            data = path.read_bytes()
        except (ValueError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            self._fail(position, f"{spelled}: {reason or error}")
            return
        self._record(path, data)
        chain = (*file.chain, resolved)
        self._read_text(data, FileRead(str(path), path.parent, chain, constraint))


def _cycle(chain: tuple[str, ...], first: str) -> str:
    """Return the files of a cycle, if it has more than one."""
    files = [os.path.basename(each) for each in (*chain[chain.index(first) :], first)]
    return f" ({' → '.join(files)})" if len(files) > 2 else ""


def _beside(location: str, directory: Path) -> str:
    """Return a find-links path relative to its file where that exists, as pip does."""
    beside = os.path.join(directory, location)
    return beside if "://" not in location and os.path.exists(beside) else location


def is_pylock(filename: str) -> bool:
    """Tell whether a file of this name is in the other format (PEP 751)."""
    return filename == "pylock.toml" or (filename.startswith("pylock.") and filename.endswith(".toml"))


def _marker(text: str) -> Marker:
    from wheelstore.resolve.coverage import parse_marker

    return parse_marker(text)
