"""A lock of thirty wheels with one thing wrong in it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.bad_wheels import BAD_WHEELS, make_bad_wheel
from support.locks import write_lock
from support.markets import Market, open_market
from support.servers import IndexServer
from support.trees import environment_content
from support.wheels import make_wheel

from wheelstore.materialize.interpreter import Interpreter

COUNT = 30
TYPICAL = (
    *("no archive", "cut in the middle", "prefixed", "trailing bytes", "encrypted", "symbolic link", "bomb"),
    *("local name", "overlap", "damaged data", "content with another CRC", "content longer than stated"),
    *("parent", "absolute", "twice", "other case", "file as directory"),
    *("no .dist-info", "METADATA of another", "unknown .data key", "Wheel-Version 2", "pyvenv.cfg"),
    *("file not in RECORD", "file only in RECORD", "hash of another", "entry point python", "script in a directory"),
)
CONFLICTS: dict[str, dict[str, Any]] = {
    "other content": {"files": {"part07/__init__.py": b"mine = True\n"}},
    "a file for a directory": {"files": {"part07": b"mine\n"}},
    "a directory for a file": {"files": {"part07/__init__.py/mine.py": b"mine = True\n"}},
    "another entry point": {"entry_points": {"console_scripts": {"tool": "demo:other"}}},
    "an own script for an entry point": {"scripts": {"tool": b"#!python\n"}},
}


@pytest.fixture
def market(python: Interpreter, environ: dict[str, str], tmp_path: Path) -> Iterator[Market]:
    (tmp_path / "wheels").mkdir()
    with IndexServer(tmp_path / "wheels") as server:
        yield open_market(tmp_path, server, python=python.executable, environ=environ)


@pytest.fixture
def good(market: Market) -> list[Path]:
    """All but one of the lock's wheels."""
    return [
        make_wheel(
            market.wheels,
            f"part{number:02}",
            files={f"part{number:02}/__init__.py": f"number = {number}\n".encode()},
            entry_points={"console_scripts": {"tool": "part07:main"}} if number == 7 else None,
        )
        for number in range(COUNT - 1)
    ]


def put_right(market: Market, good: list[Path]) -> None:
    """With the last wheel as it should be, the same command works."""
    for path in market.wheels.glob("demo-*"):
        path.unlink()
    write_lock(market.store.root / "thirty.txt", [*good, make_wheel(market.wheels)])
    market.assert_done(lock=market.store.root / "thirty.txt", packages=COUNT)


@pytest.mark.parametrize("name", TYPICAL)
def test_a_bad_wheel(name: str, market: Market, good: list[Path]) -> None:
    case = BAD_WHEELS[name]
    bad = make_bad_wheel(market.wheels, case)
    lock = write_lock(market.store.root / "thirty.txt", [*good[:20], bad, *good[20:]])
    ran = market.assert_refused(lock=lock)
    (error,) = ran.errors
    assert error.startswith(f"{bad.name}: refused: ")
    assert case.rule.value in error
    put_right(market, good)


def test_a_wrong_hash(market: Market, good: list[Path]) -> None:
    last = make_wheel(market.wheels)
    market.server.lie_about(last.name, "5" * 64)
    lock = write_lock(market.store.root / "thirty.txt", [*good, last], sha256={last.name: "5" * 64})
    ran = market.assert_refused(lock=lock)
    (error,) = ran.errors
    assert f"{last.name}: expected sha256:{'5' * 64}, got sha256:" in error
    market.server.pages.claimed_sha256.clear()
    put_right(market, good)


@pytest.mark.parametrize("kind", CONFLICTS)
def test_a_conflict_between_two_wheels(kind: str, market: Market, good: list[Path]) -> None:
    """Each wheel is good, so the store keeps them; no environment, nor anything made of them, is there."""
    bad = make_wheel(market.wheels, **CONFLICTS[kind])
    lock = write_lock(market.store.root / "thirty.txt", [*good, bad])
    market.store.sync(lock, venv=market.store.root / "new")
    snapshot = market.everything()[0]
    ran = market.assert_refused(lock=lock)
    (error,) = ran.errors
    assert all(words in error for words in ("demo 1.0", "part07 1.0", "both install"))
    tables = snapshot.tables
    assert [len(tables[name]) for name in ("environments", "manifests", "answers")] == [1, 1, 1]
    assert len(tables["wheels"]) == 3 + COUNT
    put_right(market, good)


@pytest.mark.parametrize("executable", [False, True])
def test_equal_files_are_no_conflict(executable: bool, market: Market, good: list[Path]) -> None:
    """If only one of them is executable, both are."""
    same = make_wheel(
        market.wheels,
        files={"part07/__init__.py": b"number = 7\n"},
        entry_points={"console_scripts": {"tool": "part07:main"}},
        executable=["part07/__init__.py"] if executable else (),
    )
    market.assert_done(lock=write_lock(market.store.root / "thirty.txt", [*good, same]), packages=COUNT)
    ((_, content),) = (item for item in environment_content(market.existing).items() if "part07/__init__.py" in item[0])
    assert content.executable == executable
