"""A line with its options; what pip ignores in silence is an error here."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelstore.resolve.pins import PathSource, Position
from wheelstore.resolve.statements import Flaw, Statement, parse_statement

SHA = "a" * 64


def parse(text: str, *, directory: Path = Path("/nowhere"), constraint: bool = False) -> Statement:
    return parse_statement(text, directory=directory, constraint=constraint, position=Position("lock.txt", 3))


def test_a_requirement_has_its_own_options() -> None:
    statement = parse(f"demo==1.0 ; os_name=='x' --hash=sha256:{SHA} -C a=b --config-settings c=d --global-option=x")
    assert statement.requirement is not None
    assert statement.requirement.pin.hashes == (f"sha256:{SHA}",)
    assert statement.requirement.pin.config_settings == (("a", "b"), ("c", "d"))
    assert statement.hashed
    assert not statement.options
    assert not statement.flaws


def test_format_control_behind_a_requirement_speaks_for_the_lock() -> None:
    statement = parse("demo==1.0 --no-binary demo")
    assert statement.requirement is not None
    assert [(each.name, each.value) for each in statement.options] == [("no-binary", "demo")]


def test_options_alone_speak_for_the_lock() -> None:
    statement = parse("--no-index -f wheels")
    assert statement.requirement is None
    assert [(each.name, each.value) for each in statement.options] == [
        ("no-index", ""),
        ("find-links", "wheels"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "-e ./project",
        "-e./project",
        "--editable ./project",
        "--editable=./project",
        "-e './project'",
        '-e "demo @ ./project"',
        "-e demo @ ./project",
        "--config-settings a=b -e ./project",
        "-e ./project --config-settings a=b",
    ],
)
def test_an_editable_is_read_in_every_spelling(tmp_path: Path, text: str) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pyproject.toml").write_text('[project]\nname = "demo"\n')
    requirement = parse(text, directory=tmp_path).requirement
    assert requirement is not None
    assert requirement.pin.source == PathSource(path=tmp_path / "project", editable=True)
    assert requirement.pin.config_settings == ((("a", "b"),) if "a=b" in text else ())


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_an_editable_may_have_a_marker(tmp_path: Path, quote: str) -> None:
    (tmp_path / "setup.py").write_text("")
    text = f"-e {quote}.#egg=demo{quote} ; python_version > '3' and os_name == \"x\" -C a=b"
    requirement = parse(text, directory=tmp_path).requirement
    assert requirement is not None
    assert str(requirement.pin.marker) == 'python_version > "3" and os_name == "x"'


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("demo==1 --pre", Flaw("--pre has to stand on a line of its own", "--pre")),
        (
            "demo==1 --index-url https://a",
            Flaw("--index-url has to stand on a line of its own", "https://a"),
        ),
        ("demo==1 -r a.txt", Flaw("--requirement has to stand on a line of its own", "a.txt")),
        ("demo==1 -e .", Flaw("--editable has to stand on a line of its own", ".")),
        ("--pre demo==1", Flaw("unexpected 'demo==1' behind --pre", "demo==1")),
        ("demo==1 --hsh=x", Flaw("unknown option --hsh", "--hsh=x", "did you mean --hash?")),
        (
            f"--hash=sha256:{SHA}",
            Flaw(
                "--hash belongs to no requirement",
                f"--hash=sha256:{SHA}",
                "a comment line ends the line above it, even behind a backslash",
            ),
        ),
        ("demo==1 --hash=abc", Flaw("'abc' is no hash, --hash wants sha256:DIGEST", "--hash=abc")),
        (
            "demo==1 --hash sha256:abc",
            Flaw("a sha256 hash has 64 hex digits, not 3", "sha256:abc"),
        ),
        ("demo==1 -Ca", Flaw("--config-settings wants KEY=VALUE, not 'a'", "-Ca")),
        (
            "-e https://h/a-1.zip",
            Flaw("'https://h/a-1.zip' is an archive: only a directory or a checkout can be editable"),
        ),
    ],
)
def test_a_flaw_names_the_word_that_is_wrong(text: str, flaw: Flaw) -> None:
    statement = parse(text)
    assert statement.requirement is None
    assert not statement.options
    assert statement.flaws == (flaw,)


def test_each_bad_hash_is_a_flaw() -> None:
    statement = parse(f"demo==1 --hash=md5:abc --hash=sha256:{SHA} --hash=sha256:x")
    assert [flaw.word for flaw in statement.flaws] == ["--hash=md5:abc", "--hash=sha256:x"]
    assert "sha256, sha384, sha512" in statement.flaws[0].message
    assert statement.hashed


def test_a_bad_requirement_and_its_bad_hash_are_both_told() -> None:
    assert len(parse("demo=1 --hash=sha256:x").flaws) == 2


def test_a_constraint_has_no_extras_and_is_not_editable(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("")
    assert parse("demo[a]==1", constraint=True).flaws == (Flaw("a constraint cannot have extras"),)
    editable = parse("-e .#egg=demo", constraint=True, directory=tmp_path)
    assert editable.flaws == (Flaw("a constraint cannot be editable"),)
    assert parse("demo>=1", constraint=True).requirement is not None
