"""What files of somebody else's can do on a scratch server: nothing beyond their database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import psycopg
import pytest
from psycopg import Error, errors, sql
from psycopg.conninfo import make_conninfo

from runner.errors import ScratchError
from runner.execute.schema_copy import Schema, load_schema
from runner.postgres.connect import connect, parse_dsn
from runner.postgres.plain import Allowance
from runner.postgres.scratch import Limits, Role, ScratchServer, require_plain, scratch_server
from runner.postgres.trace import Tracer


@pytest.fixture(scope="module")
def own() -> Iterator[ScratchServer]:
    os.environ["TRUEUP_TEST_SECRET"] = "s3cret"
    try:
        with scratch_server() as scratch:
            yield scratch
    finally:
        del os.environ["TRUEUP_TEST_SECRET"]


@pytest.fixture
def files(own: ScratchServer) -> Iterator[psycopg.Connection]:
    """The session in which files run."""
    dsn = own.create()
    with connect(dsn, application_name="test") as connection:
        yield connection
    own.drop(dsn)


REFUSED = [
    "COPY (SELECT 1) TO PROGRAM 'id > {folder}/pwned'",
    "COPY (SELECT 1) TO '{folder}/pwned'",
    "CREATE TABLE t (line text); COPY t FROM PROGRAM 'id'",
    "CREATE TABLE t (line text); COPY t FROM '/etc/passwd'",
    "DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {folder}/pwned'''; END $$",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/proc/self/environ')",
    "SELECT pg_ls_dir('/')",
    "SELECT pg_stat_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(lo_from_bytea(0, 'x'), '{folder}/pwned')",
    "ALTER SYSTEM SET archive_command = 'touch {folder}/pwned'",
    "SET session_preload_libraries = '{folder}/evil.so'",
    "ALTER ROLE CURRENT_USER SET session_preload_libraries = '{folder}/evil.so'",
    "LOAD '{folder}/evil.so'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '{folder}/evil.so'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'pg_reload_conf'",
    "CREATE EXTENSION plpython3u",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION postgres_fdw",
    "CREATE EXTENSION file_fdw",
    "CREATE ROLE other SUPERUSER LOGIN",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "CREATE ROLE other IN ROLE pg_execute_server_program",
    "GRANT pg_execute_server_program TO CURRENT_USER",
    "GRANT pg_read_server_files TO CURRENT_USER",
    "RESET ROLE; SET SESSION AUTHORIZATION DEFAULT; COPY (SELECT 1) TO PROGRAM 'id'",
    "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
    " CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
    "CREATE SUBSCRIPTION s CONNECTION 'host=localhost' PUBLICATION p",
    "CREATE TABLESPACE t LOCATION '{folder}'",
    "UPDATE pg_authid SET rolsuper = true",
    "SELECT rolpassword FROM pg_authid",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_a_file_leaves_its_database_by_no_way(
    files: psycopg.Connection, tmp_path: Path, statement: str
) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(Error):
        files.execute(statement.replace("{folder}", str(tmp_path)).encode())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", ["admin", "files"])
def test_nobody_gets_in_without_the_password(own: ScratchServer, role: str) -> None:
    files = parse_dsn(own.create())
    values = {**(parse_dsn(own.dsn) if role == "admin" else files), "dbname": files["dbname"]}
    psycopg.connect(make_conninfo(**values)).close()
    del values["password"]
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(make_conninfo(**values))


def test_the_administrator_of_the_server_is_no_role_that_files_could_become(
    own: ScratchServer, files: psycopg.Connection
) -> None:
    admin = parse_dsn(own.dsn)["user"]
    for statement in ("SET ROLE {}", "SET SESSION AUTHORIZATION {}", "GRANT {} TO CURRENT_USER"):
        with pytest.raises(errors.InsufficientPrivilege):
            files.execute(sql.SQL(statement).format(sql.Identifier(admin)))


def test_the_server_knows_nothing_of_our_environment(own: ScratchServer) -> None:
    assert own.server is not None
    pid = (own.server.data / "postmaster.pid").read_text().splitlines()[0]
    environment = Path(f"/proc/{pid}/environ").read_text()
    assert "s3cret" not in environment
    names = {line.partition("=")[0] for line in environment.split("\0") if line}
    assert names <= {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ", "LC_ALL"}


def test_the_server_is_not_of_the_account_that_real_databases_are_of(own: ScratchServer) -> None:
    assert own.server is not None
    owner = own.server.data.stat().st_uid
    assert owner != 0
    if os.geteuid() == 0:
        assert own.server.data.owner() == "nobody"


def test_files_have_the_rights_that_migrations_need(
    files: psycopg.Connection, own: ScratchServer
) -> None:
    own.make_roles([Role("postgres", superuser=True), Role('app "x"')])
    tracer = Tracer(files)
    for statement in (
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.t (a int)",
        'ALTER TABLE shop.t OWNER TO "app ""x"""',
        "ALTER SCHEMA shop OWNER TO postgres",
        "ALTER TABLE shop.t OWNER TO Postgres;",
        "ALTER TABLE shop.t ADD COLUMN b int",
        "COMMENT ON SCHEMA public IS 'ours'",
        "ALTER TABLE shop.t FORCE ROW LEVEL SECURITY",
        "INSERT INTO shop.t VALUES (1)",
        "VACUUM ANALYZE shop.t",
        "CREATE INDEX CONCURRENTLY ON shop.t (a)",
    ):
        assert tracer.execute(statement) == ""
    assert files.execute("SELECT count(*) FROM shop.t").fetchone() == (1,)
    lent = files.execute(
        "SELECT has_schema_privilege('app \"x\"', 'shop', 'CREATE'),"
        " has_database_privilege('postgres', current_database(), 'CREATE')"
    ).fetchone()
    assert lent == (False, False)


