from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from support.servers import Fault, IndexServer
from support.wheels import make_wheel, sha256_of

from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.facts import Facts
from wheelstore.resolve.fetch_errors import FetchFailed
from wheelstore.resolve.indexes import Indexes, IndexOptions, Strategy
from wheelstore.resolve.page_cache import PageReply
from wheelstore.resolve.pins import Artifact, PathSource, Pin, Position, UrlSource, VcsSource
from wheelstore.resolve.selection import Selected, select
from wheelstore.resolve.selection_errors import (
    HashNotOnIndex,
    MissingOffline,
    NeedsBuild,
    NoCompatibleWheel,
    NoMatchingVersion,
    NoSuchProject,
    RequiresPythonExcludes,
    SelectionFailed,
    WrongWheel,
)
from wheelstore.resolve.target import Target
from wheelstore.resolve.transport import Transport, TransportOptions

LINUX, ABI3, PURE = "cp312-cp312-linux_x86_64", "cp312-abi3-linux_x86_64", "py3-none-any"
TARGET = Target(markers={"python_full_version": "3.12.1"}, tags=(LINUX, ABI3, PURE))
OLD_PYTHON = "cp311-cp311-linux_x86_64"


def pin(name: str = "demo", version: str | None = "1.0", *hashes: str, **more: Any) -> Pin:
    return Pin(
        name=canonicalize_name(name),
        version=Version(version) if version else None,
        hashes=tuple(sorted(hashes)),
        position=Position("lock.txt", 7),
        **more,
    )


def hash_of(path: Path) -> str:
    return f"sha256:{sha256_of(path)}"


class Unreachable:
    """A network that must not be used."""

    def get(self, url: str, *, accept: str, headers: Mapping[str, str]) -> PageReply:
        raise AssertionError(url)


@dataclass
class Bench:
    """Everything a selection needs; what a test changes are attributes."""

    facts: Facts
    transport: Any
    server: IndexServer
    options: IndexOptions
    stored: dict[str, str] = field(default_factory=dict)
    asked_store: list[Collection[str]] = field(default_factory=list)
    offline: bool = False
    refresh: bool = False

    def known(self, sha256s: Collection[str], /) -> Mapping[str, str]:
        self.asked_store.append(sha256s)
        return {sha256: self.stored[sha256] for sha256 in sha256s if sha256 in self.stored}

    def store(self, wheel: Path) -> None:
        self.stored[sha256_of(wheel)] = wheel.name

    def select(self, *pins: Pin, **options: Any) -> tuple[Selected, ...]:
        indexes = Indexes(
            self.options,
            pages=self.transport,
            facts=self.facts,
            now=lambda: 1000.0,
            offline=self.offline,
            refresh=self.refresh,
        )
        return select(pins, TARGET, indexes, known=self.known, **options)

    def names(self, *pins: Pin, **options: Any) -> list[str]:
        return [selected.filename for selected in self.select(*pins, **options)]

    def errors(self, *pins: Pin, **options: Any) -> tuple[ResolveError, ...]:
        with pytest.raises(SelectionFailed) as caught:
            self.select(*pins, **options)
        return caught.value.errors

    def error(self, one: Pin, **options: Any) -> ResolveError:
        (error,) = self.errors(one, **options)
        return error


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    return directory


@pytest.fixture
def bench(tmp_path: Path, wheels: Path) -> Iterator[Bench]:
    with (
        Facts(tmp_path / "resolve.sqlite3") as facts,
        Transport(TransportOptions(retries=0)) as transport,
        IndexServer(wheels, page_max_age=None) as server,
    ):
        yield Bench(facts, transport, server, IndexOptions(index_urls=(server.index_url,)))


def test_each_pin_becomes_its_best_wheel(bench: Bench, wheels: Path) -> None:
    make_wheel(wheels, tag=PURE)
    best = make_wheel(wheels, tag=LINUX)
    make_wheel(wheels, tag=OLD_PYTHON)
    make_wheel(wheels, version="2.0", tag=LINUX)
    other = make_wheel(wheels, "Other.Name", "3")
    first, second = bench.select(pin("other-name", "3.0"), pin())
    assert first.filename == other.name
    assert second == Selected(
        pin=pin(),
        filename=best.name,
        url=bench.server.file_url(best.name),
        sha256=sha256_of(best),
        size=best.stat().st_size,
    )


