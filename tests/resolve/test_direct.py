from __future__ import annotations

from pathlib import Path

import pytest

from wheelstore.resolve.direct import NotAProject, static_metadata
from wheelstore.resolve.metadata import parse_metadata

PROJECT = """
[project]
name = "Demo"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["left>=1; sys_platform == 'linux'"]
[project.optional-dependencies]
Fancy_Hat = ["right", "up @ https://example.invalid/up.whl", "down; os_name == 'nt' or os_name == 'posix'"]
"""


def project(tmp_path: Path, text: str) -> Path:
    (tmp_path / "pyproject.toml").write_text(text)
    return tmp_path


def test_a_static_table_is_metadata(tmp_path: Path) -> None:
    told = static_metadata(project(tmp_path, PROJECT))
    assert told is not None
    metadata = parse_metadata(told)
    assert (metadata.name, metadata.version, metadata.requires_python) == ("Demo", "1.0", ">=3.9")
    assert metadata.extras == ("fancy-hat",)
    assert metadata.requires_dist == (
        'left>=1; sys_platform == "linux"',
        'right; extra == "fancy-hat"',
        'up @ https://example.invalid/up.whl ; extra == "fancy-hat"',
        'down; (os_name == "nt" or os_name == "posix") and extra == "fancy-hat"',
    )


@pytest.mark.parametrize("field", ["version", "dependencies", "optional-dependencies", "requires-python"])
def test_a_dynamic_field_is_the_backends_to_say(tmp_path: Path, field: str) -> None:
    text = f'[project]\nname = "demo"\nversion = "1"\ndynamic = ["{field}"]\n'
    assert static_metadata(project(tmp_path, text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[project]\nname = "demo"\n',
        '[project]\nname = "de\\nmo"\nversion = "1"\n',
        '[project]\nname = "demo"\nversion = "one"\n',
        '[project]\nname = "demo"\nversion = "1"\ndependencies = ["? ?"]\n',
        '[project]\nname = "demo"\nversion = "1"\ndependencies = "left"\n',
        '[project]\nname = "demo"\nversion = "1"\n[tool.poetry.dependencies]\nleft = "1"\n',
    ],
)
def test_what_is_not_whole_is_left_to_the_backend(tmp_path: Path, text: str) -> None:
    assert static_metadata(project(tmp_path, text)) is None


def test_fields_that_are_dynamic_without_a_say_in_solving_do_no_harm(tmp_path: Path) -> None:
    text = '[project]\nname = "demo"\nversion = "1"\ndynamic = ["readme"]\n'
    assert static_metadata(project(tmp_path, text)) is not None


def test_an_unpacked_sdist_tells_it_in_pkg_info(tmp_path: Path) -> None:
    (tmp_path / "setup.py").touch()
    (tmp_path / "PKG-INFO").write_text("Metadata-Version: 2.2\nName: demo\nVersion: 1\nRequires-Dist: left\n")
    assert static_metadata(tmp_path) is None
    told = static_metadata(tmp_path, unpacked=True)
    assert told is not None
    assert parse_metadata(told).requires_dist == ("left",)


@pytest.mark.parametrize(
    "headers",
    [
        "Metadata-Version: 2.1\nName: demo\nVersion: 1\n",
        "Metadata-Version: 2.2\nName: demo\nVersion: 1\nDynamic: Requires-Dist\n",
    ],
)
def test_an_old_or_dynamic_pkg_info_is_not_believed(tmp_path: Path, headers: str) -> None:
    (tmp_path / "setup.py").touch()
    (tmp_path / "PKG-INFO").write_text(headers)
    assert static_metadata(tmp_path, unpacked=True) is None


def test_a_directory_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAProject, match=r"neither pyproject\.toml nor setup\.py"):
        static_metadata(tmp_path)
    with pytest.raises(NotAProject, match="it is no directory"):
        static_metadata(tmp_path / "absent")


def test_a_broken_pyproject_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAProject, match=r"pyproject\.toml: "):
        static_metadata(project(tmp_path, "[project"))
