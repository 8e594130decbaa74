import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.store.names import check_distinct, decode_name, fold
from wheelstore.store.refusal import BadWheel


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "demo/__init__.py",
        "demo/.hidden/.gitignore",
        "demo/...x",
        "demo/sub/",
        "demo/with space (1).txt",
        "demo/log:1",
        "demo/con.py",
        "demo/naïve/文.py",
        "a" * 255,
        "é" * 127,
        "/".join(["abcdefg"] * 511 + ["abcdefgh"]),
    ],
)
def test_ordinary_and_odd_but_safe_names_pass(name: str) -> None:
    assert decode_name(name.encode()) == name


@given(st.binary(max_size=20) | st.text(max_size=20).map(str.encode))
def test_a_decoded_name_stays_where_it_is_put(raw: bytes) -> None:
    try:
        name = decode_name(raw)
    except BadWheel:
        return
    assert name.encode() == raw
    parts = name.removesuffix("/").split("/")
    assert all(part not in ("", ".", "..") for part in parts)
    assert not set(name) & {"\\", "\0", "\n"}


@given(st.lists(st.text("aAbBßéE\u0301/", min_size=1, max_size=5)))
def test_names_are_distinct_whatever_their_order(names: list[str]) -> None:
    def outcome(ordered: list[str]) -> bool:
        try:
            check_distinct(ordered)
        except BadWheel:
            return False
        return True

    assert outcome(names) == outcome(names[::-1]) == outcome(sorted(names))


def test_names_that_share_directories_are_distinct() -> None:
    check_distinct(["a/", "a/b", "a/b.py", "a-b", "A.py", "c/d/e/f", "c/d/e.f", "x/Y/z", "x/y/w"])


def test_directories_may_differ_only_in_case() -> None:
    check_distinct(["Demo/", "demo/", "Demo/a.py", "demo/b.py"])


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_folding_ignores_case_and_normalization() -> None:
    assert fold("STRASSE") == fold("Straße")
    assert fold("CAFE\u0301") == fold("caf\xe9")
    assert fold("a") != fold("b")


@pytest.mark.parametrize(
    ("names", "culprit"),
    [
        (["a", "b", "b"], "b"),
        (["Demo/", "demo/", "demo/a", "Demo/A"], "Demo/A"),
        (["demo/b", "demo/b/c"], "demo/b"),
    ],
)
def test_the_refusal_names_the_file_that_is_in_the_way(names: list[str], culprit: str) -> None:
    with pytest.raises(BadWheel) as refused:
        check_distinct(names)
    assert refused.value.entry == culprit
