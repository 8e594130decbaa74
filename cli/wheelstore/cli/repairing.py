"""Get damaged blobs back: from the wheels' origins or the indexes, or by planning anew; then heal environments."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from blake3 import blake3

from wheelstore.cli.affected import environments_with, images_with, is_there
from wheelstore.cli.compiling import compile_again
from wheelstore.cli.fetching import working_directory
from wheelstore.cli.goals import scheme_of
from wheelstore.cli.interpreters import find
from wheelstore.cli.refetching import Refetching
from wheelstore.cli.sources import Sources
from wheelstore.materialize.distribution import Blobs, Installed, plan_environment
from wheelstore.materialize.healing import heal, made_from
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.link import BlobUnusable, read_blob
from wheelstore.materialize.manifest import manifest_bytecode, manifest_identity, manifest_wheels
from wheelstore.materialize.plan import Plan
from wheelstore.store.archive import DEFAULT_LIMITS
from wheelstore.store.audit import BadBlob, check_blob, confirmed, unlike_their_names
from wheelstore.store.blobs import blob_key, blob_name
from wheelstore.store.errors import StoreError
from wheelstore.store.index import EnvironmentRow, Index, WheelRow
from wheelstore.store.index_checks import generated_for, generations_of, manifests_that_generated, uses_of
from wheelstore.store.ingest import WheelFile, blobs_of, stage, staging_directory, write_blob
from wheelstore.store.layout import Store
from wheelstore.store.lease import Lease
from wheelstore.store.restoring import (
    forget_damage,
    mend_touched,
    pending_damage,
    remember_damage,
    replace_bad,
    stage_copy,
    staged_in,
    still_bad,
)
from wheelstore.store.roots import Presence, look


@dataclass(slots=True)
class Repaired:
    """What a repair came to: blobs that are good again, those that are `left`, why, and which environments were healed.

    `healed` has the files by environment; `unhealed` are environments that could not be written to, with the reason.
    `mended` are the images and spares that were made anew or taken away, `unmended` those that could not be.
    """

    restored: int = 0
    left: list[BadBlob] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    healed: dict[str, list[str]] = field(default_factory=dict)
    unhealed: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    unmended: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Repair:
    """The means of one repair; the lease protects what it works on."""

    store: Store
    index: Index
    lease: Lease
    sources: Sources
    environ: Mapping[str, str]
    detail: Callable[[str], None]

    def run(self, bad: Sequence[BadBlob], *, heals: bool = True) -> Repaired:
        """Bring back what is `bad`; and if it `heals`, put the environments right that have it.

        Raises:
            OSError, IndexUnusable: the store cannot be written to; running it again goes on.
        """
        done = Repaired()
        if heals:
            remember_damage(self.index, bad)
        mend_touched(self.store, bad)
        wanted = {one.key for one in still_bad(self.store, [one.key for one in bad])}
        with working_directory(self.lease) as directory:
            wanted -= self._from_wheels(wanted, directory, done.reasons)
            wanted -= self._from_plans(wanted, directory, done.reasons)
            wanted -= self._from_environments(wanted, directory)
        done.left = confirmed(self.store, self.index, bad)
        done.restored = len(bad) - len(done.left)
        if heals:
            self._heal(done)
        return done

    def mend(self, unusable: BlobUnusable, rows: Iterable[WheelRow], manifest: str) -> int:
        """Bring back what an operation with these wheels and this manifest has met, and will meet; how many blobs.

        Environments stay as they are: who has edited a file of one by way of its hardlink has it alone from then on.

        Raises:
            BlobUnusable: the one that was met, if anything cannot be had again.
        """
        keys = {blob_key(unusable.blob), *(key for row in rows for key, _ in blobs_of(row))}
        keys |= generated_for(self.index, manifest)
        bad = [found for key in unlike_their_names(self.store, keys) if (found := check_blob(self.store.blobs, key))]
        done = self.run(bad, heals=False)
        if done.left or not bad:
            raise unusable
        return done.restored

    # Wheels

    def _from_wheels(self, wanted: Collection[bytes], directory: str, reasons: list[str]) -> set[bytes]:
        """Get wheels again, as few as have all of the blobs `wanted`; the blobs that this brought back."""
        found: dict[str, set[bytes]] = {}
        for use in uses_of(self.index, wanted):
            found.setdefault(use.sha256, set()).add(use.key)
        rows = self.lease.wheels(found)
        restored: set[bytes] = set()
        refetching = Refetching(self.sources)
        while True:
            chosen = _cover({sha256: keys - restored for sha256, keys in found.items() if sha256 in rows})
            if not chosen:
                return restored
            fetched = refetching.fetch([rows[sha256] for sha256 in chosen], directory, reasons)
            staged: dict[bytes, str] = {}
            for sha256 in chosen:
                keys = found.pop(sha256) - restored
                if sha256 in fetched:
                    staged |= self._unpack(rows[sha256], fetched[sha256], directory, keys, reasons)
            restored |= replace_bad(self.store, self.index, staged)

    def _unpack(
        self, row: WheelRow, path: str, directory: str, keys: Collection[bytes], reasons: list[str]
    ) -> dict[bytes, str]:
        """Unpack the blobs `keys` of a wheel; where they are."""
        wheel = WheelFile(path=path, filename=row.filename, sha256=row.sha256)
        try:
            stage(self.store.blobs, directory, wheel, DEFAULT_LIMITS, only=keys)
        except StoreError as error:
            reasons.append(str(error))
            return {}
        self.detail(f"Got {row.filename} again")
        os.unlink(path)
        return staged_in(staging_directory(directory, wheel), keys)

    # What was made for manifests

    def _from_plans(self, wanted: Collection[bytes], directory: str, reasons: list[str]) -> set[bytes]:
        """Make anew what plans have made up: the blobs that this brought back."""
        staged: dict[bytes, str] = {}
        for digest, keys in manifests_that_generated(self.index, wanted).items():
            lacking = keys.difference(staged)
            if lacking:
                own = f"{directory}/{digest}"
                os.makedirs(own, exist_ok=True)
                try:
                    self._plan_again(digest, own, lacking)
                except (StoreError, OSError) as error:
                    reasons.append(f"what was made for an environment cannot be made again: {error}")
                staged |= staged_in(own, lacking)
        return replace_bad(self.store, self.index, staged)

    def _plan_again(self, digest: str, staged: str, keys: Collection[bytes]) -> None:
        """Plan a manifest once more, and write those of the blobs `keys` that come of it into `staged`."""
        self.lease.plan(digest)
        content = self.index.manifest_content(digest) or b""
        wheels = manifest_wheels(content)
        rows = self.lease.wheels([one.sha256 for one in wheels])
        installed = [Installed(wheel=rows[one.sha256], direct_url=one.direct_url) for one in wheels]

        def put(data: bytes) -> bytes:
            key = blake3(data).digest()
            if key in keys and not os.path.exists(f"{staged}/{key.hex()}"):
                write_blob(f"{staged}/{key.hex()}", key, data)
            return key

        def read(key: bytes) -> bytes:
            return read_blob(self.store.blobs, blob_name(key), "a plan")

        interpreter = self._interpreter(digest, content)
        plan_environment(installed, scheme_of(interpreter), Blobs(read, put))
        levels = manifest_bytecode(content)
        for key, data in compile_again(keys, levels, interpreter, store=self.store, index=self.index):
            write_blob(f"{staged}/{key.hex()}", key, data)

    def _interpreter(self, digest: str, content: bytes) -> Interpreter:
        """The interpreter that a manifest is for.

        Raises:
            InterpreterGone: it is not there any more.
        """
        identity = manifest_identity(content)
        for executable in generations_of(self.index, digest):
            try:
                interpreter, _ = find(executable, self.index, self.environ)
            except StoreError:
                continue
            if interpreter.identity == identity:
                return interpreter
        raise InterpreterGone

    # Environments

    def _from_environments(self, wanted: Collection[bytes], directory: str) -> set[bytes]:
        """Take what cannot be had elsewhere from environments and images that have it; the blobs that this brought."""
        staged: dict[bytes, str] = {}
        names = {blob_name(key): b"" for key in wanted}
        trees = [(row.path, plan) for row, plan in environments_with(self.index, names) if is_there(row)]
        trees += [(f"{self.store.images}/{manifest}", plan) for manifest, plan in images_with(self.index, names)]
        for root, plan in trees:
            for target, name in made_from(plan, names).items():
                key = blob_key(name)
                if key not in staged:
                    staged |= stage_copy(f"{root}/{target}", directory, key)
        return replace_bad(self.store, self.index, staged)

    def _heal(self, done: Repaired) -> None:
        """Give every environment that is there good files for bad ones, and forget about the damage if that is all."""
        left = {one.key for one in done.left}
        bad = {blob_name(key): found for key, found in pending_damage(self.index).items() if key not in left}
        waiting = [row.id for row, _ in environments_with(self.index, bad)]
        for _ in range(2):  # what another command changes in between is looked at again
            waiting = [
                row.id
                for row, plan in environments_with(self.index, bad)
                if row.id in waiting and not self._heal_one(row, plan, bad, done)
            ]
        if not (left or waiting or done.unhealed):
            forget_damage(self.index)

    def _heal_one(self, row: EnvironmentRow, plan: Plan, bad: Mapping[str, bytes], done: Repaired) -> bool:
        """Heal an environment; false if that is to be tried again: it is elsewhere now, or was changed meanwhile."""
        if not is_there(row):
            return look(self.store, row) is Presence.MISSING
        try:
            files = heal(row.path, plan, bad, manifest=row.manifest, blobs=self.store.blobs, images=self.store.images)
        except (BlobUnusable, OSError) as error:
            done.unhealed.append(f"{row.path}: {error}")
            return True
        if files:
            done.healed[row.path] = files
        return files is not None


class InterpreterGone(StoreError):
    """The interpreter that a plan was made for is not there any more."""

    def __str__(self) -> str:
        return "its interpreter is gone"


def _cover(found: Mapping[str, Collection[bytes]]) -> list[str]:
    """Wheels (by sha256) that between them have all the blobs; those with the most first."""
    chosen: list[str] = []
    covered: set[bytes] = set()
    for sha256, keys in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        if not covered.issuperset(keys):
            chosen.append(sha256)
            covered.update(keys)
    return chosen
