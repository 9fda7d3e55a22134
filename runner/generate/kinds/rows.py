"""The rows of a table: what cannot be converted stops the files before anything changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.generate.files import File
from runner.generate.kinds import row_type, trigger, twins
from runner.generate.kinds.check import broken as breaking
from runner.generate.model import TableChange
from runner.generate.statement import Statement, literal_list, lock
from runner.generate.unit import listed
from runner.generate.wording.predicates import check_condition
from runner.postgres.locks import LockMode
from runner.quoting import Name, dollar_quote, quote_ident, quote_literal, quote_name

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_QUALIFIED = re.compile(r"""(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)\.\S""")


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows that stop a file: the column that is to blame, the condition they meet, the reason."""

    column: str
    condition: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refusals:
    """The arguments of trueup.require_clean.

    Args:
        others: all that is no uuid's.
        uuids: the columns that become uuid.
        keys: those of them that alone are a key.
    """

    others: list[Refused]
    uuids: list[str]
    keys: list[str]


def _before(table: TableChange) -> Refusals:
    """What keeps a row of the old contract from being converted."""
    uuids = [c.name for c in table.columns if c.new_type == "uuid"]
    others = [
        Refused(c.name, r.condition, r.reason)
        for c in table.columns
        if c.name not in uuids
        for r in c.refusals
    ]
    others += _integers(table)
    for k in table.checks:
        column = next(c for c in k.columns if c in table.converted)
        if k.validated:
            broken = breaking(table, k)
            others.append(Refused(column, broken, f"would break the CHECK {k.name}"))
    for c in [] if table.key else table.reversible:
        name = quote_ident(c.name)
        derived = c.compared(c.derived_again(name))
        condition = f"{c.compared(name)} IS DISTINCT FROM {derived}"
        reason = "could not be restored, because the table has no primary key"
        others.append(Refused(c.name, condition, reason))
    return Refusals(
        others,
        uuids,
        [u for u in uuids if any(i.unique and i.columns == (u,) for i in table.indexes)],
    )


def _apart(table: TableChange) -> list[Refused]:
    """A row whose two sides do not mean the same."""
    if not table.columns:
        return []
    new = ", ".join(c.meant(quote_ident(c.name)) for c in table.columns)
    converted = ", ".join(c.meant(c.new_from(quote_ident(c.old_name))) for c in table.columns)
    differ = f"({new}) IS DISTINCT FROM ({converted})"
    return [Refused(table.columns[0].name, differ, "stands in a row whose two sides differ")]


def refuse_apart(t: TableChange) -> list[Statement]:
    """The refusal of rows whose sides differ: something wrote past the trigger."""
    if not t.columns:
        return []
    uuids = [c.old_name for c in t.columns if c.new_type == "uuid"]
    return [
        Statement(
            _require_clean(t.new, Refusals(_apart(t), uuids, [])),
            locks=(lock(LockMode.ACCESS_SHARE, t.new),),
            note="Something may have written past the trigger: one side alone would be lost.",
        )
    ]


def _integers(table: TableChange) -> list[Refused]:
    return [
        Refused(column, f"NOT ({check})", f"would break the CHECK {name}")
        for column, name, check in table.integer_checks
    ]


def _require_clean(table: Name, wanted: Refusals) -> str:
    given = [quote_literal(quote_name(table))]
    for name, columns in (("uuids", wanted.uuids), ("keys", wanted.keys)):
        if columns:
            given.append(f"{name} => {literal_list(columns)}")
    rules = ",\n".join(
        f"    [{quote_literal(rule.column)}, {dollar_quote(rule.condition)},\n"
        f"        {quote_literal(rule.reason)}]"
        for rule in wanted.others
    )
    given.append(f"rules => ARRAY[\n{rules}\n]" if rules else "rules => '{}'")
    return f"CALL trueup.require_clean({', '.join(given)});"


def check(tables: Sequence[TableChange], folder: str, subject: str) -> File:
    """The refusal of data that cannot be converted, before anything changes."""
    old = listed(t.old.name for t in tables)
    has_twins = any(twins.refuse(t) for t in tables)
    has_labels = any(c.labels for t in tables for c in t.columns)
    runs_code = any(_runs_code(t) for t in tables)
    return File(
        unlike=f"check {tables[0].new}",
        folder=folder,
        phase="check",
        subject=subject,
        title=f"Stop here when {old.replace(', ', ' or ')} holds a row that cannot be converted.",
        does=f"reads {old} and names the column, the values, how many rows, and the query "
        "that shows them; changes nothing"
        + ("; refuses other labels of a native enum" if has_labels else ""),
        cost=f"reads {old} once; once more when something is wrong, to say which rows"
        + f"; {listed(t.old.name for t in tables if twins.refuse(t))} twice" * has_twins,
        undo="nothing to undo",
        body=[
            *([[require_own(tables)]] if runs_code else []),
            *(p for t in tables for p in (*_labels(t), [_clean(t)], *twins.refuse(t))),
        ],
        back="no-op: the file changed nothing.",
    )


