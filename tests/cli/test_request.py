from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wheelstore.cli import syncing, venvs
from wheelstore.cli.main import run
from wheelstore.cli.request import (
    NoHome,
    SyncRequest,
    VenvRequest,
    default_store,
    parse_common_sync,
    parse_common_venv,
)

Request = SyncRequest | VenvRequest


def by_click(words: list[str]) -> Request | None:
    """What click makes of a command line; None for a usage error."""
    seen: list[Request] = []

    def take(request: Request, **_: Any) -> None:
        seen.append(request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syncing, "run_sync", take)
        patch.setattr(venvs, "run_venv", take)
        status = run(words, 0.0)
    assert (status, len(seen)) in ((0, 1), (2, 0))
    return seen[0] if seen else None


def by_front_door(words: list[str]) -> Request | None:
    parse = parse_common_venv if "venv" in words else parse_common_sync
    return parse(words, os.environ)


SYNC = [
    [],
    ["--venv", "env"],
    ["--venv=sub/env"],
    ["--venv", ""],
    ["--venv="],
    ["-p", "3.12"],
    ["--python", "/usr/bin/python3"],
    ["--python=pypy"],
    ["--link-mode", "copy"],
    ["--link-mode=hardlink"],
    ["--link-mode", "clone"],
    ["--require-hashes"],
    ["--compile-bytecode"],
    ["--compile-bytecode", "--no-compile-bytecode"],
    ["--optimize", "1", "--optimize=0"],
    ["--store", "~/s"],
    ["--store=elsewhere"],
    ["-i", "http://localhost/simple"],
    ["--index-url", "http://localhost/simple"],
    ["--index-url=http://localhost/?a=b"],
    ["--extra-index-url", "http://a", "--extra-index-url=http://b"],
    ["--find-links", "wheels", "-f", "more"],
    ["--no-index"],
    ["--offline"],
    ["-q"],
    ["--quiet", "-q"],
    ["-qq"],
    ["--no-progress"],
]
VENV = [
    [],
    ["-p", "3.12"],
    ["--python=3.12"],
    ["--clear"],
    ["-c"],
    ["--seed"],
    ["--prompt", "me"],
    ["--prompt=."],
    ["--system-site-packages"],
    ["--compile-bytecode", "--optimize", "2"],
    ["--store", "s", "--offline", "-q", "--find-links", "wheels"],
]
ODD = [
    ["sync", "-"],
    ["sync", "lock.txt", "-"],
    ["sync", "--", "lock.txt"],
    ["sync", "lock.txt", "--json"],
    ["sync", "lock.txt", "-v"],
    ["sync", "lock.txt", "--reinstall"],
    ["sync", "lock.txt", "--dry-run"],
    ["sync", "lock.txt", "--clear"],
    ["sync", "lock.txt", "-p3.12"],
    ["sync", "lock.txt", "-p=3.12"],
    ["sync", "lock.txt", "-qv"],
    ["sync", "lock.txt", "--index-url", "-x"],
    ["sync", "lock.txt", "--help"],
    ["sync", "lock.txt", "--no-index=1"],
    ["sync", "lock.txt", "--link-mode", "teleport"],
    ["sync", "lock.txt", "--venv"],
    ["sync", "lock.txt", "--nonsense"],
    ["sync", "lock.txt", "--optimize", "3"],
    ["--optimize", "1", "sync", "lock.txt"],
    ["sync"],
    ["--venv", "env", "sync", "lock.txt"],
    ["--python", "3.12", "venv"],
    ["--json", "venv"],
    ["venv", "a", "b"],
    ["venv", "--nonsense"],
    ["ls", "venv"],
    ["add", "sync"],
    ["sync", "venv", "--seed"],
    ["venv", "sync", "lock.txt"],
]


@pytest.mark.parametrize("words", SYNC, ids=" ".join)
def test_the_front_door_reads_a_common_sync_as_click_does(words: list[str]) -> None:
    for line in (["sync", "lock.txt", *words], ["sync", *words, "lock.txt", "more.txt"]):
        assert isinstance(by_front_door(line), SyncRequest)
        assert by_front_door(line) == by_click(line)


