"""Rules on one column: a list of values gives way to the enum's CHECK, all else is carried."""

from __future__ import annotations

import psycopg
import pytest
from support.journey import Journey
from support.runs import query

from runner.preflight import check
from runner.standard import load_standard
from runner.verify import verify

NIL = "00000000-0000-0000-0000-000000000000"
STANDARD = """
[enum.State]
values = ["NEW", "RUN", "DONE"]

[enum.Label]
values = ["RED", "BLUE", "GREEN"]

[table.jobs]
name = "job"
uuids = ["id", "owner_id"]
enums.state = "State"
enums.labels = "Label"
"""


def jobs(*rules: str, before: str = "", **types: str) -> str:
    """A table of jobs whose rules the rows keep."""
    of = {"id": "varchar(36)", "owner": "text", "labels": "varchar(20)[]", "state": "varchar(20)"}
    of |= types
    listed = ", ".join(["CONSTRAINT known CHECK (state IN ('new', 'run', 'done'))", *rules])
    return f"""
        {before}
        CREATE TABLE jobs (
            id {of["id"]} PRIMARY KEY,
            owner_id {of["owner"]} NOT NULL,
            labels {of["labels"]} NOT NULL DEFAULT '{{}}',
            state {of["state"]} NOT NULL,
            n integer,
            {listed}
        );
        INSERT INTO jobs
        SELECT gen_random_uuid(), overlay(gen_random_uuid()::text PLACING '1' FROM 1),
            '{{red,blue}}', 'new', n
        FROM generate_series(1, 5) AS n;
    """


OWNER = "'11111111-1111-4111-8111-111111111111'"


def insert(owner: str = OWNER, labels: str = "{RED}", state: str = "NEW") -> str:
    return (
        f"INSERT INTO job (id, owner_id, labels, state) VALUES"
        f" (gen_random_uuid(), {owner}, '{labels}', '{state}')"
    )


# A rule, and what the new contract must not write.
RULES = {
    "under the name that the enum's gets": (
        "CONSTRAINT jobs_state_check CHECK (state <> 'done')",
        insert(state="DONE"),
    ),
    "of an array's length": ("CHECK (cardinality(labels) <= 2)", insert(labels="{RED,BLUE,GREEN}")),
    "of an array's element": ("CHECK (NOT 'green' = ANY (labels))", insert(labels="{GREEN}")),
    "of an array as text": ("CHECK (labels::text NOT LIKE '%green%')", insert(labels="{GREEN}")),
    "of a nil uuid": (f"CHECK (owner_id <> '{NIL}')", insert(owner=f"'{NIL}'")),
    "of a uuid's pattern": ("CHECK (owner_id !~ '^0')", insert(owner=f"'{NIL}'")),
    "of several ids": ("CHECK (owner_id <> id)", ""),
    "of a uuid's length": ("CHECK (length(btrim(owner_id)) = 36)", ""),
    "of a list of ids": (f"CHECK (owner_id NOT IN ('{NIL}', 'x'))", insert(owner=f"'{NIL}'")),
    "of another word": ("CHECK (state <> 'done')", insert(state="DONE")),
    "of a word's length": ("CHECK (length(state) < 4)", insert(state="DONE")),
    "of a word's pattern": ("CHECK (state ~ '^(new|run)$')", insert(state="DONE")),
    "of a word's beginning": ("CHECK (state NOT LIKE 'do%')", insert(state="DONE")),
    "of two words": (
        "CHECK (state <> 'done' OR left(state, 1) = 'x' OR n > 3)",
        insert(state="DONE").replace("state)", "state, n)").replace("'DONE')", "'DONE', 1)"),
    ),
    "with a comment": (
        "CONSTRAINT few CHECK (cardinality(labels) <= 2)",
        insert(labels="{RED,BLUE,GREEN}"),
    ),
}


def is_refused(dsn: str, statement: str) -> bool:
    with psycopg.connect(dsn, autocommit=True) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.CheckViolation:
            return True
    return False


@pytest.mark.parametrize(("rule", "breaks"), RULES.values(), ids=RULES)
def test_a_rule_is_carried(journey: Journey, rule: str, breaks: str) -> None:
    service = journey.start(jobs(rule), STANDARD)
    service.up("expand")
    assert not breaks or is_refused(service.dsn, breaks)
    query(service.dsn, insert())
    service.up("contract")
    assert not breaks or is_refused(service.dsn, breaks)
    query(service.dsn, insert())
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        standard = load_standard(service.folder / "standard.toml")
        assert verify(connection, standard).distances == ()
    service.down("online")


def test_rules_go_there_and_back(journey: Journey) -> None:
    journey.there_and_back(jobs(*(rule for rule, _ in RULES.values())), STANDARD)


WAYS = {
    "a list": "CHECK (state = ANY (ARRAY['new', 'run']))",
    "a list or null": "CHECK (state IS NULL OR state = 'new' OR state = 'run')",
    "a list for arrays": "CHECK (labels <@ ARRAY['red', 'blue', 'green']::varchar[])",
    "the case": "CHECK (state = lower(state))",
}


