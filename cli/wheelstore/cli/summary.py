"""The lines that end a sync, in uv's manner. On the warm path."""

from __future__ import annotations

from wheelstore.cli.colors import Palette, palette_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol, TextIO

    from wheelstore.cli.registering import Goal
    from wheelstore.materialize.sync import Outcome

    Names = Sequence[tuple[str, str, str]]
else:
    Protocol = object

_PLAIN = Palette(on=False)


class Done(Protocol):
    """What there is to tell of a sync; distributions are (name, version, dist-info)."""

    @property
    def packages(self) -> int: ...  # noqa: D102
    @property
    def added(self) -> Names: ...  # noqa: D102
    @property
    def removed(self) -> Names: ...  # noqa: D102
    @property
    def repaired(self) -> Names: ...  # noqa: D102
    @property
    def files(self) -> int: ...  # noqa: D102


def tell(stream: TextIO, done: Done, seconds: float, *, dry_run: bool) -> None:
    """Write how many distributions came and went, in how long, and which; in colour on a terminal."""
    stream.write("\n".join(lines(done, seconds, dry_run=dry_run, palette=palette_for(stream))) + "\n")


def lines(done: Done, seconds: float, *, dry_run: bool, palette: Palette = _PLAIN) -> list[str]:
    """The text of `tell`, a line an item."""
    took = f"in {duration(seconds)}"

    def line(verb: str, what: str, rest: str = took) -> str:
        return f"{palette.paint(verb, 'dim')} {palette.paint(what, 'bold')} {palette.paint(rest, 'dim')}"

    told = []
    for names, done_word, would_word in (
        (done.removed, "Uninstalled", "Would uninstall"),
        (done.added, "Installed", "Would install"),
        (done.repaired, "Repaired", "Would repair"),
    ):
        if names:
            told.append(line(would_word if dry_run else done_word, counted(len(names), "package")))
    if not told and done.files:
        told.append(line("Would put" if dry_run else "Put", counted(done.files, "file"), f"right {took}"))
    if not told:
        told.append(line("Audited", counted(done.packages, "package")))
    return told + changes(done, palette=palette)


def changes(done: Done, *, palette: Palette = _PLAIN) -> list[str]:
    """One line for each distribution that came, went or was repaired, by name."""
    paint = palette.paint
    changed = [
        *((name, version, "-", "red") for name, version, _ in done.removed),
        *((name, version, "+", "green") for name, version, _ in done.added),
        *((name, version, "~", "yellow") for name, version, _ in done.repaired),
    ]
    return [
        f" {paint(sign, color)} {paint(name, 'bold')}{paint(f'=={version}', 'dim')}"
        for name, version, sign, color in sorted(changed)
    ]


def outcome_json(environment: str, goal: Goal, outcome: Outcome, seconds: float, *, dry_run: bool) -> dict[str, object]:
    """What was done to an environment, for ``--json``."""

    def listed(distributions: Names) -> list[dict[str, str]]:
        return [{"name": name, "version": version} for name, version, _ in distributions]

    return {
        "environment": environment,
        "python": goal.interpreter.version,
        "manifest": goal.manifest,
        "dry_run": dry_run,
        "packages": len(goal.plan.distributions),
        "added": listed(outcome.added),
        "removed": listed(outcome.removed),
        "repaired": listed(outcome.repaired),
        "files": outcome.files,
        "seconds": round(seconds, 4),
    }


def duration(seconds: float) -> str:
    """A time as people read it: ``85ms``, ``1.52s``."""
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.2f}s"


def counted(count: int, noun: str) -> str:
    """``1 package``, ``2 packages``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def added_line(sizes: Sequence[int], present: int, seconds: float, *, palette: Palette = _PLAIN) -> str:
    """The line that ends an add: ``Added 3 wheels (12.3 MB) in 85ms; 93 were there``."""
    there = f"; {present} {'was' if present == 1 else 'were'} there" if present else ""
    if not sizes and present:
        audited = palette.paint(counted(present, "wheel"), "bold")
        return f"Audited {audited} in {duration(seconds)}; {'it was' if present == 1 else 'all were'} there"
    what = palette.paint(counted(len(sizes), "wheel"), "bold")
    return f"Added {what} ({size_text(sum(sizes))}) in {duration(seconds)}{there}"


def size_text(size: int) -> str:
    """Bytes as people read them: ``512 B``, ``1.5 MB``."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"
