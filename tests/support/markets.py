"""A loopback index, a store and an environment made from it: the state in which commands then fail."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.commands import Ran, StoreCommand
from support.locks import write_lock
from support.servers import IndexServer
from support.trees import Status, StoreSnapshot, status_below, store_snapshot
from support.wheels import make_wheel

VICTIM = "victim-1.0-py3-none-any.whl"
SIZE = 300_000  # bytes of each wheel, and a little; they do not compress


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What one test has: `existing` is an environment of other wheels, `lock` pins a good dozen with the victim."""

    server: IndexServer
    store: StoreCommand
    lock: Path
    existing: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def wheels(self) -> Path:
        """The directory that the server serves."""
        return self.server.directory

    def sync(self, venv: Path, *options: str, lock: Path | None = None) -> Ran:
        """Sync with the test's variables."""
        return self.store.sync(lock or self.lock, venv=venv, options=options, **self.variables)

    def everything(self) -> tuple[StoreSnapshot, Mapping[str, Status], list[str]]:
        """What a failed command must leave as it was."""
        beside = sorted(path.name for path in self.store.root.iterdir())
        return store_snapshot(self.store.store), status_below(self.existing), beside

    def assert_refused(self, *options: str, lock: Path | None = None) -> Ran:
        """Sync into the existing environment and into a new one; nothing changes. What the first one said."""
        before = self.everything()
        said = []
        for target in (self.existing, self.store.root / "new"):
            ran = self.sync(target, *options, lock=lock)
            assert ran.status == 1, ran.stderr
            assert ran.stdout == ""
            assert [line for line in ran.stderr.splitlines() if not line.startswith(("error: ", "hint: "))] == []
            assert self.everything() == before
            said.append(ran)
        return said[0]

    def assert_done(self, *options: str, lock: Path | None = None, packages: int) -> Ran:
        """Sync into the existing environment, which ends as the lock says."""
        ran = self.sync(self.existing, *options, lock=lock)
        assert (ran.status, ran.errors) == (0, []), ran.stderr
        assert len(list(self.existing.glob("lib/python3*/site-packages/*.dist-info"))) == packages
        return ran


def open_market(root: Path, server: IndexServer, *, python: str, environ: Mapping[str, str]) -> Market:
    """Stock `server`, which serves an empty directory, and make the existing environment."""
    dice = random.Random(1)
    names = [*(f"good{number}" for number in range(4)), "victim"]
    wheels = [
        make_wheel(
            server.directory,
            name,
            files={f"{name}/__init__.py": b"", f"{name}/data": dice.randbytes(SIZE)},
            requires_python=">=3.6",
        )
        for name in names
    ]
    others = [make_wheel(server.directory, name) for name in ("other", "more")]
    store = StoreCommand(
        root=root, store=root / "store", python=python, index_url=server.index_url, environ={**environ}
    )
    market = Market(
        server=server,
        store=store,
        lock=write_lock(root / "lock.txt", wheels),
        existing=root / "existing",
        variables={"STORE_HTTP_RETRIES": "1"},
    )
    ran = market.sync(market.existing, lock=write_lock(root / "others.txt", [*others, wheels[0]]))
    assert ran.status == 0, ran.stderr
    server.log.clear()
    return market
