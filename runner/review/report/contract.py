"""The old and the new contract side by side, as SVG with the changed columns marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from runner.review.figures import plural
from runner.review.measures import ContractColumn, ContractTable

WIDTH = 1120
_LEFT, _RIGHT, _OLD_WIDTH, _NEW_WIDTH = 0, 500, 400, 620
_ROW, _HEAD, _GAP, _TOP = 26, 34, 22, 34
_TYPE_AT = 150
_GUARD_AT = 300
_GUARD_LETTERS = 42
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
        """changed, added, removed or same."""
        if self.old is None:
            return "added"
        if self.new is None:
            return "removed"
        return "same" if self.old == self.new else "changed"


@dataclass(frozen=True)
class Pair:
    """A table before and after; None where a side does not have it."""

    old: ContractTable | None
    new: ContractTable | None
    rows: tuple[Row, ...]

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
    renamed = [p for p in found if p.old and p.new and p.old.name != p.new.name]
    changed = sum(row.kind == "changed" for p in found for row in p.rows)
    added = sum(row.kind == "added" for p in found for row in p.rows)
    removed = sum(row.kind == "removed" for p in found for row in p.rows)
    tables = sum(pair.old is not None for pair in found)
    parts = [
        f"{len(renamed)} of {plural(tables, 'table')} {'gets' if len(renamed) == 1 else 'get'}"
        " a new name",
        f"{plural(changed, 'column')} {'changes' if changed == 1 else 'change'}",
    ]
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
    y = _TOP
    for pair in found:
        height = _height(pair)
        body += _pair(pair, y, height)
        y += height + _GAP
    heads = _text(_LEFT + 2, 18, "old contract", "side") + _text(
        _RIGHT + 2, 18, "new contract", "side"
    )
    label = escape(f"Old and new contract: {summary(found)}")
    return Markup(
        '<svg class="contract" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>'
    ).format(WIDTH, y - _GAP, label, heads, Markup("").join(body))


def short_type(name: str) -> str:
    """A type's name as people write it: varchar, timestamptz."""
    for pattern, short in _SHORT:
        name = pattern.sub(short, name)
    return name


def _rows(old: ContractTable | None, new: ContractTable | None) -> tuple[Row, ...]:
    old_columns = old.columns if old else ()
    left = {column.name: column for column in (new.columns if new else ())}
    rows = [Row(column, left.pop(column.name, None)) for column in old_columns]
    return (*rows, *(Row(None, column) for column in left.values()))


def _height(pair: Pair) -> int:
    return _HEAD + _ROW * (len(pair.marked) + bool(pair.unchanged)) + 6


def _pair(pair: Pair, y: int, height: int) -> Iterator[Markup]:
    for table, x, width in ((pair.old, _LEFT, _OLD_WIDTH), (pair.new, _RIGHT, _NEW_WIDTH)):
        if table is not None:
            yield Markup(
                '<rect class="table" x="{}" y="{}" width="{}" height="{}" rx="8"/>'
            ).format(x + 0.5, y + 0.5, width - 1, height - 1)
            renamed = pair.old and pair.new and pair.old.name != pair.new.name
            yield _text(x + 14, y + 23, table.name, "name renamed" if renamed else "name")
    if pair.old and pair.new:
        yield _arrow(y + 18, "changed" if pair.old.name != pair.new.name else "same")
    row_y = y + _HEAD
    for row in pair.marked:
        for column, x, width in ((row.old, _LEFT, _OLD_WIDTH), (row.new, _RIGHT, _NEW_WIDTH)):
            if column is not None:
                yield from _column(column, row.kind, x, row_y, width)
        if row.old and row.new:
            yield _arrow(row_y + _ROW // 2, "changed")
        row_y += _ROW
    if pair.unchanged:
        words = f"{plural(len(pair.unchanged), 'column')} unchanged"
        title = Markup("<title>{}</title>").format(", ".join(pair.unchanged))
        for table, x in ((pair.old, _LEFT), (pair.new, _RIGHT)):
            if table is not None:
                yield Markup("<g>{}{}</g>").format(title, _text(x + 14, row_y + 17, words, "rest"))


def _column(column: ContractColumn, kind: str, x: int, y: int, width: int) -> Iterator[Markup]:
    yield Markup('<rect class="row {}" x="{}" y="{}" width="{}" height="{}" rx="4"/>').format(
        kind, x + 6, y + 1, width - 12, _ROW - 3
    )
    yield _text(x + 14, y + 17, column.name, "key column" if column.key else "column")
    yield _text(x + _TYPE_AT, y + 17, short_type(column.type), "type")
    if column.guard:
        guard = column.guard
        if len(guard) > _GUARD_LETTERS:
            guard = guard[: _GUARD_LETTERS - 1] + "…"
        title = Markup("<title>{}</title>").format(column.guard)
        at = x + (_GUARD_AT if width > _OLD_WIDTH else _TYPE_AT + 120)
        yield Markup("<g>{}{}</g>").format(title, _text(at, y + 17, guard, "guard"))


def _arrow(y: int, kind: str) -> Markup:
    begin, end = _LEFT + _OLD_WIDTH + 8, _RIGHT - 8
    return Markup('<path class="arrow {}" d="M{} {}H{}m-6 -4l6 4l-6 4"/>').format(
        kind, begin, y, end
    )


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, x, y, text)
