"""Which interpreter a request finds, among scripts that play Pythons, and among the real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.interpreters import DictMemory, play_python, script

from wheelstore.materialize.discovery import BadRequest, InterpreterNotFound, find_interpreter, natural_order
from wheelstore.materialize.interpreter import Interpreter, InterpreterFailed
from wheelstore.materialize.probe import probe


def find(request: str | None, *search_path: Path, **places: object) -> str:
    found = find_interpreter(request, search_path=[str(path) for path in search_path], memory=DictMemory(), **places)  # type: ignore[arg-type]
    return found.executable


def environment(path: Path, python: str) -> Path:
    """An environment as far as a search is concerned; its directory of executables."""
    (path / "bin").mkdir(parents=True)
    (path / "pyvenv.cfg").write_text(f"home = {os.path.dirname(python)}\n")
    (path / "bin/python").symlink_to(python)
    (path / "bin/python3").symlink_to("python")
    return path / "bin"


def test_no_request_means_the_first_that_works(tmp_path: Path) -> None:
    script(tmp_path / "a/python3", "exit 1")
    script(tmp_path / "b/python3", """echo; echo 'wheelstore-probe:{"version": "3.7.16"}'""")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/python3").write_text("not executable")
    (tmp_path / "d/python3").mkdir(parents=True)
    first = play_python(tmp_path / "e/python3")
    play_python(tmp_path / "e/python", version="3.13.0")
    play_python(tmp_path / "f/python3", version="3.14.0")
    path = [tmp_path / name for name in "abcdef"]
    assert find(None, *path) == first
    assert find("any", *path) == first
    assert find("python", *path) == first


def test_a_directory_may_have_python_alone(tmp_path: Path) -> None:
    alone = play_python(tmp_path / "a/python")
    assert find(None, tmp_path / "a") == alone


def test_directories_are_searched_in_their_order(tmp_path: Path) -> None:
    generic = play_python(tmp_path / "a/python3", version="3.12.1")
    play_python(tmp_path / "b/python3.12", version="3.12.9")
    assert find("3.12", tmp_path / "a", tmp_path / "b") == generic


def test_a_telling_name_comes_first_in_a_directory(tmp_path: Path) -> None:
    play_python(tmp_path / "a/python3", version="3.12.1")
    telling = play_python(tmp_path / "a/python3.12", version="3.12.9")
    assert find("3.12", tmp_path / "a") == telling


def test_a_name_that_lies_is_passed_over(tmp_path: Path) -> None:
    play_python(tmp_path / "a/python3.12", version="3.11.0")
    right = play_python(tmp_path / "b/python3.12")
    assert find("3.12", tmp_path / "a", tmp_path / "b") == right


def test_a_shim_for_a_version_that_is_not_active_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "shims/python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    play_python(tmp_path / "shims/python3", version="3.11.0")
    installed = play_python(tmp_path / "versions/3.12.1/bin/python3.12")
    places = {"installations": [str(tmp_path / "versions")]}
    assert find("3.12", tmp_path / "shims", **places) == installed


def test_the_newest_installation_comes_first(tmp_path: Path) -> None:
    for version in ("3.12.1", "3.12.10", "3.12.9", "3.13.0"):
        play_python(tmp_path / f"versions/{version}/bin/python3", version=version)
    environment(tmp_path / "versions/3.99-env", play_python(tmp_path / "elsewhere/python3", version="3.12.99"))
    places = {"installations": [str(tmp_path / "missing"), str(tmp_path / "versions")]}
    assert find("3.12", **places) == str(tmp_path / "versions/3.12.10/bin/python3")
    assert find(None, **places) == str(tmp_path / "versions/3.13.0/bin/python3")


def test_the_search_path_comes_before_installations_and_the_registry(tmp_path: Path) -> None:
    registered = play_python(tmp_path / "r/python.exe")
    places: dict[str, object] = {"registered": [str(tmp_path / "gone.exe"), registered]}
    assert find("3.12", **places) == registered
    installed = play_python(tmp_path / "versions/x/bin/python3")
    places["installations"] = [str(tmp_path / "versions")]
    assert find("3.12", **places) == installed
    on_path = play_python(tmp_path / "bin/python3")
    assert find("3.12", tmp_path / "bin", **places) == on_path


def test_a_range_also_finds_names_with_a_version(tmp_path: Path) -> None:
    play_python(tmp_path / "a/python3", version="3.13.0")
    play_python(tmp_path / "a/python3.9", version="3.9.1")
    right = play_python(tmp_path / "a/python3.10", version="3.10.1")
    play_python(tmp_path / "a/python3.8", version="3.8.1")
    assert find(">=3.8,<3.11", tmp_path / "missing", tmp_path / "a") == right


def test_an_implementation_is_found_by_its_own_names(tmp_path: Path) -> None:
    play_python(tmp_path / "a/python3.10", version="3.10.1")
    pypy = play_python(tmp_path / "a/pypy3", version="3.10.14", implementation="pypy")
    assert find("pypy3.10", tmp_path / "a") == pypy
    assert find("pypy", tmp_path / "a") == pypy


def test_special_builds_only_come_when_asked_for(tmp_path: Path) -> None:
    free = play_python(tmp_path / "a/python3.13t", version="3.13.0", gil_disabled=True)
    play_python(tmp_path / "a/python3.13", version="3.13.0", gil_disabled=True)
    plain = play_python(tmp_path / "b/python3.13", version="3.13.0")
    assert find("3.13", tmp_path / "a", tmp_path / "b") == plain
    assert find("3.13t", tmp_path / "a", tmp_path / "b") == free


def test_environments_on_the_path_are_passed_over(tmp_path: Path) -> None:
    base = play_python(tmp_path / "base/python3.11", version="3.11.0")
    active = environment(tmp_path / "env", base)
    outside = play_python(tmp_path / "a/python3", version="3.12.1")
    assert find(None, active, tmp_path / "a") == outside
    assert find("3.11", active, tmp_path / "a") == base
    assert find(None, active) == base


def test_relative_directories_of_the_path_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play_python(tmp_path / "here/python3")
    monkeypatch.chdir(tmp_path)
    for directory in ("here", "", "."):
        with pytest.raises(InterpreterNotFound):
            find(None, Path(directory))


@pytest.mark.parametrize("text", ["{0}", "{0}/", "{0}/bin/python", "env", "./env", "env/bin/python3"])
def test_an_environment_stands_for_its_base(text: str, tmp_path: Path) -> None:
    base = play_python(tmp_path / "base/python3.11", version="3.11.0")
    environment(tmp_path / "env", base)
    assert find(text.format(tmp_path / "env"), directory=str(tmp_path)) == base


def test_an_installation_is_a_request(tmp_path: Path) -> None:
    python = play_python(tmp_path / "opt/bin/python3")
    assert find(str(tmp_path / "opt")) == python
    windows = play_python(tmp_path / "win/Scripts/python")
    assert find(str(tmp_path / "win")) == windows
    pypy = play_python(tmp_path / "pypy/bin/pypy3", implementation="pypy")
    assert find(str(tmp_path / "pypy")) == pypy


def test_a_version_is_no_directory_that_happens_to_be_there(tmp_path: Path) -> None:
    play_python(tmp_path / "3.12/bin/python", version="3.11.0")
    right = play_python(tmp_path / "a/python3.12")
    assert find("3.12", tmp_path / "a", directory=str(tmp_path)) == right


def test_a_name_is_looked_for_on_the_path(tmp_path: Path) -> None:
    named = play_python(tmp_path / "b/mypython", version="3.9.1")
    assert find("mypython", tmp_path / "a", tmp_path / "b") == named


def test_a_path_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(InterpreterFailed, match="does not exist"):
        find(str(tmp_path / "python"))
    with pytest.raises(InterpreterFailed, match=r"is Python 3\.7\.1; 3\.8 or newer is needed"):
        find(script(tmp_path / "python", """echo; echo 'wheelstore-probe:{"version": "3.7.1"}'"""))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (None, "Python is not found"),
        ("3.14", "Python 3.14 is not found"),
        ("mypython", "an executable mypython is not found"),
        ("./empty", "a Python in ./empty is not found"),
    ],
)
def test_nothing_found_says_so(request_: str | None, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InterpreterNotFound) as caught:
        find(request_, tmp_path / "missing", directory=str(tmp_path))
    assert str(caught.value) == message
    assert caught.value.hint == "name one with --python PATH"


def test_the_hint_lists_what_there_is(tmp_path: Path) -> None:
    one = play_python(tmp_path / "a/python3", version="3.11.7")
    two = play_python(tmp_path / "b/python3", version="3.9.1")
    script(tmp_path / "c/python3", "exit 1")
    with pytest.raises(InterpreterNotFound) as caught:
        find("3.14", *(tmp_path / name for name in "abca"))
    assert caught.value.hint == f"there is 3.11.7 ({one}), 3.9.1 ({two})"
    assert [found.version for found in caught.value.found] == ["3.11.7", "3.9.1"]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ("2.7", "Python 3.8 or newer is needed"),
        ("python2", "Python 3.8 or newer is needed"),
        ("37", "Python 3.8 or newer is needed"),
        (">=x", ">=x is no version specifier"),
    ],
)
def test_a_request_that_nothing_can_fit_is_refused(request_: str, reason: str) -> None:
    with pytest.raises(BadRequest) as caught:
        find(request_)
    assert str(caught.value) == f"--python {request_}: {reason}"


def test_a_real_python_and_its_environment_are_one(tmp_path: Path) -> None:
    python = os.path.realpath(sys.executable)
    subprocess.run([python, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    expected = probe(python)
    memory = DictMemory()

    def found(request: str) -> Interpreter:
        return find_interpreter(request, search_path=[os.path.dirname(python)], memory=memory)

    assert found(str(tmp_path / "env")) == expected
    assert list(memory.values) == [f"interpreter:{python}"], "the environment's own packages have no say"
    assert found("{}.{}".format(*sys.version_info[:2])) == expected
    assert found(expected.version) == expected


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)), unique=True))
def test_versions_are_ordered_by_number(versions: list[tuple[int, int, int]]) -> None:
    texts = ["{}.{}.{}".format(*version) for version in versions]
    assert sorted(texts, key=natural_order) == ["{}.{}.{}".format(*version) for version in sorted(versions)]


@given(st.lists(st.text()))
def test_any_names_have_an_order(names: list[str]) -> None:
    sorted(names, key=natural_order)
