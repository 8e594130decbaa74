import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.interpreters import facts_of
from support.stores import tree_of

from wheelstore.materialize.mending import mend_venv
from wheelstore.materialize.venv import write_venv

PYTHON = facts_of(sys.executable)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    path = tmp_path / "env"
    write_venv(str(path), final=str(path), interpreter=PYTHON, prompt="spam", system_site_packages=True)
    return path


def test_what_is_whole_is_left_alone(environment: Path) -> None:
    before = tree_of(environment)
    assert (mend_venv(str(environment), PYTHON), tree_of(environment)) == (0, before)


def link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no interpreter": lambda path: (path / "bin/python").unlink(),
    "another interpreter": lambda path: link(path / "bin/python", "/bin/true"),
    "no activation": lambda path: (path / "bin/activate").unlink(),
    "empty activation": lambda path: (path / "bin/activate.fish").write_bytes(b""),
    "empty ignore file": lambda path: (path / ".gitignore").write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_made_again(environment: Path, damage: str) -> None:
    before = tree_of(environment)
    DAMAGES[damage](environment)
    assert (mend_venv(str(environment), PYTHON), tree_of(environment)) == (1, before)


def test_an_empty_configuration_is_made_again_as_far_as_it_is_known(environment: Path) -> None:
    (environment / "pyvenv.cfg").write_bytes(b"")
    assert mend_venv(str(environment), PYTHON) > 0
    prefix = "import sys; print(sys.prefix)"
    answer = subprocess.run([environment / "bin/python", "-c", prefix], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == str(environment)


def test_a_moved_environment_activates_where_it_is(environment: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    environment.rename(moved)
    assert mend_venv(str(moved), PYTHON) == 3  # those that name it: bash, csh and fish
    for path in (moved / "bin").iterdir():
        assert path.is_symlink() or str(environment).encode() not in path.read_bytes()
    assert b"spam" in (moved / "bin/activate").read_bytes()


def test_what_users_changed_stays(environment: Path) -> None:
    with open(environment / "pyvenv.cfg", "a") as stream:
        stream.write("own = 1\n")
    (environment / ".gitignore").unlink()
    (environment / "CACHEDIR.TAG").write_text("mine\n")
    before = tree_of(environment)
    assert (mend_venv(str(environment), PYTHON), tree_of(environment)) == (0, before)


def test_another_tool_s_venv_is_not_ours_to_mend(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    os.unlink(tmp_path / "env/bin/activate")
    assert mend_venv(str(tmp_path / "env"), PYTHON) == 0
    shutil.rmtree(tmp_path / "env/bin")
    assert mend_venv(str(tmp_path / "env"), PYTHON) == 0
