"""What a Python is: the facts that decide what an environment for it holds, asked once and remembered.

On the warm path, so plainer than its neighbours: no dataclass, no `typing`, no `json` (importing those takes 8, 4
and 3 ms here, a remembered answer 0.05 ms). `probe` is imported when a Python has to be started.
"""

from __future__ import annotations

import os
import sys

from wheelstore.store.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol
else:
    Protocol = object

OLDEST = (3, 8)
"""The oldest Python that environments are made for."""

_FORMAT = "interpreter 1"
_KERNEL = ("platform_release", "platform_version")
_FACTS: dict[str, type] = {
    "executable": str,
    "version": str,
    "implementation": str,
    "markers": dict,
    "cache_tag": str,
    "magic": str,
    "platform": str,
    "libc": str,
    "mac_version": str,
    "pointer_bits": int,
    "ext_suffix": str,
    "soabi": str,
    "debug": bool,
    "gil_disabled": bool,
    "prefix": str,
    "stdlib": str,
    "wheel_pkg_dir": str,
    "purelib": str,
    "platlib": str,
    "scripts": str,
    "data": str,
    "include": str,
}


class InterpreterFailed(StoreError):
    """An executable that should be a Python cannot be started, or does not answer like one."""

    hint = "name another Python with --python"

    def __init__(self, executable: str, reason: str) -> None:
        super().__init__(executable, reason)
        self.executable, self.reason = executable, reason

    def __str__(self) -> str:
        return f"{self.executable} {self.reason}"


class InterpreterTooOld(InterpreterFailed):
    """It is a Python, but one that environments are not made for."""

    def __init__(self, executable: str, version: str) -> None:
        super().__init__(executable, f"is Python {version}; {OLDEST[0]}.{OLDEST[1]} or newer is needed")
        self.version = version


class Memory(Protocol):
    """Where answers are kept between commands; a lost one is asked again."""

    def recall(self, key: str) -> bytes | None:
        """What was last remembered under a key."""

    def remember(self, key: str, value: bytes) -> None:
        """Keep a value, in the place of what the key had before."""