def require_own(tables: Sequence[TableChange]) -> Statement:
    """The refusal of what somebody else made and a file would run.

    Args:
        tables: whose views, indexes, CHECKs and types of converted columns are looked at.
    """
    of = literal_list(quote_name(t.old) for t in tables)
    made = sorted({name for t in tables for name in _of_made_types(t) if name in t.converted})
    of_columns = f", {literal_list(made)}" if made else ""
    return Statement(f"CALL trueup.require_own({of}{of_columns});")


def _runs_code(t: TableChange) -> bool:
    """Whether writing to a table, or casting its values, may run what somebody has made."""
    relation = t.relation
    texts = [k.definition for k in relation.constraints if k.kind == "c"]
    texts += [i.method for i in relation.indexes]
    texts += [c.default for c in relation.columns if c.generated and c.default]
    named = any(_QUALIFIED.search(_LITERAL.sub("", text)) for text in texts)
    called = t.converted.keys() | {name for i in relation.indexes for name in i.columns}
    return named or bool(t.partitions) or not called.isdisjoint(_of_made_types(t))


def _of_made_types(t: TableChange) -> Iterator[str]:
    """The columns of types that somebody has made."""
    for c in t.relation.columns:
        if c.type_name is not None and c.type_name.schema != "pg_catalog":
            yield c.name


def _clean(t: TableChange) -> Statement:
    taken = (lock(LockMode.ACCESS_SHARE, t.old),)
    return Statement(_require_clean(t.old, _before(t)), locks=taken)


def check_backfill(tables: Sequence[TableChange], subject: str) -> File | None:
    """The refusal of what would not let a backfill write; None where nothing can stand in its way.

    A trigger that comes later is one that the guard of the next file does not know.
    """
    body = [p for t in tables for p in _backfill_can(t)]
    if not body:
        return None
    old = listed(t.old.name for t in tables)
    reads = listed(t.old.name for t in tables if any(k.columns for k in t.relation.unproven_checks))
    return File(
        unlike=f"check backfill {tables[0].new}",
        folder="online",
        phase="check",
        subject=subject,
        title=f"Stop here when the backfill could not write {old.replace(', ', ' or ')}.",
        does="refuses triggers that the backfill cannot silence"
        + (f"; reads {reads} for rows that break a CHECK that was never validated" * bool(reads)),
        cost=f"reads {reads} once for each such CHECK" if reads else "none",
        undo="nothing to undo",
        body=body,
        back="no-op: the file changed nothing.",
    )


def _labels(t: TableChange) -> list[list[Statement]]:
    """The refusal of a database whose native enums are spelled otherwise than the file knows."""
    return [
        [
            Statement(
                f"CALL trueup.require_labels(\n    {quote_literal(quote_name(t.old))},\n"
                f"    {quote_literal(c.name)},\n    {literal_list(list(c.labels))}\n);"
            )
        ]
        for c in t.columns
        if c.labels
    ]


def _backfill_can(t: TableChange) -> list[list[Statement]]:
    """The refusal of what would not let the backfill write a row, or would wake at it."""
    on = quote_literal(quote_name(t.old))
    found: list[list[Statement]] = []
    if t.relation.triggers:
        written = sorted(trigger.listed(t) & t.converted.keys())
        of = f", {literal_list(written)}" if written else ""
        found.append([Statement(f"CALL trueup.require_silent({on}{of});")])
    if t.columns and any(map(row_type.fires_early, t.relation.triggers)):
        columns = literal_list([c.name for c in t.columns])
        found.append([Statement(f"CALL trueup.require_late({on}, {columns});")])
    for k in t.relation.unproven_checks:
        if not k.columns:
            continue
        why = f"breaks the CHECK {k.name}, which was never validated, so the row cannot be written"
        found.append(
            [
                Statement(
                    f"CALL trueup.refuse_rows(\n    {on},\n    {quote_literal(k.columns[0])},\n"
                    f"    {dollar_quote(f'NOT {check_condition(k.definition)}')},\n"
                    f"    {quote_literal(why)}\n);",
                    locks=(lock(LockMode.ACCESS_SHARE, t.old),),
                )
            ]
        )
    return found
