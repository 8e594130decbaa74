"""Explanations as people read them, whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from support.problems import NO_DIRECT, Release, World, catalog_of, problem_of

from wheelstore.resolve.explanation import Explanation, explain
from wheelstore.resolve.problem import Prereleases, Rules
from wheelstore.resolve.solving import NoAnswer, solve


def explained(world: World, *roots: str, **more: Any) -> Explanation:
    problem = problem_of(*roots, **more)
    with pytest.raises(NoAnswer) as failure:
        solve(problem, catalog_of(world, rules=problem.rules), NO_DIRECT)
    found = explain(failure.value.proof, failure.value.provider)
    assert str(failure.value) == found.text
    return found


def told(world: World, *roots: str, **more: Any) -> list[str]:
    return explained(world, *roots, **more).text.splitlines()


def plain(*versions: str) -> dict[str, Sequence[str]]:
    return {version: [] for version in versions}


def test_a_dependency_and_a_requirement() -> None:
    world: World = {"a": {"1": ["b>=3"], "2": ["b>=3"]}, "b": plain("1", "2", "3")}
    assert told(world, "a", "b<2") == [
        (
            "Because you require a (requirements.in:1) and b<2 (requirements.in:2), "
            "and all versions of a depend on b>=3, your requirements cannot be satisfied."
        )
    ]


def test_each_version_for_its_own_reason() -> None:
    world: World = {"a": {"1": ["b>=3"], "2": ["c>=5"]}, "b": plain("1", "2", "3"), "c": plain("1", "5")}
    assert told(world, "a", "b<2", "c<5") == [
        "Because a==1 depends on b>=3 and you require b<2 (requirements.in:2), a==1 cannot be used. (1)",
        "Because a==2 depends on c>=5 and you require c<5 (requirements.in:3), a==2 cannot be used.",
        (
            "And because a==1 cannot be used (1) and you require a (requirements.in:1), "
            "your requirements cannot be satisfied."
        ),
    ]


def test_a_chain_is_told_in_order() -> None:
    world: World = {"a": {"1": ["b"]}, "b": {"1": ["c"]}, "c": {"1": ["d>=2"]}, "d": plain("1", "2")}
    assert told(world, "a", "d<2") == [
        (
            "Because you require a (requirements.in:1), a==1 depends on b, b==1 depends on c and c==1 depends on d>=2, "
            "d>=2 is needed."
        ),
        "And because you require d<2 (requirements.in:2), your requirements cannot be satisfied.",
    ]


def test_two_requirements_of_one_project() -> None:
    assert told({"a": plain("1", "2", "3")}, "a>2", "a<2") == [
        (
            "Because you require a>2 (requirements.in:1) and a<2 (requirements.in:2), "
            "your requirements cannot be satisfied."
        )
    ]


def test_a_constraint() -> None:
    assert told({"a": plain("1", "2", "3")}, "a>2", constraints=["a<2"]) == [
        (
            "Because you require a>2 (requirements.in:1) and you constrain a<2 (constraints.txt:1), "
            "your requirements cannot be satisfied."
        )
    ]


@pytest.mark.parametrize(
    ("versions", "there_are"),
    [
        (["1"], "there is only b==1"),
        (["1", "2"], "there are only 1 and 2 of b"),
        (["1", "2", "3", "4"], "there are only versions 1 to 4 of b"),
    ],
)
def test_no_such_version(versions: list[str], there_are: str) -> None:
    assert told({"b": plain(*versions)}, "b>9") == [
        f"Because you require b>9 (requirements.in:1) and {there_are}, your requirements cannot be satisfied."
    ]
    assert told({"a": {"1": ["b>9"]}, "b": plain(*versions)}, "a") == [
        (
            f"Because you require a (requirements.in:1), a==1 depends on b>9 and {there_are}, "
            "your requirements cannot be satisfied."
        )
    ]


def test_no_such_project() -> None:
    assert told({"a": {"1": ["absent"]}}, "a") == [
        (
            "Because you require a (requirements.in:1), a==1 depends on absent and absent was not found, "
            "your requirements cannot be satisfied."
        )
    ]


def test_what_cannot_be_taken_and_what_is_said_of_the_rest() -> None:
    world: World = {
        "a": {"1": ["b"], "2": ["b"], "3": Release(yanked="")},
        "b": {"1": Release(broken=True), "2rc1": []},
    }
    assert told(world, "a", "b>0", rules=Rules(prereleases=Prereleases.DISALLOW)) == [
        (
            "Because you require b>0 (requirements.in:2), b==2rc1 cannot be taken (pre-release) and "
            "b==1 cannot be taken (unusable metadata), your requirements cannot be"
        ),
        "  satisfied.",
    ]
    world = {"a": {"1": ["b>1"], "2": ["b>1"], "3": Release(yanked="")}, "b": plain("1", "2")}
    assert told(world, "a", "b<2") == [
        (
            "Because you require a (requirements.in:1) and b<2 (requirements.in:2), "
            "and all usable versions of a depend on b>1, your requirements cannot be satisfied."
        )
    ]


def test_versions_are_spelled_as_their_files_are() -> None:
    world: World = {"a": {"1.0.0": ["b>1"], "2.0": Release(yanked="")}, "b": plain("1.0", "2.0.0")}
    assert told(world, "a", "b<2") == [
        (
            "Because you require a (requirements.in:1) and b<2 (requirements.in:2), and a==1.0.0, the only usable "
            "version, depends on b>1, your requirements cannot be"
        ),
        "  satisfied.",
    ]


def test_an_extra_is_the_same_version() -> None:
    world: World = {
        "a": {"1": Release(extras={"x": ["b>2"]}), "2": Release(extras={"x": ["b>2"]})},
        "b": plain("1", "2", "3"),
    }
    assert told(world, "a[x]", "b<2") == [
        (
            "Because you require a[x] (requirements.in:1) and b<2 (requirements.in:2), and all versions of a[x] depend "
            "on b>2, your requirements cannot be satisfied."
        )
    ]


def test_the_derivation_is_json() -> None:
    found = explained({"a": {"1": ["b>1"]}, "b": plain("1", "2")}, "a", "b<2")
    nodes = json.loads(json.dumps(found.data))
    assert {node["kind"] for node in nodes} >= {"root", "dependency", "derived"}
    assert nodes[0]["kind"] == "derived"
    assert all(0 < cause < len(nodes) for node in nodes for cause in node["causes"])
    assert {one["position"] for node in nodes for one in node.get("given", ())} == {
        "requirements.in:1",
        "requirements.in:2",
    }
    (dependency,) = [node for node in nodes if node["kind"] == "dependency"]
    assert dependency["terms"] == [
        {"package": "a", "range": "a==1", "not": False},
        {"package": "b", "range": "b==2", "not": True},
    ]


N = 80


def ring() -> World:
    return {
        "a": {str(number): [f"b=={number}"] for number in range(N)},
        "b": {str(number): [f"a=={(number + 1) % N}"] for number in range(N)},
    }


def pins(factor: int, offset: int) -> World:
    """Each version of `a` and of `b` depends on one version of `c`."""
    return {
        "a": {str(number): [f"c=={factor * number}"] for number in range(N)},
        "b": {str(number): [f"c=={factor * number + offset}"] for number in range(N)},
        "c": plain(*map(str, range(2 * N))),
    }


END = "your requirements cannot be satisfied."


def test_a_grid_that_goes_round() -> None:
    assert told(ring(), "a", "b") == [
        (
            "Because a==79 depends on b==79 and b==79 depends on a==0, a==79 cannot be used. "
            "In the same way, 79 other versions of a cannot be used."
        ),
        f"And because you require a (requirements.in:1), {END}",
    ]


def test_a_grid_of_halves() -> None:
    assert " ".join(told(pins(1, 80), "a", "b")).replace("   ", " ") == (
        "Because you require a (requirements.in:1) and b (requirements.in:2), all versions of a depend on c<80 and "
        f"all versions of b depend on c>=80, {END}"
    )


def test_a_grid_of_odd_and_even() -> None:
    assert " ".join(told(pins(2, 1), "a", "b")).replace("   ", " ") == (
        "Because you require a (requirements.in:1) and b (requirements.in:2), all versions of a depend on one of "
        "80 of 160 versions of c (0, 2, … 158) and all versions of b depend on one of 80 of 160 versions of c "
        f"(1, 3, … 159), {END}"
    )


def test_a_grid_of_stairs() -> None:
    world: World = {
        "a": {str(number): [f"b<{number}"] for number in range(N)},
        "b": {str(number): [f"a<={number}"] for number in range(N)},
    }
    assert told(world, "a", "b") == [
        "Because you require b (requirements.in:2) and all versions of b depend on a, a is needed.",
        "And because all versions of a depend on b<79, b<79 is needed.",
        "In the same way, step by step, a<=0 is needed and b<0 is needed.",
        f"And because there are only versions 0 to 79 of b, {END}",
    ]


def test_what_has_no_short_proof_is_listed() -> None:
    world: World = {
        name: {str(hole): [f"hole{hole}=={owner}"] for hole in range(4)} for owner, name in enumerate("abcde")
    }
    holes: World = {f"hole{hole}": plain(*map(str, range(5))) for hole in range(4)}
    lines = told({**world, **holes}, *"abcde")
    assert len(lines) == 15
    assert lines[:2] == [
        "Because these exclude each other, your requirements cannot be satisfied:",
        "- you require a (requirements.in:1)",
    ]
    assert lines[-1] == "- and 12 more"


@pytest.mark.parametrize(("step", "modulus"), list(product((1, 3, 7), (2, 5, 80))))
def test_no_grid_takes_many_lines(step: int, modulus: int) -> None:
    world: World = {
        "a": {str(number): [f"b=={number * step % N}", f"c=={number % modulus}"] for number in range(N)},
        "b": {str(number): [f"c=={(number * step + 1) % modulus}", f"a!={number}"] for number in range(N)},
        "c": plain(*map(str, range(modulus))),
    }
    problem = problem_of("a", "b")
    try:
        solve(problem, catalog_of(world, rules=problem.rules), NO_DIRECT)
    except NoAnswer as failure:
        lines = str(failure).splitlines()
        assert len(lines) <= 15
        assert max(map(len, lines)) <= 160


def test_the_same_words_in_every_run() -> None:
    """Hashes of texts differ from one process to the next."""
    script = dedent("""
        from test_explanation import pins, ring, told
        for line in [*told(ring(), "b", "a"), *told(pins(1, 80), "b", "a")]:
            print(line)
    """)
    tests = Path(__file__).parent
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join((str(tests), str(tests.parent)))},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(runs) == 1
