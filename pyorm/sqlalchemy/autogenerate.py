"""What Alembic's autogenerate is to leave alone in a database that trueup migrates.

trueup's own objects: its schema, yoyo's tables, and what stands on a table only while both
contracts live. And of an entity's table (`to_table`) what an entity does not declare and its
migrations do: comments, the database's defaults, indexes, constraints of several columns.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Column, ForeignKeyConstraint, Index, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql.base import ischema_names

from pyorm.sqlalchemy.tables import ENTITY
from pyorm.sqlalchemy.types import RuledType, UUIDType

TRUEUP_SCHEMA = "trueup"
YOYO_TABLES = frozenset({"_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock"})
BOTH_LIVE = ("__old", "__new")
"""How the columns of the other contract end while both contracts live."""


# A table of trueup's own holds grants; Alembic reads it before it asks include_object.
ischema_names.setdefault("aclitem", Text)


def include_object(
    object: Any,  # noqa: A002 - Alembic's names
    name: str | None,
    type_: str,
    reflected: bool,
    compare_to: Any,
) -> bool:
    """The `include_object` of `context.configure` in Alembic's env.py.

    Args:
        object: a Table, Column, Index or constraint.
        name: its name.
        type_: `table`, `column`, `index`, `unique_constraint` or `foreign_key_constraint`.
        reflected: whether it was read from the database.
        compare_to: its counterpart on the other side, None when there is none.

    Returns:
        Whether Alembic compares it, and adds or drops it.
    """
    only_there = reflected and compare_to is None
    match object:
        case Table():
            if only_there:
                return not (object.schema == TRUEUP_SCHEMA or object.name in YOYO_TABLES)
            if compare_to is not None and ENTITY in object.info:
                _take_as_it_is(compare_to, object.info[ENTITY])
        case Column() if only_there:
            return not _is_of_the_other_contract(object)
        case Index() | UniqueConstraint() | ForeignKeyConstraint() if only_there:
            columns = list(object.columns)
            if any(map(_is_of_the_other_contract, columns)):
                return False
            declared = not isinstance(object, Index) and len(columns) == 1
            return declared or object.table is None or ENTITY not in object.table.info
    return True


def render_item(
    type_: str,
    object: Any,  # noqa: A002 - Alembic's names
    autogen_context: Any,
) -> str | Literal[False]:
    """The `render_item` of `context.configure`: types as a new revision writes them.

    A revision outlives the code of today, so it names the types of the database, and no entity
    and no enum. Only UUIDType stands as it is, for services whose tests run on SQLite.
    """
    if type_ == "type" and isinstance(object, UUIDType):
        autogen_context.imports.add("from pyorm.sqlalchemy import UUIDType")
        return "UUIDType()"
    if type_ == "type" and isinstance(object, RuledType):
        from alembic.autogenerate.render import _repr_type

        return _repr_type(object.load_dialect_impl(autogen_context.dialect), autogen_context)
    return False


def _take_as_it_is(found: Table, entity: str) -> None:
    """Let the comparison of an entity's table not see what entities never say."""
    found.info[ENTITY] = entity
    found.comment = None
    for column in found.columns:
        column.comment = column.server_default = None


def _is_of_the_other_contract(column: Column[Any]) -> bool:
    """Whether it is `id__old` beside `id`, or `id__new`."""
    for ending in BOTH_LIVE:
        if column.name.endswith(ending) and column.table is not None:
            return column.name.removesuffix(ending) in column.table.columns
    return False
