"""EXECUTE in a DO block hides what is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.blocks import block_queries, block_text, is_partly_unshown, is_unshown
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_DDL = re.compile(
    r"\b(?:ALTER|DROP|TRUNCATE|REINDEX|CLUSTER|CREATE\s+(?:UNIQUE\s+)?(?:INDEX|TABLE|TRIGGER))\b",
    re.IGNORECASE,
)


def _psql(context: Context) -> Iterator[Hit]:
    if "\\" in context.script.content:
        from runner.lint.psql import hidden_commands  # few files have any

        yield from hidden_commands(context.script)


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "AlterExtension":
        yield Hit(
            f"the update of {step.node.extname} runs a script of the server's, which may lock and"
            " rewrite what the extension made, and there is no way back",
            instead="-- on a copy first, with lint --trace or trueup rehearse; with TO 'VERSION'",
        )
        return
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
        if query.is_cut or any(map(_is_hidden, query.texts())):
            yield Hit(
                "EXECUTE runs a statement that the file does not show: what it locks and changes"
                " depends on the database",
                offset=step.statement.offset + max(place, 0),
            )


def _is_hidden(text: str) -> bool:
    return is_unshown(text) or (is_partly_unshown(text) and _DDL.search(text) is not None)


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
    title="EXECUTE, a function made for it or another script hides what is changed",
    why="A reviewer approves what can be read. `trueup lint --trace` runs the block on a server"
    " of its own and tells which locks it took and which tables it rewrote.",
    instead="""-- write each statement out, with the names that it is to have""",
    flagged=(
        "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || current_setting('a.t') || ' ADD a int'; END $$;",
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables LOOP"
        " EXECUTE format('DROP TABLE %I', t); END LOOP; END $$;",
        "DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['a'] LOOP SELECT n INTO t FROM names;"
        " EXECUTE 'DROP TABLE ' || t; END LOOP; END $$;",
        "DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['a'] LOOP t := current_user;"
        " EXECUTE 'DROP TABLE ' || t; END LOOP; END $$;",
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM (VALUES ('a'), (current_user)) v (t)"
        " LOOP EXECUTE 'DROP TABLE ' || r.t; END LOOP; END $$;",
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT 'a' AS t LOOP r.t := current_user;"
        " EXECUTE 'DROP TABLE ' || r.t; END LOOP; END $$;",
        "DO $$ DECLARE t text := 'a'; BEGIN CALL pick(t); EXECUTE 'DROP TABLE ' || t; END $$;",
        "DO $$ DECLARE t text := 'a'; BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN\n"
        "GET STACKED DIAGNOSTICS t = MESSAGE_TEXT; EXECUTE 'DROP TABLE ' || t; END $$;",
        "DO $$ DECLARE t text := 'a'; c refcursor; BEGIN FETCH c INTO t;"
        " EXECUTE 'DROP TABLE ' || t; END $$;",
        "DO $$ DECLARE t text := 'a'; BEGIN EXECUTE 'SELECT 1' INTO t;"
        " EXECUTE 'DROP TABLE ' || t; END $$;",
        "DO $$ DECLARE t text := 'a'; BEGIN FOR t IN SELECT n FROM names LOOP"
        " EXECUTE 'DROP TABLE ' || t; END LOOP; END $$;",
        "DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY '{" + ",".join(["users"] * 51) + "}'"
        "::text[] LOOP EXECUTE 'DROP TABLE ' || t; END LOOP; END $$;",
        "DO $$ DECLARE t text := 'ab'::varchar(1); BEGIN EXECUTE 'DROP TABLE ' || t; END $$;",
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT 'a' AS t LOOP FOR r IN EXECUTE 'SELECT 1'"
        " LOOP EXECUTE 'DROP TABLE ' || r.t; END LOOP; END LOOP; END $$;",
        "DO $$ DECLARE r record; BEGIN FOR r IN SELECT n.t FROM (VALUES ('a')) v (t), names n LOOP"
        " EXECUTE 'DROP TABLE ' || r.t; END LOOP; END $$;",
        "ALTER EXTENSION postgis UPDATE;",
        "\\i tables.sql\n",
        "\\set x `curl example.com`\n",
        "\\o |sh\n",
        "\\connect other\n",
        "\\copy t from program 'env'\n",
        "\\if :{?live}\nDROP INDEX CONCURRENTLY i;\n\\else\nSELECT 1;\n\\endif\n",
        "\\i :part.sql\n",
        "\\x \\i tables.sql\n",
        "\\setenv PGOPTIONS '-c lock_timeout=0'\n",
        "\\set more 'WHERE true'\nDELETE FROM t :more;\n",
        "\\set AUTOCOMMIT off\n",
        "\\set ON_ERROR_STOP 0\n",
        "\\set ON_ERROR_STOP fals\n",
        "\\unset ON_ERROR_STOP\n",
        "\\prompt 'which one?' t\n",
        "SELECT 1 AS n\n\\gset\n",
        "\\q\nSELECT 1;\n",
        "\\watch 1\n",
        "CREATE FUNCTION widen() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\n"
        "ALTER TABLE users ALTER COLUMN age TYPE bigint; END $$;\nSELECT widen();",
    ),
    passed=(
        "DO $$ BEGIN EXECUTE 'SELECT 1'; END $$;",
        "\\set ON_ERROR_STOP on\nCOPY t (a) FROM STDIN;\n\\i tables.sql\n\\.\n",
        "\\set kind 'new order'\n\\echo 'a \\i b'\n\\timing on\n\\pset pager off\n"
        "SELECT :'kind';\n\\q\n",
        "DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['users', 'orders'] LOOP"
        " EXECUTE format('ALTER TABLE %I ADD COLUMN a int', t); END LOOP; END $$;",
        "DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['a'] LOOP"
        " EXECUTE 'DROP TABLE ' || t; END LOOP; FOREACH t IN ARRAY '{b,c}'::text[] LOOP"
        " EXECUTE 'DROP TABLE ' || t; END LOOP; END $$;",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN"
        " CREATE ROLE app; END IF; END $$;",
    ),
    step=_check,
    script=_psql,
    verbs=frozenset({"Do", "Select", "Call", "AlterExtension"}),
)
