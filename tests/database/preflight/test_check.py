"""`trueup check`: as which role, over which connection, by which command."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.checks import (
    STANDARD,
    about,
    execute,
    run,
)
from support.runs import query, run_trueup
from support.variants import (
    DIRTY,
    NATIVE_UPPER,
    TEXT,
    MakeService,
)

from runner.errors import ConnectionFailedError, LockedError
from runner.preflight import check, reading

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


def test_a_publication_that_the_role_could_not_change_stops_it(
    make_service: MakeService, role: str, since: Callable[[int], None]
) -> None:
    since(15)
    dsn = make_service(TEXT, filled=False).dsn
    execute(
        dsn,
        "CREATE PUBLICATION p FOR TABLE models (id, status)",
        "CREATE PUBLICATION q FOR TABLE models (display_name) WITH (publish = 'insert')",
    )
    stops = [f for f in run(make_conninfo(dsn, user=role)).stops if "publication" in f.object]
    assert [f.object for f in stops] == ["publication of table public.models in publication p"]
    assert "could let it publish the new columns" in stops[0].problem
    assert not [f for f in run(dsn).stops if "publication" in f.object]


def test_triggers_of_a_column_that_the_role_may_not_silence_stop_it(
    make_service: MakeService, role: str
) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(
        dsn,
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER t AFTER UPDATE OF status ON models FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TRIGGER u AFTER UPDATE OF display_name ON models FOR EACH ROW EXECUTE FUNCTION f()",
    )
    stops = {f.object for f in run(make_conninfo(dsn, user=role)).stops}
    assert "trigger t on table public.models" in stops
    assert "trigger u on table public.models" not in stops


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

    result = run_trueup("check", "--all", "--service", "model_orchestration", dsn=dsn)

    assert result.returncode == 1
    assert result.stdout.startswith("Stops the conversion\n")
    assert result.stdout.endswith(
        "not ready: 5 findings stop the conversion of model_orchestration\n"
    )
    shown = " ".join(result.stdout.split())
    assert 'SELECT * FROM public.requests WHERE upper(provider COLLATE "C") NOT IN (' in shown


def test_the_command_fits_a_screen_and_ends_with_the_verdict(make_service: MakeService) -> None:
    dsn = make_service(DIRTY).dsn

    result = run_trueup("check", "--service", "model_orchestration", dsn=dsn)

    lines = result.stdout.splitlines()
    assert len(lines) < 24
    assert lines[0] == "Stops the conversion: 5"
    # At 80 columns it takes two lines.
    assert " ".join(lines[-2:]).endswith(
        "not ready: 5 findings stop the conversion of model_orchestration (--all: what to do)"
    )


def test_a_baseline_that_is_not_recorded_is_told_with_the_line_to_type(
    make_service: MakeService,
) -> None:
    dsn = make_service(TEXT).dsn
    query(dsn, "DELETE FROM _yoyo_migration")

    result = run_trueup("check", "--all", "--service", "model_orchestration", dsn=dsn)
    said = " ".join(result.stdout.split())
    assert "the baseline is not recorded: apply would run 0001_baseline_legacy_schema" in said
    assert "trueup baseline --service " in said

    run_trueup("baseline", "--service", "model_orchestration", dsn=dsn)
    result = run_trueup("check", "--all", "--service", "model_orchestration", dsn=dsn)
    assert "baseline" not in result.stdout


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
