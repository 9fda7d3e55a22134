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
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass
from datetime import UTC, datetime
from typing import (
    Any,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    dataclass_transform,
    get_args,
    get_type_hints,
)
from uuid import UUID

from pyorm.enums import SharedEnum
from pyorm.errors import DeclarationError, InvalidValue
from pyorm.hints import (
    JSON,
    LENGTH,
    METADATA,
    annotated,
    column_type,
    refuse_type,
    tells,
    usual_sql_type,
)
from pyorm.server_made import GENERATED, ServerMade

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
P = ParamSpec("P")


_field_types_are_checked = True

Lock = Literal[
    "update",
    "update nowait",
    "update skip locked",
    "no key update",
    "no key update nowait",
    "no key update skip locked",
    "share",
    "share nowait",
    "share skip locked",
    "key share",
    "key share nowait",
    "key share skip locked",
]
"""How a row is locked until the end of the transaction: what stands after FOR."""


class Fields(TypedDict, total=False):
    """The base of an entity's field types: what filters and updates take besides the fields."""

    order: str | tuple[str, ...]
    limit: int
    lock: Lock
    if_version: object


class HasFields(Protocol[E_co, P]):
    """An entity whose field types are known to the type checker."""

    def __fields__(self, *args: P.args, **kwargs: P.kwargs) -> None: ...

    @property  # type: ignore[misc]
    def __class__(self) -> type[E_co]:  # type: ignore[override]
        """The entity itself."""
        ...


class RepositoryOf(Protocol[E_co]):
    """A repository, to the type checker: it tells the entity, and so the types of its fields."""

    @property
    def entity(self) -> type[E_co]:
        """The entity."""
        ...


Key = UUID | str | int | tuple[Any, ...]
"""A value of the key's field; for a uuid its text too. A tuple for a key of several fields."""


class _Secret:
    """Stands for a value that no error may show."""

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> str:
        return "SECRET"


SECRET = _Secret()


