"""Markers and Python ranges, evaluated for a target that need not be this interpreter."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from wheelstore.resolve.coverage import BadMarker, Coverage, LockTarget, parse_marker
from wheelstore.resolve.pins import Pin, Position, normalize

MARKERS = {
    "implementation_name": "cpython",
    "implementation_version": "3.9.1",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_release": "6.1",
    "platform_system": "Linux",
    "platform_version": "#1",
    "python_full_version": "3.9.1",
    "platform_python_implementation": "CPython",
    "python_version": "3.9",
    "sys_platform": "linux",
}


def pin(marker: str | None = None, *, file: str = "lock.txt", requires_python: str | None = None) -> Pin:
    return Pin(
        name=normalize("demo"),
        version=None,
        marker=parse_marker(marker) if marker else None,
        requires_python=SpecifierSet(requires_python) if requires_python else None,
        position=Position(file, 3),
    )


def coverage(
    *environments: str, python: str | None = None, extras: str = "", groups: str = "", default: str = ""
) -> Coverage:
    return Coverage(
        position=Position("pylock.toml"),
        requires_python=SpecifierSet(python) if python else None,
        environments=tuple(parse_marker(each) for each in environments),
        extras=frozenset(extras.split()),
        groups=frozenset(groups.split()),
        default_groups=frozenset(default.split()),
    )


def target(*covers: Coverage, version: str = "3.9.1", extras: str = "", groups: str | None = None) -> LockTarget:
    markers = {**MARKERS, "python_full_version": version}
    asked = None if groups is None else groups.split()
    return LockTarget(markers, covers, extras=frozenset(extras.split()), groups=asked)


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        (None, True),
        ("python_version == '3.9'", True),
        ("python_full_version > '3.9.1'", False),
        ("sys_platform == 'win32' or os_name == 'posix'", True),
        ("extra == 'x'", False),
        ("platform_release >= '6'", True),
    ],
)
def test_markers_are_the_targets(marker: str | None, holds: bool) -> None:
    assert target().holds(pin(marker)) == holds


def test_a_development_build_has_a_version_too() -> None:
    assert target(version="3.15.0a1+").holds(pin("python_full_version < '3.15.0b1'"))
    assert not list(target(version="3.15.0a1+").unsuited(pin(requires_python=">=3.9")))


def test_markers_are_parsed_once_per_text() -> None:
    assert parse_marker("os_name == 'x'") is parse_marker("os_name == 'x'")
    with pytest.raises(BadMarker, match=r"'os_name' is not a marker: Expected .* at the end"):
        parse_marker("os_name")


@pytest.mark.parametrize("marker", ["'x' in extras", "os_name ~= 'x'"])
def test_a_marker_that_cannot_be_evaluated_is_an_error(marker: str | None) -> None:
    here = target()
    assert not here.holds(pin(marker))
    (error,) = here.errors
    assert str(error).startswith("lock.txt:3: the marker ")
    assert "cannot be evaluated" in str(error)


def test_extras_and_groups_are_those_asked_for() -> None:
    covers = coverage(extras="a b", groups="dev docs", default="dev")
    wants_a, wants_dev = (pin(each, file="pylock.toml") for each in ("'a' in extras", "'dev' in dependency_groups"))
    assert not target(covers).holds(wants_a)
    assert target(covers, extras="a").holds(wants_a)
    assert target(covers).holds(wants_dev)
    assert not target(covers, groups="").holds(wants_dev)
    assert target(covers, groups="docs dev").holds(wants_dev)


def test_default_groups_are_each_files_own() -> None:
    other = Coverage(Position("pylock.b.toml"), None, (), frozenset(), frozenset(), frozenset())
    here = target(coverage(groups="dev", default="dev"), other)
    assert here.holds(pin("'dev' in dependency_groups", file="pylock.toml"))
    assert not here.holds(pin("'dev' in dependency_groups", file="pylock.b.toml"))


@pytest.mark.parametrize(
    ("covers", "asked", "expected"),
    [
        (coverage(python=">=3.9", groups="dev"), {}, []),
        (coverage("os_name == 'nt'", "os_name == 'posix'"), {}, []),
        (coverage(extras="a", groups="dev"), {"extras": "a", "groups": "dev"}, []),
        (coverage(python=">=3.10"), {}, ["pylock.toml: is for Python >=3.10, not for 3.9.1"]),
        (
            coverage("os_name == 'nt'"),
            {},
            ["pylock.toml: is for other environments than the interpreter's"],
        ),
        (coverage(extras="b"), {"extras": "a b"}, ["pylock.toml: offers no extra 'a'"]),
        (coverage(), {"groups": "dev"}, ["pylock.toml: offers no dependency group 'dev'"]),
    ],
)
def test_a_lock_for_others_says_for_whom(covers: Coverage, asked: dict[str, str], expected: object) -> None:
    assert [str(error) for error in target(covers, **asked).uncovered()] == expected


def test_a_release_candidate_is_covered_by_its_range() -> None:
    assert not list(target(coverage(python=">=3.9"), version="3.14.0rc1").uncovered())


def test_requirements_files_offer_no_extras() -> None:
    assert [str(error) for error in target(extras="a").uncovered()] == ["the lock: offers no extra 'a'"]


def test_a_pin_for_another_python_is_an_error() -> None:
    (error,) = target().unsuited(pin(requires_python=">=3.10"))
    assert str(error) == "lock.txt:3: demo is for Python >=3.10, not for 3.9.1"
