"""The old and the new contract side by side, as SVG with the changed columns marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup, escape

from runner.review.figures import plural
from runner.review.measures import ContractColumn, ContractTable

WIDTH = 1160
_LEFT, _RIGHT, _OLD_WIDTH, _NEW_WIDTH = 40, 534, 396, 586
_ROW, _HEAD, _GAP, _TOP = 26, 34, 22, 34
_TYPE_AT, _GUARD_AT = 150, 270
_NAME_LETTER, _COLUMN_LETTER, _TYPE_LETTER, _GUARD_LETTER = 9.1, 7.9, 7.6, 8.0  # at most, in px
_LANES, _LANE = 5, 6.5  # of the lines of foreign keys, at the outer edges
_SHORT = (
    (re.compile(r"character varying"), "varchar"),
    (re.compile(r"timestamp with time zone"), "timestamptz"),
    (re.compile(r"timestamp without time zone"), "timestamp"),
    (re.compile(r"double precision"), "float8"),
)


@dataclass(frozen=True)
class Row:
    """One line of a table on both sides; None where a side does not have it."""

    old: ContractColumn | None
    new: ContractColumn | None

    @property
    def kind(self) -> str:
        """changed, renamed, added, removed or same."""
        if self.old is None:
            return "added"
        if self.new is None:
            return "removed"
        if self.old == self.new:
            return "same"
        return "renamed" if replace(self.old, name=self.new.name) == self.new else "changed"

    @property
    def named_anew(self) -> bool:
        """Whether it is the same column under another name, whatever else changed."""
        return bool(self.old and self.new and self.old.name != self.new.name)


@dataclass(frozen=True)
class Pair:
    """A table before and after; None where a side does not have it."""

    old: ContractTable | None
    new: ContractTable | None
    rows: tuple[Row, ...]

    @property
    def renamed(self) -> bool:
        """Whether it is the same table under another name."""
        return bool(self.old and self.new and self.old.name != self.new.name)

    @property
    def unchanged(self) -> list[str]:
        """Names of the columns that stay as they are."""
        return [row.old.name for row in self.rows if row.kind == "same" and row.old]

    @property
    def marked(self) -> list[Row]:
        """The rows to show: all that change."""
        return [row for row in self.rows if row.kind != "same"]


def pairs(before: Sequence[ContractTable], after: Sequence[ContractTable]) -> list[Pair]:
    """Find for each table what became of it: the same table keeps its oid under any name."""
    new_by_oid = {table.oid: table for table in after}
    new_by_name = {table.name: table for table in after}
    found, taken = [], set()
    for old in before:
        new = new_by_oid.get(old.oid) or new_by_name.get(old.name)
        if new is not None:
            taken.add(new.oid)
        found.append(Pair(old, new, _rows(old, new)))
    found += [Pair(None, new, _rows(None, new)) for new in after if new.oid not in taken]
    return found


def summary(found: Sequence[Pair]) -> str:
    """What changes, in one sentence for people who do not see the diagram."""
    renamed = [p for p in found if p.renamed]
    renames = sum(row.kind == "renamed" for p in found for row in p.rows)
    changed = sum(row.kind == "changed" for p in found for row in p.rows)
    added = sum(row.kind == "added" for p in found for row in p.rows)
    removed = sum(row.kind == "removed" for p in found for row in p.rows)
    tables = sum(pair.old is not None for pair in found)
    parts = [
        f"{len(renamed)} of {plural(tables, 'table')} {'gets' if len(renamed) == 1 else 'get'}"
        " a new name",
        f"{plural(changed, 'column')} {'changes' if changed == 1 else 'change'}",
    ]
    if renames:
        parts.append(f"{plural(renames, 'column')} {'gets' if renames == 1 else 'get'} a new name")
    parts += [f"{added} {'is' if added == 1 else 'are'} added"] if added else []
    parts += [f"{removed} {'is' if removed == 1 else 'are'} removed"] if removed else []
    return ", ".join(parts)


def draw(found: Sequence[Pair]) -> Markup:
    """The diagram.

    Args:
        found: of `pairs`.

    Returns:
        An SVG element whose colours are classes of the report's style sheet.
    """
    body: list[Markup] = []
    places: dict[int, int] = {}  # y of each pair, by its index
    y = _TOP
    for index, pair in enumerate(found):
        places[index] = y
        height = _height(pair)
        body += _pair(pair, y, height, _names(found))
        y += height + _GAP
    for right in (False, True):
        body += _foreign_keys(found, places, right=right)
    heads = _text(_LEFT + 2, 18, "old contract", "side") + _text(
        _RIGHT + 2, 18, "new contract", "side"
    )
    label = escape(f"Old and new contract: {summary(found)}")
    return Markup(
        '<svg class="contract" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>'
    ).format(WIDTH, y - _GAP + 4, label, heads, Markup("").join(body))


def _names(found: Sequence[Pair]) -> tuple[dict[int, str], dict[int, str]]:
    """The tables' names by oid, on either side."""
    return (
        {pair.old.oid: pair.old.name for pair in found if pair.old},
        {pair.new.oid: pair.new.name for pair in found if pair.new},
    )


