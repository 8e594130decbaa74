"""Commands run as a user runs them: installed scripts, in processes of their own, with nobody's settings."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from uv import find_uv_bin

UV = find_uv_bin()
_INHERITED = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended, and what it said."""

    status: int
    stdout: str
    stderr: str

    @property
    def errors(self) -> list[str]:
        """Its ``error:`` lines, without that word."""
        return self._lines("error: ")

    @property
    def hints(self) -> list[str]:
        """Its ``hint:`` lines, without that word."""
        return self._lines("hint: ")

    @property
    def warnings(self) -> list[str]:
        """Its ``warning:`` lines, without that word."""
        return self._lines("warning: ")

    def _lines(self, prefix: str) -> list[str]:
        return [line.removeprefix(prefix) for line in self.stderr.splitlines() if line.startswith(prefix)]


def store_script() -> str:
    """The `store` command of the environment that the tests run in."""
    return str(Path(sysconfig.get_path("scripts"), "store.exe" if os.name == "nt" else "store"))


def bare_environment(home: Path, **variables: str) -> dict[str, str]:
    """Environment variables without any that configure pip, uv, `store` or the network, and with a home of its own.

    When a `store` command ends, it has done everything: what it leaves is counted.
    """
    home.mkdir(parents=True, exist_ok=True)
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "UV_PYTHON_DOWNLOADS": "never",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
        "STORE_DETACH": "0",
        **variables,
    }


def run(command: list[str], *, environ: Mapping[str, str], cwd: Path | None = None, timeout: float = 120) -> Ran:
    """Run a command to its end."""
    done = subprocess.run(
        command,
        env=environ,
        cwd=cwd,
        timeout=timeout,
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Ran(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


class Running:
    """A command that is underway; leaving the context kills it, unless it is done."""

    def __init__(self, command: list[str], *, environ: Mapping[str, str], cwd: Path) -> None:
        self._process = subprocess.Popen(
            command,
            env=environ,
            cwd=cwd,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._said: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._listeners = [
            threading.Thread(target=self._listen, args=(stream, self._said[name]), daemon=True)
            for name, stream in (("stdout", self._process.stdout), ("stderr", self._process.stderr))
        ]
        for listener in self._listeners:
            listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.finish()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def stderr(self) -> str:
        """What it said so far."""
        return "".join(self._said["stderr"])

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def finish(self, timeout: float = 120) -> Ran:
        """Wait for its end. A killed process's children may still hold its pipes, and are not waited for."""
        status = self._process.wait(timeout)
        for listener in self._listeners:
            listener.join(5)
        return Ran(status=status, stdout="".join(self._said["stdout"]), stderr=self.stderr)

    @staticmethod
    def _listen(stream: IO[str] | None, said: list[str]) -> None:
        assert stream is not None
        with stream:
            said.extend(iter(stream.readline, ""))


def eventually(condition: Callable[[], object], *, timeout: float = 60) -> None:
    """Wait until `condition` is true.

    Raises:
        AssertionError: it is not by then.
    """
    pause, deadline = threading.Event(), time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {timeout} s"
        pause.wait(0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCommand:
    """`store` with one store, one index and one interpreter, called from the directory `root`."""

    root: Path
    store: Path
    python: str
    index_url: str | None = None
    environ: Mapping[str, str]

    def sync(self, *locks: Path, venv: Path, options: tuple[str, ...] = (), **variables: str) -> Ran:
        """Run ``store sync`` to its end; `variables` are more of the environment's."""
        command = self.sync_command(*locks, venv=venv, options=options)
        return run(command, environ={**self.environ, **variables}, cwd=self.root)

    def start_sync(self, *locks: Path, venv: Path, options: tuple[str, ...] = ()) -> Running:
        """Start ``store sync``, as a context that leaves no process behind."""
        return Running(self.sync_command(*locks, venv=venv, options=options), environ=self.environ, cwd=self.root)

    def sync_command(self, *locks: Path, venv: Path, options: tuple[str, ...] = ()) -> list[str]:
        """The words of a ``store sync``."""
        index = ["--index-url", self.index_url] if self.index_url else []
        where = ["--store", str(self.store), "--venv", str(venv), "--python", self.python]
        return [store_script(), "sync", *map(str, locks), *where, *index, *options]
