import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.store.entry_points import EntryPoint, check_script_name, parse_entry_points
from wheelstore.store.refusal import BadWheel


def test_console_and_gui_scripts_are_read_and_other_groups_are_not() -> None:
    text = b"""\
[console_scripts]
demo = demo.cli:main
dotted=demo.cli : Application.run
with-extra = demo:main [tls, color]

[gui_scripts]
demo-gui = demo:window

[other.group]
python = not a reference at all
a/b
"""
    assert parse_entry_points(text) == (
        EntryPoint(name="demo", module="demo.cli", attribute="main"),
        EntryPoint(name="dotted", module="demo.cli", attribute="Application.run"),
        EntryPoint(name="with-extra", module="demo", attribute="main", extras=("tls", "color")),
        EntryPoint(name="demo-gui", module="demo", attribute="window", gui=True),
    )


def test_comments_blank_lines_line_ends_and_a_byte_order_mark_do_not_matter() -> None:
    text = b"\xef\xbb\xbf# made by hand\r\n\r\n[ console_scripts ]\r\n; one\r\n  demo = demo:main  \r\n"
    assert parse_entry_points(text) == (EntryPoint(name="demo", module="demo", attribute="main"),)


def test_a_line_that_is_repeated_counts_once() -> None:
    text = b"[console_scripts]\na = b:c\n[x]\n[console_scripts]\na = b:c\n[gui_scripts]\na = b:c\n"
    assert [point.gui for point in parse_entry_points(text)] == [False, True]


def test_a_group_needs_both_brackets() -> None:
    assert parse_entry_points(b"[console_scripts\na = b:c\n") == ()


def test_no_text_means_no_entry_points() -> None:
    assert parse_entry_points(b"") == ()


@given(st.binary() | st.text().map(lambda text: f"[console_scripts]\n{text}".encode(errors="replace")))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    points: tuple[EntryPoint, ...] = ()
    with contextlib.suppress(BadWheel):
        points = parse_entry_points(text)
    for point in points:
        assert all(part.isidentifier() for part in point.module.split("."))
        assert all(part.isidentifier() for part in point.attribute.split("."))


@pytest.mark.parametrize(
    "name",
    [
        "activate-global-python-argcomplete",
        "activate_this.py",
        "python-argcomplete-check-easy-install-script",
        "python3-config",
        "python4",
        "python2.7",
        "pythonista",
        "python3.12-config",
        "deactivate-it",
        "deactivate.sh",
        "pip3.12",
        ".hidden",
        "naïve",
        "with space",
    ],
)
def test_names_that_merely_begin_like_a_reserved_one_are_ordinary(name: str) -> None:
    check_script_name("entry_points.txt", name)


@pytest.mark.parametrize(
    "name",
    [
        *("python", "python3", "python3.8", "python3.14t", "pythonw", "python3w", "Python", "PYTHON3", "python."),
        *("pypy", "pypy3", "pypy3.10", "python.exe", "pythonw.exe", "python3.12.exe"),
        *("activate", "activate.fish", "activate.csh", "activate.nu", "Activate.ps1", "activate.bat", "activate "),
        *("deactivate", "deactivate.bat", "", ".", "..", " .", "a/b", "/a", "a\\b", "c:a", "a\tb", "a\0b", "a\nb"),
    ],
)
def test_reserved_names_and_names_that_leave_the_directory_are_refused(name: str) -> None:
    with pytest.raises(BadWheel):
        check_script_name("entry_points.txt", name)
