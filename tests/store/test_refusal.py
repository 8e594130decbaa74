import hashlib
import pickle
from functools import partial
from pathlib import Path

import pytest
from support.bad_wheels import BAD_WHEELS, BadCase, make_bad_wheel
from support.wheels import make_wheel

from wheelstore.store.archive import read_archive, read_entry
from wheelstore.store.refusal import BadWheel, Rule, naming
from wheelstore.store.wheel import WheelContents, check_recorded, check_wheel


def admit(path: Path) -> WheelContents:
    """All that stands between a wheel and the store."""
    with path.open("rb") as file, naming(path.name):
        entries = read_archive(file)
        contents = check_wheel(path.name, entries, partial(read_entry, file))
        for entry in entries:
            content = read_entry(file, entry)
            if entry.name in contents.record:
                digest = hashlib.new(contents.algorithm(entry.name), content).digest()
                check_recorded(contents, entry.name, digest, len(content))
    return contents


@pytest.mark.parametrize("case", BAD_WHEELS.values(), ids=BAD_WHEELS)
def test_a_bad_wheel_is_refused_for_what_is_wrong_with_it(case: BadCase, tmp_path: Path) -> None:
    wheel = make_bad_wheel(tmp_path, case)
    with pytest.raises(BadWheel) as refused:
        admit(wheel)
    assert refused.value.rule is case.rule
    message = str(refused.value)
    assert message.startswith(f"{wheel.name}: refused: ")
    assert case.rule.value in message
    assert message.isprintable()


def test_every_rule_refuses_something() -> None:
    about_the_index = {Rule.METADATA_SERVED}
    assert {case.rule for case in BAD_WHEELS.values()} | about_the_index == set(Rule)


def test_a_sound_wheel_is_admitted(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path,
        entry_points={"console_scripts": {"demo": "demo:main"}},
        scripts={"demo-old": b"#!python\n"},
        data={"headers/demo.h": b"", "data/share/demo.txt": b"x", "purelib/more.py": b"", "platlib/most.py": b""},
    )
    assert admit(wheel).name == "demo"


def test_the_text_names_wheel_entry_rule_and_detail() -> None:
    bad = BadWheel("a/../b", Rule.NAME_TRAVERSAL, "at 7", "foo-1-py3-none-any.whl")
    assert str(bad) == (
        "foo-1-py3-none-any.whl: refused: entry 'a/../b': the path leaves the wheel or has a part of only dots (at 7)"
    )
    assert str(BadWheel(None, Rule.SPANNED)) == "refused: the archive spans several disks"


def test_the_text_is_one_short_line_whatever_the_name() -> None:
    message = str(BadWheel("a\n\x1b\u2028" + "b" * 5000, Rule.NAME_CONTROL))
    assert message.isprintable()
    assert len(message) < 300


def test_a_refusal_survives_the_way_back_from_a_worker() -> None:
    bad = BadWheel("a", Rule.CRC)
    bad.wheel = "foo.whl"
    copy = pickle.loads(pickle.dumps(bad))
    assert (copy.entry, copy.rule, copy.detail, copy.wheel, str(copy)) == ("a", Rule.CRC, None, "foo.whl", str(bad))


def test_naming_keeps_a_name_that_is_there() -> None:
    with pytest.raises(BadWheel) as refused, naming("outer.whl"), naming("inner.whl"):
        raise BadWheel("a", Rule.CRC)
    assert refused.value.wheel == "inner.whl"
