"""Publications and replica identities."""

from __future__ import annotations

from collections.abc import Callable
from typing import LiteralString

import pytest
from support.journey import Journey
from support.runs import query

from objects.things import STANDARD, things

PUBLISHED = {
    "by its key": things(then="CREATE PUBLICATION p FOR TABLE things;"),
    "with all tables": things(then="CREATE PUBLICATION p FOR ALL TABLES;"),
    "with its schema": things(then="CREATE PUBLICATION p FOR TABLES IN SCHEMA public;"),
    "by a converted index": things(
        then="""
            CREATE UNIQUE INDEX by_id ON things (id);
            ALTER TABLE things REPLICA IDENTITY USING INDEX by_id;
            CREATE PUBLICATION p FOR TABLE things;
        """
    ),
    "by an index of both": things(
        "n integer NOT NULL DEFAULT 3",
        then="""
            CREATE UNIQUE INDEX by_both ON things (n, id);
            ALTER TABLE things REPLICA IDENTITY USING INDEX by_both;
            CREATE PUBLICATION p FOR TABLE things;
        """,
    ),
    "inserts alone": things(
        then="""
            ALTER TABLE things REPLICA IDENTITY NOTHING;
            CREATE PUBLICATION p FOR TABLE things WITH (publish = 'insert');
        """
    ),
}


@pytest.mark.parametrize("schema", PUBLISHED.values(), ids=PUBLISHED)
def test_a_published_table_comes_through(
    journey: Journey, schema: str, since: Callable[[int], None]
) -> None:
    if "IN SCHEMA" in schema:
        since(15)
    journey.there_and_back(schema, STANDARD)


def test_updates_without_an_identity_are_made_in_a_window(journey: Journey) -> None:
    schema = things(
        then="""
            ALTER TABLE things REPLICA IDENTITY NOTHING;
            CREATE PUBLICATION p FOR TABLE things;
        """
    )
    journey.only_in_a_window(schema, STANDARD, "public.things publishes its updates")


NAMING = {
    "a list": "CREATE PUBLICATION p FOR TABLE things (id, status);",
    "a list of inserts": "CREATE PUBLICATION p FOR TABLE things (status)"
    " WITH (publish = 'insert');",
    "a filter": "CREATE PUBLICATION p FOR TABLE things WHERE (status = 'open')"
    " WITH (publish = 'insert');",
    "a filter of ids and others": "CREATE PUBLICATION p FOR TABLE things (id, n)"
    " WHERE (id <> '00000000-0000-0000-0000-000000000000' AND n > 0)"
    " WITH (publish = 'insert, truncate');"
    " CREATE PUBLICATION q FOR TABLE things (id, status) WHERE (lower(status) IN ('open', 'x'))"
    " WITH (publish = 'insert');",
    "a filter of whole rows": "ALTER TABLE things REPLICA IDENTITY FULL;"
    " CREATE PUBLICATION p FOR TABLE things WHERE (status <> 'closed' OR n IS NULL);",
    "a list by an index": "CREATE UNIQUE INDEX by_both ON things (n, id);"
    " ALTER TABLE things REPLICA IDENTITY USING INDEX by_both;"
    " CREATE PUBLICATION p FOR TABLE things (n, id);",
}


@pytest.mark.parametrize("then", NAMING.values(), ids=NAMING)
def test_a_publication_that_names_converted_columns_comes_through(
    journey: Journey, since: Callable[[int], None], then: str
) -> None:
    since(15)
    journey.there_and_back(things("n integer NOT NULL DEFAULT 3", then=then), STANDARD)


def test_clients_write_and_its_filter_holds_throughout(
    journey: Journey, since: Callable[[int], None]
) -> None:
    since(15)
    then = """
        CREATE PUBLICATION p FOR TABLE things (id, status, n);
        CREATE PUBLICATION q FOR TABLE things WHERE (status = 'open') WITH (publish = 'insert');
    """
    service = journey.start(
        things("n integer NOT NULL DEFAULT 3, UNIQUE (n, id)", then=then), STANDARD
    )
    service.up("switch")
    for table, status in (("things", "closed"), ("thing", "CLOSED")):
        query(service.dsn, f"UPDATE {table} SET n = n + 1, status = '{status}'")
    service.up("contract")
    query(service.dsn, "UPDATE thing SET n = n + 1, status = 'OPEN'")
    shown: LiteralString = (
        "SELECT pubname, attnames::text, rowfilter FROM pg_publication_tables ORDER BY 1"
    )
    assert query(service.dsn, shown) == [
        ("p", "{n,id,status}", None),
        ("q", "{n,id,status}", "((status)::text = 'OPEN'::text)"),
    ]
    service.down("online", "switch")
    query(service.dsn, "UPDATE things SET n = n + 1, status = 'open'")
    assert query(service.dsn, "SELECT count(*) FROM thing WHERE status = 'OPEN'") == [(3,)]
    assert query(service.dsn, shown)[1][2] == "((status__old)::text = 'open'::text)"


def test_a_publication_that_names_a_column_behind_comes_through(
    journey: Journey, since: Callable[[int], None]
) -> None:
    since(15)
    schema = things(
        "n integer",
        then="""
            CREATE PUBLICATION p FOR TABLE things (n) WHERE (n > 3) WITH (publish = 'insert');
        """,
    )
    journey.there_and_back(schema, STANDARD)


def test_a_publication_that_names_a_column_before_comes_through(
    journey: Journey, since: Callable[[int], None]
) -> None:
    since(15)
    schema = """
        CREATE TABLE things (n integer PRIMARY KEY, id varchar(36), status varchar(20));
        INSERT INTO things VALUES (1, gen_random_uuid(), 'Open');
        CREATE PUBLICATION p FOR TABLE things (n) WHERE (n > 3);
    """
    journey.there_and_back(schema, STANDARD)
