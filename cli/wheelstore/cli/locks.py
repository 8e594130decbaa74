"""The locks that a command is given: their files as they are, and what their meaning depends on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelstore.cli.activating import as_typed
from wheelstore.cli.answers import LockFile, answer_key, pack_inputs
from wheelstore.cli.console import Console
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.lock import Lock, PathSource, Pin, read_lock

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LockUnreadable(ResolveError):
    """The lock file cannot be opened."""

    hint = "name a requirements.txt with == pins, or a pylock.toml"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"cannot read the lock {self.path}: {self.reason}"


class WebPage(ResolveError):
    """What should be a lock is a page of a site that has one."""

    hint = "download the file itself, not the page that shows it"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: is a web page, not a lock"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What locks mean for one interpreter.

    `files` are the locks themselves, none where the answer is not worth remembering; `inputs` are the further files
    that were read, as `answers` packs them.
    """

    lock: Lock
    pins: tuple[Pin, ...]
    files: tuple[LockFile, ...]
    inputs: str
    identity: str
    require_hashes: bool

    def key(self, bytecode: str) -> str:
        """The question that this answers, with the bytecode that there is to be; empty if it is not to be kept."""
        if not self.files:
            return ""
        hashed = self.require_hashes
        return answer_key(self.files, identity=self.identity, require_hashes=hashed, bytecode=bytecode)


@dataclass(frozen=True, slots=True)
class LockFiles:
    """The locks at `paths`, of which one can be ``-``: the `files`, and what is on standard input."""

    paths: tuple[str, ...]
    files: tuple[LockFile, ...]
    stdin: bytes | None

    def meaning(
        self,
        interpreter: Interpreter,
        *,
        environ: Mapping[str, str],
        require_hashes: bool,
        console: Console,
    ) -> Meaning:
        """Read them, as one lock.

        Raises:
            LockError: with every problem found.
        """
        lock = read_lock(
            [Path(path) for path in self.paths], environ=environ, require_hashes=require_hashes, stdin=self.stdin
        )
        pins = lock.for_target(interpreter.markers)
        for warning in lock.warnings:
            console.warn(warning)
        if not pins:
            names = " and ".join(as_typed(path, os.getcwd()) for path in self.paths)
            console.warn(f"{names} pins nothing for Python {interpreter.version}")
        if not self._is_memorable(lock, pins):
            return Meaning(lock, pins, (), "", interpreter.identity, require_hashes)
        # By path, since inputs stand in the order of reading: what the first lock includes comes before the second.
        named = {os.path.abspath(path) for path in self.paths}
        further = (one for one in lock.inputs if os.path.abspath(one.path) not in named)
        inputs = pack_inputs((os.path.abspath(one.path), one.sha256) for one in further)
        return Meaning(lock, pins, self.files, inputs, interpreter.identity, require_hashes)

    def _is_memorable(self, lock: Lock, pins: Sequence[Pin]) -> bool:
        """Whether the files alone decide what they mean: every pin is hashed, and no variable had a say."""
        return (
            bool(pins)
            and self.stdin is None
            and not lock.environment_names
            and all(_is_text(str(one.path)) for one in lock.inputs)
            and all(pin.hashes or (pin.artifacts and all(one.hashes for one in pin.artifacts)) for pin in pins)
            and not any(isinstance(pin.source, PathSource) for pin in pins)
        )


def read_files(paths: Sequence[str]) -> LockFiles:
    """The bytes of the locks at `paths`, as given.

    Raises:
        LockUnreadable, WebPage: one of them is no lock at all.
    """
    absolute = tuple(path if path == "-" else os.path.abspath(path) for path in paths)
    files = tuple(_read_file(path) for path in absolute if path != "-")
    stdin = sys.stdin.buffer.read() if "-" in absolute else None
    for path, content in (*((file.path, file.content) for file in files), ("-", stdin or b"")):
        if content.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] == b"<":
            raise WebPage(path)
    return LockFiles(absolute, files, stdin)


def _read_file(path: str) -> LockFile:
    try:
        return LockFile(path)
    except OSError as error:
        raise LockUnreadable(path, error.strerror or str(error)) from None


def _is_text(path: str) -> bool:
    """Whether a path can be written down as UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
