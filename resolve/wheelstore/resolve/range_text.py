"""Sets of a project's versions in words: the shortest specifiers that mean them among the versions there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelstore.resolve.projects import Project

_MOST = 3  # intervals


def range_text(name: str, project: Project, bits: int, besides: int = 0) -> str:
    """``a==1.2``, ``a<2``, ``a>=1,<2``, ``a<1 or a>=3``; `besides` are versions about which nothing is said.

    `name` may have an extra. Versions are spelled as their files do.
    """
    wanted = bits & int(project.known) & ~besides
    said = int(project.known) & ~besides
    if not wanted:
        return f"no version of {name}"
    if wanted == said and said.bit_count() > 1:
        return name
    parts = list(_intervals(name, project, wanted, said))
    if len(parts) > _MOST:
        return f"{wanted.bit_count()} of {said.bit_count()} versions of {name} ({_ends(project, wanted)})"
    return " or ".join(parts)


def _ends(project: Project, bits: int) -> str:
    low, rest = (bits & -bits).bit_length() - 1, bits & bits - 1
    second = (rest & -rest).bit_length() - 1
    return f"{project.version(low)}, {project.version(second)}, … {project.version(bits.bit_length() - 1)}"


def _intervals(name: str, project: Project, wanted: int, said: int) -> Iterator[str]:
    numbers = [number for number in range(said.bit_length()) if said >> number & 1]
    start: int | None = None
    for position, number in enumerate(numbers):
        if not wanted >> number & 1:
            continue
        start = position if start is None else start
        following = numbers[position + 1] if position + 1 < len(numbers) else None
        if following is None or not wanted >> following & 1:
            yield name + _interval(project, numbers, start, position)
            start = None


def _interval(project: Project, numbers: list[int], first: int, last: int) -> str:
    low, high = project.version(numbers[first]), project.version(numbers[last])
    if first == last:
        return f"=={low}"
    above: Version | None = project.version(numbers[last + 1]) if last + 1 < len(numbers) else None
    lower = f">={low}" if first else ""
    if above is None:
        return lower
    is_before = above.base_version == high.base_version or above.is_prerelease
    upper = f"<={high}" if is_before else f"<{above}"
    return f"{lower},{upper}" if lower else upper
