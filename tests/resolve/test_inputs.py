"""What is to be locked, from files of every kind: where each requirement stands, and every mistake at once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from wheelstore.resolve.inputs import Inputs, read_inputs
from wheelstore.resolve.pins import LockError, PathSource, Source, UrlSource, VcsSource
from wheelstore.resolve.problem import Given, Metadata
from wheelstore.resolve.requirements_lines import Variables

SHA = "a" * 64
PYPROJECT = """\
[project]
name = "demo"
requires-python = ">=3.9"
dependencies = ["idna"]
[project.optional-dependencies]
fast = ["six"]
[dependency-groups]
dev = ["pytest"]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Relative names keep the messages short; what is read must not depend on it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**files: str) -> None:
    """Write `a_txt="…"` as `a.txt`."""
    for name, text in files.items():
        Path(name.replace("_", ".")).write_text(text)


def read(
    *paths: str,
    stdin: str = "",
    environ: dict[str, str] | None = None,
    constraints: tuple[str, ...] = (),
    overrides: tuple[str, ...] = (),
    excludes: tuple[str, ...] = (),
    extras: tuple[str, ...] = (),
    all_extras: bool = False,
    groups: tuple[str, ...] = (),
) -> Inputs:
    return read_inputs(
        paths,
        variables=Variables(environ or {}),
        stdin=stdin.encode(),
        constraints=[Path(each) for each in constraints],
        overrides=[Path(each) for each in overrides],
        excludes=[Path(each) for each in excludes],
        extras=extras,
        all_extras=all_extras,
        groups=groups,
    )


def shown(given: tuple[Given, ...]) -> list[str]:
    return [f"{each.dependency.text} | {each.origin} | {each.position}" for each in given]


def complaints(*paths: str, **arguments: object) -> list[str]:
    with pytest.raises(LockError) as caught:
        read(*paths, **arguments)  # type: ignore[arg-type]
    return [str(each) for each in caught.value.errors]


def test_requirements_keep_their_order_their_origin_and_their_place() -> None:
    write(a_in="# first\nsix>=1 ; os_name == 'nt'\n-r b.in\n-c c.txt\nidna==3.0 \\\n", b_in="\nattrs", c_txt="six<2\n")
    found = read("a.in")
    assert shown(found.roots) == [
        'six>=1 ; os_name == "nt" | -r a.in | a.in:2',
        "attrs | -r b.in | b.in:2",
        "idna==3.0 | -r a.in | a.in:5",
    ]
    assert shown(found.constraints) == ["six<2 | -c c.txt | c.txt:1"]
    assert str(found.roots[2].dependency.specifier) == "==3.0"
    digests = {each.path.name: each.sha256 for each in found.inputs}
    assert list(digests) == ["a.in", "b.in", "c.txt"]
    assert digests["c.txt"] == hashlib.sha256(b"six<2\n").hexdigest()


def test_constraints_overrides_and_excludes_are_files_of_requirements() -> None:
    write(a_in="six\n", c_txt="-r more.txt\nidna<4\n", more_txt="attrs<30\n", o_txt="six==1.0\n", e_txt="Foo_bar\n")
    found = read("a.in", constraints=("c.txt",), overrides=("o.txt",), excludes=("e.txt",))
    assert shown(found.constraints) == ["attrs<30 | -c more.txt | more.txt:1", "idna<4 | -c c.txt | c.txt:2"]
    assert shown(found.overrides) == ["six==1.0 | --override o.txt | o.txt:1"]
    assert found.excludes == {"foo-bar"}
    assert len(found.inputs) == 5


def test_the_same_file_twice_asks_once() -> None:
    write(a_in="-r c.in\n", b_in="-r c.in\n", c_in="six\n")
    found = read("a.in", "b.in", "a.in")
    assert shown(found.roots) == ["six | -r c.in | c.in:1"]
    assert [each.path.name for each in found.inputs] == ["a.in", "c.in", "b.in"]


