"""What is written inside DO blocks and functions, as texts of their own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from math import prod
from typing import TYPE_CHECKING, Any

from runner.lint import parser, tree
from runner.quoting import quote_ident, quote_literal

if TYPE_CHECKING:
    from runner.lint.tree import Node

_PLACEHOLDER = re.compile(r"%(?:(\d+)\$)?-?\d*([IsL])")
# What stands for a value that the text does not show; no user ever sees it so.
_UNSHOWN = "trueup_unshown_{}_eh"
_MARK = "trueup_unshown_"
_UNSHOWN_WORD = re.compile(r"(?P<schema>\w+\.)?(?P<name>\w*trueup_unshown_\w*?_eh\w*)")
_UNSHOWN_PART = re.compile(r"trueup_unshown_(\w*?)_eh")
_NO_NAME = "value"  # of a variable
_LONGEST_SHOWN = 20
_MOST_TEXTS = 50


def block_text(node: Node) -> str:
    """The body of a DO block or of a function that is written as a text."""
    options = node.args if tree.kind(node) == "DoStmt" else node.options
    body = tree.option(options, "as")
    if body is None:
        return ""
    argument = tree.inner(body.arg)
    if tree.kind(argument) == "List":
        return str(tree.inner(argument.items[0]).sval)
    return str(argument.sval)


Values = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class BlockQuery:
    """A query inside a DO block.

    Args:
        text: the SQL, or the expression that gives it.
        dynamic: True for EXECUTE.
        loop: True inside a loop.
        values: what variables hold there, where the block shows it, by name.
    """

    text: str
    dynamic: bool
    loop: bool
    values: Values = field(default_factory=dict)

    @property
    def used(self) -> list[str]:
        """The variables in it of which the values are known."""
        return [name for name in self.values if re.search(rf"\b{re.escape(name)}\b", self.text)]

    @property
    def is_cut(self) -> bool:
        """Whether it runs more texts than are looked at."""
        return prod(len(self.values[name]) for name in self.used) > _MOST_TEXTS

    def texts(self) -> list[str]:
        """The SQL that it runs, as far as the block shows it; more than one in a loop."""
        if not self.dynamic:
            return [self.text]
        used = self.used
        found: dict[str, None] = {}
        for chosen in islice(product(*(self.values[name] for name in used)), _MOST_TEXTS):
            found[_executed_text(self.text, dict(zip(used, chosen, strict=True)))] = None
        return list(found)


def block_queries(block: str) -> tuple[list[BlockQuery], bool]:
    """The queries of a DO block, and whether it commits.

    Args:
        block: its text, from DO to the end of its body.
    """
    found: list[BlockQuery] = []
    commits = False

    def visit(value: Any, loop: bool, values: Values) -> None:
        nonlocal commits
        if isinstance(value, list):
            for item in value:
                visit(item, loop, values)
        if not isinstance(value, dict):
            return
        for key, item in value.items():
            inside = values
            if key == "PLpgSQL_stmt_execsql":
                found.append(BlockQuery(_query(item["sqlstmt"]), False, loop))
            elif key == "PLpgSQL_stmt_dynexecute":
                found.append(BlockQuery(_query(item["query"]), True, loop, values))
            elif key == "PLpgSQL_stmt_perform":
                found.append(BlockQuery(_query(item["expr"]), False, loop))
            elif key == "PLpgSQL_stmt_commit":
                commits = True
            elif key == "PLpgSQL_stmt_foreach_a":
                inside = {**values, names[item["varno"]]: _constants(_expression(item["expr"]))}
            elif key == "PLpgSQL_stmt_fors":
                inside = {**values, **_rows(item.get("var", {}), _query(item["query"]))}
            if inside is not values:
                unknown = changed | assigned
                new = {k for k, v in inside.items() if values.get(k) is not v}
                inside = {
                    k: v
                    for k, v in inside.items()
                    if v and (k not in new or k.split(".")[0] not in unknown)
                }
            visit(item, loop or key in _LOOPS, inside)

    parsed = parser.parse_plpgsql(block)
    for function in parsed:
        datums = function["PLpgSQL_function"].get("datums", [])
        names = [next(iter(datum.values())).get("refname", "") for datum in datums]
        action = function["PLpgSQL_function"].get("action")
        changed, assigned = _changed(datums, action)
        fixed = _fixed(datums, action)
        visit(function, False, {k: v for k, v in fixed.items() if k not in changed})
    return found, commits


_LOOPS = frozenset(
    f"PLpgSQL_stmt_{word}"
    for word in ("loop", "while", "fori", "fors", "forc", "foreach_a", "dynfors")
)


def _query(holder: dict[str, Any]) -> str:
    return str(holder["PLpgSQL_expr"]["query"])


def _expression(holder: dict[str, Any]) -> Node | None:
    """The expression of a part of a block; None where the grammar does not take it."""
    try:
        return tree.inner(parser.parse(f"SELECT {_query(holder)}")[0][0].target_list[0]).val
    except (parser.GrammarError, IndexError):
        return None


def _changed(
    datums: Sequence[dict[str, Any]], action: object
) -> tuple[frozenset[str], frozenset[str]]:
    """The variables, by name, to which a block gives what it does not show, and those it assigns.

    By INTO, FETCH, CALL or GET DIAGNOSTICS, or by a loop in a loop over the same variable; also
    those of which a block inside has one of its own.
    """
    names = [next(iter(d.values())).get("refname", "") for d in datums if "PLpgSQL_row" not in d]
    found = {name for name, times in Counter(names).items() if times > 1}
    assigned: set[str] = set()

    def name_of(number: int) -> str:
        datum = next(iter(datums[number].values()))
        parent = datum.get("recparentno")
        return str(datum.get("refname", "")) if parent is None else name_of(parent)

    def names_in(holder: dict[str, Any]) -> set[str]:
        fields = holder.get("PLpgSQL_row", {}).get("fields", ())
        whole = (holder.get(kind, {}).get("refname", "") for kind in ("PLpgSQL_rec", "PLpgSQL_var"))
        return {*(name_of(item["varno"]) for item in fields), *whole} - {""}

    def visit(value: Any, around: frozenset[str]) -> None:
        for item in value if isinstance(value, list) else ():
            visit(item, around)
        for key, item in value.items() if isinstance(value, dict) else ():
            inside = around
            if key == "PLpgSQL_stmt_assign":
                assigned.add(name_of(item["varno"]))
            elif key == "PLpgSQL_diag_item":
                found.add(name_of(item.get("target", 0)))
            elif key == "PLpgSQL_stmt_call":
                text = _query(item["expr"])
                words = re.findall(r"\w+", text)
                found.update(names if parser.has_escaped_names(text) else words)
                found.update(map(str.lower, words))
            elif key == "target" and isinstance(item, dict):
                found.update(names_in(item))
            elif key in _LOOPS:
                own = names_in(item.get("var", {}))
                own |= {name_of(item["varno"])} if "varno" in item else set()
                found.update(own & around)
                inside = around | own
            visit(item, inside)

    visit(action, frozenset())
    return frozenset(found), frozenset(assigned)


def _fixed(datums: Sequence[dict[str, Any]], action: object) -> dict[str, tuple[str, ...]]:
    """The variables that one constant is given to, and nothing else anywhere in the block."""
    given: dict[int, list[tuple[str, ...]]] = {}

    def visit(value: Any) -> None:
        for item in value if isinstance(value, list) else ():
            visit(item)
        for key, item in value.items() if isinstance(value, dict) else ():
            if key == "PLpgSQL_stmt_assign":
                expression = re.sub(r"^.*?:?=", "", _query(item["expr"]), count=1, flags=re.DOTALL)
                one = _expression({"PLpgSQL_expr": {"query": expression}})
                given.setdefault(item["varno"], []).append(_constants(one))
            elif key == "varno":
                given.setdefault(item, []).append(())
            else:
                visit(item)

    visit(action)
    found = {}
    names = Counter(datum.get("PLpgSQL_var", {}).get("refname") for datum in datums)
    for number, datum in enumerate(datums):
        variable = datum.get("PLpgSQL_var", {})
        if names[variable.get("refname")] > 1:
            continue  # A block inside has one of its own.
        if "default_val" in variable:
            values = _constants(_expression(variable["default_val"]))
            given.setdefault(number, []).append(values)
        if len(given.get(number, ())) == 1 and len(given[number][0]) == 1:
            found[variable.get("refname", "")] = given[number][0]
    return found


def _rows(variable: dict[str, Any], query: str) -> dict[str, tuple[str, ...]]:
    """What the variable of a loop over a query holds, where the query writes its rows out."""
    try:
        select = parser.parse(query)[0][0]
    except (parser.GrammarError, IndexError):
        return {}
    if tree.kind(select) != "SelectStmt":
        return {}
    columns = _columns(select)
    if row := variable.get("PLpgSQL_row"):
        names = [item["name"] for item in row["fields"]]
        return dict(zip(names, columns.values(), strict=False))
    record = variable.get("PLpgSQL_rec", {}).get("refname", "")
    return {f"{record}.{name}": values for name, values in columns.items()}


def _columns(select: Node) -> dict[str, tuple[str, ...]]:
    """The constants in each column of a query, by name."""
    if select.values_lists:
        rows = [[_constants(item) for item in row.list.items] for row in select.values_lists]
        return {
            f"column{number}": tuple(v for vs in column for v in vs) if all(column) else ()
            for number, column in enumerate(zip(*rows, strict=False), 1)
        }
    if select.HasField("where_clause") or len(select.from_clause) > 1:
        return {}
    sources: dict[str, tuple[str, ...]] = {}
    for item in select.from_clause:
        source = tree.inner(item)
        names = tree.strings(source.alias.colnames) if tree.kind(source) in _ALIASED else ()
        if tree.kind(source) == "RangeSubselect":
            sources |= dict(
                zip(names, _columns(source.subquery.select_stmt).values(), strict=False)
            )
        elif tree.kind(source) == "RangeFunction":
            call = tree.inner(tree.inner(source.functions[0]).items[0])
            if len(source.functions) == 1 and len(names) < 2:
                sources |= dict.fromkeys(names or (source.alias.aliasname,), _constants(call))
    found: dict[str, tuple[str, ...]] = {}
    for item in select.target_list:
        target = tree.inner(item)
        name = tree.column(target.val)
        if tree.kind(tree.inner(target.val)) == "ColumnRef" and not name:
            found |= sources  # *
        elif name:
            found[target.name or name] = sources.get(name, ())
        else:
            values = () if sources else _constants(target.val)
            found[target.name or f"column {len(found)}"] = values
    return found


_ALIASED = ("RangeSubselect", "RangeFunction")


# Types in which a text stays as it is written.
_AS_WRITTEN = frozenset({"text", "varchar", "name", "regclass"})


def _constants(node: Node | None) -> tuple[str, ...]:
    """The texts that an expression gives: of a constant, an array of these, unnest of it."""
    if node is None:
        return ()
    node = tree.inner(node)
    while tree.kind(node) == "TypeCast":
        if tree.type_name(node.type_name).rstrip("[]") not in _AS_WRITTEN:
            return ()
        node = tree.inner(node.arg)
    if (
        tree.kind(node) == "FuncCall"
        and tree.function_name(node) == "unnest"
        and len(node.args) == 1
    ):
        return _constants(node.args[0])
    if tree.kind(node) == "A_ArrayExpr":
        found = [_constants(item) for item in node.elements]
        return tuple(v for values in found for v in values) if all(found) else ()
    value = tree.constant(node)
    if not isinstance(value, str):
        return ()
    return tuple(value[1:-1].split(",")) if re.fullmatch(r"\{\w+(,\w+)*\}", value) else (value,)


def _executed_text(expression: str, values: Mapping[str, str]) -> str:
    """The SQL that an EXECUTE runs, as far as its expression shows it; `shown` for the rest."""
    try:
        select = parser.parse(f"SELECT {expression}")[0][0]
    except parser.GrammarError:
        return ""
    return _text_of(tree.inner(select.target_list[0]).val, values)


def is_unshown(text: str) -> bool:
    """Whether an executed text is known in no part."""
    return _UNSHOWN_PART.fullmatch(text.strip()) is not None


def is_partly_unshown(text: str) -> bool:
    """Whether a part of an executed text is not known."""
    return _MARK in text or not text


def shown(text: str, table: str = "") -> str:
    """A message for users, with words for what only a variable of a block knows.

    Args:
        text: the message.
        table: the table that it is about.
    """

    def readable(match: re.Match[str]) -> str:
        part = _UNSHOWN_PART.fullmatch(match["name"])
        if part is None:
            return (match["schema"] or "") + _UNSHOWN_PART.sub("…", match["name"])
        thing = "table" if tree.bare(table) == match["name"] else "name"
        if part[1] == _NO_NAME:
            return f"the {thing} that the block works out"
        return f"the {thing} in the variable {part[1]}"

    return _UNSHOWN_WORD.sub(readable, text) if _MARK in text else text


def shown_sql(text: str) -> str:
    """SQL for users, with plain names for what only a variable of a block knows."""
    return _UNSHOWN_PART.sub(r"the_\1", text) if _MARK in text else text


def told_names(*texts: str) -> str:
    """A comment that tells what the plain names in SQL stand for; empty where there are none."""
    names = dict.fromkeys(n for text in texts if _MARK in text for n in _UNSHOWN_PART.findall(text))
    return "".join(
        f"-- the_{name}: what the block works out\n"
        if name == _NO_NAME
        else f"-- the_{name}: the name in the variable {name}\n"
        for name in names
    )


def _unshown(node: Node) -> str:
    """The stand-in for an expression, with the name of the variable in it."""
    names = [tree.column(n) for n in tree.walk(node) if tree.kind(n) == "ColumnRef"]
    name = next((n for n in names if re.fullmatch(r"[a-z][a-z0-9_]*", n)), _NO_NAME)
    return _UNSHOWN.format(name[:_LONGEST_SHOWN])


def _text_of(node: Node, values: Mapping[str, str]) -> str:
    node = tree.inner(node)
    value = tree.constant(node)
    if isinstance(value, str):
        return value
    while tree.kind(node) == "TypeCast":
        node = tree.inner(node.arg)
    kind = tree.kind(node)
    if kind == "ColumnRef":
        parts = [tree.inner(part) for part in node.fields]
        name = ".".join(part.sval for part in parts if tree.kind(part) == "String")
        return values[name] if name in values else _unshown(node)
    function = tree.function_name(node) if kind == "FuncCall" and node.args else ""
    if function == "format":
        return _formatted(_text_of(node.args[0], values), list(node.args[1:]), values)
    if function in ("quote_ident", "quote_literal"):
        text = _text_of(node.args[0], values)
        return quote_ident(text) if function == "quote_ident" else quote_literal(text)
    if kind == "A_Expr" and tree.strings(node.name) == ("||",):
        return _text_of(node.lexpr, values) + _text_of(node.rexpr, values)
    return _unshown(node)


def _formatted(pattern: str, arguments: list[Node], values: Mapping[str, str]) -> str:
    """What format() makes: constants as they are, a stand-in for the rest."""
    left = iter(arguments)

    def filled(match: re.Match[str]) -> str:
        number = int(match[1]) - 1 if match[1] else None
        if number is None:
            argument = next(left, None)
        else:
            argument = arguments[number] if number < len(arguments) else None
        text = _UNSHOWN.format(_NO_NAME) if argument is None else _text_of(argument, values)
        if match[2] == "L":
            return quote_literal(text)
        return quote_ident(text) if match[2] == "I" else text

    return _PLACEHOLDER.sub(filled, pattern).replace("%%", "%")
