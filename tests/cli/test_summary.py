from __future__ import annotations

import io

import pytest

from wheelstore.cli.colors import Palette
from wheelstore.cli.summary import added_line, counted, duration, lines, size_text, tell
from wheelstore.cli.warm import Warm

A, B, C = ("alpha", "1.0", "a.dist-info"), ("beta", "2.0", "b.dist-info"), ("gamma", "3.0", "c.dist-info")


@pytest.mark.parametrize(
    ("done", "dry_run", "told"),
    [
        (Warm(2), False, ["Audited 2 packages in 5ms"]),
        (Warm(1), True, ["Audited 1 package in 5ms"]),
        (Warm(2, added=(B, A)), False, ["Installed 2 packages in 5ms", " + alpha==1.0", " + beta==2.0"]),
        (Warm(1, added=(A,)), True, ["Would install 1 package in 5ms", " + alpha==1.0"]),
        (
            Warm(2, added=(("alpha", "2.0", ""),), removed=(A, C), repaired=(B,)),
            False,
            [
                "Uninstalled 2 packages in 5ms",
                "Installed 1 package in 5ms",
                "Repaired 1 package in 5ms",
                " - alpha==1.0",
                " + alpha==2.0",
                " ~ beta==2.0",
                " - gamma==3.0",
            ],
        ),
        (Warm(2, removed=(A,)), True, ["Would uninstall 1 package in 5ms", " - alpha==1.0"]),
        (Warm(2, repaired=(A,)), True, ["Would repair 1 package in 5ms", " ~ alpha==1.0"]),
        (Warm(2, files=1), False, ["Put 1 file right in 5ms"]),
        (Warm(2, files=3), True, ["Would put 3 files right in 5ms"]),
    ],
)
def test_a_sync_ends_with_what_it_did(done: Warm, dry_run: bool, told: list[str]) -> None:
    assert lines(done, 0.005, dry_run=dry_run) == told


def test_a_terminal_shows_names_bold_and_signs_in_their_colours() -> None:
    done = Warm(1, added=(A,), removed=(B,), repaired=(C,))
    told = lines(done, 0.005, dry_run=False, palette=Palette(on=True))
    assert told[1] == "\x1b[2mInstalled\x1b[0m \x1b[1m1 package\x1b[0m \x1b[2min 5ms\x1b[0m"
    assert told[3:] == [
        " \x1b[32m+\x1b[0m \x1b[1malpha\x1b[0m\x1b[2m==1.0\x1b[0m",
        " \x1b[31m-\x1b[0m \x1b[1mbeta\x1b[0m\x1b[2m==2.0\x1b[0m",
        " \x1b[33m~\x1b[0m \x1b[1mgamma\x1b[0m\x1b[2m==3.0\x1b[0m",
    ]


def test_what_is_no_terminal_gets_plain_lines() -> None:
    stream = io.StringIO()
    tell(stream, Warm(1, added=(A,)), 0.005, dry_run=False)
    assert stream.getvalue() == "Installed 1 package in 5ms\n + alpha==1.0\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0004, "0ms"), (0.0851, "85ms"), (0.9994, "999ms"), (1.0, "1.00s"), (75.123, "75.12s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345_678, "12.3 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
        (7_000_000_000_000, "7.0 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("sizes", "present", "text"),
    [
        ([12_000_000, 300_000, 1], 93, "Added 3 wheels (12.3 MB) in 85ms; 93 were there"),
        ([500], 1, "Added 1 wheel (500 B) in 85ms; 1 was there"),
        ([500], 0, "Added 1 wheel (500 B) in 85ms"),
        ([], 96, "Audited 96 wheels in 85ms; all were there"),
        ([], 1, "Audited 1 wheel in 85ms; it was there"),
        ([], 0, "Added 0 wheels (0 B) in 85ms"),
    ],
)
def test_an_add_ends_with_what_came_and_what_was_there(sizes: list[int], present: int, text: str) -> None:
    assert added_line(sizes, present, 0.085) == text


def test_one_is_singular() -> None:
    assert (counted(0, "file"), counted(1, "file"), counted(2, "file")) == ("0 files", "1 file", "2 files")
