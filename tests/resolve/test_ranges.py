"""Bits stand for versions exactly as packaging's specifiers do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from wheelstore.resolve.ranges import Range, Versions

numbers = st.integers(0, 3)
releases = st.lists(numbers, min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
suffixes = st.sampled_from(["", "", "a1", "b2", "rc1", ".dev1", ".post1", ".post1.dev2", "a1.post2", "rc1.dev3"])
local = st.sampled_from(["", "", "", "+cpu", "+cu12.1"])
texts = st.builds(
    lambda epoch, release, suffix: f"{epoch}{release}{suffix}", st.sampled_from(["", "", "1!"]), releases, suffixes
)
versions = st.builds(lambda text, label: text + label, texts, local)


@st.composite
def specifiers(draw: st.DrawFn) -> SpecifierSet:
    parts = []
    for _ in range(draw(st.integers(1, 2))):
        operator = draw(st.sampled_from([">=", "<=", "<", ">", "==", "!=", "~=", "==*", "!=*"]))
        text = draw(texts)
        if operator.endswith("*"):
            text, operator = draw(releases) + ".*", operator[:2]
        elif operator in ("==", "!="):
            text += draw(local)
        parts.append(operator + text)
    try:
        return SpecifierSet(",".join(parts))
    except InvalidSpecifier:
        return SpecifierSet(">=1")


@given(st.lists(versions, min_size=0, max_size=12), specifiers())
def test_a_range_is_what_the_specifiers_contain(found: list[str], wanted: SpecifierSet) -> None:
    ascending = sorted({Version(text) for text in found})
    known = Versions([str(version) for version in ascending])
    numbers = list(known.range_of(wanted).numbers())
    assert [str(ascending[number]) for number in numbers] == [
        str(version) for version in ascending if wanted.contains(version, prereleases=True)
    ]


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_ranges_are_sets(one: set[int], other: set[int]) -> None:
    everything = set(range(10))
    a, b = (Range(sum(1 << number for number in numbers)) for numbers in (one, other))
    known = Range((1 << 10) - 1)
    assert set((a & b).numbers()) == one & other
    assert set((a | b).numbers()) == one | other
    assert set((a - b).numbers()) == one - other
    assert set((~a & known).numbers()) == everything - one
    assert (a.is_subset(b), a.is_superset(b), a.is_disjoint(b)) == (one <= other, one >= other, not one & other)
    assert a.relation(b) == (one <= other, not one & other)
    assert all((number in a) == (number in one) for number in everything)
    assert a.is_empty == (not one)
