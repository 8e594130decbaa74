"""Many commands at once on one store: `python tests/stress.py --seconds 300`.

Workers sync random subsets of some wheels into environments of their own, from an empty store, while `gc` and `verify`
run all the time. Every command has to succeed, every environment has to be its lock to the byte after each sync, and
in the end the store has to be sound, without anything unfinished, and empty once the environments are gone.

The wheels are made for it, with content in common, or those of a directory (`--wheels`, such as one that
``pip download`` filled). A seed (`--seed`) decides what is done, but not in which order.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from support.commands import Ran, bare_environment, run, store_script
from support.exactness import Contents, contents_of, differences
from support.wheels import make_wheel, sha256_of

LOOPS = ("gc --older-than 0s", "gc --older-than 0s --grace 0s", "verify")


def main() -> int:
    """Stress a store as the command line says; 0 if all went well."""
    parser = argparse.ArgumentParser(description="Many store commands at once, for a while.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--workers", type=int, default=8, help="how many environments, each synced in a loop (8)")
    parser.add_argument("--wheels", type=Path, help="a directory of wheels, instead of small ones made for this")
    parser.add_argument("--python", default=sys.executable, help="what the environments are for (this Python)")
    parser.add_argument("--most", type=int, default=12, help="how many wheels an environment has at most (12)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--loop", action="append", help=f"a command to repeat ({', '.join(map(repr, LOOPS))})")
    parser.add_argument("--directory", type=Path, help="where to work; kept afterwards (a temporary directory)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wheelstore-stress-") as temporary:
        directory = options.directory or Path(temporary)
        wheels = sorted(options.wheels.glob("*.whl")) if options.wheels else make_wheels(directory / "wheels")
        stress = Stress(
            directory=directory,
            source=wheels[0].parent,
            wheels=[Subject.of(wheel) for wheel in wheels],
            most=options.most,
            python=options.python,
            seed=options.seed,
        )
        stress.run(workers=options.workers, seconds=options.seconds, loops=options.loop or LOOPS)
    print(json.dumps(dict(sorted(stress.counts.items()))))
    for failure in stress.failures:
        print(failure, file=sys.stderr)
    return 1 if stress.failures else 0


def make_wheels(directory: Path) -> list[Path]:
    """Sixty wheels of twenty projects, whose versions have most files in common, and the projects some."""
    return [
        make_wheel(
            directory,
            f"project{number}",
            f"{version}.0",
            files={
                f"project{number}/__init__.py": f"version = {version}\n".encode(),
                f"project{number}/empty.py": b"",
                f"project{number}/shared.py": b"shared = True\n" * 50,
                **{
                    f"project{number}/module{part}.py": f"# {number % 5} {part}\n".encode() * (part + 1)
                    for part in range(20)
                },
                f"project{number}/own{version}.bin": bytes([number, version]) * 3000,
            },
            entry_points={"console_scripts": {f"project{number}": f"project{number}:main"}}
            if number % 3 == 0
            else None,
            scripts={f"tool{number}": b"#!python\nprint('tool')\n"} if number % 4 == 0 else None,
        )
        for number in range(20)
        for version in (1, 2, 3)
    ]


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the wheels: its line in a lock, and what it installs."""

    name: str
    line: str
    contents: Contents

    @classmethod
    def of(cls, wheel: Path) -> Subject:
        """The wheel at a path."""
        name, version = wheel.name.split("-")[:2]
        return cls(name, f"{name}=={version} --hash=sha256:{sha256_of(wheel)}\n", contents_of(wheel))


@dataclass(slots=True)
class Stress:
    """One run: threads that start commands, and what went wrong."""

    directory: Path
    source: Path
    wheels: list[Subject]
    most: int
    python: str
    seed: int
    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def store(self) -> Path:
        """The store that is stressed."""
        return self.directory / "store"

    def run(self, *, workers: int, seconds: float, loops: list[str] | tuple[str, ...]) -> None:
        """Do it; what went wrong is in `failures`, and what was done in `counts`."""
        threads = [threading.Thread(target=self._guard, args=(self._work, str(number))) for number in range(workers)]
        threads += [threading.Thread(target=self._guard, args=(self._repeat, words)) for words in loops]
        for thread in threads:
            thread.start()
        self._over.wait(seconds)
        self._over.set()
        for thread in threads:
            thread.join()
        if not self.failures:
            self._finish(workers)

    def _guard(self, action: Callable[[str], None], argument: str) -> None:
        try:
            action(argument)
        except BaseException as error:
            self._fail(f"{action.__name__} {argument}: {error!r}")
            raise

    def _fail(self, text: str) -> None:
        self.failures.append(text)
        self._over.set()

    def _call(self, *words: str) -> Ran:
        command = [store_script(), *words, "--store", str(self.store)]
        environ = bare_environment(self.directory / "home")
        ran = run(command, environ=environ, cwd=self.directory, timeout=300)
        self.counts[words[0]] += 1
        if ran.status:
            self._fail(f"$ {shlex.join(command)}\nexit {ran.status}\n{ran.stdout}{ran.stderr}")
        return ran

    def _repeat(self, words: str) -> None:
        while not self._over.is_set():
            self._call(*shlex.split(words))
            time.sleep(0.01)  # a machine of two processors has other things to do, too

    def _work(self, name: str) -> None:
        choose = random.Random(f"{self.seed} {name}")
        environment, lock = self.directory / f"env{name}", self.directory / f"lock{name}.txt"
        while not self._over.is_set():
            fate = choose.random()
            if fate < 0.15:
                shutil.rmtree(environment, ignore_errors=True)
            elif fate < 0.2 and environment.exists():
                environment.rename(f"{environment}.moved")
                shutil.rmtree(environment.with_name(f"{environment.name}.moved"))
            chosen = {one.name: one for one in choose.sample(self.wheels, choose.randint(0, self.most))}
            lock.write_text("".join(one.line for one in chosen.values()))
            mode = choose.choice(("auto", "auto", "copy"))
            options = ("--no-index", "--find-links", str(self.source), "--link-mode", mode)
            self._call("sync", str(lock), "--venv", str(environment), "--python", self.python, *options)
            self._check(environment, list(chosen.values()))

    def _check(self, environment: Path, chosen: list[Subject]) -> None:
        if self._over.is_set() and self.failures:
            return
        found = differences(environment, [one.contents for one in chosen])
        if found:
            self._fail(f"{environment} is not its lock:\n" + "\n".join(found[:20]))

    def _finish(self, workers: int) -> None:
        """Nothing is wrong, unfinished or, in the end, left."""
        self._call("gc", "--older-than", "0s")
        self._call("verify")
        for part in ("tmp", "trash"):
            left = [path.name for path in (self.store / part).iterdir()]
            if left:
                self._fail(f"{part}/ holds {left} after gc")
        for number in range(workers):
            by_line = {one.line: one for one in self.wheels}
            lines = (self.directory / f"lock{number}.txt").read_text().splitlines(keepends=True)
            self._check(self.directory / f"env{number}", [by_line[line] for line in lines])
            shutil.rmtree(self.directory / f"env{number}")
        self._call("gc", "--older-than", "0s", "--grace", "0s")
        left = [path.name for path in (self.store / "blobs").rglob("*") if path.is_file()]
        if left:
            self._fail(f"{len(left)} blobs are left when every environment is gone")
        self._call("verify")


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
