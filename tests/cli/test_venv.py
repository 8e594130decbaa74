from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.front_door import FrontDoor, call_store
from support.interpreters import PYTHONS, facts_of, play_python
from support.servers import IndexServer
from support.trees import check_records, status_below
from support.universe import Universe
from support.wheels import make_wheel

from wheelstore.cli.activating import activation_command, as_typed, shell_of
from wheelstore.materialize.environment import read_state
from wheelstore.materialize.installed import find_distributions
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.seeds import bundled_seeds
from wheelstore.materialize.venv import read_venv

FACTS = facts_of(sys.executable)


def python_with(*, pip: bool, older_than: tuple[int, int] = (4, 0), since: tuple[int, int] = (3, 8)) -> Interpreter:
    """A Python of this machine that comes with pip, or without."""
    for path in PYTHONS:
        facts = facts_of(path)
        if since <= facts.release < older_than and bool(bundled_seeds(facts)) is pip:
            return facts
    pytest.skip("this machine has no such Python")


def installed(venv: Path, facts: Interpreter = FACTS) -> dict[str, str]:
    found = find_distributions(str(venv), (facts.purelib, facts.platlib))
    return {one.distribution.name: one.distribution.version for one in found}


def test_it_says_what_uv_says_and_makes_what_works(store: FrontDoor, work: Path) -> None:
    ran = store("venv")
    assert (ran.status, ran.stdout) == (0, "")
    assert ran.stderr.splitlines() == [
        f"Using CPython {FACTS.version} interpreter at: {FACTS.executable}",
        "Creating virtual environment at: .venv",
        "Activate with: source .venv/bin/activate",
    ]
    probe = "import sys; print(sys.prefix, sys.base_prefix)"
    done = subprocess.run([work / ".venv/bin/python", "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(work / ".venv"), FACTS.prefix]
    done = subprocess.run(
        ["/bin/sh", "-c", ". .venv/bin/activate; echo $VIRTUAL_ENV; command -v python"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(work / ".venv"), str(work / ".venv/bin/python")]
    assert installed(work / ".venv") == {}


def test_a_new_environment_is_registered_and_its_first_sync_changes_it(
    store: FrontDoor, universe: Universe, full_store: Path, work: Path
) -> None:
    store("venv", "sub/env")
    (listed,) = json.loads(store("envs", "--json").stdout)
    assert (listed["path"], listed["packages"], listed["exists"]) == (str(work / "sub/env"), 0, True)
    state = read_state(str(work / "sub/env"))
    assert state is not None
    assert (state.packages, state.python, state.key) == ("0", FACTS.executable, "")
    lock = universe.lock(work / "lock.txt", "alpha==1.0", hashed=False)
    options = ["--no-index", "-f", universe.directory, "--venv", "sub/env"]
    assert store("sync", lock, *options).stderr.splitlines()[1:] == [" + alpha==1.0"]
    assert len(json.loads(store("envs", "--json").stdout)) == 1


def test_what_is_there_stays_unless_it_may_go(store: FrontDoor, work: Path) -> None:
    (work / "full").mkdir()
    (work / "full/thesis.tex").touch()
    (work / "file").touch()
    (work / "empty").mkdir()
    assert store("venv", "env").status == 0
    assert store("venv", "empty").status == 0
    before = status_below(work)
    for path, error, hint in (
        ("env", "a virtual environment already exists at: env", "pass --clear to replace it"),
        ("full", f"{work}/full is not empty and no virtual environment", None),
        ("file", f"{work}/file is a file", None),
    ):
        ran = store("venv", path)
        assert (ran.status, ran.errors, len(ran.hints)) == (1, [error], 1)
        assert "--clear" in ran.hints[0]
        assert hint is None or ran.hints == [hint]
    assert status_below(work) == before
    for path in ("env", "full", "file"):
        assert store("venv", path, "--clear").status == 0
        assert read_venv(str(work / path)) is not None
    assert not (work / "full/thesis.tex").exists()


def test_clear_leaves_the_directory_that_one_is_in(store: FrontDoor, work: Path) -> None:
    (work / "file").touch()
    ran = store("venv", ".", "--clear")
    assert (ran.status, ran.errors) == (1, [f"{work} is not replaced by an environment: it is in use"])
    assert os.listdir(work) == ["file"]


@pytest.mark.parametrize(
    ("words", "prompt"),
    [
        ([], "work"),
        (["env"], None),
        (["sub/.venv"], "sub"),
        (["env", "--prompt", "my 'own'"], "my 'own'"),
        (["env", "--prompt", "."], "work"),
        (["--prompt=x"], "x"),
    ],
)
def test_the_prompt(store: FrontDoor, work: Path, words: list[str], prompt: str | None) -> None:
    assert store("venv", *words).status == 0
    path = work / next((word for word in words[:1] if not word.startswith("-")), ".venv")
    config = read_venv(str(path))
    assert config is not None
    assert config.prompt == prompt
    done = subprocess.run(
        ["/bin/sh", "-c", '. "$1/bin/activate"; printf %s "$VIRTUAL_ENV_PROMPT"', "sh", path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (prompt or path.name)


def test_system_site_packages(store: FrontDoor, work: Path) -> None:
    store("venv", "--system-site-packages")
    assert "include-system-site-packages = true" in (work / ".venv/pyvenv.cfg").read_text()


@pytest.mark.parametrize("words", [["-p", "PYTHON"], ["--python=PYTHON", "-v"]])
def test_the_interpreter_that_was_asked_for(
    store: FrontDoor, tmp_path: Path, work: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    played = play_python(tmp_path / "elsewhere/python3.12", version="3.12.9", implementation="pypy")
    ran = store("venv", *(word.replace("PYTHON", played) for word in words))
    assert ran.stderr.splitlines()[0] == f"Using PyPy 3.12.9 interpreter at: {played}"
    assert os.readlink(work / ".venv/bin/python") == played


def test_json_and_quiet(store: FrontDoor, work: Path) -> None:
    ran = store("venv", "--json")
    assert ran.stderr == ""
    report = json.loads(ran.stdout)
    assert report.pop("seconds") > 0
    assert report == {
        "environment": str(work / ".venv"),
        "python": FACTS.version,
        "interpreter": FACTS.executable,
        "seeds": [],
    }
    ran = store("venv", "-q", "other")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")


def test_an_error_leaves_nothing(store: FrontDoor, work: Path) -> None:
    for words in (["a:b"], ["env", "-p", "3.77"], ["env", "-p", "/nowhere"]):
        ran = store("venv", *words)
        assert (ran.status, len(ran.errors)) == (1, 1)
    assert os.listdir(work) == []


# Seeds


def test_seeds_are_those_that_come_with_the_python(store: FrontDoor, work: Path, universe: Universe) -> None:
    facts = python_with(pip=True, since=(3, 12))
    offline = ["--offline", "-p", facts.executable]
    ran = call_store("venv", "--seed", *offline)
    assert ran.status == 0, ran.stderr
    lines = ran.stderr.splitlines()
    assert lines[1] == "Creating virtual environment with seed packages at: .venv"
    assert [line.partition("==")[0] for line in lines[2:-1]] == [" + pip"]
    assert list(installed(work / ".venv", facts)) == ["pip"]
    check_records(work / ".venv")
    done = subprocess.run([work / ".venv/bin/pip", "--version"], capture_output=True, text=True, check=True)
    assert f"from {work}/.venv" in done.stdout
    # The next one needs nothing but the store, so not even a process to unpack in.
    report = json.loads(store("venv", "other", "--seed", "--json", *offline).stdout)
    assert [one["name"] for one in report["seeds"]] == ["pip"]
    assert [path.name for path in (work / "other/bin").glob("pip*")]


def test_before_python_3_12_setuptools_and_wheel_are_seeds_too(work: Path, tmp_path: Path) -> None:
    facts = python_with(pip=True, older_than=(3, 12))
    wheels = tmp_path / "wheels"
    for version, requires in (("0.1", None), ("0.40", None), ("0.41rc1", None), ("1.0", ">=3.99"), ("0.42", None)):
        make_wheel(wheels, "wheel", version, requires_python=requires)
    with IndexServer(wheels, page_max_age=0) as server:
        server.yank("wheel-0.42-py3-none-any.whl", "broken")
        options = ["--seed", "-p", facts.executable, "-i", server.index_url]
        ran = call_store("venv", *options)
        assert ran.status == 0, ran.stderr
        assert ran.warnings == []
        found = installed(work / ".venv", facts)
        assert sorted(found) == ["pip", "setuptools", "wheel"]
        assert found["wheel"] == "0.40"
        # What the index has since is seen by an add, but only what is here can be had offline.
        make_wheel(wheels, "wheel", "0.43")
        (work / "lock.txt").write_text("wheel==0.1\n")
        assert call_store("add", "lock.txt", *options[1:]).status == 0
    ran = call_store("venv", "other", *options, "--offline")
    assert ran.status == 0, ran.stderr
    assert installed(work / "other", facts)["wheel"] == "0.40"


def test_where_a_python_comes_without_pip_the_index_has_it(work: Path, tmp_path: Path) -> None:
    played = play_python(tmp_path / "bin/python3.12", wheel_pkg_dir="", stdlib=str(tmp_path / "lib"))
    wheels = tmp_path / "wheels"
    for version, tag in (("9.0", "py3-none-any"), ("10.0", "py3-none-any"), ("11.0", "cp27-none-any")):
        make_wheel(wheels, "pip", version, tag=tag)
    ran = call_store("venv", "--seed", "-p", played, "--no-index", "-f", wheels)
    assert ran.status == 0, ran.stderr
    assert " + pip==10.0" in ran.stderr.splitlines()


@pytest.mark.parametrize("words", [["--no-index"], ["--offline"], ["--no-index", "-f", "wheels"]], ids=" ".join)
def test_without_pip_anywhere_nothing_is_made(tmp_path: Path, work: Path, words: list[str]) -> None:
    played = play_python(tmp_path / "bin/python3.12", stdlib=str(tmp_path / "lib"))
    make_wheel(work / "wheels", "pip", "9.0rc1")
    make_wheel(work / "wheels", "pip", "9.0", tag="cp27-none-any")
    ran = call_store("venv", "--seed", "-p", played, *words, PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert (ran.status, ran.errors) == (1, ["no wheel of pip is found for Python 3.12.1"])
    assert len(ran.hints) == 1
    assert os.listdir(work) == ["wheels"]


def test_a_sync_keeps_the_seeds(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    facts = python_with(pip=True, since=(3, 12))
    options = ["--no-index", "-f", universe.directory, "-p", facts.executable]
    assert call_store("venv", "--seed", *options).status == 0
    pip = installed(work / ".venv", facts)["pip"]
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock, *options).stderr.splitlines()[1:] == [" + alpha==1.0"]
    universe.lock(lock, "alpha==2.0", "beta==1.0")
    assert store("sync", lock, *options).status == 0
    assert installed(work / ".venv", facts) == {"alpha": "2.0", "beta": "1.0", "pip": pip}
    assert subprocess.run([work / ".venv/bin/pip", "--version"], capture_output=True, check=True).stdout
    universe.lock(lock, "pip==99.0")
    assert store("sync", lock, *options).status == 0
    assert installed(work / ".venv", facts) == {"pip": "99.0"}
    universe.lock(lock, "alpha==1.0")
    assert store("sync", lock, *options).status == 0
    assert installed(work / ".venv", facts) == {"alpha": "1.0", "pip": "99.0"}
    check_records(work / ".venv")


def test_a_plain_environment_keeps_no_pip(store: FrontDoor, universe: Universe, full_store: Path, work: Path) -> None:
    options = ["--no-index", "-f", universe.directory]
    lock = universe.lock(work / "lock.txt", "pip==99.0", "alpha==1.0")
    store("venv")
    assert store("sync", lock, *options).status == 0
    universe.lock(lock, "alpha==1.0")
    assert store("sync", lock, *options).stderr.splitlines()[1:] == [" - pip==99.0"]


# How to activate


@pytest.mark.parametrize(
    ("environ", "platform", "shell"),
    [
        ({"SHELL": "/bin/bash"}, "linux", "bash"),
        ({"SHELL": "/usr/bin/fish"}, "linux", "fish"),
        ({"SHELL": "/bin/bash", "FISH_VERSION": "3.6"}, "linux", "fish"),
        ({"SHELL": "/bin/bash", "NU_VERSION": "0.90"}, "linux", "nu"),
        ({}, "linux", "bash"),
        ({}, "win32", "cmd"),
        ({"PSModulePath": "x"}, "win32", "powershell"),
        ({"PSModulePath": "x", "SHELL": "/usr/bin/bash.exe"}, "win32", "bash"),
    ],
)
def test_the_shell(environ: dict[str, str], platform: str, shell: str) -> None:
    assert shell_of(environ, platform) == shell


@pytest.mark.parametrize(
    ("environment", "scripts", "shell", "command"),
    [
        (".venv", "bin", "bash", "source .venv/bin/activate"),
        (".venv", "bin", "zsh", "source .venv/bin/activate"),
        (".venv", "bin", "dash", ". .venv/bin/activate"),
        (".venv", "bin", "fish", "source .venv/bin/activate.fish"),
        (".venv", "bin", "tcsh", "source .venv/bin/activate.csh"),
        (".venv", "bin", "pwsh", ".venv/bin/activate.ps1"),
        (".venv", "bin", "nu", None),
        ("my env", "bin", "bash", "source 'my env/bin/activate'"),
        ("it's", "bin", "bash", r"source 'it'\''s/bin/activate'"),
        ("it's", "bin", "fish", r"source 'it\'s/bin/activate.fish'"),
        ("my env", "bin", "pwsh", "& 'my env/bin/activate.ps1'"),
        (".venv", "Scripts", "cmd", ".venv/Scripts/activate"),
        ("my env", "Scripts", "cmd", '"my env/Scripts/activate"'),
    ],
)
@pytest.mark.skipif(os.sep != "/", reason="written with /")
def test_how_to_activate(environment: str, scripts: str, shell: str, command: str | None) -> None:
    assert activation_command(environment, scripts, shell) == command


@pytest.mark.parametrize("name", ["plain", "it's", 'a "b" $c `d`', "!x", "a b", "-n"])
@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "tcsh", "zsh"])
def test_what_it_says_can_be_typed(store: FrontDoor, work: Path, name: str, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    path = f"./{name}" if name.startswith("-") else name
    os.environ["SHELL"] = f"/bin/{shell}"
    line = store("venv", path).stderr.splitlines()[-1].removeprefix("Activate with: ")
    done = subprocess.run([shell, "-c", f"{line}; printenv VIRTUAL_ENV"], capture_output=True, text=True, check=False)
    assert done.stdout == f"{work / name}\n", done.stderr


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("/a/b/.venv", ".venv"),
        ("/a/b/c/d", "c/d"),
        ("/a/b", "/a/b"),
        ("/a/bc", "/a/bc"),
        ("/a/b/-p", "./-p"),
        ("/x", "/x"),
    ],
)
@pytest.mark.skipif(os.sep != "/", reason="written with /")
def test_paths_as_they_would_be_typed(path: str, typed: str) -> None:
    assert as_typed(path, "/a/b") == typed
    assert as_typed("/x/y", "/") == "x/y"
