"""Rows that become the same under a unique index: refused by check, and by the first files."""

from __future__ import annotations

import subprocess

import psycopg
import pytest
from support.journey import Journey
from support.runs import query, run_yoyo

from objects.things import ENUM, STANDARD, things
from runner.errors import StatementError
from runner.preflight import check
from runner.standard import load_standard

LISTS = (
    ENUM
    + """
[table.things]
name = "thing"
uuids = ["id"]
enums.status = "Status"
enums.was = "Status"
"""
)
PAIRS = (
    ENUM
    + """
[table.pairs]
name = "pair"
uuids = ["a", "b"]
"""
)
BOTH_ARE = "INSERT INTO things (status, n) VALUES ('Open', 7), ('oPEN', 7);"

# What makes them, the standard, the index, and how the two rows are told apart.
REFUSED = {
    "a constraint": (
        things("n integer", "CONSTRAINT one UNIQUE (n, status)", then=BOTH_ARE),
        STANDARD,
        "n 7, status ",
    ),
    "an index": (
        things(
            "n integer",
            then=f"{BOTH_ARE} CREATE UNIQUE INDEX one ON things (status DESC, n) INCLUDE (id);",
        ),
        STANDARD,
        "n 7, status Open",
    ),
    "a partial one": (
        things(
            "n integer",
            then=f"{BOTH_ARE} CREATE UNIQUE INDEX one ON things (status)"
            " WHERE n > 3 AND status <> 'closed';",
        ),
        STANDARD,
        "n 7, status Open",
    ),
    "an expression": (
        things(
            "n integer",
            then=f"{BOTH_ARE} CREATE UNIQUE INDEX one ON things ((status || ' of'), (n % 2))"
            " WHERE n IS NOT NULL;",
        ),
        STANDARD,
        "n 7",
    ),
    "a choice": (
        things(
            "n integer",
            then=f"{BOTH_ARE} CREATE UNIQUE INDEX one ON things (n, COALESCE(status, '-'))"
            " WHERE n > 0;",
        ),
        STANDARD,
        "n 7",
    ),
    "nulls that are equal": (
        things(
            "was varchar(20)",
            "n integer",
            then="""
                INSERT INTO things (was, n) VALUES ('Open', NULL), ('open', NULL);
                UPDATE things SET n = row_number FROM (
                    SELECT id, row_number() OVER () FROM things WHERE was IS NULL
                ) AS r WHERE r.id = things.id;
                CREATE UNIQUE INDEX one ON things (n, was) NULLS NOT DISTINCT;
            """,
        ),
        LISTS,
        "was Open",
    ),
    "lists": (
        things(
            "was varchar[]",
            then="INSERT INTO things (was) VALUES ('{open,closed}'), ('{Open,closed}');"
            " CREATE UNIQUE INDEX one ON things (was);",
        ),
        LISTS,
        "was {Open,closed}",
    ),
    "ids beside others": (
        """
        CREATE TABLE pairs (a varchar(36), b varchar(36), CONSTRAINT one PRIMARY KEY (a, b));
        INSERT INTO pairs SELECT a, b FROM (SELECT gen_random_uuid()::text, gen_random_uuid()::text)
            AS p (id, b), LATERAL (VALUES (id), (upper(id))) AS spelled (a)
        WHERE id <> upper(id);
        """,
        PAIRS,
        " = a ",
    ),
}


@pytest.mark.parametrize(("schema", "standard", "told"), REFUSED.values(), ids=REFUSED)
def test_rows_that_become_the_same_stop_check_and_the_files_by_their_keys(
    journey: Journey, schema: str, standard: str, told: str, since: object
) -> None:
    if "NULLS NOT DISTINCT" in schema:
        assert callable(since)
        since(15)
    service = journey.start(schema, standard)
    before = service.state()
    for strategy in ("expand", "window"):
        with pytest.raises(StatementError, match="2 rows become the same, and one is unique") as e:
            service.up(strategy)
        assert told in str(e.value)
        service.down("window" if strategy == "window" else "online")
    assert service.state() == before
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        stops = check(connection, load_standard(service.folder / "standard.toml")).stops
    assert [f.problem for f in stops] == ["holds values that become equal, and one is unique"]
    assert stops[0].rows == 2


def test_plain_yoyo_stops_there_as_well(journey: Journey) -> None:
    schema = things("n integer", "CONSTRAINT one UNIQUE (n, status)", then=BOTH_ARE)
    service = journey.start(schema, STANDARD)
    with pytest.raises(subprocess.CalledProcessError) as raised:
        run_yoyo("apply", *(str(service.folder / f) for f in ("common", "online")), dsn=service.dsn)
    assert "2 rows become the same, and one is unique" in raised.value.stderr
    assert query(service.dsn, "SELECT to_regclass('thing')") == [(None,)]


FREE = {
    "other keys": things(
        "n integer",
        "UNIQUE (n, status)",
        then="INSERT INTO things (status, n) VALUES ('Open', 7), ('oPEN', 8), ('OPEN', NULL),"
        " ('open', NULL);",
    ),
    "beyond a predicate": things(
        "n integer",
        then=f"{BOTH_ARE} CREATE UNIQUE INDEX one ON things (status) WHERE n > 8;",
    ),
    "an expression that folds them": things(
        "n integer", then="CREATE UNIQUE INDEX one ON things (upper(status), id);"
    ),
}


@pytest.mark.parametrize("schema", FREE.values(), ids=FREE)
def test_rows_that_stay_different_go_there_and_back(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)


def test_values_that_a_check_lists_are_not_read_again(journey: Journey) -> None:
    schema = """
        CREATE TABLE things (
            id varchar(36) PRIMARY KEY, n integer,
            status varchar(20) NOT NULL CHECK (status IN ('open', 'closed')), UNIQUE (n, status)
        );
    """
    service = journey.start(schema, STANDARD)
    written = [path.read_text(encoding="utf-8") for path in service.folder.rglob("*.sql")]
    assert not any("CALL trueup.refuse_twins(" in text for text in written)
