"""Several schemas in one standard: tables of one name, keys across them, types elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from support.journey import Journey
from support.runs import run_trueup
from support.variants import Service, write_generated

from objects.things import ENUM, things
from objects.things import STANDARD as ONE
from runner.errors import StandardError

SCHEMAS = ("public", "billing")

# Both schemas have things and parts; billing's parts belong to public's things.
TABLES = """
    CREATE SCHEMA billing;
    CREATE SCHEMA types;
    CREATE TYPE types.state AS ENUM ('open', 'closed');
    CREATE TABLE public.things (
        id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::varchar,
        status varchar(20) NOT NULL DEFAULT 'open'
    );
    CREATE TABLE billing.things (
        id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::varchar,
        status types.state NOT NULL DEFAULT 'open',
        before types.state[]
    );
    CREATE INDEX things_status_idx ON public.things (status);
    CREATE INDEX things_status_idx ON billing.things (status) WHERE status = 'open';
    CREATE TABLE public.parts (
        id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::varchar,
        thing_id varchar(36) NOT NULL REFERENCES billing.things ON DELETE CASCADE
    );
    CREATE TABLE billing.parts (
        id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::varchar,
        thing_id varchar(36) REFERENCES public.things (id),
        other_id varchar(36) REFERENCES billing.things (id)
    );
    INSERT INTO public.things (status) VALUES ('open'), ('Closed');
    INSERT INTO billing.things (id, status, before)
    VALUES (upper(gen_random_uuid()::text), 'closed', '{open,closed}');
    INSERT INTO public.parts (thing_id) SELECT id FROM billing.things;
    INSERT INTO billing.parts (thing_id, other_id)
    SELECT t.id, b.id FROM public.things AS t, billing.things AS b;
"""

STANDARD = (
    ENUM
    + """
[table.things]
name = "thing"
uuids = ["id"]
enums.status = "Status"

[table.parts]
name = "part"
uuids = ["id", "thing_id"]

[schema.billing.things]
name = "thing"
uuids = ["id"]
enums = { status = "Status", before = "Status" }

[schema.billing.parts]
name = "part"
uuids = ["id", "thing_id", "other_id"]
"""
)


@pytest.fixture
def both(journey: Journey) -> Journey:
    return replace(journey, schemas=SCHEMAS)


def test_two_schemas_with_the_same_names_come_through(both: Journey) -> None:
    both.there_and_back(TABLES, STANDARD)


def test_a_schema_that_is_not_the_services_own_is_told_apart_by_its_name(both: Journey) -> None:
    service = both.start(TABLES, STANDARD)
    names = {p.stem.partition("_")[2] for p in both.folder.rglob("*.sql")}
    assert {"expand_thing", "expand_billing_thing", "contract_billing_thing_close"} <= names
    service.up("switch")
    with psycopg.connect(service.dsn) as connection:
        found = connection.execute("SELECT compat_view FROM trueup.odometer ORDER BY 1")
        assert found.fetchall() == [
            ("billing.parts",),
            ("billing.things",),
            ("public.parts",),
            ("public.things",),
        ]
        # Each contract writes, the other one sees it, in both schemas.
        connection.execute("INSERT INTO billing.things (id) VALUES (gen_random_uuid()::varchar)")
        connection.execute("INSERT INTO billing.thing (status) VALUES ('CLOSED')")
        connection.execute("INSERT INTO public.thing (status) VALUES ('OPEN')")
        count = "SELECT count(*) FROM {} WHERE status = '{}'"
        for table, status, rows in (
            ("billing.thing", "OPEN", 1),
            ("billing.things", "closed", 2),
            ("public.things", "open", 2),
        ):
            assert connection.execute(count.format(table, status)).fetchone() == (rows,)


def test_check_status_and_verify_know_both_schemas(both: Journey) -> None:
    service = both.start(TABLES, STANDARD)
    named = ("--sources", str(both.folder / "online"))
    standard = ("--standard", str(both.folder / "standard.toml"))
    checked = run_trueup("check", *standard, *named, dsn=service.dsn)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "billing.things" in checked.stdout
    service.up("switch")
    status = run_trueup("status", *named, dsn=service.dsn)
    assert "billing.things" in status.stdout
    assert "public.things" in status.stdout
    halfway = run_trueup("verify", *standard, *named, dsn=service.dsn)
    assert "distance to the standard: 0" not in halfway.stdout
    assert "to read its odometer" not in halfway.stdout
    service.up("contract")
    verified = run_trueup("verify", *standard, *named, dsn=service.dsn)
    assert "distance to the standard: 0" in verified.stdout, verified.stdout


def test_a_proposal_covers_the_schemas_that_are_named(both: Journey, tmp_path: Path) -> None:
    service = both.start(TABLES, STANDARD)
    path = tmp_path / "proposed.toml"
    done = run_trueup(
        *("propose", "journey", "--schema", "public", "--schema", "billing"),
        *("--output", str(path)),
        dsn=service.dsn,
    )
    assert done.returncode == 0, done.stderr
    proposed = path.read_text(encoding="utf-8")
    assert '[schema.billing.things]\nname = "thing"' in proposed
    assert '"other_id",  # all 2 values are uuids' in proposed
    assert 'enums.before = "State"  # labels: open, closed' in proposed
    body = proposed.partition("[enum.State]")[2]
    again = replace(both, folder=tmp_path / "again")
    again.folder.mkdir()
    again.there_and_back(TABLES, "[enum.State]" + body, strategies=["window"])


OTHER = """
    CREATE SCHEMA other;
    CREATE TABLE other.things (id varchar(36) PRIMARY KEY, status varchar(20) NOT NULL);
    INSERT INTO other.things VALUES (upper(gen_random_uuid()::text), 'Open');
"""


def test_two_services_of_one_database_keep_apart(journey: Journey, tmp_path: Path) -> None:
    """One has schema public, one another; each has a table things, and spellings to keep."""
    first = journey.start(things(then=OTHER), ONE)
    folder = tmp_path / "other"
    folder.mkdir()
    standard = folder / "standard.toml"
    standard.write_text('[service]\nname = "other"\nschema = "other"\n' + ONE, encoding="utf-8")
    write_generated(standard, first.dsn, folder, schemas=("other",))
    before = first.rows(*SCHEMAS, "other")
    first.up("contract")
    second = Service(first.dsn, folder)
    second.up("window")
    with psycopg.connect(first.dsn) as connection:
        statement = "SELECT relname FROM pg_class WHERE relname ~ '_reversal$' ORDER BY 1"
        assert connection.execute(statement).fetchall() == [
            ("other__thing_reversal",),
            ("thing_reversal",),
        ]
    second.down("window")
    first.down("online")
    assert first.rows(*SCHEMAS, "other") == before


def test_two_tables_that_want_one_thing_of_trueups_are_refused(both: Journey) -> None:
    schema = things(
        then="""
            CREATE SCHEMA billing;
            CREATE TABLE billing.things (id varchar(36) PRIMARY KEY);
            CREATE TABLE billing__things (id varchar(36) PRIMARY KEY);
        """
    )
    standard = """
        [table.billing__things]
        name = "billing_other"
        uuids = ["id"]

        [schema.billing.things]
        name = "thing"
        uuids = ["id"]
    """
    reason = "public.billing__things and billing.things would both have trueup.billing__things_used"
    with pytest.raises(StandardError, match=reason):
        both.start(schema, standard)
