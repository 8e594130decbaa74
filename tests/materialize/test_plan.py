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
    make_plan,
    pack,
    unpack,
)

word = st.text("abc-_.é", min_size=1, max_size=6).filter(lambda text: text.strip("."))
path = st.lists(word, min_size=1, max_size=4).map("/".join)
source = st.sampled_from(["", "x", "ab/" + "c" * 62, "ab/" + "d" * 62 + "-x"])
plans = st.builds(
    lambda links, scripts, records, distributions: make_plan(links.values(), scripts, records, distributions),
    st.lists(st.builds(Link, path, source)).map(lambda links: {link.target: link for link in links}),
    st.lists(st.builds(Script, path, word, word, source, st.booleans())),
    st.lists(st.builds(Record, path, source, st.lists(path).map(tuple))),
    st.lists(st.builds(Distribution, word, word, path)),
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


@pytest.mark.parametrize("packed", [b"", b"wheelstore-plan-0 1 2 3", b"wheelstore-plan-1 9 9 9 9 9 9 9\nx"])
def test_other_text_is_no_plan(packed: bytes) -> None:
    with pytest.raises(PlanDamaged):
        unpack(packed)
