"""The question that a sync asks, as one digest: which lock, for which interpreter, under which options.

The answer (a manifest) is remembered in the index under this key, so that a lock is parsed and selected once. Only
locks whose every pin carries hashes are remembered: their answer cannot depend on what an index says today.
"""

from __future__ import annotations

import os

from blake3 import blake3

from wheelstore.materialize.manifest import bytecode_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelstore.cli.request import AddRequest, SyncRequest, VenvRequest
    from wheelstore.materialize.environment import State

_VERSION = "3"  # of what a key covers and of how a lock is read; changing it forgets every answer


class LockFile:
    """A lock's path and bytes, read once and used for the key and for parsing alike."""

    __slots__ = ("_fingerprint", "content", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "rb") as stream:
            self.content = stream.read()
        self._fingerprint: bytes | None = None

    @property
    def fingerprint(self) -> bytes:
        """The digest of the lock's bytes, and of where it is if that has a say in what it means."""
        if self._fingerprint is None:
            directory, name = os.path.split(self.path)
            words = f"{name}\n{directory if self.depends_on_place else ''}\n"
            digest = blake3(words.encode("utf-8", "surrogateescape"))
            self._fingerprint = digest.update(self.content).digest()
        return self._fingerprint

    @property
    def depends_on_environment(self) -> bool:
        """Whether ``${NAMES}`` are expanded in it, which a key does not cover."""
        return b"${" in self.content

    @property
    def depends_on_place(self) -> bool:
        """Whether it may name other files (option lines start a line; PEP 751 has paths), so its directory matters."""
        return (
            self.content.startswith(b"-") or b"\n-" in self.content or b"./" in self.content or b"path" in self.content
        )


def answer_key(locks: Iterable[LockFile], *, identity: str, require_hashes: bool, bytecode: str = "") -> str:
    """The digest of everything that decides which wheels `locks` mean, and of which `bytecode` there is to be."""
    option = f"\nbytecode={bytecode}" if bytecode else ""
    digest = blake3(f"{_VERSION}\n{identity}\n{require_hashes}{option}".encode())
    for lock in locks:
        digest.update(lock.fingerprint)
    return digest.hexdigest()


def wanted_bytecode(request: SyncRequest, state: State | None) -> str:
    """For which optimisation levels an environment is to have bytecode (`manifest.bytecode_word`).

    What it has, unless the request says something else. A layered one cannot make any later, so it has some.
    """
    if request.compile_bytecode is False:
        return ""
    kept = "" if state is None or request.clear else state.bytecode
    becomes_layered = request.link_mode == "layered" and (state is None or state.mode != "layered")
    return asked_bytecode(request) if request.optimize else kept or asked_bytecode(request, unsaid=becomes_layered)


def asked_bytecode(request: SyncRequest | VenvRequest | AddRequest, *, unsaid: bool = False) -> str:
    """For which levels the request itself asks for bytecode; `unsaid` is what it means by not saying anything."""
    is_asked = unsaid or bool(request.optimize) if request.compile_bytecode is None else request.compile_bytecode
    return bytecode_word(request.optimize or (0,)) if is_asked else ""


def pack_inputs(inputs: Iterable[tuple[str, str]]) -> str:
    """Further files that a lock reads, with their sha256, as one line of text."""
    return "\x1e".join(f"{path}\x1f{digest}" for path, digest in inputs)


def inputs_hold(packed: str) -> bool:
    """Whether the files of `pack_inputs` still have the content they had."""
    if not packed:
        return True
    from hashlib import sha256

    for item in packed.split("\x1e"):
        path, _, digest = item.partition("\x1f")
        try:
            with open(path, "rb") as stream:
                if sha256(stream.read()).hexdigest() != digest:
                    return False
        except OSError:
            return False
    return True