def test_standard_input_is_a_file_and_variables_are_expanded() -> None:
    found = read("-", stdin="--index-url https://${TOKEN}@h/simple\nsix --hash=sha256:" + SHA, environ={"TOKEN": "t"})
    assert shown(found.roots) == ["six | -r - | <stdin>:2"]
    assert found.roots[0].dependency.hashes == (f"sha256:{SHA}",)
    assert found.options.index_url == "https://t@h/simple"
    assert found.environment_names == {"TOKEN"}


def test_sources_may_be_unnamed_and_checkouts_without_a_revision(here: Path) -> None:
    (here / "named").mkdir()
    (here / "named/pyproject.toml").write_text(PYPROJECT)
    (here / "bare").mkdir()
    (here / "bare/setup.py").write_text("")
    lines = "-e ./named\n./bare[x] ; os_name == 'nt'\nhttps://h/x.zip\ngit+https://h/x.git\nb @ git+https://h/b.git\n"
    found = read("-", stdin=lines)
    assert shown(found.roots) == [
        "-e ./named | -r - | <stdin>:1",
        "b @ git+https://h/b.git | -r - | <stdin>:5",
    ]
    assert found.roots[0].dependency.name == "demo"
    assert found.roots[0].dependency.source == PathSource(path=Path("named"), editable=True)
    sources: tuple[Source, ...] = (
        PathSource(path=Path("bare")),
        UrlSource(url="https://h/x.zip"),
        VcsSource(vcs="git", url="https://h/x.git"),
    )
    assert found.sources_to_build == sources
    names = ("Bare", "x.zip", "x")
    done = found.completed({source: Metadata(name, "1.0") for source, name in zip(sources, names, strict=True)})
    assert shown(done.roots)[2:] == [
        "./bare[x] ; os_name == 'nt' | -r - | <stdin>:2",
        "https://h/x.zip | -r - | <stdin>:3",
        "git+https://h/x.git | -r - | <stdin>:4",
    ]
    bare = done.roots[2].dependency
    assert bare.name == "bare"
    assert bare.extras == {"x"}
    assert str(bare.marker) == 'os_name == "nt"'
    assert bare.source == sources[0]
    assert done.sources_to_build == ()


@pytest.mark.parametrize("path", ["pyproject.toml", "."])
def test_a_project_is_read_with_its_extras_and_groups(path: str) -> None:
    write(pyproject_toml=PYPROJECT)
    found = read(path, extras=("FAST",), groups=("dev",))
    assert shown(found.roots) == [
        "idna | demo (pyproject.toml) | pyproject.toml:4",
        "six | demo (pyproject.toml) | pyproject.toml:6",
        "pytest | demo (pyproject.toml:dev) | pyproject.toml:8",
    ]
    assert [each.specifier for each in found.requires_python] == [">=3.9"]
    assert found == read(path, all_extras=True, groups=("pyproject.toml:dev",))


def test_groups_alone_are_those_of_the_directory() -> None:
    write(pyproject_toml=PYPROJECT, a_in="six\n")
    group = "pytest | demo (pyproject.toml:dev) | pyproject.toml:8"
    assert shown(read(groups=("dev",)).roots) == [group]
    assert shown(read("a.in", groups=("dev",)).roots) == ["six | -r a.in | a.in:1", group]
    assert read("a.in", groups=("dev",)).requires_python == ()


def test_a_project_is_built_where_its_files_do_not_say(here: Path) -> None:
    (here / "setup.py").write_text("")
    (here / "setup.cfg").write_text("")
    source = PathSource(path=here)
    for path in ("setup.py", "setup.cfg", "."):
        found = read(path, extras=("fast",))
        assert found.sources_to_build == (source,)
        assert {each.path.name for each in found.inputs} == {"setup.py", "setup.cfg"}
        metadata = Metadata("Demo", "1.0", ("idna", "six ; extra == 'fast'"), ">=3.8", ("fast",))
        done = found.completed({source: metadata})
        assert shown(done.roots) == [
            f"idna | demo ({path}) | {path}",
            f"six ; extra == 'fast' | demo ({path}) | {path}",
        ]
        assert done.roots[1].dependency.marker is None
        assert [each.specifier for each in done.requires_python] == [">=3.8"]
        with pytest.raises(LockError, match="--extra fast: no input offers this extra"):
            found.completed({source: metadata._replace(extras=())})


