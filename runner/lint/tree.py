"""PostgreSQL's own parse tree, as runner.lint.parser gives it, and questions asked of it."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from runner.quoting import told_name

if TYPE_CHECKING:
    from collections.abc import Iterator

# A protobuf message of libpg_query. Its fields are those of PostgreSQL's parsenodes.h.
Node = Any

_VOLATILE = frozenset(
    """
    clock_timestamp currval gen_random_bytes gen_random_uuid gen_salt lastval lo_create nextval
    pg_backend_pid pg_sleep random random_normal setseed setval timeofday txid_current
    pg_current_xact_id uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuid_generate_v6
    uuid_generate_v7 uuidv4 uuidv7
    """.split()
)
# Built in, and not volatile: what stands in the defaults of real schemas.
_STEADY = frozenset(
    """
    abs age array_fill array_append array_cat array_to_json btrim ceil char_length chr concat
    concat_ws convert_from convert_to current_database current_schema current_setting date
    date_part date_trunc daterange decode encode floor format greatest hashtext inet_client_addr
    int4range int8range json_build_array json_build_object json_object jsonb_build_array
    jsonb_build_object jsonb_object left length lower lpad ltrim make_date make_interval make_time
    make_timestamp make_timestamptz md5 mod now numrange power regexp_replace repeat replace
    right round rpad rtrim session_user sha224 sha256 sha384 sha512 split_part
    statement_timestamp string_to_array strpos substr substring timezone to_char to_date to_json
    to_jsonb to_number to_timestamp to_tsvector transaction_timestamp translate trim trunc
    tsrange tstzrange upper user xmlparse
    """.split()
)
_CATALOG_TYPES = {
    "bool": "boolean",
    "bpchar": "char",
    "float4": "real",
    "float8": "double precision",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "timetz": "time with time zone",
}
_VALUES = frozenset({str, int, bool, float, bytes})  # of fields that hold no node
_WITH_TYPMOD = re.compile(r"[( ]")


def wrap(node: Node, into: Node) -> None:
    """Put a copy of a node into a place of another tree, in a Node where the place holds these."""
    if kind(into) != "Node" or kind(node) == "Node":
        into.CopyFrom(node)
        return
    message: Any = type(into)
    getattr(into, _field_of(message, kind(node))).CopyFrom(node)


@cache
def _field_of(message: Any, inner_kind: str) -> str:
    """The field of a class of messages that holds messages of a kind."""
    fields = message.DESCRIPTOR.fields
    return next(str(f.name) for f in fields if f.message_type.name == inner_kind)


def inner(node: Node) -> Node:
    """The message that a Node wraps; the node itself when it is none."""
    # Asked for hundreds of thousands of times: the class tells faster than its descriptor.
    if type(node).__name__ == "Node":
        which = node.WhichOneof("node")
        return getattr(node, which) if which else node
    return node


def kind(node: Node) -> str:
    """The node's type in parsenodes.h, such as AlterTableStmt."""
    return type(node).__name__


def enum_name(node: Node, field: str) -> str:
    """The name of an enumeration field's value, such as OBJECT_TABLE."""
    message: Any = type(node)
    return enum_of(message, field, getattr(node, field))


