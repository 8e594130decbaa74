"""Options as optparse would read them, and what they add up to."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.resolve.requirements_options import (
    BadOption,
    LockOptions,
    OptionsSoFar,
    parse_options,
)


def pairs(text: str) -> list[tuple[str, str]]:
    return [(option.name, option.value) for option in parse_options(text)[0]]


def added(*options: tuple[str, str]) -> LockOptions:
    so_far = OptionsSoFar()
    for name, value in options:
        so_far.add(name, value)
    return so_far.freeze(require_hashes=so_far.require_hashes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-i https://a/simple", [("index-url", "https://a/simple")]),
        ("-ihttps://a/simple", [("index-url", "https://a/simple")]),
        ("--index-url https://a", [("index-url", "https://a")]),
        ("--index-url=https://a?b=c", [("index-url", "https://a?b=c")]),
        ("--pypi-url https://a", [("index-url", "https://a")]),
        ("--extra-index https://a", [("extra-index-url", "https://a")]),
        ("--no-index --pre", [("no-index", ""), ("pre", "")]),
        ("-r a.txt -c b.txt", [("requirement", "a.txt"), ("constraint", "b.txt")]),
        ("-r 'a b.txt'", [("requirement", "a b.txt")]),
        ("-f ./wheels --prefer-binary", [("find-links", "./wheels"), ("prefer-binary", "")]),
        ("--only-binary :all:", [("only-binary", ":all:")]),
        ("--trusted-host a:8080", [("trusted-host", "a:8080")]),
        ("--use-feature fast-deps", [("use-feature", "fast-deps")]),
        ("--hash sha256:a --hash=sha256:b", [("hash", "sha256:a"), ("hash", "sha256:b")]),
        ("-C a=b --config-settings=c=d", [("config-settings", "a=b"), ("config-settings", "c=d")]),
        ("--config-setting a=b", [("config-settings", "a=b")]),
        ("--global-option=--x", [("global-option", "--x")]),
        ("--all-releases :all: --only-final a", [("all-releases", ":all:"), ("only-final", "a")]),
    ],
)
def test_options_are_read_in_every_spelling(text: str, expected: object) -> None:
    assert pairs(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("--indx-url https://a", "unknown option --indx-url", "did you mean --index-url?"),
        ("--hashes=sha256:a", "unknown option --hashes", "did you mean --hash?"),
        ("-x", "unknown option -x", None),
        ("--no https://a", "--no is ambiguous: --no-binary, --no-index, --no-require-hashes", None),
        ("-r", "-r needs a value", None),
        ("--pre=1", "--pre takes no value", None),
        ("-r 'a", 'a quote is never closed in "-r \'a"', None),
    ],
)
def test_a_bad_option_says_what_is_wrong(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(BadOption) as caught:
        parse_options(text)
    assert str(caught.value) == message
    if hint:
        assert caught.value.hint == hint


def test_words_that_belong_to_no_option_are_returned() -> None:
    assert parse_options("--pre a -- -b")[1] == ["a", "-b"]


SPELLINGS = st.sampled_from(
    ["-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-r", "-c", "--trusted-host", "--extra"]
)
VALUES = st.text(st.sampled_from("ab=:/. '\"\\"), min_size=1, max_size=6)


@given(st.lists(st.tuples(SPELLINGS, VALUES, st.booleans()), min_size=1, max_size=4))
def test_options_are_the_ones_that_pip_sees(options: list[tuple[str, str, bool]]) -> None:
    req_file = pytest.importorskip("pip._internal.req.req_file")
    text = " ".join(
        f"{spelling}={shlex.quote(value)}"
        if attached and spelling.startswith("--")
        else f"{spelling} {shlex.quote(value)}"
        for spelling, value, attached in options
    )
    ours = pairs(text)
    seen = req_file.get_line_parser(None)(text)[1]
    assert [value for name, value in ours if name == "requirement"] == (seen.requirements or [])
    assert [value for name, value in ours if name == "constraint"] == (seen.constraints or [])
    assert [value for name, value in ours if name == "find-links"] == (seen.find_links or [])
    assert [value for name, value in ours if name == "extra-index-url"] == (seen.extra_index_urls or [])
    assert [value for name, value in ours if name == "index-url"][-1:] == [url for url in [seen.index_url] if url]


def test_options_add_up() -> None:
    options = added(
        ("index-url", "https://a"),
        ("index-url", "https://b"),
        ("extra-index-url", "https://c"),
        ("extra-index-url", "https://c"),
        ("find-links", "wheels"),
        ("trusted-host", "h"),
        ("prefer-binary", ""),
        ("pre", ""),
        ("require-hashes", ""),
        ("use-feature", "x"),
    )
    assert options == LockOptions(
        index_url="https://b",
        extra_index_urls=("https://c",),
        find_links=("wheels",),
        trusted_hosts=("h",),
        prefer_binary=True,
        pre=True,
        require_hashes=True,
    )


def test_no_index_drops_every_index() -> None:
    options = added(("index-url", "https://a"), ("no-index", ""), ("extra-index-url", "https://b"))
    assert options == LockOptions(no_index=True)


def test_repr_shows_no_credentials() -> None:
    options = added(("index-url", "https://u:secret@a"), ("find-links", "https://u:secret@b"))
    assert "secret" not in repr(options)


def test_the_last_format_option_wins() -> None:
    options = added(("no-binary", "A,b"), ("only-binary", "a"))
    assert options.no_binary == {"b"}
    assert options.only_binary == {"a"}
    options = added(("no-binary", "a"), ("only-binary", ":all:,:none:,c"), ("no-binary", ":none:"))
    assert options.no_binary == frozenset()
    assert options.only_binary == {"c"}


FORMATS = st.tuples(
    st.sampled_from(["no-binary", "only-binary"]),
    st.lists(st.sampled_from([":all:", ":none:", "a", "B_b", "c"]), min_size=1, max_size=4).map(",".join),
)


@given(st.lists(FORMATS, max_size=5))
def test_format_control_is_pips(options: list[tuple[str, str]]) -> None:
    format_control = pytest.importorskip("pip._internal.models.format_control")
    control = format_control.FormatControl()
    for name, value in options:
        target, other = control.no_binary, control.only_binary
        if name == "only-binary":
            target, other = other, target
        control.handle_mutual_excludes(value, target, other)
    ours = added(*options)
    assert (ours.no_binary, ours.only_binary) == (control.no_binary, control.only_binary)
    for project in ("a", "b-b", "c", "d"):
        allowed = control.get_allowed_formats(project)
        assert ours.allows_wheel(project) == ("binary" in allowed)
        assert ours.allows_sdist(project) == ("source" in allowed)
