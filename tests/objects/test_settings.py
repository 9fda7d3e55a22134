"""What tables, columns and indexes have beside their definition: privileges, comments, settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.journey import Journey
from support.runs import query

from objects.things import PARTS, STANDARD, things
from runner.errors import StatementError
from runner.preflight import check
from runner.standard import load_standard

SETTINGS = {
    "of columns": things(
        "n integer",
        "m text",
        then="""
            ALTER TABLE things
                ALTER id SET STATISTICS 7,
                ALTER m SET STATISTICS 0,
                ALTER n SET (n_distinct = -0.5, n_distinct_inherited = 3),
                ALTER status SET (n_distinct = 2),
                ALTER m SET STORAGE PLAIN,
                ALTER m SET COMPRESSION pglz,
                ALTER status SET STORAGE EXTERNAL,
                ALTER id SET STORAGE MAIN;
        """,
    ),
    "of the table": things(
        "n integer",
        then="""
            ALTER TABLE things SET (
                fillfactor = 50, toast.autovacuum_enabled = off, parallel_workers = 3
            );
            CREATE INDEX by_status ON things (status);
            CLUSTER things USING by_status;
        """,
    ),
    "of indexes": things(
        "n integer",
        "m text",
        "UNIQUE (n) INCLUDE (m)",
        then="""
            ALTER INDEX things_pkey SET (fillfactor = 60);
            ALTER INDEX things_n_m_key SET (fillfactor = 70);
            CREATE INDEX ON things (status) WITH (fillfactor = 50, deduplicate_items = off);
            CREATE INDEX by_two ON things ((n + 1), lower(m));
            ALTER INDEX by_two ALTER COLUMN 1 SET STATISTICS 300;
        """,
    ),
    "of indexes with values": things(
        "n integer",
        then="""
            CREATE INDEX open_ones ON things ((n + 1)) WHERE status = 'open';
            ALTER INDEX open_ones ALTER COLUMN 1 SET STATISTICS 300;
            COMMENT ON INDEX open_ones IS 'the open ones';
            CREATE INDEX by_openness ON things ((status = 'open'), n);
            CLUSTER things USING by_openness;
        """,
    ),
    "collations": things(
        'n text COLLATE "C"',
        "m varchar(10) COLLATE \"POSIX\" NOT NULL DEFAULT 'q'",
    ),
    "collations of converted columns": """
        CREATE TABLE things (
            id varchar(36) COLLATE "C" PRIMARY KEY,
            status varchar(20) COLLATE "POSIX" NOT NULL DEFAULT 'open'
        );
        INSERT INTO things VALUES (gen_random_uuid(), 'Open');
    """,
    "triggers": things(
        then="""
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
            CREATE TRIGGER a BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION f();
            CREATE TRIGGER b BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION f();
            CREATE TRIGGER c BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION f();
            CREATE TRIGGER d AFTER DELETE ON things FOR EACH STATEMENT EXECUTE FUNCTION f();
            CREATE CONSTRAINT TRIGGER e AFTER UPDATE ON things
                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();
            ALTER TABLE things
                ENABLE ALWAYS TRIGGER a, ENABLE REPLICA TRIGGER b, DISABLE TRIGGER c;
            COMMENT ON TRIGGER a ON things IS 'first';
        """
    ),
    "defaults of null": things(
        "kind varchar(9) DEFAULT NULL",
        then="ALTER TABLE things ALTER id SET DEFAULT NULL, ALTER status SET DEFAULT NULL;",
    ),
    "a default of another type": things(
        then="ALTER TABLE things ALTER status SET DEFAULT 'open'::text;",
    ),
    "what stands on other columns": things(
        "n integer NOT NULL DEFAULT 1",
        "m integer",
        then="""
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
            CREATE TRIGGER t BEFORE UPDATE OF n ON things FOR EACH ROW EXECUTE FUNCTION f();
            COMMENT ON TRIGGER t ON things IS 'it''s on n';
            ALTER TABLE things DISABLE TRIGGER t;
            CREATE TRIGGER u BEFORE UPDATE OF n ON things FOR EACH ROW EXECUTE FUNCTION f();
            CREATE POLICY p ON things FOR SELECT USING (n > 0);
            COMMENT ON POLICY p ON things IS 'it''s on n too';
            CREATE STATISTICS s ON n, m FROM things;
            COMMENT ON STATISTICS s IS 'and so is this';
            ALTER STATISTICS s SET STATISTICS 300;
        """,
    ),
}


@pytest.mark.parametrize("schema", SETTINGS.values(), ids=SETTINGS)
def test_settings_come_through(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)


def test_comments_come_through(journey: Journey) -> None:
    schema = things(
        "n integer UNIQUE CHECK (n > 0)",
        "CHECK (status <> 'x')",
        then="""
            CREATE TABLE parts (
                id varchar(36) PRIMARY KEY, thing_id varchar(36) REFERENCES things,
                n integer REFERENCES things (n)
            );
            COMMENT ON TABLE things IS 'a table';
            COMMENT ON COLUMN things.id IS 'a converted column';
            COMMENT ON COLUMN things.n IS 'a column';
            COMMENT ON CONSTRAINT things_pkey ON things IS 'a converted key';
            COMMENT ON CONSTRAINT things_n_key ON things IS 'a key';
            COMMENT ON CONSTRAINT things_status_check ON things IS 'a CHECK of old values';
            COMMENT ON CONSTRAINT things_n_check ON things IS 'a CHECK';
            COMMENT ON CONSTRAINT parts_thing_id_fkey ON parts IS 'a converted foreign key';
            COMMENT ON CONSTRAINT parts_n_fkey ON parts IS 'a foreign key';
            COMMENT ON INDEX things_pkey IS 'a converted index';
            COMMENT ON INDEX things_n_key IS 'an index';
        """,
    )
    journey.there_and_back(schema, STANDARD + PARTS)


def test_privileges_come_through(journey: Journey, roles: None) -> None:
    schema = things(
        "n integer",
        "m text",
        then="""
            GRANT CREATE, USAGE ON SCHEMA public TO object_owner;
            ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO object_report;
            ALTER TABLE things OWNER TO object_owner;
            GRANT SELECT (id, n), UPDATE (status, m) ON things TO object_app WITH GRANT OPTION;
            GRANT TRUNCATE, REFERENCES (id) ON things TO object_app;
            GRANT SELECT ON things TO PUBLIC;
            REVOKE DELETE ON things FROM object_owner;
        """,
    )
    journey.there_and_back(schema, STANDARD)


def test_rights_that_clients_passed_on_come_through(journey: Journey, roles: None) -> None:
    schema = things(
        then="""
            GRANT SELECT (status) ON things TO object_app WITH GRANT OPTION;
            SET ROLE object_app;
            GRANT SELECT (status) ON things TO object_report;
            RESET ROLE;
        """,
    )
    service = journey.start(schema, STANDARD)
    rights = (
        "SELECT r, has_column_privilege(r, c.oid, 'status', 'SELECT') FROM pg_class AS c,"
        " unnest(ARRAY['object_app', 'object_report']) AS r WHERE c.relname IN ('thing', 'things')"
    )
    for phase in ("expand", "switch", "contract"):
        service.up(phase)
        assert {may for _, may in query(service.dsn, rights)} == {True}, phase
    service.down("online")
    assert {may for _, may in query(service.dsn, rights)} == {True}


def test_a_column_that_ends_as_an_old_side_keeps_its_grants_in_the_compat_view(
    journey: Journey, roles: None
) -> None:
    schema = things(
        "reason__old text",
        then="""
            GRANT SELECT (reason__old) ON things TO object_app;
            COMMENT ON COLUMN things.reason__old IS 'as it was';
        """,
    )
    service = journey.start(schema, STANDARD)
    before = service.catalog().relations[("public", "things")].column("reason__old")  # type: ignore[index]
    service.up("switch")
    shown = service.catalog().relations[("public", "things")].column("reason__old")  # type: ignore[index]
    assert before is not None
    assert shown is not None
    assert (shown.acl, shown.comment) == (before.acl, before.comment)


def test_forced_row_security_hides_no_row_from_the_way_back(
    journey: Journey, roles: None, since: Callable[[int], None]
) -> None:
    since(15)
    schema = things(
        "k integer",
        "n integer DEFAULT 3",
        "m integer GENERATED ALWAYS AS (n + 1) STORED",
        then="""
            CREATE POLICY filled ON things USING (k IS NOT NULL);
            ALTER TABLE things ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        """,
    )
    journey.there_and_back(schema, STANDARD)


def test_tables_of_two_owners_under_row_security_that_a_foreign_key_ties(
    journey: Journey, roles: None, since: Callable[[int], None]
) -> None:
    since(15)
    schema = things(
        "k integer",
        then="""
            CREATE TABLE parts (
                id varchar(36) PRIMARY KEY, thing_id varchar(36) REFERENCES things, n integer
            );
            INSERT INTO things VALUES (upper(gen_random_uuid()::text), 'Open', 1);
            INSERT INTO parts SELECT gen_random_uuid(), id, k FROM things;
            ALTER TABLE things OWNER TO object_owner, ENABLE ROW LEVEL SECURITY,
                FORCE ROW LEVEL SECURITY;
            ALTER TABLE parts OWNER TO object_report, ENABLE ROW LEVEL SECURITY,
                FORCE ROW LEVEL SECURITY;
            GRANT REFERENCES, SELECT ON things TO object_report;
            GRANT SELECT, INSERT ON things, parts TO object_app;
            CREATE POLICY own ON things TO object_app USING (k > 0);
            CREATE POLICY own ON parts TO object_app
                USING (thing_id IN (SELECT id FROM things));
            CREATE POLICY added ON things FOR INSERT WITH CHECK (true);
            CREATE POLICY added ON parts FOR INSERT WITH CHECK (true);
        """,
    )
    journey.there_and_back(schema, STANDARD + PARTS)
    service = journey.start(schema, STANDARD + PARTS)
    client = make_conninfo(service.dsn, options="-c role=object_app")
    for phase in ("enforce", "switch", "contract"):
        service.up(phase)
        for thing, part, status in (("things", "parts", "open"), ("thing", "part", "OPEN")):
            if phase == "contract" and status == "open":
                continue  # The old names are gone.
            query(
                client,
                f"WITH parent AS (SELECT id FROM {thing} WHERE status = '{status}' LIMIT 1)"
                f" INSERT INTO {part} (id, thing_id) SELECT gen_random_uuid(), id FROM parent",
            )
            seen = f"SELECT count(*) FROM {part} WHERE thing_id IS NOT NULL"
            assert query(client, seen) == query(
                service.dsn, f"{seen} AND thing_id IN (SELECT id FROM {thing} WHERE k > 0)"
            )
    service.down("online")


@pytest.fixture
def other(server_dsn: str) -> Iterator[str]:
    name = "Ann O'Hara"  # as odd as names of roles may be
    query(server_dsn, 'CREATE ROLE "Ann O\'Hara"')
    yield name
    query(server_dsn, 'DROP ROLE "Ann O\'Hara"')


def test_an_index_of_operators_is_built_where_nobody_else_may_create(
    journey: Journey, other: str
) -> None:
    schema = things(then="CREATE INDEX by_openness ON things ((status = 'open'));")
    service = journey.start(schema, STANDARD)
    query(service.dsn, 'GRANT USAGE, CREATE ON SCHEMA public TO "Ann O\'Hara"')
    try:
        with psycopg.connect(service.dsn, autocommit=True) as connection:
            (stop,) = check(connection, load_standard(journey.folder / "standard.toml")).stops
        assert f'"{other}" may create in it' in stop.problem
        assert f'REVOKE CREATE ON SCHEMA public FROM "{other}"' in (stop.hint or "")
        with pytest.raises(StatementError, match=f'"{other}" may create in the schema') as refused:
            service.up("enforce")
        assert f'REVOKE CREATE ON SCHEMA public FROM "{other}"' in str(refused.value)
        # Who owns the table may write triggers of it, which run as whoever fills it.
        query(service.dsn, 'ALTER TABLE things OWNER TO "Ann O\'Hara"')
        service.up("enforce")
        service.down("online")
    finally:
        query(service.dsn, 'DROP OWNED BY "Ann O\'Hara" CASCADE')
