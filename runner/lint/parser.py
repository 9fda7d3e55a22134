"""PostgreSQL's own parser, libpg_query: SQL becomes trees, and trees become SQL.

The package postgast brings the library and the schema of its trees. Both files are taken as they
are: to import the package takes a quarter of lint's start.
"""

from __future__ import annotations

import ctypes
import re
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.errors import UsageError
from runner.lint.tree import Node, enum_name, inner, wrap
from runner.quoting import quote_ident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_LONG = 20_000  # characters from which a statement may need more of a stack than there is
_MOST_STEPS = 20_000
_QUOTED = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|--[^\n]*", re.DOTALL)
_STEPS = re.compile(
    r"[-+*/%^<>=~!@#&|:]+|\b(?:IS|IN|AT|COLLATE|JOIN|UNION|EXCEPT|INTERSECT)\b", re.I
)
_APART = re.compile(r",|\b(?:AND|OR)\b", re.IGNORECASE)
_ROOM, _STEP = 2**24, 512  # bytes of a stack: in any case, and for each character
_MOST_NESTED = 5_000  # comments in comments
_ROOTS = ("pg_query.ParseResult", "pg_query.ScanResult")
_ESCAPED_NAME = re.compile(r"u&\"", re.IGNORECASE)


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


# As pg_query.h has them.
class _Error(ctypes.Structure):
    _fields_ = (
        ("message", ctypes.c_char_p),
        ("function", ctypes.c_char_p),
        ("file", ctypes.c_char_p),
        ("line", ctypes.c_int),
        ("place", ctypes.c_int),
        ("context", ctypes.c_char_p),
    )


class _Message(ctypes.Structure):
    _fields_ = (("length", ctypes.c_size_t), ("data", ctypes.c_void_p))


class _Tree(ctypes.Structure):
    _fields_ = (
        ("message", _Message),
        ("stderr", ctypes.c_char_p),
        ("error", ctypes.POINTER(_Error)),
    )


class _Text(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char_p), ("error", ctypes.POINTER(_Error)))


# What each function takes and gives, and which one frees that.
_FUNCTIONS = (
    ("parse_protobuf", ctypes.c_char_p, _Tree, "free_protobuf_parse_result"),
    ("scan", ctypes.c_char_p, _Tree, "free_scan_result"),
    ("deparse_protobuf", _Message, _Text, "free_deparse_result"),
    ("parse_plpgsql", ctypes.c_char_p, _Text, "free_plpgsql_parse_result"),
)


@cache
def _package() -> Path:
    """The folder of postgast."""
    package = find_spec("postgast")
    if package is None or package.origin is None:
        raise UsageError(
            "trueup lint needs PostgreSQL's parser, the Python package postgast",
            hint="pip install 'trueup[lint]'",
        )
    return Path(package.origin).parent


@cache
def _functions() -> dict[str, tuple[Any, Any]]:
    """The functions of the library that are called, each with the one that frees what it gives."""
    names = ("libpg_query.so", "libpg_query.dylib", "pg_query.dll")
    file = next((f for f in map(_package().joinpath, names) if f.is_file()), None)
    if file is None:  # The package knows where else it may be.
        file = import_module("postgast.native").lib._name
    library = ctypes.CDLL(str(file))
    found = {}
    for name, takes, gives, frees in _FUNCTIONS:
        function, free = getattr(library, f"pg_query_{name}"), getattr(library, f"pg_query_{frees}")
        function.argtypes, function.restype = [takes], gives
        free.argtypes, free.restype = [gives], None
        found[name] = (function, free)
    return found


def _ask(name: str, argument: object) -> bytes:
    """What a function of the library gives.

    Raises:
        GrammarError: when it refuses; the offset is one in bytes.
    """
    function, free = _functions()[name]
    given = function(argument)
    try:
        if given.error:
            error = given.error.contents
            raise GrammarError((error.message or b"").decode(), max(0, error.place - 1))
        if isinstance(given, _Text):
            return given.text or b""
        return ctypes.string_at(given.message.data, given.message.length)
    finally:
        free(given)


@cache
def _messages() -> tuple[Any, Any]:
    """The classes of what is parsed, and of tokens; those of their parts are made when met."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    schema = (_package() / "pg_query.desc").read_bytes()
    for file in descriptor_pb2.FileDescriptorSet.FromString(schema).file:
        pool.Add(file)
    parsed, scanned = map(
        pool.FindMessageTypeByName, ("pg_query.ParseResult", "pg_query.ScanResult")
    )
    return message_factory.GetMessageClass(parsed), message_factory.GetMessageClass(scanned)


class Parsed(NamedTuple):
    """A statement's tree, and where it begins and ends in the text, in characters."""

    node: Node
    start: int
    end: int


