"""The drawing of the rooms: boxes in their layers, an arrow for each import between rooms.

An import that a longer way says, too, is left out: of `review -> preflight -> standard` and
`review -> standard` the second is not drawn. Arrows to one room that pass the same layer share a
lane there.
"""

from __future__ import annotations

import ast
import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from architecture.imports import Imports, edges
from architecture.rooms import LAYERS, layer_of, room_of

MARGIN = 20
BOX, LANE, GAP = 250, 10, 24
BOX_HEIGHT, PITCH = 78, 122
_STYLE = """\
    .bg { fill: #ffffff } .room { fill: #f6f8fa; stroke: #afb8c1 } .name { fill: #1f2328 }
    .soft { fill: #59636e; font-size: 12px } .arrow { stroke: #57606a; fill: none }
    .head { fill: #57606a }
    @media (prefers-color-scheme: dark) {
      .bg { fill: #0d1117 } .room { fill: #151b23; stroke: #3d444d } .name { fill: #f0f6fc }
      .soft { fill: #9198a1 } .arrow { stroke: #9198a1 } .head { fill: #9198a1 }
    }"""

# A room in its layer, or the lane of the arrows to a room that pass this layer.
Spot = tuple[str, int]
Rows = list[list[Spot]]


def draw(sources: Mapping[str, str], imports: Imports) -> str:
    """Draw the rooms of runner, and pyorm beside them.

    Args:
        sources: the text of each module.
        imports: what each module imports of the others.

    Returns:
        An SVG.
    """
    links = {(room_of(module), room_of(imported)) for module, imported in edges(imports)}
    ways = {(a, b): _way(a, b) for a, b in sorted(_needed(links))}
    rows = _ordered(ways.values())
    width = max(map(_room_for, rows))
    places = _placed(rows, ways.values(), width)
    height = _top(len(LAYERS) - 1) + BOX_HEIGHT + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="system-ui, sans-serif" font-size="15">',
        f"  <style>\n{_STYLE}\n  </style>",
        '  <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
        ' orient="auto"><path class="head" d="M0,0 L8,4 L0,8 z"/></marker>',
        f'  <rect class="bg" width="{width}" height="{height}"/>',
        *_arrows(ways, places),
    ]
    for layer, rooms in enumerate(LAYERS):
        for room in rooms:
            parts += _box(room, places[room, layer], layer, _says(f"runner.{room}", sources))
    data_layer = f"{_says('pyorm', sources).partition(':')[0]}. It never imports runner."
    parts += _box("pyorm", width - MARGIN - BOX / 2, 0, data_layer)
    return "\n".join([*parts, "</svg>", ""])


