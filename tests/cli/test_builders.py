from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from support.interpreters import facts_of
from support.projects import make_project, pack
from support.repositories import Repository
from support.servers import IndexServer
from support.wheels import make_wheel, sha256_of

from wheelstore.cli.build_environments import Workshop
from wheelstore.cli.builders import CannotBuild, IsolatedBuilder, OtherProject
from wheelstore.cli.request import Common
from wheelstore.cli.sources import open_sources
from wheelstore.materialize.interpreter import stamp
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.fetch_errors import HashMismatch
from wheelstore.resolve.metadata import parse_metadata
from wheelstore.resolve.pins import PathSource, UrlSource, VcsSource, normalize
from wheelstore.resolve.problem import Chosen
from wheelstore.resolve.simple import IndexFile
from wheelstore.store.layout import open_store

STATIC = '[project]\nname = "demo"\nversion = "2.0"\ndependencies = ["static"]\n'
FAILS = "\nraise RuntimeError('nobody may ask')\n"


class Resolver:
    """Chooses the wheels of the names that are asked for out of a directory, and keeps what it was asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[list[str]] = []

    def __call__(self, requirements: Sequence[str]) -> list[Chosen]:
        self.asked.append([*requirements])
        return [self.choose(Requirement(text).name) for text in requirements]

    def choose(self, name: str) -> Chosen:
        """The one wheel of a project."""
        (wheel,) = self.directory.glob(f"{name}-*.whl")
        file = IndexFile(wheel.name, wheel.as_uri(), (f"sha256:{sha256_of(wheel)}",), wheel.stat().st_size)
        return Chosen(name=normalize(name), version=Version(wheel.name.split("-")[1]), files=(file,))


@pytest.fixture
def resolver(tmp_path: Path) -> Resolver:
    (tmp_path / "wheels").mkdir()
    return Resolver(tmp_path / "wheels")


@pytest.fixture
def said() -> list[str]:
    """What people are told."""
    return []


@pytest.fixture
def builder(tmp_path: Path, resolver: Resolver, said: list[str]) -> Iterator[IsolatedBuilder]:
    store = open_store(str(tmp_path / "store"))
    python = facts_of(sys.executable)
    with open_sources(Common(store=store.root, no_index=True), None, store=store, environ=os.environ) as sources:
        workshop = Workshop(store, sources, python, stamp(python.executable), say=said.append)
        with IsolatedBuilder(workshop, resolver, os.environ) as builder:
            yield builder
    assert os.listdir(store.tmp) == []
    assert [name for name in os.listdir(store.locks) if name.startswith("lease")] == []


def sdist(tree: Path) -> IndexFile:
    """The sdist that a tree makes, as an index has it."""
    archive = pack(tree, tree.parent / "demo-1.0.tar.gz")
    return IndexFile(archive.name, archive.as_uri(), (f"sha256:{sha256_of(archive)}",), archive.stat().st_size)


def test_an_sdists_backend_is_asked_in_an_environment_of_what_it_needs(
    tmp_path: Path, builder: IsolatedBuilder, resolver: Resolver
) -> None:
    make_wheel(resolver.directory, "helper", "3.0", files={"helper.py": b"answer = 42\n"})
    make_wheel(resolver.directory, "further", files={"further.py": b"answer = 43\n"})
    needs = (
        "\nimport helper\n"
        "_prepare = prepare_metadata_for_build_wheel\n"
        "def prepare_metadata_for_build_wheel(directory, config_settings=None):\n"
        "    import further\n"
        "    return _prepare(directory)\n"
    )
    tree = make_project(tmp_path / "demo", requires="'helper>=1'", more_requires=("further",), extra=needs)
    assert parse_metadata(builder.metadata("demo", sdist(tree))).requires_dist == ("left",)
    assert resolver.asked == [["helper>=1"], ["further", "helper>=1"]]


def test_one_environment_serves_all_that_need_the_same(
    tmp_path: Path, builder: IsolatedBuilder, resolver: Resolver
) -> None:
    make_wheel(resolver.directory, "helper", files={"helper.py": b""})
    together = threading.Barrier(4, timeout=60)

    def ask(number: int) -> bytes:
        tree = make_project(tmp_path / str(number) / "demo", requires="'helper'", extra="\nimport helper\n")
        file = sdist(tree)
        together.wait()
        return builder.metadata("demo", file)

    with ThreadPoolExecutor(4) as pool:
        told = set(pool.map(ask, range(4)))
    assert len(told) == 1
    assert resolver.asked == [["helper"]]


def test_it_may_be_left_in_another_thread_than_it_was_entered_in(tmp_path: Path, resolver: Resolver) -> None:
    store = open_store(str(tmp_path / "store"))
    python = facts_of(sys.executable)
    with open_sources(Common(store=store.root, no_index=True), None, store=store, environ=os.environ) as sources:
        builder = IsolatedBuilder(Workshop(store, sources, python, "", say=print), resolver, os.environ)
        with ThreadPoolExecutor(1) as thread:
            thread.submit(builder.__enter__).result()
        builder.__exit__(None, None, None)
    assert os.listdir(store.tmp) == []


def test_nothing_is_kept_of_an_sdist(tmp_path: Path, builder: IsolatedBuilder) -> None:
    builder.metadata("demo", sdist(make_project(tmp_path / "demo")))
    assert [path for path in (tmp_path / "store" / "tmp").glob("op-*/*") if not path.name.startswith("build-")] == []


def test_people_are_told_what_is_built(tmp_path: Path, builder: IsolatedBuilder, said: list[str]) -> None:
    builder.metadata("demo", sdist(make_project(tmp_path / "demo")))
    assert said == ["Building the metadata of demo-1.0.tar.gz"]


def test_an_sdist_that_says_it_statically_needs_no_backend(tmp_path: Path, builder: IsolatedBuilder) -> None:
    tree = make_project(tmp_path / "demo", extra=FAILS)
    (tree / "PKG-INFO").write_text("Metadata-Version: 2.2\nName: demo\nVersion: 1.0\nRequires-Dist: told\n")
    assert parse_metadata(builder.metadata("demo", sdist(tree))).requires_dist == ("told",)


def test_a_file_with_another_hash_is_not_unpacked(tmp_path: Path, builder: IsolatedBuilder) -> None:
    file = sdist(make_project(tmp_path / "demo"))._replace(hashes=("sha256:" + "0" * 64,))
    with pytest.raises(HashMismatch):
        builder.metadata("demo", file)


def test_a_backend_that_builds_another_project_is_refused(tmp_path: Path, builder: IsolatedBuilder) -> None:
    with pytest.raises(OtherProject, match=r"demo-1\.0\.tar\.gz: its metadata is of demo, not of other"):
        builder.metadata("other", sdist(make_project(tmp_path / "demo")))


def test_a_backend_that_fails_has_the_last_word(tmp_path: Path, builder: IsolatedBuilder) -> None:
    with pytest.raises(CannotBuild, match=r"^demo-1\.0\.tar\.gz: the build backend backend failed to") as caught:
        builder.metadata("demo", sdist(make_project(tmp_path / "demo", extra=FAILS)))
    assert caught.value.lines[-1] == "RuntimeError: nobody may ask"


def test_a_requirement_that_a_project_forgot_is_named(tmp_path: Path, builder: IsolatedBuilder) -> None:
    with pytest.raises(CannotBuild) as caught:
        builder.metadata("demo", sdist(make_project(tmp_path / "demo", extra="\nimport forgotten.part\n")))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("the project needs forgotten to be built and does not say so")


def test_what_it_is_built_with_may_be_unavailable(tmp_path: Path, resolver: Resolver, builder: IsolatedBuilder) -> None:
    class Absent(ResolveError):
        hint = "look elsewhere"

    def refuse(name: str) -> Chosen:
        raise Absent(f"there is no {name}")

    resolver.choose = refuse  # type: ignore[method-assign]
    with pytest.raises(CannotBuild, match="what it is built with cannot be had: there is no helper") as caught:
        builder.metadata("demo", sdist(make_project(tmp_path / "demo", requires="'helper'")))
    assert caught.value.hint == "look elsewhere"


def test_a_static_directory_needs_no_backend(tmp_path: Path, builder: IsolatedBuilder) -> None:
    source = PathSource(path=make_project(tmp_path / "demo", pyproject=STATIC, extra=FAILS), editable=True)
    told = builder.metadata_of_source(source)
    assert parse_metadata(told.metadata).requires_dist == ("static",)
    assert (told.source, told.files) == (source, ())


def test_another_directorys_backend_is_asked(tmp_path: Path, builder: IsolatedBuilder) -> None:
    make_project(tmp_path / "repository" / "sub")
    source = PathSource(path=tmp_path / "repository", subdirectory="sub")
    assert b"Requires-Dist: left" in builder.metadata_of_source(source).metadata


def test_an_archive_of_this_machine_is_told_with_its_hash(tmp_path: Path, builder: IsolatedBuilder) -> None:
    archive = pack(make_project(tmp_path / "demo"), tmp_path / "demo-1.0.tar.gz")
    told = builder.metadata_of_source(PathSource(path=archive))
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert told.files == (IndexFile(archive.name, archive.as_uri(), (f"sha256:{sha256}",), archive.stat().st_size),)
    assert parse_metadata(told.metadata).name == "demo"


def test_an_archive_that_is_not_there_is_told(tmp_path: Path, builder: IsolatedBuilder) -> None:
    with pytest.raises(CannotBuild, match="No such file"):
        builder.metadata_of_source(PathSource(path=tmp_path / "absent-1.0.zip"))


@pytest.mark.parametrize("make", [make_wheel, lambda d: pack(make_project(d / "p"), d / "demo-1.0.tar.gz")])
def test_what_is_at_a_url_is_fetched_and_told_with_its_hash(
    tmp_path: Path, builder: IsolatedBuilder, make: Callable[[Path], Path]
) -> None:
    (tmp_path / "served").mkdir()
    file = make(tmp_path / "served")
    with IndexServer(tmp_path / "served") as server:
        source = UrlSource(url=server.file_url(file.name))
        told = builder.metadata_of_source(source)
    assert parse_metadata(told.metadata).name == "demo"
    assert told.source == source
    assert told.files[0].hashes == (f"sha256:{sha256_of(file)}",)


def test_what_is_at_a_url_has_the_hash_that_was_asked_for(tmp_path: Path, builder: IsolatedBuilder) -> None:
    wheel = make_wheel(tmp_path / "served")
    with pytest.raises(HashMismatch):
        builder.metadata_of_source(UrlSource(url=wheel.as_uri(), hashes=("sha256:" + "0" * 64,)))


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_a_checkout_is_told_with_its_commit(tmp_path: Path, builder: IsolatedBuilder) -> None:
    repository = Repository(tmp_path / "repository")
    says = (
        "\nimport subprocess\n"
        "said = subprocess.run(['git', 'describe', '--tags'], stdout=subprocess.PIPE).stdout.decode()\n"
        "METADATA = METADATA.replace('Version: 1.0', 'Version: ' + said[1:].split('-')[0])\n"
    )
    make_project(repository.path / "dynamic", extra=says)
    make_project(repository.path / "static", pyproject=STATIC, extra=FAILS)
    commit = repository.commit("with projects")
    repository.git("tag", "v7")
    repository.commit("later")
    source = VcsSource(vcs="git", url=repository.path.as_uri(), revision="main", subdirectory="static")
    told = builder.metadata_of_source(source)
    assert isinstance(told.source, VcsSource)
    assert told.source.commit_id == repository.git("rev-parse", "main")
    assert parse_metadata(told.metadata).requires_dist == ("static",)
    dynamic = VcsSource(vcs="git", url=repository.path.as_uri(), commit_id=commit, subdirectory="dynamic")
    assert parse_metadata(builder.metadata_of_source(dynamic).metadata).version == "7"
