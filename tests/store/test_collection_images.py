"""What a collection does with images and spares: nothing that anybody looks into, and all that nobody does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mounts import mounted
from support.yards import AT_ONCE, Yard

from wheelstore.store.btrfs import create_subvolume, set_read_only
from wheelstore.store.claims import claim_directory
from wheelstore.store.collection import collect_a_little
from wheelstore.store.index import ImageRow
from wheelstore.store.index_bytecode import CompiledRow, put_bytecode
from wheelstore.store.lease import Lease
from wheelstore.store.policy import DAY, PREWARMED, Policy
from wheelstore.store.ready import own_size

NEVER = Policy(older_than=None, grace=DAY)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """A store with the wheels and manifests `a` and `b`, each with an image."""
    yard = Yard.open(tmp_path)
    for name in ("a", "b"):
        yard.wheel(name, name.encode(), b"both")
        yard.manifest(name, name)
        yard.image(name, name.encode(), b"both")
    yield yard
    yard.index.close()


def left(yard: Yard, name: str) -> list[str]:
    return sorted(os.listdir(f"{yard.store.root}/{name}"))


# Images


def test_an_image_that_nobody_looks_into_goes_with_what_it_kept(yard: Yard) -> None:
    yard.environment("e", "a", mode="layered")
    size = next(row.size for row in yard.index.images() if row.manifest == "b")
    freed = yard.collect()
    assert (freed.images, freed.image_bytes, freed.manifests, freed.wheels) == (1, size, 1, 1)
    assert freed.size == size + len(b"b")
    assert yard.images() == {"a"} == set(left(yard, "images"))
    assert (yard.wheels(), left(yard, "trash")) == ({"a"}, [])


@pytest.mark.parametrize("mode", ["hardlink", "snapshot"])
def test_an_environment_with_files_of_its_own_needs_no_image(yard: Yard, mode: str) -> None:
    yard.environment("e", "a", mode=mode)
    assert yard.collect().images == 2
    assert yard.wheels() == {"a"}


def test_what_a_layered_environment_was_before_keeps_its_manifest_and_no_image(yard: Yard) -> None:
    yard.environment("e", "a", "b", mode="layered")
    freed = yard.collect()
    assert (freed.images, freed.manifests) == (1, 0)
    assert yard.images() == {"b"}


def test_a_layered_environment_that_was_moved_keeps_its_image(yard: Yard, tmp_path: Path) -> None:
    yard.environment("e", "a", mode="layered").rename(tmp_path / "elsewhere")
    yard.collect(Policy(older_than=0.0, max_size=0, grace=0.0))
    assert yard.images() == {"a"}


def test_a_layered_environment_that_was_deleted_keeps_its_image_for_the_grace_period(yard: Yard) -> None:
    yard.environment("e", "a", mode="layered")
    yard.remove("e")
    grace = Policy(older_than=0.0, grace=10.0)
    assert yard.collect(grace, now=100.0).images == 1
    assert yard.collect(grace, now=109.0).images == 0
    freed = yard.collect(grace, now=111.0)
    assert (freed.environments, freed.images, freed.manifests) == ([str(yard.root / "e")], 1, 1)


def test_an_operation_keeps_the_image_of_its_manifest(yard: Yard) -> None:
    with yard.index.writing():
        yard.index.put_shape("a", "layer", b"layer")
    with Lease(yard.store, yard.index, now=1.0) as lease:
        assert lease.shape("a", "layer", with_image=True) == b"layer"
        assert yard.collect().images == 1
        assert yard.images() == {"a"}
        yard.environment("e", "a", mode="layered")
    assert yard.collect().images == 0


def test_what_an_environment_is_about_to_become_is_kept_after_its_process_has_died(yard: Yard) -> None:
    yard.environment("e", "a", mode="layered")
    with yard.index.writing():
        yard.index.claim_layer("b", "e")
    assert yard.collect().images == 0
    with yard.index.writing():
        yard.index.disclaim_layers("e")
    assert yard.collect().images == 1
    with yard.index.writing():
        yard.index.claim_layer("a", "e")
    yard.remove("e")
    assert yard.collect().images == 1, "of an environment that is no more"
    assert list(yard.index.stream("SELECT key FROM memory WHERE key LIKE 'layer %'")) == []


def test_what_is_to_be_ready_is_kept_until_it_was_not_used_for_long(yard: Yard) -> None:
    yard.prewarm("a", used=100.0)
    assert yard.collect(now=100.0 + PREWARMED - 1).images == 1
    assert yard.images() == {"a"}
    yard.collect(NEVER, now=100.0 + PREWARMED)
    freed = yard.collect(now=100.0 + PREWARMED)
    assert (freed.images, freed.manifests, yard.index.all_prewarmed()) == (1, 1, [])


def test_what_was_used_lately_stays(yard: Yard) -> None:
    with yard.index.writing():
        yard.index.use_image("a", now=95.0)
        yard.index.use_image("b", now=85.0)
    assert yard.collect(Policy(older_than=10.0), now=100.0).images == 1
    assert yard.images() == {"a"}


def test_images_count_for_the_size_and_the_least_used_go_first(yard: Yard) -> None:
    with yard.index.writing():
        yard.index.use_image("a", now=50.0)
    total = yard.index.images_size() + yard.index.blob_count()[1]
    freed = yard.collect(Policy(older_than=None, max_size=total), now=100.0)
    assert freed.rows == 0
    freed = yard.collect(Policy(older_than=None, max_size=total - 1), now=100.0)
    assert (freed.images, yard.images()) == (1, {"a"})


def test_a_time_in_the_future_is_settled(yard: Yard) -> None:
    with yard.index.writing():
        yard.index.use_image("a", now=1e12)
    assert yard.collect().images == 2


def test_what_readers_have_locked_stays(yard: Yard) -> None:
    image = Path(yard.store.images, "a")
    claim = claim_directory(str(image))
    try:
        assert yard.collect().images == 1
        assert image.is_dir()
    finally:
        os.close(claim)
    assert yard.collect().images == 1


def test_a_row_without_a_directory_goes_too(yard: Yard) -> None:
    image = Path(yard.store.images, "a")
    (image / "lib").chmod(0o755)
    shutil.rmtree(image)
    from wheelstore.store.collection import collect

    assert collect(yard.store, yard.index, AT_ONCE, now=100.0).images == 2
    assert yard.flaws() == []


# What lies around


def test_a_directory_without_a_row_is_a_leftover(yard: Yard) -> None:
    yard.environment("e", "a", mode="layered")
    with yard.index.writing():
        list(yard.index.stream("DELETE FROM images WHERE manifest = 'b'"))
    freed = yard.collect()
    assert (freed.images, freed.leftovers) == (0, 1)
    assert (left(yard, "images"), left(yard, "trash")) == (["a"], [])


def test_what_a_dead_operation_was_building_is_a_leftover(yard: Yard) -> None:
    for row in yard.index.images():
        yard.environment(f"e{row.manifest}", row.manifest, mode="layered")
    Path(yard.store.images, "c.lease-1-00000000").mkdir()
    with Lease(yard.store, yard.index, now=1.0) as lease:
        Path(yard.store.images, f"c.{lease.id}").mkdir()
        assert yard.collect().leftovers == 1
        assert left(yard, "images") == ["a", "b", f"c.{lease.id}"]
    assert yard.collect().leftovers == 1


def test_a_small_collection_leaves_the_unlinking_to_the_next(yard: Yard) -> None:
    while yard.images():
        collect_a_little(yard.store, yard.index, Policy(), now=100.0)
        assert yard.flaws() == []
    yard.collect()
    assert (left(yard, "images"), left(yard, "trash")) == ([], [])


# Spares


def test_spares_stay_as_many_as_are_wanted(yard: Yard) -> None:
    directory = yard.spares("a", 3, b"a")
    yard.prewarm("a", spares=2, used=100.0)
    freed = yard.collect()
    assert (freed.spares, len(list(directory.iterdir()))) == (1, 2)
    assert freed.spare_bytes > 0
    freed = yard.collect(now=101.0 + PREWARMED)
    assert (freed.spares, freed.images, freed.manifests) == (2, 1, 1)
    assert not directory.exists()


def test_spares_of_another_link_mode_go(yard: Yard) -> None:
    directory = yard.spares("a", 2, mode="clone")
    yard.spares("a", 1)
    yard.prewarm("a", spares=2, used=100.0)
    assert yard.collect().spares == 2
    assert left(yard, "spares/a") == ["hardlink-0"]
    assert directory.exists()


def test_spares_that_nobody_asked_for_go(yard: Yard) -> None:
    yard.spares("a", 2)
    yard.spares("unknown", 1)
    yard.prewarm("unknown", spares=1, used=100.0)
    assert yard.collect().spares == 3
    assert left(yard, "spares") == []


# What follows from them


def test_small_plans_go_with_their_manifest(yard: Yard) -> None:
    with yard.index.writing():
        yard.index.put_shape("a", "layer", b"layer")
        yard.index.put_shape("b", "layer", b"layer")
    yard.environment("e", "a")
    yard.collect()
    assert list(yard.index.stream("SELECT manifest FROM shapes")) == [("a",)]


def test_what_was_compiled_is_forgotten_with_its_module(yard: Yard) -> None:
    yard.environment("e", "a")
    (module,), (other,) = yard.publish(b"a"), yard.publish(b"b")
    with yard.index.writing():
        put_bytecode(yard.index, [CompiledRow(one.key, "cpython-312", b"") for one in (module, other)])
    yard.collect()
    assert list(yard.index.stream("SELECT source FROM bytecode")) == [(module.key,)]


def test_a_subvolume_that_is_read_only_goes(tmp_path: Path) -> None:
    with mounted("btrfs", tmp_path, megabytes=128) as disk:
        yard = Yard.open(disk)
        for name in ("a", "b", "c"):
            yard.manifest(name)
            create_subvolume(f"{yard.store.images}/{name}")
            Path(yard.store.images, name, "lib").mkdir()
            set_read_only(f"{yard.store.images}/{name}", read_only=True)
        with yard.index.writing():
            for name in ("a", "b"):
                yard.index.put_image(ImageRow(name, "subvolume", 5, 1.0, 1.0))
        yard.environment("e", "a", mode="layered")
        freed = yard.collect()
        assert (freed.images, freed.image_bytes, freed.leftovers) == (1, 5, 1)
        assert (left(yard, "images"), left(yard, "trash")) == (["a"], [])
        yard.index.close()


def test_what_others_may_read_is_kept_until_its_owner_says_otherwise(yard: Yard) -> None:
    yard.prewarm("a", used=100.0)
    os.chmod(yard.store.root, 0o750)
    assert yard.collect(now=101.0 + PREWARMED).images == 1
    assert yard.images() == {"a"}
    os.chmod(yard.store.root, 0o700)
    assert yard.collect(now=101.0 + PREWARMED).images == 1


def test_the_size_of_what_is_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = tmp_path / "spare"
    (spare / "lib").mkdir(parents=True)
    walk = os.walk

    def take(path: str) -> Iterator[tuple[str, list[str], list[str]]]:
        for found in walk(path):
            shutil.rmtree(path, ignore_errors=True)
            yield found

    monkeypatch.setattr(os, "walk", take)
    assert own_size(str(spare)) == 0