def _needed(links: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The links between different rooms of runner that no longer way replaces."""
    rooms = {room for layer in LAYERS for room in layer}
    links = {(a, b) for a, b in links if a != b and {a, b} <= rooms}
    below: dict[str, set[str]] = {}
    for layer in reversed(LAYERS):
        for room in layer:
            direct = {b for a, b in links if a == room}
            below[room] = direct.union(*(below[b] for b in direct))
    return {(a, b) for a, b in links if all(b not in below[c] for x, c in links if x == a)}


def _way(a: str, b: str) -> list[Spot]:
    return [(a, layer_of(a)), *((b, layer) for layer in range(layer_of(a) + 1, layer_of(b) + 1))]


def _ordered(ways: Iterable[list[Spot]]) -> Rows:
    """The spots of each layer from left to right, those that are joined below each other."""
    rows: Rows = [[(room, number) for room in layer] for number, layer in enumerate(LAYERS)]
    for way in ways:
        for spot in way[1:-1]:
            if spot not in rows[spot[1]]:
                rows[spot[1]].append(spot)
    best, fewest = [list(row) for row in rows], _crossings(rows, ways)
    for turn in range(24):
        down = turn % 2 == 0
        for number in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            near = {spot: at for at, spot in enumerate(rows[number + (-1 if down else 1)])}
            joined = _joined(ways, up=down)
            middle = {
                spot: _mean([near[other] for other in joined.get(spot, ())], at)
                for at, spot in enumerate(rows[number])
            }
            rows[number].sort(key=lambda spot: (middle[spot], spot))
        if (found := _crossings(rows, ways)) < fewest:
            best, fewest = [list(row) for row in rows], found
    return best


def _steps(ways: Iterable[list[Spot]]) -> set[tuple[Spot, Spot]]:
    return {step for way in ways for step in itertools.pairwise(way)}


def _joined(ways: Iterable[list[Spot]], *, up: bool) -> dict[Spot, list[Spot]]:
    found: dict[Spot, list[Spot]] = {}
    for upper, lower in sorted(_steps(ways)):
        found.setdefault(lower if up else upper, []).append(upper if up else lower)
    return found


def _crossings(rows: Rows, ways: Iterable[list[Spot]]) -> int:
    at = {spot: number for row in rows for number, spot in enumerate(row)}
    steps = [(a[1], at[a], at[b]) for a, b in _steps(ways)]
    return sum(
        one[0] == other[0] and one[1] < other[1] and one[2] > other[2]
        for one in steps
        for other in steps
    )


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _room_for(row: list[Spot]) -> int:
    return sum(map(_width, row)) + GAP * (len(row) - 1) + 2 * MARGIN


def _placed(rows: Rows, ways: Iterable[list[Spot]], width: int) -> dict[Spot, float]:
    """The middle of each spot: near those it is joined to, in order, and clear of each other."""
    places: dict[Spot, float] = {}
    for row in rows:
        free = (width - 2 * MARGIN - sum(map(_width, row))) / (len(row) + 1)
        left: float = MARGIN
        for spot in row:
            places[spot] = left + free + _width(spot) / 2
            left += free + _width(spot)
    above, below = _joined(ways, up=True), _joined(ways, up=False)
    for _ in range(60):
        for row in rows:
            wanted = [
                _mean([places[s] for s in (*above.get(spot, ()), *below.get(spot, ()))], width / 2)
                for spot in row
            ]
            for spot, place in zip(row, _apart(row, wanted, width), strict=True):
                places[spot] = place
    return {spot: round(place) for spot, place in places.items()}


def _apart(row: list[Spot], wanted: list[float], width: int) -> list[float]:
    """Places as near to the wanted ones as width and order allow."""
    lows = [wanted[0]]
    for at in range(1, len(row)):
        lows.append(max(wanted[at], lows[-1] + _clear(row[at - 1], row[at])))
    highs = [wanted[-1]]
    for at in range(len(row) - 2, -1, -1):
        highs.insert(0, min(wanted[at], highs[0] - _clear(row[at], row[at + 1])))
    found = [(low + high) / 2 for low, high in zip(lows, highs, strict=True)]
    first, last = row[0], row[-1]
    edge = MARGIN + _width(first) / 2
    for at, spot in enumerate(row):
        edge = edge if at == 0 else edge + _clear(row[at - 1], spot)
        found[at] = max(found[at], edge)
    edge = width - MARGIN - _width(last) / 2
    for at in range(len(row) - 1, -1, -1):
        edge = edge if at == len(row) - 1 else edge - _clear(row[at], row[at + 1])
        found[at] = min(found[at], edge)
    return found


def _width(spot: Spot) -> int:
    return BOX if layer_of(spot[0]) == spot[1] else LANE


def _clear(one: Spot, other: Spot) -> float:
    return (_width(one) + _width(other)) / 2 + GAP


def _arrows(ways: Mapping[tuple[str, str], list[Spot]], places: Mapping[Spot, float]) -> list[str]:
    """Each step once; at a box the steps stand side by side in the order of where they go."""
    steps = sorted(_steps(ways.values()))
    found = []
    for upper, lower in steps:
        leaving = sorted({b for a, b in steps if a == upper}, key=places.__getitem__)
        coming = sorted({a for a, b in steps if b == lower}, key=places.__getitem__)
        x, y = _port(upper, leaving.index(lower), len(leaving), places), _top(upper[1]) + BOX_HEIGHT
        to_x, to_y = _port(lower, coming.index(upper), len(coming), places), _top(lower[1])
        half = (to_y - y) / 2
        path = f"M{x:g},{y:g} C{x:g},{y + half:g} {to_x:g},{to_y - half:g} {to_x:g},{to_y:g}"
        ends = layer_of(lower[0]) == lower[1]
        if not ends:
            path += f" V{to_y + BOX_HEIGHT:g}"
        marker = ' marker-end="url(#head)"' if ends else ""
        found.append(f'  <path class="arrow" d="{path}"{marker}/>')
    return found


def _port(spot: Spot, number: int, count: int, places: Mapping[Spot, float]) -> float:
    if _width(spot) == LANE:
        return places[spot]
    return round(places[spot] + (number - (count - 1) / 2) * min(28, BOX * 0.8 / count))


def _top(layer: int) -> int:
    return MARGIN + layer * PITCH


def _box(room: str, middle: float, layer: int, says: str) -> list[str]:
    left, top = middle - BOX / 2, _top(layer)
    lines = textwrap.wrap(says, 35, max_lines=3, placeholder=" ...")
    return [
        f'  <rect class="room" x="{left:g}" y="{top}" width="{BOX}" height="{BOX_HEIGHT}" rx="6"/>',
        f'  <text class="name" x="{left + 12:g}" y="{top + 21}" font-weight="600">{room}</text>',
        *(
            f'  <text class="soft" x="{left + 12:g}" y="{top + 38 + 15 * n}">{escape(line)}</text>'
            for n, line in enumerate(lines)
        ),
    ]


def _says(package: str, sources: Mapping[str, str]) -> str:
    """The first line of a docstring."""
    text = ast.get_docstring(ast.parse(sources[package])) or ""
    return text.partition("\n")[0].replace("`", "")