def test_many_pins_are_searched_for_at_once(bench: Bench, wheels: Path) -> None:
    pins = []
    for number in range(30):
        pins.append(pin(f"p{number}", "1", hash_of(make_wheel(wheels, f"p{number}", "1"))))
    assert bench.names(*pins) == [f"p{number}-1-py3-none-any.whl" for number in range(30)]


def test_what_a_hash_names_needs_no_network_the_second_time(bench: Bench, wheels: Path) -> None:
    one, other = make_wheel(wheels, tag=PURE, requires_python=">=3.8"), make_wheel(wheels, tag=LINUX)
    hashed = pin("demo", "1.0", hash_of(one), hash_of(other))
    first = bench.select(hashed)
    bench.transport = Unreachable()
    assert bench.select(hashed) == first
    assert first[0].filename == other.name
    assert bench.names(pin("demo", "1.0", hash_of(one))) == [one.name]
    assert bench.asked_store == []


def test_a_page_seen_before_tells_hashes_of_other_versions(bench: Bench, wheels: Path) -> None:
    make_wheel(wheels)
    newer = make_wheel(wheels, version="2.0")
    bench.select(pin())
    bench.transport = Unreachable()
    assert bench.names(pin("demo", "2.0", hash_of(newer))) == [newer.name]
    bench.facts.prune(before=2000.0)  # by now the hash itself is remembered
    assert bench.names(pin("demo", "2.0", hash_of(newer))) == [newer.name]


def test_of_two_pages_seen_before_the_first_indexs_counts(bench: Bench, wheels: Path, tmp_path: Path) -> None:
    for directory in (wheels, tmp_path / "extra"):
        make_wheel(directory)
        newer = make_wheel(directory, version="2.0")
    with IndexServer(tmp_path / "extra") as extra:
        bench.options = IndexOptions(index_urls=(extra.index_url, bench.server.index_url), strategy=Strategy.BEST_MATCH)
        bench.select(pin())
        bench.transport = Unreachable()
        for _ in range(2):
            (selected,) = bench.select(pin("demo", "2.0", hash_of(newer)))
            assert selected.url == extra.file_url(newer.name)


def test_with_one_unknown_hash_the_index_is_asked(bench: Bench, wheels: Path) -> None:
    one = make_wheel(wheels)
    hashed = pin("demo", "1.0", hash_of(one), "sha256:" + "0" * 64)
    assert bench.names(hashed) == bench.names(hashed) == [one.name]
    assert len(bench.server.requests_for("demo")) == 2


def test_refresh_asks_although_everything_is_known(bench: Bench, wheels: Path) -> None:
    one = make_wheel(wheels)
    bench.select(pin("demo", "1.0", hash_of(one)))
    bench.refresh = True
    bench.select(pin("demo", "1.0", hash_of(one)))
    assert len(bench.server.requests_for("demo")) == 2


def test_facts_of_an_index_that_is_not_configured_count_for_what_is_stored(bench: Bench, wheels: Path) -> None:
    one = make_wheel(wheels)
    hashed = pin("demo", "1.0", hash_of(one))
    bench.select(hashed)
    bench.options = IndexOptions(no_index=True)
    bench.transport = Unreachable()
    assert isinstance(bench.error(hashed), NoSuchProject)
    bench.store(one)
    assert bench.names(hashed) == [one.name]


def test_a_local_file_that_is_gone_is_not_believed_in(bench: Bench, wheels: Path, tmp_path: Path) -> None:
    local = make_wheel(tmp_path / "links")
    bench.options = IndexOptions(find_links=(str(tmp_path / "links"),), index_urls=(bench.server.index_url,))
    hashed = pin("demo", "1.0", hash_of(local))
    (selected,) = bench.select(hashed)
    assert selected.url == local.as_uri()
    local.rename(wheels / local.name)
    (selected,) = bench.select(hashed)
    assert selected.url == bench.server.file_url(local.name)


