"""A migration role that is no superuser: told what it lacks, and enough once it is granted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.runs import query, run_trueup

from runner.config import resolve_sources
from runner.errors import LedgerError
from runner.execute.engine import Settings, apply, rollback
from runner.execute.record import baseline
from runner.ledger.files import Migration, read_migrations

SERVICE = Path(__file__).parents[3] / "sql" / "model_orchestration"


def migrations(strategy: str) -> tuple[Migration, ...]:
    sources = resolve_sources((), str(SERVICE), {}, strategy)
    return read_migrations(sources.folders, on_request=sources.on_request)


@pytest.fixture
def live(database: str) -> Iterator[str]:
    """A service's database: its tables belong to `app owner`; nobody may create in public."""
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # as in PostgreSQL 15 and later
        admin.execute('CREATE ROLE "app owner"')
        admin.execute('CREATE ROLE "50%% de""ploy" LOGIN'.replace("%%", "%"))
        for path in sorted((SERVICE / "legacy").glob("*schema.sql")):
            admin.execute(path.read_bytes())
        for (table,) in admin.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind = 'r'"
        ).fetchall():
            admin.execute(f'ALTER TABLE {table} OWNER TO "app owner"'.encode())
        try:
            yield database
        finally:
            for role in ('"app owner"', '"50% de""ploy"'):
                admin.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER".encode())
                admin.execute(f"DROP OWNED BY {role} CASCADE".encode())
                admin.execute(f"DROP ROLE {role}".encode())


@pytest.fixture
def deploy(live: str) -> str:
    """The database as the migration role sees it."""
    return make_conninfo(live, user='50% de"ploy')


def test_what_is_missing_is_told_before_the_first_change(live: str, deploy: str) -> None:
    with pytest.raises(LedgerError) as raised:
        apply(deploy, migrations("online"))
    message = raised.value.message
    for statement in (
        'GRANT "app owner" TO "50% de""ploy";',
        'GRANT CREATE ON SCHEMA "public" TO "50% de""ploy";',
        'GRANT CREATE ON SCHEMA "public" TO "app owner";',
    ):
        assert statement in message
    assert query(live, "SELECT to_regclass('_yoyo_migration')") == [(None,)]


def test_a_schema_that_is_closed_to_the_role_is_told(live: str, deploy: str) -> None:
    query(live, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    with pytest.raises(LedgerError, match='GRANT USAGE ON SCHEMA "public" TO') as raised:
        apply(deploy, migrations("online"))
    assert 'GRANT "app owner" TO' in raised.value.message
    named = ("--service", str(SERVICE))
    printed = run_trueup("grants", "--role", '50% de"ploy', *named, dsn=deploy)
    assert 'GRANT USAGE ON SCHEMA "public"' in printed.stdout, printed.stderr


def test_the_whole_chain_runs_with_what_grants_prints(live: str, deploy: str) -> None:
    printed = run_trueup("grants", "--role", '50% de"ploy', "--service", str(SERVICE), dsn=live)
    assert printed.returncode == 0
    with psycopg.connect(live, autocommit=True) as admin:
        admin.execute(printed.stdout.encode())
    online, window = migrations("online"), migrations("window")
    baseline(deploy, online, server=live)
    now = Settings(waiting_period="0")
    apply(deploy, online, settings=now)
    apply(deploy, online, to="contract", settings=now)
    rollback(deploy, online, to="baseline", settings=now)
    apply(deploy, window, settings=now)
    rollback(deploy, window, to="baseline", settings=now)
    owners = query(
        live,
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        " AND tablename IN ('models', 'requests', 'provider_quotas')",
    )
    assert owners == [("app owner",)]
    again = run_trueup("grants", "--role", '50% de"ploy', "--service", str(SERVICE), dsn=live)
    assert all(line.startswith("-- has already: ") for line in again.stdout.splitlines())


def test_a_table_with_triggers_needs_the_right_to_silence_them(
    live: str, deploy: str, since: Callable[[int], None]
) -> None:
    since(15)
    with psycopg.connect(live, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
        )
        admin.execute("CREATE TRIGGER t BEFORE UPDATE ON models FOR EACH ROW EXECUTE FUNCTION f()")
        named = ("--role", '50% de"ploy', "--service", str(SERVICE))
        printed = run_trueup("grants", *named, dsn=live).stdout
        silence = 'GRANT SET ON PARAMETER session_replication_role TO "50% de""ploy";'
        assert (
            f"\n{silence}  -- keeps triggers of public.models silent in the backfill\n" in printed
        )
        window = run_trueup("grants", *named, "--strategy", "window", dsn=live).stdout
        assert silence not in window
        admin.execute(printed.encode())
    assert f"-- has already: {silence}" in run_trueup("grants", *named, dsn=live).stdout


def test_a_membership_that_is_not_to_be_set_is_too_little(
    live: str, deploy: str, since: Callable[[int], None]
) -> None:
    since(16)
    give = 'GRANT "app owner" TO "50% de""ploy" WITH {};'
    query(live, give.format("SET FALSE"))
    for verb in (("grants", "--role", '50% de"ploy'), ("check", "--no-statements", "--all")):
        told = run_trueup(*verb, "--service", str(SERVICE), dsn=deploy).stdout
        assert "WITH SET TRUE;" in told, told
    with pytest.raises(LedgerError) as raised:
        apply(deploy, migrations("online"))
    assert give.format("SET TRUE") in raised.value.message
    query(live, give.format("SET TRUE"))
    again = run_trueup("grants", "--role", '50% de"ploy', "--service", str(SERVICE), dsn=deploy)
    assert '-- has already: GRANT "app owner" TO "50% de""ploy";' in again.stdout


def test_a_role_that_is_not_there(live: str) -> None:
    done = run_trueup("grants", "--role", "nobody", "--service", str(SERVICE), dsn=live)
    assert (done.returncode, "there is no role 'nobody'" in done.stderr) == (2, True)
