"""`trueup verify`: how far a database is from its standard, whoever brought it there."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from support.runs import query, run_trueup
from support.variants import (
    NATIVE_LOWER,
    NATIVE_UPPER,
    TEXT,
    MakeService,
    Variant,
    run_files,
)
from support.verification import PLANNING, execute, run

from runner.standard import load_standard
from runner.verify import State

AT_STANDARD = Path(__file__).parents[2] / "support" / "check_at_standard.sql"


def distances(dsn: str) -> list[str]:
    return [str(d) for d in run(dsn).distances]


@pytest.mark.parametrize("phase", ["window", "contract"])
def test_both_strategies_end_at_distance_0(make_service: MakeService, phase: str) -> None:
    dsn = make_service(TEXT, at=phase).dsn

    assert distances(dsn) == []
    assert {state for _, state in run(dsn).states} == {State.NEW}


@pytest.mark.parametrize("variant", [NATIVE_UPPER, NATIVE_LOWER], ids=str)
def test_native_enums_end_at_distance_0(make_service: MakeService, variant: Variant) -> None:
    service = make_service(variant)
    standard = load_standard(variant.standard)

    service.up("window")

    assert [str(d) for d in run(service.dsn, standard).distances] == []


def test_a_database_that_trueup_never_saw_can_be_at_the_standard(database: str) -> None:
    run_files(database, AT_STANDARD)

    assert distances(database) == []


def test_a_database_that_was_brought_half_way_by_hand_lists_what_is_left_of_each_table(
    database: str,
) -> None:
    run_files(database, AT_STANDARD)
    execute(
        database,
        "ALTER TABLE request DROP CONSTRAINT request_type_check",
        "ALTER TABLE request ALTER COLUMN request_type TYPE text",
        "ALTER TABLE provider_quota RENAME TO provider_quotas",
        "ALTER TABLE provider_quotas ALTER COLUMN id TYPE varchar(36) USING id::text",
    )

    result = run_trueup("verify", "--service", "model_orchestration", dsn=database)

    assert (result.returncode, result.stderr) == (1, "")
    assert " ".join(result.stdout.split()) == " ".join(
        """
        public.model: at the standard
        public.request: new contract
          column public.request.request_type: expected varchar of at least 19 characters,
          found text
          constraint request_type_check on public.request: expected a CHECK, found none
        public.provider_quota: old contract
          table public.provider_quotas: expected the name public.provider_quota, found its old name
          column public.provider_quotas.id: expected uuid, found varchar(36)
        tables: 1 old contract, 2 new contract
        distance to the standard: 4
        """.split()
    )


def test_an_empty_database_lacks_every_table(database: str) -> None:
    verification = run(database)

    assert [str(d) for d in verification.distances] == [
        "table public.model: expected a table, found no such table",
        "table public.request: expected a table, found no such table",
        "table public.provider_quota: expected a table, found no such table",
    ]
    assert {state for _, state in verification.states} == {State.MISSING}


def test_the_old_contract_lists_all_that_is_to_be_done(make_service: MakeService) -> None:
    dsn = make_service(TEXT).dsn

    found = distances(dsn)

    assert {state for _, state in run(dsn).states} == {State.OLD}
    assert "column public.requests.model_id: expected uuid, found varchar(36)" in found
    assert "constraint model_status_check on public.models: expected a CHECK, found none" in found
    assert "index models_pkey: expected the name model_pkey, found its old name" in found
    assert any("default of column public.models.status" in line for line in found)


def test_native_enums_are_a_distance(make_service: MakeService) -> None:
    service = make_service(NATIVE_UPPER)

    found = run(service.dsn, load_standard(NATIVE_UPPER.standard)).distances

    assert "expected varchar of at least 10 characters, found public.modelstatus" in "\n".join(
        map(str, found)
    )


DAMAGE = {
    "ALTER TABLE model ALTER status SET DEFAULT 'active'": (
        "default of column public.model.status",
        "'active'",
    ),
    "ALTER TABLE model DROP CONSTRAINT model_status_check": (
        "constraint model_status_check on public.model",
        "none",
    ),
    "ALTER TABLE model RENAME CONSTRAINT model_status_check TO ck": (
        "constraint model_status_check on public.model",
        "the same under the name ck",
    ),
    "ALTER TABLE model DROP CONSTRAINT model_status_check, ADD CONSTRAINT model_status_check"
    " CHECK (status IN ('ACTIVE', 'INACTIVE', 'DEPRECATED', 'ARCHIVED'))": (
        "constraint model_status_check on public.model",
        "also passes 'ARCHIVED'",
    ),
    "ALTER TABLE model DROP CONSTRAINT model_status_check, ADD CONSTRAINT model_status_check"
    " CHECK (status IN ('ACTIVE', 'INACTIVE'))": (
        "constraint model_status_check on public.model",
        "refuses 'DEPRECATED'",
    ),
    "ALTER TABLE model DROP CONSTRAINT model_status_check, ADD CONSTRAINT model_status_check"
    " CHECK (upper(status) IN ('ACTIVE', 'INACTIVE', 'DEPRECATED'))": (
        "constraint model_status_check on public.model",
        "also passes 'Active', 'Deprecated', 'Inactive', 'active', 'deprecated', 'inactive'",
    ),
    "ALTER TABLE model DROP CONSTRAINT model_status_check, ADD CONSTRAINT model_status_check"
    " CHECK (status = upper(status))": (
        "constraint model_status_check on public.model",
        "also passes '', 'TRUEUP-NO-SUCH-VALUE'",
    ),
    "ALTER TABLE model DROP CONSTRAINT model_status_check, ADD CONSTRAINT model_status_check"
    " CHECK (status IN ('ACTIVE', 'INACTIVE', 'DEPRECATED')) NOT VALID": (
        "CHECK model_status_check on public.model",
        "NOT VALID",
    ),
    "ALTER TABLE model ADD CONSTRAINT lower_case CHECK (status IN ('active', 'inactive'))": (
        "constraint lower_case on public.model",
        "refuses every value of ModelStatus",
    ),
    "ALTER TABLE model ALTER status TYPE text": ("column public.model.status", "text"),
    "ALTER TABLE model DROP CONSTRAINT model_capabilities_check": (
        "constraint model_capabilities_check on public.model",
        "none",
    ),
    "ALTER TABLE model DROP CONSTRAINT model_capabilities_check, ADD CONSTRAINT"
    " model_capabilities_check CHECK (capabilities <@ '{CHAT}')": (
        "constraint model_capabilities_check on public.model",
        "refuses 'COMPLETION', 'EMBEDDING', 'IMAGE_GENERATION', 'AUDIO_TRANSCRIPTION',"
        " 'AUDIO_TRANSLATION'",
    ),
    "ALTER INDEX request_created_at_idx RENAME TO requests_created_at_idx": (
        "index requests_created_at_idx",
        "its old name",
    ),
    "ALTER TABLE request RENAME CONSTRAINT request_model_id_fkey TO requests_model_id_fkey": (
        "constraint requests_model_id_fkey",
        "its old name",
    ),
    "ALTER TABLE request DROP CONSTRAINT request_model_id_fkey, ADD CONSTRAINT"
    " request_model_id_fkey FOREIGN KEY (model_id) REFERENCES model NOT VALID": (
        "foreign key request_model_id_fkey on public.request",
        "NOT VALID",
    ),
    "ALTER TABLE provider_quota DROP CONSTRAINT provider_quota_pkey": (
        "table public.provider_quota",
        "none",
    ),
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'request_model_id_idx'::regclass": (
        "index request_model_id_idx on public.request",
        "invalid",
    ),
    "CREATE SEQUENCE requests_number_seq OWNED BY request.total_tokens": (
        "sequence requests_number_seq",
        "its old name",
    ),
    "ALTER TABLE request ADD COLUMN model_id__old varchar(36)": (
        "column public.request.model_id__old",
        "varchar(36)",
    ),
    "CREATE TABLE requests (id integer)": ("table public.requests", "a table of that name"),
    "ALTER TABLE request ADD CONSTRAINT request_filled CHECK (id IS NOT NULL)": (
        "constraint request_filled on public.request",
        "CHECK ((id IS NOT NULL))",
    ),
}


@pytest.mark.parametrize("statement", DAMAGE)
def test_each_damage_is_one_distance(make_service: MakeService, statement: str) -> None:
    dsn = make_service(TEXT, filled=False, at="window").dsn
    execute(dsn, statement)

    (found,) = run(dsn).distances

    object_, shown = DAMAGE[statement]
    assert found.object == object_
    assert found.found.startswith(shown)


@pytest.mark.parametrize(
    "rule", ["status <> 'DEPRECATED'", "cardinality(capabilities) > 1", "length(status) < 9"]
)
def test_a_rule_of_the_services_own_may_refuse_values(make_service: MakeService, rule: str) -> None:
    dsn = make_service(TEXT, filled=False, at="window").dsn
    execute(dsn, f"ALTER TABLE model ADD CONSTRAINT no_old CHECK ({rule})")

    assert distances(dsn) == []


def test_a_check_that_calls_the_services_own_function_is_not_run(
    make_service: MakeService,
) -> None:
    dsn = make_service(TEXT, filled=False, at="window").dsn
    execute(
        dsn,
        "CREATE FUNCTION trap(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql"
        " AS $$BEGIN RAISE 'called'; END$$",
        # Of the same name as the one on model, which stays what it is.
        "ALTER TABLE request ADD CONSTRAINT model_status_check CHECK (trap(id::text))",
    )
    assert distances(dsn) == []

    execute(
        dsn,
        "ALTER TABLE model DROP CONSTRAINT model_status_check,"
        " ADD CONSTRAINT model_status_check CHECK (trap(status))",
    )

    (found,) = run(dsn).distances

    assert found.object == "constraint model_status_check on public.model"
    assert "trap" in found.found


def test_a_name_that_is_taken_cannot_follow(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False, at="window").dsn
    execute(
        dsn,
        "CREATE INDEX requests_task_id_idx ON request (task_id)",
        "CREATE TABLE request_task_id_idx ()",
    )

    assert distances(dsn) == []


def test_any_role_can_verify_and_nothing_is_changed(make_service: MakeService) -> None:
    service = make_service(TEXT, at="window")
    before = service.state()
    role = f"verify_{uuid.uuid4().hex[:8]}"
    execute(service.dsn, f"CREATE ROLE {role} LOGIN")
    try:
        assert distances(make_conninfo(service.dsn, user=role)) == []
    finally:
        execute(service.dsn, f"DROP ROLE {role}")

    assert service.state() == before


def test_any_role_can_verify_when_only_the_ledger_is_there(make_service: MakeService) -> None:
    service = make_service(TEXT)
    role = f"verify_{uuid.uuid4().hex[:8]}"
    execute(service.dsn, "CREATE SCHEMA IF NOT EXISTS trueup", f"CREATE ROLE {role} LOGIN")
    execute(service.dsn, "REVOKE ALL ON SCHEMA trueup FROM PUBLIC")
    try:
        assert distances(make_conninfo(service.dsn, user=role)) == distances(service.dsn)
    finally:
        execute(service.dsn, f"DROP ROLE {role}")


# The command


def test_the_command_ends_with_the_distance(make_service: MakeService) -> None:
    dsn = make_service(TEXT, at="window").dsn

    result = run_trueup("verify", "--service", "model_orchestration", dsn=dsn)

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "distance to the standard: 0"
    assert result.stdout.startswith("public.model: at the standard\n")


def test_the_command_says_which_phase_is_left(make_service: MakeService) -> None:
    dsn = make_service(TEXT, at="enforce").dsn

    result = run_trueup("verify", "--service", "model_orchestration", dsn=dsn)

    found = run(dsn).distances
    switch = sum(d.left_for == "switch" for d in found)
    assert result.returncode == 6  # not 1: nothing is wrong
    assert result.stdout.splitlines()[-3:] == [
        "tables: 3 both contracts live",
        f"both contracts live; left: {switch} for switch, {len(found) - switch} for contract",
        f"distance to the standard: {len(found)}",
    ]


def test_the_command_prints_json(make_service: MakeService) -> None:
    dsn = make_service(TEXT).dsn

    result = run_trueup("verify", "--service", "model_orchestration", "--json", dsn=dsn)

    told = json.loads(result.stdout)
    assert result.returncode == 1
    assert told["at_standard"] is False
    assert told["distance"] == len(told["distances"])
    assert told["tables"][0] == {"name": "public.model", "state": "old contract"}
    assert query(dsn, "SELECT count(*) FROM models") != [(0,)]


# Another service


@pytest.mark.parametrize("phase", ["window", "contract"])
def test_mapped_values_kept_originals_integers_and_renamed_columns(
    make_service: MakeService, phase: str
) -> None:
    service = make_service(PLANNING)
    standard = load_standard(PLANNING.standard)

    before = [str(d) for d in run(service.dsn, standard).distances]
    service.up(phase)

    assert (
        "column public.plans.metadata: expected the name plan_metadata, found its old name"
        in before
    )
    assert [str(d) for d in run(service.dsn, standard).distances] == []


@pytest.mark.parametrize(
    ("statement", "object_"),
    [
        ("ALTER TABLE plan RENAME plan_metadata TO metadata", "column public.plan.metadata"),
        ("ALTER TABLE plan DROP COLUMN state_detail", "column public.plan.state_detail"),
        (
            "ALTER TABLE task DROP CONSTRAINT task_priority_check,"
            " ADD CONSTRAINT task_priority_check CHECK (priority BETWEEN 1 AND 5)",
            "CHECK on column public.task.priority",
        ),
        (
            "ALTER TABLE task DROP CONSTRAINT task_priority_check",
            "CHECK on column public.task.priority",
        ),
    ],
)
def test_their_damage_is_one_distance(
    make_service: MakeService, statement: str, object_: str
) -> None:
    service = make_service(PLANNING)
    service.up("window")
    execute(service.dsn, statement)

    found = run(service.dsn, load_standard(PLANNING.standard)).distances

    assert [d.object for d in found] == [object_]