@pytest.mark.parametrize("rule", WAYS.values(), ids=WAYS)
def test_what_lists_values_gives_way(journey: Journey, rule: str) -> None:
    service = journey.start(jobs(rule), STANDARD)
    service.up("contract")
    found = query(
        service.dsn,
        "SELECT conname FROM pg_constraint WHERE conrelid = 'job'::regclass AND contype = 'c'"
        " ORDER BY 1",
    )
    assert found == [("job_labels_check",), ("job_state_check",)]


DOMAINS = """
    CREATE DOMAIN small AS varchar(36) CHECK (VALUE <> '');
    CREATE DOMAIN owner AS small CHECK (VALUE !~ '^0') CONSTRAINT value CHECK (length(VALUE) = 36);
    CREATE DOMAIN word AS char(4) DEFAULT 'new' CONSTRAINT words CHECK (VALUE IN ('new', 'run'))
        CONSTRAINT early CHECK (VALUE <> 'done');
"""


def test_what_a_domain_holds_a_column_to_is_carried(journey: Journey) -> None:
    schema = jobs(before=DOMAINS, owner="owner", state="word")
    journey.there_and_back(schema, STANDARD)
    service = journey.start(schema, STANDARD)
    for phase in ("enforce", "switch", "contract"):
        service.up(phase)
        assert is_refused(service.dsn, insert(state="DONE"))
        assert is_refused(service.dsn, insert(owner=f"'{NIL}'"))
        query(service.dsn, insert())
        query(
            service.dsn,
            "INSERT INTO job (id, owner_id)"
            " VALUES (gen_random_uuid(), '11111111-1111-4111-8111-111111111111')",
        )
        if phase != "contract":
            query(
                service.dsn,
                "INSERT INTO jobs (id, owner_id) VALUES (gen_random_uuid(),"
                " '11111111-1111-4111-8111-111111111111')",
            )
    assert query(service.dsn, "SELECT DISTINCT state FROM job") == [("NEW",)]
    service.down("online")


def test_a_domain_that_takes_no_null_needs_a_window(journey: Journey) -> None:
    schema = jobs(
        before="CREATE DOMAIN word AS varchar(9) DEFAULT 'new' NOT NULL;", state="word"
    ).replace("state word NOT NULL", "state word")
    journey.there_and_back(schema, STANDARD, strategies=["window"])
    service = journey.start(schema, STANDARD)
    assert not list((journey.folder / "online").glob("*"))
    service.up("window")
    assert is_refused(service.dsn, insert(state="DONE").replace("'DONE'", "NULL"))
    query(
        service.dsn, "INSERT INTO job (id, owner_id) VALUES (gen_random_uuid(), gen_random_uuid())"
    )


def test_rows_that_would_break_a_carried_rule_are_told_before(journey: Journey) -> None:
    schema = jobs("CHECK (owner_id = upper(owner_id))").replace(
        "gen_random_uuid()::text", "upper(gen_random_uuid()::text)"
    )
    service = journey.start(schema, STANDARD)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        stops = check(connection, load_standard(service.folder / "standard.toml")).stops
    assert [f"{f.object} {f.problem}" for f in stops] == [
        "public.jobs.owner_id would break the CHECK job_owner_id_check of the new contract: "
        "(((owner_id::text) = upper((owner_id::text))))"
    ]
    for strategy in ("expand", "window"):
        with pytest.raises(Exception, match="would break the CHECK job"):
            service.up(strategy)


def test_a_column_has_another_default_than_its_domain(journey: Journey) -> None:
    schema = """
        CREATE DOMAIN word AS varchar(20) DEFAULT 'new' CHECK (VALUE <> 'gone');
        CREATE TABLE jobs (
            id varchar(36), owner_id varchar(36) DEFAULT gen_random_uuid()::varchar,
            state word NOT NULL DEFAULT 'run', labels varchar[]
        );
        INSERT INTO jobs (id, state) VALUES
            (gen_random_uuid(), 'new'), (gen_random_uuid(), 'done'), (gen_random_uuid(), DEFAULT);
    """
    journey.there_and_back(schema, STANDARD)
    service = journey.start(schema, STANDARD)
    for phase in ("enforce", "switch"):
        service.up(phase)
        query(service.dsn, "DELETE FROM jobs")
        query(service.dsn, "INSERT INTO job (id, state) VALUES (gen_random_uuid(), 'DONE')")
        query(service.dsn, "INSERT INTO jobs (id) VALUES (gen_random_uuid())")
        seen = query(service.dsn, "SELECT state FROM job ORDER BY state")
        assert seen == [("DONE",), ("RUN",)], phase
        assert query(service.dsn, "SELECT state FROM jobs ORDER BY 1") == [("done",), ("run",)]
