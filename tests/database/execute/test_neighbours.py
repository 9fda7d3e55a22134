"""What others made first in a database, or are given by default: it gains them nothing."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.runs import query, run_trueup
from support.variants import (
    ODD,
    SHIPPED,
    MakeService,
    Service,
)

from runner.errors import LedgerError

LOOK = ("--service", str(SHIPPED))
TOOLKIT = sorted(
    p for p in (SHIPPED / "common").glob("*_toolkit_*.sql") if ".rollback" not in p.name
)


@pytest.mark.parametrize(
    "made",
    [
        "CREATE SCHEMA trueup",
        "CREATE SCHEMA trueup; CREATE FUNCTION trueup.hold_key(key text, relation oid) RETURNS void"
        " LANGUAGE sql AS $$ SELECT $$",
    ],
)
def test_a_schema_that_somebody_else_made_first_is_refused(
    database: str, mallory: str, made: str
) -> None:
    service = Service(database, SHIPPED)
    name = str(conninfo_to_dict(database)["dbname"])
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL("GRANT CREATE ON DATABASE {} TO mallory").format(sql.Identifier(name))
        )
    with psycopg.connect(make_conninfo(service.dsn, user=mallory), autocommit=True) as attacker:
        attacker.execute(made.encode())
    with (
        psycopg.connect(service.dsn) as connection,
        pytest.raises(psycopg.Error, match="mallory owns") as refused,
    ):
        connection.execute(TOOLKIT[0].read_bytes())
    assert "DROP SCHEMA trueup" in (refused.value.diag.message_hint or "")
    with pytest.raises(LedgerError, match="mallory owns"):
        service.up("expand")
    assert query(service.dsn, "SELECT to_regclass('trueup.ledger')") == [(None,)]
    checked = run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
    assert checked.returncode == 1
    assert "mallory owns" in " ".join(checked.stdout.split())


def test_default_privileges_give_nobody_more_and_clients_need_none(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mallory"
        )
        for giving in ("ALL ON TABLES", "ALL ON FUNCTIONS", "ALL ON SCHEMAS", "ALL ON TYPES"):
            admin.execute(f"ALTER DEFAULT PRIVILEGES GRANT {giving} TO mallory".encode())
        for taken in ("FUNCTIONS", "SCHEMAS", "TYPES"):
            admin.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON {taken} FROM PUBLIC".encode())
    try:
        query(service.dsn, "DROP SCHEMA trueup CASCADE")
        service.up("switch")
        assert query(service.dsn, CREATES, mallory) == [(False, True)]
        with psycopg.connect(make_conninfo(service.dsn, user=mallory), autocommit=True) as client:
            for statement in WRITES:
                client.execute(statement.encode())
        assert given_to(mallory, service.dsn) == []
        service.up("contract")
        assert given_to(mallory, service.dsn) == []
        service.down("online", "switch")
        assert given_to(mallory, service.dsn) == []
    finally:
        with psycopg.connect(service.dsn, autocommit=True) as admin:
            for giving in ("TABLES", "FUNCTIONS", "SCHEMAS", "TYPES"):
                admin.execute(
                    f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON {giving} FROM mallory".encode()
                )


EVIL = """
    CREATE FUNCTION public.evil() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        ALTER ROLE mallory CREATEROLE;
        RETURN NEW;
    END $$;
    CREATE TRIGGER evil BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION public.evil();
