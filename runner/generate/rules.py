"""What a file checks in a table's rows before it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from runner.generate.model import TableChange
from runner.quoting import quote_ident


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows that stop a file: the column that is to blame, the condition they meet, the reason."""

    column: str
    condition: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The arguments of trueup.require_clean.

    Args:
        others: all that is no uuid's.
        uuids: the columns that become uuid.
        keys: those of them that alone are a key.
    """

    others: list[Rule]
    uuids: list[str]
    keys: list[str]


def before(table: TableChange) -> Rules:
    """What keeps a row of the old contract from being converted."""
    uuids = [c.name for c in table.columns if c.new_type == "uuid"]
    others = [
        Rule(c.name, r.condition, r.reason)
        for c in table.columns
        if c.name not in uuids
        for r in c.refusals
    ]
    others += _integers(table)
    for k in table.checks:
        shown = ", ".join(
            f"{table.converted[c].new_from(q)} AS {q}" if c in table.converted else f"{q} AS {q}"
            for c in k.columns
            for q in [quote_ident(c)]
        )
        # A comparison with null is no breach.
        condition = f"NOT coalesce((SELECT {k.condition} FROM (SELECT {shown}) AS converted), true)"
        column = next(c for c in k.columns if c in table.converted)
        if k.validated:
            others.append(Rule(column, condition, f"would break the CHECK {k.name}"))
    for c in [] if table.key else table.reversible:
        name = quote_ident(c.name)
        derived = c.compared(c.derived_again(name))
        condition = f"{c.compared(name)} IS DISTINCT FROM {derived}"
        reason = "could not be restored, because the table has no primary key"
        others.append(Rule(c.name, condition, reason))
    return Rules(
        others,
        uuids,
        [u for u in uuids if any(i.unique and i.columns == (u,) for i in table.indexes)],
    )


def after(table: TableChange) -> Rules:
    """What the new contract does not allow in a converted row."""
    others = _integers(table)
    if table.columns:
        new = ", ".join(c.meant(quote_ident(c.name)) for c in table.columns)
        converted = ", ".join(c.meant(c.new_from(quote_ident(c.old_name))) for c in table.columns)
        differ = f"({new}) IS DISTINCT FROM ({converted})"
        reason = "stands in a row whose two sides differ"
        others.append(Rule(table.columns[0].name, differ, reason))
    others += [
        Rule(c.name, f"NOT ({check})", refusal.reason)
        for c in table.columns
        for (_, check), refusal in zip(c.checks, c.refusals[-len(c.checks) :], strict=False)
    ]
    return Rules(others, [], [])


def _integers(table: TableChange) -> list[Rule]:
    return [
        Rule(column, f"NOT ({check})", f"would break the CHECK {name}")
        for column, name, check in table.integer_checks
    ]
