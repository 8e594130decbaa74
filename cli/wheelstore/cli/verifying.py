"""`store verify`: hash every blob, hold files and index to each other, and say who is affected by what is wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from wheelstore.cli.affected import Affected, affected, manifests_with
from wheelstore.cli.console import Console, write_data, write_json
from wheelstore.cli.damage import Damaged, NoSuchWheels, NotOurs, StillDamaged, are
from wheelstore.cli.inspecting import UNMENDABLE, BadTree, inspect, mend, remove_strange, strange_images
from wheelstore.cli.progress import progress_on
from wheelstore.cli.repairing import Repair, Repaired
from wheelstore.cli.request import VerifyRequest
from wheelstore.cli.sources import open_sources
from wheelstore.cli.summary import counted, duration, size_text
from wheelstore.resolve.pins import normalize
from wheelstore.store.audit import Findings, audit, audit_some
from wheelstore.store.blobs import blob_name
from wheelstore.store.index import Index, IndexUnusable, open_index
from wheelstore.store.index_checks import (
    IndexDamaged,
    Miscounted,
    Use,
    blobs_of_projects,
    check_soundness,
    miscounted,
    recount,
    uses_of,
)
from wheelstore.store.layout import Store, open_store
from wheelstore.store.lease import Lease
from wheelstore.store.ready import names_in
from wheelstore.store.records import drop_record, identity_of, read_records, recorded, set_aside, write_record
from wheelstore.store.restoring import pending_damage, remove_orphans
from wheelstore.store.workers import Workers


@dataclass(slots=True)
class Report:
    """What was found: blobs, references, and who is affected; images and spares; and what a repair came to.

    `strange` are names below ``images/`` of what is none.
    """

    findings: Findings
    miscounted: list[Miscounted] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    environments: list[Affected] = field(default_factory=list)
    trees: list[BadTree] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    repaired: Repaired | None = None

    @property
    def problems(self) -> list[str]:
        """What is wrong, in a few words each; nothing if all is well."""
        bad, wrong = len(self.findings.bad), len(self.miscounted)
        images = sum(not tree.name for tree in self.trees)
        spares = len(self.trees) - images
        told = [f"{are(bad, 'blob')} damaged"] if bad else []
        told += [f"{are(wrong, 'reference count')} wrong"] if wrong else []
        told += [f"{are(images, 'image')} damaged"] if images else []
        told += [f"{are(spares, 'spare')} damaged"] if spares else []
        return told or ([f"{are(len(self.environments), 'environment')} damaged"] if self.environments else [])


def run_verify(request: VerifyRequest, *, started: float, environ: Mapping[str, str] = os.environ) -> None:
    """Verify the store, or the wheels of some projects, and report; with `request.repair` get back what is damaged.

    Raises:
        Damaged, StillDamaged: something is wrong, or was not repaired.
        NoSuchWheels: one of the projects is not in the store.
        StoreReadOnly: it is to be repaired, and is not ours.
    """
    common = request.common
    console = Console(quiet=common.quiet or int(common.json), verbose=common.verbose)
    if not os.path.exists(f"{common.store}/format"):
        console.say(f"There is no store in {common.store}")
        return
    store = open_store(common.store)
    if request.repair and not store.writable:
        raise NotOurs(store.root)
    found = identity_of(store.index_path)
    try:
        report = _verify(request, store, console, environ)
    except (IndexUnusable, IndexDamaged) as error:
        if not request.repair or not getattr(error, "damaged", True):
            raise
        console.say(f"Making the index anew: {error}")
        set_aside(store, found)
        report = _verify(request, store, console, environ, renewed=True)
    seconds = time.perf_counter() - started
    if common.json:
        write_json(as_json(report, seconds))
    else:
        write_data("".join(f"{line}\n" for line in lines(report)))
        console.say(_summary(report, seconds))
    _complain(store, report, console)


def _verify(
    request: VerifyRequest, store: Store, console: Console, environ: Mapping[str, str], *, renewed: bool = False
) -> Report:
    with open_index(store.index_path) as index, Lease(store, index, now=time.time()) as lease:
        check_soundness(index)
        return _Verification(request, store, index, lease, console, environ, renewed).run()


def _complain(store: Store, report: Report, console: Console) -> None:
    """Raise what is still wrong in the end."""
    if report.repaired is None:
        if report.problems:
            raise Damaged(store.root, report.problems)
        return
    for reason in report.repaired.reasons if report.repaired.left else ():
        console.warn(reason)
    done = report.repaired
    if done.left or done.unhealed or done.unmended:
        raise StillDamaged(store.root, len(done.left), done.unhealed, done.unmended)


@dataclass(frozen=True, slots=True)
class _Verification:
    request: VerifyRequest
    store: Store
    index: Index
    lease: Lease
    console: Console
    environ: Mapping[str, str]
    renewed: bool
    """Whether the index was made anew just now, so that files of wheels that it left out may yet be of use."""

    def run(self) -> Report:
        """Look at everything that was asked for, and repair it if that was asked for too."""
        chosen = self._chosen()
        wrong = miscounted(self.index) if chosen is None else []
        if wrong and self.request.repair:  # first, because only blobs that the index knows are looked at
            with self.index.writing():
                recount(self.index)
        report = Report(self._audit(chosen), wrong)
        found = {one.key: one.found for one in report.findings.bad}
        report.uses = list(uses_of(self.index, found))
        found = {**pending_damage(self.index), **found}
        names = {blob_name(key): digest for key, digest in found.items()}
        report.environments = affected(self.index, names)
        report.trees = self._inspect(names, everything=chosen is None)
        report.strange = strange_images(self.store, self.index)
        if self.request.repair:
            report.repaired = self._repair(report)
        return report

    def _repair(self, report: Report) -> Repaired:
        """Repair what was found."""
        if self.renewed:
            report.findings.orphans.clear()
        remove_orphans(self.store, self.index, report.findings.orphans)
        remove_strange(self.store, self.index, report.strange)
        self._record()
        done = Repaired()
        if report.findings.bad or report.environments:
            with open_sources(self.request.common, None, store=self.store, environ=self.environ) as sources:
                repair = Repair(self.store, self.index, self.lease, sources, self.environ, self.console.detail)
                done = repair.run(report.findings.bad)
        for tree in report.trees:
            try:
                mend(tree, self.store, self.index, self.lease, now=time.time())
            except UNMENDABLE as error:
                done.unmended.append(f"{tree.what}: {error}")
            else:
                done.mended.append(tree.what)
        return done

    def _inspect(self, bad: Mapping[str, bytes], *, everything: bool) -> list[BadTree]:
        """Hold images and spares to their plans: all, or those that have any of the blobs that are `bad`."""
        only = None
        there = {*(row.manifest for row in self.index.images()), *names_in(self.store.spares)}
        if not everything:
            there = only = manifests_with(self.index, there, bad)
        if not there:
            return []
        with Workers(min(len(there), os.cpu_count() or 1)) as workers:
            return inspect(self.store, self.index, workers, bad, only=only)

    def _record(self) -> None:
        """Keep records of wheels that have none, or half of one; and none of wheels that are gone."""
        kept, whole = set(recorded(self.store)), {record.wheel.sha256 for record in read_records(self.store)}
        there = set(self.index.sha256s())
        lacking = there - whole
        for sha256, row in (self.lease.wheels(lacking) if lacking else {}).items():
            drop_record(self.store, sha256)
            write_record(self.store, row, time.time())
        for sha256 in kept - there:
            with self.index.writing():
                if not self.index.filenames([sha256]):
                    drop_record(self.store, sha256)

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


def as_json(report: Report, seconds: float) -> dict[str, object]:
    """The report for programs; blobs by their digests in hex."""
    bad = report.findings.bad
    return {
        "blobs": report.findings.blobs,
        "bytes": report.findings.size,
        "bad_blobs": sorted({one.key[:32].hex() for one in bad}),
        **{fault: [blob_hex(one.key) for one in bad if one.fault.value == fault] for fault in _FAULTS},
        "orphaned": [*report.findings.orphans, *(f"images/{name}" for name in report.strange)],
        "images": [_tree_json(tree) for tree in report.trees if not tree.name],
        "spares": [_tree_json(tree) for tree in report.trees if tree.name],
        "miscounted": [blob_hex(one.key) for one in report.miscounted],
        "wheels": sorted({use.filename for use in report.uses}),
        "environments": [{"path": one.path, "files": list(one.files)} for one in report.environments],
        **(_repair_json(report.repaired) if report.repaired is not None else {}),
        "seconds": round(seconds, 4),
    }


def _tree_json(tree: BadTree) -> dict[str, object]:
    files = [{"path": flaw.path, "fault": flaw.fault} for flaw in tree.flaws]
    return {"manifest": tree.manifest, "name": tree.name, "files": files, "environments": list(tree.environments)}


def _repair_json(repaired: Repaired) -> dict[str, object]:
    return {
        "repaired": repaired.restored,
        "unrepaired": [blob_hex(one.key) for one in repaired.left],
        "reasons": repaired.reasons,
        "healed": [{"path": path, "files": files} for path, files in repaired.healed.items()],
        "unhealed": repaired.unhealed,
        "mended": repaired.mended,
        "unmended": repaired.unmended,
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
    told += [f"orphaned images/{name}" for name in report.strange]
    for tree in report.trees:
        told += [f"in {tree.what}: {flaw.fault} {flaw.path}".rstrip() for flaw in tree.flaws]
        told += [f"  which {path} looks into" for path in tree.environments]
    return told


def _summary(report: Report, seconds: float) -> str:
    findings = report.findings
    told = f"Verified {findings.blobs:,} {'blob' if findings.blobs == 1 else 'blobs'} ({size_text(findings.size)})"
    repaired = report.repaired
    if repaired is not None and (repaired.restored or repaired.healed or repaired.mended):
        told += f" and repaired {counted(repaired.restored, 'blob')}"
        told += f" and {counted(len(repaired.healed), 'environment')}" if repaired.healed else ""
        told += f" and {counted(len(repaired.mended), 'image')}" if repaired.mended else ""
    orphans = len(report.findings.orphans) + len(report.strange)
    if orphans:
        done = "removed" if repaired is not None else "found"
        told += f", {done} {counted(orphans, 'file')} that nobody needs"
    return f"{told} in {duration(seconds)}"
