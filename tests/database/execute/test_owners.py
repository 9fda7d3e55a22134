"""Tables of other roles, or that get another owner: clients write on, and need no more rights."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from psycopg.conninfo import make_conninfo
from support.runs import query, run_trueup
from support.variants import (
    AT_ONCE,
    KEPT,
    ODD,
    SHIPPED,
    MakeService,
    Service,
)

from runner.errors import StatementError
from runner.execute.engine import rollback
from runner.execute.events import Noticed
from runner.execute.underway import look

LOOK = ("--service", str(SHIPPED))
WEEK = timedelta(days=7)


# As scripts do with each schema.
HARDENED = """
    REVOKE ALL ON SCHEMA trueup FROM PUBLIC;
    REVOKE ALL ON ALL ROUTINES IN SCHEMA trueup FROM PUBLIC;
    REVOKE ALL ON ALL TABLES IN SCHEMA trueup FROM PUBLIC;
"""


def test_tables_of_another_role_go_there_and_back_and_clients_need_no_more(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    before = service.rows()
    for table in ("models", "requests", "provider_quotas"):
        query(service.dsn, f"ALTER TABLE {table} OWNER TO mallory")
        query(service.dsn, f"GRANT SELECT, INSERT, DELETE ON {table} TO trueup_test_app")
    client = make_conninfo(service.dsn, user="trueup_test_app")
    for phase, table in (("expand", "models"), ("switch", "models"), ("contract", "model")):
        service.up(phase)
        query(service.dsn, HARDENED)
        value = "openai" if table == "models" else "OPENAI"
        write = "INSERT INTO {} (id, model_id, provider, capabilities) VALUES (gen_random_uuid(){},"
        query(
            client,
            write.format(table, "::text" if table == "models" else "")
            + f" '{phase}', '{value}', '{{}}')",
        )
        query(client, f"DELETE FROM {table} WHERE model_id = '{phase}'")
    service.down("online", "switch")
    query(client, "DELETE FROM models WHERE model_id = 'none'")
    service.down("online")
    assert service.rows() == before
    owners = "SELECT count(*) FROM pg_proc WHERE proowner = 'mallory'::regrole"
    assert query(service.dsn, owners) == [(0,)]
    service.up("window")
    service.down("window")
    assert service.rows() == before


def test_an_owner_who_may_not_use_the_schema_is_told_before_clients_meet_it(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    query(service.dsn, "ALTER TABLE provider_quotas OWNER TO mallory")
    query(service.dsn, "REVOKE ALL ON provider_quotas FROM mallory")
    query(service.dsn, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    grant = "GRANT USAGE ON SCHEMA public TO mallory;"
    checked = run_trueup("check", "--no-statements", *LOOK, dsn=service.dsn)
    assert checked.returncode == 1
    assert "mallory, who may not use the schema" in " ".join(checked.stdout.split())
    with pytest.raises(StatementError, match="mallory may not use the schema public") as refused:
        service.up("expand")
    assert grant in str(refused.value)
    query(service.dsn, grant)
    service.up("toolkit")
    query(service.dsn, "REVOKE USAGE ON SCHEMA trueup FROM PUBLIC")
    query(service.dsn, "GRANT INSERT ON provider_quotas TO trueup_test_app")
    query(service.dsn, "GRANT USAGE ON SCHEMA public TO trueup_test_app")
    service.up("expand")
    query(
        make_conninfo(service.dsn, user="trueup_test_app"),
        "INSERT INTO provider_quotas (id, provider, daily_tokens_used, monthly_tokens_used,"
        " daily_cost_used, monthly_cost_used)"
        " VALUES (gen_random_uuid()::text, 'openai', 0, 0, 0, 0)",
    )


# Who has a right on a function of trueup's triggers, or the rights of its owner, without being it.
MAY_ATTACH = """
    SELECT p.proname, r.rolname
    FROM pg_proc AS p CROSS JOIN pg_roles AS r
    WHERE p.pronamespace = 'trueup'::regnamespace AND p.prosecdef AND NOT r.rolsuper
        AND r.oid <> p.proowner AND r.rolname IN ('mallory', 'trueup_test_owner')
        AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
