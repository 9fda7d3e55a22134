"""A DO block goes on after any error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.lint import parser
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_EXCEPTION = 21  # the level of RAISE that is an error, in elog.h


def _check(step: Step, context: Context) -> Iterator[Hit]:
    text = step.statement.text
    if "others" not in text.lower() and not parser.has_escaped_names(text):
        return
    if _swallows(parser.parse_plpgsql(step.statement.text)):
        yield Hit(
            "WHEN OTHERS hides any error of the block, a lock_timeout and a full disk too: what it"
            " was to do is undone, and the tool records the file as applied"
        )


def _swallows(value: Any) -> bool:
    """Whether a handler of all errors, anywhere in a parsed block, raises none itself."""
    if isinstance(value, list):
        return any(map(_swallows, value))
    if not isinstance(value, dict):
        return False
    handler = value.get("PLpgSQL_exception")
    if handler is not None and "'others'" in str(handler.get("conditions")):
        return not _raises(handler.get("action"))
    return any(map(_swallows, value.values()))


def _raises(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_raises, value))
    if not isinstance(value, dict):
        return False
    told = value.get("PLpgSQL_stmt_raise")
    if told is not None and told.get("elog_level", _EXCEPTION) >= _EXCEPTION:
        return True
    return any(map(_raises, value.values()))


RULE = Rule(
    name="error-swallowed",
    level="warning",
    title="A DO block goes on after any error",
    why="A migration that did nothing looks like one that worked, and the next one builds on it."
    " The block has also a subtransaction of its own, which holds its locks as before.",
    instead="""-- the one condition that is expected: EXCEPTION WHEN duplicate_object THEN NULL""",
    flagged=(
        "DO $$ BEGIN ALTER TABLE users ADD COLUMN a int; EXCEPTION WHEN OTHERS THEN NULL; END $$;",
        "DO $$ BEGIN DROP TABLE a; EXCEPTION WHEN OTHERS THEN RAISE NOTICE 'no a'; END $$;",
    ),
    passed=(
        "DO $$ BEGIN CREATE TYPE mood AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL;"
        " END $$;",
        "DO $$ BEGIN DROP TABLE a; EXCEPTION WHEN OTHERS THEN RAISE EXCEPTION 'no a'; END $$;",
        "DO $$ BEGIN DROP TABLE a; EXCEPTION WHEN OTHERS THEN RAISE; END $$;",
    ),
    step=_check,
    verbs=frozenset({"Do"}),
    new_tables=True,
)
