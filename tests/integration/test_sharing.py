"""What environments of one store have in common on disk, and what they do not."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from support.extents import extents
from support.places import Place
from support.trees import files_below

from wheelstore.store.blobs import blob_key, blob_mtime, blob_name

LOCK = "trio-docs"


@pytest.fixture
def environments(place: Place) -> tuple[Path, Path]:
    """Two of one lock."""
    return place.make(LOCK, LOCK), place.make(LOCK, "sibling")


def linked_files(environment: Path) -> Iterator[tuple[str, str]]:
    """The path of each installed file that is not empty and does not depend on the environment; its blob's name."""
    for path in files_below(next(environment.glob("lib/python3*/site-packages"))):
        body = path.read_bytes()
        if body and path.name != "RECORD":
            executable = path.stat().st_mode & stat.S_IXUSR
            yield path.relative_to(environment).as_posix(), blob_name(blake3(body).digest() + b"x" * bool(executable))


@pytest.mark.parametrize("place", ["hardlink"], indirect=True)
def test_hardlinked_files_are_the_blobs(place: Place, environments: tuple[Path, Path]) -> None:
    first, second = environments
    count = 0
    for name, blob in linked_files(first):
        count += 1
        assert len({os.stat(path).st_ino for path in (first / name, second / name, place.store / "blobs" / blob)}) == 1
    assert count > 2000


@pytest.mark.parametrize("place", ["clone on btrfs", "clone on xfs"], indirect=True)
def test_clones_are_other_files_of_the_same_extents(place: Place, environments: tuple[Path, Path]) -> None:
    first, second = environments
    count = 0
    for name, blob in linked_files(first):
        paths = (first / name, second / name, place.store / "blobs" / blob)
        assert len({os.stat(path).st_ino for path in paths}) == 3
        of_blob, *of_copies = map(extents, reversed(paths))
        if not of_blob[0].inline:  # btrfs keeps a small file beside its name
            count += 1
            assert all(extent.shared for extent in of_blob), name
            assert of_copies == [of_blob, of_blob], name
    assert count > 1000


@pytest.mark.parametrize("place", ["copy"], indirect=True)
def test_copies_have_nothing_in_common(place: Place, environments: tuple[Path, Path]) -> None:
    for name, _ in linked_files(environments[0]):
        statuses = [os.stat(environment / name) for environment in environments]
        assert statuses[0].st_ino != statuses[1].st_ino
        assert [status.st_nlink for status in statuses] == [1, 1]


@pytest.mark.parametrize("place", ["hardlink"], indirect=True)
def test_linked_files_cannot_be_written_to(environments: tuple[Path, Path]) -> None:
    for environment in environments:
        for name, _ in linked_files(environment):
            assert not os.stat(environment / name).st_mode & 0o222, name


@pytest.mark.parametrize("place", ["copy", "clone on btrfs", "clone on xfs"], indirect=True)
def test_an_edit_in_a_private_file_stays_there(place: Place, environments: tuple[Path, Path]) -> None:
    first, second = environments
    for name, blob in sorted(linked_files(first))[:300:10]:
        path = first / name
        before = path.read_bytes()
        assert path.stat().st_mode & stat.S_IWUSR
        with path.open("r+b") as stream:
            stream.write(b"edited")
        assert path.read_bytes() != before
        assert (second / name).read_bytes() == (place.store / "blobs" / blob).read_bytes() == before
        path.write_bytes(before)
        key = blob_key(blob)
        os.utime(path, (blob_mtime(key), blob_mtime(key)))


def test_a_file_s_time_follows_from_its_content(environments: tuple[Path, Path]) -> None:
    for environment in environments:
        for name, blob in linked_files(environment):
            assert os.stat(environment / name).st_mtime_ns == blob_mtime(blob_key(blob)) * 10**9, name


def test_the_store_holds_each_content_once_and_read_only(place: Place, environments: tuple[Path, Path]) -> None:
    blobs = {path.relative_to(place.store / "blobs").as_posix(): path for path in files_below(place.store / "blobs")}
    assert {blob for _, blob in linked_files(environments[0])} <= blobs.keys()
    for name, path in blobs.items():
        assert re.fullmatch("[0-9a-f]{2}/[0-9a-f]{62}(-x)?", name)
        executable, status = name.endswith("-x"), path.stat()
        key = blake3(path.read_bytes()).digest() + b"x" * executable
        assert name == blob_name(key)
        assert stat.S_IMODE(status.st_mode) == (0o555 if executable else 0o444), name
        assert status.st_mtime_ns == blob_mtime(key) * 10**9
        assert status.st_size > 0


def test_the_store_is_for_its_owner_alone(place: Place, environments: tuple[Path, Path]) -> None:
    assert stat.S_IMODE(place.store.stat().st_mode) == 0o700


def test_nothing_is_left_in_tmp_and_trash(place: Place, environments: tuple[Path, Path]) -> None:
    assert os.listdir(place.store / "trash") == []
    assert os.listdir(place.store / "tmp") == []
