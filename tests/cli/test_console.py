from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from wheelstore.cli.colors import Palette, palette_for
from wheelstore.cli.console import Console, explain, fail, report, write_data, write_json
from wheelstore.resolve.errors import ResolveError
from wheelstore.store.errors import StoreError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Several(ResolveError):
    def __init__(self, *errors: Exception, hint: str | None = None) -> None:
        super().__init__(errors)
        self.errors, self.hint = errors, hint


class Hinted(StoreError):
    def __init__(self, text: str, hint: str | None) -> None:
        super().__init__(text)
        self.hint = hint


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Hinted("it broke", None), "error: it broke\n"),
        (Hinted("it broke", "mend it"), "error: it broke\nhint: mend it\n"),
        (Hinted("two\nlines", None), "error: two lines\n"),
        (Hinted("", None), "error: Hinted\n"),
        (
            Several(Hinted("one", "a"), Hinted("two", "b"), Hinted("three", "a"), hint="c"),
            "error: one\nerror: two\nerror: three\nhint: a\nhint: b\nhint: c\n",
        ),
    ],
)
def test_an_error_is_one_line_and_its_hint_another(error: Exception, said: str) -> None:
    stream = io.StringIO()
    report(error, stream)
    assert stream.getvalue() == said


def test_a_terminal_sees_error_red_and_hint_cyan() -> None:
    stream = Terminal()
    fail(["it broke"], ["mend it"], stream)
    assert stream.getvalue() == (
        "\x1b[31;1merror\x1b[0m\x1b[1m:\x1b[0m it broke\n\x1b[36;1mhint\x1b[0m\x1b[1m:\x1b[0m mend it\n"
    )


@pytest.mark.parametrize(
    ("stream", "environ", "colored"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"TERM": "xterm"}, True),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_and_the_environment_decides(
    stream: io.StringIO, environ: dict[str, str], colored: bool
) -> None:
    assert palette_for(stream, {**environ, "WT_SESSION": "a terminal that has colours"}).on is colored


def test_without_colours_text_stays_as_it_is() -> None:
    assert Palette(on=False).paint("text", "red", "bold") == "text"


@pytest.mark.parametrize(
    ("quiet", "verbose", "said"),
    [
        (0, 0, "say\nwarning: warn\n"),
        (0, 1, "say\nwarning: warn\ndetail\n"),
        (1, 0, "warning: warn\n"),
        (2, 0, ""),
    ],
)
def test_quiet_and_verbose(quiet: int, verbose: int, said: str) -> None:
    console = Console(quiet=quiet, verbose=verbose, stream=(stream := io.StringIO()))
    console.say("say")
    console.warn("warn")
    console.detail("detail")
    assert stream.getvalue() == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreError("a"), "error: a\n"),
        (ResolveError("b"), "error: b\n"),
        (FileNotFoundError(2, "No such file or directory", "x"), "error: x: No such file or directory\n"),
        (OSError(18, "Invalid cross-device link", "x", None, "y"), "error: x -> y: Invalid cross-device link\n"),
        (OSError(5, "Input/output error"), "error: Input/output error\n"),
        (OSError("anything"), "error: anything\n"),
    ],
)
def test_what_users_can_meet_is_explained(error: Exception, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(error)
    assert capsys.readouterr().err == said


def test_a_mistake_of_ours_is_not_explained_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert not explain(TypeError("a"))
    assert capsys.readouterr().err == ""


def test_file_names_that_are_no_text_are_written_as_they_are() -> None:
    stream = io.TextIOWrapper(buffer := io.BytesIO(), encoding="utf-8")
    write_data("plain\n", stream)
    write_data(os.fsdecode(b"caf\xe9\n"), stream)
    stream.flush()
    assert buffer.getvalue() == b"plain\ncaf\xe9\n"


def test_json_is_indented_and_ends_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"path": os.fsdecode(b"caf\xe9")})
    out = capsys.readouterr().out
    assert out.endswith("}\n")
    assert json.loads(out) == {"path": os.fsdecode(b"caf\xe9")}


def test_the_console_needs_neither_click_nor_rich() -> None:
    script = """import sys; before = {*sys.modules}
import wheelstore.cli.console, wheelstore.cli.summary; print(*({*sys.modules} - before))"""
    names = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "wheelstore.cli.console" in names
    assert {"click", "rich", "json", "typing", "dataclasses", "re"}.isdisjoint(names)


def test_what_another_program_said_stands_between_error_and_hint() -> None:
    class Failed(StoreError):
        lines = ("first", "sec\nond")
        hint = "try again"

    stream = io.StringIO()
    report(Failed("it failed"), stream)
    assert stream.getvalue() == "error: it failed\n  first\n  sec ond\nhint: try again\n"


class Explained(ResolveError):
    headline = "it cannot be"
    lines = ("Because of this.", "And of that.")
    hints = ("try this", "or that")
    hint = "try this\nor that"


def test_an_explanation_stands_below_its_headline_and_each_hint_has_a_line() -> None:
    stream = io.StringIO()
    report(Explained("Because of this.\nAnd of that."), stream)
    assert stream.getvalue() == (
        "error: it cannot be\n  Because of this.\n  And of that.\nhint: try this\nhint: or that\n"
    )


def test_a_hint_can_show_where_something_is_wrong() -> None:
    stream = io.StringIO()
    fail(["bad"], ["look here\n    six=>1\n       ^^\nerror: forged"], stream)
    assert stream.getvalue() == "error: bad\nhint: look here\n    six=>1\n       ^^ error: forged\n"
