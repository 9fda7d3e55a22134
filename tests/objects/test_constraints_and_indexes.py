"""Constraints and indexes on converted columns and beside them."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql
from support.journey import Journey
from support.runs import query

from objects.things import PARTS, STANDARD, things
from runner.errors import StatementError
from runner.preflight import check
from runner.standard import load_standard

CONSTRAINTS = {
    "not valid": things("n integer", then="ALTER TABLE things ADD CHECK (n > 0) NOT VALID;"),
    "across columns": things("n integer", "CHECK (status <> 'closed' OR n IS NULL)"),
    "across columns, with all that a check has": things(
        "n integer",
        "parent_id varchar(36)",
        then="""
            ALTER TABLE things
                ADD CONSTRAINT "no orphan" CHECK (parent_id <> id OR status IN ('open', 'closed')),
                ADD CONSTRAINT things_n_check CHECK (n > 0 OR status = 'open') NOT VALID;
            COMMENT ON CONSTRAINT "no orphan" ON things IS 'By its own name';
        """,
    ),
    "of a function": things("CHECK (lower(status) IN ('open', 'closed'))"),
}

# A row breaks each of them.
BROKEN = {
    "of old values": (
        things(
            then="ALTER TABLE things ADD CONSTRAINT low CHECK (status = lower(status)) NOT VALID;"
        ),
        "status",
    ),
    "of another column": (
        things(
            "n integer DEFAULT -1",
            then="""
                ALTER TABLE things ADD CONSTRAINT low CHECK (n > 0 AND n IN (1, 2)) NOT VALID;
                COMMENT ON CONSTRAINT low ON things IS 'not yet';
            """,
        ),
        "n",
    ),
}

INDEXES = {
    "covering": things(
        "n integer",
        "UNIQUE (n) INCLUDE (status)",
        then="CREATE INDEX ON things (n) INCLUDE (id);",
    ),
    "partial, descending, of a collation": things(
        "n integer",
        then="""
            CREATE INDEX ON things (n DESC NULLS LAST, status COLLATE "C") WHERE status = 'open';
        """,
    ),
    "covering, of a key": """
        CREATE TABLE things (
            id varchar(36), status varchar(20), n integer, PRIMARY KEY (id) INCLUDE (n)
        );
        INSERT INTO things VALUES (gen_random_uuid(), 'Open', 3);
    """,
    "deferrable": """
        CREATE TABLE things (
            id varchar(36) PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, status varchar(20) UNIQUE
            DEFERRABLE, n integer UNIQUE DEFERRABLE INITIALLY DEFERRED
        );
        INSERT INTO things VALUES (upper(gen_random_uuid()::text), 'Open', 3);
    """,
    "of patterns": things(then="CREATE INDEX ON things (status varchar_pattern_ops);"),
    "of patterns of a char": """
        CREATE TABLE things (id varchar(36) PRIMARY KEY, status char(10));
        INSERT INTO things VALUES (gen_random_uuid(), 'Open');
        CREATE INDEX ON things (status bpchar_pattern_ops);
    """,
    "of patterns of an id": things(
        then="""
            CREATE INDEX things_id_like ON things (id varchar_pattern_ops DESC, status);
            CREATE UNIQUE INDEX ON things (id text_pattern_ops) WHERE status = 'open';
        """
    ),
    "of an id in another order": things(
        then="""
            CREATE INDEX ON things (id COLLATE "C", status);
            CREATE INDEX ON things USING spgist (id) INCLUDE (status);
        """
    ),
    "hash": things(then="CREATE INDEX ON things USING hash (id);"),
    "of a function": things(then="CREATE INDEX ON things (upper(status));"),
}


@pytest.mark.parametrize("schema", CONSTRAINTS.values(), ids=CONSTRAINTS)
def test_a_check_comes_through(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)


@pytest.mark.parametrize("schema", INDEXES.values(), ids=INDEXES)
def test_an_index_comes_through(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)


def test_a_check_of_no_inheritance_comes_through(journey: Journey) -> None:
    schema = things("n integer CHECK (n > 0) NO INHERIT", "CHECK (status <> 'x') NO INHERIT")
    journey.there_and_back(schema, STANDARD)


def test_a_check_that_is_not_enforced_comes_through(
    journey: Journey, since: Callable[[int], None]
) -> None:
    since(18)
    schema = things(
        "n integer DEFAULT 1 CHECK (n > 5) NOT ENFORCED", "CHECK (status = 'x') NOT ENFORCED"
    )
    journey.there_and_back(schema, STANDARD)


@pytest.mark.parametrize(("schema", "column"), BROKEN.values(), ids=BROKEN)
def test_a_row_that_breaks_a_check_is_kept_in_a_window(
    journey: Journey, schema: str, column: str
) -> None:
    journey.there_and_back(schema, STANDARD, strategies=["window"])

    service = journey.start(schema, STANDARD)
    with pytest.raises(StatementError, match="breaks the CHECK low, which was never validated"):
        service.up("expand")
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        stops = check(connection, load_standard(journey.folder / "standard.toml")).stops
    assert [f.object for f in stops] == [f"public.things.{column}"]


def test_a_not_null_that_was_never_validated_is_refused(
    journey: Journey, since: Callable[[int], None]
) -> None:
    since(18)
    schema = things(
        "n integer", then="ALTER TABLE things ADD CONSTRAINT there NOT NULL n NOT VALID;"
    )
    journey.stopped(schema, STANDARD, "constraint there on public.things was never validated")


def test_an_index_of_trigrams_comes_through(
    journey: Journey, extension: Callable[[str], str]
) -> None:
    schema = things(then="CREATE INDEX ON things USING gin (status gin_trgm_ops);")
    journey.there_and_back(extension("pg_trgm") + schema, STANDARD)


def test_the_patterns_of_an_id_are_those_of_its_text(journey: Journey) -> None:
    schema = things(then="CREATE INDEX things_id_like ON things (id varchar_pattern_ops);")
    service = journey.start(schema, STANDARD)
    service.up("contract")
    found = query(service.dsn, "SELECT indexdef FROM pg_indexes WHERE indexname = 'thing_id_like'")
    assert found[0][0].endswith("USING btree (((id)::text) text_pattern_ops)")


@pytest.mark.parametrize("part", ["id text_pattern_ops", 'id COLLATE "C"'])
def test_a_replica_identity_that_uuid_cannot_have_is_refused(journey: Journey, part: str) -> None:
    schema = things(
        then=f"""
            ALTER TABLE things ALTER id SET NOT NULL;
            CREATE UNIQUE INDEX things_id_idx ON things ({part});
            ALTER TABLE things REPLICA IDENTITY USING INDEX things_id_idx;
        """
    )
    journey.stopped(schema, STANDARD, "index public.things_id_idx indexes id by an operator class")


EXCLUSIONS = {
    "of a key": ("r int4range DEFAULT '[1,2)'", "EXCLUDE USING gist (id WITH =, r WITH &&)"),
    "of some rows": (
        "r int4range DEFAULT '[1,2)'",
        "EXCLUDE USING gist (id WITH =, r WITH &&) WHERE (status = 'open') DEFERRABLE",
    ),
}


@pytest.mark.parametrize("columns", EXCLUSIONS.values(), ids=EXCLUSIONS)
def test_an_exclusion_constraint_is_converted_in_a_window(
    journey: Journey, extension: Callable[[str], str], columns: tuple[str, ...]
) -> None:
    comment = "COMMENT ON CONSTRAINT things_id_r_excl ON things IS 'apart';"
    schema = extension("btree_gist") + things(*columns, then=comment)
    journey.only_in_a_window(schema, STANDARD, "constraint things_id_r_excl on public.things keeps")


def test_an_exclusion_constraint_on_other_columns_comes_through(journey: Journey) -> None:
    schema = things(
        "r int4range",
        "EXCLUDE USING gist (r WITH &&) WHERE (r IS NOT NULL)",
        then="COMMENT ON CONSTRAINT things_r_excl ON things IS 'apart';",
    )
    journey.there_and_back(schema, STANDARD)


def test_a_key_over_time_is_converted_in_a_window(
    journey: Journey, since: Callable[[int], None], extension: Callable[[str], str]
) -> None:
    since(18)
    schema = (
        extension("btree_gist")
        + """
        CREATE TABLE things (
            id varchar(36), during daterange, status varchar(20),
            PRIMARY KEY (id, during WITHOUT OVERLAPS)
        );
        INSERT INTO things VALUES
            (upper(gen_random_uuid()::text), '[2020-01-01,2021-01-01)', 'open'),
            (gen_random_uuid(), '[2020-01-01,2021-01-01)', 'Closed');
        CREATE TABLE parts (
            id varchar(36) PRIMARY KEY, thing_id varchar(36) NOT NULL, during daterange NOT NULL,
            FOREIGN KEY (thing_id, PERIOD during) REFERENCES things (id, PERIOD during)
        );
        INSERT INTO parts SELECT gen_random_uuid(), id, during FROM things;
    """
    )
    reason = "constraint things_pkey on public.things keeps"
    journey.only_in_a_window(schema, STANDARD + PARTS, reason)


def test_a_check_across_columns_holds_both_contracts(journey: Journey) -> None:
    service = journey.start(
        things("n integer", "CONSTRAINT n_when_open CHECK (status <> 'closed' OR n IS NULL)"),
        STANDARD,
    )
    for phase, table, closed in (
        ("enforce", "things", "closed"),
        ("enforce", "thing", "CLOSED"),
        ("switch", "things", "closed"),
        ("switch", "thing", "CLOSED"),
        ("contract", "thing", "CLOSED"),
    ):
        service.up(phase)
        with psycopg.connect(service.dsn) as client, pytest.raises(psycopg.errors.CheckViolation):
            client.execute(
                sql.SQL("UPDATE {} SET status = {}, n = 1").format(
                    sql.Identifier(table), sql.Literal(closed)
                )
            )


def test_a_row_that_would_break_a_check_is_found_before_anything_changes(journey: Journey) -> None:
    service = journey.start(
        things("n integer", "CHECK (status <> 'open' OR n > 0)").replace(
            "(status) VALUES ('open'), ('Closed'), ('OPEN')",
            "(status, n) VALUES ('open', 1), ('Open', 0)",
        ),
        STANDARD,
    )
    before = service.state()
    with pytest.raises(StatementError, match=r"'Open' \(1 rows\)") as refusal:
        service.up("enforce")
    assert "would break the CHECK thing_check" in str(refusal.value)
    service.down("online")
    assert service.state() == before


@pytest.mark.parametrize(
    "check", ["coalesce(kind, status) <> 'gone'", "lower(status) <> 'open' OR n IS NULL"]
)
def test_a_check_of_how_a_value_is_spelled_asks_what_the_old_contract_would_see(
    journey: Journey, check: str
) -> None:
    journey.there_and_back(things("kind text", "n integer", f"CHECK ({check})"), STANDARD)
