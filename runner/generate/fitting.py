"""Whether a column's type fits what the standard wants of the column."""

from __future__ import annotations

from collections.abc import Iterator

from runner.catalog import Catalog, Column, NamedType, Relation
from runner.errors import StandardError
from runner.quoting import Name, quote_ident, quote_name
from runner.standard.evidence import is_text
from runner.standard.model import TableStandard

_TEXTS = ("text", "character varying", "character", "bpchar", "citext")
_INTEGERS = ("smallint", "integer", "bigint")


def require_fitting_types(table: TableStandard, relation: Relation, catalog: Catalog) -> None:
    """Refuse columns that the standard wants something of which their type cannot give.

    Args:
        table: its paragraph of the standard.
        relation: the table; it has every column that the standard names.
        catalog: the database.

    Raises:
        StandardError: the first of them.
    """
    for column, problem, hint in _misfits(table, relation, catalog):
        raise StandardError(f"{relation.qualified}.{column.name} is {problem}", hint=hint)


def _misfits(
    table: TableStandard, relation: Relation, catalog: Catalog
) -> Iterator[tuple[Column, str, str]]:
    columns = {column.name: column for column in relation.columns}
    for column in (columns[name] for name in table.uuids):
        if column.type != "uuid" and (column.is_array or not _is_text(column, catalog)):
            hint = "Only a column of one text can: take it out of uuids."
            yield column, f"{column.type}, which cannot become uuid", hint
    for column in (columns[name] for name in table.enums):
        if not _is_text(column, catalog) and not _is_enum(column, catalog):
            hint = "Numbers that have a meaning get a CHECK by integers, and keep their type."
            yield column, f"{column.type}, which holds no words of an enum", hint
    for column in (columns[name] for name in table.integers):
        if column.is_array or not _is(column, catalog, _INTEGERS):
            hint = "Name a column of texts under enums, or take it out."
            yield column, f"{column.type}, and integers are wanted", hint


def _is_text(column: Column, catalog: Catalog) -> bool:
    return is_text(column) or _is(column, catalog, _TEXTS)


def _is_enum(column: Column, catalog: Catalog) -> bool:
    native = catalog.types.get(column.type_name) if column.type_name else None
    return native is not None and native.definition is None


def _is(column: Column, catalog: Catalog, kinds: tuple[str, ...]) -> bool:
    """Whether a column is of one of these types, or of a domain over one, however deep."""
    shown = column.type.removesuffix("[]")
    native = catalog.types.get(column.type_name) if column.type_name else None
    for _ in range(len(catalog.types) + 1):
        if native is None or native.definition is None:
            break
        shown = native.definition
        base = shown.split(" ")[0]
        native = next((t for t in catalog.types.values() if base in _spellings(t)), None)
    return any(shown == kind or shown.startswith((f"{kind} ", f"{kind}(")) for kind in kinds)


def _spellings(found: NamedType) -> tuple[str, str]:
    return quote_ident(found.name), quote_name(Name(found.schema, found.name))
