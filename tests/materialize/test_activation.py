"""Activation, in the shells that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.interpreters import describe, describe_windows, facts_of

from wheelstore.materialize.activation import (
    activation_scripts,
    quote_cmd,
    quote_csh,
    quote_fish,
    quote_posix,
    quote_powershell,
)
from wheelstore.materialize.venv import plan_venv, write_venv

NAMES = [
    ".venv",
    "with space",
    "it's",
    'double"quote',
    "$HOME and ${HOME}",
    "$(touch owned) `touch owned`",
    "back\\slash\\n",
    "wow!",
    "100%n ^c",
    "caf\u00e9 \U0001f40d",
    "@@DISPLAY@@",
    "-n",
    "a;b&c|d>e*f?g[h]{i,j}~#",
    "\u2018curly\u2019",
]
PATH = "/usr/local/bin:/usr/bin:/bin"


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}")
    return found


def make(parent: Path, name: str, **options: object) -> Path:
    write_venv(str(parent / name), final=str(parent / name), interpreter=facts_of(sys.executable), **options)  # type: ignore[arg-type]
    return parent / name


def run(command: list[str], text: str, environment: Path, **variables: str) -> list[str]:
    """The lines that a shell prints which starts in the environment's directory."""
    environ = {"PATH": PATH, "HOME": str(environment), "LC_ALL": "C.UTF-8", **variables}
    done = subprocess.run(command, input=text, cwd=environment, env=environ, capture_output=True, encoding="utf-8")
    assert done.stderr == ""
    assert not (environment / "owned").exists()
    return done.stdout.splitlines()


POSIX = ["bash", "zsh", "dash"]
ASK = "command -v python; printenv VIRTUAL_ENV; printenv VIRTUAL_ENV_PROMPT"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("program", POSIX)
def test_posix_shells(program: str, name: str, tmp_path: Path) -> None:
    environment = make(tmp_path, name)
    told = run(
        [shell(program)],
        f"set -eu\nPS1='$ '\n. bin/activate\n{ASK}\nprintf '%s\\n' \"${{PYTHONHOME-unset}}\" \"$PS1\"\n"
        'deactivate\nprintf "%s\\n" "${VIRTUAL_ENV-gone}" "${VIRTUAL_ENV_PROMPT-gone}" "$PYTHONHOME" "$PATH" "$PS1"\n'
        "command -v deactivate || echo gone\n",
        environment,
        PYTHONHOME="/somewhere",
    )
    shown = "".join("_" if character in "\\$`!%^" else character for character in name)
    assert told == [
        *(f"{environment}/bin/python", str(environment), name, "unset", f"({shown}) $ "),
        *("gone", "gone", "/somewhere", PATH, "$ ", "gone"),
    ]


@pytest.mark.parametrize("program", ["bash", "zsh"])
def test_what_is_shown_is_never_run(program: str, tmp_path: Path) -> None:
    environment = make(tmp_path, "$(touch owned)`touch owned`%n\\u!")
    options = {"bash": "shopt -s promptvars", "zsh": "setopt promptsubst promptbang"}
    expand = {"bash": 'echo "${PS1@P}"', "zsh": 'print -P -- "$PS1"'}
    told = run([shell(program)], f"{options[program]}\nPS1=\n. bin/activate\n{expand[program]}\n", environment)
    assert told == ["(_(touch owned)_touch owned__n_u_) "]


def test_one_environment_after_another(tmp_path: Path) -> None:
    one, two = make(tmp_path, "one"), make(tmp_path, "two")
    standard = tmp_path / "standard"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(standard)], check=True)
    told = run(
        [shell("bash")],
        f"PS1='> '\n. '{standard}/bin/activate'\n. '{one}/bin/activate'\n. '{two}/bin/activate'\ncommand -v python\n"
        f'echo "$PS1"\n. "{standard}/bin/activate"\ncommand -v python\ndeactivate\necho "$PATH"; echo "$PS1"\n',
        two,
    )
    assert told == [f"{two}/bin/python", "(two) > ", f"{standard}/bin/python", PATH, "> "]


def test_the_shell_forgets_where_python_was(tmp_path: Path) -> None:
    environment = make(tmp_path, "one")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/python").symlink_to(sys.executable)
    text = f"PATH={tmp_path}/other:$PATH\npython -c 'pass'\n. bin/activate\ncommand -v python\ndeactivate\n"
    assert run([shell("bash")], f"{text}hash | grep -c one/bin", environment) == [f"{environment}/bin/python", "0"]


