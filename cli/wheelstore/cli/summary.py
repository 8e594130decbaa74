"""The lines that end a sync, in uv's manner. On the warm path."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol, TextIO

    Names = Sequence[tuple[str, str, str]]
else:
    Protocol = object


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
    """Write how many distributions came and went, in how long, and which."""
    stream.write("\n".join(lines(done, seconds, dry_run=dry_run)) + "\n")


def lines(done: Done, seconds: float, *, dry_run: bool) -> list[str]:
    """The text of `tell`, a line an item."""
    took = f"in {seconds * 1000:.0f}ms" if seconds < 1 else f"in {seconds:.2f}s"
    told = []
    for names, done_word, would_word in (
        (done.removed, "Uninstalled", "Would uninstall"),
        (done.added, "Installed", "Would install"),
        (done.repaired, "Repaired", "Would repair"),
    ):
        if names:
            told.append(f"{would_word if dry_run else done_word} {_packages(len(names))} {took}")
    if not told and done.files:
        told.append(f"{'Would put' if dry_run else 'Put'} {done.files} files right {took}")
    if not told:
        told.append(f"Audited {_packages(done.packages)} {took}")
    changes = [
        *((name, version, "-") for name, version, _ in done.removed),
        *((name, version, "+") for name, version, _ in done.added),
        *((name, version, "~") for name, version, _ in done.repaired),
    ]
    told += [f" {sign} {name}=={version}" for name, version, sign in sorted(changes)]
    return told


def _packages(count: int) -> str:
    return f"{count} package{'' if count == 1 else 's'}"
