from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelstore.resolve.matrix import Cell, matrix
from wheelstore.resolve.pins import UrlSource
from wheelstore.resolve.problem import Answer, Chosen, Preference, Problem, Rules
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.solving import NoAnswer
from wheelstore.resolve.universal import CellError, SameMarkers, WrongMarkers, merge, solve_universal, verify

CELLS = matrix(("3.10", "3.11", "3.12"))
MUSL = matrix(("3.12",), ("linux", "x86_64-unknown-linux-musl"))


def chosen(name: str, version: str = "1.0", *files: str, **changes: object) -> Chosen:
    found = tuple(IndexFile(file, f"https://files.test/{file}") for file in files)
    return replace(Chosen(name=canonicalize_name(name), version=Version(version), files=found), **changes)  # type: ignore[arg-type]


def answers(make: Callable[[Cell], list[Chosen]], cells: tuple[Cell, ...] = CELLS) -> list[Answer]:
    return [Answer(chosen=tuple(make(cell))) for cell in cells]


def told(answer: Answer) -> list[tuple[str, str, str | None]]:
    return [(one.name, str(one.version), one.marker) for one in answer.chosen]


def test_what_is_everywhere_has_no_marker_and_the_rest_a_short_one() -> None:
    def make(cell: Cell) -> list[Chosen]:
        found = [chosen("zope"), chosen("numpy", "1.9" if cell.python == "3.10" else "2.0")]
        return found + [chosen("colorama")] * (cell.platform == "windows")

    merged = merge(CELLS, answers(make))
    assert told(merged) == [
        ("colorama", "1.0", "sys_platform == 'win32'"),
        ("numpy", "1.9", "python_version < '3.11'"),
        ("numpy", "2.0", "python_version >= '3.11'"),
        ("zope", "1.0", None),
    ]
    assert merged.requires_python == ">=3.10,<3.13"
    assert len(merged.environments) == 3


def test_what_the_cells_know_of_a_distribution_is_put_together() -> None:
    def make(cell: Cell) -> list[Chosen]:
        extra = frozenset({cell.platform})
        files = ("a-1.0.tar.gz", f"a-1.0-cp3-{cell.platform}.whl")
        needs = ("b", cell.platform)
        return [chosen("a", "1.0", *files, extras=extra, via=(f"{cell.platform}.in", "c"), dependencies=needs)]

    (one,) = merge(CELLS, answers(make)).chosen
    assert one.extras == {"linux", "macos", "windows"}
    assert [file.filename for file in one.files] == [
        "a-1.0-cp3-linux.whl",
        "a-1.0-cp3-macos.whl",
        "a-1.0-cp3-windows.whl",
        "a-1.0.tar.gz",
    ]
    assert one.via == ("linux.in", "c", "macos.in", "windows.in")
    assert one.dependencies == ("b", "linux", "macos", "windows")
    assert one.marker is None


def test_another_source_or_index_is_another_distribution() -> None:
    def make(cell: Cell) -> list[Chosen]:
        if cell.platform == "macos":
            return [chosen("a", source=UrlSource(url="https://files.test/a.zip"))]
        return [chosen("a", location=f"https://{cell.platform}.test/simple/")]

    merged = merge(CELLS, answers(make))
    assert sorted(one.marker or "" for one in merged.chosen) == [
        f"sys_platform == '{system}'" for system in ("darwin", "linux", "win32")
    ]


def test_targets_that_no_marker_tells_apart_have_to_agree() -> None:
    same = merge(MUSL, answers(lambda cell: [chosen("a", "1.0", f"a-{cell.platform}.whl")], MUSL))
    assert [(one.marker, len(one.files)) for one in same.chosen] == [(None, 2)]
    with pytest.raises(
        SameMarkers, match=r"a is not the same for Python 3\.12 on linux and Python 3\.12 on x86_64"
    ) as caught:
        merge(MUSL, answers(lambda cell: [chosen("a", "1.0" if cell.platform == "linux" else "2.0")], MUSL))
    assert caught.value.hint


