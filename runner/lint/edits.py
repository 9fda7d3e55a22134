"""Changes of a file that are the safe way and change nothing else: what `--fix` makes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import parser, suggest, tree
from runner.lint.model import Edit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.lint.context import Context
    from runner.lint.layouts import Script
    from runner.lint.steps import Statement, Step
    from runner.lint.tree import Node

_UP = re.compile(r"^[ \t]*--[ \t]*migrate:up[ \t]*$", re.IGNORECASE | re.MULTILINE)
_COMMENTS = ("SQL_COMMENT", "C_COMMENT")


def behind_word(step: Step, word: str, text: str) -> tuple[Edit, ...]:
    """Put a text behind a word of a statement, such as CONCURRENTLY behind INDEX.

    Args:
        step: of the statement.
        word: its token in the grammar; the first one counts.
        text: with a blank before it.
    """
    statement = step.statement
    for token in parser.tokens(statement.text):
        if token.kind == word:
            place = statement.offset + token.end
            return (Edit(place, place, text),)
    return ()


def without_word(step: Step, word: str) -> tuple[Edit, ...]:
    """Take the first word of that kind out of a statement, with the blank behind it."""
    statement = step.statement
    for token in parser.tokens(statement.text):
        if token.kind == word:
            end = token.end + (statement.text[token.end : token.end + 1] == " ")
            return (Edit(statement.offset + token.start, statement.offset + end, ""),)
    return ()


def at_end(statement: Statement, text: str) -> tuple[Edit, ...]:
    """Put a text at the end of a statement, before its semicolon and comments there."""
    found = [t for t in parser.tokens(statement.text) if t.kind not in (*_COMMENTS, "ASCII_59")]
    if not found:
        return ()
    place = statement.offset + found[-1].end
    return (Edit(place, place, text),)


def before(statement: Statement, script: Script, lines: Iterable[str]) -> tuple[Edit, ...]:
    """Put statements before one, each on a line of its own with the same indentation."""
    indent, line_break = _style(statement, script)
    text = "".join(f"{line};{line_break}{indent}" for line in lines)
    return (Edit(statement.offset, statement.offset, text),)


def behind(statement: Statement, script: Script, lines: Iterable[str]) -> tuple[Edit, ...]:
    """Put statements behind one, each on a line of its own with the same indentation."""
    indent, line_break = _style(statement, script)
    content = script.content
    end = content.find(";", statement.offset + len(statement.text.rstrip().rstrip(";")))
    if end < 0:
        return ()
    text = "".join(f"{line_break}{indent}{line};" for line in lines)
    return (Edit(end + 1, end + 1, text),)


def _style(statement: Statement, script: Script) -> tuple[str, str]:
    content = script.content
    start = content.rfind("\n", 0, statement.offset) + 1
    indent = content[start : statement.offset]
    return (indent if not indent.strip() else ""), ("\r\n" if "\r\n" in content else "\n")


def outside(context: Context, step: Step) -> tuple[Edit, ...] | None:
    """What makes a statement run outside a transaction.

    Returns:
        Nothing when it does already; the edits of the file's directives; None when it has company
        that needs the transaction, or the tool has no directive for it.
    """
    script, down = context.script, context.pair.down
    others = any(s is not step.statement for s in script.statements)
    if step.hidden or not script.up:
        return None
    if context.transaction.single:
        return None if script.layout == "yoyo" and others else ()
    if context.transaction.explicit or others:
        return None
    if script.layout == "flyway":
        return ()
    if script.layout == "dbmate" and (mark := _UP.search(script.content)):
        place = len(script.content[: mark.end()].rstrip())
        return (Edit(place, place, " transaction:false"),)
    if script.layout == "yoyo" and (down is None or len(down.statements) <= 1):
        if "transactional" in script.content or script.content.startswith("\ufeff"):
            return None
        line_break = "\r\n" if "\r\n" in script.content else "\n"
        return (Edit(0, 0, f"-- transactional: false{line_break}"),)
    return None


def in_its_own_transactions(context: Context, step: Step) -> bool:
    """Whether the statement, the only thing it does, may become several in the same file."""
    node = step.statement.node
    alone = node is not None and tree.kind(node) == "AlterTableStmt" and len(node.cmds) == 1
    return (
        alone
        and not step.hidden
        and context.script.up
        and context.transaction.single
        and context.script.layout != "yoyo"
        and not context.world.table(step.table).partitioned
    )


def validated_later(context: Context, step: Step, node: Node, name: str) -> tuple[Edit, ...]:
    """A constraint as NOT VALID, with its VALIDATE behind it.

    Args:
        context: of the step.
        step: the one that adds it.
        node: the constraint.
        name: for a constraint that has none yet.
    """
    if not in_its_own_transactions(context, step) or _is_validated(context, step, name):
        return ()
    named = () if node.conname else (Edit(step.offset, step.offset, f"CONSTRAINT {_sql(name)} "),)
    validate = suggest.fill(
        "ALTER TABLE {table} VALIDATE CONSTRAINT {name}", {"table": step.table, "name": name}
    )
    return (
        *named,
        *at_end(step.statement, " NOT VALID"),
        *behind(step.statement, context.script, (validate,)),
    )


def _sql(name: str) -> str:
    return f"{suggest.Identifier(name)}"


def _is_validated(context: Context, step: Step, name: str) -> bool:
    return any(
        other.verb == "ValidateConstraint" and (other.table, other.name) == (step.table, name)
        for other in context.later(step)
    )


def with_lock_timeout(context: Context, step: Step) -> tuple[Edit, ...]:
    """A lock_timeout before the statement, for its transaction alone where it is in one."""
    script = context.script
    builds = step.verb in ("Index", "Reindex") or (step.verb, step.target) == ("Drop", "INDEX")
    if builds and outside(context, step) is not None:
        return ()  # CONCURRENTLY it needs none.
    if not context.transaction.single:
        return before(step.statement, script, ("SET LOCAL lock_timeout = '200ms'",))
    # Of a session, it would also end a CONCURRENTLY that waits for an old transaction.
    concurrent = "CONCURRENTLY" in script.content.upper()
    if script.layout != "plain" or concurrent or step.verb in ("RefreshMatView", "Lock"):
        return ()
    return before(step.statement, script, ("SET lock_timeout = '200ms'",))
