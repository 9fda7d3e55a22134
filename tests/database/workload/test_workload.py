"""What clients send, tried now, after expand and after the switch; on a service of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from support.runs import query, run_trueup
from support.variants import migrations_of, write_generated

from runner.postgres.embedded import FAST, start_server
from runner.quoting import Name
from runner.review.rehearse import Options, rehearse
from runner.workload import Refusal, Stage, Workload, try_workload
from runner.workload.model import Verdict
from runner.workload.show import lines, order_of_switch

SCHEMA = """
    CREATE TYPE state AS ENUM ('open', 'paid');
    CREATE TABLE customers (id varchar(36) PRIMARY KEY, name text NOT NULL);
    CREATE TABLE purchases (
        id serial PRIMARY KEY, customer_id varchar(36) NOT NULL REFERENCES customers (id),
        state state NOT NULL DEFAULT 'open', at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE others (id int PRIMARY KEY);
"""
STANDARD = """[service]
name = "shop"

[enum.state]
values = ["OPEN", "PAID"]

[table.customers]
name = "customer"
uuids = ["id"]

[table.purchases]
name = "purchase"
uuids = ["customer_id"]
enums = { state = "state" }
"""
TABLES = [Name("public", "customers"), Name("public", "purchases")]
GROUPED = "SELECT c.id, c.name, count(*) FROM customers c GROUP BY c.id"

Try = Callable[..., Workload]


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Path:
    """The folder of the service whose tables `database` holds."""
    return prepare(database, tmp_path)


def prepare(dsn: str, folder: Path, made: str = "", standard: str = STANDARD) -> Path:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(made.encode())
    (folder / "standard.toml").write_text(standard, encoding="utf-8")
    write_generated(folder / "standard.toml", dsn, folder)
    return folder


@pytest.fixture
def tried(database: str, tmp_path: Path, server_dsn: str) -> Try:
    """`tried(*statements, made="")` tries statements after SQL that makes more of the database."""

    def run(*statements: str, made: str = "", standard: str = STANDARD) -> Workload:
        shop = prepare(database, tmp_path, made, standard)
        given = shop / "sent.sql"
        given.write_text("".join(f"{text};\n" for text in statements or ("SELECT 1",)))
        return try_workload(
            database,
            migrations_of(shop, "online"),
            tables=TABLES,
            statements=[given],
            scratch=server_dsn,
        )

    return run


def only(workload: Workload) -> Refusal:
    (refusal,) = workload.refusals
    return refusal


# Statements of clients


def test_what_a_view_refuses_decides_the_order_of_the_switch(tried: Try) -> None:
    found = tried(GROUPED, "SELECT id FROM others")
    refusal = only(found)
    assert (refusal.stage, refusal.verdict) == (Stage.SWITCHED, Verdict.FAILS)
    assert refusal.tables == ("public.customers",)
    assert "must appear in the GROUP BY clause" in refusal.message
    assert refusal.advice.startswith("name every column that is selected in GROUP BY")
    assert order_of_switch(found) == (
        "switch after the old release is retired: 1 of 2 statements fails against the view"
    )


def test_where_the_view_takes_all_both_orders_are_open(tried: Try) -> None:
    found = tried("SELECT id FROM customers", "DELETE FROM purchases WHERE id = $1")
    assert found.refusals == ()
    assert order_of_switch(found).startswith(
        "switch before the new release is deployed or after the old one is retired: all 2"
    )


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("COPY purchases FROM STDIN", 'missing data for column "customer_id__new"'),
        (
            "CREATE TABLE IF NOT EXISTS kept AS TABLE others; INSERT INTO copies TABLE purchases",
            "INSERT has more expressions than target columns",
        ),
    ],
)
def test_what_lives_on_the_list_of_columns_fails_after_expand(
    tried: Try, statement: str, message: str
) -> None:
    made = "CREATE TABLE copies AS TABLE purchases"
    (refusal,) = (r for r in tried(statement, made=made).refusals if r.verdict is Verdict.FAILS)
    assert (refusal.stage, refusal.message) == (Stage.EXPANDED, message)
    assert refusal.is_of_expand
    assert "list of columns" in refusal.advice


def test_a_prepared_select_of_all_columns_is_told_and_works_again_after_the_switch(
    tried: Try,
) -> None:
    refusal = only(tried("SELECT * FROM purchases"))
    assert (refusal.stage, refusal.verdict) == (Stage.EXPANDED, Verdict.DIFFERS)
    assert "cached plan must not change result type" in refusal.message
    assert not refusal.is_of_expand


def test_with_the_switch_in_expand_clients_meet_the_view_after_expand(tried: Try) -> None:
    standard = STANDARD.replace('uuids = ["id"]', 'uuids = ["id"]\nswitch = "expand"')
    found = tried("SELECT * FROM purchases", GROUPED, standard=standard)
    refusal = only(found)
    assert (refusal.stage, refusal.verdict) == (Stage.EXPANDED, Verdict.FAILS)
    assert refusal.is_of_expand
    assert refusal.advice == (
        'name every column that is selected in GROUP BY, or leave switch = "expand" out of'
        " standard.toml"
    )
    assert found.at_expand == ("public.customers", "public.purchases")
    assert lines(found, everything=False)[1].startswith(
        "after expand, where public.customers, public.purchases is a view already: fails: 1"
    )
    assert order_of_switch(found) == ""


def test_what_differs_after_expand_may_fail_after_the_switch(tried: Try) -> None:
    found = tried("SELECT xmin, * FROM purchases")
    assert [(r.stage, r.verdict) for r in found.refusals] == [
        (Stage.EXPANDED, Verdict.DIFFERS),
        (Stage.SWITCHED, Verdict.FAILS),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM purchases WHERE at > now() - interval $1",
        "SELECT extract($1 FROM at) FROM purchases",
        "SELECT id FROM purchases WHERE $1 IS NULL",
        "SELECT date_trunc($1, at), count(*) FROM purchases GROUP BY date_trunc($2, at)",
        "SELECT id FROM purchases WHERE id IN ($1 /*, ... */)",
        "PREPARE p (int) AS SELECT id FROM purchases WHERE id = $1",
        "DECLARE c NO SCROLL CURSOR WITH HOLD FOR SELECT id FROM purchases",
        "INSERT INTO purchases (customer_id, state) VALUES ($1, $2) RETURNING id",
        "COPY (SELECT id FROM purchases) TO STDOUT",
    ],
)
def test_what_the_server_records_can_be_planned(tried: Try, statement: str) -> None:
    found = tried(statement)
    assert (found.count, found.refusals, found.not_tried) == (1, (), ())


def test_what_does_not_work_now_is_not_held_against_the_conversion(tried: Try) -> None:
    found = tried("SELECT gone FROM purchases", "SELECT id FROM purchases")
    assert found.refusals == ()
    ((sent, why),) = found.not_tried
    assert (sent.text, why) == ("SELECT gone FROM purchases;", 'column "gone" does not exist')


def test_nothing_of_a_trial_stays(tried: Try, database: str) -> None:
    made = "CREATE SEQUENCE counted; INSERT INTO customers VALUES ('a', 'b')"
    found = tried("TRUNCATE customers CASCADE", "SELECT nextval('counted')", made=made)
    assert found.count == 2
    assert query(database, "SELECT count(*) FROM customers") == [(1,)]
    assert query(database, "SELECT is_called FROM counted") == [(False,)]


def test_a_look_up_that_finds_tables_alone_is_held_to_its_answer(tried: Try) -> None:
    found = tried(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname = 'purchases'",
        "SELECT relname FROM pg_class WHERE relname = 'purchases'",
        "SELECT relname FROM pg_class WHERE relkind = $1 AND relname = $2",
    )
    assert [(r.stage, r.verdict, r.sent.source) for r in found.refusals] == [
        (Stage.SWITCHED, Verdict.MAYBE, "sent.sql:3"),
        (Stage.SWITCHED, Verdict.DIFFERS, "sent.sql:1"),
    ]


# Functions, triggers and views


def test_the_sql_of_functions_is_tried(tried: Try) -> None:
    made = """
        CREATE FUNCTION counted() RETURNS TABLE (name text, n bigint) LANGUAGE sql
            AS $$ SELECT c.name, count(*) FROM customers c GROUP BY c.id $$;
        CREATE FUNCTION listed(wanted text) RETURNS int LANGUAGE plpgsql AS $$
        DECLARE
            total int := 0;
            one customers%ROWTYPE;
        BEGIN
            -- SELECT nothing;
            SELECT count(*) INTO STRICT total FROM purchases WHERE id > total;
            FOR one IN SELECT c.id, c.name FROM customers c WHERE c.name = wanted GROUP BY c.id LOOP
                IF found THEN
                    UPDATE purchases SET state = 'paid' WHERE customer_id = one.id;
                END IF;
            END LOOP;
            RETURN total;
        END $$;
    """
    found = tried(made=made)
    assert {(r.stage, r.sent.source, r.tables) for r in found.refusals} == {
        (Stage.SWITCHED, "function counted()", ("public.customers",)),
        (Stage.SWITCHED, "function listed(text)", ("public.customers",)),
    }
    assert found.not_tried == ()


def test_a_function_that_copies_whole_rows_fails_after_expand(tried: Try) -> None:
    made = """
        CREATE TABLE log (id int, customer_id varchar(36), state state, at timestamptz);
        CREATE FUNCTION log() RETURNS void LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO log SELECT * FROM purchases; END $$;
    """
    refusal = only(tried(made=made))
    assert (refusal.stage, refusal.tables) == (Stage.EXPANDED, ("public.purchases",))
    assert refusal.sent.source == "function log()"
    assert refusal.is_of_expand


def test_sql_that_a_function_puts_together_is_told_to_be_unseen(tried: Try) -> None:
    made = """
        CREATE FUNCTION hidden(name text) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN EXECUTE 'TRUNCATE ' || name; END $$
    """
    assert "1 function puts SQL together" in " ".join(tried(made=made).not_looked_at)


def test_views_are_tried(tried: Try) -> None:
    found = tried(made="CREATE VIEW named AS SELECT id, name FROM customers")
    assert dict(found.tried)["views"] == 1
    assert found.refusals == ()


# Where statements come from


@pytest.fixture(scope="module")
def recording() -> Iterator[str]:
    """The DSN of a database whose server records statements."""
    settings = {**FAST, "shared_preload_libraries": "pg_stat_statements"}
    with start_server(settings=settings) as server:
        yield server.dsn()


def test_check_takes_what_the_server_has_recorded(recording: str, tmp_path: Path) -> None:
    shop = prepare(recording, tmp_path)
    query(recording, "CREATE EXTENSION pg_stat_statements")
    # Whoever may make an operator in public must not have it run by who checks.
    query(
        recording,
        "CREATE TABLE public.ran (who name);"
        "CREATE FUNCTION public.same(oid, int) RETURNS bool LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.ran VALUES (current_user); RETURN false; END';"
        "CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = int, FUNCTION = public.same);"
        "CREATE OPERATOR public.<> (LEFTARG = oid, RIGHTARG = int, FUNCTION = public.same)",
    )
    query(recording, "ALTER ROLE CURRENT_USER SET search_path = public, pg_catalog")
    with psycopg.connect(recording, autocommit=True) as old_client:
        for _ in range(3):
            old_client.execute(GROUPED)
            old_client.execute("SELECT id FROM purchases WHERE at > now() - interval '1 day'")
        old_client.execute(
            "INSERT INTO customers SELECT gen_random_uuid(), '' ON CONFLICT (id) DO NOTHING"
        )

    done = run_trueup("check", "--standard", str(shop / "standard.toml"), dsn=recording)

    assert query(recording, "SELECT FROM public.ran") == []
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of pg_stat_statements" in done.stdout
    said = " ".join(done.stdout.split())
    assert "(pg_stat_statements, 3 calls)" in said
    assert "an upsert of public.customers may get a unique violation" in said
    assert "same key and updates of it are not HOT; 1 in pg_stat_statements" in said
    assert "switch after the old release is retired: 1 of" in done.stdout
    assert done.stdout.splitlines()[-1] == "ready: nothing stops the conversion of shop"


def test_check_says_how_to_get_what_it_could_not_look_at(database: str, shop: Path) -> None:
    done = run_trueup("check", "--standard", str(shop / "standard.toml"), dsn=database)
    said = " ".join(done.stdout.split())
    assert "the extension pg_stat_statements is not in this database" in said
    assert "CREATE EXTENSION pg_stat_statements" in said
    assert "trueup check --statements FILE" in said
    assert "an upsert of public.customers may get" in said


def test_a_statement_that_expand_breaks_stops_check(database: str, shop: Path) -> None:
    log = shop / "postgresql.log"
    log.write_text("2026-11-30 07:00:00 UTC [7] LOG:  statement: COPY purchases FROM STDIN\n")
    arguments = ("--standard", str(shop / "standard.toml"), "--statements", str(log))

    done = run_trueup("check", *arguments, dsn=database)
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "fails after expand: COPY purchases FROM STDIN: missing data for column" in said

    assert run_trueup("check", *arguments, "--no-statements", dsn=database).returncode == 0


def test_a_log_that_is_not_there_is_one_message(database: str, shop: Path) -> None:
    arguments = ("--standard", str(shop / "standard.toml"), "--statements", "none.log")
    done = run_trueup("check", *arguments, dsn=database)
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.log cannot be read: No such file" in done.stderr


def test_many_statements_fit_a_screen_unless_all_are_asked_for(tried: Try) -> None:
    found = tried(*(f"{GROUPED} ORDER BY {'c.id, ' * n}1" for n in range(40)))
    assert len(found.refusals) == 40
    assert len(lines(found, everything=False)) < 12
    assert len(lines(found, everything=True)) > 120


def test_a_rehearsal_fails_where_expand_breaks_what_clients_send(
    database: str, shop: Path, server_dsn: str
) -> None:
    given = shop / "sent.sql"
    given.write_text(f"{GROUPED};\nCOPY purchases FROM STDIN;\n")
    options = Options(scratch=server_dsn, clients=False, statements=(given,))

    # Expand alone up and down: it is the statements that are tried here.
    certificate = rehearse(database, migrations_of(shop, "online"), to="expand", options=options)

    assert not certificate.passed
    (problem,) = certificate.problems
    assert problem.startswith(
        'after expand: public.purchases: fails: missing data for column "customer_id__new"'
    )
