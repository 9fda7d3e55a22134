"""A name that is a key word or longer than 63 bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import parser, tree
from runner.lint.definitions import parts
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_LONGEST = 63
_MAY_BE = re.compile(r"\"|[^\s(),.;]{16}")  # a key word in quotes, or 16 letters of four bytes


def _names(step: Step) -> Iterator[str]:
    """The names that a step gives."""
    node = step.node
    if step.verb in ("Create", "View", "CreateTableAs"):
        yield tree.bare(step.table)
        if step.verb == "Create" and _MAY_BE.search(step.statement.text):
            yield from [part.name for part in parts(step)]
    elif step.verb == "Rename":
        yield node.newname
    elif step.verb in ("AddColumn", "AddConstraint", "Index", "CreateTrig"):
        yield step.name


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.hidden:
        return
    has_quotes = '"' in step.statement.text  # as a key word has where it names something
    for name in _names(step):
        # The parser has cut it already, as the server does.
        is_longest = len(name) * 4 >= _LONGEST and len(name.encode()) == _LONGEST
        if is_longest and _written_longer(name, step.statement.text):
            yield Hit(
                f"{name} is cut here: PostgreSQL keeps {_LONGEST} bytes and only tells by a notice;"
                " the next name that starts so is a duplicate",
                names={"name": name[:20]},
            )
        elif has_quotes and parser.must_be_quoted(name):
            if step.verb in ("Index", "AddConstraint", "CreateTrig"):
                continue
            yield Hit(
                f"{name} is a key word: every query must quote it, and one that forgets fails or"
                " means something else",
                names={"name": f"{name}_"},
            )


def _written_longer(name: str, text: str) -> bool:
    place = text.lower().find(name.lower())
    following = text[place + len(name) : place + len(name) + 1]
    return place >= 0 and (following.isalnum() or following in ("_", "$"))


RULE = Rule(
    name="identifier",
    level="warning",
    title="A name that is a key word or longer than 63 bytes",
    why="PostgreSQL cuts longer names without an error, so two names may become one. A key word"
    " must be quoted in every query by everyone; `user` without quotes is the current role.",
    instead="""-- a name that needs no quotes and fits: {name}""",
    flagged=(
        'CREATE TABLE "user" (id bigint);',
        'ALTER TABLE t ADD COLUMN "order" int;',
        "CREATE INDEX CONCURRENTLY " + "a" * 70 + " ON t (a);",
    ),
    passed=(
        "CREATE TABLE mark (position int, time timestamptz, name text, value text);",
        "CREATE TABLE app_user (id bigint);",
        "ALTER TABLE t ADD COLUMN status text;",
    ),
    step=_check,
    verbs=frozenset(
        {
            "Create",
            "View",
            "CreateTableAs",
            "Rename",
            "AddColumn",
            "AddConstraint",
            "Index",
            "CreateTrig",
        }
    ),
    new_tables=True,
    squawk=("identifier-too-long",),
)
