"""Takes statements apart into steps: one thing done to one object."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from runner.ledger.scanner import ScanError, split
from runner.lint import parser, tree
from runner.lint.blocks import block_queries
from runner.postgres.locks import LockMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runner.lint.tree import Node

_LEADING = re.compile(r"\s*(?:--[^\n]*(?:\n|$)\s*)*")

STRONG = frozenset(mode for mode in LockMode if mode.strong)
_WEAK_CHANGES = frozenset(
    "AT_ValidateConstraint AT_SetStatistics AT_SetRelOptions AT_ResetRelOptions AT_ClusterOn"
    " AT_DropCluster AT_AttachPartition AT_SetOptions AT_ResetOptions".split()
)
_TRIGGER_CHANGES = frozenset(
    "AT_EnableTrig AT_EnableAlwaysTrig AT_EnableReplicaTrig AT_DisableTrig AT_EnableTrigAll"
    " AT_DisableTrigAll AT_EnableTrigUser AT_DisableTrigUser".split()
)


# Made by the ten thousand, and a frozen one takes three times as long to make.
@dataclass(eq=False)
class Statement:
    """A statement of a file.

    Args:
        node: its parse tree; None when it cannot be parsed.
        text: as it stands in the file.
        offset: characters before it in the file.
        source: the text that was parsed: the file, or the statement alone.
        shift: characters of the file before that text.
        problem: what the grammar says against it.
        problem_offset: characters before the place in the file.
    """

    node: Node | None
    text: str
    offset: int
    source: str = field(default="", repr=False)
    shift: int = 0
    problem: str = ""
    problem_offset: int = 0

    @cached_property
    def lowered(self) -> str:
        """Its text in lower case, for a quick look for words."""
        return self.text.lower()

    def is_text(self, offset: int) -> bool:
        """Whether a place of the file is inside one of its texts in quotes."""
        if not self.offset <= offset < self.offset + len(self.text):
            return False
        place = offset - self.offset
        return any(start <= place < end for start, end in parser.texts(self.text))

    def place(self, location: int) -> int:
        """Characters of the file before a node; the parser counts the bytes of what it saw."""
        if location <= 0:
            return self.offset
        return self.shift + parser.characters(self.source, location)


@dataclass(eq=False)
class Step:
    """One thing that a statement does to one object.

    Args:
        verb: the subcommand of ALTER TABLE without its AT_ (AddColumn), else the statement's
            type without its Stmt (Index, Drop, Rename, Update).
        table: the table it is done to, else the object.
        name: the column, constraint, index or other part.
        node: the part of the parse tree.
        statement: the statement that it belongs to.
        offset: characters before it in the file.
        lock: the lock mode that it takes on the table; empty when none that blocks.
        target: kind of the object: TABLE, INDEX, VIEW, TYPE.
        hidden: where it was found when it does not stand in the file itself: `DO` or `EXECUTE`.
        loop: True inside a loop of a DO block.
        commits: True when the DO block around it commits.
    """

    verb: str
    table: str
    name: str
    node: Node
    statement: Statement
    offset: int
    lock: str = ""
    target: str = ""
    hidden: str = ""
    loop: bool = False
    commits: bool = False

    def may_hold(self, word: str) -> bool:
        """Whether a word, in lower case, may stand in its text: it does, or names are escaped."""
        return bool(self.hidden) or _holds(self.statement.lowered, word)

    @property
    def strong(self) -> bool:
        """Whether its lock stops writers."""
        return self.lock in STRONG

    def calls(self, names: re.Pattern[str]) -> Iterator[str]:
        """The functions that it calls, most often none, without a look at the tree.

        Args:
            names: finds one of the functions that are looked for in a text.
        """
        if self.hidden or _may_call(self.statement.text, names):
            for node in tree.walk(self.node):
                if tree.kind(node) == "FuncCall":
                    yield tree.function_name(node)


# A statement has as many steps as actions, and each step asks for the same.
@lru_cache
def _holds(text: str, word: str) -> bool:
    return word in text or 'u&"' in text


@lru_cache
def _may_call(text: str, names: re.Pattern[str]) -> bool:
    # A name may be written in escapes.
    return names.search(text) is not None or parser.has_escaped_names(text)


def statements(text: str) -> list[Statement]:
    """Parse SQL text; a statement that cannot be parsed does not stop the others.

    Args:
        text: of a file or a part of it.

    Returns:
        The statements in order.

    Raises:
        ScanError: when a quote or comment is never closed.
    """
    try:
        parsed = parser.parse(text)
    except parser.GrammarError:
        return [_parsed_alone(item.text, item.offset) for item in split(text)]
    found = []
    for node, start, end in parsed:
        begin = _begin(text, start)
        found.append(Statement(node, text[begin:end], begin, text))
    return found


def _begin(text: str, start: int) -> int:
    """Where a statement's first word is; the parser counts the comments before it in."""
    match = _LEADING.match(text, start)
    begin = match.end() if match else start
    while text.startswith("/*", begin):
        depth, begin = 1, begin + 2
        while depth and begin < len(text):
            depth += text.startswith("/*", begin) - text.startswith("*/", begin)
            begin += 2 if text[begin : begin + 2] in ("/*", "*/") else 1
        match = _LEADING.match(text, begin)
        begin = match.end() if match else begin
    return begin


