"""The commands of each tool, as its own manual would have a user type them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Step
from benchmarks.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """uv; `cache` names its cache in the workshop."""

    shop: Workshop
    cache: str = "uv-warm"

    def _step(self, *arguments: str | Path) -> Step:
        environment = variables(self.shop, uv=self.cache)
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

    def version(self) -> Step:
        """The least that the tool can do."""
        return self._step("--version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """wheelstore; `cache` names its store in the workshop."""

    shop: Workshop
    cache: str = "store-warm"

    def _step(self, *arguments: str | Path) -> Step:
        environment = variables(self.shop, store=self.cache)
        return Step(argv=(self.shop.tools.store, *map(str, arguments)), environment=environment)

    def create(self, target: Path) -> Step:
        """An environment without packages."""
        return self._step("venv", "-q", "--python", self.shop.tools.python, target)

    def sync(self, lock: Path, target: Path, *options: str) -> Step:
        """An environment, new or not, made exactly the lock."""
        python = self.shop.tools.python
        return self._step("sync", "-q", *options, lock, "--venv", target, "--python", python)

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


def variables(shop: Workshop, *, uv: str = "unused", store: str = "unused", pip: str = "unused") -> Mapping[str, str]:
    """A command's environment with the caches of these names."""
    return shop.environment(uv=shop.cache(uv), store=shop.cache(store), pip=shop.cache(pip))
