"""`store lock` with what cannot be: one line that says what to do, and nothing is lost."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import Ran
from support.front_door import FrontDoor
from support.servers import Answer, Fault, IndexServer
from support.simple_pages import JSON_TYPE
from support.wheels import make_wheel, sha256_of


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    """An index with three versions of `base`, and a pre-release."""
    wheels = tmp_path / "wheels"
    for version in ("1.0", "2.0", "3.0", "4.0rc1"):
        make_wheel(wheels, "base", version)
    with IndexServer(wheels) as index:
        monkeypatch.setenv("STORE_INDEX_URL", index.index_url)
        yield index


@pytest.fixture
def lock(store: FrontDoor, server: IndexServer, work: Path) -> Callable[..., Ran]:
    """`store lock`, where a requirements.in asks for `base`."""
    (work / "requirements.in").write_text("base\n")
    assert server
    return lambda *words: store("lock", *words)


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("", "--output-file: is empty"),
        (".", "--output-file .: is a directory"),
        ("no/such/lock.txt", "--output-file no/such/lock.txt: no/such does not exist"),
        ("requirements.in/lock.txt", "--output-file requirements.in/lock.txt: requirements.in is no directory"),
        (
            "requirements.in",
            "--output-file requirements.in: is what the lock is made from, and would be overwritten",
        ),
    ],
)
def test_an_output_that_cannot_be_is_told_before_anything_is_asked(
    lock: Callable[..., Ran], server: IndexServer, work: Path, output: str, error: str
) -> None:
    ran = lock("requirements.in", "-o", output)
    assert (ran.status, ran.errors, len(ran.hints)) == (1, [error], 1), ran.stderr
    assert ran.warnings == []
    assert [path.name for path in work.iterdir()] == ["requirements.in"]
    assert (work / "requirements.in").read_text() == "base\n"
    assert server.log == []


def test_a_project_is_not_overwritten_by_its_lock(lock: Callable[..., Ran], work: Path) -> None:
    content = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["base"]\n'
    (work / "pyproject.toml").write_text(content)
    assert lock(".", "-o", "pyproject.toml").status == 1
    assert (work / "pyproject.toml").read_text() == content


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
def test_a_pipe_is_written_to_and_stays_one(lock: Callable[..., Ran], work: Path) -> None:
    pipe = work / "pipe"
    os.mkfifo(pipe)
    for _ in range(2):
        heard: list[str] = []
        listener = threading.Thread(target=lambda to=heard: to.append(pipe.read_text()))
        listener.start()
        ran = lock("requirements.in", "-o", "pipe", "--no-header", "--no-hashes")
        listener.join(30)
        assert (ran.status, heard) == (0, ["base==3.0\n    # via -r requirements.in\n"]), ran.stderr
        assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("http://[bad", "redirected to what is no URL: Invalid IPv6 URL"),
        ("http://h:999999/", "redirected to http://h:999999/: this is no URL: Port out of range 0-65535"),
        ("ftp://h/x", "redirected to ftp://h/x: only http:, https: and file: URLs can be fetched"),
        ("http://a b/", "this is no URL that HTTP can ask for"),
    ],
)
def test_a_redirect_to_nowhere(lock: Callable[..., Ran], server: IndexServer, target: str, error: str) -> None:
    server.fault("/simple/base/", Fault(redirect=target))
    ran = lock()
    assert (ran.status, ran.errors) == (1, [f"{server.index_url}base/: {error}"]), ran.stderr


def test_who_refuses_after_a_redirect_is_named(lock: Callable[..., Ran], server: IndexServer) -> None:
    server.credentials = ("joe", "secret")
    elsewhere = server.index_url.replace("127.0.0.1", "localhost") + "base/"
    server.fault("/simple/base/", Fault(redirect=elsewhere))
    ran = lock("-i", server.index_url.replace("//", "//joe:secret@"))
    assert ran.errors == [
        f"{server.index_url.replace('//', '//****@')}base/: HTTP 401 Unauthorized (redirected to {elsewhere})"
    ]
    assert [("authorization" in request.headers) for request in server.log] == [True, False]


@pytest.mark.parametrize("url", ["http://a b/", "http://[bad/", "http://h:99999/", "ftp://h/"])
def test_an_index_url_that_is_none(lock: Callable[..., Ran], url: str) -> None:
    ran = lock("-i", url)
    assert (ran.status, len(ran.errors), len(ran.stderr.splitlines())) == (1, 1, 1), ran.stderr


_ASKED = "def get_requires_for_build_wheel(config=None):\n    return {}\n"
_TOLD = (
    "def get_requires_for_build_wheel(config=None):\n    return []\n"
    "def prepare_metadata_for_build_wheel(directory, config=None):\n"
    "    import os\n    os.mkdir(f'{{directory}}/mine-1.dist-info')\n"
    "    open(f'{{directory}}/mine-1.dist-info/METADATA', 'w').write({!r})\n    return 'mine-1.dist-info'\n"
)


@pytest.mark.parametrize(
    ("requires", "backend", "error"),
    [
        (["base >> 3"], "", "mine: what it needs to be built makes no sense: 'base >> 3' is not a requirement: "),
        ([], _ASKED.format(["base >> 3"]), "mine: what it needs to be built makes no sense: 'base >> 3' is not a req"),
        ([], _TOLD.format("Metadata-Version: 2.1\nName: mine\nVersion: x\n"), "mine: its metadata is unusable: its v"),
        (
            [],
            _TOLD.format("Metadata-Version: 2.1\nName: mine\nVersion: 1\nRequires-Dist: base >> 3\n"),
            "mine: its metadata is unusable: 'base >> 3' is not a requirement: ",
        ),
    ],
)
def test_a_project_that_talks_nonsense(
    lock: Callable[..., Ran], work: Path, requires: list[str], backend: str, error: str
) -> None:
    (work / "mine").mkdir()
    (work / "mine" / "backend.py").write_text(backend)
    (work / "mine" / "pyproject.toml").write_text(
        f'[build-system]\nrequires = {requires}\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "mine"\ndynamic = ["version", "dependencies"]\n'
    )
    (work / "requirements.in").write_text("./mine\n")
    ran = lock("-o", "lock.txt")
    assert (ran.status, len(ran.errors), len(ran.hints)) == (1, 1, 1), ran.stderr
    assert ran.errors[0].startswith(error)
    assert not (work / "lock.txt").exists()


def test_an_archive_that_is_none(lock: Callable[..., Ran], server: IndexServer, work: Path) -> None:
    server.documents["/mine/"] = Answer(body=b"<html>Not found</html>")
    (work / "requirements.in").write_text(f"mine @ {server.url}/mine/\n")
    ran = lock()
    assert ran.errors == [
        f"{server.url}/mine/ is not a usable source distribution: it is no archive, neither tar nor zip"
    ]


@pytest.mark.parametrize(("key", "fits"), [("requires-python", False), ("upload-time", True), ("size", True)])
def test_a_page_with_a_number_where_a_text_should_be(
    lock: Callable[..., Ran], server: IndexServer, key: str, fits: bool
) -> None:
    file = {"filename": "base-9.0-py3-none-any.whl", "url": "/f", "hashes": {"sha256": "0" * 64}, key: [5]}
    page = {"meta": {"api-version": "1.1"}, "name": "base", "files": [file]}
    server.documents["/simple/base/"] = Answer(body=json.dumps(page).encode(), content_type=JSON_TYPE)
    server.documents["/f.metadata"] = Answer(body=b"Metadata-Version: 2.1\nName: base\nVersion: 9.0\n")
    server.documents["/f"] = Answer(body=b"")
    ran = lock()
    assert (ran.status, len(ran.errors)) == (1, 1), ran.stderr
    assert ("not the JSON of PEP 691" in ran.stderr) is not fits


def test_files_of_another_machine(lock: Callable[..., Ran]) -> None:
    ran = lock("--extra-index-url", "file://elsewhere/x")
    assert (ran.status, len(ran.errors)) == (1, 1), ran.stderr


def test_a_duration_of_ages(lock: Callable[..., Ran]) -> None:
    ran = lock("--exclude-newer", "99999999999d")
    assert (ran.status, len(ran.errors)) == (1, 1), ran.stderr


@pytest.mark.parametrize(
    "line",
    [
        "base==3.0 --hash=sha256:{0}",
        "base @ {1} --hash=sha256:{0}",
        "base @ {1}#sha256={0}",
        "base @ {2} --hash=sha256:{0}",
        "base @ {2}#sha256={0}",
    ],
)
def test_hashes_of_the_input_are_not_replaced(
    lock: Callable[..., Ran], server: IndexServer, work: Path, line: str
) -> None:
    wheel = server.directory / "base-3.0-py3-none-any.whl"
    places = server.file_url(wheel.name), wheel.as_uri()
    (work / "requirements.in").write_text(line.format(sha256_of(wheel), *places) + "\n")
    assert lock("-o", "lock.txt").status == 0
    (work / "requirements.in").write_text(line.format("a" * 64, *places) + "\n")
    ran = lock("-o", "other.txt")
    assert (ran.status, len(ran.errors), len(ran.hints)) == (1, 1, 1), ran.stderr
    assert f"sha256:{'a' * 64}" in ran.errors[0]
    assert not (work / "other.txt").exists()


def test_a_hash_of_the_input_chooses_a_file(lock: Callable[..., Ran], server: IndexServer, work: Path) -> None:
    wheel = server.directory / "base-3.0-py3-none-any.whl"
    (server.directory / "base-3.0.tar.gz").write_bytes(b"another file")
    assert lock().stdout.count("--hash") == 2
    (work / "requirements.in").write_text(f"base==3.0 --hash=sha256:{sha256_of(wheel)}\n")
    assert lock().stdout.count("--hash") == 1


def test_wheels_on_this_machine_have_hashes(lock: Callable[..., Ran], store: FrontDoor, work: Path) -> None:
    make_wheel(work / "links", "mine", "1.0")
    (work / "requirements.in").write_text("base\nmine\n")
    assert lock("-f", "links", "-o", "lock.txt").warnings == []
    assert (work / "lock.txt").read_text().count("--hash") == 2
    assert store("sync", "lock.txt", "-f", "links").status == 0


def test_a_lock_with_some_hashes_is_told_of(lock: Callable[..., Ran], server: IndexServer, work: Path) -> None:
    make_wheel(server.directory, "bare", "1.0")
    server.lie_about("bare-1.0-py3-none-any.whl", None)
    (work / "requirements.in").write_text("base\nbare\n")
    ran = lock("-o", "lock.txt")
    assert ran.status == 0
    assert [text.partition(":")[0] for text in ran.warnings] == ["there is no hash for bare"]
    assert lock("-o", "other.txt", "--no-hashes").warnings == []


def test_a_version_with_some_hashes_has_none(lock: Callable[..., Ran], server: IndexServer, work: Path) -> None:
    make_wheel(server.directory, "base", "3.0", tag="cp39-cp39-win_amd64")
    server.lie_about("base-3.0-py3-none-any.whl", None)
    assert "--hash" not in lock().stdout


def test_versions_that_are_none_are_named_with_v(lock: Callable[..., Ran], server: IndexServer) -> None:
    for number in range(5):
        (server.directory / f"base-{number}.x!-py3-none-any.whl").write_bytes(b"")
    for _ in range(2):  # of the page as it came, and of its digest
        ran = lock("-v", "--no-memo")
        assert (ran.status, ran.warnings) == (0, [])
        assert (
            "base: no version (PEP 440), passed over: base-0.x!-py3-none-any.whl, base-1.x!-py3-none-any.whl, "
            "base-2.x!-py3-none-any.whl and 2 more\n"
        ) in ran.stderr
    assert "passed over" not in lock("--no-memo").stderr