def _parsed_alone(text: str, offset: int) -> Statement:
    problem, place = "", 0
    for candidate in (text, _psql_filled(text)):
        try:
            parsed = parser.parse(candidate)
        except parser.GrammarError as error:
            problem, place = str(error), error.offset
            continue
        if parsed:
            return Statement(parsed[0][0], text, offset, candidate, offset)
    return Statement(None, text, offset, text, offset, problem, offset + place)


def _psql_filled(text: str) -> str:
    """Text with psql's variables filled in, nothing moved."""
    text = re.sub(r":(?=['\"]\w+['\"])", " ", text)
    return re.sub(r"(?<![:\w]):(?=[A-Za-z_])", " ", text)


def steps(statement: Statement) -> Iterator[Step]:
    """The steps of a statement, with those hidden in a DO block."""
    if statement.node is None:
        return
    yield from _steps(statement.node, statement)
    if tree.kind(statement.node) == "DoStmt":
        yield from _hidden_steps(statement)


def _steps(node: Node, statement: Statement) -> Iterator[Step]:
    kind = tree.kind(node)
    verb = kind.removesuffix("Stmt")
    if kind == "AlterTableStmt":
        yield from _alter_table(node, statement)
    elif kind == "DropStmt":
        yield from _drop(node, statement)
    elif kind == "RenameStmt":
        target = tree.enum_name(node, "rename_type").removeprefix("OBJECT_")
        table = tree.relation(node.relation) if node.HasField("relation") else _object(node)
        weak = target in ("INDEX", "SCHEMA", "TYPE", "FUNCTION", "PROCEDURE", "ROLE", "DATABASE")
        lock = "" if weak else "ACCESS EXCLUSIVE"
        yield Step("Rename", table, node.subname, node, statement, statement.offset, lock, target)
    elif kind in ("TruncateStmt", "LockStmt"):
        mode = "ACCESS EXCLUSIVE" if kind == "TruncateStmt" else LockMode.of_number(node.mode)
        for item in node.relations:
            table = tree.relation(tree.inner(item))
            yield Step(verb, table, "", node, statement, statement.offset, mode, "TABLE")
    elif kind == "CallStmt" and tree.function_name(node.funccall) == "trueup.lock_tables":
        # trueup's own: LOCK TABLE of several, whichever is free first.
        mode, *tables = (tree.inner(a).sval.sval for a in node.funccall.args)
        with suppress(parser.GrammarError):
            ((lock_table, _, _),) = parser.parse(f"LOCK TABLE {', '.join(tables)} IN {mode} MODE")
            yield from _steps(lock_table, statement)
    elif kind == "CallStmt" and tree.function_name(node.funccall) == "trueup.fill_rows":
        # trueup's own: what its texts say, in batches that it commits.
        for text in map(_filling, node.funccall.args):
            with suppress(parser.GrammarError):
                for found, _, _ in parser.parse(text):
                    for step in _steps(found, statement):
                        step.hidden, step.loop, step.commits = "EXECUTE", True, True
                        yield step
    elif kind == "VacuumStmt":
        full = tree.option(node.options, "full") is not None
        for item in node.rels or [None]:
            table = tree.relation(tree.inner(item).relation) if item is not None else ""
            lock = "ACCESS EXCLUSIVE" if full else ""
            yield Step(verb, table, "", node, statement, statement.offset, lock, "TABLE")
    elif kind == "AlterObjectSchemaStmt":
        target = tree.enum_name(node, "object_type").removeprefix("OBJECT_")
        table = tree.relation(node.relation) if node.HasField("relation") else _object(node)
        lock = "ACCESS EXCLUSIVE" if target in ("TABLE", "VIEW", "MATVIEW") else ""
        yield Step(
            "SetSchema", table, node.newschema, node, statement, statement.offset, lock, target
        )
    elif kind == "GrantStmt":
        for item in node.objects:
            inner = tree.inner(item)
            name = tree.relation(inner) if tree.kind(inner) == "RangeVar" else ""
            yield Step(verb, name, "", node, statement, statement.offset)
        if not node.objects:
            yield Step(verb, "", "", node, statement, statement.offset)
    else:
        table, name, lock, target = _single(kind, node)
        yield Step(verb, table, name, node, statement, statement.offset, lock, target)
        if kind in ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"):
            for item in node.with_clause.ctes:
                query = tree.inner(tree.inner(item).ctequery)
                if tree.kind(query) in ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"):
                    yield from _steps(query, statement)


