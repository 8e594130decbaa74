from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelstore.resolve.candidates import admits_python, of_version, rank_wheels
from wheelstore.resolve.pins import Pin, Position
from wheelstore.resolve.selection_errors import (
    HashNotOnIndex,
    NeedsBuild,
    NoCompatibleWheel,
    RequiresPythonExcludes,
)
from wheelstore.resolve.simple import IndexFile
from wheelstore.resolve.target import Target

TARGET = Target(
    markers={"python_full_version": "3.12.1"},
    tags=("cp312-cp312-linux_x86_64", "cp312-abi3-linux_x86_64", "py3-none-any"),
)
A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def pin(version: str = "1.0", *hashes: str, name: str = "demo", **more: Any) -> Pin:
    return Pin(
        name=canonicalize_name(name),
        version=Version(version),
        hashes=tuple(sorted(hashes)),
        position=Position("lock.txt", 7),
        **more,
    )


def wheel(tags: str = "py3-none-any", *hashes: str, version: str = "1.0", **more: Any) -> IndexFile:
    name = f"demo-{version}-{tags}.whl"
    return IndexFile(name, f"https://host/{name}", hashes, **more)


SDIST = IndexFile("demo-1.0.tar.gz", "https://host/demo-1.0.tar.gz", (C,))


class NoBinary:
    def allows_wheel(self, name: str, /) -> bool:
        return False

    def allows_sdist(self, name: str, /) -> bool:
        return True


class OnlyBinary(NoBinary):
    def allows_wheel(self, name: str, /) -> bool:
        return True

    def allows_sdist(self, name: str, /) -> bool:
        return False


def test_the_interpreters_order_of_tags_decides() -> None:
    files = [
        wheel(),
        wheel("cp312-abi3-linux_x86_64"),
        wheel("cp312-cp312-linux_x86_64"),
        wheel("cp311-cp311-linux_x86_64"),
        SDIST,
    ]
    assert rank_wheels(pin(), files, TARGET) == [files[2], files[1], files[0]]


def test_among_equal_tags_the_highest_build_number_decides() -> None:
    files = [wheel(tags) for tags in ("9-py3-none-any", "10-py3-none-any", "py3-none-any", "10a-py3-none-any")]
    assert rank_wheels(pin(), files, TARGET) == [files[3], files[1], files[0], files[2]]


def test_yanked_files_come_last_but_are_there() -> None:
    files = [wheel("cp312-cp312-linux_x86_64", yanked="bad"), wheel()]
    assert rank_wheels(pin(), files, TARGET) == [files[1], files[0]]
    assert rank_wheels(pin(), files[:1], TARGET) == files[:1]


def test_a_local_version_is_higher_than_the_public_one() -> None:
    files = [wheel("cp312-cp312-linux_x86_64"), wheel(version="1.0+cpu"), wheel(version="1.0+a.1")]
    assert rank_wheels(pin(), files, TARGET) == [files[1], files[2], files[0]]


def test_a_file_that_the_lock_hashes_is_better_than_one_of_unknown_hash() -> None:
    files = [wheel("cp312-cp312-linux_x86_64"), wheel("py3-none-any", A)]
    assert rank_wheels(pin("1.0", A, B), files, TARGET) == [files[1], files[0]]


def test_what_no_hash_allows_is_out() -> None:
    files = [wheel("cp312-cp312-linux_x86_64", B), wheel("py3-none-any", A)]
    assert rank_wheels(pin("1.0", A), files, TARGET) == [files[1]]
    with pytest.raises(HashNotOnIndex) as caught:
        rank_wheels(pin("1.0", C), files, TARGET, searched=["https://me:secret@host/simple/"])
    assert caught.value.filenames == tuple(sorted(file.filename for file in files))
    assert str(caught.value) == (
        "lock.txt:7: demo==1.0: no file in https://host/simple/ has a hash of the lock; "
        "there are demo-1.0-cp312-cp312-linux_x86_64.whl, demo-1.0-py3-none-any.whl"
    )


def test_hashes_of_another_algorithm_exclude_nothing() -> None:
    file = wheel("py3-none-any", A)
    assert rank_wheels(pin("1.0", "sha512:" + "0" * 128), [file], TARGET) == [file]
    both = wheel("py3-none-any", A, "sha512:" + "1" * 128)
    with pytest.raises(HashNotOnIndex):
        rank_wheels(pin("1.0", "sha512:" + "0" * 128), [both], TARGET)


