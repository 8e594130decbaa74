"""The `store` command as tests call it: in this process, where that is possible, or as a user does."""

from __future__ import annotations

import os
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


def call_store(*words: object, cwd: Path | None = None, **variables: str) -> Ran:
    """Call the command's script in a process of its own."""
    return run([store_script(), *map(str, words)], environ={**os.environ, **variables}, cwd=cwd)