def _filling(argument: Node) -> str:
    """The statement that an argument of trueup.fill_rows is."""
    argument = tree.inner(argument)
    if tree.kind(argument) != "NamedArgExpr":
        return ""
    return str(tree.constant(argument.arg)) if argument.name in _STATEMENTS else ""


_STATEMENTS = frozenset({"fill", "proof", "statistics"})


def _single(kind: str, node: Node) -> tuple[str, str, str, str]:
    """Table, name, lock and kind of object of a statement that does one thing."""
    match kind:
        case "IndexStmt":
            lock = "SHARE UPDATE EXCLUSIVE" if node.concurrent else "SHARE"
            return tree.relation(node.relation), node.idxname, lock, "INDEX"
        case "CreateStmt":
            return tree.relation(node.relation), "", "", "TABLE"
        case "CreateTableAsStmt":
            return tree.relation(node.into.rel), "", "", tree.enum_name(node, "objtype")[7:]
        case "ViewStmt":
            return tree.relation(node.view), "", "", "VIEW"
        case "CreateTrigStmt":
            return tree.relation(node.relation), node.trigname, "SHARE ROW EXCLUSIVE", "TRIGGER"
        case "CreatePolicyStmt" | "AlterPolicyStmt":
            return tree.relation(node.table), node.policy_name, "ACCESS EXCLUSIVE", "POLICY"
        case "RuleStmt":
            return tree.relation(node.relation), node.rulename, "ACCESS EXCLUSIVE", "RULE"
        case "UpdateStmt" | "DeleteStmt" | "InsertStmt" | "MergeStmt" | "CopyStmt":
            return tree.relation(node.relation), "", "ROW EXCLUSIVE", "TABLE"
        case "ClusterStmt":
            return tree.relation(node.relation), node.indexname, "ACCESS EXCLUSIVE", "TABLE"
        case "RefreshMatViewStmt":
            lock = "" if node.concurrent else "ACCESS EXCLUSIVE"
            return tree.relation(node.relation), "", lock, "MATVIEW"
        case "ReindexStmt":
            lock = "" if tree.option(node.params, "concurrently") is not None else "SHARE"
            name = tree.relation(node.relation) if node.HasField("relation") else node.name
            return name, "", lock, tree.enum_name(node, "kind")[15:]
        case "DropSubscriptionStmt":
            return node.subname, "", "", "SUBSCRIPTION"
        case "AlterSeqStmt":
            return tree.relation(node.sequence), "", "", "SEQUENCE"
        case "CreateSeqStmt":
            return tree.relation(node.sequence), "", "", "SEQUENCE"
        case "AlterEnumStmt" | "CreateEnumStmt":
            return tree.dotted(node.type_name), node.new_val if kind[0] == "A" else "", "", "TYPE"
        case "CreateFunctionStmt":
            return tree.dotted(node.funcname), "", "", "FUNCTION"
        case "AlterFunctionStmt":
            return tree.dotted(node.func.objname), "", "", "FUNCTION"
        case "CallStmt":
            return tree.function_name(node.funccall), "", "", "FUNCTION"
        case "AlterDomainStmt" | "CreateDomainStmt":
            return (
                tree.dotted(node.type_name if kind[0] == "A" else node.domainname),
                "",
                "",
                "DOMAIN",
            )
    return "", "", "", ""