def test_the_prompt_may_stay_as_it_is(tmp_path: Path) -> None:
    environment = make(tmp_path, "one")
    text = 'PS1=mine\n. bin/activate\necho "$PS1"\ndeactivate\necho "$PS1"\n'
    assert run([shell("bash")], text, environment, VIRTUAL_ENV_DISABLE_PROMPT="1") == ["mine", "mine"]


def test_a_prompt_may_be_chosen(tmp_path: Path) -> None:
    environment = make(tmp_path, "one", prompt="it's\nmine")
    told = run([shell("bash")], 'PS1=\n. bin/activate\necho "$PS1$VIRTUAL_ENV_PROMPT"\n', environment)
    assert told == ["(it's mine) it's mine"]


def test_an_empty_path_gets_no_empty_entry(tmp_path: Path) -> None:
    environment = make(tmp_path, "one")
    told = run([shell("bash")], 'PATH=\n. bin/activate\necho "$PATH"\ndeactivate\necho "[$PATH]"\n', environment)
    assert told == [f"{environment}/bin", "[]"]


def test_starting_the_script_tells_how_to_use_it(tmp_path: Path) -> None:
    environment = make(tmp_path, "one")
    done = subprocess.run([shell("bash"), "bin/activate"], cwd=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "type: source bin/activate" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_fish(name: str, tmp_path: Path) -> None:
    environment = make(tmp_path, name)
    told = run(
        [shell("fish"), "--no-config"],
        'function fish_prompt; echo "[$status]"; end\n'
        f"source bin/activate.fish\n{ASK}\nset -q PYTHONHOME; or echo unset\nfalse\nfish_prompt\n"
        'deactivate\necho "$VIRTUAL_ENV$VIRTUAL_ENV_PROMPT"; echo $PYTHONHOME; string join : $PATH; fish_prompt\n'
        "functions -q deactivate _old_fish_prompt _venv_status; or echo gone\n",
        environment,
        PYTHONHOME="/somewhere",
    )
    blue_prompt = told.pop(4)
    assert f"({name})" in blue_prompt
    assert blue_prompt.endswith(" [1]")
    assert told[:4] == [f"{environment}/bin/python", str(environment), name, "unset"]
    assert told[4:] == ["", "/somewhere", PATH, "[0]", "gone"]


def test_fish_one_after_another(tmp_path: Path) -> None:
    one, two = make(tmp_path, "one"), make(tmp_path, "two")
    told = run(
        [shell("fish"), "--no-config"],
        f"source {one}/bin/activate.fish\nsource {two}/bin/activate.fish\ncommand -v python\nfish_prompt\necho\n"
        "deactivate\nstring join : $PATH\n",
        two,
    )
    assert told[0] == f"{two}/bin/python"
    assert "(two)" in told[1]
    assert "(one)" not in told[1]
    assert told[-1] == PATH


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("program", ["csh", "tcsh"])
def test_csh(program: str, name: str, tmp_path: Path) -> None:
    environment = make(tmp_path, name)
    told = run(
        [shell(program), "-f"],
        "set prompt = '> '\nsource bin/activate.csh\n"
        "which python; printenv VIRTUAL_ENV; printenv VIRTUAL_ENV_PROMPT; printenv PYTHONHOME || echo unset\n"
        "printf '%s\\n' $prompt:q\n"
        "deactivate\nif (! $?VIRTUAL_ENV && ! $?VIRTUAL_ENV_PROMPT) echo gone\n"
        "printf '%s\\n' $PYTHONHOME:q $PATH:q $prompt:q\nalias deactivate\necho end\n",
        environment,
        PYTHONHOME="/somewhere",
    )
    shown = "".join("_" if character in "\\$`!%^" else character for character in name)
    assert told == [
        *(f"{environment}/bin/python", str(environment), name, "unset", f"({shown}) > "),
        *("gone", "/somewhere", PATH, "> ", "end"),
    ]


@pytest.mark.parametrize("name", [name for name in NAMES if "\\" not in name])
def test_powershell(name: str, tmp_path: Path) -> None:
    environment = make(tmp_path, name)
    (environment / "test.ps1").write_text(
        "function prompt { 'PS> ' }\n. ./bin/activate.ps1\n(Get-Command python).Source\n"
        "$env:VIRTUAL_ENV\n$env:VIRTUAL_ENV_PROMPT\nTest-Path env:PYTHONHOME\nprompt\ndeactivate\n"
        "Test-Path env:VIRTUAL_ENV\n$env:PYTHONHOME\n$env:PATH\nTest-Path function:deactivate\n"
    )
    told = run([shell("pwsh"), "-NoProfile", "-File", "test.ps1"], "", environment, PYTHONHOME="/somewhere")
    assert told[:5] == [f"{environment}/bin/python", str(environment), name, "False", f"({name}) PS> "]
    assert told[5:] == ["False", "/somewhere", PATH, "False"]


_CONTENT = st.text(st.characters(exclude_characters="\0\n\r", codec="utf-8"), max_size=40)


def _echo(command: list[str], quoted: list[str]) -> list[str]:
    text = "".join(f"printf '%s\\n' x{word}\n" for word in quoted)
    environ = {"PATH": PATH, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, input=text.encode(), env=environ, capture_output=True, check=True)
    assert done.stderr == b""
    return [line.removeprefix("x") for line in done.stdout.decode().split("\n")[:-1]]


@pytest.mark.parametrize(
    ("command", "quote"),
    [
        (["bash"], quote_posix),
        (["zsh"], quote_posix),
        (["zsh", "-o", "rcquotes"], quote_posix),
        (["dash"], quote_posix),
        (["fish", "--no-config"], quote_fish),
        (["tcsh", "-f"], quote_csh),
    ],
)
def test_any_text_passes_a_shell_unharmed(command: list[str], quote: Callable[[str], str]) -> None:
    program = shell(command[0])

    @settings(max_examples=20, deadline=None)
    @given(st.lists(_CONTENT, min_size=5, max_size=30))
    def check(texts: list[str]) -> None:
        assert _echo([program, *command[1:]], [quote(text) for text in texts]) == texts

    check()


@pytest.mark.parametrize(
    ("quote", "text", "quoted"),
    [
        (quote_posix, "it's", r"'it'\''s'"),
        (quote_fish, r"it's \ ", r"'it\'s \\ '"),
        (quote_csh, r"it's ! \ ", r"'it'\''s '\!' '\\' '"),
        (quote_powershell, "it's $x \u2019", "'it''s $x \u2019\u2019'"),
        (quote_cmd, '100% "sure"', "100%% sure"),
    ],
)
def test_how_each_shell_quotes(quote: Callable[[str], str], text: str, quoted: str) -> None:
    assert quote(text) == quoted


def test_a_file_name_that_is_no_text_stays_the_same_bytes() -> None:
    name = os.fsdecode(b"odd \xff")
    scripts = dict(activation_scripts(directory=f"/x/{name}", scripts="bin", prompt=name, windows=False))
    assert b"VIRTUAL_ENV='/x/odd \xff'\n" in scripts["activate"]
    assert b"VIRTUAL_ENV_PROMPT='odd \xff'\n" in scripts["activate"]


def test_every_placeholder_is_filled() -> None:
    for facts in (describe(), describe_windows()):
        for name, content in plan_venv(final="/x/.venv", interpreter=facts).files:
            assert b"@@" not in content, name


def test_which_scripts_there_are() -> None:
    def names(windows: bool) -> set[str]:
        return {name for name, _ in activation_scripts(directory="/x", scripts="s", prompt="x", windows=windows)}

    assert names(False) == {"activate", "activate.csh", "activate.fish", "activate.ps1"}
    assert names(True) == {"activate", "activate.bat", "activate.ps1", "deactivate.bat"}


def test_cmd_scripts_have_its_line_ends_and_no_quote_in_a_value() -> None:
    scripts = dict(activation_scripts(directory="C:\\x", scripts="Scripts", prompt='100% "a"', windows=True))
    for name in ("activate.bat", "deactivate.bat"):
        assert scripts[name].count(b"\r\n") == scripts[name].count(b"\n") > 5
    lines = scripts["activate.bat"].decode().splitlines()
    assert '@set "VIRTUAL_ENV_PROMPT=100%% a"' in lines
    assert '@if not defined VIRTUAL_ENV_DISABLE_PROMPT set "PROMPT=(100_ a) %PROMPT%"' in lines


def test_powershell_scripts_say_that_they_are_utf8() -> None:
    def script(prompt: str) -> bytes:
        return dict(activation_scripts(directory="/x", scripts="bin", prompt=prompt, windows=False))["activate.ps1"]

    assert script("caf\u00e9").startswith(b"\xef\xbb\xbf#")
    assert script("plain").startswith(b"#")