def test_a_hash_may_come_from_any_index(bench: Bench, wheels: Path, tmp_path: Path) -> None:
    decoy = make_wheel(tmp_path / "decoy", tag=LINUX, files={"x.py": b"decoy"})
    wanted = make_wheel(wheels, tag=PURE)
    with IndexServer(tmp_path / "decoy", page_max_age=None) as decoys:
        bench.options = IndexOptions(index_urls=(decoys.index_url, bench.server.index_url))
        assert bench.names(pin()) == [decoy.name]
        assert bench.names(pin("demo", "1.0", hash_of(wanted))) == [wanted.name]
        assert bench.names(pin("demo", "1.0", hash_of(decoy))) == [decoy.name]
        assert bench.names(pin("demo", "1.0", hash_of(decoy), hash_of(wanted))) == [decoy.name]


def test_a_file_of_several_locations_comes_from_the_first_with_what_all_tell(
    bench: Bench, wheels: Path, tmp_path: Path
) -> None:
    near, far = (make_wheel(directory, requires_python=">=3.8") for directory in (tmp_path / "links", wheels))
    bench.options = IndexOptions(index_urls=(bench.server.index_url,), find_links=(str(tmp_path / "links"),))
    hashed = pin("demo", "1.0", hash_of(far), "sha256:" + "0" * 64)
    (selected,) = bench.select(hashed)
    assert selected.url == near.as_uri()
    known = bench.facts.files([sha256_of(far)])[sha256_of(far)]
    assert (known.file.url, known.file.requires_python) == (near.as_uri(), ">=3.8")
    assert bench.select(pin("demo", "1.0", hash_of(far)))[0].url == near.as_uri()


@pytest.mark.parametrize("who_tells", [0, 1])
def test_a_size_that_one_of_two_indexes_tells_is_known(
    bench: Bench, wheels: Path, tmp_path: Path, who_tells: int
) -> None:
    wheel = make_wheel(wheels)
    with IndexServer(wheels) as other:
        servers = (bench.server, other)
        servers[1 - who_tells].pages.sizes = False
        bench.options = IndexOptions(index_urls=(bench.server.index_url, other.index_url))
        (selected,) = bench.select(pin("demo", "1.0", hash_of(wheel), "sha256:" + "0" * 64))
    assert (selected.url, selected.size) == (bench.server.file_url(wheel.name), wheel.stat().st_size)


def test_indexes_behind_the_one_that_has_every_hash_are_not_asked(bench: Bench, wheels: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "extra")
    with IndexServer(tmp_path / "extra") as extra:
        bench.options = IndexOptions(index_urls=(extra.index_url, bench.server.index_url))
        assert bench.names(pin("demo", "1.0", hash_of(wheel))) == [wheel.name]
    assert bench.server.log == []


@pytest.mark.parametrize(
    ("strategy", "found"), [(Strategy.FIRST_INDEX, None), (Strategy.FIRST_MATCH, PURE), (Strategy.BEST_MATCH, LINUX)]
)
def test_without_hashes_the_strategy_holds(
    bench: Bench, wheels: Path, tmp_path: Path, strategy: Strategy, found: str | None
) -> None:
    make_wheel(tmp_path / "a", version="0.9")
    make_wheel(tmp_path / "b", tag=PURE)
    make_wheel(tmp_path / "c", version="0.8")
    make_wheel(wheels, tag=LINUX)
    with (
        IndexServer(tmp_path / "a") as first,
        IndexServer(tmp_path / "b") as second,
        IndexServer(tmp_path / "c") as without,
    ):
        bench.options = IndexOptions(
            index_urls=(
                first.index_url,
                second.index_url.replace("://", "://me:secret@"),
                without.index_url,
                bench.server.index_url,
            ),
            strategy=strategy,
        )
        if found is not None:
            assert bench.names(pin()) == [f"demo-1.0-{found}.whl"]
            return
        error = bench.error(pin())
        assert isinstance(error, NoMatchingVersion)
        assert error.searched == (first.index_url,)
        assert error.elsewhere == (second.index_url, bench.server.index_url)
        assert error.hint is not None
        assert "unsafe-best-match" in error.hint
        assert "secret" not in f"{error} {error.hint}"


