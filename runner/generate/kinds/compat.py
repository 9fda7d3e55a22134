"""The compat view: it keeps the old name alive, and counts who uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.generate.files import File
from runner.generate.kinds import look, new_view, reversal, rows, same, settings, sync
from runner.generate.kinds.same import At
from runner.generate.model import TableChange
from runner.generate.statement import BRIEFLY, Paragraph, Statement, between, lock, plain
from runner.postgres.locks import LockMode
from runner.quoting import quote_ident, quote_literal, quote_name


def expand(t: TableChange) -> list[Paragraph]:
    """The view with its usage counter, and what the table's clients may do with it."""
    old, new, marker = quote_name(t.old), quote_name(t.apart), quote_name(t.marker)
    options = "" if t.columns else "\nWITH CASCADED CHECK OPTION"
    counter = [
        Statement(
            f"CREATE MATERIALIZED VIEW {marker} AS SELECT true AS used WHERE false;",
            note="The usage counter's marker: the server counts that each query through the view "
            "reads it once. It is empty,\nas an older snapshot would find it; and a materialized "
            "view, which a dump does not read.",
        ),
    ]
    columns = between("SELECT ", [_shown(t, c.name) for c in t.relation.columns])
    view = Statement(
        f"CREATE VIEW {old} AS\n{columns}\nFROM {new}\n"
        f"WHERE NOT EXISTS (SELECT FROM {marker}){options};",
        note=f"The compat view: the old {'schema' if t.keeps_name else 'name'}, the old columns "
        "in their old order.",
    )
    defaults = [
        f"ALTER VIEW {old} ALTER COLUMN {quote_ident(c.name)} SET DEFAULT {given};"
        for c in t.columns
        if (given := c.old_default or c.type_default) is not None
    ]
    rights = settings.copy_grants(t.old, t.apart, pairs(t))
    shared = f"CALL trueup.share_marker({quote_literal(marker)}, {quote_literal(old)});"
    read = f"CALL trueup.read_odometer({quote_literal(old)});"
    beside = [*plain(*defaults), *settings.of_view(t, t.old, {}), *rights]
    return [counter, [view], beside, plain(shared, read)]


def pairs(t: TableChange, *, back: bool = False) -> list[tuple[str, str]]:
    """Its columns that the table calls otherwise, each with that name; or the other way round."""
    found = [*((c.name, c.old_name) for c in t.columns), *t.renamed.items()]
    return [(there, here) if back else (here, there) for here, there in found]


def drop(t: TableChange) -> list[Statement]:
    """The end of the view, its marker and its readings."""
    return plain(
        f"DROP VIEW {quote_name(t.old)};",
        f"DROP MATERIALIZED VIEW {quote_name(t.marker)};",
        f"DELETE FROM trueup.odometer WHERE compat_view = {quote_literal(quote_name(t.old))};",
    )


def _shown(t: TableChange, column: str) -> str:
    """A column of the view: `id__old AS id`."""
    name, change = quote_ident(column), t.converted.get(column)
    if column in t.renamed:
        return f"{quote_ident(t.renamed[column])} AS {name}"
    return f"{quote_ident(change.old_name)} AS {name}" if change else name


def contract(t: TableChange, still_open: Sequence[TableChange], after: Sequence[File]) -> File:
    """The end of the old name, once nobody uses it."""
    names = ", ".join(x.old.name for x in still_open)
    several = "s do" if len(still_open) > 1 else " does"
    unused = {
        x.old: f"CALL trueup.require_unused({quote_literal(quote_name(x.old))});"
        for x in still_open
    }
    table, back = t.switched, look.move_back(t)
    if back:
        back[0] = replace(
            back[0],
            locks=(lock(LockMode.ACCESS_EXCLUSIVE, t.apart, said=str(t.apart)),),
            note="The table comes back, and has the name alone.",
        )
    again = Statement(unused[t.old], note="Somebody may have used it while the rows were read.")
    return File(
        unlike=f"close {t.new}",
        phase="contract",
        subject=f"{t.stem}_close",
        title=f"Take the old contract of {t.old.name} away, once nobody uses it."
        if t.keeps_name
        else f"Take the old name {t.old.name} away, once nobody uses it.",
        does="drops the compat view"
        + (f" and moves the table from {t.apart.schema} back in its place" * t.keeps_name)
        + (
            f"; from then on triggers on {t.new.name} forget the old spellings of deleted rows"
            if t.keeps_spellings
            else ""
        )
        + f"; refuses while the usage counter{several} not prove that "
        f"{names} {'were' if len(still_open) > 1 else 'was'} unused for the waiting period "
        "(trueup.waiting_period, 24 hours)"
        + (", and while both sides of a row differ in meaning" if t.columns else ""),
        cost=f"reads {t.new.name} once" if t.columns else "none",
        undo="instant",
        body=[
            [same.require(t, At.SWITCHED), *same.require_alike(t, At.SWITCHED)],
            [*plain(*unused.values()), *rows.refuse_apart(table), *reversal.refuse_unkept(table)],
            [BRIEFLY, *([again] if t.columns else [])],
            [
                *settings.carry_grants(t.apart, t.old, [(n, o) for o, n in t.renamed.items()]),
                Statement(
                    drop(t)[0].sql,
                    locks=(lock(LockMode.ACCESS_EXCLUSIVE, t.old, said=f"the view {t.old.name}"),),
                ),
                *drop(t)[1:],
            ],
            [*back, *new_view.close_schema(t)],
            *(sync.triggers(t, t.sync_switched, replace=True) if t.at_expand and t.columns else []),
            reversal.forgetting(t),
        ],
        rollback=[
            [BRIEFLY],
            reversal.forgetting_no_more(t),
            [*new_view.open_schema(t), *(look.move(t) if t.keeps_name else [])],
            *(sync.triggers(table, t.sync, replace=True) if t.at_expand and t.columns else []),
            *expand(t),
        ],
        back=f"Brings the old contract of {t.old.name} back: instant."
        if t.keeps_name
        else f"Brings the old name {t.old.name} back: instant.",
        after=after,
    )
