"""The example locks work: what they install can be imported and run, on every Python that they are for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.commands import UV, StoreCommand, run
from support.places import ServeLock, cpythons
from support.trees import check_records
from support.wheelhouse import EXAMPLES, pins_for

from wheelstore.materialize.interpreter import Interpreter

# Runs on Python 3.8. By RECORD, the modules and packages at the top of each distribution and its compiled modules
# wherever they are; what importing each did.
IMPORT_ALL = """
import importlib, importlib.machinery, json, sys, traceback, warnings
from importlib.metadata import distributions
from pathlib import PurePosixPath

warnings.simplefilter("ignore")
compiled = importlib.machinery.EXTENSION_SUFFIXES[:-1]
suffixes = sorted([*compiled, ".so", ".py"], key=len, reverse=True)
found, failed = {}, {}
for distribution in distributions():
    names = set()
    for path in map(PurePosixPath, distribution.files):
        if ".." in path.parts or "_vendored" in path.parts or path.parts[0].endswith(".dist-info"):
            continue
        suffix = next((s for s in suffixes if path.name.endswith(s)), None)
        if suffix and (len(path.parts) == 1 or suffix in compiled):
            names.add(".".join([*path.parts[:-1], path.name[: -len(suffix)]]))
        elif len(path.parts) == 2 and path.name == "__init__.py":
            names.add(path.parts[0])
    found[distribution.metadata["Name"]] = sorted(names)
for name in sorted({name for names in found.values() for name in names}):
    try:
        importlib.import_module(name)
    except BaseException:
        failed[name] = traceback.format_exc()
print(json.dumps({"found": found, "failed": failed}))
"""

HAS_NO_MODULES = {"jupyter"}
OPTIONAL = "No module named 'matplotlib'"  # which matplotlib-inline is for, and does not require
Make = Callable[[str, Interpreter], Path]


@pytest.fixture
def make(serve_lock: ServeLock, ordinary_store: Path, environ: dict[str, str], tmp_path: Path) -> Make:
    """A function that syncs an example lock for a Python, and gives the environment."""

    def make(stem: str, python: Interpreter) -> Path:
        lock = EXAMPLES / f"{stem}.txt"
        index = serve_lock(lock, python).index_url
        store = StoreCommand(
            root=tmp_path, store=ordinary_store, python=python.executable, index_url=index, environ=environ
        )
        ran = store.sync(lock, venv=tmp_path / "env")
        assert (ran.status, ran.errors, ran.warnings) == (0, [], []), ran.stderr
        assert f"Installed {len(pins_for(lock, python.markers))} packages in" in ran.stderr
        return tmp_path / "env"

    return make


def import_everything(environment: Path, environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Import every module of every distribution; their names, by distribution."""
    ran = run([str(environment / "bin/python"), "-c", IMPORT_ALL], environ=environ)
    assert ran.status == 0, ran.stderr
    report = json.loads(ran.stdout.splitlines()[-1])
    assert {name: trace for name, trace in report["failed"].items() if OPTIONAL not in trace} == {}
    assert {name for name, modules in report["found"].items() if not modules} <= HAS_NO_MODULES
    return dict(report["found"])


def check(environment: Path, environ: Mapping[str, str]) -> None:
    """Every RECORD is true, and every dependency is there."""
    check_records(environment)
    ran = run([UV, "pip", "check", "--python", str(environment)], environ=environ)
    assert ran.status == 0, ran.stderr


@pytest.mark.parametrize("minor", cpythons())
def test_the_portable_lock_works_on_every_python(minor: str, make: Make, environ: dict[str, str]) -> None:
    environment = make("portable", cpythons()[minor])
    check(environment, environ)
    assert len(import_everything(environment, environ)) >= 20
    for name in ("httpx", "markdown-it", "normalizer", "pygmentize"):
        ran = run([str(environment / "bin" / name), "--help"], environ=environ)
        assert (ran.status, len(ran.stdout) > 200, ran.stderr) == (0, True, ""), name
    where = "import sys, rich; print(sys.prefix, sys.base_prefix, rich.__file__)"
    prefix, base, file = run([str(environment / "bin/python"), "-c", where], environ=environ).stdout.split()
    assert (prefix, Path(file).is_relative_to(environment)) == (str(environment), True)
    assert base == cpythons()[minor].prefix


def test_jupyter_works(make: Make, python: Interpreter, environ: dict[str, str]) -> None:
    environment = make("jupyter", python)
    check(environment, environ)
    environ = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    assert len(import_everything(environment, environ)) == 96
    for words in (["jupyter", "--version"], ["ipython", "-c", "print(6 * 7)"]):
        ran = run([str(environment / "bin" / words[0]), *words[1:]], environ=environ)
        assert (ran.status, bool(ran.stdout.strip())) == (0, True), ran.stderr
    listed = run([str(environment / "bin/jupyter"), "kernelspec", "list", "--json"], environ=environ)
    assert str(environment / "share/jupyter/kernels/python3") in listed.stdout
