"""The `store` command as tests call it: in this process, where that is possible, or as a user does."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.commands import Ran, run, store_script
from wheelstore.cli.front import main


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """Calls the command in this process: quick, and an unexpected error shows where it came from.

    Nothing may have to be fetched: that takes forks, which do not go well with a test's threads.
    """

    monkeypatch: pytest.MonkeyPatch
    captured: pytest.CaptureFixture[str]

    def __call__(self, *words: object) -> Ran:
        self.captured.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["store", *map(str, words)])
        status = main()
        said = self.captured.readouterr()
        return Ran(status=status, stdout=said.out, stderr=said.err)


def call_store(*words: object, cwd: Path | None = None, powerless: bool = False, **variables: str) -> Ran:
    """Call the command's script in a process of its own; a `powerless` one obeys permissions even if root runs it."""
    environ = {**os.environ, **variables}
    command = [store_script(), *map(str, words)]
    if not powerless:
        return run(command, environ=environ, cwd=cwd)
    done = subprocess.run(
        command, env=environ, cwd=cwd, capture_output=True, text=True, check=False, preexec_fn=_drop_capabilities
    )
    return Ran(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


def _drop_capabilities() -> None:
    """Give up the capabilities that let root pass over permissions, from the next program on (capabilities(7))."""
    prctl = ctypes.CDLL(None).prctl
    for capability in range(1, 4):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
        prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
