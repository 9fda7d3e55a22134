"""One SQL statement with its undo, its lock and its note."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from runner.postgres.locks import LockMode
from runner.quoting import Name, dollar_quote, one_line, quote_ident, quote_literal, quote_name


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that a statement takes.

    Args:
        mode: how strong it is.
        relations: on what.
        said: how a header calls them, where their names do not say it.
    """

    mode: LockMode
    relations: tuple[Name, ...] = ()
    said: str = ""

    @property
    def names(self) -> str:
        """What it is on, as a header calls it."""
        return self.said or " and ".join(name.name for name in self.relations)


def lock(mode: LockMode, *relations: Name, said: str = "") -> Lock:
    """A lock on one relation, or on several that a statement takes at once."""
    return Lock(mode, relations, said)


_DIRECTIVE = re.compile(r"^(\s*)(transactional|depends)(?=\s*:)")


def comment(text: str) -> str:
    """A line of comment, which is none of the directives that yoyo reads from comments."""
    line = one_line(text)
    return "-- " + (_DIRECTIVE.sub(r"\1'\2'", line) if ":" in line else line)


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, as a file has it.

    Args:
        sql: its text, with the semicolon.
        undo: the statements that take its effect back, in their order.
        locks: what it locks of what was there before the file; empty when clients notice nothing.
        alone: whether it runs outside a transaction, in a file of its own.
        note: the comment above it, without dashes: why it is there, or why lint lets it pass.
    """

    sql: str
    undo: tuple[Statement, ...] = ()
    locks: tuple[Lock, ...] = ()
    alone: bool = False
    note: str = ""

    @property
    def is_setting(self) -> bool:
        """Whether it only sets something for the rest of the transaction."""
        return self.sql.startswith("SET LOCAL ")

    @property
    def text(self) -> str:
        """The statement below its note."""
        if not self.note:
            return self.sql
        return "".join(f"{comment(line)}\n" for line in self.note.split("\n")) + self.sql


# Statements that stand together; a file has a blank line between two paragraphs.
Paragraph: TypeAlias = Sequence[Statement]


def setting(name: str, value: str | int) -> Statement:
    """The statement that sets a parameter for the rest of the transaction."""
    said = value if isinstance(value, int) else quote_literal(value)
    return Statement(f"SET LOCAL {name} = {said};")


_WIDTH = 120
_SHORT = 70  # characters of a clause that shares its line

# Well below deadlock_timeout: the migration gives up, never a client.
BRIEFLY = setting("lock_timeout", "200ms")


def plain(*texts: str) -> list[Statement]:
    """Statements of which nothing but their text need be known."""
    return [Statement(text) for text in texts]


def alter(table: Name, clauses: Iterable[str]) -> str:
    """The ALTER TABLE of some clauses: one a line, or several short ones."""
    found = list(clauses)
    head = f"ALTER TABLE {quote_name(table)}"
    if all(len(c) < _SHORT and "\n" not in c and "FOREIGN KEY" not in c for c in found):
        return between(f"{head} ", found) + ";"
    return f"{head}\n" + ",\n".join(f"    {clause}" for clause in found) + ";"


def between(head: str, items: Iterable[str], tail: str = "") -> str:
    """A list between two texts: in one line if it fits, or its items in lines of their own."""
    found = list(items)
    line = head + ", ".join(found) + tail
    if len(line) < _WIDTH and "\n" not in line:
        return line
    return f"{head.rstrip()}\n{in_lines(found)}" + (f"\n{tail}" if tail else "")


def in_lines(items: Iterable[str]) -> str:
    """Items of a list, as many a line as fit, below each other and indented."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + 3 <= _WIDTH:
            lines[-1] += f", {item}"
        else:
            lines[-1:] = [*(f"{line}," for line in lines[-1:]), f"    {item}"]
    return "\n".join(lines)


def literal_list(texts: Iterable[str], type_name: str = "") -> str:
    """Texts as an SQL array."""
    listed = f"ARRAY[{', '.join(map(quote_literal, texts))}]"
    return f"{listed}::{type_name}[]" if type_name else listed


def if_there(partition: Name, statement: str) -> Statement:
    """A statement for a partition that may have been dropped since."""
    return Statement(
        f"CALL trueup.if_there({quote_literal(quote_name(partition))}, {dollar_quote(statement)});"
    )


def comment_on_constraint(table: Name, name: str, comment: str) -> Statement:
    """The statement that gives a constraint its comment."""
    return Statement(
        f"COMMENT ON CONSTRAINT {quote_ident(name)} ON {quote_name(table)}"
        f" IS {quote_literal(comment)};"
    )


def taken_back(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """What undoes statements, in its order."""
    return tuple(u for s in reversed(tuple(statements)) for u in s.undo)


def undone(body: Iterable[Paragraph]) -> list[Paragraph]:
    """What takes the statements of a file back: its settings, then what undoes each, reversed."""
    found: list[Paragraph] = [p for p in map(taken_back, reversed(list(body))) if p]
    settings = [s for p in body for s in p if s.is_setting]
    return [settings, *found] if found and settings else found
