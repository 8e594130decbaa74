"""The commands of each tool, as its own manual would have a user type them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Step
from benchmarks.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """uv; `cache` names its cache in the workshop, `bytecode` says whether Python writes any of its own accord."""

    shop: Workshop
    cache: str = "uv-warm"
    bytecode: bool = False

    def _step(self, *arguments: str | Path) -> Step:
        environment = variables(self.shop, uv=self.cache, bytecode=self.bytecode)
        return Step(argv=(self.shop.tools.uv, *map(str, arguments)), environment=environment)

    def create(self, target: Path) -> Step:
        """An environment without packages."""
        return self._step("venv", "-q", "--python", self.shop.tools.python, target)

    def sync(self, lock: Path, target: Path, *options: str) -> Step:
        """An existing environment made exactly the lock."""
        return self._step("pip", "sync", "-q", *options, "--python", target, lock)

    def fresh(self, lock: Path, target: Path, *options: str) -> Sequence[Step]:
        """A new environment with the lock's packages."""
        return self.create(target), self.sync(lock, target, *options)

    def run(self, lock: Path, *command: str) -> Step:
        """A command in an environment with the lock's packages that nobody keeps."""
        options = ("--no-project", "--with-requirements", lock, "--python", self.shop.tools.python)
        return self._step("run", "-q", *options, "--", *command)

    def version(self) -> Step:
        """The least that the tool can do."""
        return self._step("--version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """wheelstore; `cache` names its store in the workshop, `bytecode` is as in `Uv`."""

    shop: Workshop
    cache: str = "store-warm"
    bytecode: bool = False

    def _step(self, *arguments: str | Path) -> Step:
        environment = variables(self.shop, store=self.cache, bytecode=self.bytecode)
        return Step(argv=(self.shop.tools.store, *map(str, arguments)), environment=environment)

    def create(self, target: Path) -> Step:
        """An environment without packages."""
        return self._step("venv", "-q", "--python", self.shop.tools.python, target)

    def sync(self, lock: Path, target: Path, *options: str) -> Step:
        """An environment, new or not, made exactly the lock."""
        python = self.shop.tools.python
        return self._step("sync", "-q", *options, lock, "--venv", target, "--python", python)

    def prewarm(self, lock: Path, spares: int, *options: str) -> Step:
        """So many ready-made environments in the store."""
        python = self.shop.tools.python
        return self._step("prewarm", "-q", *options, lock, "--spares", str(spares), "--python", python)

    def run(self, lock: Path, *command: str) -> Step:
        """A command in an environment with the lock's packages that nobody keeps."""
        return self._step("run", "-q", lock, "--python", self.shop.tools.python, "--", *command)

    def version(self) -> Step:
        """The least that the tool can do."""
        return self._step("--version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pip:
    """pip, and the standard library's venv."""

    shop: Workshop
    cache: str = "pip-warm"

    def create(self, target: Path) -> Step:
        """An environment without packages."""
        argv = (self.shop.tools.python, "-m", "venv", "--without-pip", str(target))
        return Step(argv=argv, environment=variables(self.shop))

    def fresh(self, lock: Path, target: Path) -> Sequence[Step]:
        """A new environment with the lock's packages, without bytecode as with the others."""
        options = ("-q", "--no-deps", "--no-compile", "--require-hashes", "-r", str(lock))
        argv = (self.shop.tools.pip, "--python", str(target), "install", *options)
        environment = variables(self.shop, pip=self.cache)
        return self.create(target), Step(argv=argv, environment=environment)

    def version(self) -> Step:
        """The least that the tool can do."""
        return Step(argv=(self.shop.tools.pip, "--version"), environment=variables(self.shop))


def importing(shop: Workshop, target: Path, modules: Sequence[str]) -> Step:
    """The first imports in an environment, by a Python that keeps the bytecode that it makes, as Python does."""
    argv = (str(target / "bin" / "python"), "-c", "import " + ", ".join(modules))
    return Step(argv=argv, environment=variables(shop, bytecode=True))


def variables(
    shop: Workshop, *, uv: str = "unused", store: str = "unused", pip: str = "unused", bytecode: bool = False
) -> Mapping[str, str]:
    """A command's environment with the caches of these names, with PYTHONDONTWRITEBYTECODE or without."""
    found = shop.environment(uv=shop.cache(uv), store=shop.cache(store), pip=shop.cache(pip))
    return {name: value for name, value in found.items() if not (bytecode and name == "PYTHONDONTWRITEBYTECODE")}
