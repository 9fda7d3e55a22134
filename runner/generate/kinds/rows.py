"""The rows of a table: what cannot be converted stops the files before anything changes."""

from __future__ import annotations

from collections.abc import Sequence

from runner.generate import rules
from runner.generate.files import File
from runner.generate.model import TableChange
from runner.generate.rules import Rules
from runner.generate.statement import Statement, literal_list, lock
from runner.generate.wording.predicates import check_condition
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_literal, quote_name


def _require_clean(table: Name, wanted: Rules) -> str:
    lines = [f"CALL trueup.require_clean(\n    {quote_literal(quote_name(table))},"]
    for name, columns in (("uuids", wanted.uuids), ("keys", wanted.keys)):
        if columns:
            lines.append(f"    {name} => {literal_list(columns)},")
    if wanted.others:
        listed = ",\n".join(
            f"        [\n            {quote_literal(rule.column)},\n"
            f"            $${rule.condition}$$,\n"
            f"            {quote_literal(rule.reason)}\n        ]"
            for rule in wanted.others
        )
        lines.append(f"    rules => ARRAY[\n{listed}\n    ]")
    else:
        lines.append("    rules => '{}'")
    return "\n".join([*lines, ");"])


def check(t: TableChange, folder: str, phase: str, after: Sequence[File]) -> File:
    """The refusal of data that cannot be converted, before anything changes."""
    old, is_online = t.old.name, folder == "online"
    clean = Statement(
        _require_clean(t.old, rules.before(t)), locks=(lock(LockMode.ACCESS_SHARE, t.old),)
    )
    return File(
        unlike=f"check {t.new}",
        folder=folder,
        phase=phase,
        subject=f"{t.stem}_check",
        title=f"Stop here when {old} holds a row that cannot be converted.",
        does=f"reads {old} and names the column, the values, how many rows, and the query "
        "that shows them; changes nothing"
        + ("; refuses triggers that the backfill cannot silence" if is_online else ""),
        cost=f"reads {old} once; once more when something is wrong, to say which rows",
        undo="nothing to undo",
        body=[*(_backfill_can(t) if is_online else ()), [clean]],
        back="no-op: the file changed nothing.",
        after=after,
    )


def _backfill_can(t: TableChange) -> list[list[Statement]]:
    """The refusal of what would not let the backfill write a row, or would wake at it."""
    on = quote_literal(quote_name(t.old))
    found = [[Statement(f"CALL trueup.require_silence({on});")]]
    for k in t.relation.unproven_checks:
        if not k.columns:
            continue
        why = f"breaks the CHECK {k.name}, which was never validated, so the row cannot be written"
        found.append(
            [
                Statement(
                    f"CALL trueup.refuse_rows(\n    {on},\n    {quote_literal(k.columns[0])},\n"
                    f"    $$NOT {check_condition(k.definition)}$$,\n    {quote_literal(why)}\n);"
                )
            ]
        )
    return found


def enforce(t: TableChange, after: Sequence[File]) -> File:
    """The proof that each converted row is as the new contract wants it."""
    new = t.new.name
    clean = Statement(
        _require_clean(t.new, rules.after(t)), locks=(lock(LockMode.ACCESS_SHARE, t.new),)
    )
    body = [[clean]]
    if t.is_partitioned and t.columns:
        listed = ", ".join(quote_ident(c.name) for c in t.columns)
        body.append(
            [
                Statement(
                    f"ANALYZE {quote_name(t.new)} ({listed});",
                    note="Autovacuum never looks at a partitioned table as a whole.",
                )
            ]
        )
    return File(
        unlike=f"enforce check {t.new}",
        folder="online",
        phase="enforce",
        subject=f"{t.stem}_check",
        title=f"Stop here when a row of {new} is not as the new contract wants it.",
        does="reads the table and names the column, the values, how many rows, and the query that "
        "shows them; changes nothing",
        cost=f"reads {new} once; once more when something is wrong, to say which rows",
        undo="nothing to undo",
        body=body,
        back="no-op: the file changed nothing.",
        after=after,
    )
