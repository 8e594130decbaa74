"""PEP 751 locks: every kind of package, and every way not to be one."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.pylock import PackageWheel
from packaging.version import Version

from wheelstore.resolve.pins import (
    INDEX,
    Artifact,
    LockError,
    LockErrors,
    PathSource,
    UrlSource,
    VcsSource,
)
from wheelstore.resolve.pylock import PylockContents, read_pylock

HEAD = 'lock-version = "1.0"\ncreated-by = "test"\n'
COMMIT = "0123456789abcdef0123456789abcdef01234567"
A, B = "a" * 64, "b" * 64
WHEEL = f'{{url = "https://h/demo-1.0-py3-none-any.whl", hashes = {{sha256 = "{A}"}}}}'


def read(text: str, *, path: Path = Path("/locks/pylock.toml"), head: str = HEAD) -> PylockContents:
    return read_pylock(path, (head + text).encode())


def failure(text: str, *, head: str = HEAD) -> str:
    with pytest.raises(LockError) as caught:
        read(text, head=head)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def package(text: str, *, name: str = "demo") -> str:
    return f'[[packages]]\nname = "{name}"\n{text}\n'


def test_wheels_and_sdist_are_artifacts() -> None:
    (pin,) = read(
        package(
            'version = "1.0"\nmarker = "os_name == \'posix\'"\nrequires-python = ">=3.9"\n'
            'index = "https://h/simple"\n'
            f"wheels = [{WHEEL}]\n"
            f'sdist = {{name = "demo-1.0.tar.gz", path = "sub/x.tar.gz", size = 5, hashes = {{sha256 = "{B}"}}}}'
        )
    ).pins
    assert (pin.name, pin.version, pin.source) == ("demo", Version("1.0"), INDEX)
    assert str(pin.marker) == 'os_name == "posix"'
    assert (str(pin.requires_python), pin.index) == (">=3.9", "https://h/simple")
    assert pin.hashes == (f"sha256:{A}", f"sha256:{B}")
    assert pin.artifacts == (
        Artifact(
            filename="demo-1.0-py3-none-any.whl",
            url="https://h/demo-1.0-py3-none-any.whl",
            hashes=(f"sha256:{A}",),
        ),
        Artifact(filename="demo-1.0.tar.gz", url="file:///locks/sub/x.tar.gz", hashes=(f"sha256:{B}",), size=5),
    )
    assert str(pin.position) == "/locks/pylock.toml:3"


def test_a_wheel_tells_the_version_that_its_package_does_not() -> None:
    assert read(package(f"wheels = [{WHEEL}]")).pins[0].version == Version("1.0")


def test_a_path_is_preferred_where_it_exists(tmp_path: Path) -> None:
    text = package(f'wheels = [{{path = "a/demo-1.0-py3-none-any.whl", {WHEEL[1:]}]')
    path = tmp_path / "pylock.toml"
    assert read(text, path=path).pins[0].artifacts[0].url == "https://h/demo-1.0-py3-none-any.whl"
    (tmp_path / "a").mkdir()
    wheel = tmp_path / "a/demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"")
    assert read(text, path=path).pins[0].artifacts[0].url == wheel.as_uri()


def test_a_path_may_have_either_separator() -> None:
    text = package(f'wheels = [{{path = "a\\\\demo-1.0-py3-none-any.whl", hashes = {{sha256 = "{A}"}}}}]')
    assert read(text).pins[0].artifacts[0].url == "file:///locks/a/demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    "keys",
    [
        {"url": "https://h/a/demo-1.0%2Bcpu-py3-none-any.whl?x=/y#z"},
        {"url": "https://h/x", "name": "demo-1.0-py3-none-any.whl"},
        {"path": "a/demo-1.0-py3-none-any.whl", "url": "https://h/x"},
        {"path": "a\\demo-1.0-py3-none-any.whl"},
        {"path": "demo-1.0-py3-none-any.whl"},
    ],
)
def test_a_filename_is_the_one_that_packaging_sees(keys: dict[str, str]) -> None:
    items = ", ".join(f"{key} = '{value}'" for key, value in keys.items())
    (pin,) = read(package(f'wheels = [{{{items}, hashes = {{sha256 = "{A}"}}}}]')).pins
    assert pin.artifacts[0].filename == PackageWheel(**keys, hashes={}).filename  # type: ignore[arg-type]


def test_an_archive_is_a_url_or_a_path() -> None:
    text = f'archive = {{url = "https://h/demo-1.0-py3-none-any.whl", subdirectory = "s", hashes = {{sha256 = "{A}"}}}}'
    (pin,) = read(package(text)).pins
    assert pin.source == UrlSource(url="https://h/demo-1.0-py3-none-any.whl", subdirectory="s")
    assert (pin.version, pin.hashes, pin.artifacts) == (Version("1.0"), (f"sha256:{A}",), ())
    (pin,) = read(package(f'archive = {{path = "../x.zip", hashes = {{sha512 = "{A}{A}"}}}}')).pins
    assert pin.source == PathSource(path=Path("/x.zip"))
    assert (pin.version, pin.hashes) == (None, (f"sha512:{A}{A}",))


def test_a_directory_is_a_path() -> None:
    (pin,) = read(package('directory = {path = "../project", editable = true, subdirectory = "s"}')).pins
    assert pin.source == PathSource(path=Path("/project"), editable=True, subdirectory="s")
    assert (pin.version, pin.hashes) == (None, ())


def test_a_checkout_is_at_its_commit() -> None:
    keys = f'type = "git", requested-revision = "v1", commit-id = "{COMMIT}", subdirectory = "s"'
    (pin,) = read(package(f'vcs = {{url = "https://h/d.git", {keys}}}')).pins
    assert pin.source == VcsSource(vcs="git", url="https://h/d.git", revision="v1", commit_id=COMMIT, subdirectory="s")
    (pin,) = read(package(f'vcs = {{path = "d", type = "hg", commit-id = "{COMMIT}"}}')).pins
    assert pin.source == VcsSource(vcs="hg", url="file:///locks/d", revision=COMMIT, commit_id=COMMIT)


def test_the_file_says_whom_it_is_for() -> None:
    coverage = read(
        'requires-python = ">=3.9"\nenvironments = ["os_name == \'posix\'"]\nextras = ["a"]\n'
        'dependency-groups = ["dev", "docs"]\ndefault-groups = ["main"]\npackages = []\n'
    ).coverage
    assert str(coverage.requires_python) == ">=3.9"
    assert [str(each) for each in coverage.environments] == ['os_name == "posix"']
    assert coverage.extras == {"a"}
    assert coverage.groups == {"dev", "docs", "main"}
    assert coverage.default_groups == {"main"}
    assert coverage.position.file == "/locks/pylock.toml"


def test_weak_hashes_are_dropped_beside_a_strong_one() -> None:
    hashes = f'{{md5 = "x", sha256 = "{A.upper()}"}}'
    (pin,) = read(package(f'archive = {{url = "https://h/x.zip", hashes = {hashes}}}')).pins
    assert pin.hashes == (f"sha256:{A}",)


def test_a_newer_minor_version_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    contents = read("packages = []", head=HEAD.replace("1.0", "1.1"))
    (warning,) = contents.warnings
    assert warning.startswith("/locks/pylock.toml: lock-version 1.1 is newer than 1.0")
    assert not caplog.records
    assert not read("packages = []").warnings


@pytest.mark.parametrize(
    ("text", "head", "message"),
    [
        ("a = = 1\nb = 2\n", HEAD, ":3: is not TOML: Invalid value"),
        ("a = '", HEAD, ":3: is not TOML: "),
        ("[a", HEAD, ":3: is not TOML: "),
        ("", HEAD, ": Missing required value in packages"),
        ("packages = []", 'created-by = "x"\n', ": Missing required value in lock-version"),
        ("packages = []", HEAD.replace("1.0", "2.0"), ":1: lock-version 2.0 is not supported, only 1.x is"),
        ("packages = []", HEAD.replace("1.0", "x"), ":1: Invalid version: 'x' in lock-version"),
        ("\nrequires-python = 3\npackages = []", HEAD, ":4: Unexpected type int (expected str) in requires-python"),
        (package("", name="Demo"), HEAD, ":3: Name 'Demo' is not normalized in packages[0].name"),
        (
            package(f"wheels = [{WHEEL}]") + package("version = 1", name="b"),
            HEAD,
            ":6: Unexpected type int (expected str) in packages[1].version",
        ),
        (
            package("wheels = [{url = 'https://h/demo-1.0-py3-none-any.whl', hashes = {}}]"),
            HEAD,
            ":3: At least one hash must be provided in packages[0].wheels[0].hashes",
        ),
        (
            package("version = '2.0'\n" + f"wheels = [{WHEEL}]"),
            HEAD,
            ":3: Version in 'demo-1.0-py3-none-any.whl' is not consistent with package version '2.0'",
        ),
        (
            package("archive = {url = 'https://h/x.zip', hashes = {md5 = 'x'}}"),
            HEAD,
            ":3: demo: hash algorithm 'md5' is not accepted, use one of sha256, sha384, sha512",
        ),
        (
            package("archive = {url = 'https://h/x.zip', hashes = {sha256 = 'x'}}"),
            HEAD,
            ":3: demo: a sha256 hash has 64 hex digits, not 1",
        ),
        ("packages = [{name = 'Demo'}]", HEAD, ": Name 'Demo' is not normalized in packages[0].name"),
    ],
)
def test_what_is_no_lock_says_where(text: str, head: str, message: str) -> None:
    assert failure(text, head=head).startswith(f"/locks/pylock.toml{message}")


def test_bytes_that_are_not_utf_8_are_an_error_with_a_line() -> None:
    with pytest.raises(LockError, match=r"^pylock.toml:2: is not UTF-8"):
        read_pylock(Path("pylock.toml"), b"a = 1\nb = '\xff'\n")


def test_bad_hashes_of_several_packages_are_told_at_once() -> None:
    bad = "archive = {url = 'https://h/x.zip', hashes = {sha1 = 'x'}}"
    with pytest.raises(LockErrors) as caught:
        read(package(bad) + package(bad, name="other"))
    assert [error.position.line for error in caught.value.errors] == [3, 6]


def test_packages_in_an_inline_array_have_the_file_as_position() -> None:
    (pin,) = read(f"packages = [{{name = 'demo', wheels = [{WHEEL}]}}]").pins
    assert str(pin.position) == "/locks/pylock.toml"
