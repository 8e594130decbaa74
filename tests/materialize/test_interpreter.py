"""Facts of real Pythons, what is remembered of them, and executables that are none."""

from __future__ import annotations

import json
import os
import pickle
import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.interpreters import DictMemory, describe, every_python, facts_of, installed_pythons, play_python, script

from wheelstore.materialize import _probe_script
from wheelstore.materialize.interpreter import Interpreter, InterpreterFailed, InterpreterTooOld, ask, stamp
from wheelstore.materialize.probe import probe
from wheelstore.materialize.seeds import bundled_pip

_ENVIRONMENT = "import json, pip._vendor.packaging.markers as m; print(json.dumps(m.default_environment()))"


@every_python
def test_facts_are_those_of_the_base_interpreter(python: str) -> None:
    facts = probe(python)
    assert os.path.samefile(facts.executable, python)
    told = subprocess.check_output([python, "-I", "-c", "import sys; print(sys.version_info[:2], sys.base_prefix)"])
    assert told.decode().strip() == f"{facts.release} {facts.prefix}"
    assert os.path.isfile(os.path.join(facts.stdlib, "os.py"))


@every_python
def test_markers_are_what_packaging_says_inside(python: str) -> None:
    facts = facts_of(python)
    pip = bundled_pip(facts)
    if pip is None:
        pytest.skip(f"{python} comes without a pip wheel")
    inside = subprocess.check_output([python, "-c", _ENVIRONMENT], env={**os.environ, "PYTHONPATH": pip})
    assert facts.markers == json.loads(inside)


@every_python
@pytest.mark.parametrize("kind", ["--symlinks", "--copies"])
def test_an_environments_python_answers_for_its_base(python: str, kind: str, tmp_path: Path) -> None:
    if kind == "--copies" and facts_of(python).implementation == "pypy":
        pytest.skip("PyPy copies all of its prefix, for a distribution's that is /usr/lib")
    made = subprocess.run([python, "-m", "venv", "--without-pip", kind, str(tmp_path / "env")], capture_output=True)
    if made.returncode:
        pytest.skip(f"{python} cannot make a venv: {made.stderr.decode()[-200:]}")
    assert probe(str(tmp_path / "env/bin/python")) == facts_of(python)


def test_every_name_of_one_python_is_one_interpreter(tmp_path: Path) -> None:
    link = tmp_path / "my-python"
    link.symlink_to(os.path.realpath(sys.executable))
    assert probe(str(link)) == facts_of(sys.executable)


def test_the_probe_names_the_c_library() -> None:
    assert _probe_script.elf_loader("/bin/sh").startswith(("/lib", ""))
    assert _probe_script.elf_loader(__file__) == ""
    if sys.platform == "linux":
        family, _, version = facts_of(sys.executable).libc.partition(" ")
        assert family in ("glibc", "musl")
        assert version[:1].isdigit()


def test_facts_survive_being_written_down() -> None:
    facts = describe(executable="/odd \udc80 name/\u00e9", debug=True, pointer_bits=32)
    copy = Interpreter.from_bytes(facts.to_bytes())
    assert copy == facts
    assert hash(copy) == hash(facts)
    assert copy.identity == facts.identity
    assert (copy.debug, copy.gil_disabled, copy.pointer_bits) == (True, False, 32)
    assert pickle.loads(pickle.dumps(facts)) == facts


@example(text="\ud800", flag=False)
@example(text="caf\udce9", flag=True)
@given(st.text(st.characters(codec=None, exclude_characters="\0")), st.booleans())
def test_any_text_survives(text: str, flag: bool) -> None:
    facts = describe(prefix=text, markers={"platform_version": text}, gil_disabled=flag)
    assert Interpreter.from_bytes(facts.to_bytes()) == facts


