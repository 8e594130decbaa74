import base64
import csv
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelstore.materialize.record import finish_record, inside, read_record, record_hash, record_line, relative_to_site

SITE = "lib/python3.12/site-packages"


@given(st.binary())
def test_a_hash_is_what_the_specification_says(content: bytes) -> None:
    expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    assert record_hash(content) == f"sha256={expected}"


@pytest.mark.parametrize(
    ("target", "relative"),
    [
        (f"{SITE}/a/b.py", "a/b.py"),
        ("bin/tool", "../../../bin/tool"),
        ("lib/python3.12/other", "../other"),
        ("share/x", "../../../share/x"),
    ],
)
def test_targets_are_recorded_relative_to_site_packages_and_found_again(target: str, relative: str) -> None:
    assert relative_to_site(target, SITE) == relative
    assert inside("/env", SITE, relative) == target


@pytest.mark.parametrize(
    "listed", ["../../../../etc/passwd", "/etc/passwd", "../../..", "../../../", "/env", "/envy/x"]
)
def test_a_record_cannot_name_what_is_outside(listed: str) -> None:
    assert inside("/env", SITE, listed) is None


def test_an_absolute_path_inside_counts() -> None:
    assert inside("/env", SITE, "/env/bin/tool") == "bin/tool"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1))
def test_lines_are_csv(path: str) -> None:
    line = record_line(path, "h", "1")
    assert next(csv.reader([line])) == [path, "h", "1"]


def test_scripts_are_added_in_order(tmp_path: Path) -> None:
    text = finish_record(b"a.py,sha256=x,1\nz.py,,\n", {"bin/tool": b"#!python"}, SITE)
    assert text.decode().splitlines() == [
        f"../../../bin/tool,{record_hash(b'#!python')},8",
        "a.py,sha256=x,1",
        "z.py,,",
    ]
    (tmp_path / "RECORD").write_bytes(text)
    assert read_record(str(tmp_path / "RECORD")) == ["../../../bin/tool", "a.py", "z.py"]


def test_no_record_is_none(tmp_path: Path) -> None:
    assert read_record(str(tmp_path / "RECORD")) is None


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "latin").write_bytes(b"caf\xe9.py,,\n")
    (tmp_path / "loop").symlink_to("loop")
    for path in ("directory", "latin", "latin/RECORD", "loop"):
        assert read_record(str(tmp_path / path)) is None


def test_a_record_s_lines_are_those_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "RECORD").write_bytes('\ufeffa.py,,\r\n\n"b,c.py",h,1\n\u2028.py,,\n'.encode())
    assert read_record(str(tmp_path / "RECORD")) == ["a.py", "b,c.py", "\u2028.py"]


def test_a_path_with_a_nul_is_none() -> None:
    assert inside("/env", SITE, "a\0.py") is None