def test_an_index_that_fails_while_the_hint_is_sought_is_passed_over(
    bench: Bench, wheels: Path, tmp_path: Path
) -> None:
    make_wheel(tmp_path / "a", version="0.9")
    make_wheel(wheels)
    bench.server.fault("demo", Fault(status=403))
    with IndexServer(tmp_path / "a") as first:
        bench.options = IndexOptions(index_urls=(first.index_url, bench.server.index_url))
        error = bench.error(pin())
    assert isinstance(error, NoMatchingVersion)
    assert error.elsewhere == ()


def test_find_links_join_the_first_index(bench: Bench, wheels: Path, tmp_path: Path) -> None:
    near = make_wheel(tmp_path / "links", tag=PURE)
    far = make_wheel(wheels, tag=LINUX)
    bench.options = IndexOptions(index_urls=(bench.server.index_url,), find_links=(str(tmp_path / "links"),))
    assert bench.names(pin()) == [far.name]
    far.unlink()
    (selected,) = bench.select(pin())
    assert (selected.filename, selected.sha256) == (near.name, None)


def test_find_links_are_hashed_where_the_lock_has_hashes(bench: Bench, wheels: Path, tmp_path: Path) -> None:
    near = make_wheel(tmp_path / "links")
    bench.options = IndexOptions(index_urls=(bench.server.index_url,), find_links=(str(tmp_path / "links"),))
    (selected,) = bench.select(pin("demo", "1.0", hash_of(near)))
    assert (selected.url, selected.sha256) == (near.as_uri(), sha256_of(near))
    assert bench.server.log == []
    assert isinstance(bench.error(pin("demo", "1.0", "sha256:" + "0" * 64)), HashNotOnIndex)


def test_a_file_whose_hash_the_index_does_not_tell_may_be_the_one(bench: Bench, wheels: Path) -> None:
    wheel = make_wheel(wheels)
    bench.server.lie_about(wheel.name, None)
    (selected,) = bench.select(pin("demo", "1.0", hash_of(wheel)))
    assert (selected.filename, selected.sha256) == (wheel.name, None)


def test_yanked_wheels_are_taken_with_their_reason(bench: Bench, wheels: Path) -> None:
    wheel = make_wheel(wheels)
    bench.server.yank(wheel.name, "wrong metadata")
    hashed = pin("demo", "1.0", hash_of(wheel))
    assert bench.select(pin())[0].yanked == "wrong metadata"
    assert bench.select(hashed)[0].yanked == bench.select(hashed)[0].yanked == "wrong metadata"


def test_every_error_is_collected_in_the_order_of_the_pins(bench: Bench, wheels: Path) -> None:
    make_wheel(wheels, tag=OLD_PYTHON)
    make_wheel(wheels, "late", requires_python=">=3.13")
    make_wheel(wheels, "fine")
    (wheels / "source-1.0.tar.gz").write_bytes(b"")
    pins = (
        pin("absent"),
        pin(),
        pin("fine"),
        pin("late"),
        pin("demo", "2.0"),
        pin("fine", "1.0", "sha256:" + "0" * 64),
        pin("source"),
    )
    errors = bench.errors(*pins)
    assert [type(error) for error in errors] == [
        NoSuchProject,
        NoCompatibleWheel,
        RequiresPythonExcludes,
        NoMatchingVersion,
        HashNotOnIndex,
        NeedsBuild,
    ]
    assert all("\n" not in str(error) and error.hint for error in errors)
    with pytest.raises(SelectionFailed, match=r"absent==1.0: .* \(and 5 more\)"):
        bench.select(*pins)


def test_a_missing_project_is_told_with_the_places_and_without_credentials(bench: Bench, tmp_path: Path) -> None:
    url = bench.server.index_url.replace("://", "://me:secret@")
    bench.options = IndexOptions(index_urls=(url,), find_links=(str(tmp_path / "links"),))
    error = bench.error(pin("absent"))
    assert str(error) == (
        "lock.txt:7: absent==1.0: there is no such project in "
        f"{(tmp_path / 'links').as_uri()}, {bench.server.index_url}"
    )
    bench.options = IndexOptions(no_index=True)
    assert "no index to search" in str(bench.error(pin("absent")))


