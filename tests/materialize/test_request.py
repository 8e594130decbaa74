"""What ``--python`` can say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.interpreters import describe

from wheelstore.materialize.request import Request, parse_request


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("3", Request(version="3")),
        ("3.12", Request(version="3.12")),
        ("312", Request(version="3.12")),
        ("3.12.1", Request(version="3.12.1")),
        ("3.14.0rc1", Request(version="3.14.0rc1")),
        ("3.14a2", Request(version="3.14a2")),
        ("3.13t", Request(version="3.13", variant="t")),
        ("3.13d", Request(version="3.13", variant="d")),
        ("3.13.1td", Request(version="3.13.1", variant="td")),
        ("3.13+freethreaded", Request(version="3.13", variant="t")),
        ("3.13+debug", Request(version="3.13", variant="d")),
        ("3.14+gil", Request(version="3.14")),
        ("python3.12", Request(version="3.12")),
        ("python3", Request(version="3")),
        ("cpython", Request(implementation="cpython")),
        ("CPython@3.12", Request(implementation="cpython", version="3.12")),
        ("cp312", Request(implementation="cpython", version="3.12")),
        ("pypy", Request(implementation="pypy")),
        ("pypy3.10", Request(implementation="pypy", version="3.10")),
        ("pp310", Request(implementation="pypy", version="3.10")),
        ("graalpy@3.11", Request(implementation="graalpy", version="3.11")),
        (">=3.9,<3.12", Request(specifiers="<3.12,>=3.9")),
        ("pypy>=3.9", Request(implementation="pypy", specifiers=">=3.9")),
    ],
)
def test_the_forms_of_a_request(text: str, request_: Request) -> None:
    assert parse_request(text) == request_


@pytest.mark.parametrize(
    "text", ["python", "mypython", "python3.12-dbg", "cpu", "3.12.1.2", "3.x", "3.13dt", "t", "v3.12", "3.12+other", ""]
)
def test_anything_else_is_a_name(text: str) -> None:
    assert parse_request(text) is None


def test_broken_specifiers_are_refused() -> None:
    with pytest.raises(ValueError, match=r">=x is no version specifier"):
        parse_request(">=x")


@given(st.text("0123456789.tdrcab+@<>=~!,pyhon ", max_size=12))
def test_a_request_is_parsed_or_refused(text: str) -> None:
    try:
        request = parse_request(text)
    except ValueError:
        return
    if request is not None:
        assert request.names()
        request.fits(describe())


@pytest.mark.parametrize(
    ("text", "facts", "fits"),
    [
        ("3", {}, True),
        ("3.12", {}, True),
        ("3.1", {}, False),
        ("3.12.1", {}, True),
        ("3.12.10", {}, False),
        ("3.12", {"version": "3.12.0rc1"}, True),
        ("3.12.0", {"version": "3.12.0rc1"}, False),
        ("3.12.0rc1", {"version": "3.12.0rc1"}, True),
        ("3.12.0rc1", {"version": "3.12.0rc2"}, False),
        ("3.12rc1", {"version": "3.12.0"}, False),
        ("3.12", {"gil_disabled": True}, False),
        ("3.12t", {"gil_disabled": True}, True),
        ("3.12t", {}, False),
        ("3.12d", {"debug": True}, True),
        ("3.12td", {"debug": True, "gil_disabled": True}, True),
        ("cpython", {}, True),
        ("pypy", {}, False),
        ("pypy3.12", {"implementation": "pypy"}, True),
        ("3.12", {"implementation": "pypy"}, True),
        (">=3.9,<3.12", {}, False),
        ("~=3.12", {"version": "3.13.0b1"}, True),
        (">=3.12", {"version": "3.12.1+"}, True),
    ],
)
def test_which_interpreters_fit(text: str, facts: dict[str, object], fits: bool) -> None:
    request = parse_request(text)
    assert request is not None
    assert request.fits(describe(**facts)) is fits


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("3.12.1", ("python3.12", "python3", "python")),
        ("3", ("python3", "python")),
        (">=3.9", ("python3", "python")),
        ("3.13t", ("python3.13t", "python3.13", "python3", "python")),
        ("pypy3.10", ("pypy3.10", "pypy3", "pypy")),
        ("pypy", ("pypy3", "pypy")),
    ],
)
def test_what_it_may_be_called(text: str, names: tuple[str, ...]) -> None:
    request = parse_request(text)
    assert request is not None
    assert request.names() == names


@pytest.mark.parametrize(
    ("text", "shown"),
    [("3.13t", "Python 3.13t"), ("pp310", "PyPy 3.10"), (">=3.9", "Python >=3.9"), ("cpython", "CPython")],
)
def test_how_a_request_reads(text: str, shown: str) -> None:
    assert str(parse_request(text)) == shown
