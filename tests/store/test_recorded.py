import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wheels import record_hash, record_of

from wheelstore.store.archive import Entry
from wheelstore.store.recorded import ALGORITHMS, check_listed, parse_record
from wheelstore.store.refusal import BadWheel, Rule

NAME = "demo-1.0.dist-info/RECORD"
BODY = b"x = 1\n"
DIGEST = hashlib.sha256(BODY).digest()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1), st.binary()))
def test_what_a_wheel_records_is_read_back(files: dict[str, bytes]) -> None:
    files.pop(NAME, None)
    record = parse_record(record_of(files, "demo-1.0.dist-info").encode(), NAME)
    assert record == {name: (hashlib.sha256(body).digest(), len(body)) for name, body in files.items()}


@pytest.mark.parametrize("algorithm", ALGORITHMS.values())
@pytest.mark.parametrize("form", ["plain", "padded", "hexadecimal"])
def test_every_allowed_hash_is_read_in_every_form_that_builders_write(algorithm: str, form: str) -> None:
    digest = hashlib.new(algorithm, BODY).digest()
    stated = record_hash(BODY, algorithm)
    if form == "padded":
        stated += "=" * (-len(stated.partition("=")[2]) % 4)
    if form == "hexadecimal":
        stated = f"{algorithm}={digest.hex()}"
    assert parse_record(f"a.py,{stated},\n".encode(), NAME) == {"a.py": (digest, None)}
    assert ALGORITHMS[len(digest)] == algorithm


@pytest.mark.parametrize(
    "text",
    [
        "a.py,{hash},6\r\nb.py,{hash},6\r\n",
        "\n\na.py,{hash},6\n\n\nb.py,{hash},6",
        "\ufeffa.py,{hash},6\nb.py,{hash},6\n",
        '"a.py","{hash}","6"\n"b.py",{hash},6\n',
        "a.py,{hash},6\nb.py,{hash},6\na.py,{hash},6\n",
    ],
)
def test_line_ends_blank_lines_quotes_and_repeated_lines_do_not_matter(text: str) -> None:
    record = parse_record(text.format(hash=record_hash(BODY)).encode(), NAME)
    assert record == {"a.py": (DIGEST, 6), "b.py": (DIGEST, 6)}


def test_record_and_its_signatures_need_no_hash() -> None:
    text = f"{NAME},,\n{NAME}.jws,,\n{NAME}.p7s,,\n"
    assert parse_record(text.encode(), NAME) == {}


@given(st.binary() | st.text('a,="\n\r2sha5613840_-', max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        record = parse_record(text, NAME)
    except BadWheel:
        return
    assert all(len(digest) in ALGORITHMS for digest, _ in record.values())


@pytest.mark.parametrize(
    ("names", "size", "culprit", "rule"),
    [
        (["a.py", "b.py", NAME], 7, "a.py", Rule.RECORD_SIZE),
        (["a.py", NAME], 6, "b.py", Rule.RECORD_ABSENT),
        (["a.py", "b.py", "c.py", NAME], 6, "c.py", Rule.RECORD_UNLISTED),
    ],
)
def test_the_first_file_that_differs_is_named(names: list[str], size: int, culprit: str, rule: Rule) -> None:
    entries = [Entry(name, size, size, 0, 0, 0, executable=False) for name in names]
    record = {"a.py": (DIGEST, 6), "b.py": (DIGEST, None)}
    with pytest.raises(BadWheel) as refused:
        check_listed(record, entries, NAME)
    assert (refused.value.entry, refused.value.rule) == (culprit, rule)
