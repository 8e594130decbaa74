"""What an environment holds, decided: every directory, link, script and RECORD, as data.

A plan does not depend on where the environment is; what does (a script's interpreter line, and RECORD lines of
such scripts) stays symbolic here and is written out by `tree`. Plans are kept packed in the index, one per manifest.

On the warm path: this module imports nothing but the standard library's cheapest, and unpacking a plan of 12,300
files is one `split` (4 ms).
"""

from __future__ import annotations

from wheelstore.store.errors import StoreError
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MAGIC = "wheelstore-plan-1"


class PlanDamaged(StoreError):
    """A packed plan that this version cannot read; the plan can always be made again."""

    def __str__(self) -> str:
        return "a stored plan cannot be read"


class Link(NamedTuple):
    """The file `target` (relative to the environment, posix) has the content and exec bit of the blob `source`.

    `source` is a blob's name, or empty for an empty file; ``x`` alone for an empty executable file.
    """

    target: str
    source: str


class Script(NamedTuple):
    """A file whose first line names the environment's interpreter.

    Either an entry point (`module` and `attribute`), or a wheel's own ``#!python`` script (`source` is its blob).
    """

    target: str
    module: str
    attribute: str
    source: str
    gui: bool


class Record(NamedTuple):
    """The RECORD of a distribution with scripts: the blob `source`, then a line for each script's target."""

    target: str
    source: str
    scripts: tuple[str, ...]


class Distribution(NamedTuple):
    """One installed distribution: normalized name, version, and its dist-info directory in the environment."""

    name: str
    version: str
    dist_info: str


class Plan(NamedTuple):
    """The content of one environment.

    `directories` are sorted, parents first; `counts` says how many of `links` lie directly in each, and `links`
    follow the order of `directories`, so that a run of directories and a run of links can be made together.
    """

    directories: list[str]
    counts: list[int]
    targets: list[str]
    sources: list[str]
    scripts: list[Script]
    records: list[Record]
    distributions: list[Distribution]

    def items(self) -> dict[str, str]:
        """Every file of the plan by target, with a word that changes when its content does."""
        return dict(zip(self.targets, self.sources, strict=True)) | self.generated()

    def generated(self) -> dict[str, str]:
        """The part of `items` that is no links: scripts, and the RECORDs that list them."""
        items: dict[str, str] = {}
        for script in self.scripts:
            items[script.target] = "script\t" + "\t".join(map(str, script[1:]))
        for record in self.records:
            items[record.target] = f"record\t{record.source}\t" + "\t".join(record.scripts)
        return items


def make_plan(
    links: Iterable[Link],
    scripts: Iterable[Script],
    records: Iterable[Record],
    distributions: Iterable[Distribution],
    *,
    directories: Iterable[str] = (),
) -> Plan:
    """Order everything; add the parents of every file, and the further `directories`."""
    ordered_scripts, ordered_records = sorted(scripts), sorted(records)
    by_directory: dict[str, list[Link]] = {}
    for link in links:
        by_directory.setdefault(link.target.rpartition("/")[0], []).append(link)
    wanted: set[str] = set()
    parents = [item.target.rpartition("/")[0] for item in ordered_scripts] + [
        item.target.rpartition("/")[0] for item in ordered_records
    ]
    for directory in (*by_directory, *parents, *directories):
        while directory and directory not in wanted:
            wanted.add(directory)
            directory = directory.rpartition("/")[0]
    ordered = ["", *sorted(wanted)]
    runs = [sorted(by_directory.get(directory, ())) for directory in ordered]
    return Plan(
        directories=ordered,
        counts=[len(run) for run in runs],
        targets=[link.target for run in runs for link in run],
        sources=[link.source for run in runs for link in run],
        scripts=ordered_scripts,
        records=ordered_records,
        distributions=sorted(distributions),
    )


def pack(plan: Plan) -> bytes:
    """The plan as text: a header with the length of each section, then a line an item, fields separated by tabs."""
    sections = (
        plan.directories,
        [" ".join(map(str, plan.counts))],
        plan.targets,
        plan.sources,
        ["\t".join((*script[:4], "gui" if script.gui else "")) for script in plan.scripts],
        ["\t".join((record.target, record.source, *record.scripts)) for record in plan.records],
        ["\t".join(distribution) for distribution in plan.distributions],
    )
    header = " ".join((_MAGIC, *(str(len(section)) for section in sections)))
    return "\n".join((header, *(line for section in sections for line in section))).encode()


def unpack(packed: bytes) -> Plan:
    """The inverse of `pack`.

    Raises:
        PlanDamaged: another version's format, or not a plan.
    """
    lines = packed.decode().split("\n")
    magic, *lengths = lines[0].split(" ")
    if magic != _MAGIC or sum(map(int, lengths)) + 1 != len(lines):
        raise PlanDamaged
    sections = []
    at = 1
    for length in map(int, lengths):
        sections.append(lines[at : at + length])
        at += length
    directories, counts, targets, sources, scripts, records, distributions = sections
    return Plan(
        directories=directories,
        counts=[*map(int, counts[0].split(" "))],
        targets=targets,
        sources=sources,
        scripts=[_script(line.split("\t")) for line in scripts],
        records=[_record(line.split("\t")) for line in records],
        distributions=[Distribution(*line.split("\t")) for line in distributions],
    )


def _script(fields: list[str]) -> Script:
    target, module, attribute, source, gui = fields
    return Script(target, module, attribute, source, gui == "gui")


def _record(fields: list[str]) -> Record:
    return Record(fields[0], fields[1], tuple(fields[2:]))


class Changes(NamedTuple):
    """How one set of files becomes another: targets to remove, and targets to make or replace."""

    removed: list[str]
    written: set[str]


def changes(before: Plan, after: Plan) -> Changes:
    """What differs between two plans.

    Both lists of links are in one order, and a change of one distribution differs in one run; so only what lies
    between the equal beginning and the equal end is compared file by file (1 ms of 12,300 files, instead of 5).
    """
    start, end = _equal_ends(before, after)
    was, will_be = before.generated(), after.generated()
    was |= zip(
        before.targets[start : len(before.targets) - end],
        before.sources[start : len(before.sources) - end],
        strict=True,
    )
    will_be |= zip(
        after.targets[start : len(after.targets) - end], after.sources[start : len(after.sources) - end], strict=True
    )
    return Changes(
        removed=[target for target in was if target not in will_be],
        written={target for target, word in will_be.items() if was.get(target) != word},
    )


def _equal_ends(before: Plan, after: Plan) -> tuple[int, int]:
    """How many links at the start, and how many at the end, are the same in both; found by halving."""

    def longest(same: Callable[[int, int], bool], least: int, most: int) -> int:
        known = least
        while known < most:
            middle = (known + most + 1) // 2
            if same(known, middle):
                known = middle
            else:
                most = middle - 1
        return known

    def same_start(known: int, length: int) -> bool:
        return (
            before.targets[known:length] == after.targets[known:length]
            and before.sources[known:length] == after.sources[known:length]
        )

    def same_end(known: int, length: int) -> bool:
        one, two = len(before.targets), len(after.targets)
        return (
            before.targets[one - length : one - known] == after.targets[two - length : two - known]
            and before.sources[one - length : one - known] == after.sources[two - length : two - known]
        )

    shorter = min(len(before.targets), len(after.targets))
    start = longest(same_start, 0, shorter)
    return start, longest(same_end, 0, shorter - start)
