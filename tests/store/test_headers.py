import email
import string

from hypothesis import given
from hypothesis import strategies as st

from wheelstore.store.headers import scan_headers

WANTED = frozenset(("name", "version"))


def test_only_the_header_block_is_read() -> None:
    text = b"Name: a\nVersion: 1\n\nName: b\nVersion: 2\n"
    assert scan_headers(text, WANTED) == {"name": ["a"], "version": ["1"]}


def test_line_ends_and_case_of_names_do_not_matter() -> None:
    assert scan_headers(b"NAME: a\r\nversion:1\r\n\r\nName: b", WANTED) == {"name": ["a"], "version": ["1"]}


def test_repeated_and_absent_fields_are_told() -> None:
    assert scan_headers(b"Name: a\nName: b\n", WANTED) == {"name": ["a", "b"], "version": []}


def test_a_folded_value_is_one_line_and_its_lines_are_no_fields() -> None:
    text = b"Summary: x\n Name: no\n\tVersion: no\nName: a\n b\nVersion: 1\n"
    assert scan_headers(text, WANTED) == {"name": ["a b"], "version": ["1"]}


def test_an_empty_value_does_not_swallow_the_next_line() -> None:
    assert scan_headers(b"Name:\nVersion: 1\n", WANTED) == {"name": [""], "version": ["1"]}


def test_bytes_that_are_not_utf8_do_no_harm() -> None:
    assert scan_headers(b"Author: \xe9\nName: a\xe9\n", WANTED)["name"] == ["a\ufffd"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Name", "Version", "Summary", "Classifier", "X-Name"]),
            st.text(string.ascii_letters + string.digits + " :.-", max_size=12).map(str.strip),
        )
    ),
    st.text(string.printable),
)
def test_it_reads_what_the_email_parser_reads(fields: list[tuple[str, str]], body: str) -> None:
    text = "".join(f"{name}: {value}\n" for name, value in fields) + "\n" + body
    message = email.message_from_string(text)
    found = scan_headers(text.encode(), WANTED)
    for name, values in found.items():
        expected = [" ".join(str(value).split()) for value in message.get_all(name) or []]
        assert values == expected
