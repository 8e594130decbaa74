"""URLs, paths and checkouts, in every spelling that pip knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version
from support.wheels import make_wheel

from wheelstore.resolve.pins import PathSource, UrlSource, VcsSource
from wheelstore.resolve.references import (
    BadReference,
    is_reference,
    parse_reference,
    path_of,
    split_marker,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHA = "a" * 64


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A source tree `project`, a wheel and an sdist beside it."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pyproject.toml").write_text('[project]\nname = "My.Project"\nversion = "1"\n')
    (tmp_path / "other-2.0.tar.gz").write_bytes(b"")
    (tmp_path / "odd.tar.xz").write_bytes(b"")
    make_wheel(tmp_path, "demo", "1.0")
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "https://host/demo-1.0-py3-none-any.whl",
        "git+ssh://git@host/demo@v1",
        "file:///a/b.whl",
        "./demo",
        ".",
        ".[extra]",
        "../demo",
        "/abs/demo",
        "a/b",
        "a\\b",
        "C:\\a\\b.whl",
        "C:/a",
        "\\\\server\\share\\b.whl",
        "demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz[extra]",
        "demo.ZIP ; python_version > '3'",
    ],
)
def test_urls_and_paths_are_references(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize("text", ["demo", "demo==1.0", "demo[a]==1 ; os_name == 'a/b'", "zip", "demo.zipper", "whl==1"])
def test_names_are_not_references(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("./a;os_name=='x'", ("./a", "os_name=='x'")),
        ("./a", ("./a", "")),
        ("https://h/a;b", ("https://h/a;b", "")),
        ("https://h/a;b ; os_name=='x'", ("https://h/a;b", "os_name=='x'")),
        ("https://h/a; os_name=='x'", ("https://h/a", "os_name=='x'")),
        ("https://h/a  ;  os_name=='x'", ("https://h/a", "os_name=='x'")),
        ("https://h/a ;os_name=='x'", ("https://h/a", "os_name=='x'")),
    ],
)
def test_a_marker_is_split_off(text: str, expected: object) -> None:
    assert split_marker(text) == expected


def test_a_wheel_url_names_its_distribution() -> None:
    url = "https://user:pw@host/a%2Bb/demo_pkg-1.0%2Bcpu-py3-none-any.whl"
    reference = parse_reference(f"{url}#egg=ignored&sha256={SHA.upper()}", directory=Path())
    assert reference.source == UrlSource(url=url)
    assert (reference.name, reference.version) == ("demo-pkg", Version("1.0+cpu"))
    assert isinstance(reference.source, UrlSource)
    assert reference.hashes == reference.source.hashes == (f"sha256:{SHA}",)


def test_a_source_url_is_named_by_its_filename_or_its_egg() -> None:
    assert parse_reference("https://h/demo-1.0.zip", directory=Path()).version == Version("1.0")
    reference = parse_reference("https://h/main.zip#egg=Demo_x[A,b]&subdirectory=a/b", directory=Path())
    assert (reference.name, reference.version, sorted(reference.extras)) == ("demo-x", None, ["a", "b"])
    assert reference.source == UrlSource(url="https://h/main.zip", subdirectory="a/b")
    assert parse_reference("https://h/main.zip#subdirectory=", directory=Path()).source == UrlSource(
        url="https://h/main.zip"
    )
    assert parse_reference("https://h/main.zip", directory=Path()).name is None
    assert parse_reference("https://h/main.zip", directory=Path(), name="Demo").name == "demo"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (f"git+https://h/d.git@{COMMIT}", ("git", "https://h/d.git", COMMIT, COMMIT)),
        ("git+ssh://git@h:22/d.git@v1.0", ("git", "ssh://git@h:22/d.git", "v1.0", None)),
        ("git+file:///d@main", ("git", "file:///d", "main", None)),
        (f"git+https://h/d?a=b@c@{COMMIT}", None),
        (f"git+https://h/d@{COMMIT}?a=b", ("git", "https://h/d?a=b", COMMIT, COMMIT)),
        ("hg+https://h/d@tip", ("hg", "https://h/d", "tip", None)),
        ("svn+https://h/d@123", ("svn", "https://h/d", "123", None)),
        (f"svn+https://h/d@{COMMIT}", ("svn", "https://h/d", COMMIT, None)),
        ("git+https://h/d@feature/x", ("git", "https://h/d", "feature/x", None)),
    ],
)
def test_a_checkout_is_pinned_by_its_revision(text: str, source: tuple[str, str, str, str | None] | None) -> None:
    if source is None:
        with pytest.raises(BadReference, match="names no revision"):
            parse_reference(text, directory=Path())
        return
    vcs, url, revision, commit = source
    reference = parse_reference(f"{text}#egg=D_x&subdirectory=s", directory=Path())
    assert reference.name == "d-x"
    assert reference.source == VcsSource(vcs=vcs, url=url, revision=revision, commit_id=commit, subdirectory="s")


def test_paths_start_at_the_directory(project: Path) -> None:
    wheel = parse_reference("./demo-1.0-py3-none-any.whl[x]", directory=project)
    assert wheel.source == PathSource(path=project / "demo-1.0-py3-none-any.whl")
    assert (wheel.name, wheel.version, set(wheel.extras), wheel.file) == ("demo", Version("1.0"), {"x"}, True)
    sdist = parse_reference("project/../other-2.0.tar.gz", directory=project)
    assert sdist.source == PathSource(path=project / "other-2.0.tar.gz")
    assert (sdist.name, sdist.version) == ("other", Version("2.0"))
    absolute = parse_reference(str(project / "other-2.0.tar.gz"), directory=Path("/elsewhere"))
    assert absolute.source == sdist.source


def test_an_archive_of_any_other_name_needs_one(project: Path) -> None:
    assert parse_reference("./odd.tar.xz", directory=project).name is None
    assert parse_reference("./odd.tar.xz#egg=odd", directory=project).name == "odd"


def test_a_directory_is_named_by_its_static_metadata(project: Path) -> None:
    reference = parse_reference("./project[Dev]", directory=project, editable=True)
    assert reference.source == PathSource(path=project / "project", editable=True)
    assert (reference.name, reference.version, set(reference.extras)) == ("my-project", None, {"dev"})
    assert reference.read == (project / "project/pyproject.toml",)
    assert not reference.file


def test_no_metadata_is_read_where_the_name_is_said(project: Path) -> None:
    assert parse_reference("./project", directory=project, name="Other").read == ()
    for text in ("./project#egg=other", f"{(project / 'project').as_uri()}#egg=other"):
        assert parse_reference(text, directory=project).name == "other"
        assert parse_reference(text, directory=project, name="third").name == "third"


def test_setup_cfg_names_a_directory_too(project: Path) -> None:
    old = project / "old"
    old.mkdir()
    (old / "setup.py").write_text("")
    assert parse_reference("old/", directory=project).name is None
    (old / "setup.cfg").write_text("[metadata]\nname = Old_One\n")
    assert parse_reference("./old", directory=project).name == "old-one"
    (old / "pyproject.toml").write_text("[build-system]\nrequires = []\n")
    reference = parse_reference("./old", directory=project)
    assert (reference.name, reference.read) == ("old-one", (old / "pyproject.toml", old / "setup.cfg"))


@pytest.mark.parametrize("text", ["project = 1", "[project]", "[project]\nname = 1", "[project]\nname = ''"])
def test_metadata_without_a_name_names_nothing(project: Path, text: str) -> None:
    (project / "project/pyproject.toml").write_text(text)
    assert parse_reference("./project", directory=project).name is None


def test_a_subdirectory_is_where_the_project_is(project: Path) -> None:
    reference = parse_reference(f"{project.as_uri()}#subdirectory=project", directory=Path())
    assert reference.source == PathSource(path=project, subdirectory="project")
    assert reference.name == "my-project"


def test_file_urls_are_paths(project: Path) -> None:
    wheel = project / "demo-1.0-py3-none-any.whl"
    for url in (wheel.as_uri(), f"file://localhost{wheel.as_uri()[7:]}", "file:demo-1.0-py3-none-any.whl"):
        assert parse_reference(url, directory=project).source == PathSource(path=wheel)
    assert path_of("file:///a%20b/c%2Bd") == "/a b/c+d"
    with pytest.raises(BadReference, match="another host"):
        path_of("file://server/share")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("./absent", "absent does not exist"),
        ("./a\0b", "does not exist"),
        ("./" + "a" * 5000, "does not exist"),
        ("./project[a]]", "does not exist"),
        ("./project[a][b]", "project[a] does not exist"),
        ("C:\\absent.whl", "does not exist"),
        ("./project/pyproject.toml", "neither a wheel nor a source archive"),
        ("./empty", "has neither pyproject.toml nor setup.py"),
        ("./broken", "cannot be read"),
        ("./demo.whl", "Invalid wheel filename"),
        (f"./project#sha256={SHA}", "is a directory and can have no hash"),
        (f"git+https://h/d@v1#sha256={SHA}", "a checkout is no file and can have no hash"),
        ("git+https://user:pw@h/d", "names no revision, so it is not pinned"),
        ("git+https://h/d@", "names no revision, so it is not pinned"),
        ("https://h/demo-1.0-py3.whl", "Invalid wheel filename"),
        ("https://h/a.zip#md5=" + "a" * 32, "hash algorithm 'md5' is not accepted"),
        ("https://h/a.zip#sha256=abc", "a sha256 hash has 64 hex digits, not 3"),
        ("https://h/a.zip#egg=a==1", "egg='a==1' is not a name"),
        ("https://h/a.zip#subdirectory=../b", "subdirectory '../b' leaves the source"),
        ("https://h/a.zip#subdirectory=a\\b", "leaves the source"),
        ("https://h/a.zip#subdirectory=/b", "subdirectory '/b' leaves the source"),
        ("ftp://h/a.zip", "unknown scheme 'ftp'"),
        ("https://[::1/a.zip", "is not a URL"),
    ],
)
def test_a_bad_reference_says_why(project: Path, text: str, message: str) -> None:
    (project / "empty").mkdir()
    (project / "broken").mkdir()
    (project / "broken/pyproject.toml").write_text("[")
    (project / "demo.whl").write_bytes(b"")
    with pytest.raises(BadReference) as caught:
        parse_reference(text, directory=project)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["https://h/a-1.0.zip", "./demo-1.0-py3-none-any.whl"])
def test_no_archive_is_editable(project: Path, text: str) -> None:
    with pytest.raises(BadReference, match="only a directory or a checkout can be editable"):
        parse_reference(text, directory=project, editable=True)


@pytest.mark.parametrize("text", ["https://h/demo-1.0-py3-none-any.whl", "./demo-1.0-py3-none-any.whl"])
def test_the_name_that_is_said_has_to_be_the_archives(project: Path, text: str) -> None:
    with pytest.raises(BadReference, match="is demo, not other"):
        parse_reference(text, directory=project, name="other")
