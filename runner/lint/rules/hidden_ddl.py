"""EXECUTE in a DO block hides what is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.blocks import block_queries, block_text, executed_text, is_unshown
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_DDL = re.compile(
    r"\b(?:ALTER|DROP|TRUNCATE|REINDEX|CLUSTER|CREATE\s+(?:UNIQUE\s+)?(?:INDEX|TABLE|TRIGGER))\b",
    re.IGNORECASE,
)


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb != "Do":
        yield from _called(step, context)
        return
    queries, _ = block_queries(step.statement.text)
    begin = 0
    for query in queries:
        place = step.statement.text.find(query.text, begin)
        begin = max(place, begin)
        if not query.dynamic:
            continue
        text = executed_text(query.text)
        if _DDL.search(text) or is_unshown(text):
            yield Hit(
                "EXECUTE runs a statement that the file does not show: what it locks and changes"
                " depends on the database",
                offset=step.statement.offset + max(place, 0),
            )


def _called(step: Step, context: Context) -> Iterator[Hit]:
    """Functions that the file itself made, to run what stands in them."""
    calls = {tree.function_name(n) for n in tree.walk(step.node) if tree.kind(n) == "FuncCall"}
    for other in context.earlier(step) if calls else ():
        if other.verb == "CreateFunction" and str(other.table) in calls:
            body = block_text(other.node)
            if found := _DDL.search(body):
                yield Hit(
                    f"{other.table}() is made and called here, and runs {found[0].upper()}: no rule"
                    " looks into its body, what it locks and changes is not judged"
                )


RULE = Rule(
    name="hidden-ddl",
    level="warning",
    title="EXECUTE, or a function made for it, hides what is changed",
    why="A reviewer approves what can be read. `trueup lint --trace` runs the block on a server"
    " of its own and tells which locks it took and which tables it rewrote.",
    instead="""-- write each statement out, with the names that it is to have""",
    flagged=(
        "DO $$ BEGIN EXECUTE 'ALTER TABLE users ADD COLUMN a int'; END $$;",
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables LOOP"
        " EXECUTE format('DROP TABLE %I', t); END LOOP; END $$;",
        "CREATE FUNCTION widen() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\n"
        "ALTER TABLE users ALTER COLUMN age TYPE bigint; END $$;\nSELECT widen();",
    ),
    passed=(
        "DO $$ BEGIN EXECUTE 'SELECT 1'; END $$;",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN"
        " CREATE ROLE app; END IF; END $$;",
    ),
    step=_check,
    verbs=frozenset({"Do", "Select", "Call"}),
)
