"""PostgreSQL's own parse tree, from libpg_query by way of postgast, and questions asked of it."""

from __future__ import annotations

import re
import sys
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.errors import UsageError
from runner.quoting import quote_ident, told_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.machinery import ModuleSpec

# A protobuf message of postgast. Its fields are those of PostgreSQL's parsenodes.h.
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
_LONG = 20_000  # characters from which a statement may need more of a stack than there is
_MOST_STEPS = 20_000
_QUOTED = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|--[^\n]*", re.DOTALL)
_STEPS = re.compile(
    r"[-+*/%^<>=~!@#&|:]+|\b(?:IS|IN|AT|COLLATE|JOIN|UNION|EXCEPT|INTERSECT)\b", re.I
)
_APART = re.compile(r",|\b(?:AND|OR)\b", re.IGNORECASE)
_ROOM, _STEP = 2**24, 512  # bytes of a stack: in any case, and for each character
_MOST_NESTED = 5_000  # comments in comments
_ESCAPED_NAME = re.compile(r"u&\"", re.IGNORECASE)
_WITH_TYPMOD = re.compile(r"[( ]")


class GrammarError(ValueError):
    """Text that PostgreSQL's grammar refuses.

    Args:
        message: what the grammar says.
        offset: characters before the place, in the text that was parsed.
    """

    def __init__(self, message: str, offset: int) -> None:
        """Keep the place beside the message."""
        super().__init__(message)
        self.offset = offset


@cache
def _part(name: str) -> Any:
    """A module of postgast alone: the package's own import takes in all of them, and 10 ms.

    Its type stubs are no valid Python to mypy, so it stays untyped.
    """
    package = find_spec("postgast")
    if package is None:
        raise UsageError(
            "trueup lint needs PostgreSQL's parser, the Python package postgast",
            hint="pip install 'trueup[lint]'",
        )
    if "postgast" in sys.modules:
        return import_module(f"postgast.{name}")
    stand_ins = {"postgast": module_from_spec(package), **_without_detours(package)}
    if name == "deparse":  # It asks whether a tree is one of the package's own nodes: 5 ms.
        base = ModuleType("postgast.nodes.base")
        base.AstNode = NotImplementedError  # type: ignore[attr-defined]
        stand_ins |= {"postgast.nodes": ModuleType("postgast.nodes"), base.__name__: base}
    sys.modules.update(stand_ins)
    try:
        return import_module(f"postgast.{name}")
    finally:
        for stand_in in stand_ins:  # Whoever imports them gets the whole package.
            del sys.modules[stand_in]


def _without_detours(package: ModuleSpec) -> dict[str, ModuleType]:
    """Stand-ins for what it asks where its own files are: 10 ms, as they import much themselves."""
    folder = Path(package.origin or "").parent
    if sys.platform != "linux" or not (folder / "libpg_query.so").is_file():
        return {}  # It has to look for its library.
    resources = ModuleType("importlib.resources")
    resources.files = lambda _: folder  # type: ignore[attr-defined]
    found = {"importlib.resources": resources, "ctypes.util": ModuleType("ctypes.util")}
    return {name: module for name, module in found.items() if name not in sys.modules}


def parse(sql: str) -> list[tuple[Node, int, int]]:
    """Parse SQL text.

    Args:
        sql: any number of statements.

    Returns:
        For each statement its tree, and where it begins and ends in the text.

    Raises:
        GrammarError: when the grammar of PostgreSQL 18 refuses it.
    """
    parser = _part("parse")
    if _nesting(sql) > _MOST_NESTED:  # the parser takes the square of it
        raise GrammarError(f"comments are nested more than {_MOST_NESTED:,} deep", 0)
    if len(sql) >= _LONG and _longest(sql) > _MOST_STEPS:  # it takes the square of these, too
        raise GrammarError(f"an expression has more than {_MOST_STEPS:,} steps", 0)
    try:
        result = parser.parse(sql) if len(sql) < _LONG else _with_room(parser.parse, sql)
    except _part("errors").PgQueryError as error:
        raise GrammarError(error.message, characters(sql, max(0, error.cursorpos - 1))) from None
    except Exception as error:  # A tree deeper than protobuf reads raises an error of its own.
        raise GrammarError(f"the parser gave up: {type(error).__name__}", 0) from None
    found = []
    for raw in result.stmts:
        start = characters(sql, raw.stmt_location)
        end = characters(sql, raw.stmt_location + raw.stmt_len) if raw.stmt_len else len(sql)
        found.append((inner(raw.stmt), start, end))
    return found