"""
LEDGER = {
    "owns public.yoyo_lock": (
        "CREATE TABLE public.yoyo_lock (locked int PRIMARY KEY DEFAULT 1, ctime timestamp, pid int)"
    ),
    "owns public._yoyo_log": (
        "CREATE TABLE public._yoyo_log (id varchar(36) PRIMARY KEY, migration_hash varchar(64),"
        " migration_id varchar(255), operation varchar(10), username varchar(255),"
        " hostname varchar(255), comment varchar(255), created_at_utc timestamp)"
    ),
    "owns public._yoyo_migration": "CREATE VIEW public._yoyo_migration AS SELECT 1 AS a",
}


@pytest.mark.parametrize("what", LEDGER)
def test_tables_of_yoyo_that_somebody_else_made_are_refused(
    make_service: MakeService, mallory: str, what: str
) -> None:
    service = make_service(ODD)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute("DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version, yoyo_lock")
        admin.execute("DROP SCHEMA trueup CASCADE")
        admin.execute("GRANT CREATE ON SCHEMA public TO mallory")
    with psycopg.connect(make_conninfo(service.dsn, user=mallory), autocommit=True) as attacker:
        attacker.execute(LEDGER[what].encode())
        if "TABLE" in LEDGER[what]:
            attacker.execute(EVIL.format(table=what.partition(" ")[2]).encode())
    done = run_trueup("apply", "--to", "expand", *LOOK, dsn=service.dsn)
    assert done.returncode == 1
    assert f"mallory {what}, and could run code of its own" in done.stderr
    assert not query(
        service.dsn, "SELECT FROM pg_roles WHERE rolname = 'mallory' AND rolcreaterole"
    )
    checked = run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
    assert f"mallory {what}" in " ".join(checked.stdout.split())


def test_tables_of_yoyo_are_looked_for_wherever_yoyo_would_find_them(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute('CREATE SCHEMA "of Mallory" AUTHORIZATION mallory')
        admin.execute("CREATE SCHEMA hidden AUTHORIZATION mallory")
        database = sql.Identifier(admin.info.dbname)
        path = "ALTER DATABASE {} SET search_path = 'of Mallory', public"
        admin.execute(sql.SQL(path).format(database))
    with psycopg.connect(make_conninfo(service.dsn, user=mallory), autocommit=True) as attacker:
        attacker.execute("CREATE TABLE hidden.yoyo_lock (locked int)")
        checked = run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
        assert "mallory" not in checked.stdout
        attacker.execute('CREATE TABLE "of Mallory".yoyo_lock (locked int)')
        # Nor do such tables make it doubtful which records are meant.
        attacker.execute("CREATE TABLE hidden._yoyo_migration (migration_id text)")
        attacker.execute("ALTER TABLE hidden._yoyo_migration ENABLE ROW LEVEL SECURITY")
    checked = run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
    assert 'mallory owns "of Mallory".yoyo_lock' in " ".join(checked.stdout.split())


def test_nobody_gets_a_trigger_onto_the_tables_of_yoyo(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute("DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version, yoyo_lock")
        admin.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO mallory")
        admin.execute("GRANT CREATE ON SCHEMA public TO mallory")
        admin.execute("DROP TABLE requests, models, provider_quotas")
        service.up("expand")
        with (
            psycopg.connect(make_conninfo(service.dsn, user=mallory), autocommit=True) as attacker,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            attacker.execute(EVIL.format(table="public._yoyo_log").encode())
        # Where plain yoyo made them, somebody may have.
        admin.execute("GRANT TRIGGER ON _yoyo_log TO mallory")
        with pytest.raises(LedgerError, match=r"mallory may create triggers on"):
            service.up("enforce")


def test_default_privileges_give_nobody_the_schema_by_the_files_alone(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute("DROP SCHEMA trueup CASCADE")
        admin.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO mallory")
        admin.execute(TOOLKIT[0].read_bytes())
    assert query(service.dsn, CREATES, mallory) == [(False, True)]


CREATES: LiteralString = """
    SELECT has_schema_privilege(r, 'trueup', 'CREATE'), has_schema_privilege(r, 'trueup', 'USAGE')
    FROM (VALUES (%s)) AS o (r)
"""


def given_to(role: str, dsn: str) -> list[tuple[str, ...]]:
    """What a role was given, by its name, on what trueup made for a migration."""
    return query(
        dsn,
        "SELECT o.name, a.privilege_type FROM ("
        "SELECT relname, relnamespace, relacl FROM pg_class"
        " UNION ALL SELECT proname, pronamespace, proacl FROM pg_proc) AS o (name, place, acl)"
        " CROSS JOIN LATERAL aclexplode(o.acl) AS a"
        " WHERE o.place = 'trueup'::regnamespace AND a.grantee = %s::regrole"
        " AND NOT starts_with(o.name::text, 'ledger')",
        role,
    )


WRITES = (
    "INSERT INTO models (id, model_id, provider, capabilities)"
    " VALUES (gen_random_uuid()::text, 'by the old', 'openai', '{chat}')",
    "INSERT INTO model (id, model_id, provider, capabilities)"
    " VALUES (gen_random_uuid(), 'by the new', 'OPENAI', '{CHAT}')",
    "UPDATE models SET status = 'inactive' WHERE model_id LIKE 'by the%'",
    "UPDATE model SET status = 'ACTIVE' WHERE model_id LIKE 'by the%'",
    "DELETE FROM models WHERE model_id LIKE 'by the%'",
)


def test_nobody_attaches_a_function_of_ours_to_a_table(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    with psycopg.connect(service.dsn, autocommit=True) as admin:
        admin.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO mallory")
    service.up("expand")
    with psycopg.connect(make_conninfo(service.dsn, user=mallory), autocommit=True) as attacker:
        attacker.execute("CREATE TEMPORARY TABLE t (id text)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            attacker.execute(
                "CREATE TRIGGER t BEFORE INSERT ON t"
                " FOR EACH ROW EXECUTE FUNCTION trueup.request_sync()"
            )
