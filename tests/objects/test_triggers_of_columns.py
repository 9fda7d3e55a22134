"""Triggers of UPDATE OF a converted column: they fire for whichever contract sets it."""

from __future__ import annotations

from typing import LiteralString

import pytest
from support.journey import Journey
from support.runs import query

from objects.things import STANDARD, things

FUNCTION = """
    CREATE TABLE log (entry bigint GENERATED ALWAYS AS IDENTITY, said text);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO log (said) VALUES (lower(TG_OP)); RETURN NULL; END
    $$;
"""

OF = {
    "one column": "AFTER UPDATE OF status ON things FOR EACH ROW",
    "others, too": "AFTER INSERT OR DELETE OR UPDATE OF n, id, status ON things FOR EACH ROW",
    "a condition": "AFTER UPDATE OF status ON things FOR EACH ROW"
    " WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.status = 'closed')",
    "a statement": "AFTER UPDATE OF id ON things FOR EACH STATEMENT",
}


@pytest.mark.parametrize("of", OF.values(), ids=OF)
@pytest.mark.parametrize("name", ["changed", '"of ON ""x"" UPDATE OF id"'])
def test_a_trigger_of_a_column_comes_through(journey: Journey, of: str, name: str) -> None:
    trigger = f"""
        CREATE TRIGGER {name} {of} EXECUTE FUNCTION f();
        COMMENT ON TRIGGER {name} ON things IS 'Tells the others';
        ALTER TABLE things DISABLE TRIGGER {name};
    """
    journey.there_and_back(things("n integer DEFAULT 1", then=FUNCTION + trigger), STANDARD)


def test_a_constraint_trigger_of_a_column_comes_through(journey: Journey) -> None:
    trigger = """
        CREATE CONSTRAINT TRIGGER late AFTER UPDATE OF status ON things DEFERRABLE
            INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();
    """
    journey.there_and_back(things(then=FUNCTION + trigger), STANDARD)


def test_a_trigger_of_a_column_of_a_partitioned_table_comes_through(journey: Journey) -> None:
    schema = f"""
        CREATE TABLE things (
            id varchar(36), status varchar(20) NOT NULL DEFAULT 'open', n integer,
            PRIMARY KEY (id, n)
        ) PARTITION BY LIST (n);
        CREATE TABLE things_1 PARTITION OF things FOR VALUES IN (1);
        INSERT INTO things VALUES (gen_random_uuid(), 'Open', 1);
        {FUNCTION}
        CREATE TRIGGER changed AFTER UPDATE OF status ON things
            FOR EACH ROW EXECUTE FUNCTION f();
    """
    journey.there_and_back(schema, STANDARD)


SIDES: list[tuple[LiteralString, LiteralString, LiteralString]] = [
    ("things", "status = 'closed'", "status = 'open'"),
    ("thing", "status = 'CLOSED'", "status = 'OPEN'"),
]


def test_it_fires_once_for_each_contract_and_never_for_the_files(journey: Journey) -> None:
    trigger = """
        CREATE TRIGGER changed AFTER UPDATE OF status ON things FOR EACH ROW
            WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION f();
    """
    service = journey.start(things("n integer DEFAULT 1", then=FUNCTION + trigger), STANDARD)
    said: LiteralString = "WITH gone AS (DELETE FROM log RETURNING said) SELECT said FROM gone"

    def write(table: LiteralString, change: LiteralString) -> list[tuple[str]]:
        query(service.dsn, f"UPDATE {table} SET {change}")
        return query(service.dsn, said)

    three = [("update",)] * 3
    for phase in ("expand", "enforce", "switch"):
        service.up(phase)
        assert query(service.dsn, said) == []
        for table, closed, opened in SIDES[: 1 if phase == "expand" else 2]:
            write(table, opened)
            assert write(table, closed) == three
            assert write(table, closed) == []
            assert write(table, "n = n + 1") == []
    service.up("contract")
    assert write("thing", "status = 'OPEN'") == three
    service.down("online", "switch")
    assert query(service.dsn, said) == []
    for table, closed, opened in SIDES:
        write(table, opened)
        assert write(table, closed) == three
    service.down("online")
    assert query(service.dsn, said) == []
    assert write("things", "status = 'open'") == three


def test_a_trigger_before_cannot_see_what_the_other_contract_wrote(journey: Journey) -> None:
    trigger = """
        CREATE TRIGGER changed BEFORE UPDATE OF status ON things
            FOR EACH ROW EXECUTE FUNCTION f();
    """
    schema = things(then=FUNCTION.replace("RETURN NULL", "RETURN NEW") + trigger)
    service = journey.start(schema, STANDARD)
    assert not (service.folder / "online").exists()
    journey.there_and_back(schema, STANDARD, ["window"])
