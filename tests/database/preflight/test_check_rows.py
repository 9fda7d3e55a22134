"""`trueup check`: rows that would stop the conversion, found before anything is changed."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from support.checks import (
    PLANNING,
    STANDARD,
    about,
    execute,
    run,
    shown_rows,
)
from support.variants import (
    DIRTY,
    NATIVE_LOWER,
    NATIVE_UPPER,
    ODD,
    SHIPPED,
    TEXT,
    MakeService,
    Variant,
)

from runner.preflight import Severity, check, data
from runner.preflight.rules import UUID_PATTERN, is_canonical, is_uuid, same_uuid
from runner.standard import load_standard


@pytest.mark.parametrize("variant", [TEXT, NATIVE_UPPER, NATIVE_LOWER], ids=str)
def test_clean_data_is_ready(make_service: MakeService, variant: Variant) -> None:
    service = make_service(variant)

    report = run(service.dsn, load_standard(variant.standard))

    assert report.ready
    assert all(table.rows > 0 for table in report.tables)
    assert len(report.tables) == 3


def test_dirty_data_is_listed_with_rows_samples_and_their_query(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    rows = [f for f in report.findings if f.rows is not None]
    for finding in rows:
        assert shown_rows(dsn, finding) == finding.rows, finding
    # Large tables are read one by one.
    monkeypatch.setattr(data, "_SMALL", 0)
    again = run(dsn)
    assert [f for f in again.findings if f.rows is not None] == rows
    assert [t.name for t in again.tables] == [t.name for t in report.tables]


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
    (toolkit,) = (SHIPPED / "common").glob("*_toolkit_*_common.sql")
    assert UUID_PATTERN in toolkit.read_text(encoding="utf-8")


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

    # A table whose rows the server does not evaluate hides none of what others hold.
    execute(dsn, "ALTER TABLE models ADD CHECK (1 / (length(id) - length(id)) > 0) NOT VALID")
    report = run(dsn)
    assert about(report, "public.requests.model_id") == finding
    assert "division by zero" in about(report, "public.models").problem
    assert "public.models" not in {str(read.name) for read in report.tables}


def test_a_key_from_outside_the_standard_stops_it(make_service: MakeService) -> None:
    dsn = make_service(TEXT).dsn
    execute(dsn, "CREATE SCHEMA other; CREATE TABLE other.bill (m varchar REFERENCES models (id))")

    assert "references id" in about(run(dsn), "other.bill.bill_m_fkey").problem
