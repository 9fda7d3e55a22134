"""The new view: it shows the new contract of a table that has its old name still."""

from __future__ import annotations

from runner.generate.kinds import settings
from runner.generate.model import TableChange
from runner.generate.statement import Paragraph, Statement, in_lines, plain
from runner.quoting import Name, quote_ident, quote_name


def expand(t: TableChange) -> list[Paragraph]:
    """The view, with the defaults of the new contract and what the table's clients may do."""
    view, table = quote_name(t.new), quote_name(t.old)
    columns = in_lines(_shown(t))
    defaults = [
        f"ALTER VIEW {view} ALTER COLUMN {quote_ident(c.name)} SET DEFAULT {c.new_default};"
        for c in t.columns
        if c.new_default is not None
    ]
    return [
        [
            Statement(
                f"CREATE VIEW {view} AS\nSELECT\n{columns}\nFROM {table};",
                undo=(drop(t.new),),
                note="The new view: the new name, the new columns. Until the switch the new "
                "release uses it.",
            )
        ],
        [
            *plain(*defaults),
            *settings.of_view(t, t.new, t.renamed),
            *settings.copy_grants(t.new, t.old, pairs(t)),
        ],
    ]


def pairs(t: TableChange, *, back: bool = False) -> list[tuple[str, str]]:
    """Its columns that the table calls otherwise, each with that name; or the other way round."""
    found = [(c.name, c.build_name) for c in t.columns]
    found += [(new, old) for old, new in t.renamed.items()]
    return [(there, here) if back else (here, there) for here, there in found]


def drop(view: Name) -> Statement:
    """The end of the view."""
    return Statement(f"DROP VIEW {quote_name(view)};")


def _shown(t: TableChange) -> list[str]:
    shown = []
    for column in t.relation.columns:
        change, name = t.converted.get(column.name), quote_ident(column.name)
        if change is None:
            new = t.renamed.get(column.name)
            shown.append(f"{name} AS {quote_ident(new)}" if new else name)
            continue
        if change.kept:
            shown.append(quote_ident(change.kept))
        shown.append(f"{quote_ident(change.build_name)} AS {name}")
    return shown