def _longest(sql: str) -> int:
    """How many operators stand between two commas, ANDs or ORs at most."""
    parts = _APART.split(_QUOTED.sub("", sql))
    return max(sum(1 for _ in _STEPS.finditer(part)) for part in parts)


def _with_room(parse: Callable[[str], Any], sql: str) -> Any:
    """Parse on a stack of its own: `1 + 1 + ...` takes some of it for each step."""
    from threading import Thread, stack_size

    done: list[Any] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            done.append(parse(sql))
        except Exception as error:  # for whoever asked
            failed.append(error)

    usual = stack_size(_ROOM + len(sql) * _STEP)
    try:
        thread = Thread(target=run)
        thread.start()
    finally:
        stack_size(usual)
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def _nesting(sql: str) -> int:
    """How deep comments are nested at most; what stands in quotes may count, too."""
    if sql.count("/*") <= _MOST_NESTED:
        return 0
    depth = most = 0
    for mark in re.finditer(r"/\*|\*/", sql):
        depth = depth + 1 if mark[0] == "/*" else max(0, depth - 1)
        most = max(most, depth)
    return most


def deparse(node: Node) -> str:
    """Write a statement out as SQL.

    Args:
        node: its tree.

    Returns:
        The text, its semicolon left out.

    Raises:
        GrammarError: when the tree says nothing that the grammar knows.
    """
    result = _part("pg_query_pb2").ParseResult()
    wrap(node, result.stmts.add().stmt)
    try:
        return str(_part("deparse").deparse(result))
    except _part("errors").PgQueryError as error:
        raise GrammarError(error.message, 0) from None


def wrap(node: Node, into: Node) -> None:
    """Put a copy of a node into a place of another tree, in a Node where the place holds these."""
    if kind(into) != "Node" or kind(node) == "Node":
        into.CopyFrom(node)
        return
    getattr(into, _field_of(kind(into), kind(node))).CopyFrom(node)


@cache
def _field_of(outer: str, inner_kind: str) -> str:
    """The field of a message that holds messages of a kind."""
    fields = getattr(_part("pg_query_pb2"), outer).DESCRIPTOR.fields
    return next(str(f.name) for f in fields if f.message_type.name == inner_kind)


def parse_plpgsql(sql: str) -> list[dict[str, Any]]:
    """Parse a DO block or a PL/pgSQL function; an empty list when it cannot be parsed."""
    try:
        parsed: list[dict[str, Any]] = _part("plpgsql").parse_plpgsql(sql)
    except (_part("errors").PgQueryError, ValueError, RecursionError):
        return []
    return parsed


def has_escaped_names(sql: str) -> bool:
    """Whether a name in a text may stand in Unicode escapes, as in U&"\\0061"."""
    return _ESCAPED_NAME.search(sql) is not None


def calls_in(names: Iterable[str]) -> re.Pattern[str]:
    """A pattern of a call of one of some functions, for texts that are not parsed."""
    return re.compile(rf"\b({'|'.join(sorted(names))})\"?\s*(?:\(|/\*|--)", re.IGNORECASE)


def texts(sql: str) -> list[tuple[int, int]]:
    """Where the texts in quotes of a statement begin and end, in characters."""
    return [(t.start, t.end) for t in tokens(sql) if t.kind in ("SCONST", "USCONST")]


class Token(NamedTuple):
    """A token: its name in the grammar, and where it begins and ends, in characters."""

    kind: str
    start: int
    end: int


def tokens(sql: str) -> list[Token]:
    """The tokens of a text, comments too (SQL_COMMENT, C_COMMENT); none when it has an error."""
    try:
        found = _part("scan").scan(sql).tokens
    except _part("errors").PgQueryError:
        return []
    return [
        Token(enum_name(t, "token"), characters(sql, t.start), characters(sql, t.end))
        for t in found
    ]


def characters(text: str, offset: int) -> int:
    """Turn an offset in UTF-8 bytes, as the parser counts, into one in characters."""
    if text.isascii():
        return offset
    return len(text.encode()[:offset].decode(errors="ignore"))


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


@cache
def must_be_quoted(word: str) -> bool:
    """Whether a name is a key word that cannot name a table or a column without quotes."""
    if not (word.isascii() and word.isidentifier() and word.islower()):
        return False
    if quote_ident(word) == word:
        return False
    token = _part("scan").scan(word).tokens[0]
    return enum_name(token, "keyword_kind") in ("RESERVED_KEYWORD", "TYPE_FUNC_NAME_KEYWORD")


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
