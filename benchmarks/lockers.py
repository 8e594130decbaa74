"""The commands that make locks, each tool's as its own manual would have a user type them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import variables
from benchmarks.harness import Step
from benchmarks.workshop import Workshop

NO_ANSWER = 1  # the exit status of store, uv and pip-compile where there is no lock


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLock:
    """`store lock`, with hashes; `cache` names its store in the workshop."""

    shop: Workshop
    cache: str = "store-lock"

    def lock(self, requirements: Path, output: Path, *options: str, status: int = 0) -> Step:
        """Lock a requirements file."""
        arguments = ("-q", *options, "--python", self.shop.tools.python, "-o", str(output), str(requirements))
        return Step(
            argv=(self.shop.tools.store, "lock", *arguments),
            environment=variables(self.shop, store=self.cache),
            status=status,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UvLock:
    """`uv pip compile`, with hashes as `store lock` has them; `cache` names its cache."""

    shop: Workshop
    cache: str = "uv-lock"

    def lock(self, requirements: Path, output: Path, *options: str, status: int = 0) -> Step:
        """Lock a requirements file."""
        arguments = ("-q", "--generate-hashes", *options, "--python", self.shop.tools.python)
        return Step(
            argv=(self.shop.tools.uv, "pip", "compile", *arguments, "-o", str(output), str(requirements)),
            environment=variables(self.shop, uv=self.cache),
            status=status,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PipCompile:
    """`pip-compile`, without hashes: it would fetch every file of every version to hash it."""

    shop: Workshop
    cache: str = "pip-lock"

    def lock(self, requirements: Path, output: Path, *options: str, status: int = 0) -> Step:
        """Lock a requirements file."""
        cache = self.shop.cache(self.cache)
        arguments = ("-q", "--strip-extras", *options, "--cache-dir", str(cache), "-o", str(output), str(requirements))
        return Step(
            argv=(self.shop.peer("pip-compile"), *arguments),
            environment=variables(self.shop, pip=self.cache),
            status=status,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Poetry:
    """`poetry lock`, for one Python and every platform (it has no lock for one)."""

    shop: Workshop
    cache: str = "poetry-lock"

    def lock(self, requirements: Path, project: Path) -> Step:
        """Lock a project with the requirements of a file; `project` is made."""
        write_project(requirements, project, self.shop, POETRY)
        environment = {
            **variables(self.shop),
            "POETRY_CACHE_DIR": str(self.shop.cache(self.cache)),
            "POETRY_VIRTUALENVS_CREATE": "false",
        }
        argv = (self.shop.peer("poetry"), "lock", "--quiet", "--no-interaction", "--directory", str(project))
        return Step(argv=argv, environment=environment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pdm:
    """`pdm lock`, for one Python and, as it has it by default, without markers of platforms in its pins."""

    shop: Workshop
    cache: str = "pdm-lock"

    def lock(self, requirements: Path, project: Path) -> Step:
        """Lock a project with the requirements of a file; `project` is made."""
        write_project(requirements, project, self.shop, PDM)
        (project / ".pdm-python").write_text(self.shop.tools.python)
        environment = {
            **variables(self.shop),
            "PDM_CACHE_DIR": str(self.shop.cache(self.cache)),
            "PDM_CHECK_UPDATE": "false",
        }
        return Step(argv=(self.shop.peer("pdm"), "lock", "-q", "-p", str(project)), environment=environment)


PROJECT = """\
[project]
name = "benchmark"
version = "1"
requires-python = ">={minor},<{next}"
dependencies = [
{dependencies}]
"""
POETRY = """
[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "recorded"
url = "{index}"
priority = "primary"
"""
PDM = """
[[tool.pdm.source]]
name = "pypi"
url = "{index}"
"""


def write_project(requirements: Path, project: Path, shop: Workshop, tool: str) -> None:
    """Make a project that depends on what a plain requirements file lists."""
    lines = (line.partition("#")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines())
    major, minor = shop.tools.minor
    content: Mapping[str, str] = {
        "minor": f"{major}.{minor}",
        "next": f"{major}.{minor + 1}",
        "dependencies": "".join(f'    "{line}",\n' for line in lines if line),
    }
    text = PROJECT.format_map(content) + tool.format(index=shop.index_url)
    tomllib.loads(text)
    project.mkdir()
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
