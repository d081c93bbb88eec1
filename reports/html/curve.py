"""The budget → cost curve as points of an inline SVG."""

from dataclasses import dataclass

from ...analyzer.advise.selection_types import CurvePoint
from ..numbers import figure, plural, size

WIDTH, HEIGHT = 600.0, 180.0
"""Of the drawing, in its own units."""


@dataclass(frozen=True, slots=True)
class DrawnPoint:
    """One budget. x, y: place in the drawing; words: what a reader learns by pointing at it."""

    x: float
    y: float
    words: str


def curve_points(curve: tuple[CurvePoint, ...]) -> list[DrawnPoint]:
    """From an empty set on, by the space really used; points that use the same space are one. The y axis begins at zero."""
    used = {0: CurvePoint(0, 0, 0, 1.0)}
    for point in curve:
        used[point.size_bytes] = point
    most = max(used)
    return [
        DrawnPoint(
            round(WIDTH * one.size_bytes / most, 1) if most else 0.0,
            round(HEIGHT * (1 - min(one.cost, 1.0)), 1),
            f"{size(one.size_bytes)}, {plural(one.indexes, 'index', 'indexes')}: {figure(100 * one.cost)} % of today's cost",
        )
        for _, one in sorted(used.items())
    ]


def curve_line(points: list[DrawnPoint]) -> str:
    """Steps: between two sets nothing is gained until the larger one fits."""
    parts = []
    for number, point in enumerate(points):
        if number:
            parts.append(f"H{point.x}")
        parts.append(f"{'V' if number else f'M{point.x},'}{point.y}")
    return "".join(parts)
