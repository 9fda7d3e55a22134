"""What stands on a table's columns: views, policies, triggers, rules, statistics, functions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.journey import Journey

from objects.things import PARTS, STANDARD, things
from runner.errors import StatementError

PART_TABLE = """
    CREATE TABLE parts (
        id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::varchar,
        thing_id varchar(36) NOT NULL REFERENCES things,
        n integer NOT NULL DEFAULT 1
    );
    INSERT INTO parts (thing_id, n) SELECT id, 2 FROM things;
"""

VIEWS = {
    "of a value": things(
        "n integer DEFAULT 1",
        then="CREATE VIEW open_things AS SELECT * FROM things WHERE status = 'open';",
    ),
    "of a list of values": things(
        then="CREATE VIEW listed AS SELECT id FROM things WHERE status IN ('open', 'OPEN');"
    ),
    "of other columns": things(
        "n integer DEFAULT 1", then="CREATE VIEW numbers AS SELECT n FROM things;"
    ),
    "of a view": things(
        "n integer DEFAULT 1",
        then="""
            CREATE VIEW a AS SELECT id AS thing, status, n FROM things;
            CREATE VIEW b AS SELECT thing, n FROM a WHERE status <> 'closed';
            CREATE VIEW c AS SELECT count(*) FROM b;
        """,
    ),
    "with all that a view has": things(
        then="""
            CREATE VIEW shown WITH (security_barrier) AS
                SELECT id, status FROM things WHERE status <> 'gone' WITH LOCAL CHECK OPTION;
            COMMENT ON VIEW shown IS 'What clerks see';
            COMMENT ON COLUMN shown.status IS 'Open or not';
            ALTER VIEW shown ALTER COLUMN status SET DEFAULT 'closed';
            GRANT SELECT ON shown TO PUBLIC;
            GRANT UPDATE (status) ON shown TO PUBLIC;
            CREATE RULE quiet AS ON DELETE TO shown DO INSTEAD NOTHING;
        """
    ),
    "of two tables": things(
        then=PART_TABLE
        + """
            CREATE VIEW both_kinds AS
                SELECT t.id, t.status, p.n FROM things AS t JOIN parts AS p ON p.thing_id = t.id
                WHERE t.status = 'open' AND p.id <> '00000000-0000-0000-0000-000000000000';
        """
    ),
    "that groups by a key that stays": things(
        "n integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY",
        then="""
            CREATE VIEW per_number AS SELECT n, status, count(*) FROM things GROUP BY n;
        """,
    ).replace("id varchar(36) PRIMARY KEY", "id varchar(36) UNIQUE NOT NULL"),
    "that groups by the key": things(
        "n integer DEFAULT 1",
        then=PART_TABLE
        + """
            CREATE VIEW open_things AS SELECT id, n FROM things WHERE status = 'open';
            CREATE VIEW per_thing AS
                SELECT t.id, t.status, count(p.id) AS many, max(o.n) AS most
                FROM things AS t LEFT JOIN parts AS p ON p.thing_id = t.id
                    LEFT JOIN open_things AS o ON o.id = t.id
                WHERE t.status <> 'gone' GROUP BY t.id;
            CREATE VIEW of_it AS SELECT status FROM per_thing WHERE status = 'open';
            CREATE VIEW per_part AS SELECT p.id, p.n, p.thing_id FROM parts AS p GROUP BY p.id;
            CREATE VIEW closed_things AS SELECT id FROM things WHERE status = 'closed';
            COMMENT ON VIEW per_thing IS 'How many';
            GRANT SELECT ON per_thing TO PUBLIC;
        """,
    ),
    "materialized": things(
        "n integer DEFAULT 1",
        then="""
            CREATE MATERIALIZED VIEW open_things AS
                SELECT id, status, n FROM things WHERE status = 'open';
            CREATE UNIQUE INDEX open_things_id_idx ON open_things (id);
            CREATE INDEX ON open_things (n) WHERE status = 'open';
            COMMENT ON MATERIALIZED VIEW open_things IS 'Refreshed every night';
            COMMENT ON INDEX open_things_id_idx IS 'For REFRESH CONCURRENTLY';
            ALTER MATERIALIZED VIEW open_things ALTER COLUMN n SET STATISTICS 200;
            CREATE VIEW of_it AS SELECT id FROM open_things;
        """,
    ),
    "materialized, not filled": things(
        then="CREATE MATERIALIZED VIEW m AS SELECT status FROM things WITH NO DATA;"
    ),
}

OTHERS = {
    "policy of a value": things(
        then="""
            ALTER TABLE things ENABLE ROW LEVEL SECURITY;
            CREATE POLICY open_only ON things USING (status = 'open');
            CREATE POLICY no_gone ON things AS RESTRICTIVE FOR UPDATE
                USING (status IN ('open', 'closed')) WITH CHECK (status <> 'closed');
            COMMENT ON POLICY open_only ON things IS 'Guests see what is open';
        """
    ),
    "policy of an id": things(
        then="""
            ALTER TABLE things ENABLE ROW LEVEL SECURITY;
            CREATE POLICY own ON things USING (id = current_setting('app.thing', true));
        """
    ),
    "policy that looks into another table": things(
        then=PART_TABLE
        + """
            ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
            CREATE POLICY of_open ON parts USING (
                EXISTS (SELECT FROM things AS t WHERE t.id = thing_id AND t.status = 'open')
            );
        """
    ),
    "trigger with a condition": things(
        then="""
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TRIGGER opened AFTER INSERT OR UPDATE ON things
                FOR EACH ROW WHEN (NEW.status = 'open') EXECUTE FUNCTION f();
            ALTER TABLE things DISABLE TRIGGER opened;
            COMMENT ON TRIGGER opened ON things IS 'Tells the others';
        """
    ),
    "function with a parsed body": things(
        "n integer",
        then="""
            CREATE FUNCTION open_things(wanted varchar DEFAULT 'open') RETURNS bigint
                LANGUAGE sql STABLE
                BEGIN ATOMIC SELECT count(*) FROM things WHERE status = wanted; END;
            COMMENT ON FUNCTION open_things IS 'How many';
            REVOKE ALL ON FUNCTION open_things FROM PUBLIC;
            CREATE VIEW v AS SELECT open_things() AS of_function, n FROM things;
            CREATE FUNCTION sum_n() RETURNS bigint LANGUAGE sql RETURN (SELECT sum(n) FROM v);
        """,
    ),
    "policy that asks what groups by the key": things(
        then=PART_TABLE
        + """
            CREATE VIEW per_thing AS SELECT id, status FROM things GROUP BY id;
            ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
            CREATE POLICY of_open ON parts USING (
                thing_id IN (SELECT v.id FROM per_thing AS v WHERE v.status = 'open')
            );
        """
    ),
    "function with a body that groups by the key": things(
        then="""
            CREATE FUNCTION per_thing() RETURNS TABLE (s varchar) LANGUAGE sql STABLE
                BEGIN ATOMIC SELECT status FROM things GROUP BY id; END;
        """
    ),
    "statistics": things(
        "n integer",
        then="""
            CREATE STATISTICS things_s (mcv) ON status, n FROM things;
            ALTER STATISTICS things_s SET STATISTICS 300;
            COMMENT ON STATISTICS things_s IS 'They go together';
        """,
    ),
    "rule that uses whole rows": things(
        then="""
            CREATE TABLE log (said text);
            CREATE RULE log_it AS ON UPDATE TO things
                DO ALSO INSERT INTO log SELECT row_to_json(NEW)::text WHERE NEW IS NULL;
        """
    ),
}

ONLY_IN_A_WINDOW = {
    "view that groups by two keys": things(
        then=PART_TABLE
        + """
            CREATE VIEW per_both AS SELECT t.status, p.n, count(*) AS many
                FROM things AS t JOIN parts AS p ON p.thing_id = t.id GROUP BY t.id, p.id;
        """
    ),
    "stored view that groups by the key": things(
        then="CREATE MATERIALIZED VIEW m AS SELECT status, count(*) FROM things GROUP BY id;"
    ),
    "rule": things(
        then="""
            CREATE TABLE log (status text);
            CREATE RULE log_it AS ON DELETE TO things
                DO ALSO INSERT INTO log VALUES (OLD.status);
        """
    ),
    "view filled from views": things(
        then="""
            CREATE VIEW v AS SELECT * FROM things WHERE status = 'open';
            CREATE MATERIALIZED VIEW m AS SELECT id FROM v;
        """
    ),
}


def standard_for(schema: str) -> str:
    return STANDARD + (PARTS if "TABLE parts" in schema else "")


@pytest.mark.parametrize("schema", VIEWS.values(), ids=VIEWS)
def test_a_view_comes_through(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, standard_for(schema))


@pytest.mark.parametrize("schema", OTHERS.values(), ids=OTHERS)
def test_what_stands_on_columns_comes_through(
    journey: Journey, schema: str, since: Callable[[int], None]
) -> None:
    if "ROW LEVEL SECURITY" in schema:
        since(15)
    journey.there_and_back(schema, standard_for(schema))


@pytest.mark.parametrize("schema", ONLY_IN_A_WINDOW.values(), ids=ONLY_IN_A_WINDOW)
def test_what_cannot_serve_both_contracts_needs_a_window(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, standard_for(schema), strategies=["window"])


SILENT = {
    "a pattern": "status LIKE 'op%'",
    "a regular expression": "status ~ '^o'",
    "a part": "left(status, 1) = 'o'",
    "a place among letters": "status > 'm'",
}


@pytest.mark.parametrize("condition", SILENT.values(), ids=SILENT)
def test_a_view_that_compares_parts_of_a_value_is_refused_without_a_row(
    journey: Journey, condition: str
) -> None:
    schema = things(
        then=f"TRUNCATE things; CREATE VIEW v AS SELECT id FROM things WHERE {condition};"
    )
    journey.stopped(schema, STANDARD, "compares a part of a value")


def test_a_view_that_would_show_as_many_other_rows_stops_the_files(journey: Journey) -> None:
    schema = things(
        "n integer",
        then="""
            TRUNCATE things;
            INSERT INTO things (status, n) VALUES ('open', 1), ('closed', 2);
            CREATE VIEW shown AS SELECT n, ascii(status) FROM things;
        """,
    )
    for strategy in ("expand", "window"):
        service = journey.start(schema, STANDARD)
        with pytest.raises(StatementError, match=r"public\.shown: would show something else"):
            service.up(strategy)


def test_a_view_of_mapped_values_shows_what_it_showed(journey: Journey) -> None:
    standard = STANDARD.replace('"CLOSED"]', '"CLOSED"]\nmap.GONE = "CLOSED"\nback.CLOSED = "gone"')
    schema = things(
        then="""
            UPDATE things SET status = 'gone' WHERE status = 'OPEN';
            CREATE VIEW v AS SELECT id, status, 1.5::float8 AS f FROM things;
        """
    )
    journey.there_and_back(schema, standard)
