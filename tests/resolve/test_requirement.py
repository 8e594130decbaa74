"""What one requirement pins; `packaging` is the judge of dependency specifiers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from support.wheels import make_wheel

from wheelstore.resolve.pins import INDEX, PathSource, Position, UrlSource, VcsSource
from wheelstore.resolve.requirement import BadRequirement, Requirement, parse_requirement

HERE = Position("lock.txt", 3)
SHA = f"sha256:{'a' * 64}"


def parse(text: str, *, directory: Path = Path("/nowhere"), **options: Any) -> Requirement:
    return parse_requirement(text, directory=directory, position=HERE, **options)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("demo==1.0", "1.0"),
        ("Demo [a, B_b] == 1.0 ; os_name == 'posix'", "1.0"),
        ("demo===1.0", "1.0"),
        ("demo (==1.0)", "1.0"),
        ("demo==1!1.0.post1+Local", "1!1.0.post1+local"),
        ("demo==v1.0-1", "1.0.post1"),
        ("demo==1.0,>=0.5", "1.0"),
        ("demo>0,==1.0,==1.0.0", "1.0"),
        ("demo==1.0;", "1.0"),
        ("demo==1.0a1,>=0", "1.0a1"),
        ("demo", None),
        ("demo>=1", None),
        ("demo==1.*", None),
        ("demo~=1.0,!=1.5", None),
    ],
)
def test_one_exact_version_is_a_pin(text: str, version: str | None) -> None:
    requirement = parse(text)
    assert requirement.pin.name == "demo"
    assert requirement.pin.version == (Version(version) if version else None)
    assert requirement.pin.source == INDEX
    assert requirement.settles == (version is not None)
    assert (requirement.specifier is None) == (version is not None)


def test_everything_of_a_line_is_kept() -> None:
    pin = parse("Demo[B_b,a]==1.0 ; os_name == 'posix'", hashes=[SHA, SHA], config_settings=(("a", "b"),)).pin
    assert pin.extras == {"a", "b-b"}
    assert str(pin.marker) == 'os_name == "posix"'
    assert (pin.hashes, pin.config_settings, pin.position) == ((SHA,), (("a", "b"),), HERE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("demo>=2", "demo>=2 is not pinned with =="),
        ("demo [a]  ; os_name == 'nt'", "demo [a] is not pinned with =="),
        ("demo!=1.*", "demo!=1.* is not pinned with =="),
        ("demo==1.*", "demo==1.* is not pinned: a wildcard stands for many versions"),
    ],
)
def test_what_is_not_pinned_says_what_it_has(text: str, reason: str) -> None:
    error = parse(text).not_pinned()
    assert str(error) == f"lock.txt:3: {reason}"
    assert "store lock" in (error.hint or "")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "demo=1.0",
            "'demo=1.0' is not a requirement: Expected … at '=1.0'",
            "= is no operator, did you mean ==?",
        ),
        (
            "demo==1.0 ; python_verson > '3'",
            "\"demo==1.0 ; python_verson > '3'\" is not a requirement: Expected … at \"python_verson > '3'\"",
            None,
        ),
        (
            "demo==1.0 \\",
            "'demo==1.0 \\\\' ends in a backslash, but not its line",
            "a space behind a backslash keeps the next line from joining",
        ),
        ("demo[a==1.0", None, None),
        ("demo==", None, None),
        ("-demo", None, None),
        ("demo===2004d", "'demo===2004d' is not a requirement: Invalid version: '2004d'", None),
        ("demo==1.0,==2.0", "'demo==1.0,==2.0' contradicts itself", None),
        ("demo==1.0,<1", "'demo==1.0,<1' contradicts itself", None),
        ("demo @ ./absent", "/nowhere/absent does not exist", None),
        ("./demo ; what", "'what' is not a marker: Expected … at 'what'", None),
        ("https://h/x.zip", "the name of https://h/x.zip is not known without building it", "write it as"),
        ("a @ https://h/b-1-py3-none-any.whl", "https://h/b-1-py3-none-any.whl is b, not a", None),
    ],
)
def test_what_does_not_parse_says_where(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(BadRequirement) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    if message is not None:
        assert re.sub("Expected .* at ", "Expected … at ", str(caught.value)) == message
    if hint is not None:
        assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("demo[a==1.0", "look here:\n    demo[a==1.0\n          ^"),
        ("demo=1.0", "= is no operator, did you mean ==?\n    demo=1.0\n        ^"),
        ("demo=>1.0", "=> is no operator, did you mean >=?\n    demo=>1.0\n        ^^"),
        ("demo @ https://user:secret@host/x ; python_version", None),
    ],
)
def test_a_hint_points_at_the_column_but_never_into_a_url(text: str, hint: str | None) -> None:
    with pytest.raises(BadRequirement) as caught:
        parse(text)
    assert caught.value.hint == hint


def test_a_long_line_is_quoted_in_part() -> None:
    with pytest.raises(BadRequirement) as caught:
        parse("a=" + "b" * 1000)
    assert len(str(caught.value)) < 300
    assert len(str(parse("a" * 1000).not_pinned())) < 300


@pytest.mark.parametrize("space", ["", " "])
def test_a_named_url_is_a_direct_reference(space: str) -> None:
    text = f"Demo[a]{space}@{space}https://h/demo-1.0-py3-none-any.whl#{SHA.replace(':', '=')} ; os_name=='x'"
    pin = parse(text, hashes=["sha256:" + "b" * 64]).pin
    assert pin.source == UrlSource(url="https://h/demo-1.0-py3-none-any.whl")
    assert (pin.name, pin.version, set(pin.extras)) == ("demo", Version("1.0"), {"a"})
    assert pin.hashes == (SHA, "sha256:" + "b" * 64)
    assert str(pin.marker) == 'os_name == "x"'


def test_a_bare_url_is_a_direct_reference() -> None:
    pin = parse("https://h/demo-1.0-py3-none-any.whl ; os_name=='x'").pin
    assert (pin.name, str(pin.marker)) == ("demo", 'os_name == "x"')


def test_a_checkout_is_a_direct_reference() -> None:
    requirement = parse("demo @ git+https://h/d@v1")
    assert requirement.pin.source == VcsSource(vcs="git", url="https://h/d", revision="v1")
    assert requirement.settles


def test_a_path_is_a_direct_reference(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo", "1.0")
    for text in (f"./{wheel.name}", f"demo @ {wheel.as_uri()}", f"demo @ ./{wheel.name}", wheel.name):
        requirement = parse(f"{text} ; os_name=='x'", directory=tmp_path)
        assert requirement.pin.source == PathSource(path=wheel)
        assert str(requirement.pin.marker) == 'os_name == "x"'


def test_an_editable_may_be_named_or_bare(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "demo"\n')
    for text in (".", ".[a]", "demo @ .", f"demo[a] @ {tmp_path.as_uri()}"):
        pin = parse(text, directory=tmp_path, editable=True).pin
        assert (pin.name, pin.source) == ("demo", PathSource(path=tmp_path, editable=True))
        assert pin.extras == ({"a"} if "[a]" in text else set())


def test_a_bare_name_behind_e_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pyproject.toml").write_text('[project]\nname = "demo"\n')
    assert parse("project", directory=tmp_path, editable=True).pin.name == "demo"


def test_what_is_no_file_can_have_no_hash(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("")
    for text in ("demo @ .", "demo @ git+https://h/d@v1"):
        with pytest.raises(BadRequirement, match="is no file and can have no hash"):
            parse(text, directory=tmp_path, hashes=[SHA])
