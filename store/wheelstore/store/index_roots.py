"""The part of the index that says who needs what: environments with their history, and the leases of operations.

On the warm path; see `index`.
"""

from __future__ import annotations

from wheelstore.store.database import Database
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class EnvironmentRow(NamedTuple):
    """A registered environment: a gc root.

    `filesystem` tells the one that it is on (`roots.filesystem_of`), `generation` is the number of the one of its
    `Generation`s that it is at, `missing` is since when it is known not to be there (None: it is, or was, there).
    """

    id: str
    path: str
    manifest: str
    mode: str
    python: str
    created: float
    synced: float
    filesystem: str = ""
    generation: int = 1
    missing: float | None = None


class Generation(NamedTuple):
    """One of the manifests that an environment has had: a root as well, as far as `gc` keeps it.

    `key` and `inputs` are the question it answered (`Answer`), `interpreter` the base Python's executable and
    `python` its version; `source` is what the user named (locks, or a command), for display.
    """

    environment: str
    number: int
    manifest: str
    key: str
    inputs: str
    interpreter: str
    python: str
    source: str
    synced: float


class RootsIndex(Database):
    """Environments, generations and leases in the index."""

    __slots__ = ()

    # Environments

    def environments(self) -> list[EnvironmentRow]:
        """Every registered environment, by path."""
        return [EnvironmentRow(*row) for row in self._rows(f"{_SELECT_ENVIRONMENT} ORDER BY path, id")]

    def environment(self, identifier: str) -> EnvironmentRow | None:
        """The environment registered under `identifier`."""
        rows = self._rows(f"{_SELECT_ENVIRONMENT} WHERE id = ?", (identifier,))
        return EnvironmentRow(*rows[0]) if rows else None

    def put_environment(self, row: EnvironmentRow) -> None:
        """Register an environment, or what it has become; inside `writing`."""
        self._connection.execute(
            f"INSERT INTO environments ({_ENVIRONMENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET path = excluded.path, manifest = excluded.manifest,"
            " mode = excluded.mode, python = excluded.python, synced = excluded.synced,"
            " filesystem = excluded.filesystem, generation = excluded.generation, missing = NULL",
            row,
        )

    def supplant(self, path: str, identifier: str, *, spared: Callable[[str], bool]) -> None:
        """Forget the environments that were at `path` before the one with `identifier`, but for those `spared`.

        Inside `writing`.
        """
        execute = self._connection.execute
        before = execute("SELECT id FROM environments WHERE path = ? AND id <> ?", (path, identifier)).fetchall()
        for (gone,) in before:
            if not spared(gone):
                execute("DELETE FROM environments WHERE id = ?", (gone,))
                execute("DELETE FROM generations WHERE environment = ?", (gone,))

    def last_generation(self, environment: str) -> int:
        """The highest number in an environment's history; 0 if it has none."""
        rows = self._rows("SELECT coalesce(max(number), 0) FROM generations WHERE environment = ?", (environment,))
        return int(rows[0][0])

    def forget(self, identifier: str) -> None:
        """Count an environment as a root no more, with all that it was before; inside `writing`."""
        self._connection.execute("DELETE FROM environments WHERE id = ?", (identifier,))
        self._connection.execute("DELETE FROM generations WHERE environment = ?", (identifier,))

    def put_generation(self, row: Generation) -> None:
        """Keep what an environment has become in its history; inside `writing`."""
        self._connection.execute(
            f"INSERT OR REPLACE INTO generations ({_GENERATION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row
        )

    def generations(self, environment: str) -> list[Generation]:
        """The history of an environment, oldest first."""
        query = f"SELECT {_GENERATION} FROM generations WHERE environment = ? ORDER BY number"
        return [Generation(*row) for row in self._rows(query, (environment,))]

    # Leases

    def lease_manifest(self, identifier: str, manifest: str, *, now: float) -> None:
        """Let a lease protect a manifest (and no other), with all that it consists of; inside `writing`."""
        self._connection.execute(
            "INSERT INTO leases (id, manifest, started) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest",
            (identifier, manifest, now),
        )

    def lease_wheels(self, identifier: str, sha256s: Iterable[str], *, now: float) -> None:
        """Let a lease protect wheels, whether they are there already or not; inside `writing`."""
        self._connection.execute(
            "INSERT OR IGNORE INTO leases (id, manifest, started) VALUES (?, '', ?)", (identifier, now)
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO lease_wheels (lease, sha256) VALUES (?, ?)", [(identifier, one) for one in sha256s]
        )

    def leases_on(self, manifest: str) -> list[str]:
        """The ids of the leases on a manifest, of live and of dead operations."""
        return [identifier for (identifier,) in self._rows("SELECT id FROM leases WHERE manifest = ?", (manifest,))]

    def drop_lease(self, identifier: str) -> None:
        """End a lease; inside `writing`."""
        self._connection.execute("DELETE FROM lease_wheels WHERE lease = ?", (identifier,))
        self._connection.execute("DELETE FROM leases WHERE id = ?", (identifier,))


_ENVIRONMENT = "id, path, manifest, mode, python, created, synced, filesystem, generation, missing"
_SELECT_ENVIRONMENT = f"SELECT {_ENVIRONMENT} FROM environments"
_GENERATION = "environment, number, manifest, key, inputs, interpreter, python, source, synced"