class Interpreter:
    """One Python outside any environment. Immutable; equal when every fact is.

    Raises:
        TypeError: a fact is missing, unknown or of another type.
    """

    __slots__ = (*_FACTS, "_identity")

    executable: str
    """Absolute path, by the name that stays across patch releases; never an environment's."""
    version: str
    """``platform.python_version()``: ``3.12.1``, ``3.14.0rc1``."""
    implementation: str
    """``sys.implementation.name``."""
    markers: Mapping[str, str]
    """The PEP 508 environment, without ``extra``."""
    cache_tag: str
    """What names its bytecode, ``cpython-312``."""
    magic: str
    """The bytecode's magic number, in hex."""
    platform: str
    """``sysconfig.get_platform()``."""
    libc: str
    """``glibc 2.36``, ``musl 1.2`` or nothing."""
    mac_version: str
    """``platform.mac_ver()[0]``; nothing elsewhere."""
    pointer_bits: int
    """32 or 64."""
    ext_suffix: str
    """How extension modules end, ``.cpython-312-x86_64-linux-gnu.so``."""
    soabi: str
    """``SOABI``, or nothing where the build has none (Windows)."""
    debug: bool
    """Whether this is a debug build (``Py_DEBUG``)."""
    gil_disabled: bool
    """Whether this is a free-threaded build (``Py_GIL_DISABLED``)."""
    prefix: str
    """``sys.base_prefix``."""
    stdlib: str
    """The standard library's directory."""
    wheel_pkg_dir: str
    """Where a distribution keeps ensurepip's wheels, if not in the standard library."""
    purelib: str
    """Like the next four: where an environment keeps this kind, relative to its prefix, with ``/``."""
    platlib: str
    scripts: str
    data: str
    include: str
    """Where pip puts headers in a venv (``sysconfig`` has no answer of its own there)."""

    _identity: str

    def __init__(self, **facts: object) -> None:
        if facts.keys() != _FACTS.keys():
            raise TypeError(f"not the facts of a Python: {sorted(facts.keys() ^ _FACTS.keys())}")
        for name, kind in _FACTS.items():
            if type(facts[name]) is not kind:
                raise TypeError(f"{name} is {facts[name]!r}, not of type {kind.__name__}")
            object.__setattr__(self, name, facts[name])
        object.__setattr__(self, "_identity", "")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an Interpreter does not change: {name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Interpreter):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FACTS)

    def __hash__(self) -> int:
        return hash((self.executable, self.version, self.platform, self.libc))

    def __repr__(self) -> str:
        return f"<{self.implementation} {self.version} at {self.executable}>"

    def __reduce__(self) -> tuple[object, ...]:
        return Interpreter.from_bytes, (self.to_bytes(),)

    @property
    def identity(self) -> str:
        """A digest of every fact that decides what an environment holds.

        Not of `kernel`: only a lock that asks for it (``platform_release``, ``platform_version``) depends on that,
        and no other environment is another one after an update of the system.
        """
        if not self._identity:
            from hashlib import sha256

            facts = dict(self._flat())
            for name in _KERNEL:
                facts.pop(f"markers.{name}", None)
            facts["mac_version"] = _mac_generation(self.mac_version)
            text = "\0".join([_FORMAT, *(part for pair in facts.items() for part in pair)])
            digest = sha256(text.encode("utf-8", "surrogatepass"))
            object.__setattr__(self, "_identity", digest.hexdigest())
        return self._identity

    @property
    def kernel(self) -> str:
        """The markers that `identity` leaves out."""
        return "\0".join(self.markers.get(name, "") for name in _KERNEL)

    @property
    def windows(self) -> bool:
        """Whether environments have the Windows layout."""
        return self.markers.get("os_name") == "nt"

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    def _flat(self) -> list[tuple[str, str]]:
        """Every fact as (name, text), in one order."""
        pairs = []
        for name, kind in _FACTS.items():
            value = getattr(self, name)
            if kind is dict:
                pairs += [(f"{name}.{key}", value[key]) for key in sorted(value)]
            else:
                pairs.append((name, value if kind is str else str(int(value))))
        return pairs

    def to_bytes(self) -> bytes:
        """Write all of it down; no fact holds a NUL, so that is what separates them."""
        parts = [part for pair in self._flat() for part in pair]
        return "\0".join([_FORMAT, self.identity, *parts]).encode("utf-8", "surrogatepass")

    @classmethod
    def from_bytes(cls, data: bytes) -> Interpreter:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: this is something else, or another version wrote it.
        """
        form, identity, *parts = data.decode("utf-8", "surrogatepass").split("\0")
        if form != _FORMAT or len(parts) % 2:
            raise ValueError("not a description of a Python")
        markers: dict[str, str] = {}
        facts: dict[str, object] = {"markers": markers}
        try:
            for name, text in zip(parts[::2], parts[1::2], strict=True):
                kind = _FACTS.get(name, str)
                if name.startswith("markers."):
                    markers[name[len("markers.") :]] = text
                else:
                    facts[name] = text if kind is str else kind(int(text))
            found = cls(**facts)
        except TypeError as error:
            raise ValueError(str(error)) from None
        object.__setattr__(found, "_identity", identity)
        return found


def _mac_generation(release: str) -> str:
    """As much of a macOS release as wheel tags know: since 11, only the first number."""
    major, _, minor = release.partition(".")
    return major if major.isdigit() and int(major) >= 11 else f"{major}.{minor.partition('.')[0]}"


def stamp(executable: str) -> str:
    """What changes when the binary does, or the system under it (kernel, C library); one ``stat``.

    Raises:
        InterpreterFailed: there is no such file.
    """
    try:
        status = os.stat(executable)
    except OSError as error:
        raise InterpreterFailed(executable, cannot_start(error)) from None
    file = f"{status.st_dev:x}.{status.st_ino:x}.{status.st_size:x}.{status.st_mtime_ns:x}"
    return f"{file} {_system()}"


def _system() -> str:
    """Name the running kernel and C library: a remembered answer must not outlive their update, nor travel."""
    if sys.platform == "win32":
        return str(sys.getwindowsversion())
    kernel = os.uname()
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError):
        libc = ""
    return f"{kernel.sysname} {kernel.release} {kernel.version} {kernel.machine} {libc}"


def ask(executable: str, memory: Memory) -> Interpreter:
    """The facts of a Python (or of the one behind an environment's), from memory if its binary is the same.

    What starts another executable, as pyenv's shims do, is asked every time: its answer depends on more than it.

    Raises:
        InterpreterFailed: as `probe` does.
    """
    executable = os.path.abspath(executable)
    key, now = f"interpreter:{executable}", stamp(executable)
    value = memory.recall(key)
    if value is not None:
        then, _, description = value.partition(b"\n")
        if then == now.encode():
            try:
                return Interpreter.from_bytes(description)
            except ValueError:
                pass  # another version of wheelstore remembered it
    from wheelstore.materialize.probe import probe_running

    interpreter, running = probe_running(executable)
    if _same_file(running, executable):
        memory.remember(key, now.encode() + b"\n" + interpreter.to_bytes())
    return interpreter


def cannot_start(error: Exception) -> str:
    """Say what the system said about an executable, as the end of a sentence that begins with its name."""
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, IsADirectoryError):
        return "is a directory"
    if isinstance(error, PermissionError):
        return "is not executable"
    return f"cannot be started: {getattr(error, 'strerror', None) or error}"


def _same_file(left: str, right: str) -> bool:
    try:
        return os.path.samefile(left, right)
    except OSError:
        return False
