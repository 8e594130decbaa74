"""`store` commands that are stopped in the middle, over and over from the same beginning.

A `Scene` is a directory with a store, wheels, locks and an environment, that can be put back to how it was kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.commands import Ran, bare_environment
from support.interpreters import facts_of
from support.universe import Universe, make_universe
from wheelstore.materialize.environment import marks_hold, marks_of, read_state, write_state
from wheelstore.materialize.fresh import remove_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Ran):
    """How a counted command ended, and what it had done: an effect each, ``number kind what``."""

    effects: tuple[str, ...]

    @property
    def last(self) -> str:
        """The effect that it died at."""
        return self.effects[-1] if self.effects else "nothing"

    def kind(self, number: int) -> str:
        """Which kind the effect `number` was."""
        return self.effects[number - 1].split(" ")[1]


class Scene:
    """Where commands are stopped; a context, whose end ends the process that they are forked from.

    All that they touch is in `here`, the rest in `root`.
    """

    def __init__(self, root: Path, *, here: Path | None = None) -> None:
        self.root, self.here = root, here or root / "here"
        self.work, self.store = self.here / "work", self.here / "store"
        self.venv = self.work / ".venv"
        self._untouched: dict[str, list[Path]] = {}
        self.work.mkdir(parents=True)
        self.universe: Universe = make_universe(root / "wheels")
        self.environ = bare_environment(
            root / "home",
            STORE_DIR=str(self.store),
            STORE_PYTHON=facts_of(sys.executable).executable,
            STORE_NO_INDEX="1",
            STORE_FIND_LINKS=str(self.universe.directory),
            SHELL="/bin/sh",
        )
        path = [str(Path(__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "support.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.close()
        self._zygote.stdout.close()
        self._zygote.wait()

    def lock(self, name: str, *spellings: str) -> Path:
        """A lock of wheels of the universe, at `name` in the working directory."""
        return self.universe.lock(self.work / name, *spellings)

    def run(
        self,
        *words: object,
        at: int = 0,
        fault: str = "kill",
        lasting: bool = False,
        processors: int = 1,
        boot: str = "",
    ) -> Ended:
        """Run a `store` command in which `fault` happens at the effect number `at` (0: at none); see `Effects`.

        With more than one processor, work is shared out however little there is, and the numbers vary. `boot` is what
        the command takes for the name of the time since the machine was started.
        """
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        request = {
            "words": [str(word) for word in words],
            "cwd": str(self.work),
            "environ": self.environ,
            "at": at,
            "fault": fault,
            "lasting": lasting,
            "processors": processors,
            "boot": boot,
        }
        self._zygote.stdin.write(json.dumps(request) + "\n")
        self._zygote.stdin.flush()
        answer = json.loads(self._zygote.stdout.readline())
        return Ended(
            status=answer["status"],
            stdout=answer["stdout"],
            stderr=answer["stderr"],
            effects=tuple(answer["effects"]),
        )

    def done(self, *words: object, boot: str = "") -> Ended:
        """Run a command that has to succeed, without a fault."""
        ended = self.run(*words, boot=boot)
        assert ended.status == 0, ended.stderr
        return ended

    def keep(self, name: str) -> None:
        """Remember how everything is, under `name`."""
        copy_tree(self.here, self.root / "kept" / name)
        own = [state.parents[1] for state in self.work.rglob(".wheelstore/state")]
        self._untouched[name] = [path for path in own if _is_untouched(str(path))]

    def restore(self, name: str) -> None:
        """Put everything back to how it was when it was kept."""
        remove_tree(str(self.here))
        copy_tree(self.root / "kept" / name, self.here)
        for environment in self._untouched[name]:
            _mark_again(str(environment))


def _is_untouched(environment: str) -> bool:
    state = read_state(environment)
    return state is not None and marks_hold(environment, state.marks)


def _mark_again(environment: str) -> None:
    """Let the copy of an environment know its own files, which are others than those that were copied."""
    state = read_state(environment)
    assert state is not None
    places = tuple(word.rpartition("=")[0] for word in state.marks.split(" "))
    write_state(environment, state._replace(marks=marks_of(environment, places)))


def copy_tree(source: Path, target: Path) -> None:
    """A copy in which what was one file of several names is so again, and every time is the same."""
    known: dict[int, str] = {}
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy_directory(str(source), str(target), known)


def _copy_directory(source: str, target: str, known: dict[int, str]) -> None:
    os.mkdir(target)
    with os.scandir(source) as entries:
        for entry in entries:
            path = f"{target}/{entry.name}"
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), path)
            elif entry.is_dir():
                _copy_directory(entry.path, path, known)
            elif entry.inode() in known:
                os.link(known[entry.inode()], path)
            else:
                known[entry.inode()] = path
                shutil.copy2(entry.path, path)
    shutil.copystat(source, target)
