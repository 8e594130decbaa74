from __future__ import annotations

import pytest
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from wheelstore.resolve.matrix import (
    BadTarget,
    NoPython,
    environments_of,
    matrix,
    parse_target,
    pythons_from,
    pythons_of,
    requires_python_of,
    unique,
)
from wheelstore.resolve.platforms import UnknownPlatform, UnknownPython, target_for


def test_a_matrix_has_every_python_on_every_platform() -> None:
    cells = matrix(("3.11", "3.12"))
    assert [str(cell) for cell in cells] == [
        f"Python {python} on {platform}" for python in ("3.11", "3.12") for platform in ("linux", "macos", "windows")
    ]
    for cell in cells:
        assert cell.target == target_for(cell.python, cell.platform)
        assert [other for other in cells if Marker(cell.marker).evaluate(dict(other.target.markers))] == [cell]


def test_a_target_that_is_named_twice_is_one() -> None:
    assert len(matrix(("3.12", "3.12.0"), ("linux", "x86_64-unknown-linux-gnu", "x86_64-manylinux_2_28"))) == 1
    assert len(unique((*matrix(("3.12",)), parse_target("3.12-macos"), parse_target("3.13-macos")))) == 4


@pytest.mark.parametrize(
    ("text", "python", "platform"),
    [
        ("3.12-linux", "3.12", "linux"),
        ("3.12.4-x86_64-unknown-linux-musl", "3.12.4", "x86_64-unknown-linux-musl"),
        ("pypy3.10-windows", "pypy3.10", "windows"),
        ("pypy-3.10-windows", "pypy3.10", "windows"),
        ("cpython-3.13t-macos", "3.13t", "macos"),
    ],
)
def test_a_target_is_a_python_and_a_platform(text: str, python: str, platform: str) -> None:
    cell = parse_target(text)
    assert cell.target == target_for(python, platform)
    assert cell.platform == platform


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("3.12", BadTarget),
        ("-linux", BadTarget),
        ("3.12-", BadTarget),
        ("", BadTarget),
        ("linux-3.12", UnknownPython),
        ("3.12-linus", UnknownPlatform),
    ],
)
def test_a_target_of_one_part_is_an_error(text: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        parse_target(text)
    assert getattr(caught.value, "hint", None)


@pytest.mark.parametrize(
    ("specifier", "pythons"),
    [
        (">=3.12", ("3.12", "3.13", "3.14")),
        (">=3.12.2,<3.14", ("3.12.2", "3.13")),
        (">=3.11,!=3.12.*,!=3.13.0", ("3.11", "3.13.1", "3.14")),
        ("<3.10", ("3.8", "3.9")),
        ("==3.11.4", ("3.11.4",)),
        (">=2.7,<4,!=3.8.*,!=3.9.*,!=3.10.*,!=3.11.*", ("3.12", "3.13", "3.14")),
    ],
)
def test_requires_python_says_which_pythons(specifier: str, pythons: tuple[str, ...]) -> None:
    assert pythons_of(SpecifierSet(specifier)) == pythons


def test_a_requires_python_without_a_python_is_an_error() -> None:
    with pytest.raises(NoPython, match=r"no Python from 3\.8 to 3\.14"):
        pythons_of(SpecifierSet("<3"))


def test_pythons_go_on_to_the_newest() -> None:
    assert pythons_from("3.12.1") == ("3.12.1", "3.13", "3.14")
    assert pythons_from("3.13") == ("3.13", "3.14")
    assert pythons_from("3.15") == ("3.15",)


@pytest.mark.parametrize(
    ("pythons", "requires_python"),
    [
        (("3.9", "3.14"), ">=3.9"),
        (("3.9.2", "3.10"), ">=3.9.2,<3.11"),
        (("3.12",), ">=3.12,<3.13"),
    ],
)
def test_what_the_pythons_have_in_common(pythons: tuple[str, ...], requires_python: str) -> None:
    assert requires_python_of(matrix(pythons, ("linux",))) == requires_python


def test_environments_are_platforms_unless_a_python_is_missing() -> None:
    linux, windows = (
        f"sys_platform == '{system}' and platform_machine == '{machine}' and implementation_name == 'cpython'"
        for system, machine in (("linux", "x86_64"), ("win32", "AMD64"))
    )
    assert environments_of(matrix(("3.11", "3.12"), ("linux", "windows"))) == (linux, windows)
    assert environments_of((*matrix(("3.11", "3.12"), ("linux",)), parse_target("3.12-windows"))) == (
        linux,
        f"python_version == '3.12' and {windows}",
    )
    assert environments_of(matrix(("3.11", "3.13"), ("linux",))) == (
        f"python_version == '3.11' and {linux}",
        f"python_version == '3.13' and {linux}",
    )
