"""Foreign keys: never validated ones, cycles, and what a key refers to."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from support.journey import Journey

from objects.things import ENUM, PARTS, STANDARD, things
from runner.preflight import check
from runner.standard import load_standard

# A key beside the converted columns.
LOOSE = STANDARD + PARTS.replace(', "thing_id"', "")

BOTH_WAYS = (
    ENUM
    + """
[table.things]
name = "thing"
uuids = ["id", "part_id"]
enums.status = "Status"
"""
    + PARTS
)


def parts(*more: str, then: str) -> str:
    """SQL for things and their parts, in which one part's thing is gone.

    Args:
        more: further columns and constraints of parts.
        then: SQL that adds the foreign key.
    """
    columns = ["id varchar(36) PRIMARY KEY", "thing_id varchar(36)", *more]
    return things(
        then=f"""
            CREATE TABLE parts ({", ".join(columns)});
            INSERT INTO parts (id, thing_id) SELECT gen_random_uuid(), id FROM things;
            INSERT INTO parts (id, thing_id)
            VALUES (gen_random_uuid(), upper(gen_random_uuid()::text));
            {then}
        """
    )


NOT_VALID = parts(
    then="""
        ALTER TABLE parts ADD FOREIGN KEY (thing_id) REFERENCES things ON DELETE CASCADE NOT VALID;
        COMMENT ON CONSTRAINT parts_thing_id_fkey ON parts IS 'not yet';
    """
)

KEYS = {
    "not valid": (NOT_VALID, STANDARD + PARTS),
    "not valid, on another column": (
        "CREATE TABLE numbers (n integer PRIMARY KEY);"
        + things(
            "n integer DEFAULT 5",
            then="""
                ALTER TABLE things ADD FOREIGN KEY (n) REFERENCES numbers NOT VALID;
                COMMENT ON CONSTRAINT things_n_fkey ON things IS 'not yet';
            """,
        ),
        STANDARD,
    ),
    "cycle, deferred": (
        things(
            "part_id varchar(36)",
            then="""
                CREATE TABLE parts (
                    id varchar(36) PRIMARY KEY,
                    thing_id varchar(36) REFERENCES things ON UPDATE CASCADE ON DELETE SET NULL
                );
                INSERT INTO parts SELECT upper(gen_random_uuid()::text), id FROM things;
                UPDATE things SET part_id = (SELECT id FROM parts WHERE thing_id = things.id);
                ALTER TABLE things ADD FOREIGN KEY (part_id) REFERENCES parts
                    DEFERRABLE INITIALLY DEFERRED;
            """,
        ),
        BOTH_WAYS,
    ),
    "cycle of composite keys, deferred": (
        """
        CREATE TABLE things (
            tenant integer, id varchar(36), status varchar(20), part_id varchar(36), n integer,
            PRIMARY KEY (tenant, id)
        );
        INSERT INTO things
        SELECT 1, upper(gen_random_uuid()::text), 'Open' FROM generate_series(1, 3);
        CREATE TABLE parts (
            tenant integer, id varchar(36), thing_id varchar(36),
            PRIMARY KEY (tenant, id),
            FOREIGN KEY (tenant, thing_id) REFERENCES things DEFERRABLE INITIALLY DEFERRED
        );
        INSERT INTO parts SELECT 1, gen_random_uuid(), id FROM things;
        UPDATE things SET part_id = (SELECT p.id FROM parts AS p WHERE p.thing_id = things.id);
        ALTER TABLE things ADD FOREIGN KEY (tenant, part_id) REFERENCES parts
            DEFERRABLE INITIALLY DEFERRED;
        """,
        BOTH_WAYS,
    ),
    "to itself, deferred": (
        things(
            "parent_id varchar(36) REFERENCES things DEFERRABLE INITIALLY DEFERRED",
            "n integer UNIQUE",
            "up integer REFERENCES things (n) DEFERRABLE INITIALLY DEFERRED",
            then="""
                UPDATE things SET id = upper(id), parent_id = upper(id), n = ascii(status)
                WHERE status <> 'open';
                UPDATE things SET up = n;
                COMMENT ON CONSTRAINT things_up_fkey ON things IS 'upwards';
            """,
        ),
        BOTH_WAYS.replace("part_id", "parent_id").replace(PARTS, ""),
    ),
    "of which a column is null": (
        """
        CREATE TABLE things (
            tenant integer, id varchar(36), status varchar(20), PRIMARY KEY (tenant, id)
        );
        INSERT INTO things VALUES (1, upper(gen_random_uuid()::text), 'open');
        CREATE TABLE parts (
            id varchar(36) PRIMARY KEY, tenant integer, thing_id varchar(36),
            FOREIGN KEY (tenant, thing_id) REFERENCES things
        );
        INSERT INTO parts SELECT gen_random_uuid(), tenant, id FROM things;
        INSERT INTO parts VALUES (gen_random_uuid(), NULL, upper(gen_random_uuid()::text));
        """,
        STANDARD + PARTS,
    ),
    "to a column behind a converted one": (
        """
        CREATE TABLE things (
            status varchar(20) NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
        );
        INSERT INTO things VALUES ('Open'), ('closed');
        CREATE TABLE parts (id varchar(36) PRIMARY KEY, thing_id bigint REFERENCES things);
        INSERT INTO parts SELECT upper(gen_random_uuid()::text), id FROM things;
        COMMENT ON CONSTRAINT parts_thing_id_fkey ON parts IS 'loose';
        """,
        LOOSE.replace('uuids = ["id"]\nenums', "enums"),
    ),
    "matching in full, restricting": (
        things(
            then="""
                CREATE TABLE parts (
                    id varchar(36) PRIMARY KEY,
                    thing_id varchar(36) REFERENCES things MATCH FULL
                        ON DELETE SET DEFAULT ON UPDATE RESTRICT DEFERRABLE
                );
                INSERT INTO parts SELECT gen_random_uuid(), id FROM things;
            """
        ),
        STANDARD + PARTS,
    ),
}


@pytest.mark.parametrize(("schema", "standard"), KEYS.values(), ids=KEYS)
def test_a_foreign_key_comes_through(journey: Journey, schema: str, standard: str) -> None:
    journey.there_and_back(schema, standard)


def test_orphans_of_a_key_that_is_not_valid_are_told_and_stop_nothing(journey: Journey) -> None:
    service = journey.start(NOT_VALID, STANDARD + PARTS)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        report = check(connection, load_standard(journey.folder / "standard.toml"))
    assert report.ready
    told = [f for f in report.findings if "was never validated" in f.problem.replace("\n", " ")]
    assert [(f.object, f.rows) for f in told] == [("public.parts.thing_id", 1)]


def test_setting_one_column_null_comes_through(
    journey: Journey, since: Callable[[int], None]
) -> None:
    since(15)
    schema = parts(
        "FOREIGN KEY (thing_id) REFERENCES things ON DELETE SET NULL (thing_id)", then=""
    ).replace("upper(gen_random_uuid()::text)", "NULL")
    journey.there_and_back(schema, STANDARD + PARTS)


def test_a_key_that_is_not_enforced_comes_through(
    journey: Journey, since: Callable[[int], None]
) -> None:
    since(18)
    journey.there_and_back(NOT_VALID.replace("NOT VALID", "NOT ENFORCED"), STANDARD + PARTS)


def test_a_key_to_a_table_that_waits_for_its_window_comes_through(journey: Journey) -> None:
    schema = """
        CREATE TABLE rooms (
            id integer PRIMARY KEY,
            status varchar(20) DEFAULT 'open',
            EXCLUDE (id WITH =, status WITH =)
        );
        INSERT INTO rooms VALUES (1);
        """ + things(
        "room integer NOT NULL DEFAULT 1 REFERENCES rooms ON DELETE CASCADE",
        "other integer CONSTRAINT second REFERENCES rooms DEFERRABLE",
        then="COMMENT ON CONSTRAINT second ON things IS 'Another one';",
    )
    standard = STANDARD + '[table.rooms]\nname = "room"\nenums.status = "Status"\n'
    journey.there_and_back(schema, standard, strategies=["online"])
    journey.there_and_back(schema, standard, strategies=["window"])
