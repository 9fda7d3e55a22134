"""The new view: it shows the new contract of a table that has its old name still."""

from __future__ import annotations

from runner.generate.kinds import settings
from runner.generate.model import TableChange
from runner.generate.statement import Paragraph, Statement, between, plain
from runner.quoting import quote_ident, quote_literal, quote_name


def expand(t: TableChange) -> list[Paragraph]:
    """The view, with the defaults of the new contract and what the table's clients may do."""
    view, table = quote_name(t.apart), quote_name(t.old)
    columns = between("SELECT ", _shown(t))
    defaults = [
        f"ALTER VIEW {view} ALTER COLUMN {quote_ident(c.name)} SET DEFAULT {c.new_default};"
        for c in t.columns
        if c.new_default is not None
    ]
    return [
        [
            Statement(
                f"CREATE VIEW {view} AS\n{columns}\nFROM {table};",
                undo=(drop(t),),
                note=f"The new view: the new {'schema' if t.keeps_name else 'name'}, the new "
                "columns. Until the switch the new release uses it.",
            )
        ],
        [
            *plain(*defaults),
            *settings.of_view(t, t.apart, t.renamed),
            *settings.copy_grants(t.apart, t.old, pairs(t)),
        ],
    ]


def open_schema(t: TableChange) -> list[Statement]:
    """The schema of transition, for a table that keeps its name."""
    if not t.keeps_name:
        return []
    names = quote_literal(t.apart.schema), quote_literal(t.old.schema)
    return [
        Statement(
            f"CALL trueup.open_transition({', '.join(names)});",
            note=f"One schema cannot show two contracts under one name: the new one stands in "
            f"{t.apart.schema}\nuntil contract.",
        )
    ]


def close_schema(t: TableChange) -> list[Statement]:
    """The end of that schema, once no table of the service is in it."""
    if not t.keeps_name:
        return []
    return plain(f"CALL trueup.close_transition({quote_literal(t.apart.schema)});")


def pairs(t: TableChange, *, back: bool = False) -> list[tuple[str, str]]:
    """Its columns that the table calls otherwise, each with that name; or the other way round."""
    found = [(c.name, c.build_name) for c in t.columns]
    found += [(new, old) for old, new in t.renamed.items()]
    return [(there, here) if back else (here, there) for here, there in found]


def drop(t: TableChange) -> Statement:
    """The end of the view."""
    return Statement(f"DROP VIEW {quote_name(t.apart)};")


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
