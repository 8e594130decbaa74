from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest
from support.commands import eventually
from support.interpreters import every_python
from support.projects import BACKEND, make_project

from wheelstore.materialize.pep517 import (
    LEGACY,
    BackendFailed,
    Backends,
    BadBuildSystem,
    build_requires,
    build_system,
)

BACKENDS = Backends(os.environ)


@every_python
def test_metadata_comes_from_the_hook(tmp_path: Path, python: str) -> None:
    tree = make_project(tmp_path / "demo", more_requires=("helper",))
    assert BACKENDS.metadata(tree, python).startswith(b"Metadata-Version: 2.1\nName: demo\n")
    assert BACKENDS.requires(tree, python) == ("helper",)


def test_without_the_hook_a_wheel_is_built_and_read(tmp_path: Path) -> None:
    tree = make_project(
        tmp_path / "demo", extra="\ndel prepare_metadata_for_build_wheel, get_requires_for_build_wheel\n"
    )
    assert b"Name: demo" in BACKENDS.metadata(tree, sys.executable)
    assert BACKENDS.requires(tree, sys.executable) == ()


def test_the_backend_runs_in_the_tree_without_other_packages(tmp_path: Path) -> None:
    """What it says, it says about its process."""
    says = "\ndef get_requires_for_build_wheel(config_settings=None):\n    return [os.getcwd(), *sys.path]\n"
    tree = make_project(tmp_path / "demo", extra=says)
    meddling = Backends({**os.environ, "PYTHONPATH": str(tmp_path / "meddling")})
    cwd, *path = meddling.requires(tree, sys.executable)
    assert cwd == str(tree)
    assert str(tmp_path / "meddling") not in path


def test_a_project_that_names_no_backend_is_setuptools(tmp_path: Path) -> None:
    assert build_system(tmp_path) == (("setuptools >= 40.8.0",), LEGACY, ())
    (tmp_path / "pyproject.toml").write_text("[tool.x]\n")
    assert build_requires(tmp_path) == ("setuptools >= 40.8.0",)
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires = ["setuptools", "wheel"]\n')
    assert build_system(tmp_path) == (("setuptools", "wheel"), LEGACY, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[build-system]\n", "no list 'requires'"),
        ("build-system = 1\n", "no list 'requires'"),
        ("[build-system\n", r"pyproject\.toml"),
        ('[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = "x"\n', "backend-path no list"),
    ],
)
def test_a_build_system_that_makes_no_sense_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(BadBuildSystem, match=message):
        build_system(tmp_path)


def test_a_backend_path_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires=[]\nbuild-backend="b"\nbackend-path=["../x"]\n')
    with pytest.raises(BadBuildSystem, match="inside source tree"):
        BACKENDS.metadata(tmp_path, sys.executable)


def test_a_failure_has_the_last_lines(tmp_path: Path) -> None:
    fails = "\nfor number in range(100):\n    print('line', number)\nraise RuntimeError('no compiler')\n"
    tree = make_project(tmp_path / "demo", extra=fails)
    with pytest.raises(BackendFailed, match="it exited with 1") as caught:
        BACKENDS.metadata(tree, sys.executable)
    assert len(caught.value.lines) == 10
    assert caught.value.lines[-1] == "RuntimeError: no compiler"


def test_a_backend_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "nobodys_backend"\n')
    with pytest.raises(BackendFailed, match=r"cannot be imported .*nobodys_backend"):
        BACKENDS.metadata(tmp_path, sys.executable)


def test_a_backend_that_writes_nothing_is_told(tmp_path: Path) -> None:
    says = "\ndef prepare_metadata_for_build_wheel(directory, config_settings=None):\n    return 'absent'\n"
    with pytest.raises(BackendFailed, match="wrote no METADATA"):
        BACKENDS.metadata(make_project(tmp_path / "demo", extra=says), sys.executable)


def test_an_interpreter_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendFailed, match="cannot be started"):
        BACKENDS.metadata(make_project(tmp_path / "demo"), str(tmp_path / "python"))


HANGS = BACKEND.format(name="demo", version="1.0", requires=[]) + (
    "\nimport subprocess\n"
    "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
    "open('started', 'w').write(f'{os.getpid()} {child.pid}\\n')\n"
    "child.wait()\n"
)


@pytest.mark.skipif(os.name == "nt", reason="there are no sessions")
def test_a_backend_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    tree = make_project(tmp_path / "demo", backend=HANGS)
    with pytest.raises(BackendFailed, match="took more than 3 seconds"):
        Backends(os.environ, timeout=3).metadata(tree, sys.executable)
    processes = (tree / "started").read_text().split()
    eventually(lambda: not any(_runs(int(process)) for process in processes))


@pytest.mark.skipif(os.name == "nt", reason="there are no sessions")
def test_stopping_ends_what_runs_in_other_threads(tmp_path: Path) -> None:
    tree = make_project(tmp_path / "demo", backend=HANGS)
    backends = Backends(os.environ)
    errors: list[BackendFailed] = []

    def ask() -> None:
        try:
            backends.metadata(tree, sys.executable)
        except BackendFailed as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    eventually(lambda: (tree / "started").exists() and (tree / "started").read_text().endswith("\n"))
    backends.stop()
    thread.join()
    assert [error.reason for error in errors] == ["it was stopped"]
    with pytest.raises(BackendFailed, match="being stopped"):
        backends.metadata(tree, sys.executable)


def _runs(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
