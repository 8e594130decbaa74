"""What stands behind pyenv's shims, compared with pyenv itself where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from wheelstore.materialize.shims import without_shims


@pytest.fixture
def pyenv(tmp_path: Path) -> Path:
    """A pyenv with some versions."""
    root = tmp_path / "pyenv"
    (root / "shims").mkdir(parents=True)
    for version in ("3.9.18", "3.12.2", "3.12.10", "3.12-dev", "pypy3.10-7.3.15"):
        (root / "versions" / version / "bin").mkdir(parents=True)
        (root / "versions" / version / "bin/python3").touch(0o755)
    return root


def behind(pyenv: Path, directory: Path, chosen: str = "") -> list[str]:
    path = without_shims(["/first", f"{pyenv}/shims", "/last"], directory=str(directory), chosen=chosen)
    assert (path[0], path[-1]) == ("/first", "/last")
    return [one.removeprefix(f"{pyenv}/versions/").removesuffix("/bin") for one in path[1:-1]]


CHOICES = [
    ("3.9.18", ["3.9.18"]),
    ("3.12", ["3.12.10"]),
    ("python-3.9.18", ["3.9.18"]),
    ("3.12-dev:3.9.18", ["3.12-dev", "3.9.18"]),
    ("pypy3.10-7.3.15", ["pypy3.10-7.3.15"]),
    ("3.7", []),
    ("system", []),
    ("../versions/3.9.18", []),
]


@pytest.mark.parametrize(("chosen", "expected"), CHOICES)
def test_a_variable_chooses(pyenv: Path, tmp_path: Path, chosen: str, expected: list[str]) -> None:
    (tmp_path / ".python-version").write_text("3.12.2\n")
    assert behind(pyenv, tmp_path, chosen) == expected


@pytest.mark.parametrize(("chosen", "expected"), CHOICES)
def test_a_file_chooses(pyenv: Path, tmp_path: Path, chosen: str, expected: list[str]) -> None:
    (tmp_path / ".python-version").write_text("# a remark\n\n" + chosen.replace(":", " remark\r\n") + "\n")
    (tmp_path / "project/below").mkdir(parents=True)
    assert behind(pyenv, tmp_path / "project/below") == expected


def test_without_either_it_is_the_global_version(pyenv: Path, tmp_path: Path) -> None:
    assert behind(pyenv, tmp_path) == []
    (pyenv / "version").write_text("3.9.18\n")
    assert behind(pyenv, tmp_path) == ["3.9.18"]


def test_other_directories_of_that_name_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shims").mkdir()
    assert without_shims([f"{tmp_path}/shims"], directory="/") == [f"{tmp_path}/shims"]


@pytest.mark.skipif(shutil.which("pyenv") is None, reason="there is no pyenv to compare with")
@pytest.mark.parametrize("chosen", ["3.12", "3.9.18", "3.12-dev:3.9.18"])
def test_pyenv_finds_the_same(pyenv: Path, tmp_path: Path, chosen: str) -> None:
    environ = {**os.environ, "PYENV_ROOT": str(pyenv), "PYENV_VERSION": chosen}
    ran = subprocess.run(["pyenv", "which", "python3"], env=environ, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"{pyenv}/versions/{behind(pyenv, tmp_path, chosen)[0]}/bin/python3"
