"""Names: quoted, reserved, cut at 63 bytes, and wanted twice."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from support.journey import Journey

from objects.things import ENUM, PARTS, STANDARD, things
from runner.standard import load_standard
from runner.verify import verify

# 60 bytes: no suffix fits behind it.
LONG = "a_rather_long_name_that_leaves_next_to_no_room_for_a_suffix_"

NAMES = {
    "long columns": (
        f"""
        CREATE TABLE things (
            id varchar(36) PRIMARY KEY,
            {LONG}1 varchar(20) NOT NULL,
            {LONG}2 varchar(20) NOT NULL,
            {LONG}n integer GENERATED ALWAYS AS IDENTITY,
            status varchar(20) NOT NULL
        );
        INSERT INTO things VALUES (gen_random_uuid(), 'Open', 'closed', DEFAULT, 'open');
        CREATE INDEX ON things ({LONG}1);
        COMMENT ON COLUMN things.{LONG}1 IS 'one';
        COMMENT ON COLUMN things.{LONG}2 IS 'two';
        """,
        STANDARD
        + f"""
        enums.{LONG}1 = "Status"
        enums.{LONG}2 = "Status"
        """,
    ),
    "long tables": (
        f"""
        CREATE TABLE {LONG}as (
            id varchar(36) PRIMARY KEY, status varchar(20) NOT NULL DEFAULT 'Open', n serial
        );
        CREATE TABLE {LONG}bs (
            id varchar(36) PRIMARY KEY, status varchar(20) NOT NULL DEFAULT 'Open',
            a_id varchar(36) REFERENCES {LONG}as, n integer GENERATED ALWAYS AS IDENTITY
        );
        INSERT INTO {LONG}as VALUES (upper(gen_random_uuid()::text));
        INSERT INTO {LONG}bs SELECT gen_random_uuid(), 'open', id FROM {LONG}as;
        """,
        ENUM
        + f"""
        [table.{LONG}as]
        name = "{LONG}a"
        uuids = ["id"]
        enums.status = "Status"

        [table.{LONG}bs]
        name = "{LONG}b"
        uuids = ["id", "a_id"]
        enums.status = "Status"
        """,
    ),
    "long constraints and indexes": (
        f"""
        CREATE TABLE things (
            id varchar(36) CONSTRAINT {LONG}1 PRIMARY KEY,
            status varchar(20) NOT NULL CONSTRAINT {LONG}2 CHECK (status <> 'x'),
            n integer CONSTRAINT {LONG}3 UNIQUE
        );
        CREATE INDEX things_{LONG[:55]}4 ON things (status);
        CREATE INDEX thing_{LONG[:55]}4 ON things (id, status);
        INSERT INTO things VALUES (gen_random_uuid(), 'Open', 4);
        CREATE TABLE parts (
            id varchar(36) PRIMARY KEY,
            thing_id varchar(36) CONSTRAINT {LONG}5 REFERENCES things,
            other_id varchar(36) CONSTRAINT {LONG}6 REFERENCES things
        );
        INSERT INTO parts SELECT gen_random_uuid(), id FROM things;
        """,
        STANDARD + PARTS.replace('"thing_id"', '"thing_id", "other_id"'),
    ),
    "quoted": (
        """
        CREATE TABLE "Odd ""things""%s" (
            "Id" varchar(36) CONSTRAINT "Pk 100%%" PRIMARY KEY,
            "the % 'state'" varchar(20) NOT NULL DEFAULT 'open' CHECK ("the % 'state'" <> 'x'),
            "user" integer GENERATED ALWAYS AS IDENTITY,
            "order%" integer NOT NULL DEFAULT 3,
            "Twice %" integer GENERATED ALWAYS AS (2 * "order%") STORED
        );
        INSERT INTO "Odd ""things""%s" ("Id", "the % 'state'")
        SELECT gen_random_uuid(), s FROM unnest(ARRAY['Open', 'closed', 'OPEN']) AS s;
        CREATE INDEX "An ""index"" %" ON "Odd ""things""%s" ("the % 'state'")
            WHERE "the % 'state'" = 'open';
        COMMENT ON COLUMN "Odd ""things""%s"."Id" IS 'It''s 100% "ours"';
        CREATE TABLE "order" (
            "user" varchar(36) PRIMARY KEY,
            "select" varchar(36) REFERENCES "Odd ""things""%s" ON DELETE CASCADE
        );
        INSERT INTO "order" SELECT gen_random_uuid(), "Id" FROM "Odd ""things""%s";
        """,
        ENUM
        + """
        [table.'Odd "things"%s']
        name = 'Odd "thing"%s'
        uuids = ["Id"]
        enums = { "the % 'state'" = "Status" }

        [table.order]
        name = "table"
        uuids = ["user", "select"]
        """,
    ),
    "reserved": (
        """
        CREATE TABLE "order" (
            id varchar(36) PRIMARY KEY, "user" varchar(36) NOT NULL, "check" varchar(20) NOT NULL,
            "end" integer DEFAULT 5, UNIQUE ("user", "check")
        );
        INSERT INTO "order" VALUES (gen_random_uuid(), gen_random_uuid(), 'Open');
        """,
        ENUM
        + """
        [table.order]
        name = "an_order"
        uuids = ["id", "user"]
        enums.check = "Status"
        """,
    ),
    "as a backfill calls its own": (
        """
        CREATE TABLE pages (
            batch varchar(36) PRIMARY KEY, page varchar(20) NOT NULL, pages varchar(36),
            converted integer, pass varchar(20) NOT NULL DEFAULT 'open'
        );
        INSERT INTO pages VALUES (gen_random_uuid(), 'Open', gen_random_uuid(), 4);
        INSERT INTO pages VALUES (upper(gen_random_uuid()::text), 'open', NULL, 5);
        """,
        ENUM
        + """
        [table.pages]
        name = "page"
        uuids = ["batch", "pages"]
        enums = { page = "Status", pass = "Status" }
        """,
    ),
    "indexes that want one name": (
        things(
            "n integer",
            then="""
                CREATE INDEX things_x ON things (status);
                CREATE INDEX thing_x ON things (id, status);
                CREATE INDEX things_y ON things (n);
                CREATE INDEX thing_y ON things (n, id);
                CREATE INDEX thing_pkey ON things (status);
                CREATE INDEX things_pkey__new ON things (id, status);
                CREATE TABLE things_used (n integer);
                CREATE TABLE thing_reversal (n integer);
                CREATE TABLE thing_status_check (n integer);
            """,
        ),
        STANDARD,
    ),
    "constraints that want one name": (
        things(
            "n integer CONSTRAINT things_x CHECK (n > 0)",
            "m integer CONSTRAINT thing_y CHECK (m > 0)",
            "o integer CONSTRAINT things_y CHECK (o > 0)",
            "CONSTRAINT thing_x CHECK (status <> 'x')",
            "CONSTRAINT thing_pkey CHECK (m > n)",
        ),
        STANDARD,
    ),
    "foreign keys that want one name": (
        things(
            then="""
                CREATE TABLE parts (
                    id varchar(36) PRIMARY KEY,
                    thing_id varchar(36) CONSTRAINT parts_x REFERENCES things,
                    other_id varchar(36) CONSTRAINT part_x REFERENCES things,
                    n integer CONSTRAINT part_x__new CHECK (n > 0)
                );
                INSERT INTO parts SELECT gen_random_uuid(), id FROM things;
            """
        ),
        STANDARD + PARTS.replace('"thing_id"', '"thing_id", "other_id"'),
    ),
}


@pytest.mark.parametrize(("schema", "standard"), NAMES.values(), ids=NAMES)
def test_a_name_comes_through(journey: Journey, schema: str, standard: str) -> None:
    journey.there_and_back(schema, standard)


def test_a_not_null_of_its_own_name_comes_through(
    journey: Journey, since: Callable[[int], None]
) -> None:
    since(18)
    schema = """
        CREATE TABLE things (
            id varchar(36) PRIMARY KEY, status varchar(20) CONSTRAINT there NOT NULL,
            n integer CONSTRAINT also_there NOT NULL
        );
        INSERT INTO things VALUES (gen_random_uuid(), 'Open', 1);
        COMMENT ON CONSTRAINT there ON things IS 'said';
        COMMENT ON CONSTRAINT also_there ON things IS 'said too';
        COMMENT ON CONSTRAINT things_id_not_null ON things IS 'the key''s';
    """
    journey.there_and_back(schema, STANDARD)


@pytest.mark.parametrize(
    ("schema", "reason"),
    {
        "old side": (things("id__old integer"), "public.things.id__old has the name"),
        "new side": (things("id__new integer"), "public.things.id__new has the name"),
        "a guard": (
            things("n integer CONSTRAINT thing_filled CHECK (n > 0)"),
            "constraint thing_filled on public.things has the name",
        ),
        "a guard of the new columns": (
            things("n integer CONSTRAINT things_filled CHECK (n > 0)"),
            "constraint things_filled on public.things has the name",
        ),
    }.values(),
)
def test_a_name_that_is_taken_meanwhile_is_kept_in_a_window(
    journey: Journey, schema: str, reason: str
) -> None:
    journey.only_in_a_window(schema, STANDARD, reason)


def test_a_check_that_has_the_name_of_the_one_to_come_gives_way_to_it(journey: Journey) -> None:
    schema = things("CONSTRAINT thing_status_check CHECK (status <> 'x')")
    journey.there_and_back(schema, STANDARD)


def test_a_name_that_is_taken_for_good_is_refused(journey: Journey) -> None:
    schema = things("n integer CONSTRAINT thing_status_check CHECK (n > 0)")
    reason = "constraint thing_status_check on public.things has the name"
    journey.stopped(schema, STANDARD, reason)
    named = STANDARD + 'checks.status = "thing_state_check"\n'
    journey.there_and_back(schema, named)


@pytest.mark.parametrize("new", ["the_things", "thing", "things_of_ours"])
def test_the_old_name_may_stand_in_new_ones(journey: Journey, new: str) -> None:
    schema = things(
        "things_seen integer NOT NULL DEFAULT 1 CHECK (things_seen > 0)",
        "n serial UNIQUE CHECK (n > 0)",
        "CONSTRAINT the_things_ok CHECK (n > 0)",
        then="CREATE INDEX ON things (things_seen); CREATE INDEX the_things_i ON things (n);",
    )
    standard = STANDARD.replace('"thing"', f'"{new}"')
    journey.there_and_back(schema, standard)
    service = journey.start(schema, standard)
    service.up("window")
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        found = verify(connection, load_standard(service.folder / "standard.toml"))
    assert found.distances == ()
