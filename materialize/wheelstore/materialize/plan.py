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
    from collections.abc import Iterable, Sequence

_MAGIC = "wheelstore-plan-2"
_MAGIC_WITH_LIFTS = "wheelstore-plan-3"  # one section more
_STEPS = (1 << 16, 1 << 10)  # characters that are counted through at a time


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


class Lift(NamedTuple):
    """A ``.pth`` (or PEP 829 ``.start``) file that lets a layered environment see `site` in the image `image`.

    Without a `source`, the one that adds the directory itself; else what the image has there as the blob `source`,
    which is not processed where it is.
    """

    target: str
    source: str
    site: str
    image: str


class Distribution(NamedTuple):
    """One installed distribution: normalized name, version, and its dist-info directory in the environment."""

    name: str
    version: str
    dist_info: str


class Plan:
    """The content of one environment. Equal when everything in it is.

    `directories` are sorted, parents first; `counts` says how many of `links` lie directly in each, and links follow
    the order of `directories`, so that a run of directories and a run of links can be made together. A link is a
    target and the source of the same position.

    The long lists stay the text that they came as until somebody asks for them: to change one distribution of many
    takes a look at a few of their lines.
    """

    __slots__ = ("_lists", "_texts", "distributions", "lifts", "records", "scripts")

    def __init__(
        self,
        texts: tuple[str, str, str, str],
        scripts: list[Script],
        records: list[Record],
        distributions: list[Distribution],
        lifts: list[Lift] | None = None,
    ) -> None:
        """`texts` are `directories`, `counts`, `targets` and `sources`, an item a line.

        With `lifts`, the `distributions` are not in the environment itself, but in the image that these lead to.
        """
        self._texts = texts
        self._lists: dict[int, list[str]] = {}
        self.scripts, self.records, self.distributions, self.lifts = scripts, records, distributions, lifts or []

    def _list(self, number: int) -> list[str]:
        if number not in self._lists:
            text = self._texts[number]
            self._lists[number] = text[:-1].split("\n") if text else []
        return self._lists[number]

    @property
    def directories(self) -> list[str]:
        """Every directory, relative to the environment; the first is the environment itself."""
        return self._list(0)

    @property
    def counts(self) -> list[int]:
        """How many links lie directly in each directory."""
        return [*map(int, self._list(1))]

    @property
    def targets(self) -> list[str]:
        """Where each link is."""
        return self._list(2)

    @property
    def sources(self) -> list[str]:
        """What each link is made from."""
        return self._list(3)

    @property
    def texts(self) -> tuple[str, str, str, str]:
        """The long lists as text, each item with a newline at its end."""
        return self._texts

    def _content(self) -> tuple[object, ...]:
        return self._texts, self.scripts, self.records, self.distributions, self.lifts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]

    def items(self) -> dict[str, str]:
        """Every file of the plan by target, with a word that changes when its content does."""
        return dict(zip(self.targets, self.sources, strict=True)) | self.generated()

    def generated(self) -> dict[str, str]:
        """The part of `items` that is no links: scripts, the RECORDs that list them, and what leads to an image."""
        items: dict[str, str] = {}
        for script in self.scripts:
            items[script.target] = "script\t" + "\t".join(map(str, script[1:]))
        for record in self.records:
            items[record.target] = f"record\t{record.source}\t" + "\t".join(record.scripts)
        for lift in self.lifts:
            items[lift.target] = "lift\t" + "\t".join(lift[1:])
        return items


def make_plan(
    links: Iterable[Link],
    scripts: Iterable[Script],
    records: Iterable[Record],
    distributions: Iterable[Distribution],
    *,
    directories: Iterable[str] = (),
    lifts: Iterable[Lift] = (),
) -> Plan:
    """Order everything; add the parents of every file, and the further `directories`."""
    ordered_scripts, ordered_records, ordered_lifts = sorted(scripts), sorted(records), sorted(lifts)
    by_directory: dict[str, list[Link]] = {}
    for link in links:
        by_directory.setdefault(link.target.rpartition("/")[0], []).append(link)
    wanted: set[str] = set()
    written = [script.target for script in ordered_scripts]
    written += [record.target for record in ordered_records]
    written += [lift.target for lift in ordered_lifts]
    parents = [target.rpartition("/")[0] for target in written]
    for directory in (*by_directory, *parents, *directories):
        while directory and directory not in wanted:
            wanted.add(directory)
            directory = directory.rpartition("/")[0]
    ordered = ["", *sorted(wanted)]
    runs = [sorted(by_directory.get(directory, ())) for directory in ordered]
    lists: tuple[Iterable[str], ...] = (
        ordered,
        [str(len(run)) for run in runs],
        [link.target for run in runs for link in run],
        [link.source for run in runs for link in run],
    )
    directories_text, counts, targets, sources = ("".join(f"{item}\n" for item in items) for items in lists)
    texts = directories_text, counts, targets, sources
    return Plan(texts, ordered_scripts, ordered_records, sorted(distributions), ordered_lifts)


