"""What constraints do to pins and to what is not pinned."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.resolve.constraints import apply_constraints, constrain
from wheelstore.resolve.pins import Conflict, Position
from wheelstore.resolve.requirement import Requirement, parse_requirement

A, B, C = (f"sha256:{digit * 64}" for digit in "abc")


def line(text: str, *hashes: str, file: str = "lock.txt") -> Requirement:
    return parse_requirement(text, directory=Path("/nowhere"), hashes=hashes, position=Position(file, 1))


def constrained(text: str, *constraints: Requirement | str) -> str:
    requirement = line(text)
    others = [line(each, file="c.txt") if isinstance(each, str) else each for each in constraints]
    pins, unpinned, errors = apply_constraints(
        [requirement.pin] if requirement.settles else [],
        [] if requirement.settles else [requirement],
        others,
    )
    return " ".join([*(pin.spelling for pin in pins), *(each.text for each in unpinned), *map(str, errors)])


@pytest.mark.parametrize(
    ("text", "constraints", "expected"),
    [
        ("demo==1.0", ["other==2"], "demo==1.0"),
        ("demo==1.0", ["demo==1.0.0"], "demo==1.0"),
        ("demo==1.0", ["demo<2", "demo!=1.1"], "demo==1.0"),
        ("demo==1.0a1", ["demo<2"], "demo==1.0a1"),
        ("demo==1.0+cpu", ["demo==1.0"], "demo==1.0+cpu"),
        ("demo==1.0+cpu", ["demo==1.0.0"], "demo==1.0+cpu"),
        ("demo==1.0", ["demo==1.0+cpu"], "demo==1.0+cpu"),
        ("demo", ["demo==2.31"], "demo==2.31"),
        ("demo>=2", ["demo<3", "demo==2.31"], "demo==2.31"),
        ("demo>=2", ["demo<3"], "demo>=2"),
        ("demo", [], "demo"),
        ("demo", ["demo @ https://h/demo-1.0.zip"], "demo @ https://h/demo-1.0.zip"),
        ("demo==1.0", ["demo @ https://h/demo-1.0.zip"], "demo @ https://h/demo-1.0.zip"),
        ("demo @ https://h/demo-1.0.zip", ["demo==1.0"], "demo @ https://h/demo-1.0.zip"),
        ("demo @ https://h/demo-1.0.zip", ["demo @ https://h/demo-1.0.zip"], "demo @ https://h/demo-1.0.zip"),
        ("demo @ git+https://h/d@v1", ["demo==1.0"], "demo @ git+https://h/d@v1"),
    ],
)
def test_a_constraint_narrows_what_it_allows(text: str, constraints: list[str], expected: object) -> None:
    assert constrained(text, *constraints) == expected


@pytest.mark.parametrize(
    ("text", "constraints", "expected"),
    [
        ("demo==1.0", ["demo==2.0"], "demo==1.0 contradicts its constraint demo==2.0"),
        ("demo==1.0", ["demo>=2"], "demo==1.0 contradicts its constraint demo>=2"),
        ("demo==1.0+a", ["demo==1.0+b"], "demo==1.0+a contradicts its constraint demo==1.0+b"),
        ("demo==2.0+a", ["demo==1.0"], "demo==2.0+a contradicts its constraint demo==1.0"),
        ("demo==1.0", ["demo==2.0+a"], "demo==1.0 contradicts its constraint demo==2.0+a"),
        ("demo>=2", ["demo==1.0"], "demo>=2 excludes its constraint demo==1.0"),
        ("demo", ["demo==1.0", "demo==2.0"], "demo==1.0 contradicts its constraint demo==2.0"),
        (
            "demo==1.0",
            ["demo @ https://h/demo-2.0.zip"],
            "demo==1.0 contradicts its constraint demo @ https://h/demo-2.0.zip",
        ),
        (
            "demo @ https://h/demo-1.0.zip",
            ["demo==2.0"],
            "demo @ https://h/demo-1.0.zip contradicts its constraint demo==2.0",
        ),
    ],
)
def test_a_contradiction_tells_both_lines(text: str, constraints: list[str], expected: object) -> None:
    assert constrained(text, *constraints) == f"lock.txt:1: {expected} (c.txt:1)"


def test_hashes_are_those_that_both_allow() -> None:
    pin = line("demo==1.0", A, B).pin
    assert constrain(pin, [line("demo==1.0", B, C)]).hashes == (B,)
    assert constrain(pin, [line("demo==1.0")]).hashes == (A, B)
    assert constrain(line("demo==1.0").pin, [line("demo==1.0", B, C)]).hashes == (B, C)
    with pytest.raises(Conflict, match="has no hash that its constraint allows"):
        constrain(pin, [line("demo==1.0", C)])


def test_an_unpinned_line_takes_its_constraints_hashes_and_keeps_its_own_words() -> None:
    requirement = line("demo[x]>=0 ; os_name == 'x'")
    (pin,), left, errors = apply_constraints([], [requirement], [line("demo==1.0", A, file="c.txt")])
    assert (pin.spelling, pin.hashes, set(pin.extras)) == ("demo==1.0", (A,), {"x"})
    assert (pin.marker, pin.position.file) == (requirement.pin.marker, "lock.txt")
    assert not left
    assert not errors


@given(st.permutations([("demo>=1",), ("demo==1.5", A, B), ("demo!=1.4",), ("demo==1.5.0", B, C), ("demo<2", B)]))
def test_the_order_of_constraints_does_not_matter(constraints: list[tuple[str, ...]]) -> None:
    pins, left, errors = apply_constraints([], [line("demo")], [line(*each) for each in constraints])
    assert [(str(pin.version), pin.hashes) for pin in pins] in ([("1.5", (B,))], [("1.5.0", (B,))])
    assert not left
    assert not errors
