"""Records a command in a terminal as one animated SVG: `python -m support.recording FILE COMMAND`.

What is drawn is what the command wrote, at twice the speed. The picture is a strip of all screens
that stands still at each for as long as it was seen; it needs no script, so it moves on GitHub too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from itertools import groupby, pairwise
from pathlib import Path

import pyte

from support.terminal import Session, run

COLUMNS, LINES = 80, 24
SPEED = 2.0
STEP = 0.25  # seconds of the recording between two screens at least
LAST = 8.0  # seconds for which the last screen stays
WIDE, HIGH = 8.0, 18
EDGE = 16
COLORS = {"red": "#f85149", "green": "#3fb950", "brown": "#d29922", "cyan": "#39c5cf"}

Screen = tuple[str, ...]  # each line as SVG


def screens(session: Session) -> Iterator[tuple[float, Screen]]:
    """What was to be seen from which second on."""
    screen = pyte.Screen(session.columns, session.lines)
    stream = pyte.ByteStream(screen)
    shown, due = None, 0.0
    for second, data in session.output:
        stream.feed(data)
        if second / SPEED < due:
            continue
        now = draw(screen)
        if now != shown:
            yield second / SPEED, now
            shown, due = now, second / SPEED + STEP
    yield session.output[-1][0] / SPEED + STEP, draw(screen)


def draw(screen: pyte.Screen) -> Screen:
    lines = []
    for number in range(screen.lines):
        row = [screen.buffer[number][column] for column in range(screen.columns)]
        parts = []
        column = 0
        for style, group in groupby(row, key=lambda cell: (cell.fg, cell.bold)):
            text = "".join(cell.data for cell in group)
            if text.strip():
                left = column + len(text) - len(text.lstrip())
                parts.append(span(text.strip(), left, *style))
            column += len(text)
        lines.append("".join(parts))
    return tuple(lines)


def span(text: str, column: int, color: str, bold: bool) -> str:
    fill = COLORS.get(color, f"#{color}" if len(color) == 6 and color != "default" else "")
    style = (f' fill="{fill}"' if fill else "") + (' font-weight="700"' if bold else "")
    return (
        f'<tspan x="{column * WIDE:g}" textLength="{len(text) * WIDE:g}"{style}>'
        f"{escape(text, quote=False)}</tspan>"
    )


def picture(session: Session, title: str) -> str:
    """The recording as SVG."""
    found = list(screens(session))
    end = found[-1][0] + LAST
    known: dict[str, str] = {}
    frames, stops = [], []
    width, height = session.columns * WIDE + 2 * EDGE, session.lines * HIGH + 2 * EDGE
    for number, ((begun, screen), (until, _)) in enumerate(pairwise([*found, (end, ())])):
        uses = []
        for line, content in enumerate(screen):
            if content:
                name = known.setdefault(content, f"l{len(known)}")
                uses.append(f'<use href="#{name}" y="{(line + 1) * HIGH}"/>')
        frames.append(f'<g transform="translate({number * width:g})">{"".join(uses)}</g>')
        stops += [
            f"{begun / end:.3%},{until / end:.3%}{{transform:translateX({-number * width:g}px)}}"
        ]
    lines = "".join(f'<text id="{name}">{content}</text>' for content, name in known.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}" role="img" aria-label="{escape(title)}">\n'
        f"<style>text{{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#c9d1d9;"
        f"white-space:pre}}#strip{{animation:strip {end:.1f}s step-end infinite}}\n"
        f"@keyframes strip{{{''.join(stops)}}}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n<defs>{lines}</defs>\n'
        f'<svg x="{EDGE}" y="{EDGE - 4}" width="{session.columns * WIDE:g}"'
        f' height="{session.lines * HIGH + 8}"><g id="strip">\n'
        + "\n".join(frames)
        + "\n</g></svg></svg>\n"
    )


if __name__ == "__main__":
    target, *command = sys.argv[1:]
    recorded = run(command, columns=COLUMNS, lines=LINES)
    if recorded.exit_code != 0:
        sys.exit("\n".join(recorded.seen()).strip())
    Path(target).write_text(picture(recorded, f"A recording of: {' '.join(command)}"), "utf-8")
