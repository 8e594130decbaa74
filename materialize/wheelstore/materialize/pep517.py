"""Ask a build backend for a project's metadata (PEP 517), under the interpreter of an environment that has it.

The calls are `pyproject_hooks`'; here is how its processes are run: alone in their session, with their output kept for
the error, and never longer than they may.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from wheelstore.store.errors import StoreError

if TYPE_CHECKING:
    from pyproject_hooks import BuildBackendHookCaller

LEGACY = "setuptools.build_meta:__legacy__"
"""The backend of projects that name none."""
LONGEST = 3600.0
"""Seconds that a backend may take; compiling for want of a metadata hook can be long."""

_LEGACY_REQUIRES = ("setuptools >= 40.8.0",)
_LINES = 10  # of a backend's last words
_LINE = 400  # letters of each


class BuildSystem(NamedTuple):
    """``[build-system]`` of a pyproject.toml: what has to be there first, and who builds."""

    requires: tuple[str, ...]
    backend: str
    backend_path: tuple[str, ...] = ()


class BadBuildSystem(StoreError):
    """A pyproject.toml that does not say how its project is built."""

    def __init__(self, tree: str, reason: str) -> None:
        super().__init__(tree, reason)
        self.tree, self.reason = tree, reason

    def __str__(self) -> str:
        return f"{self.tree}: pyproject.toml: {self.reason}"


class BackendFailed(StoreError):
    """A backend did not do what it was asked; `lines` are the last that it said."""

    def __init__(self, backend: str, doing: str, reason: str, lines: Sequence[str] = ()) -> None:
        super().__init__(backend, doing, reason, tuple(lines))
        self.backend, self.doing, self.reason, self.lines = backend, doing, reason, tuple(lines)

    def __str__(self) -> str:
        return f"the build backend {self.backend} failed to {self.doing}: {self.reason}"


def build_system(tree: Path) -> BuildSystem:
    """How the project in `tree` is built; setuptools builds what does not say.

    Raises:
        BadBuildSystem: its pyproject.toml makes no sense.
    """
    try:
        read = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))
    except FileNotFoundError:
        return BuildSystem(_LEGACY_REQUIRES, LEGACY)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadBuildSystem(str(tree), str(error)) from None
    table = read.get("build-system")
    if table is None:
        return BuildSystem(_LEGACY_REQUIRES, LEGACY)
    requires = table.get("requires") if isinstance(table, dict) else None
    if not _is_texts(requires):
        raise BadBuildSystem(str(tree), "[build-system] has no list 'requires' (PEP 518)")
    backend, path = table.get("build-backend", LEGACY), table.get("backend-path", [])
    if not isinstance(backend, str) or not _is_texts(path):
        raise BadBuildSystem(str(tree), "build-backend is no text, or backend-path no list of texts (PEP 517)")
    return BuildSystem(tuple(requires), backend, tuple(path))


def build_requires(tree: Path) -> tuple[str, ...]:
    """The requirements (PEP 508) without which the backend cannot even be asked.

    Raises:
        BadBuildSystem: the project's pyproject.toml makes no sense.
    """
    return build_system(tree).requires


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


class Backends:
    """Runs backends, in any thread; `stop` ends all that are running.

    `environ` is the environment that they get, up to what would let other packages in than the environment's;
    `timeout` is in seconds, for each call.
    """

    def __init__(self, environ: Mapping[str, str], *, timeout: float = LONGEST) -> None:
        self._environ = {name: text for name, text in environ.items() if not name.startswith(_MEDDLING)}
        self._timeout = timeout
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock, self._stopped = threading.Lock(), False

    def requires(self, tree: Path, python: str, config: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """What the backend wants beside `build_requires` (``get_requires_for_build_wheel``).

        Raises:
            BackendFailed, BadBuildSystem: it cannot be asked.
        """
        doing = "say what it needs"
        with _Conversation(self, tree, python, doing) as caller:
            found = caller.get_requires_for_build_wheel(dict(config or {}))
        if not _is_texts(found):
            raise BackendFailed(build_system(tree).backend, doing, "it answers with no list of requirements")
        return tuple(found)

    def metadata(self, tree: Path, python: str, config: Mapping[str, str] | None = None) -> bytes:
        """METADATA of the project in `tree`; where the backend has no hook for that, out of a wheel that it builds.

        Raises:
            BackendFailed, BadBuildSystem: it does not come about.
        """
        doing = "tell the metadata"
        with tempfile.TemporaryDirectory(prefix="store-metadata-") as directory:
            with _Conversation(self, tree, python, doing) as caller:
                name = caller.prepare_metadata_for_build_wheel(directory, dict(config or {}))
            try:
                return Path(directory, os.path.basename(str(name)), "METADATA").read_bytes()
            except OSError as error:
                reason = f"it wrote no METADATA ({error.strerror})"
                raise BackendFailed(build_system(tree).backend, doing, reason) from None

    def stop(self) -> None:
        """End what is running, for good: whoever waits for it is told that it failed."""
        with self._lock:
            self._stopped = True
            running = [*self._running]
        for process in running:
            _kill(process)

    def run(self, command: Sequence[str], cwd: str | None, extra: Mapping[str, str] | None, python: str) -> _Ended:
        """Run `command` under the environment of `python` to its end, whatever that is."""
        environ = {**self._environ, **(extra or {}), "PYTHONNOUSERSITE": "1", "PYTHONIOENCODING": "utf-8"}
        scripts = os.path.dirname(python)
        environ["PATH"] = os.pathsep.join((scripts, environ.get("PATH") or os.defpath))
        environ["VIRTUAL_ENV"] = os.path.dirname(scripts)
        with tempfile.TemporaryFile() as output:
            try:
                process = self._start(command, cwd, environ, output.fileno())
            except OSError as error:
                return _Ended(f"{command[0]} cannot be started: {error.strerror}", ())
            late = False
            try:
                process.wait(self._timeout)
            except subprocess.TimeoutExpired:
                late = True
            finally:
                with self._lock:
                    self._running.discard(process)
                _kill(process)
                process.wait()
            reason = f"it took more than {self._timeout:g} seconds" if late else _reason(process.returncode)
            return _Ended(reason if not self._stopped else reason and "it was stopped", _last_lines(output.fileno()))

    def _start(
        self, command: Sequence[str], cwd: str | None, environ: Mapping[str, str], output: int
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise InterruptedError(0, "everything is being stopped")
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
            return process


_MEDDLING = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONSAFEPATH", "_PYPROJECT_HOOKS_")


class _Ended(NamedTuple):
    """How a process ended: `reason` is empty if all is well."""

    reason: str
    lines: tuple[str, ...]


class _Failed(Exception):
    """Carries the end of a process through `pyproject_hooks`."""


class _Conversation:
    """A context with the hooks of one project, whose failures come out as `BackendFailed`."""

    def __init__(self, backends: Backends, tree: Path, python: str, doing: str) -> None:
        self._backends, self._tree, self._python, self._doing = backends, tree, python, doing
        self._system = build_system(tree)
        self._lines: tuple[str, ...] = ()

    def __enter__(self) -> BuildBackendHookCaller:
        import warnings

        from pyproject_hooks import BuildBackendHookCaller, BuildBackendWarning

        warnings.filterwarnings("ignore", category=BuildBackendWarning)  # a backend's, about itself
        system = self._system
        try:
            return BuildBackendHookCaller(
                str(self._tree), system.backend, system.backend_path or None, self._run, self._python
            )
        except ValueError as error:
            raise BadBuildSystem(str(self._tree), f"backend-path: {error}") from None

    def _run(self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        ended = self._backends.run(cmd, cwd, extra_environ, self._python)
        self._lines = ended.lines
        if ended.reason:
            raise _Failed(ended.reason)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        from pyproject_hooks import BackendUnavailable, HookMissing, UnsupportedOperation

        if isinstance(error, BackendUnavailable):
            last = error.traceback.strip().splitlines()[-1:] or [str(error).splitlines()[0]]
            raise self._failure(f"it cannot be imported ({last[0]})") from None
        if isinstance(error, (HookMissing, UnsupportedOperation)):
            raise self._failure(f"it has no {error}" if str(error) else "it cannot do that") from None
        if isinstance(error, (_Failed, OSError, KeyError, ValueError)):  # an answer that is none is one of the latter
            raise self._failure(str(error) if isinstance(error, _Failed) else f"no answer ({error})") from None

    def _failure(self, reason: str) -> BackendFailed:
        return BackendFailed(self._system.backend, self._doing, reason, self._lines)


def _reason(status: int) -> str:
    if status < 0:
        return f"it was killed by signal {-status}"
    return f"it exited with {status}" if status else ""


def _last_lines(descriptor: int) -> tuple[str, ...]:
    """The end of what was said, fit for a terminal."""
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, max(0, size - _LINES * _LINE * 2), os.SEEK_SET)
    text = os.read(descriptor, _LINES * _LINE * 2).decode("utf-8", "replace")
    lines = [line.rstrip()[:_LINE] for line in text.splitlines() if line.strip()]
    return tuple("".join(c if c.isprintable() else " " for c in line) for line in lines[-_LINES:])


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that has not ended yet, and what it started."""
    if process.returncode is not None:
        return
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # all of it has ended, and macOS says so with EPERM
        os.killpg(process.pid, 9)
