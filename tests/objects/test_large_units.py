"""Units of more tables than one transaction can hold the locks of: the window goes file by file."""

from __future__ import annotations

import psycopg
import pytest
from support.journey import Journey, assert_same

from objects.things import PARTS, STANDARD, things
from runner.errors import StatementError
from runner.postgres.embedded import start_server
from runner.preflight import Severity, check
from runner.standard import load_standard

SCHEMAS = {
    "a chain": (
        things("n integer", "CHECK (status <> 'closed' OR n IS NULL)")
        + """
        CREATE INDEX ON things (n) WHERE status = 'open';
        UPDATE things SET id = upper(id) WHERE status = 'OPEN';
        CREATE TABLE parts (
            id varchar(36) PRIMARY KEY,
            thing_id varchar(36) NOT NULL REFERENCES things ON DELETE CASCADE DEFERRABLE
        );
        INSERT INTO parts SELECT gen_random_uuid(), id FROM things;
        COMMENT ON CONSTRAINT parts_thing_id_fkey ON parts IS 'belongs to';
        CREATE TABLE pieces (
            thing_id varchar(36) REFERENCES things (id), part_id varchar(36) REFERENCES parts,
            n serial, PRIMARY KEY (part_id, n)
        );
        INSERT INTO pieces SELECT thing_id, id FROM parts;
        """,
        STANDARD
        + PARTS
        + """
        [table.pieces]
        name = "piece"
        uuids = ["thing_id", "part_id"]
        """,
    ),
    "a cycle and a reference to itself": (
        """
        CREATE TABLE things (
            id varchar(36) PRIMARY KEY, status varchar(20) NOT NULL DEFAULT 'open',
            above_id varchar(36) REFERENCES things, part_id varchar(36)
        );
        CREATE TABLE parts (
            id varchar(36) PRIMARY KEY, thing_id varchar(36) REFERENCES things
        );
        ALTER TABLE things ADD FOREIGN KEY (part_id) REFERENCES parts;
        INSERT INTO things VALUES (upper(gen_random_uuid()::text), 'Open');
        INSERT INTO things SELECT gen_random_uuid(), 'CLOSED', id FROM things;
        INSERT INTO parts SELECT upper(gen_random_uuid()::text), id FROM things;
        UPDATE things SET part_id = p.id FROM parts AS p WHERE p.thing_id = things.id;
        """,
        STANDARD.replace('["id"]', '["id", "above_id", "part_id"]') + PARTS,
    ),
}


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.generate.locks.BEARABLE", 0)
    monkeypatch.setattr("runner.generate.locks._BATCH", 20)


@pytest.mark.parametrize(("schema", "standard"), SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.usefixtures("everything_is_large")
def test_a_large_unit_comes_through(journey: Journey, schema: str, standard: str) -> None:
    journey.there_and_back(schema, standard)


@pytest.mark.parametrize(("schema", "standard"), SCHEMAS.values(), ids=SCHEMAS)
def test_file_by_file_ends_as_one_file_does(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, schema: str, standard: str
) -> None:
    whole = journey.start(schema, standard)
    names = [p.name for p in (journey.folder / "window").glob("*fkeys_o*")]
    assert not names
    whole.up("window")
    end = whole.state("public")
    monkeypatch.setattr("runner.generate.locks.BEARABLE", 0)
    for path in (journey.folder / "window").glob("*.sql"):
        path.unlink()
    split = journey.start(schema, standard)
    assert list((journey.folder / "window").glob("*fkeys_off_1.sql"))
    split.up("window")
    assert_same(end, split.state("public"), "file by file")


@pytest.mark.usefixtures("everything_is_large")
def test_a_run_that_stopped_between_the_tables_goes_back_or_goes_on(journey: Journey) -> None:
    schema, standard = SCHEMAS["a cycle and a reference to itself"]
    service = journey.start(schema, standard)
    before = service.state("public")

    def stop_after_the_first_table() -> None:
        service.apply("window", tables_of(journey)[0])
        assert len({"thing", "part"} & set(service.rows())) == 1

    stop_after_the_first_table()
    service.down("window")
    assert_same(before, service.state("public"), "from half the way")
    stop_after_the_first_table()
    service.up("window")
    service.down("window")
    assert_same(before, service.state("public"), "from the end")
    with psycopg.connect(service.dsn) as connection:
        left = connection.execute("SELECT FROM pg_class WHERE relname LIKE '%_reversal'").fetchall()
    assert not left


@pytest.mark.usefixtures("everything_is_large")
def test_a_row_that_was_written_between_the_files_stops_them(journey: Journey) -> None:
    schema, standard = SCHEMAS["a chain"]
    service = journey.start(schema, standard)
    thing = next(name for name in tables_of(journey) if name.endswith("_thing"))
    last_off = max(name for name in names_of(journey) if "fkeys_off" in name)
    service.apply("window", last_off)
    with psycopg.connect(service.dsn) as connection:
        connection.execute("INSERT INTO things VALUES (upper(gen_random_uuid()::text), 'OPEN')")
    with pytest.raises(StatementError, match="written since the spellings were kept"):
        service.apply("window", thing)
    service.down("window")
    assert b"OPEN" in service.rows()["things"]


def test_check_tells_when_a_server_has_too_few_locks(journey: Journey) -> None:
    schema, standard = SCHEMAS["a chain"]
    start = journey.start(schema, standard)
    loaded = load_standard(journey.folder / "standard.toml")
    with psycopg.connect(start.dsn, autocommit=True) as connection:
        assert not [f for f in check(connection, loaded).findings if "locks" in f.problem]
    few = {"max_connections": "10", "max_locks_per_transaction": "10"}
    with start_server(settings=few) as small:
        small.create_database("few")
        with psycopg.connect(small.dsn("few"), autocommit=True) as connection:
            connection.execute(schema.encode())
            found = [f for f in check(connection, loaded).findings if "locks" in f.problem]
    assert [f.severity for f in found] == [Severity.KNOW]
    assert "has room for 100 locks" in found[0].problem
    assert (found[0].hint or "").startswith("Set max_locks_per_transaction = 1")


def names_of(journey: Journey) -> list[str]:
    """The ids of the window's files."""
    paths = (journey.folder / "window").glob("*.sql")
    return sorted(p.stem for p in paths if "rollback" not in p.name)


def tables_of(journey: Journey) -> list[str]:
    """The ids of those that convert one table."""
    return [n for n in names_of(journey) if n.endswith(("window_thing", "window_part"))]
