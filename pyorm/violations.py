"""What a database refused, as errors of pyorm: with the entity, the field and the value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.transaction import OutOfOrderTransactionNesting

from pyorm.entity import Declaration, DeclaredColumn
from pyorm.errors import (
    CheckViolation,
    DataException,
    ForeignKeyViolation,
    IntegrityViolation,
    InvalidValue,
    NotNullViolation,
    PyormError,
    UniqueViolation,
)

if TYPE_CHECKING:
    import sqlite3

KINDS: dict[str, type[IntegrityViolation]] = {
    "23502": NotNullViolation,
    "23503": ForeignKeyViolation,
    "23505": UniqueViolation,
    "23514": CheckViolation,
    "SQLITE_CONSTRAINT_NOTNULL": NotNullViolation,
    "SQLITE_CONSTRAINT_FOREIGNKEY": ForeignKeyViolation,
    "SQLITE_CONSTRAINT_PRIMARYKEY": UniqueViolation,
    "SQLITE_CONSTRAINT_UNIQUE": UniqueViolation,
    "SQLITE_CONSTRAINT_CHECK": CheckViolation,
}
# What psycopg itself cannot send: a dict without Json(), a NUL in a text.
CANNOT_SEND = (psycopg.DataError, psycopg.ProgrammingError)
SAYS = {
    NotNullViolation: "takes no null",
    ForeignKeyViolation: "refers to a row that does not exist, or is still referred to",
    UniqueViolation: "exists already",
    CheckViolation: "breaks a CHECK constraint",
    IntegrityViolation: "breaks a constraint",
}


@dataclass(slots=True)
class _Refusal:
    """What the driver tells of a refusal, before the entity is known."""

    kind: type[IntegrityViolation]
    constraint: str | None
    columns: tuple[str, ...]
    value: str | None
    table: str | None


def violation_of_postgres(
    error: psycopg.Error, declared: Declaration[Any], written: Any
) -> PyormError | None:
    """Explain a refusal of PostgreSQL.

    Args:
        error: what psycopg raised.
        declared: the entity.
        written: the entity or the changes that were sent, None when they are not known.

    Returns:
        The error, None when it is no refusal of a value.
    """
    state = error.sqlstate or ""
    if isinstance(error, OutOfOrderTransactionNesting):
        return None  # of threads that share a connection; no value is to blame
    if state.startswith("22") or (not state and isinstance(error, CANNOT_SEND)):
        return _data_exception(error, declared)
    if state == "42P10" and error.diag.source_function == "infer_arbiter_indexes":
        return _no_unique_index(declared)
    if state == "428C9" or (state == "42P10" and error.diag.source_function == "CopyGetAttnums"):
        return _server_makes_it(error, declared)
    if not state.startswith("23"):
        return None
    diag = error.diag
    columns: tuple[str, ...] = (diag.column_name,) if diag.column_name else ()
    value = None
    # `Key (model_id)=(gpt-4) already exists.`: only the brackets are the same in every language.
    if found := re.search(r"\((.*?)\)=\((.*)\)", diag.message_detail or ""):
        columns = tuple(name.strip().strip('"') for name in found[1].split(","))
        value = found[2]
    refusal = _Refusal(
        KINDS.get(state, IntegrityViolation), diag.constraint_name, columns, value, diag.table_name
    )
    return _violation(refusal, declared, written)


def violation_of_sqlite(
    error: sqlite3.Error | OverflowError, declared: Declaration[Any], written: Any
) -> PyormError | None:
    """Explain a refusal of SQLite, as violation_of_postgres does."""
    name = getattr(error, "sqlite_errorname", "")
    if isinstance(error, OverflowError) or name == "SQLITE_MISMATCH" or "binding" in str(error):
        return _data_exception(error, declared)
    if "ON CONFLICT clause does not match" in str(error):
        return _no_unique_index(declared)
    kind = KINDS.get(name)
    if kind is None:
        return None
    told = str(error).partition(": ")[2]
    columns: tuple[str, ...] = ()
    constraint = None
    if kind is CheckViolation:
        constraint = told or None
    else:
        columns = tuple(part.rpartition(".")[2] for part in told.split(", ") if part)
    if kind is ForeignKeyViolation:
        # SQLite does not tell which; of one candidate it is that, of a delete the key.
        changed = written if isinstance(written, dict) else declared.entity.__slots__
        found = [c.name for c in declared.columns if c.references and c.field in changed]
        if len(found) == 1:
            columns = (found[0],)
        elif written is None or (isinstance(written, dict) and written.keys() == set(declared.key)):
            columns = tuple(declared.column(field).name for field in declared.key)
    return _violation(_Refusal(kind, constraint, columns, None, None), declared, written)


def caused_by(error: Exception, declared: Declaration[Any]) -> Exception | None:
    """The driver's error as the cause of pyorm's; none where it may tell a secret."""
    return None if any(column.secret for column in declared.columns) else error


def _data_exception(error: Exception, declared: Declaration[Any]) -> PyormError:
    secret = caused_by(error, declared) is None
    told = "the database takes no such value" if secret else str(error).splitlines()[0]
    return DataException(f"{declared.name}: {told}", entity=declared.name)


def _no_unique_index(declared: Declaration[Any]) -> InvalidValue:
    return InvalidValue(
        f"no unique index of {declared.name} is over the fields of the conflict",
        hint="name all fields of one unique index, and no others",
        entity=declared.name,
    )


def _server_makes_it(error: psycopg.Error, declared: Declaration[Any]) -> PyormError:
    found = re.search(r'"(.+?)"', str(error))
    fields = [column.field for column in declared.columns if found and column.name == found[1]]
    field = fields[0] if fields else None
    return InvalidValue(
        f"{declared.name}{f'.{field}' if field else ''}: only the server makes this value",
        hint="declare it so, = generated(...) or = identity(), and give no value",
        entity=declared.name,
        field=field,
    )


def _violation(refusal: _Refusal, declared: Declaration[Any], written: Any) -> PyormError:
    fields = [column.field for column in declared.columns if _is_meant(column, refusal, declared)]
    value: Any = refusal.value
    if written is not None and fields:
        values = [_written(written, field) for field in fields]
        value = values[0] if len(values) == 1 else tuple(values)
    if any(column.secret and column.field in fields for column in declared.columns):
        value = None
    field = ", ".join(fields) or None
    where = f"{declared.name}.{field}" if field else declared.name
    what = f" {value!r}" if value is not None else ""
    by = f" ({refusal.constraint})" if refusal.constraint else ""
    return refusal.kind(
        f"{where}{what} {SAYS[refusal.kind]}{by}",
        entity=declared.name,
        field=field,
        value=value,
        constraint=refusal.constraint,
    )


def _is_meant(column: DeclaredColumn, refusal: _Refusal, declared: Declaration[Any]) -> bool:
    if refusal.columns:
        # Behind a compat view the column of the old contract has this suffix.
        return column.name in refusal.columns or f"{column.name}__old" in refusal.columns
    # A CHECK is known by its name: model_status_check, request_type_check.
    tables = {refusal.table, declared.table, declared.old}
    names = {f"{table}_{column.name}_check" for table in tables if table}
    return refusal.constraint in {*names, f"{column.name}_check"}


def _written(written: Any, field: str) -> Any:
    return written.get(field) if isinstance(written, dict) else getattr(written, field, None)
