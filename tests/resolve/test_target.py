from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import parse_tag
from support.tags import ask, interpreters

from wheelstore.resolve.target import MOST_TAGS, Target, expand_tags, tags_of


@pytest.mark.parametrize("executable", interpreters())
def test_tags_are_those_that_packaging_finds_inside(executable: str, tmp_path: Path) -> None:
    told = ask(executable, tmp_path)
    assert tags_of(**told.facts) == told.tags


def linux(**changes: Any) -> tuple[str, ...]:
    facts = {
        "implementation": "cpython",
        "version": "3.12.1",
        "platform": "linux-x86_64",
        "libc": "glibc 2.28",
        "ext_suffix": ".cpython-312-x86_64-linux-gnu.so",
    }
    return tags_of(**(facts | changes))


def test_the_interpreters_own_tags_come_first_and_any_last() -> None:
    tags = linux()
    assert tags[:2] == ("cp312-cp312-linux_x86_64", "cp312-cp312-manylinux_2_28_x86_64")
    assert tags[-1] == "py30-none-any"
    assert "cp312-cp312-manylinux2014_x86_64" in tags
    assert "cp312-cp312-manylinux_2_29_x86_64" not in tags
    assert tags.index("cp312-abi3-manylinux_2_28_x86_64") < tags.index("cp311-abi3-manylinux_2_28_x86_64")


@pytest.mark.parametrize(
    ("changes", "there", "absent"),
    [
        ({"gil_disabled": True, "version": "3.13.0"}, "cp313-cp313t-linux_x86_64", "cp313-abi3-linux_x86_64"),
        ({"debug": True}, "cp312-cp312d-linux_x86_64", "cp312-cp312t-linux_x86_64"),
        ({"pointer_bits": 32}, "cp312-cp312-manylinux_2_5_i686", "cp312-cp312-linux_x86_64"),
        ({"libc": "musl 1.2"}, "cp312-cp312-musllinux_1_1_x86_64", "cp312-cp312-manylinux_2_17_x86_64"),
        ({"libc": ""}, "cp312-cp312-linux_x86_64", "cp312-cp312-manylinux_2_17_x86_64"),
        ({"platform": "linux-aarch64"}, "py3-none-manylinux_2_17_aarch64", "py3-none-manylinux_2_12_aarch64"),
        ({"platform": "linux-armv7l"}, "py3-none-linux_armv7l", "py3-none-manylinux_2_17_armv7l"),
        (
            {"platform": "linux-armv7l", "ext_suffix": ".cpython-312-arm-linux-gnueabihf.so"},
            "py3-none-manylinux_2_17_armv7l",
            "py3-none-manylinux_2_12_armv7l",
        ),
        ({"platform": "win-amd64", "libc": ""}, "cp312-cp312-win_amd64", "cp312-cp312-linux_x86_64"),
        (
            {"platform": "macosx-10.9-universal2", "machine": "arm64", "mac_version": "14.5", "libc": ""},
            "cp312-cp312-macosx_14_0_arm64",
            "cp312-cp312-macosx_14_0_x86_64",
        ),
        (
            {"platform": "macosx-10.9-universal2", "machine": "x86_64", "mac_version": "10.15.7", "libc": ""},
            "cp312-cp312-macosx_10_9_universal2",
            "cp312-cp312-macosx_11_0_x86_64",
        ),
        (
            {
                "implementation": "pypy",
                "version": "3.10.14",
                "ext_suffix": ".pypy310-pp73-x86_64-linux-gnu.so",
            },
            "pp310-pypy310_pp73-linux_x86_64",
            "pp310-abi3-linux_x86_64",
        ),
        (
            {
                "implementation": "graalpy",
                "version": "3.11.7",
                "ext_suffix": ".graalpy242-311-native-x86_64-linux.so",
            },
            "graalpy311-graalpy242_311_native-linux_x86_64",
            "cp311-cp311-linux_x86_64",
        ),
    ],
)
def test_tags_of_other_builds(changes: dict[str, Any], there: str, absent: str) -> None:
    tags = linux(**changes)
    assert there in tags
    assert absent not in tags


def test_a_later_glibc_keeps_the_wheels_of_glibc_2() -> None:
    tags = linux(libc="glibc 3.1")
    assert "py3-none-manylinux_3_0_x86_64" in tags
    assert "py3-none-manylinux_2_40_x86_64" in tags


def target(*tags: str) -> Target:
    return Target(markers={"python_full_version": "3.12.1"}, tags=tags)


def test_the_best_tag_of_a_compressed_set_counts() -> None:
    here = target("cp312-cp312-linux_x86_64", "cp312-abi3-linux_x86_64", "py3-none-any", "py2-none-any")
    assert here.rank("a-1-py2.py3-none-any.whl") == 2
    assert here.rank("a-1-cp39.cp312-abi3.cp312-linux_x86_64.manylinux1_x86_64.whl") == 0
    assert here.rank("a-1-cp311-cp311-linux_x86_64.whl") is None
    assert here.rank("a-1-CP312-ABI3-Linux_x86_64.whl") == 1
    assert here.rank("a-1.tar.gz") is None


def test_an_absurd_tag_set_fits_nothing() -> None:
    many = ".".join(["py3"] * 200)
    assert expand_tags(f"{many}-none-any")
    assert expand_tags(f"{many}-{many}-any") == ()
    assert MOST_TAGS < 200 * 200
    assert target("py3-none-any").rank(f"a-1-{many}-none.{many}-any.whl") is None


component = st.lists(st.sampled_from(["py2", "py3", "cp312", "none", "any", "abi3"]), min_size=1, max_size=4)


@given(component, component, component)
def test_a_rank_is_the_lowest_of_the_tags_packaging_sees(
    pythons: list[str], abis: list[str], platforms: list[str]
) -> None:
    here = target("cp312-abi3-any", "cp312-none-any", "py3-none-any", "py2-none-any")
    text = "-".join(".".join(part) for part in (pythons, abis, platforms))
    ranks = [here.tags.index(str(tag)) for tag in parse_tag(text) if str(tag) in here.tags]
    assert here.rank(f"a-1-{text}.whl") == min(ranks, default=None)


@pytest.mark.parametrize(("full", "python"), [("3.13.0rc1", "3.13.0"), ("3.12.1", "3.12.1"), ("3.12.1+", "3.12.1")])
def test_requires_python_is_compared_with_the_release(full: str, python: str) -> None:
    assert Target(markers={"python_full_version": full}, tags=()).python == python


def test_a_target_is_described_by_an_interpreters_facts() -> None:
    facts = SimpleNamespace(
        implementation="cpython",
        version="3.12.1",
        markers={"platform_machine": "arm64", "python_full_version": "3.12.1"},
        platform="macosx-11.0-arm64",
        libc="",
        pointer_bits=64,
        ext_suffix=".cpython-312-darwin.so",
        debug=False,
        gil_disabled=False,
        mac_version="14.5",
    )
    here = Target.of(facts)
    assert here.tags[0] == "cp312-cp312-macosx_14_0_arm64"
    assert here.markers == facts.markers
