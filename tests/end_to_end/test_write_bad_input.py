"""Dumps, modules and standards that are not as they should be: one message, nothing written."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import tarfile
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.runs import run_trueup

from runner.postgres.embedded import EmbeddedServer

NEWER = r"""
--
-- PostgreSQL database dump
--

\restrict mMZq0gnZpUNaT6RyM0VCdbzZxSU7DWwWbhWnJcyXZkPCNkNyYcYyW1Zeb9BPjOA

-- Dumped from database version 19.1
-- Dumped by pg_dump version 19.1

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET setting_of_tomorrow = 'on';
SET client_encoding = 'UTF8';

CREATE DATABASE planning;
\connect planning

CREATE EXTENSION IF NOT EXISTS no_such_extension WITH SCHEMA public;
COMMENT ON EXTENSION no_such_extension IS 'is not there';

CREATE TABLE public.plans (
    id character varying(36) NOT NULL,
    title text
);
CREATE TABLE public.places (
    id integer,
    spot public.no_such_type
);

COPY public.plans (id, title) FROM stdin;
0c0ffee0-0000-4000-8000-000000000001	CREATE TABLE x ();
0c0ffee0-0000-4000-8000-000000000002	\N
\.

ALTER TABLE ONLY public.plans ADD CONSTRAINT plans_pkey PRIMARY KEY (id);
\echo said by psql
\! touch left_behind

