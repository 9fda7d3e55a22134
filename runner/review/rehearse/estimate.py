"""From measurements at two sizes to a figure at the live size, with the range it leaves open."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runner.review.measures import Estimate


@dataclass(frozen=True)
class Point:
    """A measurement: how many rows there were, and the figure."""

    rows: int
    value: float


def at_size(points: Sequence[Point], rows: int | None) -> Estimate | None:
    """Extrapolate measurements along a straight line.

    The likely figure lies on the line through the means of the smallest and of the largest
    size. The range is what other lines through the measurements give, with a logarithm more for
    the work of sorting at the upper end.

    Args:
        points: measurements at one or more sizes.
        rows: the live size, None when it is not known.

    Returns:
        The figure at the live size; None when it cannot be told.
    """
    if rows is None or not points:
        return None
    small, large = min(p.rows for p in points), max(p.rows for p in points)
    at_small = [p.value for p in points if p.rows == small]
    at_large = [p.value for p in points if p.rows == large]
    spread = Estimate(min(at_large), _mean(at_large), max(at_large))
    if rows <= large or large == 0:
        return spread
    if small == large:
        # One size says nothing about growth: between not at all and in proportion.
        factor = rows / large
        return Estimate(spread.low, spread.likely * factor, spread.high * factor)
    likely = _line(small, _mean(at_small), large, _mean(at_large), rows)
    slowest = _line(small, min(at_small), large, max(at_large), rows)
    fastest = _line(small, max(at_small), large, min(at_large), rows)
    sorting = math.log(rows) / math.log(large) if large > 1 else 1.0
    grown = slowest - spread.high
    return Estimate(
        max(fastest, spread.low),
        max(likely, spread.likely),
        max(spread.high + grown * sorting, spread.likely),
    )


def per_million(points: Sequence[Point]) -> float | None:
    """How much the figure grows for each million rows, None when it does not or cannot be told."""
    small, large = min(p.rows for p in points), max(p.rows for p in points)
    if small == large:
        return None
    rise = _mean([p.value for p in points if p.rows == large]) - _mean(
        [p.value for p in points if p.rows == small]
    )
    return rise / (large - small) * 1_000_000 if rise > 0 else None


def total(estimates: Sequence[Estimate | None]) -> Estimate | None:
    """The sum; None when a part is not known."""
    known = [e for e in estimates if e is not None]
    if len(known) < len(estimates):
        return None
    return Estimate(
        sum(e.low for e in known), sum(e.likely for e in known), sum(e.high for e in known)
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _line(x1: int, y1: float, x2: int, y2: float, x: int) -> float:
    return y2 + (y2 - y1) / (x2 - x1) * (x - x2)
