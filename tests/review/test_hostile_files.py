"""Files, dumps and databases of somebody else's, who wants to get at the reviewer's machine."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from support.databases import DatabaseFactory
from support.migration_files import write_migration
from support.runs import query, run_trueup

from runner.ledger.files import read_migrations
from runner.review.rehearse import Options, rehearse


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that every account may write to."""
    place = tmp_path / "open"
    place.mkdir()
    tmp_path.chmod(0o755)
    place.chmod(0o777)
    return place


@pytest.fixture
def request_files(tmp_path: Path, folder: Path) -> Path:
    """The migrations of a pull request that runs a program."""
    files = tmp_path / "migrations"
    write_migration(files, "0001_base", "CREATE TABLE public.t (id int PRIMARY KEY);", None)
    write_migration(
        files,
        "0002_x",
        f"SET LOCAL lock_timeout = '200ms';\nCOPY (SELECT 1) TO PROGRAM 'env > {folder}/pwned';",
        depends="0001_base",
    )
    return files


def test_a_program_in_a_pull_request_does_not_run_when_it_is_traced(
    request_files: Path, folder: Path
) -> None:
    done = run_trueup("lint", "--no-squawk", "--trace", str(request_files), GH_TOKEN="ghp_s3cret")
    assert done.returncode == 1
    assert "COPY to or from an external program" in " ".join(done.stdout.split())
    assert list(folder.iterdir()) == []


def test_nor_when_it_is_rehearsed(request_files: Path, folder: Path) -> None:
    found = rehearse(
        None, read_migrations([request_files]), options=Options(rows=50, base="0001_base")
    )
    (problem,) = found.problems
    assert "COPY to or from an external program" in problem
    assert list(folder.iterdir()) == []


DUMP = """-- PostgreSQL database dump
CREATE TABLE public.models (id varchar(36) PRIMARY KEY, status varchar(10));
\\! id > {folder}/pwned
CREATE TABLE x (t text);
COPY x FROM PROGRAM 'id > {folder}/pwned';
\\copy x from program 'id > {folder}/pwned'
\\o | cat > {folder}/pwned
\\connect - trueup_admin
CREATE ROLE evil SUPERUSER LOGIN;
SELECT 1 \\g {folder}/pwned
SELECT 'id > {folder}/pwned' \\gexec
COPY public.models (id, status) FROM stdin;
1\tactive
\\.
-- PostgreSQL database dump complete
"""


def test_nor_when_it_is_in_a_dump(tmp_path: Path, folder: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text(DUMP.replace("{folder}", str(folder)), encoding="utf-8")
    done = run_trueup("propose", "shop", "--dump", str(dump), GH_TOKEN="ghp_s3cret")
    assert done.returncode == 0, done.stderr
    assert "[table.model]" in done.stdout or "model" in done.stdout
    assert "COPY to or from an external program" in done.stderr
    assert re.search("permission denied to create|must be superuser to create", done.stderr)
    assert list(folder.iterdir()) == []


LIVE = """
CREATE TABLE public.note (id int PRIMARY KEY, text text);
INSERT INTO public.note SELECT n, 'x' FROM generate_series(1, 20) AS n;
CREATE FUNCTION public.run() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''id > {folder}/pwned''';
    EXCEPTION WHEN OTHERS THEN NULL; END;
    RETURN true;
END $$;
CREATE FUNCTION public.run_too() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM public.run();
    RETURN NEW;
END $$;
ALTER TABLE public.note ADD CHECK (public.run()) NOT VALID;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON public.note
    FOR EACH ROW EXECUTE FUNCTION public.run_too();
ALTER TABLE public.note ENABLE ALWAYS TRIGGER note;
CREATE MATERIALIZED VIEW public.m AS SELECT public.run();
"""


HIJACK = """
CREATE TABLE public.parent (id varchar(9) PRIMARY KEY);
CREATE TABLE public.child (id int PRIMARY KEY, parent varchar(9) REFERENCES public.parent);
INSERT INTO public.parent SELECT n FROM generate_series(1, 900) AS n;
INSERT INTO public.child SELECT n, 901 - n FROM generate_series(1, 900) AS n;
ANALYZE;
CREATE FUNCTION public.same(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE 'COPY (SELECT 1) TO PROGRAM ''id > {folder}/pwned''';
    RETURN $1::text OPERATOR(pg_catalog.=) $2::text;
END $$;
CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.same);
"""


def test_nor_when_it_is_in_the_schema_of_a_live_database(
    tmp_path: Path, folder: Path, database_factory: DatabaseFactory, server_dsn: str
) -> None:
    live = database_factory()
    query(live, LIVE.replace("{folder}", str(folder)))
    for pwned in folder.iterdir():  # the owner of the live database may do what it wants
        pwned.unlink()
    write_migration(tmp_path / "m", "0001_a", "UPDATE public.note SET text = text;")
    query(live, HIJACK.replace("{folder}", str(folder)))
    for scratch in (None, server_dsn):
        found = rehearse(
            live, read_migrations([tmp_path / "m"]), options=Options(rows=10, scratch=scratch)
        )
        assert found.problems == ()
        assert list(folder.iterdir()) == []


def test_what_a_live_database_has_of_a_superusers_is_left_out_and_told(
    tmp_path: Path, database_factory: DatabaseFactory
) -> None:
    live = database_factory()
    query(
        live,
        "CREATE TABLE public.t (id int PRIMARY KEY);"
        "CREATE FUNCTION public.seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION public.seen()",
    )
    write_migration(
        tmp_path,
        "0001_a",
        "CREATE EXTENSION pg_stat_statements;\nALTER TABLE public.t ADD COLUMN a int;",
        "ALTER TABLE public.t DROP COLUMN a;\nDROP EXTENSION pg_stat_statements;",
    )
    found = rehearse(live, read_migrations([tmp_path]), options=Options(rows=20))
    assert found.problems == ()
    notes = "\n".join(found.notes)
    assert "not in the scratch copy: CREATE EVENT TRIGGER seen" in notes
    assert "not run, as it needs a superuser: CREATE EXTENSION pg_stat_statements" in notes


def test_nor_when_it_is_in_the_baseline_of_a_service(tmp_path: Path, folder: Path) -> None:
    service = tmp_path / "service"
    shutil.copytree(Path(__file__).parents[2] / "sql" / "model_orchestration", service)
    (baseline,) = [p for p in (service / "legacy").glob("*.sql") if "rollback" not in p.name]
    with baseline.open("a", encoding="utf-8") as file:
        file.write(f"\nCOPY (SELECT 1) TO PROGRAM 'id > {folder}/pwned';\n")
    done = run_trueup("generate", "--service", str(service), "--check")
    assert done.returncode == 2
    assert "COPY to or from an external program" in done.stderr
    assert list(folder.iterdir()) == []
