from random import Random

from hypothesis import given
from hypothesis import strategies as st

from wheelstore.store.filelist import StoredFile, pack, unpack

files = st.lists(
    st.builds(
        StoredFile,
        st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1),
        st.builds(lambda d, x: d + x, st.binary(min_size=32, max_size=32), st.sampled_from([b"", b"x"])),
        st.integers(0, 1 << 40),
    ),
    unique_by=lambda file: file.path,
)


@given(files)
def test_a_file_list_comes_back_sorted_by_path(listed: list[StoredFile]) -> None:
    assert unpack(pack(listed)) == sorted(listed)


@given(files, st.randoms())
def test_the_packed_form_does_not_depend_on_the_order(listed: list[StoredFile], random: Random) -> None:
    shuffled = list(listed)
    random.shuffle(shuffled)
    assert pack(shuffled) == pack(listed)