def test_a_lock_for_another_python_is_named_as_such() -> None:
    files = [wheel("cp311-cp311-linux_x86_64"), wheel("cp310-cp310-linux_x86_64")]
    with pytest.raises(NoCompatibleWheel) as caught:
        rank_wheels(pin(), files, TARGET)
    assert str(caught.value) == (
        "lock.txt:7: demo==1.0: no wheel fits this Python, which takes cp312-cp312-linux_x86_64, "
        "cp312-abi3-linux_x86_64, py3-none-any and so on; there are "
        "demo-1.0-cp310-cp310-linux_x86_64.whl, demo-1.0-cp311-cp311-linux_x86_64.whl"
    )
    assert caught.value.hint is not None
    assert "another Python" in caught.value.hint


def test_an_sdist_needs_building() -> None:
    files = [wheel("cp311-cp311-linux_x86_64"), SDIST, SDIST._replace(filename="demo-1.0.zip")]
    with pytest.raises(NeedsBuild) as caught:
        rank_wheels(pin(), files, TARGET)
    error = caught.value
    assert (error.filename, error.url, error.sha256) == (SDIST.filename, SDIST.url, "c" * 64)
    assert error.wheels == (files[0].filename,)
    assert "demo-1.0.tar.gz needs building" in str(error)
    with pytest.raises(NoCompatibleWheel):
        rank_wheels(pin(), files, TARGET, formats=OnlyBinary())


def test_a_project_that_is_wanted_from_source_needs_building() -> None:
    with pytest.raises(NeedsBuild) as caught:
        rank_wheels(pin(), [wheel(), SDIST], TARGET, formats=NoBinary())
    assert caught.value.filename == SDIST.filename
    with pytest.raises(NeedsBuild) as caught:
        rank_wheels(pin(), [wheel()], TARGET, formats=NoBinary())
    assert caught.value.filename is None


def test_requires_python_is_looked_at_per_file() -> None:
    files = [wheel("cp312-cp312-linux_x86_64", requires_python=">=3.13"), wheel(requires_python=">=3.8")]
    assert rank_wheels(pin(), files, TARGET) == files[1:]
    with pytest.raises(RequiresPythonExcludes) as caught:
        rank_wheels(pin(), files[:1], TARGET)
    assert str(caught.value) == "lock.txt:7: demo==1.0: it requires Python >=3.13, and this is Python 3.12.1"


@pytest.mark.parametrize(
    ("requires", "admits"),
    [(None, True), ("", True), (">=3.8", True), ("<3.12", False), ("nonsense", True), (">=3.12.*", True)],
)
def test_requires_python(requires: str | None, *, admits: bool) -> None:
    assert admits_python(requires, "3.12.1") is admits


def test_only_files_of_the_version_and_the_project_are_kept() -> None:
    files = [
        wheel(),
        wheel(version="1.0.0+cpu"),
        wheel(version="1.0.1"),
        IndexFile("other-1.0-py3-none-any.whl", ""),
        IndexFile("demo-1.tar.gz", ""),
    ]
    assert of_version(pin("1"), files) == [files[0], files[1], files[4]]
    assert of_version(pin("1.0+cpu"), files) == [files[1]]
    assert of_version(pin("1.0+CPU"), files) == [files[1]]


def test_a_pin_without_version_takes_any() -> None:
    free = Pin(
        name=canonicalize_name("demo"), version=None, position=Position("lock.txt"), requires_python=SpecifierSet(">=3")
    )
    assert of_version(free, [wheel()]) == [wheel()]


tags = st.sampled_from(["py3-none-any", "1-py3-none-any", "cp312-cp312-linux_x86_64", "cp312-abi3-linux_x86_64"])
files = st.builds(
    lambda tag, version, yanked, hashes: wheel(tag, *hashes, version=version, yanked=yanked),
    tags,
    st.sampled_from(["1.0", "1", "1.0+l"]),
    st.sampled_from([None, ""]),
    st.sampled_from([(), (A,)]),
)


@given(st.lists(files, min_size=1, max_size=6, unique=True), st.randoms())
def test_the_order_of_the_files_does_not_matter(candidates: list[IndexFile], random: Any) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert [file.filename for file in rank_wheels(pin("1.0", A), candidates, TARGET)] == [
        file.filename for file in rank_wheels(pin("1.0", A), shuffled, TARGET)
    ]
