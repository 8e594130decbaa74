from __future__ import annotations

from functools import cache
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker

from wheelstore.resolve.marker_algebra import Point, Space
from wheelstore.resolve.platforms import target_for
from wheelstore.resolve.target import Target

PYTHONS = ("3.9", "3.10", "3.11", "3.12")
PLATFORMS = ("linux", "macos", "windows")


def targets(pythons: tuple[str, ...], platforms: tuple[str, ...]) -> dict[str, Target]:
    return {f"{python}-{platform}": target_for(python, platform) for python in pythons for platform in platforms}


MATRIX = targets(PYTHONS, PLATFORMS)
ODD = {
    **targets(("3.9", "3.12.1", "3.12.4", "pypy3.10"), ("linux", "aarch64-unknown-linux-gnu")),
    **targets(("3.9", "3.14"), ("windows", "i686-pc-windows-msvc", "x86_64-apple-darwin")),
}
ELSEWHERE = targets(
    ("3.8", "3.9", "3.10", "3.11.7", "3.12.1", "3.12.4", "3.14", "pypy3.10", "pypy3.11"),
    ("linux", "macos", "windows", "aarch64-unknown-linux-gnu", "riscv64-unknown-linux", "aarch64-pc-windows-msvc"),
)


def true_on(marker: str | None, candidates: dict[str, Target]) -> set[str]:
    parsed = Marker(marker) if marker else None
    return {name for name, target in candidates.items() if parsed is None or parsed.evaluate(dict(target.markers))}


def space(matrix: dict[str, Target]) -> Space:
    return _space(tuple(matrix))


@cache
def _space(names: tuple[str, ...]) -> Space:
    matrix = {name: target_for(*name.split("-", 1)) for name in names}
    return Space(Point.of(target) for target in matrix.values())


@pytest.mark.parametrize(
    ("wanted", "marker"),
    [
        (lambda python, platform: True, None),
        (lambda python, platform: platform == "windows", "sys_platform == 'win32'"),
        (lambda python, platform: platform != "windows", "sys_platform != 'win32'"),
        (lambda python, platform: python in {"3.9", "3.10"}, "python_version < '3.11'"),
        (lambda python, platform: python in {"3.11", "3.12"}, "python_version >= '3.11'"),
        (
            lambda python, platform: python in {"3.10", "3.11"},
            "python_version >= '3.10' and python_version < '3.12'",
        ),
        (lambda python, platform: python == "3.10", "python_version == '3.10'"),
        (lambda python, platform: python != "3.10", "python_version != '3.10'"),
        (lambda python, platform: python == "3.9", "python_version < '3.10'"),
        (
            lambda python, platform: python == "3.12" and platform == "macos",
            "python_version >= '3.12' and sys_platform == 'darwin'",
        ),
        (
            lambda python, platform: python == "3.9" or platform == "macos",
            "sys_platform == 'darwin' or python_version < '3.10'",
        ),
        (
            lambda python, platform: (python == "3.9" and platform == "macos") or platform == "windows",
            "sys_platform == 'win32' or (python_version < '3.10' and sys_platform == 'darwin')",
        ),
    ],
)
def test_a_marker_is_short_and_speaks_of_pythons_and_systems(wanted, marker) -> None:  # type: ignore[no-untyped-def]
    points = [Point.of(target) for name, target in MATRIX.items() if wanted(*name.split("-"))]
    assert space(MATRIX).marker(points) == marker


def test_machines_and_implementations_are_named_where_they_differ() -> None:
    arms = targets(PYTHONS, ("linux", "aarch64-unknown-linux-gnu"))
    points = [Point.of(target) for name, target in arms.items() if "aarch64" in name]
    assert space(arms).marker(points) == "platform_machine == 'aarch64'"
    both = targets(("3.10", "pypy3.10"), ("linux",))
    assert space(both).marker([Point.of(both["pypy3.10-linux"])]) == "implementation_name == 'pypy'"


def test_releases_of_one_minor_are_told_apart() -> None:
    matrix = targets(("3.12.1", "3.12.4", "3.13"), ("linux",))
    here = space(matrix)
    assert here.marker([Point.of(matrix["3.12.1-linux"])]) == "python_full_version < '3.12.4'"
    assert here.marker([Point.of(matrix["3.12.4-linux"])]) == (
        "python_full_version >= '3.12.4' and python_version < '3.13'"
    )


@pytest.mark.parametrize("matrix", [MATRIX, ODD], ids=["product", "odd"])
@given(data=st.data())
def test_a_marker_selects_exactly_its_points(matrix: dict[str, Target], data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.sampled_from(sorted(matrix)), min_size=1))
    marker = space(matrix).marker([Point.of(matrix[name]) for name in chosen])
    assert true_on(marker, matrix) == chosen


@pytest.mark.parametrize("matrix", [MATRIX, ODD], ids=["product", "odd"])
@given(data=st.data())
def test_markers_of_several_sets_exclude_each_other_everywhere(matrix: dict[str, Target], data: st.DataObject) -> None:
    places = {name: data.draw(st.integers(0, 3)) for name in sorted(matrix)}
    groups = [{name for name in matrix if places[name] == number} for number in sorted({*places.values()} - {0})]
    markers = space(matrix).markers([[Point.of(matrix[name]) for name in group] for group in groups])
    assert [true_on(marker, matrix) for marker in markers] == groups
    for one, other in combinations(markers, 2):
        assert not true_on(one, ELSEWHERE) & true_on(other, ELSEWHERE)
