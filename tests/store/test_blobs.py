import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.store.blobs import blob_key, blob_mtime, blob_name, name_mtime

keys = st.builds(lambda digest, flag: digest + flag, st.binary(min_size=32, max_size=32), st.sampled_from([b"", b"x"]))


@given(keys)
def test_a_name_tells_its_key(key: bytes) -> None:
    assert blob_key(blob_name(key)) == key


@given(keys)
def test_a_blob_s_time_is_between_1980_and_2010_and_follows_from_its_name(key: bytes) -> None:
    moment = datetime.datetime.fromtimestamp(blob_mtime(key), datetime.UTC)
    assert 1980 <= moment.year < 2010
    assert name_mtime(blob_name(key)) == blob_mtime(key)


def test_the_executable_bit_is_part_of_the_name_but_not_of_the_time() -> None:
    assert blob_name(b"\1" * 32) + "-x" == blob_name(b"\1" * 32 + b"x")
    assert blob_mtime(b"\1" * 32) == blob_mtime(b"\1" * 32 + b"x")


@pytest.mark.parametrize("name", ["", "ab/cd", "00/" + "0" * 62 + "-y", "zz/" + "0" * 62])
def test_other_names_are_no_blobs(name: str) -> None:
    with pytest.raises(ValueError):
        blob_key(name)