def test_the_versions_there_are_come_newest_first_and_condensed(bench: Bench, wheels: Path) -> None:
    for version in ("0.1", "0.10", "0.9", "1.1rc1", "2.0", "0.2", "3"):
        make_wheel(wheels, version=version)
    error = bench.error(pin())
    assert isinstance(error, NoMatchingVersion)
    assert error.versions == ("3", "2", "1.1rc1", "0.10", "0.9", "0.2", "0.1")
    assert "only 3, 2, 1.1rc1, 0.10, 0.9 and 2 more" in str(error)


def test_a_lock_for_another_python_is_refused_without_network(bench: Bench, wheels: Path) -> None:
    wheel = make_wheel(wheels, tag=OLD_PYTHON)
    hashed = pin("demo", "1.0", hash_of(wheel))
    assert isinstance(bench.error(hashed), NoCompatibleWheel)
    bench.transport = Unreachable()
    assert isinstance(bench.error(hashed), NoCompatibleWheel)


def test_a_dead_index_is_one_error_and_ends_the_search(bench: Bench, wheels: Path) -> None:
    pins = [pin(f"p{number}") for number in range(40)]
    bench.server.close()
    errors = bench.errors(*pins, workers=2)
    assert 1 <= len(errors) <= 2
    assert all(isinstance(error, FetchFailed) for error in errors)


def test_an_interruption_is_not_held_up_by_what_is_underway(bench: Bench) -> None:
    underway, released = threading.Event(), threading.Event()

    class Stuck:
        def get(self, url: str, *, accept: str, headers: Mapping[str, str]) -> PageReply:
            if "first" in url:
                underway.wait(10)
                raise KeyboardInterrupt
            underway.set()
            released.wait(10)
            raise FetchFailed(url, "cut off")

    bench.transport = Stuck()
    with pytest.raises(KeyboardInterrupt):
        bench.select(pin("first"), pin("second"), pin("third"), workers=2)
    assert not released.is_set()
    released.set()
    for thread in threading.enumerate():
        if thread.name.startswith("search"):
            thread.join()


def test_one_bad_page_does_not_hide_other_errors(bench: Bench, wheels: Path) -> None:
    make_wheel(wheels, "bad")
    bench.server.fault("bad", Fault(status=403))
    errors = bench.errors(pin("bad"), pin("absent"))
    assert [type(error) for error in errors] == [FetchFailed, NoSuchProject]


def test_wheels_at_urls_and_paths_are_taken_as_they_are(bench: Bench, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "somewhere", version="1.0+cpu", tag=PURE)
    url = "https://me:pw@host/x/demo-1.0%2Bcpu-py3-none-any.whl"
    by_url = pin("demo", None, "sha256:" + "a" * 64, source=UrlSource(url=url))
    by_path = pin("demo", "1.0", source=PathSource(path=wheel))
    bench.transport = Unreachable()
    first, second = bench.select(by_url, by_path)
    assert first == Selected(pin=by_url, filename=wheel.name, url=url, sha256="a" * 64)
    assert second == Selected(pin=by_path, filename=wheel.name, url=wheel.as_uri(), sha256=None)
    assert "pw@" not in repr(first).replace(repr(by_url), "")


@pytest.mark.parametrize(
    ("source", "version", "kind"),
    [
        (UrlSource(url="https://host/demo-1.0.tar.gz"), "1.0", NeedsBuild),
        (PathSource(path=Path("/src/demo"), editable=True), None, NeedsBuild),
        (VcsSource(vcs="git", url="https://me:pw@host/demo"), None, NeedsBuild),
        (UrlSource(url="https://host/other-1.0-py3-none-any.whl"), None, WrongWheel),
        (UrlSource(url="https://host/demo-2.0-py3-none-any.whl"), "1.0", WrongWheel),
        (UrlSource(url=f"https://host/demo-1.0-{OLD_PYTHON}.whl"), None, NoCompatibleWheel),
    ],
)
def test_other_sources_are_refused(bench: Bench, source: Any, version: str | None, kind: type[ResolveError]) -> None:
    bench.transport = Unreachable()
    error = bench.error(pin("demo", version, source=source))
    assert type(error) is kind
    assert "pw@" not in str(error)


