"""Figures as people read them: times, sizes, counts, estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.review.measures import Estimate

_SCALES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def seconds(value: float) -> str:
    """A duration: `0.4 ms`, `3 ms`, `1.2 s`, `4 min`, `2.5 h`."""
    if value < 0.00095:
        return f"{value * 1000:.1f} ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 90:
        return f"{value:.1f} s".replace(".0 ", " ") if value < 9.95 else f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 5400 else f"{value / 3600:.1f} h"


def span(estimate: Estimate) -> str:
    """An estimate with its range: `12 s (9 s to 20 s)`."""
    low, likely, high = map(seconds, (estimate.low, estimate.likely, estimate.high))
    return likely if low == high else f"{likely} ({low} to {high})"


def size(value: float) -> str:
    """Bytes: `820 B`, `1.2 MB`."""
    for scale, letter in _SCALES:
        if value >= scale:
            return f"{value / scale:.1f} {letter}B"
    return f"{value:.0f} B"


def count(value: float) -> str:
    """A number of rows: `950`, `12,000`, `3.4 M`."""
    return f"{value:,.0f}" if value < 1e6 else f"{value / 1e6:.1f} M"


def version(number: int) -> str:
    """A server's version number as its name: `18.6`."""
    return f"{number // 10000}.{number % 10000}"


def plural(number: int, noun: str) -> str:
    """`1 file`, `2 files`, `3 queries`."""
    many = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else many}"
