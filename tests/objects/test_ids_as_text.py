"""Definitions that take an id for text: beside a text that is no id, or by a function."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from support.journey import Journey
from support.runs import query

from objects.things import PARTS, STANDARD, things
from runner.errors import StandardError
from runner.preflight import check
from runner.service.write import generate_service
from runner.standard import load_standard

PART_TABLE = """
    CREATE TABLE parts (
        id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::varchar,
        n integer NOT NULL DEFAULT 1,
        thing_id varchar(36) REFERENCES things
    );
    INSERT INTO parts (thing_id) SELECT id FROM things;
    INSERT INTO parts VALUES (DEFAULT, 1, NULL);
"""
A_UNIQUE_INDEX = "CREATE UNIQUE INDEX one ON parts (n, COALESCE(thing_id, '-'));"
OBJECTS = {
    "an index": "CREATE INDEX i ON parts ((COALESCE(thing_id, '')));",
    "a unique index": A_UNIQUE_INDEX,
    "a unique index with an id": """
        CREATE UNIQUE INDEX one ON parts
            (n, COALESCE(thing_id, '00000000-0000-0000-0000-00000000000A'));
    """,
    "an index without a text": "CREATE INDEX i ON parts ((NULLIF(thing_id, '')));",
    "indexes of letters": """
        ALTER TABLE parts ALTER id TYPE text;
        CREATE INDEX i ON parts (lower(thing_id), md5(id));
        CREATE INDEX j ON parts ((thing_id || ':' || n)) WHERE thing_id <> '' AND id > '5';
        CREATE INDEX k ON parts (n) WHERE thing_id <> id AND id LIKE 'a%';
    """,
    "a partial index": "CREATE INDEX i ON parts (id) WHERE COALESCE(thing_id, '') <> '';",
    "a CHECK": "ALTER TABLE parts ADD CHECK (COALESCE(thing_id, '') <> 'x');",
    "statistics": "CREATE STATISTICS s ON id, (COALESCE(thing_id, '')) FROM parts;",
    "a policy": "CREATE POLICY p ON parts USING (COALESCE(thing_id, '') <> 'x');",
    "a materialized view": """
        CREATE MATERIALIZED VIEW v AS SELECT COALESCE(thing_id, 'none') AS thing FROM parts;
    """,
    "a view of choices": """
        CREATE VIEW v AS SELECT
            COALESCE(thing_id, '') AS a,
            COALESCE(thing_id, id) AS b,
            COALESCE(COALESCE(thing_id, ''), id) AS c,
            CASE WHEN thing_id IS NULL THEN '?' ELSE thing_id END AS d,
            CASE n WHEN 1 THEN thing_id WHEN 2 THEN CASE WHEN n > 0 THEN id END END AS e,
            greatest(thing_id, id) AS f,
            least(thing_id, 'a') AS g,
            nullif(thing_id, '') AS h,
            CASE thing_id WHEN '' THEN 1 WHEN 'x' THEN 2 END AS i,
            CASE thing_id WHEN id THEN 1
                WHEN 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11' THEN 2 END AS j,
            COALESCE(CASE WHEN 'it''s' = current_user THEN thing_id END, '') AS k,
            COALESCE(CASE WHEN n::text = '1' THEN id ELSE COALESCE(thing_id, id) END, id) AS l,
            COALESCE(CASE WHEN n = 1 THEN 'x' ELSE thing_id END, id) AS m
        FROM parts;
    """,
    "a view of what UNION puts together": """
        CREATE VIEW v AS
            SELECT id, NULL AS parent, 'SELECT a UNION (' AS said FROM parts
            UNION ALL SELECT thing_id, id, thing_id FROM parts
            UNION ALL (SELECT 'none', NULL, id FROM things EXCEPT SELECT id, id, id FROM parts);
        CREATE VIEW w AS SELECT count(*) FROM parts WHERE thing_id IN
            (SELECT DISTINCT id FROM things UNION SELECT NULL AS id)
            AND n < ALL (SELECT 2 UNION SELECT length(id) FROM parts);
    """,
    "a view of texts": """
        CREATE VIEW v AS SELECT
            'part-' || id AS a,
            left(thing_id, 8) AS b,
            thing_id || ':' || id AS c,
            string_agg(id, ',') OVER () AS d
        FROM parts
        WHERE thing_id LIKE 'a%' OR thing_id ~ '^b' OR thing_id NOT IN ('x', 'it''s');
    """,
    "a view that calls a function of varchar": """
        CREATE FUNCTION f(a integer, b varchar) RETURNS text LANGUAGE sql IMMUTABLE
            AS 'SELECT b || a';
        CREATE VIEW v AS SELECT f(n, thing_id) FROM parts;
    """,
}


@pytest.mark.parametrize("then", OBJECTS.values(), ids=OBJECTS)
def test_what_takes_an_id_for_text_comes_through(journey: Journey, then: str) -> None:
    journey.there_and_back(things(then=PART_TABLE + then), STANDARD + PARTS)


@pytest.mark.parametrize("last", ["enforce", "switch", "contract", "window"])
def test_a_unique_index_of_an_id_or_a_text_keeps_duplicates_out(
    journey: Journey, last: str
) -> None:
    service = journey.start(things(then=PART_TABLE + A_UNIQUE_INDEX), STANDARD + PARTS)
    service.up(last)
    for values in ("1, NULL", "1, (SELECT id FROM public.thing LIMIT 1)"):
        with pytest.raises(psycopg.errors.UniqueViolation):
            query(
                service.dsn,
                f"INSERT INTO public.part (n, thing_id) VALUES ({values}) RETURNING 1",
            )
    query(service.dsn, "INSERT INTO public.part (n) VALUES (2) RETURNING 1")


REFUSED = {
    "CREATE UNIQUE INDEX i ON parts (left(thing_id, 30));": "is unique by thing_id as text, which",
    "CREATE UNIQUE INDEX i ON parts (n) WHERE thing_id LIKE 'A%';": "is unique by thing_id as",
    "ALTER TABLE parts ADD g text GENERATED ALWAYS AS (COALESCE(thing_id, '')) STORED;": (
        "is generated from thing_id"
    ),
}


@pytest.mark.parametrize(
    ("then", "reason"), REFUSED.items(), ids=["a part", "a pattern", "generated"]
)
def test_what_is_made_of_an_ids_letters_is_refused(
    journey: Journey, then: str, reason: str
) -> None:
    journey.stopped(things(then=PART_TABLE + then), STANDARD + PARTS, reason)


MISFITS = {
    "view public.v": "CREATE VIEW v AS SELECT n, of FROM parts JOIN notes USING (thing_id);",
    "policy p on table public.parts": """
        CREATE POLICY p ON parts USING
            (n IN (SELECT q.n FROM parts AS q JOIN notes USING (thing_id)));
    """,
    "function public.f()": """
        CREATE FUNCTION f() RETURNS bigint LANGUAGE sql STABLE
            RETURN (SELECT count(*) FROM notes JOIN parts USING (thing_id));
    """,
    "view public.w": """
        CREATE VIEW v AS SELECT thing_id AS of FROM parts;
        CREATE VIEW w AS SELECT thing_id FROM v JOIN notes USING (of);
    """,
}


@pytest.mark.parametrize(("misfit", "then"), MISFITS.items(), ids=MISFITS)
def test_what_would_not_stand_on_uuids_is_named_before_anything_changes(
    journey: Journey, tmp_path: Path, misfit: str, then: str
) -> None:
    notes = "CREATE TABLE notes (thing_id text, of text);"
    service = journey.start(things(then=PART_TABLE + notes + then), STANDARD + PARTS)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        stops = check(connection, load_standard(tmp_path / "standard.toml")).stops
    said = {f.object: f.problem for f in stops}
    assert said.keys() == {misfit}
    assert said[misfit].startswith("cannot be made on the new columns: ")
    with pytest.raises(StandardError, match=re.escape(f"{misfit} {said[misfit]}")):
        generate_service(tmp_path, dsn=service.dsn, dry=True)


# Each is printed with casts that belong to varchar.
QUERIES = {
    "in": "thing_id IN (SELECT id FROM things WHERE status = 'open')",
    "not in": "thing_id NOT IN (SELECT t.id FROM things AS t WHERE t.status = 'open')",
    "all": "thing_id <> ALL (SELECT t.id FROM things AS t)",
    "an array": "thing_id = ANY (ARRAY(SELECT t.id FROM things AS t))",
    "rows": "(thing_id, n) IN (SELECT t.id, 1 FROM things AS t)",
    "rows of texts, too": "(note, n, thing_id) IN (SELECT a.id, count(*), b.id"
    " FROM things AS a, things AS b GROUP BY a.id, b.id)",
    "a text in ids": "note IN (SELECT DISTINCT t.id AS of FROM things AS t)",
    "an id in texts": "thing_id IN (SELECT q.note FROM notes AS q)",
    "a query in a query": "thing_id IN (SELECT id FROM things WHERE id IN"
    " (SELECT q.thing_id FROM parts AS q WHERE q.note = 'IN ( SELECT things.id'))",
}


@pytest.mark.parametrize("condition", QUERIES.values(), ids=QUERIES)
def test_an_id_is_compared_with_what_a_query_gives(journey: Journey, condition: str) -> None:
    then = f"""
        ALTER TABLE parts ADD note text;
        CREATE TABLE notes (note text);
        CREATE VIEW v AS SELECT n FROM parts WHERE {condition};
    """
    journey.there_and_back(things(then=PART_TABLE + then), STANDARD + PARTS)