def test_rows_are_filled_in_past_triggers_and_keys_as_a_role_without_superuser(
    own: ScratchServer, files: psycopg.Connection, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    pwned = sql.Literal(f"COPY (SELECT 1) TO PROGRAM 'id > {tmp_path}/pwned'")
    files.execute(
        sql.SQL(
            "CREATE FUNCTION note() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
            " BEGIN EXECUTE {}; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN true; END $$;"
            "CREATE TABLE parent (id int PRIMARY KEY);"
            "CREATE TABLE child (id int REFERENCES parent, CHECK (note()))"
        ).format(pwned)
    )
    dsn = make_conninfo(**{**parse_dsn(own.dsn), "dbname": files.info.dbname})
    with connect(own.loads(dsn), application_name="test") as loader:
        loader.execute("INSERT INTO child VALUES (1)")
        assert loader.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    assert list(tmp_path.iterdir()) == []


def test_what_only_a_superuser_may_do_is_left_out_and_told(
    files: psycopg.Connection,
) -> None:
    allowance = Allowance()
    tracer = Tracer(files, allowance)
    with files.transaction():
        tracer.begin()
        left = tracer.run("-- for measuring\nCREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        ran = tracer.run("CREATE TABLE t (a int)")
        gone = tracer.run("DROP EXTENSION pg_stat_statements")
    assert "pg_stat_statements" in left.skipped
    assert not ran.skipped
    assert gone.skipped
    assert list(allowance.skipped) == ["EXTENSION pg_stat_statements"]
    with pytest.raises(errors.UndefinedObject):
        tracer.execute("DROP EXTENSION hstore")


@pytest.mark.parametrize("inside", [True, False], ids=["transaction", "alone"])
def test_a_role_that_only_the_live_server_has_gets_a_stand_in(
    own: ScratchServer, files: psycopg.Connection, inside: bool
) -> None:
    tracer = Tracer(files, own.allowance)
    names = [f"{kind} {inside}" for kind in ("reader", "Writer", "owner", "made")]
    reader, writer, owner, made = (sql.Identifier(name).as_string() for name in names)
    with files.transaction() if inside else nullcontext():
        for statement in (
            "CREATE TABLE t (a int)",
            f"GRANT SELECT ON t TO {reader}, {writer}",
            f"DO $$ BEGIN EXECUTE 'GRANT INSERT ON t TO {writer}'; END $$",
            f"ALTER TABLE t OWNER TO {owner}",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO {reader}",
            f"CREATE POLICY p ON t TO {writer} USING (true)",
            f"CREATE ROLE {made} NOLOGIN",
            f"GRANT SELECT ON t TO {made}",
        ):
            tracer.execute(statement)
    assert set(names[:3]) <= set(own.allowance.roles)
    assert "stand-ins were made for roles" in own.allowance.notes()[-1]
    with pytest.raises(errors.InsufficientPrivilege):
        files.execute("CREATE ROLE strong SUPERUSER")
    with pytest.raises(errors.UndefinedObject):
        Tracer(files).execute("GRANT SELECT ON t TO nowhere")


def test_rows_that_a_file_selects_are_not_kept(files: psycopg.Connection) -> None:
    tracer = Tracer(files)
    tracer.execute("SELECT n INTO TEMP kept FROM generate_series(1, 3) AS n")
    tracer.execute("SELECT * FROM generate_series(1, 3)")
    tracer.execute("WITH x AS (SELECT 1) INSERT INTO kept SELECT * FROM x")
    assert files.execute("SELECT count(*) FROM kept").fetchone() == (4,)
    with pytest.raises(errors.UndefinedTable):
        tracer.execute("SELECT * FROM nowhere")
    with pytest.raises(errors.DivisionByZero):
        tracer.execute("SELECT 1 / (n - 3) FROM generate_series(1, 5) AS n")


@pytest.mark.parametrize(
    ("limits", "statement", "reason"),
    [
        (Limits(seconds=2), "SELECT pg_sleep(60)", "longer than 2 s"),
        (
            Limits(seconds=2),
            "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL;"
            " END; END LOOP; END $$",
            "longer than 2 s",
        ),
        (
            Limits(disk=32 * 1024**2),
            "CREATE TABLE t AS SELECT repeat(md5(n::text), 30) AS a"
            " FROM (SELECT generate_series(1, 10000000) AS n) AS x",
            "wrote more than",
        ),
    ],
    ids=["time", "caught", "disk"],
)
def test_what_goes_too_far_is_ended(limits: Limits, statement: str, reason: str) -> None:
    def run() -> None:
        with (
            scratch_server(limits=limits) as scratch,
            connect(scratch.create(), application_name="test") as connection,
        ):
            connection.execute(statement.encode())

    with pytest.raises(ScratchError, match=reason):
        run()


def test_memory_is_limited(own: ScratchServer) -> None:
    with scratch_server(limits=Limits(memory=1024**3)) as scratch:
        dsn = scratch.create()
        with connect(dsn, application_name="test") as connection:
            connection.execute("SET work_mem = '2000MB'")
            with pytest.raises(errors.OutOfMemory):
                connection.execute(
                    "SELECT cardinality(array_agg(repeat(n::text, 10000000)))"
                    " FROM generate_series(1, 200) AS n"
                )


def test_a_named_server_is_left_as_it_was(server_dsn: str) -> None:
    def known() -> list[tuple[str]]:
        with psycopg.connect(server_dsn) as connection:
            return connection.execute(
                "SELECT rolname FROM pg_roles UNION SELECT datname FROM pg_database ORDER BY 1"
            ).fetchall()

    before = known()
    with scratch_server(server_dsn) as scratch:
        dsn = scratch.create()
        with connect(dsn, application_name="test") as connection:
            connection.execute("CREATE TABLE t ()")
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute("CREATE ROLE stays")
            Tracer(connection, scratch.allowance).execute("GRANT SELECT ON t TO goes_again")
    assert known() == before


def test_a_database_of_somebody_elses_is_refused_to_a_superuser(
    database: str, own: ScratchServer
) -> None:
    with pytest.raises(ScratchError, match="read files and start programs"):
        require_plain(database)
    dsn = own.create()
    require_plain(dsn)


def test_a_setting_of_a_newer_pg_dump_is_no_loss(own: ScratchServer) -> None:
    dumped = ("SET made_by_a_newer_release = 0;", "CREATE TABLE t (made unknown_type);")
    dsn = own.create()
    try:
        (lost,) = load_schema(own, own.loads(dsn), Schema(dumped, (), ()), lambda: None)
    finally:
        own.drop(dsn)
    assert "unknown_type" in lost
