"""`store forget`: environments that the store shall not keep anything for any more; their files stay."""

from __future__ import annotations

from collections.abc import Sequence

from wheelstore.cli.console import Console, one_line, write_json
from wheelstore.cli.suggesting import UnknownEnvironment, environments_named
from wheelstore.cli.tables import is_store
from wheelstore.store.errors import StoreError
from wheelstore.store.index import EnvironmentRow, Index, open_index
from wheelstore.store.layout import open_store
from wheelstore.store.tokens import drop_token


class NotOurs(StoreError):
    """The store belongs to someone else, whose environments are not ours to forget."""

    hint = "only its owner can change what it knows"

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.root = root

    def __str__(self) -> str:
        return f"the store {self.root} is read-only here"


class Unknown(StoreError):
    """Some of the environments are none of this store."""

    def __init__(self, errors: Sequence[UnknownEnvironment]) -> None:
        super().__init__(tuple(errors))
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return "; ".join(map(str, self.errors))


def forget_environments(root: str, names: Sequence[str], *, as_json: bool, quiet: int) -> None:
    """Count the environments with these paths or ids as roots no more; all of them or, if one is unknown, none.

    Raises:
        Unknown: there is none of some path or id.
        NotOurs: the store belongs to someone else.
    """
    if not is_store(root):
        raise Unknown([UnknownEnvironment(name, root, []) for name in names])
    store = open_store(root)
    with open_index(store.index_path) as index:
        rows = _named(index, names)
        if not store.writable:
            raise NotOurs(root)
        for row in rows:  # first, because an environment whose token is there takes itself for a root
            drop_token(store, row.id)
        with index.writing():
            for row in rows:
                index.forget(row.id)
    if as_json:
        write_json([{"id": row.id, "path": row.path} for row in rows])
    for row in rows:
        Console(quiet=quiet or int(as_json)).say(f"Forgot {one_line(row.path)}; nothing in it was touched")


def _named(index: Index, names: Sequence[str]) -> list[EnvironmentRow]:
    found: dict[str, EnvironmentRow] = {}
    errors = []
    for name in names:
        try:
            found.update((row.id, row) for row in environments_named(index, name))
        except UnknownEnvironment as error:
            errors.append(error)
    if errors:
        raise Unknown(errors)
    return list(found.values())
