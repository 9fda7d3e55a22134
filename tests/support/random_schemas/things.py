"""What a table of a random schema may have beside its columns, by what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True)
class Thing:
    """Something that a table may have.

    In its SQL `{table}` stands for the table, `{key}` for its key's columns, `{schema}` for its
    schema, `{parent}` for the table that it refers to, `{own}`, `{other}` and `{third}` for
    qualified names of the thing's own, `{word}` for such a name without the schema, `{state}` for a
    condition on a converted column, and `{native}` for one of a native enum.

    Args:
        sql: makes it, once the table is filled.
        column: makes it in the table's definition.
        says: what generate says of it, when it cannot come through.
        only: "plain" or "partitioned", where not every table can have it.
        by_key: whether only a table with a key has it that others may refer to.
        since: the PostgreSQL that has it.
    """

    sql: LiteralString = ""
    column: LiteralString = ""
    says: str = ""
    only: str = ""
    by_key: bool = False
    since: int = 0

    @property
    def names_values(self) -> bool:
        """Whether it stands on values of a converted column."""
        return "{state}" in self.sql or "{column}" in self.sql


# What both strategies bring through.
HELD: Mapping[str, Thing] = {
    "same name": Thing(),
    "index of patterns": Thing("CREATE INDEX {word} ON {table} (id {patterns})"),
    "identity": Thing(column="number integer GENERATED ALWAYS AS IDENTITY (START 5)", only="plain"),
    "serial": Thing(column="counted serial"),
    "generated": Thing(
        column="n integer DEFAULT 3, twice integer GENERATED ALWAYS AS (n * 2) STORED"
    ),
    "exclusion": Thing(column="span int4range, EXCLUDE USING gist (span WITH &&)", only="plain"),
    "default of id": Thing("ALTER TABLE {table} ALTER id SET DEFAULT gen_random_uuid()::text"),
    "view": Thing("CREATE VIEW {own} AS SELECT * FROM {table} WHERE {state}"),
    "view of parts of ids": Thing(
        "CREATE VIEW {own} AS SELECT length(id), left(id, 3) AS start, count(*) FROM {table}"
        " WHERE id <> '' GROUP BY id"
    ),
    "view of choices": Thing(
        "CREATE VIEW {own} AS SELECT COALESCE(id, '-') AS a, greatest(id, 'x') AS b,"
        " CASE WHEN id IS NULL THEN '?' ELSE id END AS c FROM {table} WHERE id NOT IN ('x', 'y')"
    ),
    "view of a list": Thing(
        "CREATE VIEW {own} AS SELECT {column} AS value, array_agg(id ORDER BY id) FROM {table}"
        " WHERE {column} IN ('open', 'closed') GROUP BY {column}"
    ),
    "view of a view": Thing(
        "CREATE VIEW {own} WITH (security_barrier) AS SELECT id AS own FROM {table};"
        " CREATE VIEW {other} AS SELECT count(own) FROM {own};"
        " COMMENT ON VIEW {own} IS 'of ids'; GRANT SELECT ON {own} TO PUBLIC"
    ),
    "view by the key": Thing(
        "CREATE VIEW {own} AS SELECT *, count(*) AS many_rows FROM {table} GROUP BY {key};"
        " CREATE VIEW {other} AS SELECT many_rows FROM {own} WHERE id IS NOT NULL",
        by_key=True,
    ),
    "view of ids in a query": Thing(
        "CREATE VIEW {own} AS SELECT count(*) FROM {table} WHERE id NOT IN"
        " (SELECT p.id FROM {parent} AS p) AND parent_id IN (SELECT p.id FROM {parent} AS p)"
    ),
    "stored view": Thing(
        "CREATE MATERIALIZED VIEW {own} AS SELECT id FROM {table} WHERE {state};"
        " CREATE INDEX ON {own} (id)"
    ),
    "policy": Thing(
        "CREATE POLICY own ON {table} USING ({state});"
        " ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    ),
    "joined view": Thing(
        "CREATE VIEW {own} AS SELECT t.id, p.id AS far FROM {table} AS t"
        " LEFT JOIN {parent} AS p ON p.id = t.parent_id WHERE t.{column} <> 'closed'"
    ),
    "policy of another table": Thing(
        "CREATE POLICY far ON {table} USING (EXISTS (SELECT FROM {parent} AS p"
        " WHERE p.id = parent_id)); COMMENT ON POLICY far ON {table} IS 'of others'"
    ),
    "policy of ids": Thing(
        "CREATE POLICY of_ids ON {table} AS RESTRICTIVE FOR UPDATE TO pg_monitor"
        " USING (id = current_setting('app.id', true)) WITH CHECK (id IS NOT NULL)"
    ),
    "index of a choice": Thing("CREATE INDEX {word} ON {table} ((COALESCE(id, '-')))"),
    "statistics of a choice": Thing(
        "CREATE STATISTICS {own} ON id, (COALESCE(id, '')) FROM {table}"
    ),
    "statistics of values": Thing("CREATE STATISTICS {own} ON ({state}), id FROM {table}"),
    "statistics": Thing("CREATE STATISTICS {own} ON id, (length(id)) FROM {table}"),
    "check": Thing("ALTER TABLE {table} ADD CHECK ({state} OR id IS NOT NULL)"),
    "unproven check": Thing("ALTER TABLE {table} ADD CHECK (id IS NOT NULL OR {state}) NOT VALID"),
    "trigger": Thing(
        "CREATE TRIGGER quiet AFTER INSERT OR UPDATE ON {table} FOR EACH ROW"
        " WHEN (NEW.id IS NULL) EXECUTE FUNCTION public.quiet();"
        " COMMENT ON TRIGGER quiet ON {table} IS 'says nothing'"
    ),
    "trigger before": Thing(
        "CREATE TRIGGER same BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW"
        " EXECUTE FUNCTION public.quiet()"
    ),
    "view in the order of labels": Thing(
        "CREATE VIEW {own} AS SELECT id, {native} > 'open' AS later FROM {table}"
        " WHERE {native} >= 'closed' ORDER BY {native} DESC;"
        " CREATE VIEW {other} AS SELECT max({native}), min({native}),"
        " count(*) FILTER (WHERE {native} < 'on_hold') FROM {table};"
        " CREATE VIEW {third} AS SELECT greatest({native}, 'closed') AS most FROM {table}"
    ),
    "index in the order of labels": Thing(
        "CREATE INDEX {word} ON {table} (id) WHERE {native} < 'on_hold'"
    ),
    "check of the order of labels": Thing("ALTER TABLE {table} ADD CHECK ({native} >= 'open')"),
    "trigger of a column": Thing(
        "CREATE TRIGGER moved AFTER UPDATE OF id ON {table} FOR EACH ROW"
        " EXECUTE FUNCTION public.quiet(); COMMENT ON TRIGGER moved ON {table} IS 'of ids'",
    ),
    "trigger that is off": Thing(
        "CREATE TRIGGER off AFTER DELETE ON {table} FOR EACH STATEMENT"
        " EXECUTE FUNCTION public.quiet(); ALTER TABLE {table} DISABLE TRIGGER off"
    ),
    "trigger that waits": Thing(
        "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION public.quiet()"
    ),
    "function": Thing(
        "CREATE FUNCTION {own}() RETURNS bigint LANGUAGE sql STABLE"
        " BEGIN ATOMIC SELECT count(id) FROM {table} WHERE {state}; END"
    ),
    "grants": Thing(
        "GRANT SELECT, UPDATE ON {table} TO PUBLIC;"
        " GRANT INSERT (id) ON {table} TO pg_monitor WITH GRANT OPTION"
    ),
    "default privileges": Thing(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO pg_monitor"
    ),
    "owner": Thing(
        "GRANT USAGE, CREATE ON SCHEMA {schema} TO pg_monitor;"
        " ALTER TABLE {table} OWNER TO pg_monitor; ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
    ),
    "settings": Thing(
        "ALTER TABLE {table} ALTER id SET STATISTICS 50, ALTER id SET (n_distinct = -0.5),"
        " ALTER id SET STORAGE EXTERNAL; COMMENT ON COLUMN {table}.id IS 'the key'"
    ),
    "options": Thing(
        "ALTER TABLE {table} SET (fillfactor = 70, autovacuum_enabled = off)", only="plain"
    ),
    "clustered": Thing(
        "CREATE INDEX {word} ON {table} (id) WITH (fillfactor = 60);"
        " ALTER TABLE {table} CLUSTER ON {word}; COMMENT ON INDEX {own} IS 'in order'",
        only="plain",
    ),
    "published": Thing("CREATE PUBLICATION {word} FOR TABLE {table}"),
    "published ids": Thing(
        "CREATE PUBLICATION {word} FOR TABLE {table} (id) WITH (publish = 'insert')",
        only="plain",
        since=15,
    ),
    "full identity": Thing("ALTER TABLE {table} REPLICA IDENTITY FULL"),
    "identity of an index": Thing(
        "CREATE UNIQUE INDEX {word} ON {table} (id);"
        " ALTER TABLE {table} REPLICA IDENTITY USING INDEX {word}",
        only="plain",
        by_key=True,
    ),
}

# What the window alone brings through.
WINDOW: Mapping[str, Thing] = {
    "exclusion of ids": Thing(
        "ALTER TABLE {table} ADD CONSTRAINT apart EXCLUDE USING btree (id WITH =)",
        says="constraint apart on {table} keeps converted columns from overlapping",
        only="plain",
    ),
    "rule": Thing(
        "CREATE RULE keep AS ON DELETE TO {table} WHERE OLD.id IS NULL DO INSTEAD NOTHING",
        says="rule keep on table",
    ),
    "trigger before, on values": Thing(
        "CREATE TRIGGER seen BEFORE INSERT ON {table} FOR EACH ROW WHEN (NEW.id IS NULL)"
        " EXECUTE FUNCTION public.quiet()",
        says="trigger seen on table",
    ),
    "stored view of a view": Thing(
        "CREATE VIEW {own} AS SELECT id FROM {table};"
        " CREATE MATERIALIZED VIEW {other} AS SELECT id FROM {own}",
        says="stands on a view of converted columns: it cannot be filled",
    ),
    "published without identity": Thing(
        "ALTER TABLE {table} REPLICA IDENTITY NOTHING; CREATE PUBLICATION {word} FOR TABLE {table}",
        says="{table} publishes its updates and has no replica identity",
        only="plain",
    ),
}

# What neither may touch.
REFUSED: Mapping[str, Thing] = {
    "generated from id": Thing(
        column="long integer GENERATED ALWAYS AS (length(id)) STORED",
        says="{table}.long is generated from id",
    ),
    "children": Thing(
        "CREATE TABLE {own} () INHERITS ({table})",
        says="{table} shares columns with",
        only="plain",
    ),
    "whole rows": Thing(
        "CREATE VIEW {own} AS SELECT t AS whole FROM {table} AS t",
        says="shows whole rows of {table}",
    ),
    "lower case": Thing(
        "CREATE VIEW {own} AS SELECT id FROM {table}"
        " WHERE lower({column}::text) = 'open' AND {state}",
        says="calls a function on",
    ),
    "index of a partition": Thing(
        "CREATE INDEX alone ON {partition} (id)",
        says="has the index alone, and {table} does not",
        only="partitioned",
    ),
}
