from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from support.yards import Yard

from wheelstore.store.audit import BadBlob, Fault
from wheelstore.store.blobs import blob_name
from wheelstore.store.database import Writing
from wheelstore.store.restoring import mend_touched, remove_orphans


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    opened = Yard.open(tmp_path)
    yield opened
    opened.index.close()


def test_what_a_collection_unlinks_first_is_gone_as_well(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    with yard.index.writing():
        yard.publish(b"orphan")
    leave = Writing.__exit__

    def leave_to_gc(self: Writing, *exception: object) -> None:
        leave(self, *exception)  # type: ignore[arg-type]
        for name in os.listdir(yard.store.trash):
            os.unlink(f"{yard.store.trash}/{name}")

    monkeypatch.setattr(Writing, "__exit__", leave_to_gc)
    remove_orphans(yard.store, yard.index, [blob_name(blake3(b"orphan").digest())])
    assert not yard.blob(b"orphan").exists()


def test_a_blob_that_was_collected_meanwhile_has_no_time_to_mend(yard: Yard) -> None:
    mend_touched(yard.store, [BadBlob(blake3(b"gone").digest(), Fault.TOUCHED)])
