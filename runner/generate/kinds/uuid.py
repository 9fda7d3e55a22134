"""A column of ids as text: it becomes uuid."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from runner.catalog import Catalog, Column, Relation
from runner.errors import StandardError
from runner.generate.column_change import ColumnChange, Refusal
from runner.generate.wording.casts import ID, is_balanced, is_one_call
from runner.generate.wording.types import short_type, storage_clauses
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten

_DIGITS = "replace({}::text, '-', '')"
# PostgreSQL's own functions, and those of uuid-ossp, that give a uuid for arguments.
_GIVES_UUID = re.compile(r"(?:\w+\.)?(?:uuid_in|uuidv7|uuid_generate_v[35])\(")
_WRAPPED = (
    re.compile(r"\((.*)\)::[\w ]+(?:\(\d+\))?"),
    re.compile(r"(?:lower|upper)\((.*)\)"),
    re.compile(r"replace\((.*), '-'::text, ''::text\)"),
)


def change(column: Column, relation: Relation) -> ColumnChange:
    """What becomes of the column.

    Raises:
        StandardError: its default may be no uuid, or it is too short for one.
    """
    name = quote_ident(column.name)
    # uuid's input function does not take the blanks that pad a char(n); text has none.
    to_new = "{}::text::uuid" if column.type.startswith("character(") else "{}::uuid"
    value = to_new.replace("{}", name)
    refusals = [Refusal(f"NOT trueup.is_uuid({name})", "is not a uuid")]
    unique = (i for i in relation.indexes if i.unique and i.columns == (column.name,))
    if next(unique, None):
        refusals.append(
            Refusal(
                f"{value} IN (SELECT {value} FROM {quote_name(relation.qualified)}"
                f" GROUP BY 1 HAVING count(*) > 1)",
                "is the same uuid as another row",
            )
        )
    new_default = None
    if column.given is not None and not column.gives_null:
        new_default = _new_uuid(column.given)
        if new_default is None:
            raise StandardError(
                f"the default of {relation.qualified}.{column.name} is {column.given}: only one "
                "that calls a function for a new uuid can be converted, an md5, or a constant uuid"
            )
    return ColumnChange(
        name=column.name,
        old_name=shorten(column.name, "__old"),
        old_type=short_type(column.type),
        new_type="uuid",
        old_default=column.default,
        new_default=new_default,
        to_new=to_new,
        to_old=_uuid_text(column, relation),
        not_null=column.not_null,
        refusals=tuple(refusals),
        storage=storage_clauses(column, is_text=True),
        old_collation=column.collation,
    )


def _new_uuid(default: str) -> str | None:
    """The default of a uuid column for that of a text column, None where it may be no uuid."""
    inner = default
    while match := next((m for w in _WRAPPED if (m := w.fullmatch(inner))), None):
        if not is_balanced(match[1]):
            break
        if inner.endswith("::uuid"):
            return inner  # only its text was wanted
        inner = match[1]
    if re.fullmatch(r"(?:\w+\.)?\w*uuid\w*\(\)", inner):
        return inner
    if _GIVES_UUID.match(inner) and is_one_call(inner):
        return inner
    if inner.startswith("md5(") and is_one_call(inner):
        return f"({inner})::uuid"
    literal = re.fullmatch(rf"({ID})::.*", inner)
    return quote_literal(str(UUID(literal[1].strip("'")))) if literal else None


def _uuid_text(column: Column, relation: Relation) -> str:
    """How the old contract spells a uuid of the new one: without dashes where they do not fit."""
    length = re.fullmatch(r"character(?: varying)?\((\d+)\)", column.type)
    if not length or int(length[1]) >= 36:
        return "{}::text"
    if int(length[1]) < 32:
        raise StandardError(
            f"{relation.qualified}.{column.name} is {short_type(column.type)}, too short for a uuid"
            " of the new contract",
            hint="Take it out of uuids, or widen it before: 32 digits, or 36 characters.",
        )
    return _DIGITS


def spelled_alike(
    columns: Mapping[Name, tuple[ColumnChange, ...]], catalog: Catalog
) -> dict[Name, tuple[ColumnChange, ...]]:
    """Spell uuids without dashes where foreign keys tie them to a column without room for those.

    Args:
        columns: the converted columns of each table, by its old name.
        catalog: the database at the old contract.

    Returns:
        The columns, those that are so tied with another `to_old`.
    """
    ties: dict[tuple[Name, str], list[tuple[Name, str]]] = {}
    for table in columns:
        for key in catalog.relations[table].constraints:
            if key.references is None or key.references not in columns:
                continue
            for here, there in zip(key.columns, key.referenced_columns, strict=True):
                ties.setdefault((table, here), []).append((key.references, there))
                ties.setdefault((key.references, there), []).append((table, here))
    waiting = [
        (t, c.name) for t, changes in columns.items() for c in changes if c.to_old == _DIGITS
    ]
    digits = set(waiting)
    while waiting:
        tied = set(ties.get(waiting.pop(), ())) - digits
        digits |= tied
        waiting += tied
    return {
        table: tuple(
            replace(c, to_old=_DIGITS) if (table, c.name) in digits else c for c in changes
        )
        for table, changes in columns.items()
    }
