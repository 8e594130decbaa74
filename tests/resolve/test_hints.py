"""Hints name what could be done: each sees the reason in the files, and none appears without one."""

from __future__ import annotations

from typing import Any

import pytest
from support.problems import NO_DIRECT, Release, World, catalog_of, problem_of

from wheelstore.resolve.problem import Prereleases, Rules, Selected
from wheelstore.resolve.solving import NoAnswer, solve

ANY_INDEX = "STORE_INDEX_STRATEGY=unsafe-best-match lets any index answer"
OTHER = "https://other.test/simple/"


def hints(world: World, *roots: str, rules: Rules | None = None, **more: Any) -> tuple[str, ...]:
    constraints = more.pop("constraints", ())
    problem = problem_of(*roots, constraints=constraints, rules=rules)
    with pytest.raises(NoAnswer) as failure:
        solve(problem, catalog_of(world, rules=problem.rules, **more), NO_DIRECT)
    assert failure.value.hint == ("\n".join(failure.value.hints) or None)
    return failure.value.hints


def test_versions_that_exclude_each_other_need_no_hint() -> None:
    assert hints({"a": {"1": ["b>=2"]}, "b": {"1": [], "2": [], "3rc1": []}}, "a", "b<2") == ()


def test_a_prerelease_would_fit() -> None:
    world: World = {"a": {"1": [], "2rc1": [], "2rc2": []}}
    explicit = Rules(prereleases=Prereleases.EXPLICIT)
    assert hints(world, "a>1", rules=explicit) == ("a==2rc2 is a pre-release; --prerelease allow takes those",)
    assert hints(world, "a>1", rules=Rules(prereleases=Prereleases.DISALLOW)) == (
        "a==2rc2 is a pre-release, and --prerelease disallow leaves those out",
    )


def test_only_yanked_versions_fit() -> None:
    world: World = {"a": {"1": [], "2": Release(yanked="broken\nbuild"), "3": Release(yanked="worse")}}
    assert hints(world, "a>1,<3") == ("a==2 was yanked (broken build); a pin of yours (==) takes it",)
    assert hints(world, "a>1") == ("a>=2 was yanked; a pin of yours (==) takes it",)
    assert hints({"a": {"1": Release(yanked="")}, "c": {"1": []}}, "c", "a") == (
        "a==1 was yanked; a pin of yours (==) takes it",
    )


def test_another_python_is_required() -> None:
    world: World = {"a": {"1": Release(requires_python=">=3.13"), "2": Release(requires_python=">=3.14")}}
    same: World = {"a": {version: Release(requires_python=">=3.13") for version in ("1", "2")}}
    assert hints(same, "a") == (
        "a==2 requires Python >=3.13, as does 1 more of its versions; this is for Python 3.12.1 (--python)",
    )
    assert hints(world, "a") == (
        "a==2 requires Python >=3.14, and older versions require other ones; this is for Python 3.12.1 (--python)",
    )


def test_no_wheel_fits_the_platform() -> None:
    assert hints({"a": {"1": Release(tag="cp312-cp312-win_amd64")}}, "a") == (
        "a==1 has only wheels for cp312-cp312-win_amd64, none for this platform (cp312-cp312-linux_x86_64)",
    )


def test_published_too_late() -> None:
    rules = Rules(exclude_newer=1_700_000_000.0)
    assert hints({"a": {"1": Release(uploaded="2026-01-01T00:00:00Z")}}, "a", rules=rules) == (
        "a==1 was published at 2026-01-01T00:00:00Z, and --exclude-newer 2023-11-14T22:13:20Z leaves it out",
    )
    assert hints({"a": {"1": []}}, "a", rules=rules) == (
        "a==1 does not say when it was published, and --exclude-newer 2023-11-14T22:13:20Z leaves it out",
    )


def test_a_format_is_excluded() -> None:
    everything = Selected(everything=True)
    assert hints({"a": {"1": Release(sdist=True)}}, "a", rules=Rules(only_binary=everything)) == (
        "a==1 has no wheel, and --only-binary leaves nothing else",
    )
    assert hints({"a": {"1": []}}, "a", rules=Rules(no_binary=everything)) == (
        "a==1 has no sdist, and --no-binary leaves nothing else",
    )


def test_metadata_that_cannot_be_used() -> None:
    assert hints({"a": {"1": Release(broken=True)}}, "a") == (
        "a==1 has no usable metadata: a-1-py3-none-any.whl has no METADATA",
    )
    assert hints({"a": {"1": ["b @ https://files.test/b-1.0.tar.gz"]}}, "a") == (
        "a==1 depends on b @ https://files.test/b-1.0.tar.gz; to allow that, require it yourself",
    )


def test_a_project_that_nobody_has() -> None:
    world: World = {"requests": {"1": ["reqests"]}}
    assert hints(world, "requests") == ("reqests is not in https://index.test/simple/; did you mean requests?",)
    assert hints({}, "zzz", others={OTHER: {}}) == (f"zzz is not in https://index.test/simple/, {OTHER}",)


def test_an_index_that_was_not_asked() -> None:
    others: dict[str, World] = {OTHER: {"a": {"2": []}}}
    assert hints({"a": {"1": []}}, "a>1", others=others) == (
        f"a is in {OTHER}, too, but only the first index that has it was asked; {ANY_INDEX}",
    )


def test_an_index_that_would_not_help_is_not_named() -> None:
    others: dict[str, World] = {OTHER: {"a": {"1": [], "2": []}}}
    assert hints({"a": {"1": []}}, "a>2", others=others) == ()


def test_a_constraint_leaves_nothing_of_a_requirement() -> None:
    world: World = {"a": {"1": [], "2": [], "3": []}}
    assert hints(world, "a>2", constraints=["a<2"]) == (
        "requirements.in:1 and constraints.txt:1 leave no version of a: change one of the two",
    )


def test_there_are_never_many() -> None:
    world: World = {
        "a": {
            "1": Release(yanked="x"),
            "2": Release(requires_python=">=4"),
            "3": Release(tag="cp312-cp312-win_amd64"),
            "4": Release(broken=True),
            "5rc1": [],
            "0": Release(["b @ https://files.test/b.zip"]),
        }
    }
    assert len(hints(world, "a", rules=Rules(prereleases=Prereleases.EXPLICIT))) == 4
