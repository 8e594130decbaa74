from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.materialize.plan import (
    Distribution,
    Link,
    Plan,
    PlanDamaged,
    Record,
    Script,
    changes,
    links_among,
    make_plan,
    pack,
    unpack,
)

word = st.text("abc-_.é", min_size=1, max_size=6).filter(lambda text: text.strip("."))
path = st.lists(word, min_size=1, max_size=4).map("/".join)
source = st.sampled_from(["", "x", "ab/" + "c" * 62, "ab/" + "d" * 62 + "-x"])


def plan_of(links: list[Link], scripts: list[Script], records: list[Record], distributions: list[Distribution]) -> Plan:
    """A plan in which each target stands once, as in every plan that is made of wheels."""
    seen: set[str] = set()
    kept: list[list[Any]] = [[], [], []]
    given: tuple[list[Any], ...] = (links, scripts, records)
    for number, items in enumerate(given):
        for item in items:
            if item.target not in seen:
                seen.add(item.target)
                kept[number].append(item)
    return make_plan(kept[0], kept[1], kept[2], distributions)


plans = st.builds(
    plan_of,
    st.lists(st.builds(Link, path, source)),
    st.lists(st.builds(Script, path, word, word, source, st.booleans()), max_size=3),
    st.lists(st.builds(Record, path, source, st.lists(path, max_size=2).map(tuple)), max_size=3),
    st.lists(st.builds(Distribution, word, word, path), max_size=3),
)


@given(plans)
def test_a_plan_comes_back_from_its_packed_form(plan: Plan) -> None:
    assert unpack(pack(plan)) == plan


@given(plans)
def test_every_file_has_its_parents_before_it(plan: Plan) -> None:
    seen = set()
    for directory in plan.directories:
        assert not directory or directory.rpartition("/")[0] in seen
        seen.add(directory)
    assert {target.rpartition("/")[0] for target in plan.targets} <= seen


@given(plans)
def test_counts_tell_which_links_lie_in_which_directory(plan: Plan) -> None:
    at = 0
    for directory, count in zip(plan.directories, plan.counts, strict=True):
        assert all(target.rpartition("/")[0] == directory for target in plan.targets[at : at + count])
        at += count
    assert at == len(plan.targets) == len(plan.sources)


@given(st.permutations([Link("a", ""), Link("b/c", "x"), Link("b/d", ""), Link("e/f/g", "")]))
def test_a_plan_does_not_depend_on_the_order_of_its_links(links: list[Link]) -> None:
    assert make_plan(links, [], [], []) == make_plan(sorted(links), [], [], [])


@given(plans, plans)
def test_changes_lead_from_one_plan_to_the_other(before: Plan, after: Plan) -> None:
    was, will_be = before.items(), after.items()
    changed = changes(before, after)
    result = {target: word for target, word in was.items() if target not in changed.removed}
    result |= {target: will_be[target] for target in changed.written}
    assert result == will_be


@pytest.mark.parametrize(
    "packed", [b"", b"wheelstore-plan-0 1 2 3", b"wheelstore-plan-2 9 9 9 9 9 9 9\nx", b"wheelstore-plan-2 1\nx"]
)
def test_other_text_is_no_plan(packed: bytes) -> None:
    with pytest.raises(PlanDamaged):
        unpack(packed)


@given(plans, plans)
def test_changes_have_the_sources_of_the_links_among_them(before: Plan, after: Plan) -> None:
    changed = changes(before, after)
    sources = dict(zip(after.targets, after.sources, strict=True))
    assert changed.links == {target: sources[target] for target in changed.written & sources.keys()}
    assert links_among(after, changed.written) == changed.links


@given(plans, st.integers(0, 30), st.sampled_from(["x", "ab/" + "e" * 62]))
def test_one_changed_link_is_found_wherever_it_is(plan: Plan, number: int, source: str) -> None:
    links = [Link(*link) for link in zip(plan.targets, plan.sources, strict=True)]
    if not links:
        return
    number %= len(links)
    changed = [*links[:number], Link(links[number].target, source), *links[number + 1 :]]
    after = make_plan(changed, plan.scripts, plan.records, plan.distributions)
    before = make_plan(links, plan.scripts, plan.records, plan.distributions)
    expected = {links[number].target} if links[number].source != source else set()
    generated = before.generated()
    assert changes(before, after).written - generated.keys() == expected - generated.keys()