@given(st.lists(st.lists(st.sampled_from(["", "1.0", "2.0", "3.0"]), min_size=3, max_size=3), min_size=9, max_size=9))
def test_every_cell_gets_its_own_answer_back(versions: list[list[str]]) -> None:
    found = [
        Answer(chosen=tuple(chosen(name, version) for name, version in zip("abc", row, strict=True) if version))
        for row in versions
    ]
    merged = merge(CELLS, found)
    verify(merged, CELLS, found)
    assert [one.name for one in merged.chosen] == sorted(one.name for one in merged.chosen)


def test_a_wrong_marker_is_found() -> None:
    found = answers(lambda cell: [chosen("a")] * (cell.platform == "windows"))
    merged = merge(CELLS, found)
    wrong = replace(merged, chosen=tuple(replace(one, marker="os_name == 'posix'") for one in merged.chosen))
    with pytest.raises(WrongMarkers, match=r"a for Python 3\.10 on linux"):
        verify(wrong, CELLS, found)
    with pytest.raises(WrongMarkers, match="no environment"):
        verify(replace(merged, environments=("os_name == 'nt'",)), CELLS, found)


class Solver:
    """Takes the preferred version where there is one, and remembers whom it was asked for."""

    def __init__(self, best: Callable[[str, str], str]) -> None:
        self.best = best
        self.asked: list[tuple[str, str, Mapping[str, Version]]] = []

    def __call__(self, problem: Problem) -> Answer:
        markers = problem.target.markers
        here = (markers["python_version"], markers["sys_platform"])
        self.asked.append((*here, problem.preferred))
        best = self.best(*here)
        preferred = problem.preferred.get("a")
        return Answer(chosen=(chosen("a", str(preferred) if preferred and preferred <= Version(best) else best),))


def problem(**changes: object) -> Problem:
    return replace(Problem(roots=(), target=CELLS[0].target), **changes)  # type: ignore[arg-type]


def test_cells_are_solved_newest_first_and_prefer_what_others_have() -> None:
    solver = Solver(lambda python, system: "1.5" if system == "win32" else "2.0")
    merged = solve_universal(problem(), CELLS, solver)
    assert [python for python, _, _ in solver.asked] == ["3.12"] * 3 + ["3.11"] * 3 + ["3.10"] * 3
    assert [str(pins.get("a")) for _, _, pins in solver.asked[:6]] == ["None", "2.0", "2.0", "2.0", "2.0", "1.5"]
    assert told(merged) == [("a", "1.5", "sys_platform == 'win32'"), ("a", "2.0", "sys_platform != 'win32'")]


def test_the_lowest_versions_begin_with_the_oldest_python() -> None:
    solver = Solver(lambda python, system: "1.0")
    solve_universal(problem(rules=Rules(preference=Preference.LOWEST)), CELLS, solver)
    assert [python for python, _, _ in solver.asked[::3]] == ["3.10", "3.11", "3.12"]


def test_pins_of_an_earlier_lock_come_before_those_of_other_cells() -> None:
    solver = Solver(lambda python, system: "2.0")
    assert told(solve_universal(problem(preferred={"a": Version("1.2")}), CELLS, solver)) == [("a", "1.2", None)]

    def kept(cell: Cell) -> dict[str, Version]:
        return {"a": Version("1.3")} if cell.platform == "macos" else {}

    assert told(solve_universal(problem(), CELLS, solver, kept=kept)) == [
        ("a", "1.3", "sys_platform == 'darwin'"),
        ("a", "2.0", "sys_platform != 'darwin'"),
    ]


class Refusal(NoAnswer):
    hint = "ask for less"

    def __init__(self) -> None:
        Exception.__init__(self)

    def __str__(self) -> str:
        return "a has no such version"


def test_a_cell_without_an_answer_is_named() -> None:
    refusal = Refusal()

    def solve(problem: Problem) -> Answer:
        if problem.target.markers["sys_platform"] == "darwin":
            raise refusal
        return Answer(chosen=())

    with pytest.raises(CellError, match=r"^for Python 3\.12 on macos: a has no such version$") as caught:
        solve_universal(problem(), CELLS, solve)
    assert (caught.value.error, caught.value.hint) == (refusal, "ask for less")