def test_what_needs_building_is_named(bench: Bench) -> None:
    sdist = pin("demo", "1.0", source=UrlSource(url="https://host/demo-1.0.tar.gz"))
    directory = pin("demo", None, source=PathSource(path=Path("/src/demo")))
    assert ": demo-1.0.tar.gz needs building" in str(bench.error(sdist))
    assert ": a directory needs building" in str(bench.error(directory))


def test_a_direct_wheel_is_held_to_the_locks_requires_python(bench: Bench) -> None:
    source = UrlSource(url=f"https://host/demo-1.0-{PURE}.whl")
    assert isinstance(
        bench.error(pin("demo", "1.0", source=source, requires_python=SpecifierSet(">=3.13"))), RequiresPythonExcludes
    )


def test_files_that_the_lock_lists_need_no_index(bench: Bench) -> None:
    listed = (
        Artifact(filename=f"demo-1.0-{PURE}.whl", url="https://host/a.whl", hashes=("sha256:" + "a" * 64,), size=1),
        Artifact(filename=f"demo-1.0-{LINUX}.whl", url="https://host/b.whl", hashes=("sha256:" + "b" * 64,), size=2),
        Artifact(filename="demo-1.0.tar.gz", url="https://host/c.tar.gz", hashes=("sha256:" + "c" * 64,)),
    )
    hashes = [text for artifact in listed for text in artifact.hashes]
    locked = pin("demo", "1.0", *hashes, artifacts=listed, requires_python=SpecifierSet(">=3.8"))
    bench.transport = Unreachable()
    (selected,) = bench.select(locked)
    assert (selected.filename, selected.url, selected.sha256, selected.size) == (
        listed[1].filename,
        "https://host/b.whl",
        "b" * 64,
        2,
    )
    only_sdist = pin("demo", "1.0", hashes[2], artifacts=listed[2:])
    assert isinstance(bench.error(only_sdist), NeedsBuild)
    excluded = pin("demo", "1.0", *hashes, artifacts=listed, requires_python=SpecifierSet("<3.12"))
    assert isinstance(bench.error(excluded), RequiresPythonExcludes)


def test_a_listed_file_of_another_version_is_refused(bench: Bench) -> None:
    artifact = Artifact(filename="demo-2.0-py3-none-any.whl", url="https://host/a.whl", hashes=("sha256:" + "a" * 64,))
    error = bench.error(pin("demo", "1.0", *artifact.hashes, artifacts=(artifact,)))
    assert str(error) == "lock.txt:7: demo==1.0: demo-2.0-py3-none-any.whl is no wheel of it"


def test_a_listed_file_without_url_is_looked_for_by_its_hash(bench: Bench, wheels: Path) -> None:
    wheel = make_wheel(wheels)
    artifact = Artifact(filename=wheel.name, url=None, hashes=(hash_of(wheel),))
    (selected,) = bench.select(pin("demo", "1.0", hash_of(wheel), artifacts=(artifact,)))
    assert selected.url == bench.server.file_url(wheel.name)


def test_the_index_that_a_lock_names_is_asked(bench: Bench, wheels: Path) -> None:
    wheel = make_wheel(wheels)
    named = pin("demo", "1.0", index=bench.server.index_url)
    bench.options = IndexOptions(index_urls=("http://127.0.0.1:9/simple/",))
    assert bench.names(named) == [wheel.name]


def test_formats_are_respected(bench: Bench, wheels: Path) -> None:
    class NoBinary:
        def allows_wheel(self, name: str, /) -> bool:
            return name != "demo"

        def allows_sdist(self, name: str, /) -> bool:
            return True

    make_wheel(wheels)
    assert isinstance(bench.error(pin(), formats=NoBinary()), NeedsBuild)


