"""In whatever order things happen: what roots and leases reach is there, and references are what a recount says."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.yards import AT_ONCE, Yard, sha256_for

from wheelstore.store.collection import Collection, collect_a_little
from wheelstore.store.filelist import unpack
from wheelstore.store.lease import Lease
from wheelstore.store.pace import Pace
from wheelstore.store.policy import Policy

WHEELS = st.integers(0, 5)
MANIFESTS = st.integers(0, 3)
ENVIRONMENTS = st.integers(0, 2)


class Stop(BaseException):
    """A kill, as far as one process can show it."""


class Stopping(Pace):
    """Lets so many turns begin."""

    def __init__(self, turns: int) -> None:
        super().__init__(rests=False)
        self._left = turns

    @property
    def is_over(self) -> bool:
        self._left -= 1
        if self._left < 0:
            raise Stop
        return False


class Interleaving(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.yard = Yard.open(Path(self.stack.enter_context(tempfile.TemporaryDirectory())))
        self.stack.callback(self.yard.index.close)
        self.leases: dict[Lease, set[str]] = {}
        self.now = 1.0

    def teardown(self) -> None:
        for lease in self.leases:
            lease.__exit__()
        self.stack.close()

    @rule(number=WHEELS)
    def add_a_wheel(self, number: int) -> None:
        self.yard.wheel(f"w{number}", *(b"%d" % (at // 2) for at in range(number, number + 5)), used=self.now)

    @rule(number=MANIFESTS, wheels=st.sets(WHEELS, max_size=3))
    def put_a_manifest(self, number: int, wheels: set[int]) -> None:
        name = f"m{number}-{'-'.join(map(str, sorted(wheels)))}"
        there = self.yard.wheels()
        if all(f"w{wheel}" in there for wheel in wheels):
            made = (b"script %d" % number, b"0")
            self.yard.manifest(name, *(f"w{wheel}" for wheel in wheels), generated=made, used=self.now)

    @rule(number=ENVIRONMENTS, back=st.booleans(), data=st.data())
    def sync(self, number: int, back: bool, data: st.DataObject) -> None:
        manifests = self._manifests()
        if manifests:
            had = [one.manifest for one in self.yard.index.generations(f"e{number}") if one.manifest in manifests]
            history = [*had, data.draw(st.sampled_from(manifests))]
            generation = len(history) - 1 if back and len(history) > 1 else 0
            self.yard.environment(f"e{number}", *history, synced=self.now, generation=generation)

    @rule(number=ENVIRONMENTS, data=st.data())
    def sync_a_layer(self, number: int, data: st.DataObject) -> None:
        """As a sync does it: the image under a lease, which lasts until the environment is registered."""
        if not self._manifests():
            self.yard.manifest("m0-", used=self.now)
        manifest = data.draw(st.sampled_from(self._manifests()))
        with Lease(self.yard.store, self.yard.index, now=self.now) as lease:
            assert lease.plan(manifest) is not None
            self._ensure_image(manifest)
            if data.draw(st.booleans()):
                self.collect_everything()
            self.yard.environment(f"e{number}", manifest, synced=self.now, mode="layered")

    def _ensure_image(self, manifest: str) -> None:
        if self.yard.index.image(manifest) is None:
            left = Path(self.yard.store.images, manifest)
            if left.exists():  # of a collection that was killed
                left.rename(Path(self.yard.store.trash, f"image-{len(os.listdir(self.yard.store.trash))}"))
            self.yard.image(manifest, used=self.now)

    @rule(data=st.data())
    def make_an_image(self, data: st.DataObject) -> None:
        manifests = self._manifests()
        if manifests:
            self._ensure_image(data.draw(st.sampled_from(manifests)))

    @rule(number=ENVIRONMENTS)
    def remove_an_environment(self, number: int) -> None:
        if (self.yard.root / f"e{number}").exists():
            self.yard.remove(f"e{number}")

    @rule(data=st.data())
    def lease_a_manifest(self, data: st.DataObject) -> None:
        manifests = self._manifests()
        if manifests:
            manifest = data.draw(st.sampled_from(manifests))
            lease = Lease(self.yard.store, self.yard.index, now=self.now).__enter__()
            assert lease.plan(manifest) is not None
            self.leases[lease] = {manifest}

    @rule(number=WHEELS)
    def lease_a_wheel(self, number: int) -> None:
        lease = Lease(self.yard.store, self.yard.index, now=self.now).__enter__()
        there = lease.wheels([sha256_for(f"w{number}")])
        self.leases[lease] = set(there)

    @rule(data=st.data())
    def end_a_lease(self, data: st.DataObject) -> None:
        if self.leases:
            lease = data.draw(st.sampled_from(list(self.leases)))
            del self.leases[lease]
            lease.__exit__()

    @rule()
    def time_passes(self) -> None:
        self.now += 10.0

    @rule(
        turns=st.integers(0, 60),
        age=st.sampled_from([None, 0.0, 15.0]),
        size=st.sampled_from([None, 0, 10]),
        grace=st.sampled_from([0.0, 15.0]),
    )
    def collect_until_killed(self, turns: int, age: float | None, size: int | None, grace: float) -> None:
        policy = Policy(older_than=age, max_size=size, grace=grace)
        yard = self.yard
        collection = Collection(store=yard.store, index=yard.index, policy=policy, now=self.now, pace=Stopping(turns))
        try:
            collection.run()
        except Stop:
            return

    @rule()
    def collect_a_little(self) -> None:
        collect_a_little(self.yard.store, self.yard.index, Policy(), now=self.now)

    @rule()
    def collect_everything(self) -> None:
        self.yard.collect(AT_ONCE, now=self.now)

    @invariant()
    def rows_have_files_and_references_are_right(self) -> None:
        assert self.yard.flaws() == []

    @invariant()
    def what_is_needed_is_there(self) -> None:
        index = self.yard.index
        manifests, wheels = set(self._manifests()), {row.sha256 for row in index.all_wheels()}
        for row in index.environments():
            if (self.yard.root / row.id).exists():
                assert row.manifest in manifests
                earlier = [one for one in index.generations(row.id) if one.number < row.generation]
                assert {one.manifest for one in earlier[-1:]} <= manifests
                assert row.mode != "layered" or row.manifest in self.yard.images()
        for needed in self.leases.values():
            assert needed <= manifests | wheels
        for manifest in manifests:
            named = {sha256_for(f"w{number}") for number in manifest.split("-")[1:] if number}
            assert named <= wheels
        for wheel in index.all_wheels():
            assert all(Path(self.yard.store.blobs, name).exists() for name in _blob_names(wheel.files))

    @invariant()
    def environments_stay_registered(self) -> None:
        registered = {row.id for row in self.yard.index.environments()}
        assert {f"e{number}" for number in range(3) if (self.yard.root / f"e{number}").exists()} <= registered

    def _manifests(self) -> list[str]:
        return [digest for (digest,) in self.yard.index.stream("SELECT digest FROM manifests ORDER BY digest")]


def _blob_names(files: bytes) -> list[str]:
    from wheelstore.store.blobs import blob_name

    return [blob_name(file.key) for file in unpack(files) if file.size]


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(max_examples=25, stateful_step_count=25)
