"""`trueup check`: what would stop the conversion, found before anything is changed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import make_conninfo
from support.check_odd_names import SCHEMA as ODD_SCHEMA
from support.check_odd_names import STANDARD as ODD_STANDARD
from support.runs import query, run_trueup
from support.variants import (
    DIRTY,
    NATIVE_LOWER,
    NATIVE_UPPER,
    ODD,
    PRODUCTION,
    SHIPPED,
    TEXT,
    MakeService,
    Variant,
)

from runner.errors import ConnectionFailedError, LockedError
from runner.preflight import Finding, Report, Severity, check, reading
from runner.preflight.rules import UUID_PATTERN, is_canonical, is_uuid, same_uuid
from runner.standard import Standard, load_standard

STANDARD = load_standard(SHIPPED / "standard.toml")
SERVICE = Path(__file__).parents[1] / "services" / "planning"
PLANNING = Variant("planning", SERVICE / "schema.sql", SERVICE / "standard.toml", ())


def run(dsn: str, standard: Standard = STANDARD) -> Report:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return check(connection, standard)


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def about(report: Report, object_: str) -> Finding:
    """The one finding about an object."""
    found = [f for f in report.findings if f.object == object_]
    assert len(found) == 1, [f.object for f in report.findings]
    return found[0]


def shown_rows(dsn: str, finding: Finding) -> int:
    assert finding.sql is not None
    with psycopg.connect(dsn) as connection:
        return len(connection.execute(finding.sql).fetchall())


def not_about_room(findings: Sequence[Finding]) -> list[Finding]:
    return [f for f in findings if "needs room" not in f.problem]


# The data


@pytest.mark.parametrize("variant", [TEXT, NATIVE_UPPER, NATIVE_LOWER], ids=str)
def test_clean_data_is_ready(make_service: MakeService, variant: Variant) -> None:
    service = make_service(variant)

    report = run(service.dsn, load_standard(variant.standard))

    assert report.ready
    assert all(table.rows > 0 for table in report.tables)
    assert len(report.tables) == 3


def test_dirty_data_is_listed_with_rows_samples_and_their_query(make_service: MakeService) -> None:
    dsn = make_service(DIRTY).dsn

    report = run(dsn)

    assert not report.ready
    found = {f.object: (f.rows, [s.value for s in f.samples]) for f in report.stops}
    assert found == {
        "public.models.status": (2, ["archived"]),
        "public.models.capabilities": (1, ["{chat,telepathy}"]),
        "public.models.id": (
            2,
            [f.samples[0].value for f in report.stops if f.object[-2:] == "id"][:1],
        ),
        "public.requests.provider": (3, ["it's 100% new"]),
        "public.requests.id": (1, ["not-a-uuid"]),
    }
    for finding in report.findings:
        if finding.rows is not None:
            assert shown_rows(dsn, finding) == finding.rows, finding


def test_odd_spellings_are_known_and_stop_nothing(make_service: MakeService) -> None:
    dsn = make_service(ODD).dsn

    report = run(dsn)

    assert report.ready
    known = {f.object for f in report.findings if f.rows}
    assert {"public.models.id", "public.requests.model_id", "public.models.status"} <= known
    for finding in report.findings:
        if finding.rows is not None:
            assert shown_rows(dsn, finding) == finding.rows, finding
    status = about(report, "public.models.status")
    assert sum(s.rows or 0 for s in status.samples) == status.rows


def test_it_changes_nothing(make_service: MakeService) -> None:
    service = make_service(DIRTY)
    before = service.state()

    run(service.dsn)

    assert service.state() == before


def test_samples_are_five_however_many_values_are_bad(make_service: MakeService) -> None:
    dsn = make_service(TEXT).dsn
    execute(dsn, "UPDATE requests SET provider = 'bad-' || request_id")

    finding = about(run(dsn), "public.requests.provider")

    assert finding.rows == 300
    assert len(finding.samples) == 5
    assert len({s.value for s in finding.samples}) == 5


some_uuids = st.lists(
    st.tuples(
        st.sampled_from([uuid.UUID(int=i * 0xABCDEF0123456789ABCDEF) for i in range(1, 5)]),
        st.sampled_from(["canonical", "hex", "upper", "hex-upper", "braces", "mixed", "dashes"]),
    ),
    unique=True,
    min_size=1,
    max_size=6,
)


def spelled(value: uuid.UUID, how: str) -> str:
    text = str(value)
    return {
        "canonical": text,
        "hex": value.hex,
        "upper": text.upper(),
        "hex-upper": value.hex.upper(),
        "braces": "{" + text + "}",
        "mixed": text[:20] + text[20:].upper(),
        "dashes": "-".join(value.hex[i : i + 4] for i in range(0, 32, 4)),
    }[how]


def test_ids_that_are_one_uuid_are_found_in_any_spelling(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, "ALTER TABLE models ALTER COLUMN id TYPE varchar(50)")

    with psycopg.connect(dsn, autocommit=True) as connection:

        @settings(
            max_examples=30,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        @given(some_uuids)
        def found_exactly_when_there_are_some(ids: list[tuple[uuid.UUID, str]]) -> None:
            texts = {spelled(value, how): value for value, how in ids}
            connection.execute("TRUNCATE models CASCADE")
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO models (id, model_id, provider, capabilities)"
                    " VALUES (%s, %s, 'openai', '{}')",
                    [(text, str(number)) for number, text in enumerate(texts)],
                )
            values = list(texts.values())
            expected = sum(values.count(v) > 1 for v in values)
            stops = check(connection, STANDARD).stops
            assert sum(f.rows or 0 for f in stops) == expected

        found_exactly_when_there_are_some()


TEXTS = [
    "a81bc81b-dead-4e5d-abff-90865d1e13b1",
    "A81BC81B-DEAD-4E5D-ABFF-90865D1E13B1",
    "a81bc81bdead4e5dabff90865d1e13b1",
    "{a81bc81b-dead-4e5d-abff-90865d1e13b1}",
    "a81b-c81b-dead-4e5d-abff-9086-5d1e-13b1",
    "{a81bc81b-dead-4e5d-abff-90865d1e13b1",
    "a81bc81b--dead-4e5d-abff-90865d1e13b1",
    "----------------------------------------",
    "--------------------------------",
    "a81bc81b-dead-4e5d-abff-90865d1e13b",
    "a81bc81b-dead-4e5d-abff-90865d1e13b11",
    "a81bc81b-dead-4e5d-abff-90865d1e13bg",
    "a81bc81b_dead_4e5d_abff_90865d1e13b1",
    " a81bc81b-dead-4e5d-abff-90865d1e13b1",
    "a81bc81b-dead-4e5d-abff-90865d1e13b1\n",
    "a81bc81-bdead-4e5d-abff-90865d1e13b1",
    "urn:uuid:a81bc81b-dead-4e5d-abff-90865d1e13b1",
    "",
    "12345678-1234-1234-1234-123456789012",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_uuid_is_what_the_servers_input_function_takes(database: str, text: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        try:
            (value,) = connection.execute("SELECT %s::text::uuid::text", [text]).fetchone() or ("",)
        except psycopg.errors.InvalidTextRepresentation:
            value = None
        condition = sql.SQL("SELECT {}, {}, {} FROM (SELECT {}::text AS v) AS t").format(
            sql.SQL(is_uuid("v")), sql.SQL(is_canonical("v")), sql.SQL(same_uuid("v")), text
        )
        judged = connection.execute(condition).fetchone()

    assert judged is not None
    assert judged[0] == (value is not None)
    assert judged[1] == (value == text)
    if value is not None:
        assert judged[2] == value.replace("-", "")


def test_the_files_and_the_check_know_the_same_uuids() -> None:
    toolkit = (SHIPPED / "online" / "0101_expand_toolkit.sql").read_text(encoding="utf-8")
    assert UUID_PATTERN in toolkit


def test_values_of_integers_and_maps_and_what_keeps_their_originals(
    make_service: MakeService,
) -> None:
    dsn = make_service(PLANNING).dsn
    execute(
        dsn,
        "ALTER TABLE tasks DROP CONSTRAINT tasks_priority_check",
        "UPDATE tasks SET priority = 9 WHERE title = 'Task 3'",
    )

    report = run(dsn, load_standard(PLANNING.standard))

    assert [f.object for f in report.stops] == ["public.tasks.priority"]
    assert about(report, "public.tasks.priority").samples[0].value == "9"
    assert "the column state_detail keeps them" in about(report, "public.plans.state").problem
    for finding in report.findings:
        if finding.rows is not None:
            assert shown_rows(dsn, finding) == finding.rows, finding


# References


def test_orphans_stop_it_even_where_the_foreign_key_says_it_is_valid(
    make_service: MakeService,
) -> None:
    dsn = make_service(TEXT).dsn
    gone = str(uuid.uuid4())
    execute(
        dsn,
        f"SET session_replication_role = replica;"
        f"UPDATE requests SET model_id = '{gone}' WHERE request_id IN ('req_1', 'req_2')",
    )

    finding = about(run(dsn), "public.requests.model_id")

    assert finding.severity is Severity.STOPS
    assert (finding.rows, [s.value for s in finding.samples]) == (2, [gone])
    assert shown_rows(dsn, finding) == 2


def test_a_reference_in_another_spelling_is_no_orphan(make_service: MakeService) -> None:
    dsn = make_service(TEXT).dsn
    execute(
        dsn,
        "ALTER TABLE requests DROP CONSTRAINT requests_model_id_fkey",
        "UPDATE requests SET model_id = upper(model_id) WHERE request_id = 'req_1'",
        "ALTER TABLE requests ADD CONSTRAINT requests_model_id_fkey FOREIGN KEY (model_id)"
        " REFERENCES models (id) NOT VALID",
    )

    report = run(dsn)

    assert report.ready
    assert "upper case" in about(report, "public.requests.model_id").problem


def test_without_a_foreign_key_orphans_are_told_and_stop_nothing(make_service: MakeService) -> None:
    dsn = make_service(TEXT).dsn
    execute(
        dsn,
        "ALTER TABLE requests DROP CONSTRAINT requests_model_id_fkey",
        f"UPDATE requests SET model_id = '{uuid.uuid4()}' WHERE request_id = 'req_1'",
    )

    finding = about(run(dsn), "public.requests.model_id")

    assert (finding.severity, finding.rows) == (Severity.KNOW, 1)


def test_a_key_from_outside_the_standard_stops_it(make_service: MakeService) -> None:
    dsn = make_service(TEXT).dsn
    execute(dsn, "CREATE SCHEMA other; CREATE TABLE other.bill (m varchar REFERENCES models (id))")

    assert "references id" in about(run(dsn), "other.bill.bill_m_fkey").problem


# What depends on the tables

STOPPING = {
    "view public.whole": "CREATE VIEW whole AS SELECT m, m.status FROM models AS m",
    "view public.lowered": "CREATE VIEW lowered AS SELECT id FROM models"
    " WHERE lower(status) = 'active'",
    "function public.f()": "CREATE FUNCTION f() RETURNS SETOF models LANGUAGE sql"
    " BEGIN ATOMIC SELECT * FROM models WHERE status = 'active'; END",
    "function public.rows()": "CREATE FUNCTION rows() RETURNS SETOF models LANGUAGE sql"
    " AS 'SELECT * FROM models'",
    "column m of table public.copies": "CREATE TABLE copies (m models)",
    "public.models.shout": "ALTER TABLE models ADD COLUMN shout text"
    " GENERATED ALWAYS AS (upper(status)) STORED",
    "index public.p": "CREATE INDEX p ON models (created_at) WHERE lower(status) = 'active'",
    "index public.o": "CREATE INDEX o ON models (id text_pattern_ops)",
    "index public.c": 'CREATE INDEX c ON models (id COLLATE "C")',
    "constraint g on public.models": "CREATE EXTENSION btree_gist; ALTER TABLE models"
    " ADD CONSTRAINT g EXCLUDE USING gist (id WITH =)",
    "public.models.id__old": "ALTER TABLE models ADD COLUMN id__old text",
    "constraint model_status_check on public.models": "ALTER TABLE models"
    " ADD CONSTRAINT model_status_check CHECK (status <> '')",
    "type public.model": "CREATE TYPE model AS (a integer)",
    "public.models": "CREATE TABLE model (id integer)",
    "trueup.models_used": "CREATE TABLE trueup.models_used (used boolean)",
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
    " CREATE TRIGGER t BEFORE INSERT ON models FOR EACH ROW EXECUTE FUNCTION public.stamp()",
    "constraint c on public.models": "ALTER TABLE models ADD CONSTRAINT c CHECK (status <> '')",
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


def test_an_unrelated_database_object_is_not_mentioned(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(
        dsn,
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$SELECT 'models' -- of requests$$",
        "CREATE TABLE my_models (status text)",
        "CREATE VIEW v AS SELECT * FROM my_models",
        "CREATE INDEX e ON models (lower(status))",
    )

    assert not_about_room(run(dsn).findings) == []


def test_a_production_database_is_ready(make_service: MakeService) -> None:
    service = make_service(PRODUCTION)

    report = run(service.dsn, load_standard(PRODUCTION.standard))

    # Its one trigger that is always enabled knows its columns: the backfill does not fire it.
    assert report.ready, report.stops


def test_ids_that_leave_no_room_for_a_new_uuid_stop_it(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, "ALTER TABLE provider_quotas ALTER COLUMN id TYPE varchar(31)")

    found = about(run(dsn), "public.provider_quotas")
    assert found.severity is Severity.STOPS
    assert "public.provider_quotas.id is varchar(31), too short for a uuid" in found.problem


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


def test_tables_that_have_left_the_old_contract_are_not_read(make_service: MakeService) -> None:
    service = make_service(TEXT, at="expand")

    report = run(service.dsn)

    assert report.ready
    assert report.tables == ()
    assert "both" not in about(report, "public.model").object


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


# The role


@pytest.fixture
def role(make_service: MakeService, server_dsn: str) -> object:
    """A role that may log in, and nothing else."""
    name = f"check_{uuid.uuid4().hex[:8]}"
    execute(server_dsn, f"CREATE ROLE {name} LOGIN")
    yield name
    execute(server_dsn, f"DROP ROLE {name}")


def test_the_hints_give_a_role_what_it_lacks(
    make_service: MakeService, role: str, since: Callable[[int], None]
) -> None:
    since(15)  # before, everybody may create in the schema public
    dsn = make_service(TEXT).dsn
    as_role = make_conninfo(dsn, user=role)
    owner = f"{role}_owner"
    execute(
        dsn,
        f"CREATE ROLE {owner}",
        *(f"ALTER TABLE {t} OWNER TO {owner}" for t in ("models", "requests", "provider_quotas")),
    )
    try:
        first = run(as_role)

        assert not first.ready
        assert first.tables == ()
        assert {f.object for f in first.stops} == {
            "schema public",
            "public.models",
            "public.requests",
            "public.provider_quotas",
            first.stops[1].object,
        }
        for _ in range(2):  # the owner's own lack shows once the role is its member
            for finding in run(as_role).stops:
                assert finding.hint is not None, finding
                execute(dsn, finding.hint)

        assert run(as_role).ready
        assert len(run(as_role).tables) == 3
    finally:
        execute(dsn, f"DROP OWNED BY {role}, {owner} CASCADE", f"DROP ROLE {owner}")


def test_row_security_that_hides_rows_stops_it(
    make_service: MakeService, role: str, since: Callable[[int], None]
) -> None:
    since(15)  # before, a view cannot keep it in any case
    dsn = make_service(TEXT).dsn
    execute(
        dsn,
        f"ALTER TABLE provider_quotas OWNER TO {role}",
        f"GRANT ALL ON SCHEMA public TO {role}",
        "ALTER TABLE provider_quotas ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    )
    try:
        report = run(make_conninfo(dsn, user=role), replace(STANDARD, tables=(STANDARD.tables[2],)))
    finally:
        execute(dsn, f"REASSIGN OWNED BY {role} TO postgres", f"DROP OWNED BY {role}")

    assert "hides rows" in about(report, "public.provider_quotas").problem
    assert report.tables == ()


def test_triggers_that_the_role_may_not_silence_stop_it(
    make_service: MakeService, role: str
) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(
        dsn,
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER t BEFORE UPDATE ON models FOR EACH ROW EXECUTE FUNCTION f()",
    )

    def stopped() -> bool:
        report = run(make_conninfo(dsn, user=role))
        return "trigger t on table public.models" in {f.object for f in report.stops}

    assert stopped()
    if run(dsn).ready:  # as a superuser
        version = query(dsn, "SELECT current_setting('server_version_num')::integer")[0][0]
        if version >= 150000:
            execute(dsn, f"GRANT SET ON PARAMETER session_replication_role TO {role}")
            try:
                assert not stopped()
            finally:
                execute(dsn, f"REVOKE SET ON PARAMETER session_replication_role FROM {role}")


# The connection


def test_it_does_not_queue_behind_a_strong_lock(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = make_service(TEXT).dsn
    monkeypatch.setattr(reading, "LOCK_TIMEOUT", "50ms")
    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE models")
        with pytest.raises(LockedError, match="50ms"):
            run(dsn)


def test_a_lost_connection_is_one_clear_message(make_service: MakeService) -> None:
    dsn = make_service(TEXT).dsn
    with psycopg.connect(dsn, autocommit=True) as connection:
        pid = connection.info.backend_pid
        with pytest.raises(ConnectionFailedError, match="check"):
            check(
                connection,
                STANDARD,
                on_table=lambda _: execute(dsn, f"SELECT pg_terminate_backend({pid})"),
            )


def test_the_connection_is_left_as_it_was(make_service: MakeService) -> None:
    with psycopg.connect(make_service(TEXT).dsn, autocommit=True) as connection:
        check(connection, STANDARD)
        connection.execute("CREATE TABLE later ()")


# The command


def test_the_command_says_not_ready_by_its_exit_code(make_service: MakeService) -> None:
    dsn = make_service(DIRTY).dsn

    result = run_trueup("check", "--service", "model_orchestration", dsn=dsn)

    assert result.returncode == 1
    assert result.stdout.startswith("Stops the conversion\n")
    assert result.stdout.endswith(
        "not ready: 5 findings stop the conversion of model_orchestration\n"
    )
    assert "SELECT * FROM public.requests WHERE upper(provider) NOT IN (" in result.stdout


def test_the_command_prints_json(make_service: MakeService) -> None:
    dsn = make_service(TEXT).dsn

    result = run_trueup("check", "--service", "model_orchestration", "--json", dsn=dsn)

    report = json.loads(result.stdout)
    assert result.returncode == 0
    assert report["ready"] is True
    assert [t["rows"] for t in report["tables"]] == [9, 300, 12]
    assert result.stderr == ""


def test_a_standard_can_be_named(make_service: MakeService) -> None:
    dsn = make_service(NATIVE_UPPER).dsn

    result = run_trueup("check", "--standard", str(NATIVE_UPPER.standard), dsn=dsn)

    assert result.returncode == 0, result.stdout + result.stderr


def test_what_keeps_a_table_out_of_online_stops_nothing_where_it_keeps_its_name(
    database: str, tmp_path: Path
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
    assert about(report, "public.pool").problem == (
        "keeps its name, and one name cannot show both contracts: only the window strategy can "
        "convert it"
    )


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
