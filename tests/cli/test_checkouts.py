from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.repositories import Repository

from wheelstore.cli.checkouts import (
    Checkouts,
    GitFailed,
    GitMissing,
    NoSuchRevision,
    OfflineRepository,
    UnknownVcs,
    _variables,
)
from wheelstore.resolve.pins import VcsSource

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def checkouts(tmp_path: Path) -> Checkouts:
    return Checkouts(tmp_path / "checkouts", os.environ)


@pytest.mark.parametrize(
    ("revision", "which"),
    [(None, "second"), ("main", "second"), ("v1", "first"), ("refs/tags/v1", "first"), ("refs/heads/main", "second")],
)
def test_a_revision_is_a_commit_and_its_files(
    repository: Repository, checkouts: Checkouts, revision: str | None, which: str
) -> None:
    commit = getattr(repository, which)
    source = repository.source(revision)
    assert checkouts.commit(source) == commit
    checkout = checkouts.shallow(source)
    assert checkout.commit_id == commit
    assert (checkout.tree / "file").read_text() == {"first": "one", "second": "two"}[which]


def test_a_full_commit_that_nothing_points_to_is_fetched(repository: Repository, checkouts: Checkouts) -> None:
    repository.commit("three")
    source = repository.source(commit_id=repository.second)
    assert checkouts.commit(source) == repository.second
    assert (checkouts.shallow(source).tree / "file").read_text() == "two"


def test_a_server_that_gives_away_no_single_commit_is_asked_for_all(
    repository: Repository, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with the protocol's first version, in which only what has a name can be asked for."""
    repository.commit("three")
    for name, value in {"COUNT": "1", "KEY_0": "protocol.version", "VALUE_0": "0"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    checkout = checkouts.shallow(repository.source(repository.second))
    assert (checkout.tree / "file").read_text() == "two"
    assert not checkout.shallow


def test_an_abbreviated_commit_is_found(repository: Repository, checkouts: Checkouts) -> None:
    source = repository.source(repository.first[:10])
    assert checkouts.commit(source) == ""
    assert checkouts.shallow(source).commit_id == repository.first


def test_history_comes_when_it_is_needed(repository: Repository, checkouts: Checkouts) -> None:
    source = repository.source("main")
    shallow = checkouts.shallow(source)
    assert shallow.shallow
    whole = checkouts.whole(source)
    described = subprocess.run(["git", "describe"], cwd=whole.tree, check=True, capture_output=True, text=True)
    assert described.stdout.startswith("v1-1-g")
    assert checkouts.whole(source) == checkouts.shallow(source) == whole


def test_a_commit_is_fetched_once(repository: Repository, checkouts: Checkouts) -> None:
    first = checkouts.shallow(repository.source("main"))
    shutil.rmtree(repository.path)
    assert checkouts.shallow(repository.source("main")) == first
    assert checkouts.shallow(repository.source(commit_id=repository.second)) == first


def test_submodules_come_with_the_rest(tmp_path: Path, repository: Repository, checkouts: Checkouts) -> None:
    outer = Repository(tmp_path / "outer")
    outer.git("-c", "protocol.file.allow=always", "submodule", "-q", "add", repository.path.as_uri(), "inner")
    outer.commit("with a submodule")
    allowing = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always"}
    allowed = Checkouts(tmp_path / "allowed", {**os.environ, **allowing})
    assert (allowed.whole(outer.source()).tree / "inner" / "file").read_text() == "two"
    with pytest.raises(GitFailed):  # git lets no repository name directories of this machine
        checkouts.whole(outer.source())


@pytest.mark.parametrize("revision", ["absent", "0" * 40, "0" * 10, "--upload-pack=x", "main..v1"])
def test_a_revision_that_is_not_there_is_named(repository: Repository, checkouts: Checkouts, revision: str) -> None:
    with pytest.raises(NoSuchRevision, match=f"has no revision {revision}"):
        checkouts.shallow(repository.source(revision))


def test_a_repository_that_is_not_there_is_told(tmp_path: Path, checkouts: Checkouts) -> None:
    source = VcsSource(vcs="git", url=(tmp_path / "absent").as_uri(), revision="main")
    with pytest.raises(GitFailed, match=r"does not (appear to be|exist)"):
        checkouts.commit(source)


def test_a_host_that_cannot_be_reached_is_told_without_credentials(checkouts: Checkouts) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{nobody_listens.getsockname()[1]}/demo.git"
        with pytest.raises(GitFailed, match="unable to access") as caught:
            checkouts.shallow(VcsSource(vcs="git", url=url, revision="main"))
    assert "secret" not in str(caught.value)


def test_credentials_are_in_the_environment_only() -> None:
    variables = _variables({"GIT_DIR": "/x", "PATH": "/bin"}, "https://user:secret@git.invalid/a.git")
    assert variables["GIT_CONFIG_KEY_0"] == "url.https://user:secret@git.invalid/.insteadOf"
    assert variables["GIT_CONFIG_VALUE_0"] == "https://git.invalid/"
    assert variables["GIT_TERMINAL_PROMPT"] == "0"
    assert "GIT_DIR" not in variables


def without_git(tmp_path: Path) -> Mapping[str, str]:
    return {"PATH": str(tmp_path)}


class _Guarded(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers.get("Authorization") == "Basic dXNlcjpzZWNyZXQ=":
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def guarded(repository: Repository) -> Iterator[str]:
    """The host and port of a server that has the repository for those who know the password."""
    repository.git("update-server-info")
    handler = functools.partial(_Guarded, directory=str(repository.path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_credentials_reach_the_server_and_no_file(guarded: str, tmp_path: Path, checkouts: Checkouts) -> None:
    source = VcsSource(vcs="git", url=f"http://user:secret@{guarded}/.git", revision="v1")
    assert (checkouts.shallow(source).tree / "file").read_text() == "one"
    files = [path for path in (tmp_path / "checkouts").rglob("*") if path.is_file()]
    assert not [path for path in files if b"secret" in path.read_bytes()]


@pytest.mark.parametrize("login", ["", "user:wrong@"])
def test_nobody_is_asked_for_a_password(guarded: str, checkouts: Checkouts, login: str) -> None:
    with pytest.raises(GitFailed, match=r"could not read Username|Authentication failed"):
        checkouts.shallow(VcsSource(vcs="git", url=f"http://{login}{guarded}/.git", revision="v1"))


def test_without_git_that_is_said(tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitMissing, match="git is not on the PATH"):
        Checkouts(tmp_path / "checkouts", without_git(tmp_path)).shallow(repository.source())


def test_other_systems_are_refused(checkouts: Checkouts) -> None:
    with pytest.raises(UnknownVcs, match="hg repositories are not supported"):
        checkouts.commit(VcsSource(vcs="hg", url="https://hg.invalid/demo", revision="tip"))


def test_offline_only_repositories_of_this_machine_are_read(tmp_path: Path, repository: Repository) -> None:
    checkouts = Checkouts(tmp_path / "checkouts", os.environ, offline=True)
    assert checkouts.shallow(repository.source()).commit_id == repository.second
    with pytest.raises(OfflineRepository):
        checkouts.shallow(VcsSource(vcs="git", url="https://git.invalid/demo", revision="main"))
