from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from blake3 import blake3

from wheelstore.store.blobs import blob_name
from wheelstore.store.lending import lend


def test_what_cannot_be_lent_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    key = blake3(b"made").digest()

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", full)
        with pytest.raises(OSError, match="No space"):
            lend(str(tmp_path / "blobs"), {key: b"made"}, [blob_name(key)])
    assert list(tmp_path.iterdir()) == []