def now() -> datetime:
    """The current time in UTC, as the default of a timestamp."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """One column of an entity.

    Args:
        field: the attribute's name.
        name: the column's name.
        python: the Python type of a value, of an element if array.
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
        hint: the field's type as it is written.
        server: how the server makes the value, None when it does not.
        secret: whether no error may show a value.
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
    hint: Any = None
    server: ServerMade | None = None
    secret: bool = False

    @property
    def is_json(self) -> bool:
        """Whether its values, or the elements of its array, are json."""
        return self.sql_type in JSON

    @property
    def is_generated(self) -> bool:
        """Whether the server computes it, so that nobody writes it."""
        return self.server is not None and self.server.kind == GENERATED

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

    def told(self, field: str, value: Any) -> Any:
        """A value for an error, unless the field is a secret."""
        return SECRET if self.column(field).secret else value

    def told_key(self, key: Any) -> Any:
        """A key for an error, unless a field of it is a secret."""
        return SECRET if any(self.column(field).secret for field in self.key) else key

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
    repr: bool = True,  # noqa: A002 - dataclasses.field calls it so
    version: bool = False,
) -> Any:
    """Say more about the column of a field than its type does.

    Args:
        default: the value if the constructor gets none.
        default_factory: makes that value.
        name: the column's name, if it differs from the field's.
        sql_type: the SQL type, if it is not the usual one: `jsonb`, `bigint`.
        length: the most characters of a text.
        unique: whether no two rows share a value.
        references: what a foreign key points at, as SQL: `model (id)`.
        fixed: whether the value stays what it was when the row was added.
        on_update: returns a new value for each update.
        repr: whether the entity's repr and errors may show the value; False for a secret.
        version: whether its value shows that the row has changed: a number, which grows by one
            with each update, a time, or what on_update returns.

    `Annotated[str, column(length=100)]` is a type that fields can share; it sets no default.
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
        default=default, default_factory=default_factory, repr=repr, metadata={METADATA: extra}
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
        try:
            cls = dataclass(slots=True, kw_only=True, frozen=frozen)(cls)
        except (TypeError, ValueError) as error:
            raise DeclarationError(f"{cls.__name__}: {error}", entity=cls.__name__) from error
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
    if not isinstance(declared, Declaration) or declared.entity is not entity:
        raise DeclarationError(
            f"{entity!r} is not an entity", hint="put @entity(<table>) above the class"
        )
    return declared


def _columns(cls: type[Any]) -> Iterator[DeclaredColumn]:
    # A class within a function names its types there; its module does not know them.
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    try:
        hints = get_type_hints(cls, localns=frame.f_locals if frame else None, include_extras=True)
    except NameError as error:
        raise DeclarationError(
            f"{cls.__name__}: the type {error.name!r} of a field is not known at run time",
            hint="import it outside `if TYPE_CHECKING`",
            entity=cls.__name__,
        ) from error
    for field in dataclasses.fields(cls):
        _check_name(cls.__name__, field.name)
        hint, extra, secret = annotated(hints[field.name])
        given = field.metadata.get(METADATA, {})
        extra |= {name: value for name, value in given.items() if value or name not in extra}
        sql_type = extra.pop("sql_type", None)
        base, nullable, array = column_type(cls.__name__, field.name, hint, sql_type)
        if sql_type:
            refuse_type(cls.__name__, field.name, base, sql_type.removesuffix("[]"))
            if base is str and not extra.get("length") and (found := LENGTH.fullmatch(sql_type)):
                extra["length"] = int(found[1])
        server = field.default if isinstance(field.default, ServerMade) else None
        if extra.get("version") and base is datetime and not extra["on_update"]:
            extra["on_update"] = now
        yield DeclaredColumn(
            field=field.name,
            name=extra.pop("name", None) or field.name,
            python=base,
            nullable=nullable,
            array=array,
            sql_type=sql_type or usual_sql_type(base, extra.get("length")),
            required=field.default is MISSING and field.default_factory is MISSING,
            hint=hint,
            server=server,
            secret=secret or not field.repr,
            **extra,
        )


def _check_name(entity: str, field: str) -> None:
    if field in Fields.__annotations__:
        raise DeclarationError(
            f"{entity}.{field}: find() has an argument of this name",
            hint=f"call the field {field}_ = column(name={field!r})",
            entity=entity,
            field=field,
        )
    if field.startswith("__"):
        raise DeclarationError(
            f"{entity}.{field}: Python gives a name with two underscores to the class alone",
            hint=f"call the field {field.lstrip('_')} = column(name={field!r})",
            entity=entity,
            field=field,
        )


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


def mend_field_types() -> None:
    """Import entities whose field types differ, so that pyorm.fields can write them anew."""
    global _field_types_are_checked
    _field_types_are_checked = False


def _check_fields(declared: Declaration[Any]) -> None:
    """Hold the types given to the type checker against the entity's own."""
    typed = getattr(declared.entity, "__fields__", None)
    if typed is None or not _field_types_are_checked:
        return
    annotation = typed.__annotations__.get("fields")
    if isinstance(annotation, str):
        module = inspect.getmodule(typed)
        annotation = eval(annotation, vars(module) if module else {})
    if not get_args(annotation):
        return  # Any: nothing is told
    told: dict[str, Any] = {}
    for argument in get_args(annotation):
        try:
            told |= get_type_hints(argument)
        except NameError:  # of a type that only the type checker knows
            told |= dict.fromkeys(argument.__annotations__, Any)
    told = {name: hint for name, hint in told.items() if name not in Fields.__annotations__}
    columns = {column.field: column for column in declared.columns}
    wrong = told.keys() ^ columns.keys()
    wrong |= {name for name in told.keys() & columns if not tells(told[name], columns[name].hint)}
    if wrong:
        raise DeclarationError(
            f"{declared.name}: its fields and those of __fields__ differ: "
            f"{', '.join(sorted(wrong))}",
            hint=f"python -m pyorm.fields --write {declared.entity.__module__}:{declared.name}",
            entity=declared.name,
        )
