from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_version
from packaging.version import Version

from wheelstore.resolve.filenames import (
    WheelName,
    build_order,
    projects_of,
    public_key,
    sdist_stem,
    split_wheel,
    version_key,
    version_of,
)


@pytest.mark.parametrize(
    ("filename", "parts"),
    [
        ("six-1.16.0-py2.py3-none-any.whl", WheelName("six", "1.16.0", "", "py2.py3-none-any")),
        ("Foo_Bar-1.0-2abc-cp311-cp311-win_amd64.whl", WheelName("Foo_Bar", "1.0", "2abc", "cp311-cp311-win_amd64")),
        ("six-1.16.0-py3-none.whl", None),
        ("six-1.16.0-abc-py3-none-any.whl", None),  # a build tag begins with a digit
        ("a-1-2-3-4-5-6.whl", None),
        ("six-1.16.0.tar.gz", None),
        ("six-1.16.0-py3-none-any.whl.metadata", None),
    ],
)
def test_a_wheel_filename_is_split(filename: str, parts: WheelName | None) -> None:
    assert split_wheel(filename) == parts


def test_build_tags_are_ordered_by_number_then_rest() -> None:
    assert sorted(["10", "9b", "", "9", "9a"], key=build_order) == ["", "9", "9a", "9b", "10"]


def test_sdist_suffixes_are_removed() -> None:
    assert [sdist_stem(name) for name in ("a-1.tar.gz", "a-1.zip", "a-1.tar.bz2", "a-1.exe")] == [
        "a-1",
        "a-1",
        "a-1",
        None,
    ]


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("six-1.16.0-py2.py3-none-any.whl", "six", "1.16.0"),
        ("Foo.Bar-1.0-py3-none-any.whl", "foo-bar", "1.0"),
        ("Foo.Bar-1.0-py3-none-any.whl", "foo", None),
        ("foo-bar-1.0.tar.gz", "foo-bar", "1.0"),
        ("foo_bar-1.0.post1.tar.gz", "foo-bar", "1.0.post1"),
        ("foo--bar-1.0.zip", "foo-bar", "1.0"),  # another length than its normalized name
        ("foo-1.0-1.tar.gz", "foo", "1.0-1"),
        ("foo-bar-1.0.tar.gz", "foo", "bar-1.0"),  # as pip reads it; no valid version, so it is left out later
        ("foobar-1.0.tar.gz", "foo", None),
        ("foo.tar.gz", "foo", None),
        ("foo-1.0.exe", "foo", None),
    ],
)
def test_the_project_decides_where_the_version_begins(filename: str, project: str, version: str | None) -> None:
    assert version_of(filename, project) == version


def test_an_sdist_may_belong_to_several_projects() -> None:
    assert projects_of("foo-2-bar-1.0.tar.gz") == ("foo", "foo-2-bar")
    assert projects_of("Foo_Bar-1.0-py3-none-any.whl") == ("foo-bar",)
    assert projects_of("README.txt") == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.0", "1"), ("1.0.0", "1"), ("0.0", "0"), ("1.0a1", "1.0.alpha.1"), ("2024.01.02", "2024.1.2"), ("v1.0", "1")],
)
def test_equal_versions_have_equal_keys(one: str, other: str) -> None:
    assert version_key(one) == version_key(other) is not None


def test_what_is_no_version_has_no_key() -> None:
    assert version_key("bar-1.0") is None
    assert public_key("") is None


def test_the_public_key_has_no_local_label() -> None:
    assert (version_key("2.1.0+cpu"), public_key("2.1.0+cpu")) == ("2.1+cpu", "2.1")


numbers = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda n: ".".join(map(str, n)))
versions = st.builds("".join, st.tuples(numbers, st.sampled_from(["", "", "a1", "rc2", ".post3", ".dev4", "+l.1"])))


@given(versions, versions)
def test_keys_are_equal_exactly_when_versions_are(one: str, other: str) -> None:
    assert (version_key(one) == version_key(other)) == (Version(one) == Version(other))


@given(versions)
def test_a_key_is_packagings_canonical_version(version: str) -> None:
    assert version_key(version) == canonicalize_version(version)