def _foreign_keys(
    found: Sequence[Pair], places: Mapping[int, int], *, right: bool
) -> Iterator[Markup]:
    """A line from each column to the table that its foreign key points to."""
    sides = [pair.new if right else pair.old for pair in found]
    heads = {table.oid: places[i] + 17 for i, table in enumerate(sides) if table}
    names = {table.oid: table.name for table in sides if table}
    lines: dict[tuple[int, int], list[str]] = {}
    for index, (pair, table) in enumerate(zip(found, sides, strict=True)):
        for column in table.columns if table else ():
            if table and column.references in heads:
                begin = places[index] + _HEAD + _row_of(pair, column, right=right)
                title = f"{table.name}.{column.name} references {names[column.references]}"
                lines.setdefault((begin, heads[column.references]), []).append(title)
    edge, way = (_RIGHT + _NEW_WIDTH, 1) if right else (_LEFT, -1)
    for number, ((begin, end), titles) in enumerate(sorted(lines.items())):
        lane = edge + way * (10 + _LANE * (number % _LANES))
        yield Markup(
            '<g class="fk"><title>{}</title><path d="M{} {}H{:.1f}V{}H{}"/>'
            '<circle cx="{}" cy="{}" r="2.5"/><path d="M{} {}l{} -4m{} 4l{} 4"/></g>'
        ).format(
            "\n".join(titles),
            *(edge, begin, lane, end, edge),
            *(edge, begin),
            *(edge, end, way * 6, -way * 6, way * 6),
        )


def _row_of(pair: Pair, column: ContractColumn, *, right: bool) -> int:
    """How far below its table's head a column stands: all that stay the same share a line."""
    marked = [row.new if right else row.old for row in pair.marked]
    index = next((i for i, found in enumerate(marked) if found is column), len(marked))
    return index * _ROW + _ROW // 2


def short_type(name: str) -> str:
    """A type's name as people write it: varchar, timestamptz."""
    for pattern, short in _SHORT:
        name = pattern.sub(short, name)
    return name


def _rows(old: ContractTable | None, new: ContractTable | None) -> tuple[Row, ...]:
    left = {column.name: column for column in (new.columns if new else ())}
    same = {c.name: left.pop(c.name) for c in (old.columns if old else ()) if c.name in left}
    # What is left on both sides with one number is one column under two names.
    numbers = {c.number: c for c in left.values() if c.number} if old and new else {}
    if old and new and old.oid != new.oid:
        numbers = {}
    rows = []
    for column in old.columns if old else ():
        found = same.get(column.name) or numbers.pop(column.number, None)
        if found is not None:
            left.pop(found.name, None)
        rows.append(Row(column, found))
    return (*rows, *(Row(None, column) for column in left.values()))


def _height(pair: Pair) -> int:
    return _HEAD + _ROW * (len(pair.marked) + bool(pair.unchanged)) + 6


def _pair(
    pair: Pair, y: int, height: int, names: tuple[Mapping[int, str], Mapping[int, str]]
) -> Iterator[Markup]:
    sides = ((pair.old, _LEFT, _OLD_WIDTH), (pair.new, _RIGHT, _NEW_WIDTH))
    for table, x, width in sides:
        if table is not None:
            yield Markup(
                '<rect class="table" x="{}" y="{}" width="{}" height="{}" rx="8"/>'
            ).format(x + 0.5, y + 0.5, width - 1, height - 1)
            kind = "name renamed" if pair.renamed else "name"
            yield _fitted(x + 14, y + 23, table.name, kind, (width - 28) / _NAME_LETTER)
    if pair.old and pair.new:
        yield from _arrow(y + 18, "changed" if pair.renamed else "same", renamed=pair.renamed)
    row_y = y + _HEAD
    for row in pair.marked:
        for column, (_, x, width), known in zip((row.old, row.new), sides, names, strict=True):
            if column is not None:
                yield from _column(column, row.kind, x, row_y, width, known)
        if row.old and row.new:
            yield from _arrow(row_y + _ROW // 2, "changed", renamed=row.named_anew)
        row_y += _ROW
    if pair.unchanged:
        words = f"{plural(len(pair.unchanged), 'column')} unchanged"
        title = Markup("<title>{}</title>").format(", ".join(pair.unchanged))
        for table, x, _ in sides:
            if table is not None:
                yield Markup("<g>{}{}</g>").format(title, _text(x + 14, row_y + 17, words, "rest"))


def _column(
    column: ContractColumn, kind: str, x: int, y: int, width: int, names: Mapping[int, str]
) -> Iterator[Markup]:
    yield Markup('<rect class="row {}" x="{}" y="{}" width="{}" height="{}" rx="4"/>').format(
        kind, x + 6, y + 1, width - 12, _ROW - 3
    )
    name = "key column" if column.key else "column"
    yield _fitted(x + 14, y + 17, column.name, name, (_TYPE_AT - 22) / _COLUMN_LETTER)
    room = (_GUARD_AT - _TYPE_AT - 8) / _TYPE_LETTER
    yield _fitted(x + _TYPE_AT, y + 17, short_type(column.type), "type", room)
    target = names.get(column.references)
    guard = "; ".join(filter(None, (column.guard, f"→ {target}" if target else "")))
    if guard:
        room = (width - _GUARD_AT - 14) / _GUARD_LETTER
        yield _fitted(x + _GUARD_AT, y + 17, guard, "guard", room)


def _arrow(y: int, kind: str, *, renamed: bool) -> Iterator[Markup]:
    begin, end = _LEFT + _OLD_WIDTH + 8, _RIGHT - 8
    if renamed:
        yield Markup('<text class="renames" x="{}" y="{}">renamed</text>').format(
            (begin + end) // 2, y - 5
        )
    yield Markup('<path class="arrow {}" d="M{} {}H{}m-6 -4l6 4l-6 4"/>').format(
        kind, begin, y, end
    )


def _fitted(x: float, y: float, text: str, kind: str, letters: float) -> Markup:
    """A text that is cut where it would run into its neighbour; the whole is its title."""
    if len(text) <= letters:
        return _text(x, y, text, kind)
    cut = text[: int(letters) - 1] + "…"
    return Markup("<g><title>{}</title>{}</g>").format(text, _text(x, y, cut, kind))


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, x, y, text)
