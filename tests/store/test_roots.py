from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mounts import mounted
from support.users import as_nobody, needs_root, public_directory
from support.yards import Yard

from wheelstore.store.index import EnvironmentRow
from wheelstore.store.roots import Presence, look
from wheelstore.store.tokens import drop_token, filesystem_of, make_token


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    opened = Yard.open(tmp_path)
    yield opened
    opened.index.close()


@pytest.fixture
def row(yard: Yard) -> EnvironmentRow:
    yard.environment("e", "m")
    return yard.index.environments()[0]


def test_an_environment_is_live_where_its_token_is(yard: Yard, row: EnvironmentRow) -> None:
    assert look(yard.store, row) is Presence.LIVE
    drop_token(yard.store, row.id)
    assert look(yard.store, row) is Presence.LIVE


def test_an_environment_is_moved_while_its_token_has_another_name(yard: Yard, row: EnvironmentRow) -> None:
    os.rename(row.path, f"{row.path}-moved")
    assert look(yard.store, row) is Presence.MOVED
    yard.environment("e2", "m").rename(row.path)
    assert look(yard.store, row) is Presence.MOVED
    shutil.rmtree(f"{row.path}-moved")
    assert look(yard.store, row) is Presence.MISSING


def test_a_deleted_environment_is_missing_however_much_of_its_path_is_left(yard: Yard, row: EnvironmentRow) -> None:
    shutil.rmtree(row.path)
    assert look(yard.store, row) is Presence.MISSING
    deeper = row._replace(path=f"{row.path}/a/b/c")
    assert look(yard.store, deeper) is Presence.MISSING
    Path(row.path).write_text("a file")
    assert look(yard.store, row) is Presence.MISSING
    assert look(yard.store, deeper) is Presence.MISSING


def test_an_environment_without_a_token_is_live_by_its_state(yard: Yard, row: EnvironmentRow) -> None:
    shutil.rmtree(row.path)
    state = Path(row.path, ".wheelstore/state")
    state.parent.mkdir(parents=True)
    state.write_text(f"wheelstore 1\n{row.id}\n/store")
    assert look(yard.store, row) is Presence.LIVE
    state.write_text("wheelstore 1\nanother\n/store")
    assert look(yard.store, row) is Presence.MISSING
    state.write_text("")
    assert look(yard.store, row) is Presence.MISSING


def test_a_loop_of_links_cannot_be_read(yard: Yard, row: EnvironmentRow) -> None:
    shutil.rmtree(row.path)
    os.symlink(row.path, row.path)
    assert look(yard.store, row) is Presence.UNREADABLE


@pytest.mark.parametrize("linked", [False, True])
def test_an_environment_on_a_disk_that_is_gone_cannot_be_reached(yard: Yard, tmp_path: Path, linked: bool) -> None:
    with mounted("ext4", tmp_path / "disk", megabytes=16) as disk:
        (disk / "project/.wheelstore").mkdir(parents=True)
        (disk / "deleted").mkdir()
        link = tmp_path / "projects"
        link.symlink_to(disk / "gone-with-the-disk" if linked else disk)
        os.symlink(".", disk / "gone-with-the-disk")
        path = str(link / "project")
        make_token(yard.store, "e", path, root=path)
        row = EnvironmentRow("e", path, "m", "copy", "3.12.1", 1.0, 1.0, filesystem_of(path))
        assert look(yard.store, row) is Presence.LIVE
        assert look(yard.store, row._replace(id="f", path=str(disk / "deleted/x"))) is Presence.MISSING
    assert look(yard.store, row) is Presence.UNREACHABLE


@needs_root
def test_what_we_may_not_look_into_cannot_be_read() -> None:
    with public_directory() as directory:
        secret = Path(directory, "secret")
        secret.mkdir(0o700)

        def check() -> None:
            store = Yard.open(Path(directory, "open")).store
            row = EnvironmentRow("e", str(secret / "e"), "m", "copy", "3.12.1", 1.0, 1.0, "fs")
            assert look(store, row) is Presence.UNREADABLE

        Path(directory, "open").mkdir(0o777)
        Path(directory, "open").chmod(0o777)
        as_nobody(check)
