"""What a sync refuses: one line each, a hint where there is one, exit 1, and everything as it was."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.front_door import FrontDoor, call_store
from support.interpreters import facts_of, play_python
from support.servers import Fault, IndexServer
from support.trees import Status, status_below, store_snapshot
from support.universe import Universe
from support.wheels import make_wheel

FACTS = facts_of(sys.executable)
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change users")


@pytest.fixture(autouse=True)
def offline(full_store: Path, universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))


@pytest.fixture
def lock(universe: Universe, work: Path) -> Path:
    return universe.lock(work / "lock.txt", "alpha==1.0", "gamma==1.0")


@pytest.fixture
def venv(work: Path) -> Path:
    return work / ".venv"


@contextmanager
def read_only(*directories: Path) -> Iterator[None]:
    """Take the right to write in these away for a while."""
    for directory in directories:
        directory.chmod(0o555)
    yield
    for directory in directories:
        directory.chmod(0o755)


def without_modes(found: Mapping[str, Status]) -> dict[str, Status]:
    return {name: status._replace(mode=0) for name, status in found.items()}


@pytest.mark.parametrize(
    ("content", "errors", "hints"),
    [
        (
            None,
            ["cannot read the lock LOCK: No such file or directory"],
            ["name a requirements.txt with == pins, or a pylock.toml"],
        ),
        (
            Path.mkdir,
            ["cannot read the lock LOCK: Is a directory"],
            ["name a requirements.txt with == pins, or a pylock.toml"],
        ),
        (
            "<!DOCTYPE html>\n<html><body>404</body></html>\n",
            ["LOCK: is a web page, not a lock"],
            ["download the file itself, not the page that shows it"],
        ),
        (
            "\ufeff  <html>",
            ["LOCK: is a web page, not a lock"],
            ["download the file itself, not the page that shows it"],
        ),
        ("alpha>=1\n", ["LOCK:1: alpha>=1 is not pinned with =="], None),
        ("alpha==1.0\nalpha==2.0\n", ["LOCK:2: alpha==2.0 contradicts alpha==1.0 (LOCK:1)"], []),
        ("alpha==one\n", None, None),
        ("alpha==1.0 --hash=md5:0\n", None, None),
        ("-r missing.txt\n", None, None),
        ("\x00\x01\x02", None, None),
        (b"\xff\xfe\xff", None, None),
        ("alpha==7.0\n", None, None),
        ("yankee==1.0\n", None, None),
        ("--index-url\n", None, None),
        ("alpha==1.0 --hash=sha256:" + 64 * "0", None, None),
        ("alpha @ file:///nowhere/alpha-1.0-py3-none-any.whl\n", None, None),
        ("alpha @ git+https://localhost/x.git@main\n", None, None),
        ("-e .\n", None, None),
    ],
)
def test_a_lock_that_is_none(
    store: FrontDoor,
    work: Path,
    content: str | bytes | Callable[[Path], None] | None,
    errors: list[str] | None,
    hints: list[str] | None,
) -> None:
    lock = work / "odd.txt"
    if isinstance(content, str):
        lock.write_text(content)
    elif isinstance(content, bytes):
        lock.write_bytes(content)
    elif content is not None:
        content(lock)
    before = status_below(work)
    ran = store("sync", lock)
    assert (ran.status, ran.stdout) == (1, "")
    assert status_below(work) == before
    assert len(ran.errors) == 1
    pointing = [line for line in ran.stderr.splitlines() if line.startswith("    ")]  # the line, and a caret below
    assert len(ran.errors) + len(ran.hints) + len(pointing) == len(ran.stderr.splitlines())
    assert len(pointing) in (0, 2)
    if errors is not None:
        assert ran.errors == [error.replace("LOCK", str(lock)) for error in errors]
    if hints is not None:
        assert ran.hints == hints


def test_every_problem_of_a_lock_is_told_at_once(store: FrontDoor, work: Path) -> None:
    (work / "lock.txt").write_text("alpha>=1\nbeta==1.0 --nonsense\n=\n")
    assert len(store("sync", "lock.txt").errors) == 3
    (work / "lock.txt").write_text("alpha==7.0\nyankee==1.0\ngamma==1.0\n")
    assert len(store("sync", "lock.txt").errors) == 2


def test_an_unreadable_lock(store: FrontDoor, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wheelstore.cli import answers

    def refuse(path: object, mode: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(answers, "open", refuse, raising=False)
    assert store("sync", lock).errors == [f"cannot read the lock {lock}: Permission denied"]


@pytest.mark.parametrize("others", [("echo==1.0",), ("foxtrot==1.0",)])
def test_two_wheels_with_one_path(
    store: FrontDoor, universe: Universe, work: Path, lock: Path, venv: Path, others: tuple[str, ...]
) -> None:
    store("sync", lock)
    before = status_below(venv)
    universe.lock(lock, "delta==1.0", *others)
    ran = store("sync", lock)
    other = others[0].replace("==", " ")
    path = f"{FACTS.purelib}/shared/one.py"
    assert (ran.status, ran.errors) == (1, [f"delta 1.0 and {other} both install {path}, with different content"])
    assert len(ran.hints) == 1
    assert status_below(venv) == before


@pytest.mark.parametrize("option", [[], ["--dry-run"]], ids=str)
def test_a_place_that_is_not_an_environment(
    store: FrontDoor, lock: Path, work: Path, venv: Path, option: list[str]
) -> None:
    venv.mkdir()
    (venv / "thesis.tex").touch()
    ran = store("sync", lock, *option)
    assert (ran.status, ran.errors) == (1, [f"{venv} is not empty and no virtual environment"])
    assert ran.hints == ["choose another place, or pass --clear to replace what is there"]
    assert store("sync", lock, "--venv", lock).errors == [f"{lock} is a file"]
    assert sorted(os.listdir(work)) == [".venv", "lock.txt"]
    assert os.listdir(venv) == ["thesis.tex"]


@pytest.mark.parametrize("place", [".", "..", "~", "store", "parent of the store"])
def test_clear_takes_nothing_away_that_is_in_use(
    store: FrontDoor, lock: Path, work: Path, tmp_path: Path, full_store: Path, place: str
) -> None:
    (tmp_path / "home/file").touch()
    (work / "file").touch()
    named = {"~": tmp_path / "home", "store": full_store, "parent of the store": tmp_path}
    target = named.get(place) or (work / place).resolve()
    before = status_below(tmp_path).keys(), store_snapshot(full_store)
    ran = store("sync", lock, "--clear", "--venv", target)
    assert ran.status == 1
    assert ran.errors[0].startswith(f"{target} is not replaced by an environment: it ")
    assert (status_below(tmp_path).keys(), store_snapshot(full_store)) == before


def test_an_environment_whose_interpreter_changed(
    store: FrontDoor, lock: Path, venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = play_python(tmp_path / "bin/python3.12", version="3.12.1")
    assert store("sync", lock, "-p", first).status == 0
    play_python(tmp_path / "bin/python3.12", version="3.12.2")
    monkeypatch.delenv("STORE_PYTHON")
    ran = store("sync", lock, "-p", FACTS.executable)
    assert (ran.status, ran.errors) == (1, [f"the environment {venv} has Python 3.12.2, not {FACTS.version}"])
    assert ran.hints == ["pass --clear to build it anew with that interpreter"]
    assert store("sync", lock, "-p", FACTS.executable, "--clear").status == 0


def test_a_broken_environment(
    store: FrontDoor, lock: Path, venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STORE_PYTHON")
    python = Path(play_python(tmp_path / "bin/python3.12"))
    assert store("sync", lock, "-p", python).status == 0
    python.unlink()
    for words in ([], ["-p", FACTS.executable]):
        ran = store("sync", lock, *words)
        assert ran.status == 1
        assert ran.errors[0].startswith(f"the environment {venv} is broken: ")
        assert ran.hints == ["pass --clear to build it anew"]
    assert store("sync", lock, "-p", FACTS.executable, "--clear").status == 0


@pytest.mark.parametrize(
    ("python", "error"),
    [
        ("3.77", "Python 3.77 is not found"),
        ("/nowhere/python", "/nowhere/python does not exist"),
        ("nothing-like-it", "an executable nothing-like-it is not found"),
        ("3.5", "--python 3.5: Python 3.8 or newer is needed"),
        (">=nonsense", "--python >=nonsense: >=nonsense is no version specifier"),
        ("./lock.txt", "/work/lock.txt is not executable"),
    ],
)
def test_an_interpreter_that_is_none(store: FrontDoor, lock: Path, venv: Path, python: str, error: str) -> None:
    ran = store("sync", lock, "-p", python)
    assert ran.status == 1
    assert ran.errors[0].endswith(error)
    assert not venv.exists()


def test_a_file_in_the_way_of_the_directory(store: FrontDoor, lock: Path, work: Path) -> None:
    (work / "file").touch()
    ran = store("sync", lock, "--venv", "file/env")
    assert (ran.status, ran.errors) == (1, [f"cannot make the environment {work}/file/env: Not a directory"])


@pytest.mark.parametrize("existing", [False, True])
def test_a_place_that_cannot_be_written_to(
    store: FrontDoor, universe: Universe, lock: Path, work: Path, venv: Path, existing: bool
) -> None:
    places = [work]
    if existing:
        store("sync", lock)
        universe.lock(lock, "beta==1.0")
        places = [venv, *(path for path in venv.rglob("*") if path.is_dir() and not path.is_symlink())]
    before = status_below(work)
    with read_only(*places):
        ran = call_store("sync", lock, powerless=True)
    assert ran.status == 1
    assert ran.errors[0].startswith(f"cannot make the environment {venv}: Permission denied")
    assert len(ran.hints) == 1
    assert without_modes(status_below(work)) == without_modes(before)


@as_root
def test_a_store_of_someone_else_is_used_and_not_written_to(
    store: FrontDoor, universe: Universe, work: Path, venv: Path, full_store: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "gamma==1.0")
    assert store("add", lock).status == 0
    for directory, names, files in os.walk(full_store):
        for name in (".", *names, *files):
            os.chown(Path(directory, name), 12345, 12345)
    full_store.chmod(0o755)
    before = store_snapshot(full_store)
    for words, said in (
        (["-v"], "Using CPython"),
        ([], "Audited 2 packages"),
        (["--reinstall"], "Repaired 2 packages"),
        (["--clear"], "Installed 2 packages"),
    ):
        ran = call_store("sync", lock, *words, powerless=True)
        assert (ran.status, ran.stderr[: len(said)]) == (0, said), ran
    universe.lock(lock, "alpha==1.0")
    assert call_store("sync", lock, powerless=True).stderr.splitlines()[1:] == [" - gamma==1.0"]
    universe.lock(lock, "beta==1.0")
    ran = call_store("sync", lock, powerless=True)  # which nobody has planned
    assert ran.stderr.splitlines()[2:] == [" - alpha==1.0", " + beta==1.0"], ran
    make_wheel(work, "hotel")
    (work / "lock.txt").write_text("./hotel-1.0-py3-none-any.whl\n")
    ran = call_store("sync", lock, powerless=True)
    assert ran.errors == [f"the store {full_store} is read-only here and lacks hotel-1.0-py3-none-any.whl"]
    assert len(ran.hints) == 1
    other = play_python(work / "bin/python3.12")
    for words in (["ls"], ["envs"], ["venv", "one"], ["venv", "two", "-p", other]):
        assert call_store(*words, powerless=True).status == 0
    assert store_snapshot(full_store) == before


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: path.write_text("x"), "is not a store: "),
        (lambda path: (path.mkdir(), (path / "thesis.tex").touch()), "is not a store: it holds 'thesis.tex'"),
        (lambda path: (path.mkdir(), (path / "format").write_text("x")), "is not a store: its format file"),
        (lambda path: (path.mkdir(), (path / "format").write_text("99\n")), "has format 99; this version knows"),
        (lambda path: (path.mkdir(mode=0o777), path.chmod(0o777), (path / "format").write_text("1\n")), "other users"),
    ],
)
def test_a_store_that_is_none(
    store: FrontDoor, lock: Path, venv: Path, tmp_path: Path, make: Callable[[Path], object], error: str
) -> None:
    make(tmp_path / "odd")
    for words in (["sync", lock], ["venv"], ["add", lock]):
        ran = store(*words, "--store", tmp_path / "odd")
        assert ran.status == 1
        assert error in ran.errors[0]
        assert ran.hints
    assert not venv.exists()


def test_an_index_that_is_no_database(store: FrontDoor, lock: Path, full_store: Path, work: Path) -> None:
    (full_store / "index.sqlite3").write_bytes(b"no database" * 1000)
    for words in (["sync", lock], ["venv"], ["add", lock], ["ls"], ["envs"]):
        ran = store(*words, "--store", full_store)
        assert ran.status == 1
        assert ran.errors[0].startswith(f"the index {full_store}/index.sqlite3 cannot be used: ")
        assert ran.hints


def test_a_server_that_refuses(work: Path, universe: Universe, index: IndexServer, venv: Path, tmp_path: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")
    index.fault("beta-1.0-py3-none-any.whl", Fault(status=403))
    options = ["--index-url", index.index_url, "--store", tmp_path / "other"]
    ran = call_store("sync", lock, *options, STORE_NO_INDEX="", STORE_FIND_LINKS="")
    assert ran.status == 1
    assert len(ran.errors) == 1
    assert "403" in ran.errors[0]
    assert not venv.exists()
    index.fault("beta-1.0-py3-none-any.whl")
    assert call_store("sync", lock, *options, STORE_NO_INDEX="", STORE_FIND_LINKS="").status == 0
    assert len(index.requests_for("alpha-1.0-py3-none-any.whl")) == 1


def test_a_configuration_that_makes_no_sense(store: FrontDoor, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_HTTP_TIMEOUT", "soon")
    ran = store("sync", lock)
    assert (ran.status, len(ran.errors), len(ran.hints)) == (1, 1, 1), ran
    assert "STORE_HTTP_TIMEOUT" in ran.errors[0]
