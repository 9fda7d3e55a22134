"""Code that depends on which columns a table has: an audit of whole rows, functions of rows."""

from __future__ import annotations

import psycopg
import pytest
from support.journey import Journey
from support.runs import query

from objects.things import STANDARD, things
from runner.errors import StatementError
from runner.preflight import check
from runner.standard import load_standard


def audited(body: str, seen: str = "FOR EACH ROW") -> str:
    """A table whose rows a trigger copies to another one."""
    return things(
        then=f"""
            CREATE TABLE log (what text, LIKE things);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                {body}
                RETURN NULL;
            END $$;
            CREATE TRIGGER note AFTER UPDATE {"" if "TABLE" in seen else "OR INSERT"}
                ON things {seen} EXECUTE FUNCTION note();
        """
    )


ROWS = "REFERENCING NEW TABLE AS seen FOR EACH STATEMENT"
WHOLE = {
    "a row": "INSERT INTO log SELECT TG_OP, NEW.*;",
    "a row in small letters": "insert into log values ('x', (new).*);",
    "a row of dynamic SQL": "EXECUTE 'INSERT INTO log SELECT $2, ($1).*' USING NEW, TG_OP;",
    "its columns": "EXECUTE 'INSERT INTO log SELECT $2, $1.*' USING NEW, TG_OP;",
    "rows": "INSERT INTO log SELECT TG_OP, * FROM seen;",
    "rows by a name": "INSERT INTO log SELECT TG_OP, s.* FROM seen AS s;",
}


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE)
def test_a_trigger_that_takes_whole_rows_needs_a_window(journey: Journey, body: str) -> None:
    seen = ROWS if "seen" in body else "FOR EACH ROW"
    service = journey.start(audited(body, seen), STANDARD)
    assert not list((journey.folder / "online").glob("*"))
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        findings = check(connection, load_standard(journey.folder / "standard.toml")).findings
    told = [f.problem for f in findings if f.object == "trigger note on public.things"]
    assert len(told) == 1
    assert told[0].endswith("only the window strategy can convert it")
    service.up("window")
    query(service.dsn, "UPDATE thing SET status = 'CLOSED'")


def test_a_trigger_that_lists_its_columns_serves_both_contracts(journey: Journey) -> None:
    service = journey.start(
        audited("INSERT INTO log VALUES (TG_OP, NEW.id, NEW.status); -- not NEW.*"), STANDARD
    )
    service.up("enforce")
    query(service.dsn, "UPDATE things SET status = 'closed'")
    query(service.dsn, "UPDATE thing SET status = 'OPEN'")


FUNCTIONS = """
    CREATE FUNCTION label(things) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.status';
    CREATE FUNCTION all_things() RETURNS SETOF things LANGUAGE sql STABLE AS 'TABLE public.things';
"""


@pytest.mark.parametrize("standard", [STANDARD, '[table.things]\nname = "thing"\n'])
def test_functions_of_rows_need_a_window_as_generate_and_check_say(
    journey: Journey, standard: str
) -> None:
    service = journey.start(things(then=FUNCTIONS), standard)
    assert not list((journey.folder / "online").glob("*"))
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        report = check(connection, load_standard(journey.folder / "standard.toml"))
    assert [f"{f.object} {f.problem}" for f in report.stops] == []
    told = {f.object for f in report.findings if "takes or gives whole rows" in f.problem}
    assert told == {"function public.label(public.things)", "function public.all_things()"}
    service.up("window")
    service.down("window")
    assert len(query(service.dsn, "SELECT things.label FROM things")) == 3


def test_a_column_of_rows_is_refused(journey: Journey) -> None:
    schema = things(then="CREATE TABLE kept (n integer, t things);")
    journey.stopped(schema, STANDARD, "public.kept.t holds whole rows of public.things")


def test_what_takes_all_columns_in_its_text_is_told(journey: Journey) -> None:
    service = journey.start(
        things(
            then="CREATE FUNCTION copy_things() RETURNS void LANGUAGE plpgsql AS"
            " 'BEGIN CREATE TEMP TABLE c AS SELECT * FROM things; END';"
        ),
        STANDARD,
    )
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        findings = check(connection, load_standard(journey.folder / "standard.toml")).findings
    told = [f.problem for f in findings if f.object.endswith("copy_things()")]
    assert any(p.startswith("takes all columns of a table (SELECT *)") for p in told), told


