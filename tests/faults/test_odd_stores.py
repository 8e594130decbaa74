"""An index that is damaged, gone or of a newer program, clocks that jump, and stores of two formats."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support.faults import Ended, Scene
from support.soundness import flaws_of
from support.sweeping import content, prepare_environment


@pytest.fixture
def prepared(scene: Scene) -> Scene:
    prepare_environment(scene)
    return scene


def garble(index: Path) -> None:
    body = bytearray(index.read_bytes())
    for at in range(8192, len(body), 1000):
        body[at] ^= 0xFF
    index.write_bytes(body)


def empty(index: Path) -> None:
    index.write_bytes(b"")


def replace_with_text(index: Path) -> None:
    index.write_bytes(b"not a database, but long enough to be looked at\n" * 100)


def halve(index: Path) -> None:
    with index.open("r+b") as stream:
        stream.truncate(index.stat().st_size // 2)


def remove(index: Path) -> None:
    index.unlink()


def from_the_future(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


COMMANDS = [("sync", "new.txt"), ("ls",), ("gc",), ("envs",), ("du",), ("add", "new.txt"), ("verify",)]


@pytest.mark.parametrize("harm", [garble, empty, replace_with_text, halve, remove, from_the_future])
def test_an_odd_index_costs_a_line_or_nothing(prepared: Scene, harm: Callable[[Path], None]) -> None:
    scene = prepared
    for left in ("-wal", "-shm"):
        (scene.store / f"index.sqlite3{left}").unlink(missing_ok=True)
    harm(scene.store / "index.sqlite3")
    scene.keep("harmed")
    before = content(scene.venv)
    for words in COMMANDS:
        scene.restore("harmed")
        ran = scene.run(*words)
        assert is_plain(ran), (words, ran.stderr)
        if words[0] != "sync" or ran.status:
            assert content(scene.venv) == before, words
        if harm is from_the_future:
            assert (ran.status, len(ran.errors), len(ran.hints)) == (1, 1, 1), (words, ran.stderr)


def is_plain(ran: Ended) -> bool:
    """Whether a command ended well, or with one line and a hint of what to do."""
    if ran.status == 0:
        return not ran.errors
    return ran.status == 1 and len(ran.errors) >= 1 and "Traceback" not in ran.stderr and len(ran.hints) >= 1


@pytest.mark.parametrize("harm", [garble, empty, replace_with_text, remove])
def test_a_lost_index_is_made_anew(prepared: Scene, harm: Callable[[Path], None]) -> None:
    scene = prepared
    scene.done("sync", "new.txt", "--venv", "wanted")
    for left in ("-wal", "-shm"):
        (scene.store / f"index.sqlite3{left}").unlink(missing_ok=True)
    harm(scene.store / "index.sqlite3")
    ran = scene.run("verify", "--repair")
    assert ran.status == 0, ran.stderr
    refused = scene.run("gc")
    assert (refused.status, len(refused.errors), len(refused.hints)) == (1, 1, 1), refused.stderr
    for venv in (".venv", "wanted"):
        scene.done("sync", "new.txt", "--venv", venv)
    scene.done("forget", "witness")
    scene.done("gc")
    assert scene.done("verify").errors == []
    assert content(scene.venv).keys() == content(scene.work / "wanted").keys()
    assert flaws_of(scene.store, collected=True) == []


@pytest.mark.parametrize("years", [-30, 30])
def test_clocks_that_jump(prepared: Scene, years: int) -> None:
    """What was used "in 30 years" or "30 years ago" is used, and nothing that is needed goes."""
    scene = prepared
    shift_times(scene.store / "index.sqlite3", years * 365 * 86400.0)
    for path in (scene.store / "tmp", scene.venv / ".wheelstore/state"):
        os.utime(path, (years * 365 * 86400.0 + path.stat().st_mtime,) * 2)
    before = content(scene.venv)
    for words in (("gc",), ("gc", "--older-than", "1d"), ("gc", "--max-size", "1kB"), ("sync", "old.txt"), ("envs",)):
        scene.done(*words)
        assert content(scene.venv) == before
    scene.done("sync", "new.txt")
    scene.done("rollback")
    assert content(scene.venv) == before
    scene.done("gc")
    assert flaws_of(scene.store, collected=True) == []


def shift_times(index: Path, seconds: float) -> None:
    connection = sqlite3.connect(index)
    for table, column in (
        ("wheels", "added"),
        ("wheel_uses", "used"),
        ("manifest_uses", "used"),
        ("environments", "created"),
        ("environments", "synced"),
        ("generations", "synced"),
    ):
        connection.execute(f"UPDATE {table} SET {column} = {column} + ?", (seconds,))
    connection.commit()
    connection.close()


def test_two_stores_use_one_environment_in_turn(prepared: Scene) -> None:
    """One of this version, one of a newer: the newer one's is refused, and the environment stays usable with ours."""
    scene = prepared
    other = scene.here / "other"
    before = content(scene.venv)
    scene.done("sync", "new.txt", "--store", other)
    after = content(scene.venv)
    for store, lock, wanted in ((scene.store, "old.txt", before), (other, "new.txt", after)):
        scene.done("sync", lock, "--store", store)
        assert content(scene.venv) == wanted
    for newer in ("format", "index"):
        shutil.copytree(other, scene.here / newer)
        if newer == "format":
            (scene.here / newer / "format").write_text("99\n")
        else:
            for left in ("-wal", "-shm"):
                (scene.here / newer / f"index.sqlite3{left}").unlink(missing_ok=True)
            from_the_future(scene.here / newer / "index.sqlite3")
        ran = scene.run("sync", "old.txt", "--store", scene.here / newer)
        assert (ran.status, len(ran.errors), len(ran.hints)) == (1, 1, 1), ran.stderr
        assert content(scene.venv) == after
        scene.done("sync", "new.txt", "--store", other)
    for store in (scene.store, other):
        scene.done("gc", "--store", store)
        assert flaws_of(store, collected=True) == []
