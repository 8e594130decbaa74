"""Draw the medians as an SVG bar chart that is readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
LABELS = 150  # from the left edge to where bars begin
LONGEST = 480
BAR, GAP, GROUP_GAP, HEADING = 18, 5, 20, 22
TOP = 16

STYLE = """
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #6e7781 }
    .title { font-weight: 600 }
    .value { font-variant-numeric: tabular-nums }
    .store { fill: #2a9d72 }
    .peer { fill: #8b949e }
    @media (prefers-color-scheme: light) { text { fill: #24292f } }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .peer { fill: #6b7580 } }
"""  # the first lines must do on any page: not every renderer knows @media


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One contender: its value and how the value reads."""

    label: str
    value: float
    text: str
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One scenario's bars, to a scale of their own."""

    title: str
    bars: tuple[Bar, ...]


def draw(groups: Sequence[Group]) -> str:
    """The chart. Within a group a bar over three times the first peer's is cut off, with a notch."""
    parts: list[str] = []
    y = TOP
    for group in groups:
        parts.append(f'<text class="title" x="0" y="{y + 13}">{escape(group.title)}</text>')
        y += HEADING
        full = scale(group)
        for bar in group.bars:
            parts += draw_bar(bar, full, y)
            y += BAR + GAP
        y += GROUP_GAP
    height = y - GROUP_GAP + TOP
    summary = escape("; ".join(describe(group) for group in groups))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
            f'     width="{WIDTH}" height="{height}" role="img" aria-labelledby="summary">',
            f'  <title id="summary">{summary}</title>',
            f"  <style>{STYLE}  </style>",
            *(f"  {part}" for part in parts),
            "</svg>",
            "",
        ]
    )


def scale(group: Group) -> float:
    """The value of the longest bar that is drawn in full."""
    peers = [bar.value for bar in group.bars if not bar.ours]
    limit = 3 * peers[0] if peers else float("inf")
    return max(min(bar.value, limit) for bar in group.bars)


def draw_bar(bar: Bar, full: float, y: int) -> list[str]:
    """A label, a bar and a value beside it."""
    cut = bar.value > full
    length = max(2.0, round(LONGEST * min(bar.value / full, 1.0), 1))
    kind = "store" if bar.ours else "peer"
    middle = y + 13.5
    end = LABELS + length
    shape = f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{length:g}" height="{BAR}" rx="2"/>'
    if cut:
        points = f"{LABELS},{y} {end},{y} {end - 8:g},{y + BAR / 2:g} {end},{y + BAR} {LABELS},{y + BAR}"
        shape = f'<polygon class="{kind}" points="{points}"/>'
    return [
        f'<text x="{LABELS - 8}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>',
        shape,
        f'<text class="value" x="{end + 7:g}" y="{middle}">{escape(bar.text)}</text>',
    ]


def describe(group: Group) -> str:
    """A group in words, for those who don't see it."""
    return f"{group.title}: " + ", ".join(f"{bar.label} {bar.text}" for bar in group.bars)
