"""A generated lock is taken by the tools that others install with, and means the same to each of them."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from packaging.markers import Environment
from packaging.pylock import PackageWheel, Pylock
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from support.commands import UV, Ran, StoreCommand, run, store_script
from support.places import ServeLock
from support.wheelhouse import EXAMPLES

from wheelstore.materialize.interpreter import Interpreter

FORMS = ("requirements.txt", "pylock.toml")
INPUT = "portable.in"  # ten names that lead to twenty wheels, pure and compiled
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")

Versions = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One input, locked in both forms."""

    command: StoreCommand
    locks: Mapping[str, Path]
    versions: Versions

    def run(self, *words: str | Path) -> Ran:
        """Run a tool to its end, which is a good one."""
        ran = run([str(word) for word in words], environ=self.command.environ, cwd=self.command.root)
        assert ran.status == 0, ran.stderr
        return ran

    @property
    def index_url(self) -> str:
        """The index on loopback."""
        assert self.command.index_url is not None
        return self.command.index_url


@pytest.fixture(scope="module")
def locked(
    python: Interpreter, serve_lock: ServeLock, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Locked:
    """Locked from the index of the example's wheels."""
    root = tmp_path_factory.mktemp("generated")
    server = serve_lock(EXAMPLES / "portable.txt", python)
    command = StoreCommand(
        root=root, store=root / "store", python=python.executable, index_url=server.index_url, environ=environ
    )
    served = [parse_wheel_filename(path.name)[:2] for path in server.directory.glob("*.whl")]
    locked = Locked(
        command=command,
        locks={form: root / form for form in FORMS},
        versions={name: str(version) for name, version in served},
    )
    for lock in locked.locks.values():
        options = ("--store", command.store, "--python", python.executable, "--index-url", server.index_url)
        locked.run(store_script(), "lock", EXAMPLES / INPUT, "-o", lock, *options)
    return locked


@pytest.fixture(scope="module")
def empty(locked: Locked) -> Path:
    """An environment with nothing in it, pip included."""
    path = locked.command.root / "empty"
    locked.run(UV, "venv", "--python", locked.command.python, path)
    return path


def hashes_in(lock: str) -> dict[str, set[str]]:
    """The hashes of each distribution in a requirements.txt."""
    pins = re.sub(r"\\\n", " ", lock).splitlines()
    return {pin.partition("==")[0]: set(HASH.findall(pin)) for pin in pins if pin[:1] not in ("#", " ", "")}


def test_it_has_what_the_index_has(locked: Locked) -> None:
    found = re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", locked.locks["requirements.txt"].read_text())
    assert dict(found) == locked.versions
    assert len(found) > 15


def test_pip_takes_it_with_all_its_hashes(locked: Locked, empty: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        pytest.skip("pip is not in this environment")
    pip = (sys.executable, "-m", "pip", "--python", empty, "--disable-pip-version-check", "--no-cache-dir")
    options = ("--require-hashes", "--dry-run", "--quiet", "--report", "-", "--index-url", locked.index_url)
    ran = locked.run(*pip, "install", *options, "-r", locked.locks["requirements.txt"])
    assert ran.stderr == ""
    chosen = [one["metadata"] for one in json.loads(ran.stdout)["install"]]
    assert {canonicalize_name(one["name"]): one["version"] for one in chosen} == locked.versions


@pytest.mark.parametrize("form", FORMS)
def test_uv_takes_it(locked: Locked, empty: Path, form: str) -> None:
    options = ("--dry-run", "--require-hashes", "--default-index", locked.index_url, "--python", empty)
    ran = locked.run(UV, "pip", "sync", locked.locks[form], *options)
    assert dict(re.findall(r"(?m)^ \+ (\S+)==(\S+)", ran.stderr)) == locked.versions
    # In some of uv's versions, reading pylock.toml is experimental.
    assert [warning for warning in ran.warnings if "experimental" not in warning] == []


def test_pip_sync_takes_it(locked: Locked) -> None:
    if importlib.util.find_spec("piptools") is None:
        pytest.skip("pip-tools is not in this environment")
    path = locked.command.root / "with pip"
    locked.run(locked.command.python, "-m", "venv", path)
    pip_sync = (sys.executable, "-m", "piptools", "sync", "--dry-run", "--python-executable", path / "bin/python")
    # `--dry-run` ends with 1 where there is something to do, and says that on the standard output.
    command = [str(word) for word in (*pip_sync, "--index-url", locked.index_url, locked.locks["requirements.txt"])]
    ran = run(command, environ=locked.command.environ, cwd=locked.command.root)
    assert (ran.status, ran.stderr) == (1, "")
    assert dict(re.findall(r"(?m)^  ([\w.-]+)==(\S+)$", ran.stdout.partition("Would install:")[2])) == locked.versions


def test_packaging_takes_it(locked: Locked, python: Interpreter) -> None:
    pylock = Pylock.from_dict(tomllib.loads(locked.locks["pylock.toml"].read_text()))
    assert {package.name: str(package.version) for package in pylock.packages} == locked.versions
    release = tuple(map(int, python.version.split(".")[:2]))
    tags = [*cpython_tags(release), *compatible_tags(release)]
    chosen = pylock.select(environment=cast("Environment", {**python.markers}), tags=tags)
    assert {package.name for package, source in chosen if isinstance(source, PackageWheel)} == locked.versions.keys()
    hashes = {
        package.name: {f"sha256:{wheel.hashes['sha256']}" for wheel in package.wheels or ()}
        for package in pylock.packages
    }
    assert hashes == hashes_in(locked.locks["requirements.txt"].read_text())
    assert all(hashes.values())


def test_both_forms_mean_the_same_to_sync(locked: Locked, empty: Path) -> None:
    for form in FORMS:
        venv = locked.command.root / f"from {form}"
        ran = locked.command.sync(locked.locks[form], venv=venv)
        assert (ran.status, ran.errors, ran.warnings) == (0, [], []), ran.stderr
        found = locked.run(UV, "pip", "list", "--format", "json", "--python", venv)
        assert {one["name"]: one["version"] for one in json.loads(found.stdout)} == locked.versions
        ran = locked.run(UV, "pip", "check", "--python", venv)
        assert "All installed packages are compatible" in ran.stderr