@cache
def enum_of(message: Any, field: str, value: int) -> str:
    """The name of a value of an enumeration field that messages of a class have."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return str(descriptor.enum_type.values_by_number[value].name)


def walk(node: Node) -> Iterator[Node]:
    """The node and all nodes below it, from the top."""
    waiting = [node]
    while waiting:
        node = inner(waiting.pop())
        yield node
        below: list[Node] = []
        for _, value in node.ListFields():
            kind_ = type(value)
            if kind_ in _VALUES:
                continue
            if hasattr(kind_, "DESCRIPTOR"):
                below.append(value)
            else:
                below += [item for item in value if hasattr(item, "DESCRIPTOR")]
        waiting += reversed(below)


class TableKey(str):
    """How a table is called in findings and compared: without the schema public.

    A part with a dot in it stands in quotes, so `"a.b"` and the table b of a are two.

    Args:
        schema: as the file writes it; empty when it writes none.
        name: of the table.
    """

    __slots__ = ("name", "schema")
    schema: str
    name: str

    def __new__(cls, schema: str, name: str) -> TableKey:
        """Keep both parts beside the text."""
        parts = (name,) if schema in ("", "public") else (schema, name)
        key = super().__new__(cls, told_name(*parts))
        key.schema, key.name = schema, name
        return key


# Of a thousand tables each is named some hundred times.
@lru_cache(1 << 16)
def table_key(schema: str, name: str) -> TableKey:
    """How a table is called in findings and compared."""
    return TableKey(schema, name)


def beside(table: str, name: str) -> TableKey:
    """A name in the schema that a table is written with."""
    return table_key(table.schema if isinstance(table, TableKey) else "", name)


def bare(table: str) -> str:
    """A name without its schema."""
    return table.name if isinstance(table, TableKey) else table


def relation(range_var: Node) -> TableKey:
    """The table, view or sequence that a RangeVar names."""
    return table_key(range_var.schemaname, range_var.relname)


def dotted(items: Any) -> TableKey:
    """A name that the tree holds as a list of strings."""
    parts = strings(items)
    return table_key(parts[-2] if len(parts) > 1 else "", parts[-1] if parts else "")


def strings(items: Any) -> tuple[str, ...]:
    """The texts of a list of String nodes."""
    return tuple([item.string.sval for item in items])


def type_name(node: Node) -> str:
    """A TypeName as one would write it: varchar(36), numeric(10,2), text[]."""
    name = _type_named(strings(node.names))
    if not name:
        return ""
    if node.typmods and name != "interval":
        mods = [str(inner(inner(m).ival).ival) for m in node.typmods if kind(inner(m)) == "A_Const"]
        name += f"({','.join(mods)})" if mods else ""
    return name + "[]" * len(node.array_bounds)


@cache
def _type_named(names: tuple[str, ...]) -> str:
    """A type by the parts of its name."""
    if not names:
        return ""
    schema = names[-2] if names[1:] and names[0] != "pg_catalog" else ""
    name = str(table_key(schema, names[-1]))
    return _CATALOG_TYPES.get(name, name)


def base_type(type_: str) -> str:
    """A type without its length, precision or array bounds."""
    return _WITH_TYPMOD.split(type_, maxsplit=1)[0] if "(" in type_ else type_.rstrip("[]")


def function_name(call: Node) -> TableKey:
    """The function that a FuncCall calls, without pg_catalog."""
    name = dotted(call.funcname)
    return table_key("", name.name) if name.schema == "pg_catalog" else name


def volatile_call(expression: Node, steady: frozenset[str] = frozenset()) -> str:
    """The first function in an expression that may give each row another value.

    Args:
        expression: a column's default.
        steady: functions that the chain itself defines as immutable or stable.

    Returns:
        Its name, empty when the expression is the same for all rows.
    """
    for node in walk(expression):
        if kind(node) == "FuncCall":
            name = function_name(node)
            if name in _VOLATILE or not (is_steady(name) or name in steady):
                return name
    return ""


def is_steady(name: TableKey) -> bool:
    """Whether a function is built in and gives the same for the same."""
    return name in _STEADY and not name.schema


def output_names(view: Node) -> tuple[str, ...]:
    """The columns of a view, in their order; none where the text does not show them all."""
    select = inner(view.query)
    while kind(select) == "SelectStmt" and select.HasField("larg"):
        select = select.larg
    given = strings(getattr(view, "aliases", ()))
    names = [output_name(inner(item)) for item in getattr(select, "target_list", ())]
    names[: len(given)] = given[: len(names)]
    return tuple(names) if all(names) else ()


def output_name(target: Node) -> str:
    """The name of a column of a query; empty where the text does not show it."""
    value = inner(target.val)
    if target.name:
        return str(target.name)
    if kind(value) == "FuncCall":
        return strings(value.funcname)[-1]
    return column(value) if kind(value) == "ColumnRef" else ""


def constant(node: Node) -> Any:
    """The value of a constant, through casts; None when it is no constant or is NULL."""
    node = inner(node)
    while kind(node) == "TypeCast":
        node = inner(node.arg)
    if kind(node) != "A_Const" or node.isnull:
        return None
    which = node.WhichOneof("val")
    value = getattr(node, which)
    if which == "ival":
        return value.ival
    if which == "boolval":
        return value.boolval
    if which == "fval":
        return float(value.fval)
    return getattr(value, value.DESCRIPTOR.fields[0].name)


def same(left: Node, right: Node) -> bool:
    """Whether two expressions are written alike."""
    return _without_places(left) == _without_places(right)


def _without_places(node: Node) -> list[Any]:
    shape: list[Any] = []
    for item in walk(node):
        shape.append(kind(item))
        for descriptor, value in item.ListFields():
            if descriptor.message_type is None and descriptor.name != "location":
                shape.append((descriptor.name, value if isinstance(value, str) else str(value)))
    return shape


def column(node: Node) -> str:
    """The column that a ColumnRef names, without its table; empty for any other node."""
    node = inner(node)
    while kind(node) == "TypeCast":
        node = inner(node.arg)
    if kind(node) != "ColumnRef" or not node.fields:
        return ""
    last = inner(node.fields[-1])
    return last.sval if kind(last) == "String" else ""


def option(options: Any, name: str) -> Node | None:
    """The DefElem of that name in a list of options."""
    return next((o for o in map(inner, options) if o.defname.lower() == name), None)


def columns_of(expression: Node) -> frozenset[str]:
    """All columns that an expression names."""
    return frozenset(column(n) for n in walk(expression) if kind(n) == "ColumnRef") - {""}


def proves_not_null(expression: Node) -> frozenset[str]:
    """The columns that a CHECK shows to be NOT NULL, alone or joined by AND."""
    node = inner(expression)
    if kind(node) == "NullTest" and enum_name(node, "nulltesttype") == "IS_NOT_NULL":
        return frozenset({column(node.arg)} - {""})
    if kind(node) == "BoolExpr" and enum_name(node, "boolop") == "AND_EXPR":
        return frozenset[str]().union(*(proves_not_null(arg) for arg in node.args))
    return frozenset()