@pytest.mark.parametrize("said", ["1", "yes", "ON", "0", "false", "off", "", " 1 ", "perhaps"])
@pytest.mark.parametrize("words", [[], ["--no-compile-bytecode"], ["--compile-bytecode"], ["--optimize", "1"]], ids=str)
def test_the_front_door_reads_the_setting_for_bytecode_as_click_does(
    said: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_COMPILE_BYTECODE", said)
    for line in (["sync", "lock.txt", *words], ["venv", *words]):
        assert (by_front_door(line) or by_click(line)) == by_click(line)
        assert said == "perhaps" or by_front_door(line) is not None


@pytest.mark.parametrize("words", VENV, ids=" ".join)
def test_the_front_door_reads_a_common_venv_as_click_does(words: list[str]) -> None:
    for line in (["venv", *words], ["venv", *words, "env"], ["venv", "a/../env", *words]):
        assert isinstance(by_front_door(line), VenvRequest)
        assert by_front_door(line) == by_click(line)


@pytest.mark.parametrize("words", ODD, ids=" ".join)
def test_the_front_door_leaves_what_is_uncommon_to_click(words: list[str]) -> None:
    assert parse_common_sync(words, os.environ) is None or by_click(words) is not None
    assert parse_common_sync(words, os.environ) is None
    assert parse_common_venv(words, os.environ) is None


WORDS = st.sampled_from(
    [
        *{word for words in (*SYNC, *VENV, *ODD) for word in words},
        *("sync", "venv", "lock.txt", "env", "-", "--", "-p", "--store", "=", "--=", "-i", "--prompt", "--venv"),
    ]
)


@given(before=st.lists(WORDS, max_size=2), command=st.sampled_from(["sync", "venv"]), after=st.lists(WORDS, max_size=5))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_front_door_understands_click_understands_the_same(
    before: list[str], command: str, after: list[str]
) -> None:
    words = [*before, command, *after]
    for parse in (parse_common_sync, parse_common_venv):
        request = parse(words, os.environ)
        if request is not None:
            assert by_click(words) == request


@pytest.mark.parametrize("words", SYNC[15:], ids=" ".join)
@pytest.mark.parametrize("command", [["sync", "lock.txt"], ["venv"]], ids=" ".join)
def test_common_options_stand_before_or_after_the_command(words: list[str], command: list[str]) -> None:
    before, after = by_click([*words, *command]), by_click([*command, *words])
    assert before == after == by_front_door([*words, *command])
    assert before is not None


def test_what_stands_after_the_command_wins_and_lists_add_up() -> None:
    words = ["-q", "--store", "a", "-f", "x", "sync", "lock.txt", "--store", "b", "-f", "y", "-q", "--quiet"]
    request = by_click(words)
    assert isinstance(request, SyncRequest)
    assert (request.store, request.find_links, request.quiet) == (os.path.abspath("b"), ("x", "y"), 3)
    assert by_front_door(words) == request


@pytest.mark.parametrize(
    "variables",
    [
        {"STORE_PYTHON": "3.9"},
        {"STORE_PYTHON": ""},
        {"STORE_LINK_MODE": "copy"},
        {"STORE_LINK_MODE": ""},
        {"STORE_LINK_MODE": "teleport"},
        {"STORE_DIR": "relative/store"},
        {"STORE_DIR": "~/store"},
        {"STORE_DIR": "", "XDG_DATA_HOME": "/data"},
        {"STORE_DIR": "", "XDG_DATA_HOME": "relative"},
    ],
    ids=str,
)
def test_variables_mean_the_same_to_both(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for words in (["sync", "lock.txt"], ["venv"], ["sync", "lock.txt", "--python", "3.12", "--link-mode", "clone"]):
        request = by_front_door(words)
        assert request is None or request == by_click(words)


def test_paths_are_made_absolute_and_defaults_applied(tmp_path: Path) -> None:
    request = by_front_door(["sync", "a.txt", "../b.txt"])
    assert isinstance(request, SyncRequest)
    assert request.locks == (str(tmp_path / "work/a.txt"), str(tmp_path / "b.txt"))
    assert (request.venv, request.link_mode) == (str(tmp_path / "work/.venv"), "auto")
    venv = by_front_door(["venv"])
    assert isinstance(venv, VenvRequest)
    assert venv.path == str(tmp_path / "work/.venv")


@pytest.mark.parametrize(
    ("environ", "store"),
    [
        ({"STORE_DIR": "/s"}, "/s"),
        ({"STORE_DIR": "~/s"}, "HOME/s"),
        ({"XDG_DATA_HOME": "/data"}, "/data/wheelstore"),
        ({"XDG_DATA_HOME": "not/absolute"}, "HOME/.local/share/wheelstore"),
        ({}, "HOME/.local/share/wheelstore"),
    ],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere platformdirs knows")
def test_the_store_is_in_the_users_data_directory(environ: dict[str, str], store: str) -> None:
    assert default_store(environ) == store.replace("HOME", os.path.expanduser("~"))


def test_platformdirs_agrees_on_where_the_store_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from platformdirs import user_data_dir

    monkeypatch.delenv("STORE_DIR")
    assert default_store(os.environ) == user_data_dir("wheelstore", appauthor=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="platformdirs answers elsewhere")
def test_without_a_home_there_is_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(NoHome, match="no home directory"):
        default_store({})
    assert default_store({"XDG_DATA_HOME": "/data"}) == "/data/wheelstore"
