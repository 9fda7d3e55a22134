"""Publications and replica identities."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.journey import Journey

from objects.things import STANDARD, things

PUBLISHED = {
    "by its key": things(then="CREATE PUBLICATION p FOR TABLE things;"),
    "with all tables": things(then="CREATE PUBLICATION p FOR ALL TABLES;"),
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
def test_a_published_table_comes_through(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)


def test_updates_without_an_identity_are_made_in_a_window(journey: Journey) -> None:
    schema = things(
        then="""
            ALTER TABLE things REPLICA IDENTITY NOTHING;
            CREATE PUBLICATION p FOR TABLE things;
        """
    )
    journey.only_in_a_window(schema, STANDARD, "public.things publishes its updates")


@pytest.mark.parametrize("part", ["(id)", "WHERE (status = 'open')"])
def test_a_publication_that_names_a_converted_column_is_refused(
    journey: Journey, since: Callable[[int], None], part: str
) -> None:
    since(15)
    schema = things(then=f"CREATE PUBLICATION p FOR TABLE things {part};")
    column = "id" if "id" in part else "status"
    journey.stopped(schema, STANDARD, f"publication p of public.things names {column}")


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
