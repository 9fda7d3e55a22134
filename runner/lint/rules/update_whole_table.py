"""A whole table is updated or deleted in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint import parser, suggest, tree
from runner.lint.model import Hit, Rule
from runner.lint.where import reach
from runner.lint.work import copied_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_MESSAGES = {
    "all": "every row of {table} is written in one transaction",
    "always": "the WHERE is true for every row: all of {table} is written in one transaction",
    "open": "nothing bounds the WHERE: all rows of {table} that match it are one transaction",
}


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.verb == "Merge":
        source = tree.inner(step.node.source_relation)
        if tree.kind(source) == "RangeVar" and not context.is_new(tree.relation(source)):
            yield Hit(
                f"all rows of {tree.relation(source)} are merged in one transaction",
                instead=_IN_WORDS,
            )
        return
    if step.verb == "Insert":
        if copied := copied_table(step, context):
            yield Hit(f"all rows of {copied} are copied in one transaction", instead=_IN_WORDS)
        return
    reached = reach(step, context.world.tables.get(step.table))
    if reached == "bounded" and not (step.loop and not step.commits):
        return
    if reached == "open" and step.commits:
        return
    if reached == "bounded":
        message = f"the batches of {step.table} run in a loop that never commits: one transaction"
    else:
        message = _MESSAGES[reached].format(table=step.table)
    batches = None if step.hidden else _batches(step, context)
    yield Hit(message, names=batches or {}, instead=None if batches else _IN_WORDS)


def _batches(step: Step, context: Context) -> dict[str, str] | None:
    """The pieces of the statement in batches by key; None where the text does not show a way."""
    node, table = step.node, context.world.tables.get(step.table)
    key = context.world.primary_key(step.table)
    written = {tree.inner(item).name for item in getattr(node, "target_list", ())}
    joined = node.from_clause if step.verb == "Update" else node.using_clause
    if table is None or len(key) != 1 or key[0] in written or joined:
        return None
    if node.HasField("with_clause") or node.HasField("returning_clause"):
        return None
    alias = node.relation.alias.aliasname or node.relation.relname
    column = suggest.fill("{alias}.{key}", {"alias": alias, "key": key[0]})
    condition = f"({column} > batch_start OR batch_start IS NULL) AND {column} <= batch_end"
    where = tree.inner(parser.parse(f"SELECT WHERE {condition}")[0][0].where_clause)
    if node.HasField("where_clause"):
        where = suggest.changed(
            where, args=[tree.inner(node.where_clause), *map(tree.inner, where.args)]
        )
    return {"key": key[0], "statement": suggest.statement(node, where_clause=where)}


_IN_WORDS = (
    """-- outside a transaction: in batches of a thousand rows by the key, each with its COMMIT"""
)


RULE = Rule(
    name="update-whole-table",
    level="error",
    title="A whole table is updated or deleted in one transaction",
    why="Every row stays locked until the end, clients that write to them wait or deadlock, the"
    " table doubles in size, replicas fall behind, and a failure throws all of it away. A"
    " WHERE that is true for every row, or that only leaves out the rows already done,"
    " changes nothing about that.",
    instead="""-- outside a transaction: batches by key, each with its COMMIT
DO $batches$
DECLARE
    batch_start {table}.{key}%TYPE;
    batch_end {table}.{key}%TYPE;
BEGIN
    LOOP
        batch_end := (
            SELECT key FROM (
                SELECT {key} AS key FROM {table} WHERE batch_start IS NULL OR {key} > batch_start
                ORDER BY {key} LIMIT 1000
            ) AS batch ORDER BY key DESC LIMIT 1
        );
        EXIT WHEN batch_end IS NULL;
        {statement};
        COMMIT;
        batch_start := batch_end;
    END LOOP;
END $batches$;""",
    flagged=(
        "UPDATE users SET status = 'ACTIVE';",
        "DELETE FROM users WHERE 1 = 1;",
        "UPDATE users SET status = upper(status) WHERE id IS NOT NULL;",
        "UPDATE users SET full_name = first || last WHERE full_name IS NULL;",
        "DELETE FROM flyway_schema_history;",
        "UPDATE users SET status = 'ACTIVE' FROM orders WHERE public.orders.n = 5;",
        "DELETE FROM schema_migrations WHERE true;",
        "INSERT INTO user_copy SELECT id, email FROM users;",
        "WITH gone AS (DELETE FROM users RETURNING id) SELECT count(*) FROM gone;",
        "DELETE FROM events WHERE created_at < now() - interval '1 year';",
    ),
    passed=(
        "INSERT INTO kind (name) VALUES ('a') ON CONFLICT DO NOTHING;",
        "UPDATE settings SET value = 'on' WHERE name = 'beta';",
        "UPDATE alembic_version SET version_num = 'b2' WHERE alembic_version.version_num = 'a1';",
        "UPDATE alembic_version SET version_num = 'b2';",
        "DELETE FROM schema_migrations WHERE version > '20240101';",
        "UPDATE users SET a = b WHERE id BETWEEN 1 AND 1000;",
        "DELETE FROM users WHERE id IN (SELECT id FROM users WHERE gone LIMIT 500);",
        "-- transactional: false\nDO $$ BEGIN LOOP UPDATE users SET a = b WHERE id IN"
        " (SELECT id FROM users WHERE a IS NULL LIMIT 1000); EXIT WHEN NOT FOUND; COMMIT;"
        " END LOOP; END $$;",
    ),
    step=_check,
    verbs=frozenset({"Update", "Delete", "Insert", "Merge"}),
    window=False,
)
