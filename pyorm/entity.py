"""An entity: a dataclass that is one row of one table, declared once.

@entity("model", schema="public", old="models")
class Model:
    id: UUID = column(default_factory=uuid4)
    model_id: str = column(length=100, unique=True)
    status: ModelStatus
    created_at: datetime = column(default_factory=now, fixed=True)
"""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import (
    Any,
    Generic,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from pyorm.enums import SharedEnum
from pyorm.errors import DeclarationError, InvalidValue

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
P = ParamSpec("P")

_METADATA = "pyorm"

SQL_TYPES: dict[type, str] = {
    UUID: "uuid",
    str: "varchar",
    int: "integer",
    float: "double precision",
    bool: "boolean",
    datetime: "timestamptz",
    date: "date",
    Decimal: "numeric",
    bytes: "bytea",
    dict: "json",
}


class Fields(TypedDict, total=False):
    """The base of an entity's field types: what filters and updates take besides the fields."""

    order: str | tuple[str, ...]
    limit: int
    if_version: object


class HasFields(Protocol[P]):
    """An entity whose field types are known to the type checker."""

    def __fields__(self, *args: P.args, **kwargs: P.kwargs) -> None: ...


class RepositoryOf(Protocol[E_co]):
    """A repository, to the type checker: it tells the entity, and so the types of its fields."""

    @property
    def entity(self) -> type[E_co]:
        """The entity."""
        ...


Key = UUID | str | int | tuple[Any, ...]
"""A value of the key's field; for a uuid its text too. A tuple for a key of several fields."""


def now() -> datetime:
    """The current time in UTC, as the default of a timestamp."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """One column of an entity.

    Args:
        field: the attribute's name.
        name: the column's name.
        python: the Python type of a value, of an element if array; dict or a dataclass is json.
        nullable: whether None is a value.
        array: whether it is a list of values.
        sql_type: the SQL type under the new contract, of an element if array.
        length: the most characters of a text.
        unique: whether no two rows share a value.
        references: what a foreign key points at, as SQL: `model (id)`.
        fixed: whether the value stays what it was when the row was added.
        on_update: gives a new value at each update.
        version: whether its value tells whether the row has changed.
        required: whether the constructor asks for it.
    """

    field: str
    name: str
    python: type[Any]
    nullable: bool
    array: bool
    sql_type: str
    length: int | None = None
    unique: bool = False
    references: str | None = None
    fixed: bool = False
    on_update: Callable[[], Any] | None = None
    version: bool = False
    required: bool = True

    @property
    def enum(self) -> type[SharedEnum] | None:
        """The shared enum of its values, None for another type."""
        return self.python if issubclass(self.python, SharedEnum) else None


@dataclass(frozen=True, slots=True)
class Declaration(Generic[E]):
    """What an entity declares: its table, key and columns.

    Args:
        entity: the dataclass.
        table: the table's name under the new contract.
        schema: its schema, None for what the search path finds.
        old: the name under the old contract, None when there is none.
        key: the fields of the primary key.
        columns: in the order of the fields.
    """

    entity: type[E]
    table: str
    schema: str | None
    old: str | None
    key: tuple[str, ...]
    columns: tuple[DeclaredColumn, ...]

    @property
    def name(self) -> str:
        """The entity's name."""
        return self.entity.__name__

    @property
    def version(self) -> DeclaredColumn | None:
        """The column that tells whether a row has changed, None when none is declared."""
        return next((column for column in self.columns if column.version), None)

    def column(self, field: str) -> DeclaredColumn:
        """The column of a field.

        Raises:
            InvalidValue: when there is none; names the nearest.
        """
        for column in self.columns:
            if column.field == field:
                return column
        import difflib  # here, because only an error needs it

        fields = [column.field for column in self.columns]
        near = difflib.get_close_matches(field, fields, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise InvalidValue(
            f"{self.name} has no field {field!r}{guess} (fields: {', '.join(fields)})",
            entity=self.name,
            field=field,
        )


def column(
    *,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    name: str | None = None,
    sql_type: str | None = None,
    length: int | None = None,
    unique: bool = False,
    references: str | None = None,
    fixed: bool = False,
    on_update: Callable[[], Any] | None = None,
    version: bool = False,
) -> Any:
    """A field that says more about its column than its type does.

    Args:
        default: the value when the constructor is given none.
        default_factory: makes that value.
        name: the column's name when it is not the field's.
        sql_type: the SQL type when it is not the usual one: `jsonb`, `bigint`.
        length: the most characters of a text.
        unique: whether no two rows share a value.
        references: what a foreign key points at, as SQL: `model (id)`.
        fixed: whether the value stays what it was when the row was added.
        on_update: gives a new value at each update.
        version: whether its value tells whether the row has changed: a number, which grows by one
            with each update, a time, or what on_update gives.
    """
    extra = {
        "name": name,
        "sql_type": sql_type,
        "length": length,
        "unique": unique,
        "references": references,
        "fixed": fixed,
        "on_update": on_update,
        "version": version,
    }
    return dataclasses.field(
        default=default, default_factory=default_factory, metadata={_METADATA: extra}
    )


@dataclass_transform(kw_only_default=True, field_specifiers=(column, dataclasses.field))
def entity(
    table: str,
    *,
    schema: str | None = None,
    key: str | tuple[str, ...] = "id",
    old: str | None = None,
    frozen: bool = False,
) -> Callable[[type[E]], type[E]]:
    """Make a class an entity: a dataclass with slots and keyword arguments, and its table.

    Args:
        table: the table's name.
        schema: its schema, None for what the search path finds.
        key: the field of the primary key, or several.
        old: the table's name under the old contract.
        frozen: whether an entity refuses to be changed.

    Raises:
        DeclarationError: when the class cannot be a row.
    """

    def make(cls: type[E]) -> type[E]:
        cls = dataclass(slots=True, kw_only=True, frozen=frozen)(cls)
        keys = (key,) if isinstance(key, str) else key
        declared = Declaration(cls, table, schema, old, keys, tuple(_columns(cls)))
        for field in keys:
            declared.column(field)
        _check_version(declared)
        _check_fields(declared)
        cls.__pyorm__ = declared  # type: ignore[attr-defined]
        return cls

    return make


def declaration(entity: type[E]) -> Declaration[E]:
    """What an entity declares.

    Raises:
        DeclarationError: when the class is none.
    """
    declared = getattr(entity, "__pyorm__", None)
    if not isinstance(declared, Declaration):
        raise DeclarationError(
            f"{entity!r} is no entity", hint="put @entity(<table>) above the class"
        )
    return declared


def _columns(cls: type[Any]) -> Iterator[DeclaredColumn]:
    # A class within a function names its types there; its module does not know them.
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    try:
        hints = get_type_hints(cls, localns=frame.f_locals if frame else None)
    except NameError as error:
        raise DeclarationError(
            f"{cls.__name__}: the type {error.name!r} of a field is not known at run time",
            hint="import it outside `if TYPE_CHECKING`",
            entity=cls.__name__,
        ) from error
    for field in dataclasses.fields(cls):
        extra = dict(field.metadata.get(_METADATA, {}))
        if field.name in Fields.__annotations__:
            raise DeclarationError(
                f"{cls.__name__}.{field.name}: find() has an argument of this name",
                hint=f"call the field {field.name}_ = column(name={field.name!r})",
                entity=cls.__name__,
                field=field.name,
            )
        base, nullable, array = _type(cls.__name__, field.name, hints[field.name])
        sql_type = extra.pop("sql_type", None) or _sql_type(base, extra.get("length"))
        if extra.get("version") and base is datetime and not extra["on_update"]:
            extra["on_update"] = now
        yield DeclaredColumn(
            field=field.name,
            name=extra.pop("name", None) or field.name,
            python=base,
            nullable=nullable,
            array=array,
            sql_type=sql_type,
            required=field.default is MISSING and field.default_factory is MISSING,
            **extra,
        )


def _type(entity: str, field: str, hint: Any) -> tuple[type[Any], bool, bool]:
    """What a type hint says: the type of a value, whether it may be None, whether it is a list."""
    nullable = array = False
    if get_origin(hint) in (Union, types.UnionType):
        members = [member for member in get_args(hint) if member is not types.NoneType]
        nullable = len(members) < len(get_args(hint))
        hint = members[0] if len(members) == 1 else hint
    if get_origin(hint) is list:
        array = True
        (hint,) = get_args(hint)
    base = get_origin(hint) or hint
    if isinstance(base, type) and (
        base in SQL_TYPES or issubclass(base, SharedEnum) or dataclasses.is_dataclass(base)
    ):
        return base, nullable, array
    raise DeclarationError(
        f"{entity}.{field}: {hint!r} is no type of a column",
        hint="use UUID, a SharedEnum, str, int, float, bool, datetime, date, Decimal, bytes, dict "
        "or a dataclass (json), a list of one of them, each with or without None",
        entity=entity,
        field=field,
    )


def _sql_type(base: type[Any], length: int | None) -> str:
    if dataclasses.is_dataclass(base):
        return "json"
    if issubclass(base, SharedEnum):
        return "varchar"
    return f"varchar({length})" if base is str and length else SQL_TYPES[base]


def _check_version(declared: Declaration[Any]) -> None:
    versions = [column for column in declared.columns if column.version]
    for column in versions:
        if len(versions) > 1:
            reason = "is a second version"
        elif column.array or column.fixed or column.field in declared.key:
            reason = "cannot be the version: it stays what it was, or is a list"
        elif column.python is not int and column.on_update is None:
            reason = "cannot be the version: nothing changes it; it needs on_update"
        else:
            continue
        raise DeclarationError(
            f"{declared.name}.{column.field} {reason}",
            hint="version: int = column(version=True, default=1)",
            entity=declared.name,
            field=column.field,
        )


def _check_fields(declared: Declaration[Any]) -> None:
    """Hold the types given to the type checker against the entity's own."""
    typed = getattr(declared.entity, "__fields__", None)
    if typed is None:
        return
    annotation = typed.__annotations__.get("fields")
    if isinstance(annotation, str):
        module = inspect.getmodule(typed)
        annotation = eval(annotation, vars(module) if module else {})
    if not get_args(annotation):
        return  # Any: nothing is told
    told = {name for argument in get_args(annotation) for name in argument.__annotations__}
    told -= set(Fields.__annotations__)
    fields = {column.field for column in declared.columns}
    if told != fields:
        wrong = ", ".join(sorted(told ^ fields))
        raise DeclarationError(
            f"{declared.name}: its fields and those of __fields__ differ: {wrong}",
            hint=f"python -m pyorm.fields <module>:{declared.name} prints them",
            entity=declared.name,
        )