def _alter_table(node: Node, statement: Statement) -> Iterator[Step]:
    table = tree.relation(node.relation)
    target = tree.enum_name(node, "objtype").removeprefix("OBJECT_")
    for wrapped in node.cmds:
        command = wrapped.alter_table_cmd
        subtype = tree.enum_name(command, "subtype")
        part = tree.inner(getattr(command, "def"))
        name, location = command.name, 0
        if subtype == "AT_AddColumn":
            name, location = part.colname, part.location
        elif subtype == "AT_AddConstraint":
            name, location = part.conname, part.location
        elif subtype == "AT_AlterColumnType":
            location = part.location
        lock = "ACCESS EXCLUSIVE" if target != "INDEX" else ""
        if subtype in _WEAK_CHANGES or (subtype == "AT_DetachPartition" and part.concurrent):
            lock = "SHARE UPDATE EXCLUSIVE"
        elif subtype in _TRIGGER_CHANGES or (
            subtype == "AT_AddConstraint" and tree.enum_name(part, "contype") == "CONSTR_FOREIGN"
        ):
            lock = "SHARE ROW EXCLUSIVE"
        place = statement.place(location)
        yield Step(subtype[3:], table, name, command, statement, place, lock, target)


def _drop(node: Node, statement: Statement) -> Iterator[Step]:
    target = tree.enum_name(node, "remove_type").removeprefix("OBJECT_")
    for item in node.objects:
        inner = tree.inner(item)
        parts = tree.strings(inner.items) if tree.kind(inner) == "List" else ()
        table, name = (tree.dotted(inner.items) if parts else _object_name(inner)), ""
        lock = ""
        if target in ("TRIGGER", "RULE", "POLICY"):
            table, name = tree.dotted(inner.items[:-1]), parts[-1]
            lock = "ACCESS EXCLUSIVE"
        elif target in ("TABLE", "MATVIEW", "VIEW", "FOREIGN_TABLE"):
            lock = "ACCESS EXCLUSIVE"
        elif target == "INDEX":
            table, name = "", table
            lock = "SHARE UPDATE EXCLUSIVE" if node.concurrent else "ACCESS EXCLUSIVE"
        yield Step("Drop", table, name, node, statement, statement.offset, lock, target)


def _object_name(node: Node) -> str:
    match tree.kind(node):
        case "String":
            return str(node.sval)
        case "TypeName":
            return tree.type_name(node)
        case "ObjectWithArgs":
            return tree.dotted(node.objname)
    return ""


def _object(node: Node) -> str:
    if not node.HasField("object"):
        return str(getattr(node, "subname", ""))
    inner = tree.inner(node.object)
    return tree.dotted(inner.items) if tree.kind(inner) == "List" else _object_name(inner)


def _hidden_steps(block: Statement) -> Iterator[Step]:
    queries, commits = block_queries(block.text)
    begin = 0
    for query in queries:
        place = block.text.find(query.text, begin)
        begin = place if place >= 0 else begin
        hidden = "EXECUTE" if query.dynamic else "DO"
        for node in _parsed(query.texts()):
            for step in _steps(node, block):
                yield Step(
                    step.verb,
                    step.table,
                    step.name,
                    step.node,
                    block,
                    block.offset + max(place, 0),
                    step.lock,
                    step.target,
                    hidden,
                    query.loop,
                    commits,
                )


def _parsed(texts: Iterable[str]) -> Iterator[Node]:
    """The statements of texts, but those that cannot be parsed."""
    for text in texts:
        with suppress(parser.GrammarError):
            yield from [node for node, _, _ in parser.parse(text)]


__all__ = ["STRONG", "ScanError", "Statement", "Step", "statements", "steps"]
