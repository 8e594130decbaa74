"""Lines as pip sees them; where pip is installed, pip itself is the judge."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.resolve.requirements_lines import (
    LogicalLine,
    Variables,
    decode,
    split_options,
    take_line,
    words,
)


def logical_lines(text: str) -> list[tuple[int, str]]:
    start, number, lines = 0, 1, []
    while start < len(text):
        line, start = take_line(text, start, number)
        number += len(line.physical)
        if line.text:
            lines.append((line.number, line.text))
    return lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", [(1, "a"), (2, "b")]),
        ("\n\n  a  \n", [(3, "a")]),
        ("a \\\n  b \\\n  c\nd", [(1, "a   b   c"), (4, "d")]),
        ("a\\\nb", [(1, "ab")]),
        ("a \\", [(1, "a")]),
        ("a # b", [(1, "a")]),
        ("a#b", [(1, "a#b")]),
        ("# a \\\nb", [(2, "b")]),
        ("a \\\n# b\nc", [(1, "a"), (3, "c")]),
        ("a # b \\\nc\nd", [(1, "a"), (3, "d")]),
        ("a\r\nb\rc\x0cd\u2028e", [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e")]),
    ],
)
def test_lines_are_joined_before_comments_are_stripped(text: str, expected: object) -> None:
    assert logical_lines(text) == expected


@given(st.text(st.sampled_from("ab=-\\# \t\n\r\x0b\x85\u2029$"), max_size=40))
def test_lines_are_the_ones_that_pip_sees(text: str) -> None:
    req_file = pytest.importorskip("pip._internal.req.req_file")
    enumerated = enumerate(text.splitlines(), start=1)
    assert logical_lines(text) == list(req_file.ignore_comments(req_file.join_lines(enumerated)))


def test_a_fragment_is_found_on_its_physical_line() -> None:
    line = LogicalLine(number=7, text="a b c", physical=("a \\", "b \\", "c"))
    assert [line.line_of(each) for each in ("a", "b", "c", "absent", "")] == [7, 8, 9, 7, 7]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"plain", "plain"),
        ("ü".encode(), "ü"),
        (codecs.BOM_UTF8 + "ü".encode(), "ü"),
        ("ü".encode("utf-16"), "ü"),
        (codecs.BOM_UTF16_BE + "ü".encode("utf-16-be"), "ü"),
        ("ü".encode("utf-32"), "ü"),
        (codecs.BOM_UTF32_BE + "ü".encode("utf-32-be"), "ü"),
        ("# -*- coding: latin-1 -*-\nü".encode("latin-1"), "# -*- coding: latin-1 -*-\nü"),
        ("#!x\n# coding=latin-1\nü".encode("latin-1"), "#!x\n# coding=latin-1\nü"),
        ("x # coding=latin-1\nü".encode(), "x # coding=latin-1\nü"),
        ("\n\n# coding=latin-1\nü".encode(), "\n\n# coding=latin-1\nü"),
    ],
)
def test_the_encoding_is_found_as_pip_finds_it(data: bytes, expected: object) -> None:
    assert decode(data) == expected


@pytest.mark.parametrize("data", [b"\xff", b"# coding: nonsense\n", b"# coding: hex\n", b"\xff\xfea"])
def test_undecodable_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


def test_only_variables_in_upper_case_that_are_set_expand() -> None:
    variables = Variables({"TOKEN": "secret", "EMPTY": "", "lower": "x", "A_1": "${TOKEN}"})
    text = "${TOKEN} $TOKEN ${EMPTY} ${UNSET} ${lower} ${A_1}"
    assert variables.expand(text) == "secret $TOKEN ${EMPTY} ${UNSET} ${lower} ${TOKEN}"
    assert variables.names == {"TOKEN", "EMPTY", "UNSET", "A_1"}


def test_expanded_values_can_be_turned_back() -> None:
    variables = Variables({"TOKEN": "s3cr3t", "V": "1"})
    assert variables.conceal(variables.expand("x ${TOKEN} ${V} 1")) == "x ${TOKEN} 1 1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("foo==1", ("foo==1", "")),
        ("foo==1 --hash=x", ("foo==1", "--hash=x")),
        ("foo==1 ; python_version > '3' --hash=x", ("foo==1 ; python_version > '3'", "--hash=x")),
        ("foo-bar==1-2", ("foo-bar==1-2", "")),
        ("foo\t--hash=x", ("foo", "--hash=x")),
        ("-r other.txt", ("", "-r other.txt")),
    ],
)
def test_options_begin_at_the_first_word_with_a_dash(text: str, expected: object) -> None:
    assert split_options(text) == expected


def test_words_are_the_shells() -> None:
    assert words('-r \'a b\' "c\\"d" e\\ f') == ["-r", "a b", 'c"d', "e f"]
    with pytest.raises(ValueError):
        words("-r 'open")
