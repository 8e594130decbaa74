"""What others do to an environment is noticed by the next sync and put right; what they do not do is not.

With the real pip and uv.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import UV
from support.front_door import call_store
from support.interpreters import facts_of
from support.sweeping import content
from support.universe import Universe
from support.wheels import make_wheel

from wheelstore.materialize.environment import marks_of, read_state, write_state

FACTS = facts_of(sys.executable)
PINS = ("alpha==1.0", "beta==1.0", "gamma==1.0")
WRITTEN, LINKED = "alpha-1.0.dist-info/RECORD", "gamma-1.0.dist-info/RECORD"
"""The RECORD of a wheel with scripts is the environment's own; others are the store's."""


@pytest.fixture(autouse=True)
def lock(full_store: Path, universe: Universe, work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock in the working directory, for which nothing has to be fetched unless it is damaged."""
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))
    return universe.lock(work / "lock.txt", *PINS)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel that no lock names."""
    return make_wheel(tmp_path / "wheels", "zulu", "1.0", files={"zulu.py": b""})


def everything(venv: Path) -> dict[str, str]:
    """Every file's mode and bytes, but for what only uv has a use for."""
    return {name: what for name, what in content(venv).items() if name != ".lock"}


class Others:
    """What others do to the environment at `venv`."""

    def __init__(self, venv: Path, universe: Universe, wheel: Path) -> None:
        self.venv, self.site, self.universe, self.wheel = venv, venv / FACTS.purelib, universe, wheel

    def pip(self, *words: object) -> None:
        """Call the pip of the base Python, for this environment."""
        self._run(FACTS.executable, "-m", "pip", "--python", self.venv / "bin/python", *words)

    def uv(self, *words: object) -> None:
        """Call ``uv pip``, for this environment."""
        self._run(UV, "pip", *words, "--python", self.venv / "bin/python")

    def _run(self, *words: object) -> None:
        environ = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_NO_CONFIG": "1"}
        done = subprocess.run([*map(str, words)], env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def edit(self, path: str, *, grow: bool) -> None:
        """Change a file in place, whatever else is a link to it."""
        file = self.site / path
        mode, text = file.stat().st_mode, file.read_bytes()
        file.chmod(0o644)
        with file.open("r+b") as stream:
            stream.write(text[::-1] + (b"more\n" if grow else b""))
        file.chmod(mode)

    def delete(self, *paths: str) -> None:
        """Delete files of the environment."""
        for path in paths:
            (self.venv / path).unlink()

    def replace(self, path: str) -> None:
        """Put another file of the same size and time in the place of one."""
        file = self.site / path
        status = file.stat()
        other = file.with_name("other")
        other.write_bytes(file.read_bytes()[::-1])
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(file)


Drift = Callable[[Others], object]
DRIFTS: dict[str, Drift] = {
    "pip install": lambda others: others.pip("install", others.wheel),
    "pip install of another version": lambda others: others.pip(
        "install", "--no-deps", others.universe.wheels["alpha==2.0"]
    ),
    "pip uninstall": lambda others: others.pip("uninstall", "-y", "alpha", "gamma"),
    "uv pip install": lambda others: others.uv("install", "--offline", others.wheel),
    "uv pip install of another version": lambda others: others.uv(
        "install", "--offline", others.universe.wheels["alpha==2.0"]
    ),
    "uv pip uninstall": lambda others: others.uv("uninstall", "beta"),
    "a script is deleted": lambda others: others.delete("bin/alpha"),
    "the interpreter's link is deleted": lambda others: others.delete("bin/python"),
    "a RECORD is deleted": lambda others: (others.site / LINKED).unlink(),
    "a RECORD of its own is edited": lambda others: others.edit(WRITTEN, grow=False),
    "a RECORD of its own grows": lambda others: others.edit(WRITTEN, grow=True),
    "a RECORD of its own is replaced": lambda others: others.replace(WRITTEN),
    "a RECORD from the store is edited": lambda others: others.edit(LINKED, grow=False),
    "a RECORD from the store grows": lambda others: others.edit(LINKED, grow=True),
    "pyvenv.cfg is deleted": lambda others: others.delete("pyvenv.cfg"),
    "pyvenv.cfg is emptied": lambda others: (others.venv / "pyvenv.cfg").write_text(""),
    "pyvenv.cfg and a script are deleted": lambda others: others.delete("pyvenv.cfg", "bin/alpha"),
    "pyvenv.cfg and the interpreter's link are deleted": lambda others: others.delete("pyvenv.cfg", "bin/python"),
}


@pytest.fixture(params=["hardlink", "copy"])
def venv(request: pytest.FixtureRequest, work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new environment, in which the store's files are links, or copies of its own."""
    monkeypatch.setenv("STORE_LINK_MODE", request.param)
    sync()
    return work / ".venv"


def sync() -> str:
    """What a sync says first, without the time that it took."""
    ran = call_store("sync", "lock.txt")
    assert ran.status == 0, ran.stderr
    return ran.stderr.partition(" in ")[0]


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_is_noticed_and_put_right(venv: Path, drift: str, universe: Universe, wheel: Path) -> None:
    fresh = everything(venv)
    DRIFTS[drift](Others(venv, universe, wheel))
    assert everything(venv) != fresh
    assert not sync().startswith("Audited")
    assert everything(venv) == fresh
    assert sync() == "Audited 3 packages"
    assert everything(venv) == fresh


@pytest.mark.parametrize("venv", ["hardlink"], indirect=True)
@pytest.mark.parametrize("mode", [0o000, 0o200])
def test_a_configuration_that_nobody_can_read_is_mended(venv: Path, mode: int) -> None:
    fresh = everything(venv)
    (venv / "pyvenv.cfg").chmod(mode)
    ran = call_store("sync", "lock.txt", powerless=True)
    assert ran.status == 0, ran.stderr
    assert not ran.stderr.startswith("Audited")
    assert everything(venv) == fresh


@pytest.mark.parametrize("venv", ["hardlink"], indirect=True)
def test_use_is_no_drift(venv: Path, universe: Universe, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX")
    assert sync() == "Audited 3 packages"
    state = read_state(str(venv))
    others = Others(venv, universe, wheel)
    subprocess.run([venv / "bin/python", "-c", "import alpha.old, beta, gamma"], check=True)
    subprocess.run([venv / "bin/python", "-m", "compileall", "-q", others.site], check=True)
    assert list(others.site.rglob("*.pyc"))
    others.pip("list")
    others.pip("check")
    others.uv("list")
    others.uv("check")
    assert sync() == "Audited 3 packages"
    assert read_state(str(venv)) == state


@pytest.mark.parametrize("venv", ["hardlink"], indirect=True)
def test_a_state_that_knows_no_more_than_directories_still_holds(venv: Path) -> None:
    state = read_state(str(venv))
    assert state is not None
    write_state(str(venv), state._replace(marks=marks_of(str(venv), (FACTS.purelib, FACTS.scripts))))
    assert sync() == "Audited 3 packages"
