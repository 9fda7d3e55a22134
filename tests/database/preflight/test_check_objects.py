"""`trueup check`: objects that would stop the conversion, found before anything is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.check_odd_names import SCHEMA as ODD_SCHEMA
from support.check_odd_names import STANDARD as ODD_STANDARD
from support.checks import (
    STANDARD,
    about,
    execute,
    not_about_room,
    run,
    shown_rows,
)
from support.variants import (
    DIRTY,
    PRODUCTION,
    TEXT,
    MakeService,
)

from runner.preflight import Severity
from runner.standard import load_standard

STOPPING = {
    "view public.whole": "CREATE VIEW whole AS SELECT m, m.status FROM models AS m",
    "view public.lowered": "CREATE VIEW lowered AS SELECT id FROM models"
    " WHERE lower(status) = 'active'",
    "function public.f()": "CREATE FUNCTION f() RETURNS SETOF models LANGUAGE sql"
    " BEGIN ATOMIC SELECT * FROM models WHERE status = 'active'; END",
    "public.copies.m": "CREATE TABLE copies (m models)",
    "public.models.shout": "ALTER TABLE models ADD COLUMN shout text"
    " GENERATED ALWAYS AS (upper(status)) STORED",
    "index public.p": "CREATE INDEX p ON models (created_at) WHERE lower(status) = 'active'",
    "constraint g on public.models": "CREATE EXTENSION btree_gist; ALTER TABLE models"
    " ADD CONSTRAINT g EXCLUDE USING gist (id WITH =)",
    "public.models.id__old": "ALTER TABLE models ADD COLUMN id__old text",
    "public.models.id__new": "ALTER TABLE models ADD COLUMN id__new text",
    "constraint model_status_check on public.models": "ALTER TABLE models"
    " ADD CONSTRAINT model_status_check CHECK (created_at > '1970-01-01')",
    "type public.model": "CREATE TYPE model AS (a integer)",
    "public.models": "CREATE TABLE model (id integer)",
    "trueup.models_used": "CREATE TABLE trueup.models_used (used boolean)",
    "trueup.model_sync": "CREATE FUNCTION trueup.model_sync() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NEW; END'",
    # As a provider does it that the server has loaded.
    "public.models.status": "SET allow_system_table_mods = on; INSERT INTO pg_seclabel"
    " SELECT attrelid, 'pg_class'::regclass, attnum, 'anon', 'MASKED' FROM pg_attribute"
    " WHERE attrelid = 'models'::regclass AND attname = 'status'",
    # By who may create schemas; a file makes it, to try views in it.
    "schema trueup_before": "CREATE VIEW v AS SELECT status FROM models;"
    " CREATE SCHEMA trueup_before",
    "trigger a on table public.models": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RETURN NEW; END'; CREATE TRIGGER a BEFORE UPDATE ON models FOR EACH ROW"
    " EXECUTE FUNCTION f(); ALTER TABLE models ENABLE ALWAYS TRIGGER a",
}


@pytest.mark.parametrize("object_", STOPPING)
def test_what_conversion_would_break_stops_it(make_service: MakeService, object_: str) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, STOPPING[object_])

    report = run(dsn)

    assert {f.object for f in report.stops} == {object_}


def test_an_enum_type_of_the_new_name_stops_it(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, "CREATE TYPE model AS ENUM ('a')")

    assert "that name is taken" in about(run(dsn), "public.models").problem


KNOWN = {
    "view public.names": "CREATE VIEW names AS SELECT status FROM models",
    "materialized view public.seen": "CREATE MATERIALIZED VIEW seen AS SELECT id FROM models",
    "policy mine on table public.models": "CREATE POLICY mine ON models USING (status = 'active')",
    "trigger o on table public.models": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RETURN NEW; END'; CREATE TRIGGER o BEFORE UPDATE OF status ON models FOR EACH ROW"
    " EXECUTE FUNCTION f()",
    "function public.g()": "CREATE FUNCTION g() RETURNS bigint LANGUAGE sql"
    " BEGIN ATOMIC SELECT count(*) FROM models WHERE status = 'active'; END",
    "rule r on table public.models": "CREATE RULE r AS ON UPDATE TO models WHERE NEW.status = 'x'"
    " DO INSTEAD NOTHING",
    "view public.v": "CREATE VIEW v AS SELECT display_name FROM models",
    "function public.f()": "CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS"
    " 'BEGIN RETURN (SELECT count(*) FROM models); END'",
    "index public.p": "CREATE INDEX p ON models (created_at) WHERE status = 'active'",
    "trigger t on table public.models": "CREATE FUNCTION public.stamp() RETURNS trigger"
    " LANGUAGE plpgsql AS 'BEGIN NEW.status := lower(NEW.status); RETURN NEW; END';"
    " CREATE TRIGGER t AFTER INSERT ON models FOR EACH ROW EXECUTE FUNCTION public.stamp()",
    "trigger t on public.models": "CREATE FUNCTION public.stamp() RETURNS trigger"
    " LANGUAGE plpgsql AS 'BEGIN NEW.status := lower(NEW.status); RETURN NEW; END';"
    " CREATE TRIGGER t BEFORE INSERT ON models FOR EACH ROW EXECUTE FUNCTION public.stamp()",
    "constraint c on public.models": "ALTER TABLE models ADD CONSTRAINT c CHECK (status <> '')",
    "public.models.display_name": "SET allow_system_table_mods = on; INSERT INTO pg_seclabel"
    " SELECT attrelid, 'pg_class'::regclass, attnum, 'anon', 'MASKED' FROM pg_attribute"
    " WHERE attrelid = 'models'::regclass AND attname = 'display_name'",
    "event trigger e": "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS"
    " 'BEGIN NULL; END'; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
    "statistics object public.s": "CREATE STATISTICS s ON status, provider FROM models",
    "publication of table public.models in publication p": "CREATE PUBLICATION p FOR TABLE models",
    "public.models.status": 'ALTER TABLE models ALTER status TYPE varchar(50) COLLATE "C"',
}


@pytest.mark.parametrize("object_", KNOWN)
def test_what_follows_or_goes_is_told(make_service: MakeService, object_: str) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, KNOWN[object_])

    report = run(dsn)

    assert [f.object for f in not_about_room(report.findings)] == [object_]
    assert report.ready


def test_a_view_that_rows_go_through_is_told_to_need_defaults(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, "CREATE VIEW names AS SELECT id, status FROM models")
    (finding,) = not_about_room(run(dsn).findings)
    assert finding.problem.endswith("no default of status between the switch and contract")
    assert finding.hint is not None
    execute(dsn, finding.hint.partition(": ")[2])
    (finding,) = not_about_room(run(dsn).findings)
    assert finding.hint is None


def test_an_unrelated_database_object_is_not_mentioned(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(
        dsn,
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$SELECT 'models' -- of requests$$",
        "CREATE TABLE my_models (status text)",
        "CREATE VIEW v AS SELECT * FROM my_models",
        "CREATE INDEX e ON models (lower(status))",
        "CREATE SCHEMA trueup_before",
    )

    assert not_about_room(run(dsn).findings) == []


def test_a_superuser_learns_whose_code_would_run(make_service: MakeService, mallory: str) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, "GRANT CREATE ON SCHEMA public TO mallory; ALTER TABLE models OWNER TO mallory")
    (found,) = not_about_room(run(dsn).findings)
    assert found.severity is Severity.KNOW
    assert found.problem.startswith("is a superuser, and tables belong to mallory: what these")
    # Who owns them all is told of nothing.
    execute(dsn, "ALTER TABLE models OWNER TO CURRENT_USER")
    assert not_about_room(run(dsn).findings) == []


def test_a_production_database_is_ready(make_service: MakeService) -> None:
    service = make_service(PRODUCTION)

    report = run(service.dsn, load_standard(PRODUCTION.standard))

    # Its one trigger that is always enabled knows its columns: the backfill does not fire it.
    assert report.ready, report.stops


def test_ids_that_leave_no_room_for_a_new_uuid_stop_it(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, "ALTER TABLE provider_quotas ALTER COLUMN id TYPE varchar(31)")

    found = about(run(dsn), "public.provider_quotas.id")
    assert found.severity is Severity.STOPS
    assert found.problem.startswith("is varchar(31), too short for a uuid")


def test_a_standard_that_does_not_fit_is_a_finding_and_the_rest_is_read(
    make_service: MakeService,
) -> None:
    dsn = make_service(DIRTY).dsn
    execute(dsn, "DROP TABLE provider_quotas", "ALTER TABLE models RENAME COLUMN status TO state")

    report = run(dsn)

    assert "does not have" in about(report, "public.provider_quotas").problem
    assert "public.models.status" in about(report, "public.models").problem
    assert [str(t.name) for t in report.tables] == ["public.requests"]
    assert about(report, "public.requests.id").rows == 1


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("expand", "shows the new contract of public.models already, which was not read"),
        ("switch", "is live beside its old contract public.models, and was not read"),
        ("contract", "has its new name already, and was not read"),
    ],
)
def test_tables_that_are_on_their_way_are_not_read(
    make_service: MakeService, phase: str, said: str
) -> None:
    service = make_service(TEXT, at=phase)

    report = run(service.dsn)

    assert report.ready
    assert report.tables == ()
    assert about(report, "public.model").problem == said


def test_a_view_of_the_services_own_under_the_new_name_stops_it(
    make_service: MakeService,
) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, "CREATE VIEW model AS SELECT id, status FROM models")

    assert not run(dsn).ready


@pytest.mark.parametrize("columns", ["PARTITION BY LIST (status)", "INHERITS (base)"])
def test_trees_of_tables_stop_it(database: str, columns: str) -> None:
    key = "" if "INHERITS" in columns else ", PRIMARY KEY (id, status)"
    execute(
        database,
        "CREATE TABLE base ()",
        f"CREATE TABLE models (id varchar(36), status varchar(50){key}) {columns}",
    )
    models = replace(STANDARD.tables[0], enums={"status": STANDARD.tables[0].enums["status"]})

    report = run(database, replace(STANDARD, tables=(models,)))

    assert about(report, "public.models").severity is Severity.STOPS


def test_names_that_must_be_quoted(database: str) -> None:
    execute(
        database,
        ODD_SCHEMA,
        "INSERT INTO \"Order's 100%s\" VALUES ('nope', NULL, 'blue', '{red,Pink}'),"
        " ('{a81bc81b-dead-4e5d-abff-90865d1e13b1}', 'nope', 'Red', '{}')",
    )

    report = run(database, ODD_STANDARD)

    name = "public.Order's 100%s"
    assert {f.object: f.rows for f in report.stops} == {
        f'{name}.Id of "it"': 1,
        f"{name}.user": 1,
        f"{name}.k0 {{x}}": 1,
        f"{name}.Colours": 1,
    }
    for finding in report.findings:
        if finding.rows is not None:
            assert shown_rows(database, finding) == finding.rows, finding


def test_a_table_that_keeps_its_name_goes_online_and_clients_learn_where_to_look(
    database: str, tmp_path: Path, since: Callable[[int], None]
) -> None:
    # PostgreSQL's own name for the CHECK is the one that the new CHECK gets.
    execute(
        database,
        "CREATE TABLE pool (id integer PRIMARY KEY, kind text CHECK (kind IN ('a', 'b')))",
    )
    path = tmp_path / "standard.toml"
    path.write_text(
        '[service]\nname = "s"\n[enum.Kind]\nvalues = ["A", "B"]\n'
        '[table.pool]\nenums.kind = "Kind"\n',
        encoding="utf-8",
    )
    report = run(database, load_standard(path))
    assert report.ready, report.stops
    found = about(report, "public.pool")
    assert found.problem == (
        "keeps its name: by the online strategy, its new contract stands in the schema s_new from "
        "expand until contract"
    )
    assert found.hint
    assert "SET search_path = s_new, public;" in found.hint
    execute(database, "CREATE SCHEMA s_new")
    assert about(run(database, load_standard(path)), "schema s_new").severity is Severity.STOPS
    # Nothing stands in another schema where only a window can convert it.
    execute(database, "ALTER TABLE pool ADD kind__new text")
    report = run(database, load_standard(path))
    assert report.only_window
    assert not {f.object for f in report.findings} & {"public.pool", "schema s_new"}
    execute(database, "ALTER TABLE pool DROP kind__new")
    since(15)  # before, there is no such publication
    execute(database, "CREATE PUBLICATION whole FOR TABLES IN SCHEMA public")
    found = about(run(database, load_standard(path)), "publication whole")
    assert found.severity is Severity.STOPS
    path.write_text(path.read_text(encoding="utf-8") + 'name = "lake"\n', encoding="utf-8")
    found = about(run(database, load_standard(path)), "publication whole")
    assert found.severity is Severity.KNOW
    assert "subscribers get the new columns" in found.problem


def test_spellings_that_nothing_could_restore_stop_it(database: str, tmp_path: Path) -> None:
    execute(
        database,
        """
        CREATE TABLE users (id varchar(36) PRIMARY KEY);
        CREATE TABLE members (
            id varchar(36), user_id varchar(36) REFERENCES users, kind text, UNIQUE (id, user_id)
        );
        INSERT INTO users VALUES (upper(gen_random_uuid()::text));
        INSERT INTO members SELECT upper(gen_random_uuid()::text), id, 'Open' FROM users;
        """,
    )
    path = tmp_path / "standard.toml"
    path.write_text(
        """
        [service]
        name = "s"
        [enum.Kind]
        values = ["OPEN"]
        [table.users]
        name = "account"
        uuids = ["id"]
        [table.members]
        name = "member"
        uuids = ["id", "user_id"]
        enums.kind = "Kind"
        """,
        encoding="utf-8",
    )
    report = run(database, load_standard(path))
    assert {f.object for f in report.stops} == {"public.members.id", "public.members.kind"}
    assert about(report, "public.members.id").problem == (
        "holds uuids in upper case, which could not be restored: the table has no primary key"
    )
    # This one is spelled as its parent, which has a key.
    assert about(report, "public.members.user_id").severity is Severity.KNOW
