"""`python -m bench.plot FILE... > docs/benchmarks.svg`: each bar of BENCH_JSON files as one bar."""

from __future__ import annotations

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


if __name__ == "__main__":
    found = [line for name in sys.argv[1:] for line in json.loads(Path(name).read_text())["lines"]]
    sys.stdout.write(svg(found))
