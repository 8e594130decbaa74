from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from support.commands import store_script
from support.front_door import FrontDoor, call_store
from support.universe import Universe

import wheelstore.cli.main
from wheelstore.cli import front, listing
from wheelstore.cli.main import cli

COMMANDS = sorted(cli.commands)


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version(store: FrontDoor, word: str) -> None:
    said = f"store {version('wheelstore')}\n"
    assert store(word) == store("-q", word) == store(word, "sync")
    assert (store(word).status, store(word).stdout) == (0, said)


def test_the_version_is_told_without_click() -> None:
    script = "import sys; sys.argv = ['store', '--version']; from wheelstore.cli.front import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert {"click", "importlib.metadata", "sqlite3"}.isdisjoint(done.stdout.split())


def test_a_quick_venv_and_a_quick_sync_import_no_more_than_they_need(
    store: FrontDoor, universe: Universe, full_store: Path, work: Path
) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    assert store("sync", lock, "--no-index", "-f", universe.directory).status == 0
    assert store("venv", "other").status == 0
    heavy = {"click", "rich", "httpx", "httpcore", "packaging", "importlib.metadata", "typing", "json"}
    heavy |= {"asyncio", "concurrent.futures", "subprocess", "pathlib", "dataclasses", "email"}
    for words, more in (
        (["sync", str(lock)], {"sqlite3", "re"}),
        (["sync", str(lock), "--venv", "fresh"], set()),
        (["venv", "another"], set()),
    ):
        script = f"""import sys; before = {{*sys.modules}}; sys.argv = ['store', *{words!r}]
from wheelstore.cli.front import main; status = main(); print(status, *({{*sys.modules}} - before))"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        status, *names = done.stdout.split()
        assert status == "0", done.stderr
        assert (heavy | more).isdisjoint(names), (heavy | more).intersection(names)


@pytest.mark.parametrize("words", [["--help"], ["-h"], *([command, "--help"] for command in COMMANDS)], ids=" ".join)
def test_help_is_data(store: FrontDoor, words: list[str]) -> None:
    ran = store(*words)
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("Usage: store ")


def test_every_option_says_what_it_is_for() -> None:
    for command in (cli, *cli.commands.values()):
        assert command.help
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        assert [option.name for option in options if not option.help] == []


def test_every_command_takes_the_common_options() -> None:
    common = {parameter.name for parameter in cli.params} - {"version"}
    assert len(common) == 10
    for command in cli.commands.values():
        assert common <= {parameter.name for parameter in command.params}


def test_without_arguments_the_help_is_an_error(store: FrontDoor) -> None:
    ran = store()
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr == store("--help").stdout


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["snyc"], "there is no command 'snyc'", "did you mean sync?"),
        (["env"], "there is no command 'env'", "did you mean venv or envs?"),
        (["xyzzy"], "there is no command 'xyzzy'", "store --help lists what there is"),
        (["sync", "lock.txt", "--dry-rnu"], "no such option", "did you mean --dry-run?"),
        (["sync"], "missing argument 'LOCK...'", "store sync --help lists what there is"),
        (
            ["sync", "lock.txt", "--venv"],
            "option '--venv' requires an argument",
            "store --help lists what there is",
        ),
        (["sync", "a", "--link-mode", "x"], "invalid value for '--link-mode'", "store sync --help lists what there is"),
        (["-q"], "missing command", "store --help lists what there is"),
        (["venv", "a", "b"], "got unexpected extra argument (b)", "store venv --help lists what there is"),
        (["ls", "a", "b"], "got unexpected extra argument (b)", "store ls --help lists what there is"),
        (["--venv", "x", "sync", "lock.txt"], "no such option", None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors_are_one_line_and_a_hint(store: FrontDoor, words: list[str], error: str, hint: str | None) -> None:
    ran = store(*words)
    assert (ran.status, ran.stdout, len(ran.errors)) == (2, "", 1)
    assert ran.errors[0].startswith(error)
    assert hint is None or ran.hints[0] == hint
    assert len(ran.stderr.splitlines()) == 1 + len(ran.hints)


def test_a_mistake_of_ours_is_not_hidden(store: FrontDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(listing, "show_path", fail)
    with pytest.raises(ZeroDivisionError):
        store("path")


def test_the_disks_own_errors_are_told_plainly(store: FrontDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/store/x")

    monkeypatch.setattr(listing, "show_path", fail)
    ran = store("path")
    assert (ran.status, ran.errors) == (1, ["/store/x: No space left on device"])


@pytest.mark.parametrize("moment", ["before click", "in click"])
def test_ctrl_c_at_any_time(store: FrontDoor, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    if moment == "in click":
        monkeypatch.setattr(listing, "show_path", interrupt)
    else:
        monkeypatch.setattr(wheelstore.cli.main, "run", interrupt)
    ran = store("path")
    assert (ran.status, ran.errors, ran.stdout) == (130, ["interrupted; nothing was left half-done"], "")


@pytest.mark.parametrize("words", [["ls"], ["ls", "--json"], ["--help"], ["--version"], ["path"]], ids=" ".join)
def test_nobody_reads_the_output(full_store: Path, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([store_script(), *words], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (0, 1, -signal.SIGPIPE)


def test_nobody_reads_anything(universe: Universe, full_store: Path, work: Path) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    reader, writer = os.pipe()
    os.close(reader)
    words = [store_script(), "sync", str(lock), "--no-index", "-f", str(universe.directory)]
    for _ in range(2):
        done = subprocess.run(words, stdout=writer, stderr=writer, check=False)
        assert done.returncode in (0, 1, -signal.SIGPIPE)
    os.close(writer)
    assert (work / ".venv/pyvenv.cfg").exists()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(universe: Universe, full_store: Path, work: Path, closed: str) -> None:
    lock = universe.lock(work / "lock.txt", "alpha==1.0")
    options = f"--no-index -f {universe.directory}"
    for words in (
        f"sync {lock} {options}",
        f"sync {lock}",
        "venv other --clear",
        "path",
        "ls",
        "--version",
        "nonsense",
    ):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{store_script()} {words} {closed}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == (2 if words == "nonsense" else 0), (words, done.stderr)
        assert "Traceback" not in done.stderr


def test_a_full_disk_behind_the_output(full_store: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "w") as full:
        for words in (["ls"], ["path"], ["--help"]):
            done = subprocess.run([store_script(), *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert (done.returncode, done.stderr) == (
                1,
                "error: No space left on device\nhint: make room there, and run the same command again\n",
            )


def test_both_names_are_the_same_command() -> None:
    other = Path(store_script()).with_name("wheelstore")
    done = subprocess.run([other, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == call_store("--version").stdout


def test_the_front_door_answers_for_what_is_common() -> None:
    assert set(front._QUICK) == {"sync", "lock", "venv", "run"}
