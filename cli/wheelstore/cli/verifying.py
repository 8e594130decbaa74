"""`store verify`: hash every blob, hold files and index to each other, and say who is affected by what is wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from wheelstore.cli.console import Console, write_data, write_json
from wheelstore.cli.progress import progress_on
from wheelstore.cli.request import VerifyRequest
from wheelstore.cli.summary import counted, duration, size_text
from wheelstore.materialize.environment import read_state
from wheelstore.materialize.healing import made_from, written_from
from wheelstore.materialize.plan import PlanDamaged, unpack
from wheelstore.resolve.pins import normalize
from wheelstore.store.audit import Findings, audit, audit_some
from wheelstore.store.blobs import blob_name
from wheelstore.store.errors import StoreError
from wheelstore.store.index import EnvironmentRow, Index, open_index
from wheelstore.store.index_checks import Miscounted, Use, blobs_of_projects, miscounted, uses_of
from wheelstore.store.layout import Store, open_store
from wheelstore.store.workers import Workers


class Damaged(StoreError):
    """Something in the store is not what it should be; `problems` are texts such as ``2 blobs are damaged``."""

    hint = "store verify --repair gets back what it can"

    def __init__(self, root: str, problems: Sequence[str]) -> None:
        super().__init__(root, tuple(problems))
        self.root, self.problems = root, tuple(problems)

    def __str__(self) -> str:
        return f"{', '.join(self.problems)} in the store {self.root}"


class NoSuchWheels(StoreError):
    """The store has no wheel of a project."""

    hint = "store ls shows which there are"

    def __init__(self, root: str, name: str) -> None:
        super().__init__(root, name)
        self.root, self.name = root, name

    def __str__(self) -> str:
        return f"the store {self.root} has no wheel of {self.name}"


@dataclass(frozen=True, slots=True)
class Affected:
    """An environment with files, relative to it, that were made from bad blobs."""

    path: str
    files: tuple[str, ...]
    is_there: bool


@dataclass(slots=True)
class Report:
    """What was found: blobs, references, and who is affected."""

    findings: Findings
    miscounted: list[Miscounted] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    environments: list[Affected] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """What is wrong, in a few words each; nothing if all is well."""
        return [
            f"{counted(len(items), noun)} {one if len(items) == 1 else several}"
            for items, noun, one, several in (
                (self.findings.bad, "blob", "is damaged", "are damaged"),
                (self.miscounted, "reference count", "is wrong", "are wrong"),
            )
            if items
        ]


def run_verify(request: VerifyRequest, *, started: float) -> None:
    """Verify the store, or the wheels of some projects, and report.

    Raises:
        Damaged: something is wrong.
        NoSuchWheels: one of the projects is not in the store.
    """
    common = request.common
    console = Console(quiet=common.quiet or int(common.json), verbose=common.verbose)
    if not os.path.exists(f"{common.store}/format"):
        console.say(f"There is no store in {common.store}")
        return
    store = open_store(common.store)
    with open_index(store.index_path) as index:
        report = _Verification(request, store, index, console).run()
    seconds = time.perf_counter() - started
    if common.json:
        write_json(as_json(report, seconds))
    else:
        write_data("".join(f"{line}\n" for line in lines(report)))
        console.say(_summary(report, seconds))
    if report.problems:
        raise Damaged(store.root, report.problems)


@dataclass(frozen=True, slots=True)
class _Verification:
    request: VerifyRequest
    store: Store
    index: Index
    console: Console

    def run(self) -> Report:
        """Look at everything that was asked for."""
        chosen = self._chosen()
        report = Report(self._audit(chosen))
        if chosen is None:
            report.miscounted = miscounted(self.index)
        keys = {bad.key for bad in report.findings.bad}
        report.uses = list(uses_of(self.index, keys))
        report.environments = affected(self.index, {blob_name(key) for key in keys})
        return report

    def _chosen(self) -> dict[bytes, int] | None:
        """The blobs of the projects that were named; None for all there are."""
        names = [normalize(name) for name in self.request.names]
        for name in names:
            if not self.index.listing(name):
                raise NoSuchWheels(self.store.root, name)
        return blobs_of_projects(self.index, names) if names else None

    def _audit(self, chosen: dict[bytes, int] | None) -> Findings:
        common = self.request.common
        wanted = common.progress and not common.quiet and not common.json
        count = os.cpu_count() or 1
        total = self.index.blob_count() if chosen is None else (len(chosen), sum(chosen.values()))
        # The processes are forked before the bar starts a thread.
        with (
            Workers(count) as workers,
            progress_on(self.console.stream, wanted=wanted, doing="Verifying files") as bar,
        ):
            bar.expect(*total)

            def progress(blobs: int, size: int) -> None:
                bar.advance(size)
                bar.unpacked(blobs)

            if chosen is None:
                return audit(self.store, self.index, workers, count=count, progress=progress)
            return audit_some(self.store, self.index, workers, chosen, count=count, progress=progress)


def affected(index: Index, names: set[str]) -> list[Affected]:
    """The environments that have files made from these blobs."""
    if not names:
        return []
    targets: dict[str, tuple[str, ...]] = {}
    found = []
    for row in index.environments():
        if row.manifest not in targets:
            targets[row.manifest] = _targets(index, row.manifest, names)
        if targets[row.manifest]:
            found.append(Affected(row.path, targets[row.manifest], is_there(row)))
    return found


def _targets(index: Index, manifest: str, names: set[str]) -> tuple[str, ...]:
    packed = index.manifest(manifest)
    try:
        plan = unpack(packed) if packed else None
    except PlanDamaged:
        plan = None
    return tuple(sorted((*made_from(plan, names), *written_from(plan, names)))) if plan else ()


def is_there(row: EnvironmentRow) -> bool:
    """Whether what was registered is still at its path, and no other environment."""
    state = read_state(row.path)
    return state is not None and state.id == row.id


def as_json(report: Report, seconds: float) -> dict[str, object]:
    """The report for programs; blobs by their digests in hex."""
    bad = report.findings.bad
    return {
        "blobs": report.findings.blobs,
        "bytes": report.findings.size,
        "bad_blobs": sorted({one.key[:32].hex() for one in bad}),
        **{fault: [blob_hex(one.key) for one in bad if one.fault.value == fault] for fault in _FAULTS},
        "orphaned": report.findings.orphans,
        "miscounted": [blob_hex(one.key) for one in report.miscounted],
        "wheels": sorted({use.filename for use in report.uses}),
        "environments": [{"path": one.path, "files": list(one.files)} for one in report.environments],
        "seconds": round(seconds, 4),
    }


_FAULTS = ("missing", "altered", "touched", "unreadable")


def blob_hex(key: bytes) -> str:
    """A blob as reports name it: its digest, and ``-x`` for an executable one."""
    return blob_name(key).replace("/", "")


def lines(report: Report) -> list[str]:
    """The report for people: a line for each thing that is wrong, and for each file that it affects."""
    uses: dict[bytes, list[Use]] = {}
    for use in report.uses:
        uses.setdefault(use.key, []).append(use)
    told = []
    for bad in report.findings.bad:
        told.append(f"{bad.fault.value} {blob_hex(bad.key)}")
        told += [f"  {use.path} of {use.filename}" for use in uses.get(bad.key, ())] or ["  made for environments"]
    told += [f"in {one.path}: {name}" for one in report.environments for name in one.files]
    told += [
        f"miscounted {blob_hex(one.key)}: {one.refs or 'no'} instead of {one.counted}" for one in report.miscounted
    ]
    told += [f"orphaned {name}" for name in report.findings.orphans]
    return told


def _summary(report: Report, seconds: float) -> str:
    findings = report.findings
    told = f"Verified {findings.blobs:,} {'blob' if findings.blobs == 1 else 'blobs'} ({size_text(findings.size)})"
    return f"{told} in {duration(seconds)}"
