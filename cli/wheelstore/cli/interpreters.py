"""Which interpreter a command means: `--python`, else the environment's own, else the first on the PATH.

On the warm path.
"""

from __future__ import annotations

import os
import sys

from wheelstore.materialize.discovery import find_interpreter
from wheelstore.materialize.interpreter import Interpreter, stamp
from wheelstore.materialize.shims import without_shims
from wheelstore.store.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelstore.cli.registering import Place
    from wheelstore.materialize.interpreter import Memory
    from wheelstore.store.index import Index
    from wheelstore.store.layout import Store


class OtherInterpreter(StoreError):
    """The existing environment has another interpreter than the one that was asked for."""

    hint = "pass --clear to build it anew with that interpreter"

    def __init__(self, path: str, has: str, asked: str) -> None:
        super().__init__(path, has, asked)
        self.path, self.has, self.asked = path, has, asked

    def __str__(self) -> str:
        return f"the environment {self.path} has Python {self.has}, not {self.asked}"


class BrokenEnvironment(StoreError):
    """The existing environment's own interpreter is gone."""

    hint = "pass --clear to build it anew"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"the environment {self.path} is broken: {self.reason}"


class _Recollection:
    """What a store of someone else remembers, to which nothing is added."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def recall(self, key: str) -> bytes | None:
        """The value remembered under `key`."""
        return self._memory.recall(key)

    def remember(self, key: str, value: bytes) -> None:
        """Forget it again."""


def memory_of(store: Store, index: Index) -> Memory:
    """Where the facts of interpreters are remembered."""
    return index if store.writable else _Recollection(index)


def choose(request: str | None, place: Place, memory: Memory, environ: Mapping[str, str]) -> tuple[Interpreter, str]:
    """The interpreter for the environment at `place`, and its stamp.

    Raises:
        InterpreterNotFound, InterpreterFailed, BadRequest: there is none, or it does not start.
        BrokenEnvironment, OtherInterpreter: the environment exists, but without an interpreter, or with another one.
    """
    if not place.existing:
        return find(request, memory, environ)
    present, its_stamp = _present(place, memory, environ)
    if request is not None:
        asked, _ = find(request, memory, environ)
        if asked.identity != present.identity:
            raise OtherInterpreter(place.path, present.version, asked.version)
    return present, its_stamp


def _present(place: Place, memory: Memory, environ: Mapping[str, str]) -> tuple[Interpreter, str]:
    """The interpreter of an existing environment; if that does not say, or has lost the link, the last sync knows."""
    try:
        if place.state is None or os.path.exists(f"{place.path}/pyvenv.cfg"):
            return find(place.path, memory, environ)
    except StoreError as error:
        if place.state is None or not os.path.exists(place.state.python):
            raise BrokenEnvironment(place.path, str(error)) from None
    try:
        return find(place.state.python, memory, environ)
    except StoreError as error:
        raise BrokenEnvironment(place.path, str(error)) from None


def find(request: str | None, memory: Memory, environ: Mapping[str, str]) -> tuple[Interpreter, str]:
    """The interpreter that `request` names, and its stamp; it is started once, then remembered."""
    directory = os.getcwd()
    path = environ.get("PATH", os.defpath).split(os.pathsep)
    interpreter = find_interpreter(
        request,
        search_path=without_shims(path, directory=directory, chosen=environ.get("PYENV_VERSION", "")),
        memory=memory,
        installations=_installations(environ),
        registered=_registered(),
        directory=directory,
    )
    return interpreter, stamp(interpreter.executable)


def using(interpreter: Interpreter) -> str:
    """How to say which interpreter is used, up to its path: as uv does."""
    names = {"cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}
    name = names.get(interpreter.implementation, interpreter.implementation)
    return f"Using {name} {interpreter.version} interpreter at"


def _installations(environ: Mapping[str, str]) -> list[str]:
    """Directories whose subdirectories each hold a Python: pyenv's, and uv's own."""
    home = os.path.expanduser("~")
    data = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return [
        os.path.join(environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv"), "versions"),
        environ.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv", "python"),
    ]


def _registered() -> list[str]:
    if sys.platform != "win32":
        return []
    from wheelstore.materialize.registry import registered_pythons

    return registered_pythons()
