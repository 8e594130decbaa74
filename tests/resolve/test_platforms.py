from __future__ import annotations

from pathlib import Path

import pytest
from support.tags import ask, interpreters

from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.platforms import (
    UnknownPlatform,
    UnknownPython,
    platform_names,
    target_for,
    with_platform,
    with_python,
)
from wheelstore.resolve.target import Target, tags_of


@pytest.mark.parametrize("executable", interpreters())
def test_a_made_up_linux_target_says_what_an_interpreter_there_says(executable: str, tmp_path: Path) -> None:
    facts, markers, tags = ask(executable, tmp_path)
    if not facts["libc"].startswith("glibc") or facts["debug"] or facts["pointer_bits"] == 32:
        pytest.skip("no usual Linux")
    glibc = facts["libc"].split()[1].replace(".", "_")
    python = f"{'pypy' if facts['implementation'] == 'pypy' else ''}{facts['version']}"
    target = target_for(python + "t" * facts["gil_disabled"], f"{facts['machine']}-manylinux_{glibc}")
    assert target.tags == tags
    if facts["implementation"] == "pypy":
        markers["implementation_version"] = "7.3.0"
    assert target.markers == {**markers, "platform_release": "", "platform_version": ""}


@pytest.mark.parametrize("executable", interpreters())
def test_another_python_here_has_the_tags_it_has_when_asked(executable: str, tmp_path: Path) -> None:
    facts, _, tags = ask(executable, tmp_path)
    if facts["implementation"] != "cpython" or facts["debug"] or facts["gil_disabled"]:
        pytest.skip("no usual CPython")
    other = tags_of(**{**facts, "version": "3.14.2", "ext_suffix": ""})
    here = Target(markers={"implementation_name": "cpython", "platform_release": "6.1"}, tags=other)
    changed = with_python(here, facts["version"])
    assert changed.tags == tags
    assert changed.markers["python_full_version"] == facts["version"]
    assert changed.markers["platform_release"] == "6.1"


@pytest.mark.parametrize(
    ("platform", "there", "absent", "markers"),
    [
        ("linux", "manylinux_2_28_x86_64", "manylinux_2_29_x86_64", ("posix", "linux", "x86_64")),
        ("aarch64-unknown-linux-gnu", "manylinux2014_aarch64", "manylinux2010_aarch64", ("posix", "linux", "aarch64")),
        ("x86_64-unknown-linux-musl", "musllinux_1_1_x86_64", "manylinux_2_17_x86_64", ("posix", "linux", "x86_64")),
        ("aarch64-unknown-linux-musl", "musllinux_1_2_aarch64", "musllinux_1_3_aarch64", ("posix", "linux", "aarch64")),
        ("x86_64-manylinux2014", "manylinux_2_17_x86_64", "manylinux_2_18_x86_64", ("posix", "linux", "x86_64")),
        ("X86_64-manylinux_2_31", "manylinux_2_31_x86_64", "manylinux_2_32_x86_64", ("posix", "linux", "x86_64")),
        ("i686-manylinux_2_17", "manylinux1_i686", "linux_x86_64", ("posix", "linux", "i686")),
        ("macos", "macosx_13_0_arm64", "macosx_14_0_arm64", ("posix", "darwin", "arm64")),
        ("x86_64-apple-darwin", "macosx_10_9_universal2", "macosx_11_0_arm64", ("posix", "darwin", "x86_64")),
        ("windows", "win_amd64", "win32", ("nt", "win32", "AMD64")),
        ("i686-pc-windows-msvc", "win32", "win_amd64", ("nt", "win32", "x86")),
        ("aarch64-pc-windows-msvc", "win_arm64", "win_amd64", ("nt", "win32", "ARM64")),
        ("riscv64-unknown-linux", "manylinux_2_39_riscv64", "linux_x86_64", ("posix", "linux", "riscv64")),
    ],
)  # fmt: skip
def test_a_platform_has_its_tags_and_markers(
    platform: str, there: str, absent: str, markers: tuple[str, str, str]
) -> None:
    target = target_for("3.12", platform)
    assert target.rank_tags(f"cp312-cp312-{there}") is not None
    assert target.rank_tags(f"cp312-cp312-{absent}") is None
    assert target.rank_tags("py3-none-any") is not None
    assert tuple(target.markers[name] for name in ("os_name", "sys_platform", "platform_machine")) == (markers)
    assert len(target.markers) == 11


@pytest.mark.parametrize("name", platform_names())
def test_every_name_that_is_listed_is_known(name: str) -> None:
    assert target_for("3.12", name).tags


def test_a_macos_can_be_named() -> None:
    assert target_for("3.12", "macos", macos="14.0").rank_tags("py3-none-macosx_14_0_arm64") is not None


@pytest.mark.parametrize(
    ("text", "full", "minor", "tag"),
    [
        ("3.12", "3.12.0", "3.12", "cp312-cp312-win_amd64"),
        ("3.8.18", "3.8.18", "3.8", "cp38-cp38-win_amd64"),
        ("cpython-3.15.0b1", "3.15.0b1", "3.15", "cp315-cp315-win_amd64"),
        ("3.13t", "3.13.0", "3.13", "cp313-cp313t-win_amd64"),
        ("pypy3.10", "3.10.0", "3.10", "pp310-pypy310_pp73-win_amd64"),
    ],
)
def test_a_python_is_a_minor_or_a_full_version(text: str, full: str, minor: str, tag: str) -> None:
    target = target_for(text, "windows")
    assert (target.markers["python_full_version"], target.markers["python_version"]) == (full, minor)
    assert target.tags[0] == tag


@pytest.mark.parametrize("text", ["2.7", "3", "3.7", "312", "banana", "3.12.", "", "3.12-linux"])
def test_no_python_is_an_error(text: str) -> None:
    with pytest.raises(UnknownPython, match=r"Python version|older") as caught:
        target_for(text, "linux")
    assert isinstance(caught.value, ResolveError)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "close"),
    [("x86_64-unknown-linux-gun", "x86_64-unknown-linux-gnu"), ("window", "windows"), ("darwin-pdp11", "try linux")],
)
def test_no_platform_is_an_error_with_a_guess(name: str, close: str) -> None:
    with pytest.raises(UnknownPlatform, match=name) as caught:
        target_for("3.12", name)
    assert close in (caught.value.hint or "")


def test_the_same_python_elsewhere() -> None:
    here = target_for("3.12.4", "linux")
    there = with_platform(here, "windows")
    assert there == target_for("3.12.4", "windows")
    assert with_platform(target_for("3.13t", "linux"), "macos") == target_for("3.13t", "macos")
    assert with_platform(target_for("pypy3.10", "linux"), "macos").tags == target_for("pypy3.10", "macos").tags


@pytest.mark.parametrize("platform", ["linux", "macos", "windows", "x86_64-unknown-linux-musl"])
def test_another_python_on_the_same_platform(platform: str) -> None:
    assert with_python(target_for("3.12.4", platform), "3.10") == target_for("3.10", platform)
    assert with_python(target_for("pypy3.10", platform), "3.11") == target_for("pypy3.11", platform)
    assert with_python(target_for("pypy3.10", platform), "cp3.11") == target_for("3.11", platform)
    assert with_python(target_for("3.13t", platform), "3.14") == target_for("3.14t", platform)
    assert with_python(target_for("3.13t", platform), "3.12") == target_for("3.12", platform)
