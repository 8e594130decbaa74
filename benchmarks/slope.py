"""A straight line through measurements (least squares)."""

from __future__ import annotations

from collections.abc import Sequence


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How much y grows with x. At least two different x are needed; ZeroDivisionError otherwise."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    along = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return along / sum((x - mean_x) ** 2 for x, _ in points)