\unrestrict mMZq0gnZpUNaT6RyM0VCdbzZxSU7DWwWbhWnJcyXZkPCNkNyYcYyW1Zeb9BPjOA
"""

COMPLETE = "--\n-- PostgreSQL database dump complete\n--\n"


def refusal(*arguments: str, cwd: Path, dsn: str | None = None, exit_code: int = 2) -> str:
    """What a run says that must stop without having written anything."""
    before = sorted(cwd.rglob("*"))
    done = run_trueup(*arguments, dsn=dsn, cwd=cwd, PYTHONDONTWRITEBYTECODE="")
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("error: ") == 1
    assert (done.returncode, done.stdout) == (exit_code, ""), done.stderr
    assert sorted(cwd.rglob("*")) == before
    return done.stderr


@pytest.fixture
def psql(server: EmbeddedServer) -> None:
    """Go on only where the server has the program that loads a dump."""
    if not (server.binaries.directory / "psql").exists():
        pytest.skip("these binaries have no psql")


def propose_from(dump: Path) -> tuple[str, ...]:
    return ("propose", "s", "--dump", str(dump), "--output", "standard.toml")


@pytest.mark.usefixtures("psql")
def test_what_loads_of_a_newer_dump_with_psql_commands_is_proposed_and_the_rest_told(
    tmp_path: Path,
) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text(NEWER + COMPLETE, encoding="utf-8")
    done = run_trueup("propose", "s", "--dump", str(dump), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"id",  # all 2 values are uuids' in done.stdout
    assert "[table.places]" not in done.stdout
    told = done.stderr.replace(f"not loaded: {dump}:", "").splitlines()
    lines = NEWER.splitlines()
    for failure in told:
        number, _, reason = failure.partition(": ")
        assert reason
        assert lines[int(number) - 1]
    # Servers before 17 do not know this one.
    told = [f for f in told if "transaction_timeout" not in f]
    reasons = [f.partition(": ")[2].partition(";")[0].partition(" at character")[0] for f in told]
    # Servers before 15 name the file that they looked for.
    missing = re.compile(r'could not open extension control file ".*/(\w+)\.control".*')
    reasons = [missing.sub(r'extension "\1" is not available', reason) for reason in reasons]
    assert reasons == [
        'unrecognized configuration parameter "setting_of_tomorrow"',
        "permission denied to create database",
        'extension "no_such_extension" is not available',
        'extension "no_such_extension" does not exist',
        'type "public.no_such_type" does not exist',
        "backslash commands are restricted",
        "backslash commands are restricted",
    ]
    assert not (tmp_path / "left_behind").exists()


OTHERS = """
CREATE SCHEMA extensions;
ALTER SCHEMA extensions OWNER TO no_such_role;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA extensions;
COMMENT ON EXTENSION "uuid-ossp" IS 'generate universally unique identifiers (UUIDs)';
CREATE TABLE public.tasks (id integer PRIMARY KEY, spot public.no_such_type);
ALTER TABLE public.tasks OWNER TO no_such_role;
CREATE TABLE public.plans (
    id character varying(36) DEFAULT (extensions.uuid_generate_v4())::text NOT NULL
);
INSERT INTO public.plans DEFAULT VALUES;
GRANT SELECT ON TABLE public.plans TO no_such_role;
CREATE INDEX tasks_idx ON public.tasks (id);
CREATE POLICY p ON public.plans TO no_such_role USING (true);
"""


@pytest.mark.usefixtures("psql")
def test_a_dump_of_a_server_with_other_roles_and_uuid_ossp_is_proposed(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text(OTHERS, encoding="utf-8")
    done = run_trueup("propose", "s", "--dump", str(dump), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        '"id",  # the one value is a uuid; its default is (extensions.uuid_generate_v4())::text'
        in done.stdout
    )
    told = done.stderr.replace(f"not loaded: {dump}:", "").splitlines()
    assert [line.partition(" at character")[0] for line in told] == [
        '6: type "public.no_such_type" does not exist',
        '14: role "no_such_role" does not exist',
        # What another failure led to comes last.
        '7: relation "public.tasks" does not exist',
        '13: relation "public.tasks" does not exist',
    ]


@pytest.mark.usefixtures("psql")
def test_a_dump_of_which_nothing_loads_is_refused_with_its_first_failure(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text("CREATE TABLE plans (id no_such_type);\n")
    message = refusal(*propose_from(dump), cwd=tmp_path)
    assert "the schema public of dump has no table; the dump's first failure: " in message
    assert f'{dump}:1: type "no_such_type" does not exist' in message


def test_an_empty_dump_a_folder_and_no_file_are_refused(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text("\n \n")
    assert "dump.sql: is empty" in refusal(*propose_from(dump), cwd=tmp_path)
    assert "is a folder" in refusal(*propose_from(tmp_path), cwd=tmp_path)
    none = tmp_path / "none.sql"
    assert "cannot be read: No such file" in refusal(*propose_from(none), cwd=tmp_path)
    dump.write_bytes(b"\x89PNG\0\0")
    assert "is not SQL" in refusal(*propose_from(dump), cwd=tmp_path)


@pytest.mark.usefixtures("psql")
def test_a_dump_that_is_cut_off_is_told(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    for text, is_told in (
        (NEWER + COMPLETE, False),
        (NEWER, True),
        (NEWER.replace("\n", "\r\n"), True),
    ):
        dump.write_bytes(text.encode())
        done = run_trueup("propose", "s", "--dump", str(dump), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert (f"{dump}: ends before the last line that pg_dump writes" in done.stderr) == is_told


def test_a_compressed_dump_is_refused_with_the_way_on(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql.gz"
    dump.write_bytes(gzip.compress(NEWER.encode()))
    message = refusal(*propose_from(dump), cwd=tmp_path)
    assert message == f"error: {dump}: is compressed\nhint: gunzip --keep {dump}\n"


@pytest.mark.parametrize("form", ["custom", "tar"])
def test_a_binary_dump_is_refused_with_the_command_that_makes_it_sql(
    tmp_path: Path, form: str
) -> None:
    dump = tmp_path / "dump"
    if form == "custom":
        dump.write_bytes(b"PGDMP\x01\x10\x00\x04\x08" + b"\0" * 600)
    else:
        with tarfile.open(dump, "w") as archive:
            archive.addfile(tarfile.TarInfo("toc.dat"), io.BytesIO())
    message = refusal(*propose_from(dump), cwd=tmp_path)
    assert "is a dump in binary format" in message
    assert f"hint: pg_restore -f schema.sql {dump}" in message


def test_a_real_dump_in_custom_format_is_known(
    server: EmbeddedServer, database: str, tmp_path: Path
) -> None:
    program = server.binaries.directory / "pg_dump"
    if not program.exists():
        pytest.skip("these binaries have no pg_dump")
    dump = tmp_path / "dump"
    subprocess.run([program, "-Fc", "--file", dump, "--dbname", database], check=True)
    assert "is a dump in binary format" in refusal(*propose_from(dump), cwd=tmp_path)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "is not there"),
        ("x = (", "cannot be read: it is not Python: '(' was never closed (<unknown>, line 1)"),
        ("x = " + "(" * 9_000 + ")" * 9_000, "cannot be read: it is not Python: "),
    ],
)
def test_an_enum_module_that_cannot_be_read_is_refused(
    database: str, tmp_path: Path, body: str | None, reason: str
) -> None:
    if body is not None:
        (tmp_path / "bad_enums.py").write_text(body)
    message = refusal("propose", "s", "--enums", "bad_enums", cwd=tmp_path, dsn=database)
    assert f"the enums module bad_enums {reason}" in message


def test_an_enum_module_of_this_folder_is_read_and_nothing_of_it_runs(
    database: str, tmp_path: Path
) -> None:
    (tmp_path / "__init__.py").touch()
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("import os\nos.mkdir('ran')\n")
    module = "import os, enum\nos.mkdir('ran')\nclass Kind(enum.Enum):\n    A = 'A'\n"
    (package / "my_enums.py").write_text(module)
    standard = tmp_path / "standard.toml"
    standard.write_text('[service]\nname = "s"\nenums = "package.my_enums"\n')
    # The installed command does not look into the working folder by itself, as `python -m` does.
    done = run_trueup(
        *("verify", "--standard", str(standard), "--json"),
        dsn=database,
        cwd=tmp_path,
        PYTHONSAFEPATH="1",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["distance"] == 0
    assert not (tmp_path / "ran").exists()


def test_a_file_that_cannot_be_read_or_written_is_named(database: str, tmp_path: Path) -> None:
    (tmp_path / "standard.toml").write_text('[service]\nname = "s"\n[table.t]\nname = "u"\n')
    (tmp_path / "online").touch()
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE t (id integer)")
    arguments = ("generate", "--service", str(tmp_path))
    message = refusal(*arguments, cwd=tmp_path, dsn=database)
    assert f"{tmp_path / 'online'} cannot be read or written: " in message
    assert "the service needs a name" in run_trueup("propose", "", dsn=database).stderr


def test_a_schema_a_database_and_a_role_that_are_not_there(database: str, tmp_path: Path) -> None:
    message = refusal("propose", "s", "--schema", "nope", cwd=tmp_path, dsn=database)
    assert "the schema nope of " in message
    for wrong in ({"dbname": "no_such"}, {"user": "no_such"}):
        dsn = make_conninfo(database, **wrong)
        message = refusal("propose", "s", cwd=tmp_path, dsn=dsn, exit_code=3)
        assert "no_such" in message


def test_a_table_that_somebody_changes_is_not_waited_for(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE plans (id varchar(36))")
        connection.commit()
        connection.execute("LOCK TABLE plans")
        message = refusal("propose", "s", cwd=tmp_path, dsn=database, exit_code=4)
    assert "propose had to wait for a lock" in message


def test_what_is_there_already_is_not_written_over(database: str, tmp_path: Path) -> None:
    output = tmp_path / "standard.toml"
    output.write_text("mine")
    done = run_trueup("propose", "s", "--output", str(output), dsn=database, cwd=tmp_path)
    assert done.returncode == 2
    assert "already exists" in done.stderr
    assert output.read_text() == "mine"


STANDARD = '[service]\nname = "s"\n\n[table.plans]\nname = "plan"\n'
GENERATE = {
    "a table that is not there": (STANDARD.replace("plans", "plants"), "names the table public"),
    "a column that is not there": (STANDARD + 'uuids = ["nope"]\n', "the column public.plans.nope"),
    "an enum module that is not there": (
        STANDARD.replace('"s"\n', '"s"\nenums = "no_such"\n'),
        "standard.toml:3: the enums module no_such is not there",
    ),
    "two tables that want one name": (
        STANDARD + '\n[table.tasks]\nname = "plan"\n',
        "standard.toml:8: tables plans and tasks would both get the name plan",
    ),
    "no TOML": ("[service", "standard.toml: is not TOML"),
    "no standard": (None, "there is no service"),
}


@pytest.mark.parametrize(("standard", "message"), GENERATE.values(), ids=GENERATE)
def test_a_standard_that_does_not_fit_generates_nothing(
    database: str, tmp_path: Path, standard: str | None, message: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE plans (id integer); CREATE TABLE tasks (id integer)")
    folder = tmp_path / "s"
    folder.mkdir()
    if standard is not None:
        (folder / "standard.toml").write_text(standard)
    assert message in refusal("generate", "--service", str(folder), cwd=tmp_path, dsn=database)


def test_a_legacy_folder_that_is_no_plain_sql_generates_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    (folder / "legacy").mkdir(parents=True)
    (folder / "standard.toml").write_text(STANDARD)
    legacy = folder / "legacy" / "0001_baseline_legacy_schema.sql"
    legacy.write_text("CREATE TABLE plans (id integer);\n\\echo no\n")
    message = refusal("generate", "--service", str(folder), cwd=tmp_path)
    assert f"{legacy} cannot be run: syntax error" in message
