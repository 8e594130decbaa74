"""pyproject.toml: dependencies, extras, groups, what has to be built; errors name the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelstore.resolve.pins import LockError, PathSource
from wheelstore.resolve.problem import Metadata
from wheelstore.resolve.project_files import ProjectFile, RequiresPython, Unbuilt, read_project_file

PATH = Path("/nowhere/pyproject.toml")


def read(
    text: str, *, extras: tuple[str, ...] | None = (), groups: tuple[str, ...] = (), only_groups: bool = False
) -> ProjectFile:
    return read_project_file(PATH, text.encode(), extras=extras, groups=groups, only_groups=only_groups)


def texts(project: ProjectFile) -> list[str]:
    return [given.dependency.text for given in project.given]


DEMO = """\
[project]
name = "Demo_1"
requires-python = ">=3.9"
dependencies = ["idna", "attrs>=1 ; os_name == 'nt'"]

[project.optional-dependencies]
Fast_io = ["demo-1[Other]", "six"]
other = ["demo-1[fast.io]", "iniconfig"]

[dependency-groups]
dev = ["sniffio", {include-group = "Test_s"}]
test-s = ["pytest"]
"""


def test_dependencies_have_an_origin_and_a_line() -> None:
    project = read(DEMO)
    assert project.name == "demo-1"
    assert texts(project) == ["idna", "attrs>=1 ; os_name == 'nt'"]
    assert {given.origin for given in project.given} == {"demo-1 (/nowhere/pyproject.toml)"}
    assert [given.position for given in project.given] == ["/nowhere/pyproject.toml:4"] * 2
    assert project.requires_python == RequiresPython(">=3.9", "/nowhere/pyproject.toml:3")
    assert project.extras == {"fast-io", "other"}
    assert project.groups == {"dev", "test-s"}
    assert project.unbuilt is None


def test_a_cycle_of_extras_is_fine() -> None:
    assert texts(read(DEMO, extras=("fast_IO",)))[2:] == ["six", "iniconfig"]
    assert texts(read(DEMO, extras=("other",)))[2:] == ["iniconfig", "six"]
    assert texts(read(DEMO, extras=None))[2:] == ["six", "iniconfig"]


def test_a_group_holds_what_it_includes() -> None:
    project = read(DEMO, groups=("Dev",), only_groups=True)
    assert texts(project) == ["sniffio", "pytest"]
    assert {given.origin for given in project.given} == {"demo-1 (/nowhere/pyproject.toml:dev)"}
    assert project.requires_python is None


def test_groups_need_no_project_and_no_build() -> None:
    project = read('[dependency-groups]\ndev = ["six"]\n', groups=("dev",), only_groups=True)
    assert [given.origin for given in project.given] == ["/nowhere/pyproject.toml:dev"]
    assert project.unbuilt is None


@pytest.mark.parametrize(
    ("text", "extras", "built"),
    [
        ('[tool.poetry]\nname = "demo"\n', (), True),
        ('[build-system]\nrequires = ["setuptools"]\n', (), True),
        ('[project]\nname = "demo"\ndynamic = ["version"]\n', (), False),
        ('[project]\nname = "demo"\ndynamic = ["dependencies"]\n', (), True),
        ('[project]\nname = "demo"\ndynamic = ["optional-dependencies"]\n', (), False),
        ('[project]\nname = "demo"\ndynamic = ["optional-dependencies"]\n', ("a",), True),
        ('[project]\nname = "demo"\ndynamic = ["optional-dependencies"]\n', None, True),
    ],
)
def test_what_the_file_does_not_say_is_built(text: str, extras: tuple[str, ...] | None, *, built: bool) -> None:
    unbuilt = read(text, extras=extras).unbuilt
    wanted = None if extras is None else frozenset(extras)
    assert unbuilt == (Unbuilt(PathSource(path=Path("/nowhere")), str(PATH), wanted) if built else None)


def test_a_built_project_asks_by_its_metadata() -> None:
    requires = (
        "idna",
        "attrs ; os_name == 'nt'",
        "demo[b] ; extra == 'a'",
        "six ; extra == 'b' and os_name == 'nt'",
        "iniconfig ; extra == 'c'",
    )
    metadata = Metadata("Demo", "1.0", requires, extras=("a", "b", "c"))
    project = Unbuilt(PathSource(path=Path("/nowhere")), "setup.py", frozenset({"a"}))
    given = project.requirements(metadata)
    found = [(each.dependency.name, str(each.dependency.marker)) for each in given]
    assert found == [("idna", "None"), ("attrs", 'os_name == "nt"'), ("six", 'os_name == "nt"')]
    assert {each.origin for each in given} == {"demo (setup.py)"}
    everything = project._replace(extras=None).requirements(metadata)
    assert [each.dependency.name for each in everything] == ["idna", "attrs", "six", "iniconfig"]
    with pytest.raises(LockError, match=r"setup\.py: Requires-Dist: 'a b' is not a requirement"):
        project.requirements(metadata._replace(requires_dist=("a b",)))


NAME = "Expected semicolon (after name with no version specifier) or end"
HEAD = '[project]\nname = "demo"\n'


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("[project\n", [":1: is not TOML: Expected ']' at the end of a table declaration"]),
        ("[project]\n", [": project.name: is missing"]),
        ("[project]\nname = 3\n", [": project.name: is no name"]),
        ("project = 3\n", [": project: is no table"]),
        (f"{HEAD}dependencies = 'six'\n", [": project.dependencies: is no list of texts"]),
        (f"{HEAD}dependencies = [3]\n", [": project.dependencies: is no list of texts"]),
        (f"{HEAD}dynamic = 'version'\n", [": project.dynamic: is no list of texts"]),
        (f"{HEAD}optional-dependencies = []\n", [": project.optional-dependencies: is no table"]),
        (
            f"{HEAD}dependencies = [\n  'six',\n  'foo=>1',\n  'a b',\n]\n",
            [
                f":5: project.dependencies[1]: 'foo=>1' is not a requirement: {NAME} at '=>1'",
                f":6: project.dependencies[2]: 'a b' is not a requirement: {NAME} at 'b'",
            ],
        ),
        (
            f"{HEAD}[project.optional-dependencies]\na = ['b @ ./missing']\n",
            [":4: project.optional-dependencies.a[0]: /nowhere/missing does not exist"],
        ),
        (
            f"{HEAD}[project.optional-dependencies]\na_b = []\nA-B = []\n",
            [": project.optional-dependencies.A-B: is there twice, by its normalized name"],
        ),
        (
            f"{HEAD}requires-python = '3.9 or so'\n",
            [": project.requires-python: Invalid specifier: '3.9 or so'"],
        ),
        ("dependency-groups = 1\n", [": dependency-groups: is no table"]),
        ("[dependency-groups]\ndev = 'six'\n", [": dependency-groups.dev: is no list"]),
        (
            "[dependency-groups]\ndev = [3, {include = 'a'}]\n",
            [
                ": dependency-groups.dev[0]: is neither a requirement nor {include-group = NAME}",
                ": dependency-groups.dev[1]: is neither a requirement nor {include-group = NAME}",
            ],
        ),
        (
            "[dependency-groups]\ndev = [{include-group = 'Nope'}]\n",
            [": dependency-groups.dev[0]: there is no group 'Nope'"],
        ),
        (
            "[dependency-groups]\ndev=[{include-group='A'}]\na=[{include-group='b'}]\nb=[{include-group='a'}]",
            [": dependency-groups.b[0]: the group includes itself: a → b → a"],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_key(text: str, messages: list[str]) -> None:
    with pytest.raises(LockError) as caught:
        read(text, extras=None, groups=("dev",))
    assert [str(each) for each in caught.value.errors] == [f"/nowhere/pyproject.toml{each}" for each in messages]
