"""`python -m bench.plot FILE... > docs/benchmarks.svg`: each bar of BENCH_JSON files as one bar.

`python -m bench.plot --curves growth FILE > docs/growth.svg`: the curves of one of their plots.
"""

from __future__ import annotations

import argparse
import json
import sys
from html import escape
from pathlib import Path
from typing import Any

ROW, LEFT, WIDTH = 26, 430, 320
MOST = 2.0  # of a bar; longer ones are cut
RIM = 'stroke="#fff" stroke-width="5" paint-order="stroke"'


def used(line: dict[str, Any]) -> float | None:
    """How much of its bar a figure uses: 1 is the bar, less is better."""
    measured, bar = line["measured"], line["bar"]
    if not bar or line["sign"] not in ("<=", ">="):
        return None
    share = measured / bar if line["sign"] == "<=" else bar / max(measured, 1e-9)
    return float(min(max(share, 0.0), MOST))


def svg(lines: list[dict[str, Any]]) -> str:
    """The chart; colours that read on light and dark."""
    shown = [(line, share) for line in lines if (share := used(line)) is not None]
    height = ROW * len(shown) + 60
    scale = WIDTH / MOST
    bar = LEFT + scale
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 130} {height}"'
        ' font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" fill="#444">share of the bar that is used: shorter is better'
        "</text>",
        f'<line x1="{bar}" y1="28" x2="{bar}" y2="{height - 22}" stroke="#444"'
        ' stroke-dasharray="4 3"/>',  # below the labels, which have a rim against it
    ]
    for place, (line, share) in enumerate(shown):
        y = 34 + place * ROW
        colour = "#2f7d4f" if line["passed"] else "#b5472f"
        value = f"{line['measured']:.3g} {line['unit']}".strip()
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(line["name"])}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{share * scale:.1f}" height="17" fill="{colour}"/>',
            f'<text x="{LEFT + share * scale + 6:.1f}" y="{y + 13}" {RIM}>{escape(value)}'
            f" ({line['sign'].replace('<=', '≤').replace('>=', '≥')} {line['bar']:g})</text>",
        ]
    parts.append(f'<text x="{bar}" y="{height - 8}" text-anchor="middle">the bar</text></svg>')
    return "\n".join(parts) + "\n"


PANEL, GAP, WIDE = 110, 46, 620  # of a curve's panel
MARGIN = 70


def curves(found: list[dict[str, Any]]) -> str:
    """A panel for each curve, one below the other, each from 0."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE + 2 * MARGIN}'
        f' {len(found) * (PANEL + GAP) + 30}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    most_x = max(x for curve in found for x, _ in curve["points"])
    for place, curve in enumerate(found):
        top = 30 + place * (PANEL + GAP)
        most_y = max(y for _, y in curve["points"]) * 1.1 or 1.0
        at = [
            (MARGIN + x / most_x * WIDE, top + PANEL - y / most_y * PANEL)
            for x, y in curve["points"]
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        bottom = top + PANEL
        parts += [
            f'<text x="{MARGIN}" y="{top - 8}" fill="#444">{escape(curve["name"])}</text>',
            f'<polyline points="{MARGIN},{top} {MARGIN},{bottom} {MARGIN + WIDE},{bottom}"'
            ' fill="none" stroke="#999"/>',
            f'<polyline points="{line}" fill="none" stroke="#2f5f9e" stroke-width="2"/>',
            f'<text x="{MARGIN - 6}" y="{bottom + 4}" text-anchor="end" fill="#444">0</text>',
            f'<text x="{MARGIN - 6}" y="{top + 10}" text-anchor="end" fill="#444">'
            f"{most_y:,.0f}</text>",
            f'<text x="{MARGIN + WIDE}" y="{bottom + 16}" text-anchor="end" fill="#444">'
            f"{most_x:,.0f} {escape(curve['along'])}</text>",
        ]
        for x, what in curve["marks"]:
            left = MARGIN + x / most_x * WIDE
            parts += [
                f'<line x1="{left:.1f}" y1="{top}" x2="{left:.1f}" y2="{bottom}" stroke="#999"'
                ' stroke-dasharray="3 3"/>',
                f'<text x="{left + 3:.1f}" y="{top + 10}" font-size="10" fill="#444" {RIM}>'
                f"{escape(what)}</text>",
            ]
        if len(at) <= MARKED:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#2f5f9e"/>' for x, y in at]
    return "\n".join([*parts, "</svg>"]) + "\n"


MARKED = 20  # points that are marked one by one


def main() -> None:
    """Draw what the command line asks for."""
    asked = argparse.ArgumentParser(prog="python -m bench.plot")
    asked.add_argument("--curves", metavar="PLOT")
    asked.add_argument("files", nargs="+", type=Path)
    given = asked.parse_args()
    read = [json.loads(path.read_text("utf-8")) for path in given.files]
    if given.curves:
        drawn = [c for content in read for c in content["curves"] if c["plot"] == given.curves]
        sys.stdout.write(curves(drawn))
    else:
        sys.stdout.write(svg([line for content in read for line in content["lines"]]))


if __name__ == "__main__":
    main()
