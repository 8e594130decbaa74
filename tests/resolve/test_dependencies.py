"""Requirements of metadata: what packaging takes is taken, once per text; markers are evaluated once per target."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from wheelstore.resolve.dependencies import applies, parse_dependency, settle_extras
from wheelstore.resolve.pins import INDEX, PathSource, UrlSource, VcsSource, normalize
from wheelstore.resolve.requirement import BadRequirement

SHA = "a" * 64
LINUX = {"os_name": "posix", "python_version": "3.11", "python_full_version": "3.11.4", "sys_platform": "linux"}


@pytest.mark.parametrize(
    "text",
    [
        "demo",
        " Demo_Project ",
        "demo>=1.0",
        "demo (>=1.0)",
        "demo(>=1.0,<2)",
        "demo>=1,",
        "demo ~= 1.4.2 , != 1.5.*",
        "demo==1.*",
        "demo==1!2.0+local.1",
        "demo===1.0-weird",
        "demo[a]",
        "demo [a, B_b] >= 1 ; python_version >= '3.8'",
        "demo;os_name=='nt'",
        "demo ; extra == 'A.b'",
        'demo>=1 ; (python_version < "3.8" or os_name == "nt") and extra == "x"',
        "demo>=1;",
        "demo[]",
    ],
)
def test_a_text_says_what_packaging_says(text: str) -> None:
    dependency, parsed = parse_dependency(text), Requirement(text.strip().rstrip(";"))
    assert dependency.name == normalize(parsed.name)
    assert dependency.extras == {normalize(extra) for extra in parsed.extras}
    assert dependency.specifier == parsed.specifier
    assert str(dependency.marker) == str(parsed.marker)
    assert dependency.text == text.strip()
    assert dependency.source is INDEX


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("demo>=2.*", ".* suffix can only be used with `==` or `!=` operators at '>=2.*'"),
        ("demo>=1.0,,<2", "Expected comma (within version specifier), semicolon (after version specifier) or end at"),
        ("demo>dev", "Expected semicolon (after name with no version specifier) or end at '>dev'"),
        ("demo>='1.0'", "Expected semicolon (after name with no version specifier) or end at \">='1.0'\""),
        ("demo~=1", "Expected semicolon (after name with no version specifier) or end at '~=1'"),
        ("demo ; nonsense", "Expected a marker variable or quoted string"),
        ("", "Expected package name at the start of dependency specifier"),
        ("-e demo", "Expected package name at the start of dependency specifier"),
    ],
)
def test_what_packaging_does_not_take_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadRequirement) as caught:
        parse_dependency(text)
    assert str(caught.value).startswith(f"{text!r} is not a requirement: {message}")


def test_direct_references_have_a_source() -> None:
    url = parse_dependency(f"demo[a] @ https://h/demo-1.0-py3-none-any.whl#sha256={SHA} ; os_name == 'nt'")
    assert url.source == UrlSource(url="https://h/demo-1.0-py3-none-any.whl")
    assert url.hashes == (f"sha256:{SHA}",)
    assert url.extras == {"a"}
    assert str(url.marker) == 'os_name == "nt"'
    checkout = parse_dependency("demo @ git+https://h/demo.git@v1#subdirectory=sub")
    assert checkout.source == VcsSource(vcs="git", url="https://h/demo.git", revision="v1", subdirectory="sub")
    assert parse_dependency("demo @ git+https://h/demo.git").source == VcsSource(vcs="git", url="https://h/demo.git")


def test_paths_are_relative_to_a_directory_or_absolute(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    here = PathSource(path=tmp_path / "demo")
    assert parse_dependency("demo @ ./demo", tmp_path).source == here
    assert parse_dependency(f"demo @ {(tmp_path / 'demo').as_uri()}").source == here
    for text in ("demo @ ./demo", "demo @ file:demo"):
        with pytest.raises(BadRequirement, match="is relative, and there is nothing that it could be relative to"):
            parse_dependency(text)
    with pytest.raises(BadRequirement, match="is other, not demo"):
        parse_dependency("demo @ https://h/other-1.0-py3-none-any.whl")


def test_texts_and_markers_are_parsed_once() -> None:
    first = parse_dependency("demo>=1 ; python_version >= '3.8'")
    assert parse_dependency("demo>=1 ; python_version >= '3.8'") is first
    assert parse_dependency("other ; python_version >= '3.8'").marker is first.marker


def test_a_dependency_applies_by_its_marker_and_the_extra() -> None:
    plain = parse_dependency("demo")
    old = parse_dependency("demo ; python_version < '3.8'")
    optional = parse_dependency("demo ; os_name == 'posix' and extra == 'Fast_io'")
    assert applies(plain, LINUX)
    assert not applies(old, LINUX)
    assert applies(old, {**LINUX, "python_version": "3.7"})
    assert not applies(optional, LINUX)
    assert not applies(optional, LINUX, "slow")
    assert applies(optional, LINUX, "fast-io")
    assert not applies(optional, {**LINUX, "os_name": "nt"}, "fast-io")


def test_a_comparison_that_makes_no_sense_does_not_hold() -> None:
    assert not applies(parse_dependency("demo ; os_name ~= 'posix'"), LINUX)


def test_many_environments_do_not_mix() -> None:
    dependency = parse_dependency("demo ; python_version >= '3.10'")
    for minor in range(200):
        assert applies(dependency, {**LINUX, "python_version": f"3.{minor}"}) == (minor >= 10)


@pytest.mark.parametrize(
    ("marker", "left"),
    [
        ("extra == 'a'", True),
        ("extra == 'b'", False),
        ("extra != 'a'", False),
        ("'A' == extra", True),
        ("os_name == 'x'", 'os_name == "x"'),
        ("extra == 'a' and os_name == 'x'", 'os_name == "x"'),
        ("extra == 'b' and os_name == 'x'", False),
        ("extra == 'a' or os_name == 'x'", True),
        ("os_name == 'x' or extra == 'b'", 'os_name == "x"'),
        (
            "(os_name == 'x' or os_name == 'y' or extra == 'b') and python_version > '3' and extra == 'a'",
            '(os_name == "x" or os_name == "y") and python_version > "3"',
        ),
    ],
)
def test_extras_are_settled_and_the_rest_of_a_marker_stays(marker: str, left: str | bool) -> None:
    found = settle_extras(Marker(marker), {"a"})
    assert (found if isinstance(found, bool) else str(found)) == left
