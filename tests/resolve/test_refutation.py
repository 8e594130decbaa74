"""A refutation is found only where there is no solution, and each step follows from what it names."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from wheelstore.resolve.leaves import Clause, Core, Kind, Step
from wheelstore.resolve.refutation import in_order, refute

NAMES = ("a", "b", "c")
ALL = 0b111
sets = st.integers(0, ALL)

cores = st.builds(
    lambda roots, missing, wanted: Core(
        tuple(Step(kind=Kind.ROOT, package=name, bits=bits) for name, bits in roots),
        (),
        tuple(Step(kind=Kind.UNAVAILABLE, package=name, bits=bits, reason="yanked") for name, bits in missing),
        _by_pair(wanted),
        dict.fromkeys(NAMES, ALL),
    ),
    st.lists(st.tuples(st.sampled_from(NAMES), sets), min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from(NAMES), sets), max_size=1),
    st.dictionaries(
        st.tuples(st.sampled_from(NAMES), st.integers(0, 2), st.sampled_from(NAMES)).filter(
            lambda one: one[0] != one[2]
        ),
        sets,
        max_size=14,
    ),
)


def _by_pair(wanted: dict[tuple[str, int, str], int]) -> dict[tuple[str, str], tuple[Clause, ...]]:
    found: dict[tuple[str, str], tuple[Clause, ...]] = {}
    for (package, number, dependency), allowed in sorted(wanted.items()):
        clause = Clause(package, 1 << number, dependency, allowed)
        found[package, dependency] = (*found.get((package, dependency), ()), clause)
    return found


def solutions(core: Core) -> int:
    """How many ways there are to take at most one version of each project."""
    count = 0
    for chosen in product((0, 1, 2, 4), repeat=3):
        taken = dict(zip(NAMES, chosen, strict=True))
        count += (
            all(taken[root.package] & root.bits for root in core.roots)
            and not any(taken[one.package] & one.bits for one in core.unavailable)
            and all(
                taken[clause.dependency] & clause.allowed
                for clauses in core.clauses.values()
                for clause in clauses
                if taken[clause.package] & clause.versions
            )
        )
    return count


@settings(max_examples=500)
@given(cores)
def test_what_is_refuted_has_no_solution(core: Core) -> None:
    end = refute(core)
    if end is not None:
        assert end.kind is Kind.NOTHING
        assert solutions(core) == 0


@settings(max_examples=300)
@given(cores)
def test_each_step_follows_from_what_it_names(core: Core) -> None:
    end = refute(core)
    for step in in_order(end) if end is not None else ():
        clauses = core.clauses.get((step.clause.package, step.clause.dependency), ()) if step.clause else ()
        if step.kind is Kind.NOTHING:
            assert left(step, step.package) == 0
        elif step.kind is Kind.RULED_OUT:
            assert step.clause is not None
            possible = left(step, step.clause.dependency)
            assert all(not one.allowed & possible for one in clauses if one.versions & step.bits)
            assert not step.bits & ~sum(one.versions for one in clauses)
        elif step.kind is Kind.NEEDED:
            assert step.clause is not None
            possible = left(step, step.clause.package)
            assert not possible & ~sum(one.versions for one in clauses)
            assert all(not one.allowed & ~step.bits & ALL for one in clauses if one.versions & possible)
            assert any(
                one.kind in (Kind.ROOT, Kind.NEEDED) and one.package == step.clause.package for one in step.premises
            )


def left(step: Step, package: str) -> int:
    """What a step's premises leave of a package."""
    found = ALL
    for one in step.premises:
        if one.package == package:
            gone = one.likewise if one.kind is Kind.CASES else one.bits
            found &= one.bits if one.kind in (Kind.ROOT, Kind.NEEDED) else ~gone
    return found


def test_one_clause_after_the_other_needs_no_cases() -> None:
    """Where each version has its own reason, both are ruled out; the end names them."""
    core = Core(
        (Step(kind=Kind.ROOT, package="a", bits=ALL), Step(kind=Kind.ROOT, package="b", bits=1)),
        (),
        (),
        _by_pair({("a", 0, "b"): 2, ("a", 1, "b"): 4, ("a", 2, "c"): 0}),
        dict.fromkeys(NAMES, ALL),
    )
    end = refute(core)
    assert end is not None
    assert [(step.kind, step.package) for step in in_order(end)] == [
        (Kind.ROOT, "a"),
        (Kind.ROOT, "b"),
        (Kind.RULED_OUT, "a"),
        (Kind.RULED_OUT, "a"),
        (Kind.NOTHING, "a"),
    ]
