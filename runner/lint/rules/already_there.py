"""What a file makes is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.definitions import column_type, index_columns
from runner.lint.model import Hit, Rule
from runner.lint.standing import commands, is_temporary, made

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.lint.context import Context
    from runner.lint.layouts import Script
    from runner.lint.steps import Step
    from runner.lint.world import Table

_MOST_NAMED = 3


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.hidden:
        return  # Under a condition that asks just that.
    if step.verb == "AddColumn":
        yield from _column(step, context)
        return
    if step.verb == "AddConstraint":
        yield from _constraint(step, context)
        return
    thing = made(step)
    if thing is None or is_temporary(step):
        return
    maker = context.chain.standing.maker(thing, context.script)
    if maker is None:
        return
    of = _of(maker, context)
    node = step.node
    if step.verb in ("View", "CreateFunction", "CreateTrig") and node.replace:
        yield from _other_columns(step, context)
    elif getattr(node, "if_not_exists", False):
        yield from _hides(step, context, of)
    else:
        yield Hit(f"{thing[1]} is there already, made by {of}: PostgreSQL refuses the statement")


def _column(step: Step, context: Context) -> Iterator[Hit]:
    table = context.world.tables.get(step.table)
    column = table.columns.get(step.name) if table is not None else None
    if table is None or column is None or column.born is None or not _sure(table, context):
        return
    if step.name in commands(step, "DropColumn"):
        return  # PostgreSQL drops before it adds, whatever comes first.
    if not step.node.missing_ok:
        yield Hit(
            f"{step.table}.{step.name} is there already, made by {_of(column.born, context)}:"
            " PostgreSQL refuses the statement"
        )
        return
    new = column_type(getattr(step.node, "def").column_def)
    if column.definition is not None and column.type != new and not column.converted:
        yield Hit(
            f"{step.table}.{step.name} stays {column.type}, as {_of(column.born, context)} made it:"
            f" IF NOT EXISTS leaves {new} out without a word",
            instead=_HIDDEN,
        )


def _constraint(step: Step, context: Context) -> Iterator[Hit]:
    name = getattr(step.node, "def").constraint.conname
    table = context.world.tables.get(step.table)
    if not name or table is None or not _sure(table, context):
        return
    if name in commands(step, "DropConstraint"):
        return
    for known in table.constraints:
        if known.name == name and known.written:
            yield Hit(
                f"{name} on {step.table} is there already, made by {_of(known.script, context)}:"
                " PostgreSQL refuses the statement"
            )
            return


def _sure(table: Table, context: Context) -> bool:
    """Whether it is known to be what the files say, and no other of this name is meant."""
    both_run = context.chain.standing.both_run
    return table.sure and (table.born is None or both_run(table.born, context.script))


def _of(script: Script, context: Context) -> str:
    return "this file" if script is context.script else script.path.name


def _hides(step: Step, context: Context, of: str) -> Iterator[Hit]:
    """IF NOT EXISTS on what is there and is something else."""
    told = ""
    if step.verb == "Create":
        told = _other_table(step, context.world.tables.get(step.table))
    elif step.verb == "Index":
        index = context.world.index(tree.beside(step.table, step.name))
        node = step.node
        if index is not None and (index.table, index.columns, index.unique, index.partial) != (
            step.table,
            index_columns(node.index_params),
            node.unique,
            node.HasField("where_clause"),
        ):
            told = "other columns or another table, or it is unique or partial in one of them"
    if told:
        yield Hit(
            f"{step.name or step.table} stays as {of} made it: IF NOT EXISTS leaves this definition"
            f" out without a word, which has {told}",
            instead=_HIDDEN,
        )


def _other_table(step: Step, table: Table | None) -> str:
    if table is None or not table.sure or step.node.inh_relations:
        return ""
    parts = [tree.inner(item) for item in step.node.table_elts]
    columns = [part for part in parts if tree.kind(part) == "ColumnDef"]
    missing = [c.colname for c in columns if c.colname not in table.columns]
    if missing:
        return f"{_listed(missing)} besides"
    for column in columns:
        known, new = table.columns[column.colname], tree.type_name(column.type_name)
        if known.definition is None or known.converted or known.renamed:
            continue
        old = tree.type_name(known.definition.type_name)
        if old != new:
            return f"{column.colname} as {new}, and it is {old}"
    return ""


def _other_columns(step: Step, context: Context) -> Iterator[Hit]:
    """CREATE OR REPLACE VIEW may add columns at the end, and nothing else."""
    view = context.world.views.get(step.table) if step.verb == "View" else None
    if view is None or view.dropped:
        return
    before, after = view.columns, tree.output_names(step.node)
    if before and after and tuple(after[: len(before)]) != tuple(before):
        yield Hit(
            f"{step.table} has {_listed(before)}, and other columns here: PostgreSQL replaces a"
            " view only by one that begins with the same columns",
            instead=_REPLACED,
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return suggest.listed(names[:_MOST_NAMED]) + more


_HIDDEN = "-- what is to be other, by its name: ALTER TABLE ... ADD COLUMN, or a new index"
_REPLACED = (
    "-- the columns that it had, and new ones behind; or, in one transaction, DROP VIEW, the\n\
-- new one, and the grants of the old one"
)


RULE = Rule(
    name="already-there",
    level="warning",
    title="What a file makes is there already",
    why="Without IF NOT EXISTS the file fails where the files before it ran. With it, what is there"
    " stays, and the two databases of whoever ran the files at other times differ.",
    instead="-- another name; or leave it out",
    flagged=(
        "CREATE TABLE rate (id bigint);\n-- file: 0002_b.sql\nCREATE TABLE rate (id bigint);",
        "CREATE TABLE rate (id bigint);\n-- file: 0002_b.sql\n"
        "CREATE TABLE IF NOT EXISTS rate (id bigint, valid_from date);",
        "CREATE TABLE rate (id bigint, pct text);\n-- file: 0002_b.sql\n"
        "CREATE TABLE IF NOT EXISTS rate (id bigint, pct numeric);",
        "CREATE TABLE rate (id bigint, pct text);\n-- file: 0002_b.sql\n"
        "ALTER TABLE rate ADD COLUMN pct text;",
        "CREATE TABLE rate (id bigint, pct text);\n-- file: 0002_b.sql\n"
        "ALTER TABLE rate ADD COLUMN IF NOT EXISTS pct numeric;",
        "CREATE TABLE a (n int);\nCREATE TABLE b (n int);\n-- file: 0002_b.sql\n"
        "CREATE TABLE a (n int);\nCREATE TABLE b (n int);",
        "CREATE TABLE t (n int, CONSTRAINT c CHECK (n > 0));\n-- file: 0002_b.sql\n"
        "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 1) NOT VALID;",
        "CREATE TABLE t (a int, b int);\nCREATE INDEX i ON t (a);\n-- file: 0002_b.sql\n"
        "CREATE INDEX IF NOT EXISTS i ON t (b);",
        "CREATE VIEW v AS SELECT 1 AS a, 2 AS b;\n-- file: 0002_b.sql\n"
        "CREATE OR REPLACE VIEW v AS SELECT 2 AS b;",
        "CREATE VIEW v AS SELECT 1 AS a;\n-- file: 0002_b.sql\nCREATE VIEW v AS SELECT 2 AS a;",
        "CREATE TYPE mood AS ENUM ('a');\n-- file: 0002_b.sql\nCREATE TYPE mood AS ENUM ('b');",
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';\n-- file: 0002_b.sql\n"
        "CREATE FUNCTION f(b int) RETURNS int LANGUAGE sql AS 'SELECT b';",
    ),
    passed=(
        "CREATE TABLE rate (id bigint);\n-- file: 0002_b.sql\n"
        "DROP TABLE rate;\nCREATE TABLE rate (id bigint);",
        "CREATE TABLE rate (id bigint);\n-- file: 0002_b.sql\nALTER TABLE rate ADD COLUMN a int;\n"
        "-- file: 0003_c.sql\nCREATE TABLE IF NOT EXISTS rate (id bigint, a int);",
        "CREATE TABLE rate (id bigint);\n-- file: 0002_b.sql\nALTER TABLE rate RENAME TO rates;\n"
        "CREATE VIEW rate AS SELECT id FROM rates;",
        "CREATE TEMP TABLE t (a int);\n-- file: 0002_b.sql\nCREATE TEMP TABLE t (a int);",
        'CREATE TABLE a.t (n int);\nCREATE TABLE b.t (n int);\nCREATE TABLE "a.t" (n int);\n'
        "CREATE INDEX i ON a.t (n);\nCREATE INDEX i ON b.t (n);",
        "CREATE TABLE t (a int);\n-- file: 0002_b.sql\nDO $$ BEGIN EXECUTE 'DROP TABLE t';"
        " END $$;\nCREATE TABLE t (a int);",
        "CREATE TABLE t (a int);\nCREATE INDEX i ON t (a);\n-- file: 0002_b.sql\nDROP TABLE t;\n"
        "CREATE TABLE t (a int);\nCREATE INDEX i ON t (a);",
        "SET search_path = a;\nCREATE TABLE t (n int);\n"
        "SET search_path = b;\nCREATE TABLE t (n int);",
        "CREATE VIEW v AS SELECT 1 AS a;\n-- file: 0002_b.sql\n"
        "CREATE OR REPLACE VIEW v AS SELECT 1 AS a, 2 AS b;",
        "CREATE TABLE a (n int);\n-- file: 0002_b.sql\nCREATE TABLE b (n int);\n"
        "ALTER TABLE a ADD COLUMN m int;\n-- file: 0003_all.sql\n"
        "CREATE TABLE a (n int, m int);\nCREATE TABLE b (n int);",
        "CREATE TABLE a (n int);\n-- file: 0002_squashed.sql\nCREATE TABLE a (n int);",
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';\n"
        "CREATE FUNCTION f(a text) RETURNS text LANGUAGE sql AS 'SELECT a';",
    ),
    step=_check,
    verbs=frozenset(
        """
        AddColumn AddConstraint CompositeType Create CreateDomain CreateEnum CreateFunction
        CreatePolicy CreateRange CreateSchema CreateSeq CreateTableAs CreateTrig Index View
        """.split()
    ),
    new_tables=True,
)