def test_a_parent_that_only_gets_another_name_goes(journey: Journey) -> None:
    schema = things(then="CREATE TABLE more (n integer) INHERITS (things);")
    service = journey.start(schema, '[table.things]\nname = "thing"\n')
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        assert not check(connection, load_standard(journey.folder / "standard.toml")).stops
    service.up("contract")
    service.down("online")


def early(body: str, of: str = "INSERT OR UPDATE", given: str = "") -> str:
    """A table with a trigger that sees a row before both sides are kept."""
    return things(
        "note text",
        then=f"""
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                {body}
                RETURN NEW;
            END $$;
            CREATE TRIGGER note BEFORE {of} ON things
                FOR EACH ROW EXECUTE FUNCTION note({given});
        """,
    )


EARLY = {
    "normalises": early("NEW.status := lower(NEW.status);"),
    "refuses": early("IF new . STATUS = 'closed' THEN RAISE 'closed'; END IF;", "INSERT"),
    "guards the key": early("IF NEW.id <> OLD.\"id\" THEN RAISE 'no'; END IF;", "UPDATE"),
    "is told the column": early("NULL;", given="'a', 'status'"),
}


@pytest.mark.parametrize("schema", EARLY.values(), ids=EARLY)
def test_a_trigger_that_sees_one_side_alone_needs_a_window(journey: Journey, schema: str) -> None:
    service = journey.start(schema, STANDARD)
    assert not list((journey.folder / "online").glob("*"))
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        findings = check(connection, load_standard(journey.folder / "standard.toml")).findings
    told = [f.problem for f in findings if f.object == "trigger note on public.things"]
    assert len(told) == 1
    assert told[0].endswith("only the window strategy can convert it")
    service.up("window")
    service.down("window")


LATE = {
    "stamps": early("NEW.note := now()::text; -- not NEW.status"),
    "deletes": early("IF OLD.status = 'x' THEN RETURN OLD; END IF;", "DELETE"),
    "speaks of it": early("RAISE DEBUG 'NEW.status'; NEW.note := 'status';"),
}


@pytest.mark.parametrize("schema", LATE.values(), ids=LATE)
def test_a_trigger_that_leaves_the_converted_columns_alone_comes_through(
    journey: Journey, schema: str
) -> None:
    service = journey.start(schema, STANDARD)
    service.up("contract")
    service.down("online", "baseline")


def test_files_stop_at_a_trigger_that_takes_whole_rows_later(journey: Journey) -> None:
    service = journey.start(
        audited("INSERT INTO log SELECT TG_OP, s.id FROM seen AS s;", ROWS), STANDARD
    )
    query(
        service.dsn,
        "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN INSERT INTO log SELECT TG_OP, s.* FROM seen AS s; RETURN NULL; END $$",
    )
    with pytest.raises(StatementError, match=r"inserts all columns of a row.*note runs"):
        service.up("expand")


def test_files_stop_at_a_trigger_whose_function_was_changed_later(journey: Journey) -> None:
    service = journey.start(early("NEW.note := 'x';"), STANDARD)
    query(
        service.dsn,
        "CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN NEW.status := lower(NEW.status); RETURN NEW; END $$",
    )
    with pytest.raises(StatementError, match=r"before both sides of a row are kept.*note runs"):
        service.up("expand")


LATER = {
    "takes rows": "CREATE FUNCTION label(things) RETURNS text LANGUAGE sql AS 'SELECT $1.status'",
    "gives rows": "CREATE FUNCTION open() RETURNS SETOF things LANGUAGE sql"
    " AS 'SELECT * FROM things'",
    "takes many": "CREATE FUNCTION last(things[]) RETURNS int LANGUAGE sql AS 'SELECT 1'",
}


@pytest.mark.parametrize("function", LATER.values(), ids=LATER)
def test_files_stop_at_a_function_of_rows_that_came_later(journey: Journey, function: str) -> None:
    service = journey.start(things(), STANDARD)
    query(service.dsn, function)
    with pytest.raises(StatementError, match="its rows are taken or given whole by"):
        service.up("expand")
    service.up("window")