"""
WRITES = {
    "models": """
        INSERT INTO models (id, model_id, provider, capabilities)
            VALUES (gen_random_uuid()::text, 'own', 'openai', '{chat}');
        INSERT INTO requests
            (id, request_id, request_type, model_id, provider, request_data, success)
            SELECT gen_random_uuid()::text, 'own', 'chat', id, 'openai', '{}', true
            FROM models WHERE model_id = 'own';
        DELETE FROM requests WHERE request_id = 'own';
        DELETE FROM models WHERE model_id = 'own';
    """,
    "model": """
        INSERT INTO model (id, model_id, provider, capabilities)
            VALUES (gen_random_uuid(), 'own', 'OPENAI', '{CHAT}');
        INSERT INTO request
            (id, request_id, request_type, model_id, provider, request_data, success)
            SELECT gen_random_uuid(), 'own', 'CHAT', id, 'OPENAI', '{}', true
            FROM model WHERE model_id = 'own';
        UPDATE request SET provider = 'CUSTOM' WHERE request_id = 'own';
        DELETE FROM request WHERE request_id = 'own';
        DELETE FROM model WHERE model_id = 'own';
    """,
}


def test_clients_write_while_tables_of_several_owners_go_there_and_back(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    before = service.rows()
    give = "GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO trueup_test_app"
    owners = {"models": "mallory", "requests": "trueup_test_owner"}
    for table, owner in owners.items():
        query(service.dsn, f"ALTER TABLE {table} OWNER TO {owner}")
        query(service.dsn, give.format(table))
    query(service.dsn, "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO mallory")
    client = make_conninfo(service.dsn, user="trueup_test_app")
    for phase in ("expand", "switch", "contract"):
        service.up(phase)
        query(client, WRITES["models" if phase == "expand" else "model"])
        assert query(service.dsn, MAY_ATTACH) == []
    for migration in reversed(service.migrations("online")):
        if migration.phase == "contract":
            service.down("online", migration.id)
            query(client, WRITES["model"])
    assert query(service.dsn, MAY_ATTACH) == []
    service.down("online")
    assert service.rows() == before


# What the owner of before could read of a table that is not his any more.
STILL_MAY_READ = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'trueup'::regnamespace AND c.relname ~ '_(sides|reversal)$'
        AND has_table_privilege('mallory', c.oid, 'SELECT')
"""
CHANGES = {
    "each table": "ALTER TABLE {0} OWNER TO trueup_test_owner; ALTER TABLE {1} OWNER TO"
    " trueup_test_owner",
    "all that is his": "REASSIGN OWNED BY mallory TO trueup_test_owner; DROP OWNED BY mallory",
}


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("phase", ["expand", "switch", "contract"])
def test_one_call_gives_a_new_owner_what_clients_need(
    make_service: MakeService, mallory: str, phase: str, how: str
) -> None:
    service = make_service(ODD)
    for table in ("models", "requests"):
        query(service.dsn, f"ALTER TABLE {table} OWNER TO mallory")
        query(service.dsn, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO trueup_test_app")
    service.up(phase)
    tables = ("models", "requests") if phase == "expand" else ("model", "request")
    query(service.dsn, CHANGES[how].format(*tables))
    client = make_conninfo(service.dsn, user="trueup_test_app")
    contracts = ("model",) if phase == "contract" else ("models", "model")
    if how == "each table":
        # The table stays; a view reads it with the rights of its own owner.
        query(client, WRITES[tables[0]])
    calls = {f"CALL trueup.hand_over('public.{t}');" for t in tables}
    if (phase, how) == ("expand", "all that is his"):
        calls.remove("CALL trueup.hand_over('public.models');")  # It refers to no other table.
    for verb in ("status", "verify"):
        told = " ".join(run_trueup(verb, *LOOK, "--all", dsn=service.dsn).stdout.split())
        assert all(call in told for call in calls), (verb, told)
    if phase == "expand":  # The next run does it by itself.
        service.up("backfill")
    else:
        for call in calls:
            query(service.dsn, call)
    for contract in contracts:
        query(client, WRITES[contract])
    assert query(service.dsn, STILL_MAY_READ) == []
    for verb in ("status", "verify"):
        assert "hand_over" not in run_trueup(verb, *LOOK, "--all", dsn=service.dsn).stdout
    service.up("contract")
    service.down("online")
    wrong = (
        "SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace('trueup') AND prosecdef"
    )
    assert query(service.dsn, wrong) == []


# As a toolkit has it that was made before that call was.
EARLIER = r"""
    DO $do$ DECLARE text constant text := pg_get_functiondef('trueup.hand_over'::regproc);
    BEGIN
        DROP PROCEDURE trueup.hand_over(regclass, text[]);
        EXECUTE replace(text, 'functions text[] DEFAULT ''{}''::text[]', 'functions text[]');
    END $do$
"""


def test_status_and_verify_print_what_an_earlier_toolkit_can_do(
    make_service: MakeService, mallory: str
) -> None:
    service = make_service(ODD)
    for table in ("models", "requests"):
        query(service.dsn, f"ALTER TABLE {table} OWNER TO mallory")
        query(service.dsn, f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO trueup_test_app")
    service.up("switch")
    query(service.dsn, EARLIER)
    query(service.dsn, CHANGES["each table"].format("model", "request"))
    verified = " ".join(run_trueup("verify", *LOOK, "--all", dsn=service.dsn).stdout.split())
    assert "hand_over" not in verified
    assert "ALTER VIEW public.models OWNER TO trueup_test_owner;" in verified
    for _ in range(3):  # With another owner a function may lack a right, which is told then.
        status = run_trueup("status", *LOOK, "--all", dsn=service.dsn).stdout
        told = re.findall(r"(?:ALTER (?:VIEW|FUNCTION)|GRANT) [^;]+;", " ".join(status.split()))
        for statement in told:
            query(service.dsn, statement)
    assert not told
    client = make_conninfo(service.dsn, user="trueup_test_app")
    for contract in ("models", "model"):
        query(client, WRITES[contract])


@pytest.mark.parametrize("phase", ["expand", "switch"])
def test_a_role_that_is_no_superuser_gives_new_owners_what_is_theirs(
    make_service: MakeService, mallory: str, phase: str
) -> None:
    service = make_service(KEPT)
    query(
        service.dsn,
        "DROP SCHEMA IF EXISTS trueup CASCADE;"
        "ALTER SCHEMA public OWNER TO trueup_test_deploy;"
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO trueup_test_deploy',"
        " current_database()); END $$",
    )
    yoyos = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock")
    for table in (*yoyos, "models", "requests", "provider_quotas"):
        query(service.dsn, f"ALTER TABLE {table} OWNER TO trueup_test_deploy")
    deploy = Service(make_conninfo(service.dsn, user="trueup_test_deploy"), service.folder)
    deploy.up(phase)
    schema = "public" if phase == "expand" else "model_orchestration_new"
    for table, owner in (
        ("models", "trueup_test_owner"),
        ("requests", "trueup_test_owner"),
        ("provider_quotas", mallory),  # one whose owner's rights it has not
    ):
        query(service.dsn, f"ALTER TABLE {schema}.{table} OWNER TO {owner}")
    at = next(look(service.dsn, service.migrations("online"), waiting_period=WEEK, unit="models"))
    assert {x.table for x in at.left_behind} == {"models", "requests"}
    found = []
    rollback(
        deploy.dsn,
        deploy.migrations("online"),
        to="baseline",
        unit="models",
        settings=AT_ONCE,
        listener=lambda event: found.append(event) if isinstance(event, Noticed) else None,
    )
    told = {
        n.message.split("CALL trueup.hand_over")[1]: n.severity
        for n in found
        if "CALL" in n.message
    }
    assert {call.split("'")[1]: severity for call, severity in told.items()} == {
        f"{schema}.models": "NOTICE",
        f"{schema}.requests": "NOTICE",
        f"{schema}.provider_quotas": "WARNING",
    }