def parse(sql: str) -> list[Parsed]:
    """Parse SQL text.

    Args:
        sql: any number of statements.

    Returns:
        The statements.

    Raises:
        GrammarError: when the grammar of PostgreSQL 18 refuses it.
    """
    found = []
    for raw in _statements(sql):
        start = characters(sql, raw.stmt_location)
        end = characters(sql, raw.stmt_location + raw.stmt_len) if raw.stmt_len else len(sql)
        found.append(Parsed(inner(raw.stmt), start, end))
    return found


def _statements(sql: str) -> Sequence[Any]:
    """The statements of a text, each in its RawStmt."""
    if _nesting(sql) > _MOST_NESTED:  # the parser takes the square of it
        raise GrammarError(f"comments are nested more than {_MOST_NESTED:,} deep", 0)
    result, _ = _messages()
    if len(sql) >= _LONG and _longest(sql) > _MOST_STEPS:  # it takes the square of these, too
        raise GrammarError(f"an expression has more than {_MOST_STEPS:,} steps", 0)
    try:
        read = _parsed if len(sql) < _LONG else partial(_with_room, _parsed)
        parsed: Sequence[Any] = result.FromString(read(sql)).stmts
    except GrammarError as error:
        raise GrammarError(str(error), characters(sql, error.offset)) from None
    except Exception as error:  # A tree deeper than protobuf reads raises an error of its own.
        raise GrammarError(f"the parser gave up: {type(error).__name__}", 0) from None
    return parsed


def _parsed(sql: str) -> Any:
    return _ask("parse_protobuf", sql.encode())


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
    result, _ = _messages()
    tree = result()
    wrap(node, tree.stmts.add().stmt)
    data = ctypes.create_string_buffer(tree.SerializeToString())
    message = _Message(len(data) - 1, ctypes.cast(data, ctypes.c_void_p))
    return _ask("deparse_protobuf", message).decode()


def parse_plpgsql(sql: str) -> list[dict[str, Any]]:
    """Parse a DO block or a PL/pgSQL function; an empty list when it cannot be parsed."""
    import json

    try:
        parsed: list[dict[str, Any]] = json.loads(_ask("parse_plpgsql", sql.encode()))
    except (GrammarError, ValueError, RecursionError):
        return []
    return parsed


class Token(NamedTuple):
    """A token: its name in the grammar, and where it begins and ends, in characters."""

    kind: str
    start: int
    end: int


def tokens(sql: str) -> list[Token]:
    """The tokens of a text, comments too (SQL_COMMENT, C_COMMENT); none when it has an error."""
    return [
        Token(enum_name(t, "token"), characters(sql, t.start), characters(sql, t.end))
        for t in _tokens(sql)
    ]


def _tokens(sql: str) -> Sequence[Any]:
    _, result = _messages()
    try:
        found: Sequence[Any] = result.FromString(_ask("scan", sql.encode())).tokens
    except GrammarError:
        return []
    return found


def texts(sql: str) -> list[tuple[int, int]]:
    """Where the texts in quotes of a statement begin and end, in characters."""
    return [(t.start, t.end) for t in tokens(sql) if t.kind in ("SCONST", "USCONST")]


@cache
def must_be_quoted(word: str) -> bool:
    """Whether a name is a key word that cannot name a table or a column without quotes."""
    if not (word.isascii() and word.isidentifier() and word.islower()):
        return False
    if quote_ident(word) == word:
        return False
    kind_ = enum_name(_tokens(word)[0], "keyword_kind")
    return kind_ in ("RESERVED_KEYWORD", "TYPE_FUNC_NAME_KEYWORD")


def characters(text: str, offset: int) -> int:
    """Turn an offset in UTF-8 bytes, as the parser counts, into one in characters."""
    if text.isascii():
        return offset
    return len(text.encode()[:offset].decode(errors="ignore"))


def has_escaped_names(sql: str) -> bool:
    """Whether a name in a text may stand in Unicode escapes, as in U&"\\0061"."""
    return _ESCAPED_NAME.search(sql) is not None


def calls_in(names: Iterable[str]) -> re.Pattern[str]:
    """A pattern of a call of one of some functions, for texts that are not parsed."""
    return re.compile(rf"\b({'|'.join(sorted(names))})\"?\s*(?:\(|/\*|--)", re.IGNORECASE)
