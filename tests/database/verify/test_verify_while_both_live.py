"""`trueup verify` while both contracts live: what is left for which phase, and what is broken."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from support.runs import run_trueup
from support.variants import (
    KEPT,
    NATIVE_UPPER,
    TEXT,
    MakeService,
    Variant,
)
from support.verification import PLANNING, execute, run

from runner.standard import load_standard
from runner.verify import State, Verification


def left_for(verification: Verification) -> set[str | None]:
    return {d.left_for for d in verification.distances}


@pytest.mark.parametrize("variant", [TEXT, NATIVE_UPPER, PLANNING], ids=str)
def test_each_phase_leaves_what_comes_after_it(make_service: MakeService, variant: Variant) -> None:
    service = make_service(variant)
    standard = load_standard(variant.standard)
    left = {}
    for phase in ("expand", "backfill", "enforce", "switch"):
        service.up(phase)
        verification = run(service.dsn, standard)
        left[phase] = left_for(verification)
        expected = State.SWITCHED if phase == "switch" else State.BOTH
        assert {state for _, state in verification.states} == {expected}

    assert left == {
        "expand": {"backfill", "enforce", "switch", "contract"},
        "backfill": {"enforce", "switch", "contract"},
        "enforce": {"switch", "contract"},
        "switch": {"contract"},
    }


def test_of_a_table_whose_converted_columns_may_be_null_enforce_leaves_nothing(
    make_service: MakeService, tmp_path: Path
) -> None:
    schema, standard = tmp_path / "schema.sql", tmp_path / "standard.toml"
    schema.write_text("CREATE TABLE leaves (id serial PRIMARY KEY, person_id varchar(36));")
    standard.write_text(
        '[service]\nname = "trees"\n[table.leaves]\nname = "leaf"\nuuids = ["person_id"]\n'
    )
    service = make_service(Variant("trees", schema, standard, ()))
    for phase, left in (
        ("backfill", {"enforce", "switch", "contract"}),
        ("enforce", {"switch", "contract"}),
        ("switch", {"contract"}),
    ):
        service.up(phase)
        assert left_for(run(service.dsn, load_standard(standard))) == left, phase


def test_expand_leaves_the_rest_to_backfill_enforce_and_switch(make_service: MakeService) -> None:
    verification = run(make_service(TEXT, at="expand").dsn)

    def left(phase: str) -> set[str]:
        return {str(d) for d in verification.distances if d.left_for == phase}

    assert "rows of public.models: expected all converted, found not begun" in left("backfill")
    assert left("enforce") >= {
        "column public.models.id__new: expected NOT NULL, found nullable",
        "index on public.requests (model_id__new): expected built, as requests_model_id_idx is,"
        " found none",
        "foreign key of public.requests (model_id__new): expected to public.models (id__new),"
        " found none",
        "CHECK model_status_check on public.models: expected validated, found NOT VALID",
    }
    assert left("switch") >= {
        "table public.models: expected the name public.model, found its old name",
        "column public.models.id__new: expected the name id, found a name for the while",
    }


def test_a_role_without_rights_is_told_nothing_of_the_backfill(
    make_service: MakeService, server_dsn: str
) -> None:
    dsn = make_service(TEXT, filled=False, at="expand").dsn
    role = f"verify_{uuid.uuid4().hex[:8]}"
    execute(server_dsn, f"CREATE ROLE {role} LOGIN")
    try:
        verification = run(make_conninfo(dsn, user=role))
    finally:
        execute(server_dsn, f"DROP ROLE {role}")

    assert left_for(verification) == {"enforce", "switch", "contract"}


def test_a_service_that_is_switched_in_part_says_so_by_table(make_service: MakeService) -> None:
    service = make_service(TEXT, at="enforce")
    service.apply("online", "0402_switch_request")

    result = run_trueup("verify", "--all", "--service", "model_orchestration", dsn=service.dsn)

    assert {
        "public.model: both contracts live, switched",
        "public.request: both contracts live, switched",
        "public.provider_quota: both contracts live",
        "tables: 1 both contracts live, 2 both contracts live, switched",
    } <= set(result.stdout.splitlines())
    assert left_for(run(service.dsn)) == {"switch", "contract"}


def test_somebody_elses_view_under_the_new_name_is_in_the_way(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False).dsn
    execute(dsn, "CREATE VIEW model AS SELECT 1 AS id")

    verification = run(dsn)
    distances = map(str, verification.distances)
    assert "view public.model: expected gone, found a view of that name" in distances
    assert {state for _, state in verification.states} == {State.OLD}


BEFORE_SWITCH = {
    "GRANT SELECT ON models TO {role}": ("grants on view public.model", "none of {role}=SELECT"),
    "GRANT INSERT ON model TO {role}": ("grants on view public.model", "also has {role}=INSERT"),
    "GRANT SELECT (status) ON models TO {role}": (
        "grants on column public.models.status__new",
        "none of {role}=SELECT",
    ),
    "GRANT SELECT (status__new) ON models TO {role}": (
        "grants on column public.model.status",
        "none of {role}=SELECT",
    ),
    "ALTER VIEW model OWNER TO {role}": ("view public.model", "the owner {role}"),
    "ALTER TABLE models ENABLE ROW LEVEL SECURITY": ("view public.model", "none"),
    "ALTER TABLE models ADD COLUMN extra text": ("view public.model", "none of extra"),
    "ALTER TABLE models DISABLE TRIGGER zz_trueup_sync_update": (
        "trigger zz_trueup_sync_update on public.models",
        "disabled",
    ),
    "ALTER VIEW model ALTER status DROP DEFAULT": (
        "default of column public.model.status",
        "none",
    ),
    "ALTER VIEW model ALTER status SET DEFAULT 'active'": (
        "default of column public.model.status",
        "'active'",
    ),
    "DROP VIEW trueup.model_sides": ("view trueup.model_sides", "none"),
    "DROP INDEX request_model_id_idx": ("index on public.requests (model_id__new)", "none"),
    "ALTER TABLE requests ALTER model_id__new DROP NOT NULL": (
        "column public.requests.model_id__new",
        "nullable",
    ),
    "ALTER TABLE requests DROP CONSTRAINT request_model_id_fkey": (
        "foreign key of public.requests (model_id__new)",
        "none",
    ),
    "ALTER TABLE models DROP CONSTRAINT model_status_check": (
        "constraint model_status_check on public.models",
        "none",
    ),
}
AFTER_SWITCH = {
    "GRANT SELECT ON model TO {role}": ("grants on view public.models", "none of {role}=SELECT"),
    "GRANT INSERT ON models TO {role}": (
        "grants on view public.models",
        "also has {role}=INSERT",
    ),
    "GRANT SELECT (status) ON model TO {role}": (
        "grants on column public.models.status",
        "none of {role}=SELECT",
    ),
    "ALTER VIEW models OWNER TO {role}": ("view public.models", "the owner {role}"),
    "ALTER TABLE model ENABLE ROW LEVEL SECURITY": ("view public.models", "none"),
    "ALTER TABLE model ADD COLUMN extra text": ("view public.models", "none of extra"),
    "ALTER TABLE model DISABLE TRIGGER zz_trueup_sync_update": (
        "trigger zz_trueup_sync_update on public.model",
        "disabled",
    ),
    "ALTER TABLE model ALTER status DROP DEFAULT": (
        "default of column public.model.status",
        "none",
    ),
    "DROP INDEX request_model_id_idx": ("index on public.request (model_id)", "none"),
    "ALTER TABLE request ALTER model_id DROP NOT NULL": (
        "column public.request.model_id",
        "nullable",
    ),
    "ALTER TABLE request DROP CONSTRAINT request_model_id_fkey": (
        "foreign key of public.request (model_id)",
        "none",
    ),
}


BROKEN = [
    *(("enforce", statement, found) for statement, found in BEFORE_SWITCH.items()),
    *(("switch", statement, found) for statement, found in AFTER_SWITCH.items()),
]


@pytest.mark.parametrize(("phase", "statement", "broken"), BROKEN)
def test_what_is_broken_between_the_contracts_is_told_apart_from_what_is_left(
    make_service: MakeService,
    server_dsn: str,
    phase: str,
    statement: str,
    broken: tuple[str, str],
) -> None:
    dsn = make_service(TEXT, filled=False, at=phase).dsn
    role = f"verify_{uuid.uuid4().hex[:8]}"
    object_, shown = broken
    execute(dsn, f"CREATE ROLE {role}")
    try:
        execute(dsn, statement.format(role=role))
        before = {d for d in run(dsn).distances if d.left_for not in ("switch", "contract")}
    finally:
        execute(dsn, f"REASSIGN OWNED BY {role} TO CURRENT_USER", f"DROP OWNED BY {role}")
        execute(server_dsn, f"DROP ROLE {role}")

    found = {(d.object, d.found) for d in before}
    assert any(o == object_ and f.startswith(shown.format(role=role)) for o, f in found), found


def test_of_a_table_that_keeps_its_name_the_schema_tells_how_far_it_is(
    make_service: MakeService,
) -> None:
    service, standard = make_service(KEPT), load_standard(KEPT.standard)
    for phase, state, left in (
        ("expand", State.BOTH, {"backfill", "enforce", "switch", "contract"}),
        ("enforce", State.BOTH, {"switch", "contract"}),
        ("switch", State.SWITCHED, {"contract"}),
        ("contract", State.NEW, set[str]()),
    ):
        service.up(phase)
        found = run(service.dsn, standard)
        assert {s for _, s in found.states} == {state}, phase
        assert {d.left_for for d in found.distances} == left, phase
    service.down("online", "switch")
    assert {s for _, s in run(service.dsn, standard).states} == {State.SWITCHED}


def test_a_view_that_contract_should_have_dropped_is_a_distance(make_service: MakeService) -> None:
    dsn = make_service(TEXT, filled=False, at="window").dsn
    execute(
        dsn,
        "CREATE SCHEMA IF NOT EXISTS trueup",
        "CREATE VIEW trueup.model_sides AS SELECT id::text AS id__old, id FROM public.model",
    )
    (distance,) = run(dsn).distances
    assert (str(distance.table), distance.object) == ("public.model", "view trueup.model_sides")


def test_a_table_that_is_not_begun_is_left_for_expand_while_another_is_under_way(
    make_service: MakeService,
) -> None:
    service = make_service(TEXT, filled=False)
    assert run(service.dsn).exit_code == 1  # nothing is under way
    run_trueup(
        *("apply", "--service", str(service.folder), "--unit", "provider_quota"), dsn=service.dsn
    )
    found = run(service.dsn)
    assert found.exit_code == 6
    assert {d.left_for for d in found.distances} == {"expand", "switch", "contract"}

    execute(service.dsn, "ALTER TABLE provider_quotas ALTER provider__new DROP NOT NULL")
    execute(service.dsn, "DROP VIEW public.provider_quota")
    assert run(service.dsn).exit_code == 1