def pack(plan: Plan) -> bytes:
    """The plan as text: a header with the length of each section in characters, then a line an item.

    The fields of scripts, records, distributions and lifts are separated by tabs.
    """
    small: tuple[list[str], ...] = (
        ["\t".join((*script[:4], "gui" if script.gui else "")) for script in plan.scripts],
        ["\t".join((record.target, record.source, *record.scripts)) for record in plan.records],
        ["\t".join(distribution) for distribution in plan.distributions],
    )
    if plan.lifts:
        small = (*small, ["\t".join(lift) for lift in plan.lifts])
    sections = (*plan.texts, *("".join(f"{line}\n" for line in lines) for lines in small))
    header = " ".join((_MAGIC_WITH_LIFTS if plan.lifts else _MAGIC, *(str(len(section)) for section in sections)))
    return "\n".join((header, "".join(sections))).encode()


def unpack(packed: bytes) -> Plan:
    """The inverse of `pack`.

    Raises:
        PlanDamaged: another version's format, or not a plan.
    """
    header, _, body = packed.decode().partition("\n")
    magic, *lengths = header.split(" ")
    expected = {_MAGIC: 7, _MAGIC_WITH_LIFTS: 8}.get(magic)
    if len(lengths) != expected or sum(map(int, lengths)) != len(body):
        raise PlanDamaged
    sections = []
    at = 0
    for length in map(int, lengths):
        sections.append(body[at : at + length])
        at += length
    directories, counts, targets, sources, *small = sections
    scripts, records, distributions, *lifts = ([line.split("\t") for line in text.splitlines()] for text in small)
    return Plan(
        (directories, counts, targets, sources),
        [_script(fields) for fields in scripts],
        [_record(fields) for fields in records],
        [Distribution(*fields) for fields in distributions],
        [Lift(*fields) for fields in lifts[0]] if lifts else None,
    )


def _script(fields: list[str]) -> Script:
    target, module, attribute, source, gui = fields
    return Script(target, module, attribute, source, gui == "gui")


def _record(fields: list[str]) -> Record:
    return Record(fields[0], fields[1], tuple(fields[2:]))


class Changes(NamedTuple):
    """How one set of files becomes another: targets to remove, targets to make or replace, and links among these."""

    removed: list[str]
    written: set[str]
    links: dict[str, str]


def changes(before: Plan, after: Plan) -> Changes:
    """What differs between two plans.

    Both lists of links are in one order, and a change of one distribution differs in one run; so only the lines
    between the equal beginning and the equal end are looked at.
    """
    links_before, links = _middles(before, after)
    was, will_be = links_before | before.generated(), links | after.generated()
    written = {target for target, word in will_be.items() if was.get(target) != word}
    return Changes(
        removed=[target for target in was if target not in will_be],
        written=written,
        links={target: source for target, source in links.items() if target in written},
    )


def links_among(plan: Plan, targets: set[str]) -> dict[str, str]:
    """The links of `plan` that make some of `targets`."""
    pairs = zip(plan.targets, plan.sources, strict=True)
    return {target: source for target, source in pairs if target in targets}


def _middles(before: Plan, after: Plan) -> tuple[dict[str, str], dict[str, str]]:
    """The links of both, less the run at the start and the run at the end that are the same in both."""
    old: Sequence[str] = before.texts[2:]
    new: Sequence[str] = after.texts[2:]
    first = min(_lines_in_common(one, two) for one, two in zip(old, new, strict=True))
    old, new = [_after_lines(text, first) for text in old], [_after_lines(text, first) for text in new]
    last = min(_lines_in_common(one, two, backwards=True) for one, two in zip(old, new, strict=True))
    return _linked(old, last), _linked(new, last)


def _lines_in_common(one: str, two: str, *, backwards: bool = False) -> int:
    """How many whole lines two texts begin (or end) with alike; found by halving, which compares by the megabyte."""
    known, most = 0, min(len(one), len(two))
    while known < most:
        middle = (known + most + 1) // 2
        if backwards:
            same = one[len(one) - middle : len(one) - known] == two[len(two) - middle : len(two) - known]
        else:
            same = one[known:middle] == two[known:middle]
        if same:
            known = middle
        else:
            most = middle - 1
    if not backwards:
        return one.count("\n", 0, known)
    # Of what is equal at the end, the first newline may end a line that is only half equal.
    return max(one.count("\n", len(one) - known) - 1, 0)


def _after_lines(text: str, lines: int) -> str:
    """`text` without its first `lines` lines."""
    at = 0
    for step in _STEPS:
        while (passed := text.count("\n", at, at + step)) < lines:
            lines -= passed
            at += step
    for _ in range(lines):
        at = text.index("\n", at) + 1
    return text[at:]


def _before_lines(text: str, lines: int) -> str:
    """`text` without its last `lines` lines."""
    end = len(text)
    for step in _STEPS:
        while (passed := text.count("\n", max(end - step, 0), end)) < lines:
            lines -= passed
            end = max(end - step, 0)
    for _ in range(lines):
        end = text.rindex("\n", 0, end)
    # Now before the newline of the first line that goes: the line itself goes too.
    return text[: text.rfind("\n", 0, end) + 1] if lines else text[:end]


def _linked(rest: Sequence[str], last: int) -> dict[str, str]:
    targets, sources = (_before_lines(text, last).split("\n")[:-1] for text in rest)
    return dict(zip(targets, sources, strict=True))
