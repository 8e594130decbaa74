from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wheelstore.store.filelist import StoredFile, pack
from wheelstore.store.index import EnvironmentRow, Generation, Index, WheelRow, open_index
from wheelstore.store.index_reports import bytes_only_of, known_wheels, wheel_uses
from wheelstore.store.usage import measure

Files = dict[str, int]  # a letter for each blob, and its size


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with open_index(str(tmp_path / "index.sqlite3")) as opened:
        yield opened


def file_list(files: Files) -> bytes:
    return pack([StoredFile(letter, letter.encode() * 32, size) for letter, size in files.items()])


def sha256(name: str) -> str:
    return name.encode().hex().rjust(64, "0")


def add_wheel(index: Index, name: str, files: Files) -> None:
    row = WheelRow(sha256(name), f"{name}-1.0-py3-none-any.whl", name, "1.0", 10, True, file_list(files), None)
    with index.writing():
        index.add_wheels([(row, [(letter.encode() * 32, size) for letter, size in files.items()])], now=1.0)


def add_manifest(index: Index, digest: str, *wheels: str, generated: Files | None = None) -> None:
    with index.writing():
        index.put_manifest(digest, b"", b"", now=1.0, wheels=map(sha256, wheels), generated=file_list(generated or {}))


def add_environment(index: Index, name: str, *manifests: str) -> None:
    with index.writing():
        index.put_environment(
            EnvironmentRow(name, f"/{name}", manifests[-1], "hardlink", "3.12.1", 1.0, 1.0, "", len(manifests))
        )
        for number, manifest in enumerate(manifests, 1):
            index.put_generation(Generation(name, number, manifest, "", "", "/python", "3.12.1", "lock.txt", 1.0))


def usages(index: Index) -> dict[str, tuple[int, ...]]:
    return {usage.environment.id: usage[1:] for usage in measure(index)[0]}


def test_what_one_environment_has_is_its_own(index: Index) -> None:
    add_wheel(index, "alpha", {"a": 100, "b": 20})
    add_manifest(index, "m", "alpha", generated={"g": 3})
    add_environment(index, "one", "m")
    assert usages(index) == {"one": (123, 0, 123, 0)}
    assert measure(index)[1] == (123, 3, 123)


def test_what_several_have_is_shared(index: Index) -> None:
    add_wheel(index, "alpha", {"a": 100, "b": 20})
    add_wheel(index, "beta", {"b": 20, "c": 3})
    add_manifest(index, "m", "alpha")
    add_manifest(index, "n", "beta")
    add_manifest(index, "both", "alpha", "beta")
    add_environment(index, "one", "m")
    add_environment(index, "two", "n")
    assert usages(index) == {"one": (120, 20, 100, 0), "two": (23, 20, 3, 0)}
    add_environment(index, "three", "both")
    assert usages(index) == {"one": (120, 120, 0, 0), "two": (23, 23, 0, 0), "three": (143, 143, 0, 0)}


def test_a_file_that_is_in_an_environment_twice_is_stored_once(index: Index) -> None:
    add_wheel(index, "alpha", {"a": 100, "b": 20})
    add_wheel(index, "beta", {"b": 20, "c": 3})
    add_manifest(index, "both", "alpha", "beta")
    add_environment(index, "one", "both")
    assert usages(index) == {"one": (143, 0, 123, 0)}


def test_what_is_kept_for_earlier_generations_only_is_told_apart(index: Index) -> None:
    add_wheel(index, "alpha", {"a": 100, "b": 20})
    add_wheel(index, "beta", {"b": 20, "c": 3})
    add_manifest(index, "m", "alpha")
    add_manifest(index, "n", "beta")
    add_environment(index, "one", "m", "n")
    assert usages(index) == {"one": (23, 0, 23, 100)}
    assert measure(index)[1] == (123, 3, 23)
    add_environment(index, "two", "m", "n")
    assert usages(index) == {"one": (23, 23, 0, 0), "two": (23, 23, 0, 0)}
    assert measure(index)[1] == (123, 3, 23)


def test_what_nothing_uses_is_nobodys(index: Index) -> None:
    add_wheel(index, "alpha", {"a": 100, "b": 20})
    add_wheel(index, "beta", {"b": 20, "c": 3})
    add_manifest(index, "m", "alpha")
    add_manifest(index, "n", "beta", generated={"g": 5})
    add_environment(index, "one", "m")
    assert usages(index) == {"one": (120, 0, 120, 0)}
    assert measure(index)[1] == (128, 4, 120)


def test_an_environment_whose_manifest_is_unknown_has_nothing_known(index: Index) -> None:
    add_environment(index, "one", "m")
    assert usages(index) == {"one": (0, 0, 0, 0)}


def test_bytes_that_only_some_wheels_have(index: Index) -> None:
    add_wheel(index, "alpha", {"a": 100, "b": 20})
    add_wheel(index, "beta", {"b": 20, "c": 3})
    (alpha,), (beta,) = (known_wheels(index, name) for name in ("alpha", "beta"))
    assert bytes_only_of(index, [alpha.id]) == 100
    assert bytes_only_of(index, [beta.id]) == 3
    assert bytes_only_of(index, [alpha.id, beta.id]) == 123


def test_wheels_by_size_and_by_how_many_have_them(index: Index) -> None:
    add_wheel(index, "alpha", {"a": 100, "b": 20})
    add_wheel(index, "beta", {"c": 300})
    add_manifest(index, "m", "alpha")
    for name in ("one", "two"):
        add_environment(index, name, "m")
    assert [(one.name, one.unpacked, one.environments) for one in wheel_uses(index)] == [
        ("beta", 300, 0),
        ("alpha", 120, 2),
    ]