class TestOffline:
    def test_the_best_of_what_the_store_has_is_taken(self, bench: Bench, wheels: Path) -> None:
        pure, linux = make_wheel(wheels, tag=PURE), make_wheel(wheels, tag=LINUX)
        hashed = pin("demo", "1.0", hash_of(pure), hash_of(linux))
        bench.select(hashed)
        bench.offline, bench.transport = True, Unreachable()
        bench.store(pure)
        assert bench.names(hashed) == [pure.name]
        bench.store(linux)
        assert bench.names(hashed) == [linux.name]

    def test_the_wheels_that_are_missing_are_named(self, bench: Bench, wheels: Path) -> None:
        pure, linux = make_wheel(wheels, tag=PURE), make_wheel(wheels, tag=LINUX)
        hashed = pin("demo", "1.0", hash_of(pure), hash_of(linux))
        bench.select(hashed)
        bench.offline, bench.transport = True, Unreachable()
        error = bench.error(hashed)
        assert isinstance(error, MissingOffline)
        assert error.wheels == (linux.name, pure.name)
        assert str(error) == f"lock.txt:7: demo==1.0: {linux.name} is not in the store, and this run is offline"

    def test_the_store_alone_is_enough(self, bench: Bench, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path)
        bench.store(wheel)
        bench.offline, bench.transport = True, Unreachable()
        (selected,) = bench.select(pin("demo", "1.0", hash_of(wheel), "sha256:" + "0" * 64))
        assert (selected.filename, selected.url, selected.sha256) == (wheel.name, None, sha256_of(wheel))

    def test_what_was_learned_of_some_hashes_serves_with_the_store(self, bench: Bench, wheels: Path) -> None:
        wheel = make_wheel(wheels)
        bench.select(pin("demo", "1.0", hash_of(wheel)))
        bench.facts.prune(before=2000.0)
        bench.offline, bench.transport = True, Unreachable()
        bench.store(wheel)
        (selected,) = bench.select(pin("demo", "1.0", hash_of(wheel), "sha256:" + "0" * 64))
        assert (selected.url, selected.size) == (bench.server.file_url(wheel.name), wheel.stat().st_size)

    def test_a_pin_without_hashes_is_found_by_a_page_seen_before(self, bench: Bench, wheels: Path) -> None:
        pure, linux = make_wheel(wheels, tag=PURE), make_wheel(wheels, tag=LINUX)
        bench.select(pin())
        bench.offline, bench.transport = True, Unreachable()
        bench.store(pure)
        assert bench.names(pin()) == [pure.name]
        assert isinstance(bench.error(pin("demo", "9")), MissingOffline)
        assert linux.exists()

    def test_nothing_known_is_a_missing_wheel_not_a_missing_project(self, bench: Bench) -> None:
        bench.offline, bench.transport = True, Unreachable()
        error = bench.error(pin("demo", "1.0", "sha256:" + "0" * 64))
        assert str(error) == "lock.txt:7: demo==1.0: its wheel is not in the store, and this run is offline"

    def test_local_files_are_here(self, bench: Bench, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path / "links")
        bench.options = IndexOptions(find_links=(str(tmp_path / "links"),))
        bench.offline, bench.transport = True, Unreachable()
        assert bench.names(pin()) == bench.names(pin("demo", "1.0", hash_of(wheel))) == [wheel.name]
        assert isinstance(bench.error(pin("absent")), NoSuchProject)

    def test_direct_and_listed_wheels_have_to_be_stored(self, bench: Bench, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path / "files")
        url = f"https://host/{wheel.name}"
        other = "sha256:" + "0" * 64
        direct = pin("demo", None, hash_of(wheel), other, source=UrlSource(url=url))
        artifact = Artifact(filename=wheel.name, url=url, hashes=(hash_of(wheel),))
        listed = pin("demo", "1.0", hash_of(wheel), artifacts=(artifact,))
        local = pin("demo", None, source=PathSource(path=wheel))
        bench.offline, bench.transport = True, Unreachable()
        assert bench.names(local) == [wheel.name]
        assert [type(error) for error in bench.errors(direct, listed)] == [MissingOffline, MissingOffline]
        bench.store(wheel)
        assert bench.names(direct, listed) == [wheel.name, wheel.name]
