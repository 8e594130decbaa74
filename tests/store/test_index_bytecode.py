from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from support.yards import Yard

from wheelstore.store.compiled import CompiledModules
from wheelstore.store.filelist import columns
from wheelstore.store.index_bytecode import (
    NO_SOURCE,
    CompiledRow,
    Holder,
    Pyc,
    drop_dead_bytecode,
    find_bytecode,
    put_bytecode,
)
from wheelstore.store.lease import Lease

TAG = "cpython-312 cb0d0d0a"
ONE, TWO = b"one.py", b"two.py"


def key(content: bytes) -> bytes:
    return blake3(content).digest()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    opened = Yard.open(tmp_path)
    yield opened
    opened.index.close()


def rows(yard: Yard) -> set[tuple[bytes, str]]:
    return set(yard.index.stream("SELECT source, tag FROM bytecode"))


def compiled(yard: Yard, lease: Lease, **pycs: bytes) -> Holder:
    """Take bytecode into the store, by the content of its module."""
    holder = Holder(yard.index, "holder", b"content", b"plan")
    incoming = CompiledModules(yard.store, yard.index, lease, holder)
    for source, pyc in pycs.items():
        incoming.stage(key(f"{source}.py".encode()), TAG, pyc)
    incoming.publish()
    return holder


def test_a_module_is_known_by_source_and_tag_while_its_bytecode_is_there(yard: Yard) -> None:
    with Lease(yard.store, yard.index, now=1.0) as lease:
        compiled(yard, lease, one=b"bytecode", two=b"")
        sources = [key(ONE), key(TWO), key(b"three.py")]
        assert find_bytecode(yard.index, sources, TAG) == {key(ONE): Pyc(key(b"bytecode"), 8), key(TWO): Pyc(b"", 0)}
        assert find_bytecode(yard.index, sources, "cpython-313 f30d0d0a") == {}
        with yard.index.writing():
            yard.index.release([(key(b"bytecode"), 8)])
        assert find_bytecode(yard.index, sources, TAG) == {key(TWO): Pyc(b"", 0)}


def test_bytecode_is_counted_from_the_first_turn_until_its_manifest_does(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wheelstore.store.compiled._AT_ONCE", 1)
    yard.wheel("demo", ONE, TWO)
    with Lease(yard.store, yard.index, now=1.0) as lease:
        holder = compiled(yard, lease, one=b"bytecode of one", two=b"bytecode of two")
        assert yard.flaws() == []
        yard.collect()
        assert {b"bytecode of one", b"bytecode of two"} <= yard.blobs()
        with yard.index.writing():
            holder.become("manifest", b"its plan", [])
            lease.hold("manifest")
        assert yard.index.manifest("manifest") == b"its plan"
        assert yard.index.manifest("holder") is None
        assert yard.flaws() == []
        yard.collect()
        assert {b"bytecode of one", b"bytecode of two"} <= yard.blobs()
    yard.collect()
    assert yard.blobs() == set()


def test_what_a_manifest_had_before_is_released(yard: Yard) -> None:
    yard.manifest("manifest", generated=(b"bytecode", b"another's"))
    with Lease(yard.store, yard.index, now=1.0) as lease:
        holder = compiled(yard, lease, one=b"bytecode", two=b"other")
        with yard.index.writing():
            holder.become("manifest", b"another plan", [])
            lease.hold("manifest")
        assert yard.index.manifest("manifest") == b"another plan"
        assert yard.flaws() == []
        yard.collect()
        assert yard.blobs() == {b"bytecode", b"other"}


@pytest.mark.parametrize("last", ["flush_names", "put_bytecode", ""])
def test_what_a_killed_operation_has_published_goes_with_the_next_collection(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    child = os.fork()
    if not child:
        if last:
            monkeypatch.setattr(f"wheelstore.store.compiled.{last}", lambda *_: os._exit(0))
        with Lease(yard.store, yard.index, now=1.0) as lease:
            compiled(yard, lease, one=b"bytecode")
            os._exit(0)
    os.waitpid(child, 0)
    assert b"bytecode" in yard.blobs()
    yard.collect()
    assert yard.blobs() == set()


def test_bytecode_that_is_there_is_counted_and_what_is_gone_is_not(yard: Yard) -> None:
    yard.manifest("other", generated=(b"bytecode",))
    with Lease(yard.store, yard.index, now=1.0) as lease:
        holder = Holder(yard.index, "holder", b"content", b"plan")
        incoming = CompiledModules(yard.store, yard.index, lease, holder)
        there, gone = Pyc(key(b"bytecode"), 8), Pyc(key(b"collected"), 9)
        assert incoming.hold({key(ONE): there, key(TWO): gone}) == {key(ONE): there}
        with yard.index.writing():
            holder.become("manifest", b"plan", [])
        ((files,),) = yard.index.stream("SELECT generated FROM manifests WHERE digest = 'manifest'")
        assert columns(files)[0] == [there.key]
        assert yard.flaws() == []


def test_rows_that_say_nothing_any_more_go_a_page_at_a_time(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelstore.store.index_bytecode._PAGE", 2)
    yard.wheel("demo", ONE, TWO, b"three.py")
    yard.manifest("manifest", generated=(b"bytecode", b"of nothing"))
    alive = [
        CompiledRow(key(ONE), TAG, key(b"bytecode")),
        CompiledRow(key(TWO), TAG, b""),
        CompiledRow(NO_SOURCE, TAG, key(b"of nothing")),
    ]
    dead = [
        CompiledRow(key(b"three.py"), TAG, key(b"collected")),
        CompiledRow(key(b"no such source"), TAG, key(b"bytecode")),
        CompiledRow(key(b"no such source"), "other", b""),
    ]
    with yard.index.writing():
        put_bytecode(yard.index, [*alive, *dead])
    position: tuple[bytes, str] | None = (b"", "")
    gone = 0
    while position is not None:
        with yard.index.writing():
            position, count = drop_dead_bytecode(yard.index, position)
        gone += count
    assert gone == 3
    assert rows(yard) == {(row.source, row.tag) for row in alive}