@given(st.binary() | st.binary().map(lambda tail: describe().to_bytes()[:-5] + tail))
def test_other_bytes_are_no_facts(data: bytes) -> None:
    with suppress(ValueError):
        Interpreter.from_bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        describe().to_bytes().replace(b"interpreter 1", b"interpreter 0"),
        describe().to_bytes()[:-1] + b"\0",
        describe().to_bytes().replace(b"debug\x000", b"debug\0x"),
    ],
)
def test_damaged_facts_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        Interpreter.from_bytes(data)


def test_facts_are_complete_and_typed() -> None:
    with pytest.raises(TypeError, match="surplus"):
        describe(surplus="")
    with pytest.raises(TypeError, match="pointer_bits"):
        describe(pointer_bits="64")


def test_facts_do_not_change() -> None:
    with pytest.raises(AttributeError):
        describe().version = "4"


@pytest.mark.parametrize(
    ("facts", "same"),
    [
        ({}, True),
        ({"markers": {"platform_release": "7", "platform_version": "#2"}}, True),
        ({"markers": {"python_full_version": "3.12.2"}}, False),
        ({"executable": "/usr/bin/python3.12"}, False),
        ({"libc": "glibc 2.37"}, False),
        ({"debug": True}, False),
    ],
)
def test_identity_is_of_what_decides_the_content(facts: dict[str, object], same: bool) -> None:
    assert (describe(**facts).identity == describe().identity) is same


def test_macos_keeps_its_identity_within_a_generation() -> None:
    assert describe(mac_version="14.5").identity == describe(mac_version="14.6.1").identity
    assert describe(mac_version="14.5").identity != describe(mac_version="15.0").identity
    assert describe(mac_version="10.9").identity != describe(mac_version="10.15").identity


def test_the_kernel_is_known_apart() -> None:
    assert describe().kernel != describe(markers={"platform_release": "7"}).kernel


def test_a_second_question_is_answered_from_memory() -> None:
    memory, python = DictMemory(), os.path.realpath(sys.executable)
    facts = ask(python, memory)
    ((key, value),) = memory.values.items()
    memory.remember(key, value.replace(facts.version.encode(), b"3.99.99"))
    assert ask(python, memory).version == "3.99.99"


@pytest.mark.parametrize("value", [b"", b"other\nrest", b"{stamp}\nrest"])
def test_a_useless_memory_is_replaced(value: bytes) -> None:
    memory, python = DictMemory(), os.path.realpath(sys.executable)
    memory.remember(f"interpreter:{python}", value.replace(b"{stamp}", stamp(python).encode()))
    facts = ask(python, memory)
    assert memory.values[f"interpreter:{python}"].endswith(facts.to_bytes())


def test_another_binary_in_the_same_place_is_asked_again(tmp_path: Path) -> None:
    others = [path for path in installed_pythons() if not os.path.samefile(path, sys.executable)]
    if not others:
        pytest.skip("there is one Python only")
    memory, link = DictMemory(), tmp_path / "python"
    link.symlink_to(os.path.realpath(sys.executable))
    first = ask(str(link), memory)
    link.unlink()
    link.symlink_to(others[0])
    assert ask(str(link), memory) == probe(others[0]) != first


def test_a_shim_is_asked_every_time(tmp_path: Path) -> None:
    memory = DictMemory()
    shim = script(tmp_path / "python", f'exec "{sys.executable}" "$@"')
    before = stamp(shim)
    facts = ask(shim, memory)
    assert facts == facts_of(sys.executable)
    assert memory.values == {}
    assert stamp(shim) == before


