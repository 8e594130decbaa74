"""What a remembered answer depends on beyond the locks that were named."""

from __future__ import annotations

import sys
from pathlib import Path

from wheelstore.cli.answers import inputs_hold
from wheelstore.cli.console import Console
from wheelstore.cli.locks import read_files
from wheelstore.materialize.probe import probe

HASH = "--hash=sha256:" + "a" * 64


def test_a_file_that_an_earlier_lock_includes_is_watched(tmp_path: Path) -> None:
    included = tmp_path / "x.txt"
    included.write_text(f"x==1.0 {HASH}\n")
    (tmp_path / "a.txt").write_text(f"-r x.txt\na==1.0 {HASH}\n")
    (tmp_path / "b.txt").write_text(f"b==1.0 {HASH}\n")
    locks = read_files([str(tmp_path / "a.txt"), str(tmp_path / "b.txt")])
    meaning = locks.meaning(probe(sys.executable), environ={}, require_hashes=False, console=Console())
    assert inputs_hold(meaning.inputs)
    included.write_text(f"x==2.0 {HASH}\n")
    assert not inputs_hold(meaning.inputs)
