"""A service of which some units go online and others by the window only."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support.runs import query, run_trueup, run_yoyo
from support.variants import write_generated

# A table with a rule that names a converted column, and the one that it is tied to, are converted
# in a window only.
SCHEMA = """
    CREATE TABLE images (id varchar(36) PRIMARY KEY);
    CREATE TABLE tasks (id varchar(36) PRIMARY KEY);
    CREATE TABLE task_info (task_id varchar(36) PRIMARY KEY REFERENCES tasks (id));
    CREATE RULE keep AS ON DELETE TO task_info WHERE OLD.task_id IS NULL DO INSTEAD NOTHING;
    INSERT INTO images SELECT gen_random_uuid()::text FROM generate_series(1, 3);
    INSERT INTO tasks SELECT gen_random_uuid()::text FROM generate_series(1, 3);
    INSERT INTO task_info SELECT id FROM tasks;
"""
STANDARD = """[service]
name = "shop"

[table.images]
name = "image"
uuids = ["id"]

[table.tasks]
name = "task"
uuids = ["id"]

[table.task_info]
name = "task_info"
uuids = ["task_id"]
"""
REST = (
    "2 of 3 tables only by --strategy window: public.task, public.task_info;"
    " `trueup check` says why"
)


@pytest.fixture
def service(database: str, tmp_path: Path) -> Path:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SCHEMA)
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "standard.toml").write_text(STANDARD, encoding="utf-8")
    write_generated(folder / "standard.toml", database, folder)
    return folder


def trueup(verb: str, service: Path, dsn: str, *arguments: str) -> tuple[int, str]:
    done = run_trueup(verb, "--service", str(service), *arguments, dsn=dsn)
    return done.returncode, done.stdout + done.stderr


def types(dsn: str) -> set[str]:
    found = query(
        dsn,
        "SELECT format('%s.%s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod))"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
        " AND NOT a.attisdropped AND c.relname !~ 'yoyo'",
    )
    return {row[0] for row in found}


def toolkit(dsn: str) -> list[tuple[str]]:
    """What is left of it."""
    return query(
        dsn, "SELECT proname FROM pg_proc WHERE pronamespace = to_regnamespace('trueup')::oid"
    )


AT_STANDARD = {"image.id uuid", "task.id uuid", "task_info.task_id uuid"}


def test_check_ends_with_what_only_a_window_converts_and_why(database: str, service: Path) -> None:
    code, said = trueup("check", service, database)

    assert code == 1, said
    told = " ".join(said.split())
    assert (
        "ready, but not all of it online: nothing stops the conversion of shop"
        " 2 of 3 tables only by --strategy window:"
        " public.task, public.task_info. Why: rule keep on "
    ) in told
    assert "which is to be converted: a rule sees only what a query names" in told
    code, said = trueup("check", service, database, "--strategy", "window")
    assert code == 0, said
    assert "ready: nothing stops the conversion of shop" in said
    assert trueup("check", service, database, "--unit", "image")[0] == 0


@pytest.mark.parametrize("form", [("--format", "markdown"), (), ("--all",)])
def test_plan_ends_with_what_only_a_window_converts(
    database: str, service: Path, form: tuple[str, ...]
) -> None:
    code, said = trueup("plan", service, database, *form)
    assert code == 0, said
    assert REST.replace("`", "").split(";")[0] in " ".join(said.replace("`", "").split())
    assert "only by" not in trueup("plan", service, database, "--unit", "image", *form)[1]


def test_verify_counts_tables_by_what_they_are(database: str, service: Path) -> None:
    assert "tables: 3 old contract" in trueup("verify", service, database)[1]
    code, said = trueup("verify", service, database, "--drift")
    assert (code, "none of them creates the old tables" in said) == (2, True), said

    trueup("apply", service, database)
    code, said = trueup("verify", service, database)
    assert "tables: 2 old contract, 1 both contracts live" in said
    assert code == 6, said

    trueup("apply", service, database, "--strategy", "window")
    code, said = trueup("verify", service, database)
    assert "tables: 1 both contracts live, 2 new contract" in said
    assert code == 6, said


def test_apply_does_not_call_it_done_while_a_window_is_left(database: str, service: Path) -> None:
    code, said = trueup("apply", service, database)
    assert (code, REST in said.splitlines()) == (1, True), said

    # It stays so when it is said again, and a unit alone is done.
    code, said = trueup("apply", service, database)
    assert (code, said.splitlines()) == (1, ["nothing to do", REST])
    assert trueup("apply", service, database, "--unit", "image")[0] == 0
    assert REST in trueup("status", service, database)[1].splitlines()
    assert REST not in trueup("status", service, database, "--unit", "image")[1].splitlines()


def test_online_first_and_the_window_for_the_rest(database: str, service: Path) -> None:
    at_once = ("--to", "contract", "--waiting-period", "0s")
    assert trueup("apply", service, database, *at_once)[0] == 1
    stands = trueup("status", service, database, "--strategy", "window")[1]
    assert "not begun; next: trueup apply --strategy window" in stands
    assert "public.image:" not in stands  # is on its way by the other strategy
    assert (
        "1 of 3 tables by --strategy online: public.image; see `trueup status --strategy online`"
    ) in stands.splitlines()

    code, said = trueup("apply", service, database, "--strategy", "window")

    assert code == 0, said
    assert types(database) == AT_STANDARD
    assert trueup("verify", service, database)[0] == 0
    assert trueup("apply", service, database)[0] == 0


def test_the_window_for_one_unit_and_online_for_the_other(database: str, service: Path) -> None:
    code, said = trueup("apply", service, database, "--strategy", "window", "--unit", "task")
    assert code == 0, said

    code, said = trueup("apply", service, database, "--to", "contract", "--waiting-period", "0s")

    assert code == 0, said
    assert types(database) == AT_STANDARD
    assert trueup("apply", service, database, "--strategy", "window")[0] == 0


@pytest.mark.parametrize(
    ("phase", "write"),
    [
        ("expand", "INSERT INTO images (id) VALUES (gen_random_uuid()::text)"),
        ("switch", "INSERT INTO image (id) VALUES (gen_random_uuid())"),
    ],
)
def test_each_way_can_be_taken_back_alone(
    database: str, service: Path, phase: str, write: str
) -> None:
    before = types(database)
    trueup("apply", service, database, "--to", phase)
    trueup("apply", service, database, "--strategy", "window")

    code, said = trueup("rollback", service, database, "--strategy", "window", "--to", "baseline")
    assert code == 0, said
    with psycopg.connect(database) as client:
        # What the other unit needs is still there.
        client.execute(write.encode())
    code, said = trueup("rollback", service, database, "--to", "baseline")

    assert code == 0, said
    assert types(database) == before
    assert toolkit(database) == []


def test_a_rollback_of_everything_tells_what_the_other_strategy_made(
    database: str, service: Path
) -> None:
    trueup("apply", service, database)
    trueup("apply", service, database, "--strategy", "window")

    code, said = trueup("rollback", service, database, "--to", "baseline")

    assert code == 0, said
    assert (
        "2 of 3 tables stay as --strategy window made them: public.task, public.task_info;"
        " `trueup rollback --strategy window`"
    ) in said.splitlines()
    assert trueup("rollback", service, database, "--strategy", "window", "--to", "baseline")[0] == 0


def test_a_check_that_was_passed_begins_no_strategy(database: str, service: Path) -> None:
    assert trueup("apply", service, database, "--to", "check")[0] == 1
    stands = trueup("status", service, database, "--strategy", "window")[1]
    assert "public.image: check is done; next: trueup apply --strategy window" in stands

    code, said = trueup("apply", service, database, "--strategy", "window")

    assert code == 0, said
    assert types(database) == AT_STANDARD


def test_plain_yoyo_takes_them_back_in_any_order(database: str, service: Path) -> None:
    common, online, window = (str(service / name) for name in ("common", "online", "window"))
    first = min(p.stem for p in (service / "common").glob("*_common.sql"))
    last = next(p.stem for p in (service / "window").glob("*_window_*_analyze.sql"))
    before = types(database)
    run_yoyo("apply", common, online, dsn=database)
    run_yoyo("apply", "-r", last, common, window, dsn=database)
    assert types(database) > {"task.id uuid", "images.id__new uuid"}

    run_yoyo("rollback", "-r", first, common, online, dsn=database)
    assert toolkit(database) != []  # the window's files still call it
    run_yoyo("rollback", "--all", common, window, dsn=database)
    assert types(database) == before
    # A run and its way back leave nothing behind.
    run_yoyo("apply", common, dsn=database)
    run_yoyo("rollback", "--all", common, dsn=database)
    assert query(database, "SELECT to_regnamespace('trueup')") == [(None,)]


def test_a_service_for_the_window_alone_may_have_an_empty_folder_of_the_other_strategy(
    database: str, service: Path
) -> None:
    for path in (service / "online").rglob("*.sql"):
        path.unlink()
    code, said = trueup("apply", service, database, "--strategy", "window")
    assert code == 0, said
    assert "--strategy online" not in said