def test_a_relative_executable_is_remembered_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = DictMemory()
    (tmp_path / "python").symlink_to(os.path.realpath(sys.executable))
    monkeypatch.chdir(tmp_path)
    ask("./python", memory)
    assert list(memory.values) == [f"interpreter:{tmp_path}/python"]


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "python"
    file.write_bytes(b"one")
    first = stamp(str(file))
    assert stamp(str(file)) == first
    os.utime(file, (1, 1))
    assert stamp(str(file)) != first


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 3", "does not start: it exits with 3"),
        ("echo broken >&2; exit 1", "does not start: it exits with 1: broken"),
        ("echo first; echo 'Traceback (most recent'; echo '  File'; echo 'ValueError: x'; exit 1", "1: ValueError: x"),
        ("echo 'loading: libpython3.so: no such file'; exit 127", "127: loading: libpython3.so: no such file"),
        ("kill -9 $$", "it is killed by signal 9"),
        ("exit 0", "does not answer like a Python"),
        ("echo; echo hello", "does not answer like a Python: hello"),
        ("echo; echo 'wheelstore-probe:{'", "does not answer like a Python"),
        ("echo; echo 'wheelstore-probe:[]'", "does not answer like a Python"),
        ("""echo; echo 'wheelstore-probe:{"version": "3.9.1", "executable": "/x"}'""", "not the facts of a Python"),
        ("printf '\\033[31mred'", "does not answer like a Python: ?[31mred"),
        ("exec yes", "does not answer like a Python: it prints without end"),
    ],
)
def test_what_is_no_python_is_told_so(text: str, reason: str, tmp_path: Path) -> None:
    path = script(tmp_path / "python", text)
    with pytest.raises(InterpreterFailed) as caught:
        probe(path)
    assert str(caught.value).startswith(f"{path} ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.symlink_to("nowhere"), "does not exist"),
        (lambda path: path.mkdir(), "is not executable"),
        (lambda path: path.write_text("text"), "is not executable"),
        (lambda path: (path.write_bytes(b"\x7fELF"), path.chmod(0o755)), "cannot be started: Exec format error"),
    ],
)
def test_what_cannot_be_started_is_told_so(make: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "python"
    make(path)
    for ask_it in (probe, lambda path: ask(path, DictMemory())):
        with pytest.raises(InterpreterFailed, match=reason):
            ask_it(str(path))


def test_a_python_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = script(tmp_path / "python", f"exec 3> {tmp_path}/pipe; echo started >&3; sleep 60 & sleep 60")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(InterpreterFailed, match=r"does not answer within 0\.5 seconds"):
            probe(path, timeout=0.5)
        assert os.read(reader, 100) == b"started\n"
        assert select.select([reader], [], [], 10)[0], "somebody still has the pipe open"
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


def test_a_chatty_python_is_understood(tmp_path: Path) -> None:
    path = script(tmp_path / "python", f'echo hello; echo warning >&2; "{sys.executable}" "$@"; echo bye; exit 1')
    assert probe(path) == facts_of(sys.executable)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('case $1 in -V) echo "Python 2.7.18" >&2;; *) echo "Unknown option: -I"; exit 2;; esac', "2.7.18"),
        ('case $1 in -V) echo "Python 3.5.10";; *) echo "SyntaxError"; exit 1;; esac', "3.5.10"),
        ("""echo; echo 'wheelstore-probe:{"version": "3.7.16"}'""", "3.7.16"),
    ],
)
def test_an_old_python_is_told_so(text: str, version: str, tmp_path: Path) -> None:
    path = script(tmp_path / "python", text)
    with pytest.raises(InterpreterTooOld) as caught:
        probe(path)
    assert str(caught.value) == f"{path} is Python {version}; 3.8 or newer is needed"
    assert caught.value.version == version


@pytest.mark.parametrize("minor", [6, 7])
def test_a_real_old_python_is_told_so(minor: int) -> None:
    old = [path for path in installed_pythons(minor) if path.endswith(f"python3.{minor}")]
    if not old:
        pytest.skip(f"there is no Python 3.{minor}")
    with pytest.raises(InterpreterTooOld, match=rf"is Python 3\.{minor}\.\d+; 3\.8 or newer is needed"):
        probe(old[0])


def test_a_played_python_is_understood(tmp_path: Path) -> None:
    path = play_python(tmp_path / "bin/python", version="3.14.0rc1")
    assert probe(path).release == (3, 14)