NAME = "Expected semicolon (after name with no version specifier) or end"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "foo=>1",
            f"'foo=>1' is not a requirement: {NAME} at '=>1'",
            "=> is no operator, did you mean >=?|foo=>1|   ^^",
        ),
        ("foo=1", f"'foo=1' is not a requirement: {NAME} at '=1'", "= is no operator, did you mean ==?|foo=1|   ^"),
        ("foo bar", f"'foo bar' is not a requirement: {NAME} at 'bar'", "look here:|foo bar|    ^"),
        (
            "foo ; python_versio > '3'",
            "\"foo ; python_versio > '3'\" is not a requirement: Expected a marker variable or quoted string at ",
            "look here:|foo ; python_versio > '3'|      ^",
        ),
        ("foo==1,==2", "'foo==1,==2' contradicts itself", None),
        ("./missing", "missing does not exist", None),
        ("-r missing.in", "-r missing.in: No such file or directory", None),
        ("-r https://h/a.in", "-r https://h/a.in: a file at a URL is not read, download it first", None),
        ("-r pylock.toml", "-r pylock.toml: a pylock.toml cannot be included", None),
        ("--indx-url x", "unknown option --indx-url", "did you mean --index-url?"),
        ("six --hash=md5:00", "hash algorithm 'md5' is not accepted, use one of sha256, sha384, sha512", None),
    ],
)
def test_a_wrong_line_is_pointed_at(text: str, message: str, hint: str | None) -> None:
    write(a_in=f"six\n\n  {text}\n")
    with pytest.raises(LockError) as caught:
        read("a.in")
    assert str(caught.value).startswith(f"a.in:3: {message}")
    assert caught.value.hint == (hint.replace("|", "\n    ") if hint else None)


def test_every_mistake_of_every_file_is_told() -> None:
    write(a_in="a b\nsix\n", c_txt="six[x]\n-e .\n", o_txt="https://h/x.zip\n", pyproject_toml=PYPROJECT)
    found = complaints(
        *("gone.in", "a.in", "uv.lock", "pylock.toml", "other.toml", "script.py", "pyproject.toml"),
        constraints=("c.txt",),
        overrides=("o.txt",),
        extras=("slow",),
        groups=("nope", "gone.toml:dev"),
    )
    assert found == [
        "gone.toml: cannot be read: No such file or directory",
        "gone.in: cannot be read: No such file or directory",
        f"a.in:1: 'a b' is not a requirement: {NAME} at 'b'",
        "c.txt:1: a constraint cannot have extras",
        "c.txt:2: a constraint cannot be editable",
        "o.txt:1: the name of https://h/x.zip is not known without building it",
        "uv.lock: is a lock, not what one is made from",
        "pylock.toml: is a lock, not what one is made from",
        "other.toml: is not a file that can be locked",
        "script.py: is not a requirements file",
        "pyproject.toml: has no dependency group 'nope'",
        "--extra slow: no input offers this extra",
    ]


def test_files_that_include_each_other_are_an_error() -> None:
    write(a_in="-r b.in\n", b_in="six\n-c c.in\n", c_in="-r a.in\n")
    assert complaints("a.in") == ["c.in:1: -r a.in: the file includes itself (a.in → b.in → c.in → a.in)"]
    write(a_in="-r a.in\n")
    assert complaints("a.in") == ["a.in:1: -r a.in: the file includes itself"]


def test_a_directory_without_a_project_is_an_error(here: Path) -> None:
    (here / "empty").mkdir()
    assert complaints("empty") == ["empty: has neither pyproject.toml nor setup.py"]
    assert complaints("setup.py") == ["setup.py: cannot be read: No such file or directory"]


def test_a_secret_of_a_variable_is_not_shown() -> None:
    write(a_in="a ${SECRET_WORD}\n")
    with pytest.raises(LockError) as caught:
        read("a.in", environ={"SECRET_WORD": "swordfish"})
    assert "swordfish" not in f"{caught.value} {caught.value.hint}"
