"""The warm sync and the full one end in the same environment, and the warm one knows its limits."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from pathlib import Path

import pytest
from click import Choice
from support.commands import Ran
from support.front_door import FrontDoor
from support.interpreters import facts_of, play_python
from support.universe import Universe
from support.wheels import sha256_of

import wheelstore.cli.main
from wheelstore.cli import front
from wheelstore.cli.main import cli
from wheelstore.materialize.environment import State, read_state

FACTS = facts_of(sys.executable)


@pytest.fixture(autouse=True)
def offline(full_store: Path, universe: Universe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_NO_INDEX", "1")
    monkeypatch.setenv("STORE_FIND_LINKS", str(universe.directory))


def is_warm(store: FrontDoor, *words: object) -> bool:
    """Whether the front door suffices for a sync, which is done all the same."""
    run, used = wheelstore.cli.main.run, []

    def count(arguments: list[str], started: float) -> int:
        used.append(arguments)
        return run(arguments, started)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wheelstore.cli.main, "run", count)
        assert store(*words).status == 0
    return not used


def tree(root: Path) -> dict[str, object]:
    """Everything in an environment but times, and what is random in its state."""
    found: dict[str, object] = {}
    for directory, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(directory, name)
            relative = path.relative_to(root).as_posix()
            if relative == ".wheelstore/lock":  # there since somebody first looked at every file
                continue
            status = path.lstat()
            kind = stat.filemode(status.st_mode)
            if path.is_symlink():
                found[relative] = kind, os.readlink(path)
            elif path.is_dir():
                found[relative] = kind
            elif relative in (".wheelstore/state", ".wheelstore/token"):
                state = read_state(str(root))
                assert state is not None
                found[relative] = state._replace(id="", boot="", marks="")
            else:
                found[relative] = kind, path.read_bytes(), status.st_nlink
    return found


OPTIONS = [
    [],
    ["--link-mode", "copy"],
    ["--link-mode", "hardlink"],
    ["--require-hashes"],
    ["--python", FACTS.executable],
    ["-p", FACTS.version],
    ["--offline"],
    ["--no-index", "-q"],
    ["--no-progress"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_fresh_and_changed_environments_are_the_same_warm_and_in_full(
    store: FrontDoor, universe: Universe, work: Path, options: list[str]
) -> None:
    one = universe.lock(work / "one.txt", "alpha==1.0", "beta==1.0", "gamma==1.0")
    two = universe.lock(work / "two.txt", "alpha==2.0", "beta==1.0", "pip==99.0")
    made: dict[bool, list[dict[str, object]]] = {False: [], True: []}
    for warm in (False, True):
        for lock in (one, two):
            assert is_warm(store, "sync", lock, *options) is warm
            made[warm].append(tree(work / ".venv"))
        shutil.rmtree(work / ".venv")
    assert made[True] == made[False]
    assert "bin/beta-tool" in made[True][1]


def said(ran: Ran) -> tuple[int, str, str]:
    """What a command answered, without the time that it took and names made by chance."""
    return ran.status, _CHANCE.sub("", ran.stdout), _CHANCE.sub("", ran.stderr)


_CHANCE = re.compile(r" in [\d.]+m?s$|\"seconds\": [\d.]+|\.\d+-[0-9a-f]{8}\.tmp", re.MULTILINE)
SYNC = {option: parameter for parameter in cli.commands["sync"].params for option in parameter.opts}
_KIND = SYNC["--link-mode"].type
assert isinstance(_KIND, Choice)
MODES = [["--link-mode", str(mode)] for mode in _KIND.choices]
EVERY_OPTION = [
    *MODES,
    *([option] for option in ("--require-hashes", "--reinstall", "--compile-bytecode", "--dry-run", "--clear")),
    *([option] for option in ("--offline", "--no-index", "--no-progress", "-q", "-qq", "-v", "--json")),
    *(["--compile-bytecode", "--optimize", level] for level in "12"),
    *([option, "http://127.0.0.1:9/simple"] for option in ("--index-url", "--extra-index-url")),
    *([option, FACTS.executable] for option in ("--python", "-p")),
    *([option, "wheels"] for option in ("--find-links", "-f")),
    ["--store", "../store"],
    ["--venv", ".venv"],
    ["-p", "3.77"],
]


@pytest.mark.parametrize("options", EVERY_OPTION, ids=" ".join)
def test_the_front_door_and_the_full_command_do_and_say_the_same(
    store: FrontDoor, universe: Universe, work: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "wheels").mkdir()
    one = universe.lock(work / "one.txt", "alpha==1.0", "beta==1.0", "gamma==1.0")
    two = universe.lock(work / "two.txt", "alpha==2.0", "beta==1.0", "pip==99.0")
    venv = work / ".venv"

    def outcomes() -> list[object]:
        """New, with nothing to do, changed, and after a script was deleted."""
        done: list[object] = []
        for lock in (one, one, two, None):
            if lock is None and (venv / "bin/beta-tool").exists():
                (venv / "bin/beta-tool").unlink()
            done.append((said(store("sync", lock or two, *options)), tree(venv)))
        if venv.exists():
            shutil.rmtree(venv)
        return done

    outcomes()  # from here on the store knows all answers
    quick = outcomes()
    monkeypatch.setattr(front, "_QUICK", {})
    assert outcomes() == quick


def test_no_option_is_left_out() -> None:
    tried = {word for options in EVERY_OPTION for word in options}
    left = {"/".join(parameter.opts) for parameter in SYNC.values() if tried.isdisjoint(parameter.opts)}
    assert left == {"locks"}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--link-mode", "hardlink"],
        ["--python", FACTS.version],
        ["--python", FACTS.version.rpartition(".")[0]],
        ["--python", FACTS.executable],
        ["--offline"],
    ],
    ids=" ".join,
)
def test_what_an_unchanged_environment_is_asked_for_again_needs_no_index(
    store: FrontDoor,
    universe: Universe,
    work: Path,
    words: list[str],
    full_store: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STORE_PYTHON")
    monkeypatch.setenv("PATH", str(Path(FACTS.executable).parent))
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock, "-p", FACTS.executable)
    (full_store / "index.sqlite3").rename(full_store / "moved")
    ran = store("sync", lock, *words)
    assert (ran.status, ran.stderr.partition(" in ")[0]) == (0, "Audited 1 package")
    assert not (full_store / "index.sqlite3").exists()


def test_a_changed_lock_or_environment_or_interpreter_is_seen(
    store: FrontDoor, universe: Universe, work: Path, tmp_path: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock)
    site = work / ".venv" / FACTS.purelib
    (site / "alpha/data.bin").unlink()
    # Which no mark shows, as the directory that changed is below site-packages.
    assert store("sync", lock).stderr.startswith("Audited")
    (site / "more.py").touch()
    assert store("sync", lock).stderr.startswith("Repaired 1 package")
    assert (site / "alpha/data.bin").exists()
    lock.write_text(lock.read_text() + "# a remark\n")
    assert not is_warm(store, "sync", lock)
    assert is_warm(store, "sync", lock)


@pytest.mark.parametrize(
    "content",
    [
        "alpha==1.0\n",
        "alpha==1.0 --hash=sha256:${HASH}\n",
        "./alpha-1.0-py3-none-any.whl\n",
        "./alpha-1.0-py3-none-any.whl --hash=sha256:HASH\n",
    ],
)
def test_what_depends_on_more_than_the_lock_is_never_answered_from_memory(
    store: FrontDoor, universe: Universe, work: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = universe.wheels["alpha==1.0"]
    shutil.copy(wheel, work)
    sha256 = sha256_of(wheel)
    monkeypatch.setenv("HASH", sha256)
    (work / "lock.txt").write_text(content.replace(":HASH", f":{sha256}"))
    for _ in range(2):
        assert not is_warm(store, "sync", "lock.txt")


def test_a_lock_that_another_names_is_part_of_the_question(
    store: FrontDoor, universe: Universe, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    universe.lock(work / "base.txt", "alpha==1.0")
    (work / "lock.txt").write_text(f"-r base.txt\n{universe.pin('gamma==1.0')}\n")
    assert [is_warm(store, "sync", "lock.txt") for _ in range(2)] == [False, True]
    universe.lock(work / "base.txt", "alpha==2.0")
    assert store("sync", "lock.txt").stderr.splitlines()[2:] == [" - alpha==1.0", " + alpha==2.0"]
    (work / "base.txt").unlink()
    assert store("sync", "lock.txt").status == 1


@pytest.mark.parametrize("words", [["--reinstall"], ["--dry-run"], ["--clear"], ["--json"], ["-v"]], ids=" ".join)
def test_what_is_more_than_a_sync_is_done_in_full(
    store: FrontDoor, universe: Universe, work: Path, words: list[str]
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert not is_warm(store, "sync", lock)
    assert is_warm(store, "sync", lock)
    assert not is_warm(store, "sync", lock, *words)


def test_another_interpreter_is_another_question(
    store: FrontDoor, universe: Universe, work: Path, tmp_path: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock)
    played = play_python(tmp_path / "bin/python3.12", version="3.12.1")
    ran = store("sync", lock, "-p", played)
    assert ran.errors == [f"the environment {work / '.venv'} has Python {FACTS.version}, not 3.12.1"]
    assert ran.hints == ["pass --clear to build it anew with that interpreter"]


def test_a_state_of_another_version_is_not_believed(store: FrontDoor, universe: Universe, work: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    store("sync", lock)
    state = work / ".venv/.wheelstore/state"
    for text in ("", "wheelstore-environment-2\na\nb", "\0" * 100, state.read_text()[:-30].rpartition("\n")[0]):
        state.write_text(text)
        (work / ".venv" / FACTS.purelib / "alpha/data.bin").unlink()
        ran = store("sync", lock)
        assert (ran.status, ran.stderr.partition(" in ")[0]) == (0, "Repaired 1 package")
        assert isinstance(read_state(str(work / ".venv")), State)
