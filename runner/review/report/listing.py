"""A file's SQL, highlighted line by line, with costs and findings where they belong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PostgresLexer

from runner.ledger.scanner import Statement
from runner.review.figures import count, seconds, size, span
from runner.review.measures import FileCost, StatementCost
from runner.review.report.timeline import kind_of

_FEW = 100  # rows that need no word
_SHORT = 0.01  # seconds that need no word
# What has no colour needs no element.
_PLAIN = re.compile(r'<span class="(?:w|n|p|o)">([^<]*)</span>')


@dataclass(frozen=True)
class Remark:
    """What lint says about a line.

    Args:
        rule: its name.
        level: error, warning or style.
        line: counted from 1.
        message: what is wrong there.
        instead: the safe way as SQL.
    """

    rule: str
    level: str
    line: int
    message: str
    instead: str


@dataclass(frozen=True)
class Chip:
    """A figure beside a statement, and the class that colours it."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a file.

    Args:
        number: counted from 1.
        html: its SQL, highlighted.
        remarks: of lint, shown above it.
        chips: figures of the statement that ends here, shown below it.
    """

    number: int
    html: Markup
    remarks: tuple[Remark, ...] = ()
    chips: tuple[Chip, ...] = ()


def listing(
    text: str,
    statements: Sequence[Statement],
    cost: FileCost | None,
    remarks: Sequence[Remark] = (),
) -> list[Line]:
    """Bring a file's lines, its statements' costs and what lint says together.

    Args:
        text: the file.
        statements: its statements.
        cost: what they cost, None when they were not rehearsed.
        remarks: what lint says.
    """
    text = text.rstrip("\n")
    if not text:
        return []
    html = highlight(text, PostgresLexer(stripnl=False), HtmlFormatter(nowrap=True))
    html = _PLAIN.sub(r"\1", html)
    chips: dict[int, tuple[Chip, ...]] = {}
    costs = cost.statements if cost else ()
    for statement, each in zip(statements, costs, strict=False):
        chips[statement.line + statement.text.count("\n")] = tuple(_chips(each))
    by_line: Mapping[int, tuple[Remark, ...]] = {
        line: tuple(r for r in remarks if r.line == line) for line in {r.line for r in remarks}
    }
    return [
        Line(number, Markup(line), by_line.get(number, ()), chips.get(number, ()))
        for number, line in enumerate(html.rstrip("\n").split("\n"), start=1)
    ]


def _chips(cost: StatementCost) -> list[Chip]:
    chips = []
    for lock in cost.locks:
        if lock.table and kind_of(lock.mode) != "weak":
            held = span(lock.at_live) if lock.at_live else seconds(lock.held)
            chips.append(Chip(f"{lock.mode} on {lock.relation}, {held}", kind_of(lock.mode)))
    for touch in cost.touches:
        written = touch.inserted + touch.updated + touch.deleted
        if touch.rewritten:
            chips.append(Chip(f"rewrites {touch.relation}", "stops-all"))
        elif touch.read >= _FEW:
            chips.append(Chip(f"scans {touch.relation}: {count(touch.read)} rows"))
        if written >= _FEW:
            chips.append(Chip(f"writes {touch.relation}: {count(written)} rows"))
    if cost.per_million is not None and cost.at_live is None and cost.seconds >= _SHORT:
        chips.append(Chip(f"+{seconds(cost.per_million)} for each million rows", "time"))
    if cost.wal_bytes >= 100_000:
        wal = cost.wal_at_live.likely if cost.wal_at_live else cost.wal_bytes
        chips.append(Chip(f"{size(wal)} WAL"))
    if cost.temp_bytes:
        chips.append(Chip(f"{size(cost.temp_bytes)} temporary files"))
    if cost.dead_tuples >= _FEW:
        chips.append(Chip(f"{count(cost.dead_tuples)} dead rows"))
    if cost.sampled:
        chips.append(Chip("sampled"))
    # What takes no time and does nothing to others needs no word.
    if chips or cost.seconds >= _SHORT:
        chips.insert(0, Chip(span(cost.at_live) if cost.at_live else seconds(cost.seconds), "time"))
    return chips
