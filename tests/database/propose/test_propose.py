"""A proposal: what is sure is in force, the rest is told, and the generator takes it as it is."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
from support.proposals import propose
from support.runs import run_trueup

UID = "md5(n::text)::uuid"


def test_json_called_metadata_is_named_after_its_table(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE plans (id integer PRIMARY KEY, metadata jsonb);
        CREATE TABLE tasks (id integer PRIMARY KEY, metadata json, task_metadata text);
        CREATE TABLE notes (id integer PRIMARY KEY, metadata text);
        """,
    )
    assert found.table("plans").columns == {"metadata": "plan_metadata"}
    assert found.table("tasks").columns == {}
    assert (
        "# the table has a column task_metadata already:\n"
        '# columns.metadata = "task_metadata"  # JSON, named after its table' in found.text
    )
    assert "note_metadata" not in found.text
    assert any("plan_metadata" in f.sql for f in found.files)


def test_what_only_a_window_converts_is_told(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE users (
            id varchar(36) PRIMARY KEY,
            CONSTRAINT apart EXCLUDE USING btree (id WITH =)
        );
        CREATE TABLE tasks (id integer PRIMARY KEY, user_id varchar(36) REFERENCES users);
        CREATE TABLE pool (id integer PRIMARY KEY, kind text CHECK (kind IN ('a', 'b')));
        CREATE TABLE staff (id integer PRIMARY KEY, kind text CHECK (kind IN ('a', 'b')));
        INSERT INTO users SELECT md5(n::text)::uuid FROM generate_series(1, 3) AS n;
        """,
    )
    assert found.text.startswith(
        "# The new contract of s, proposed from its database.\n"
        "# In effect: 1 of 4 tables renamed, 2 columns to uuid, 2 to an enum.\n"
        "# For you to decide: 1 line of 1 table and 1 note, at the end of this file.\n"
    )
    assert found.text.splitlines()[-1:] == [
        "# only a window converts these 2 together: public.users, public.tasks. Why: constraint "
        "apart on public.users keeps converted columns from overlapping, and PostgreSQL cannot "
        "build such an index beside the old one while the table is in use. To go online: Before: "
        "drop it, and nothing keeps such rows out; add it again after contract, which locks "
        "public.users while its index is built. Or leave id out of standard.toml.",
    ]


def test_what_is_in_force_comes_first_and_what_is_left_at_the_end(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE as_it_is (id integer PRIMARY KEY);
        CREATE TABLE asks (
            id integer PRIMARY KEY,
            level smallint,
            mode text,
            state text CHECK (state IN ('on', 'off'))
        );
        CREATE TABLE sure (id integer PRIMARY KEY, state text CHECK (state IN ('on', 'off')));
        CREATE TABLE things (id varchar(36) PRIMARY KEY);
        INSERT INTO asks SELECT n, n % 2, 'm' || chr(97 + n % 2), 'on'
        FROM generate_series(1, 40) AS n;
        INSERT INTO things SELECT md5(n::text)::uuid FROM generate_series(1, 3) AS n;
        """,
    )
    left = "# For you to decide: 2 lines of 1 table, at the end of this file."
    head, before, after = found.text.split(left)
    assert head.count("\n") == 2
    # Enums and tables in force, in words that a reader need not sort out.
    assert not re.search(
        r"^ *# *[\w.\"]+( =|,)", before.partition("package.enums")[2], re.MULTILINE
    )
    assert re.findall(r"^\[.*\]", before, re.MULTILINE) == [
        "[service]",
        "[enum.State]",
        "[table.sure]",
        "[table.things]",
    ]
    assert "# Unchanged: 1 table: public.as_it_is\n" in before
    # Of a table that asks something, too, what is in force comes first.
    assert re.findall(r"^(?:# )?[\w.\[\]]+(?= =|$)", after, re.MULTILINE) == [
        "# [enum.AskMode]",
        "# values",
        "[table.asks]",
        "name",
        "enums.state",
        "# integers.level",
        "# enums.mode",
    ]


REFUSED = """
    CREATE TABLE plans (
        id varchar(36) PRIMARY KEY DEFAULT lower('x'),
        state text NOT NULL DEFAULT lower('OPEN') CHECK (state IN ('open', 'closed')),
        kind text NOT NULL DEFAULT 'a' CHECK (kind IN ('a', 'b'))
    );
    CREATE TABLE tasks (
        id varchar(36) PRIMARY KEY DEFAULT gen_random_uuid()::text,
        plan_id varchar(36) REFERENCES plans (id),
        metadata jsonb,
        state text CHECK (state IN ('open', 'closed'))
    );
    CREATE INDEX tasks_idx ON tasks (id, ((metadata ->> 'x')));
    CREATE INDEX tasks_state_idx ON tasks (upper(state));
    CREATE TABLE steps (id varchar(36) PRIMARY KEY);
    INSERT INTO plans (id) SELECT md5(n::text)::uuid FROM generate_series(1, 3) AS n;
    INSERT INTO tasks (plan_id) SELECT id FROM plans;
    INSERT INTO steps SELECT md5(n::text)::uuid FROM generate_series(1, 3) AS n;
"""


def test_what_the_generator_refuses_is_a_comment_with_its_reason(
    database: str, tmp_path: Path
) -> None:
    found = propose(database, tmp_path, REFUSED)
    plans, steps, tasks = map(found.table, ("plans", "steps", "tasks"))
    assert (plans.name, plans.uuids, list(plans.enums)) == ("plan", (), ["kind"])
    assert (tasks.name, tasks.uuids) == ("task", ("id",))
    assert (steps.name, steps.uuids) == ("step", ("id",))
    assert "the default of public.plans.id is lower('x'::text): only one that calls" in found.text
    assert "# the default of state is lower('OPEN'::text): only a constant" in found.text
    assert "it is tied to public.plans.id, which is for you to decide" in found.text
    assert "its default is (gen_random_uuid())::text" in found.text
    # The rest of the generator's reasons, whatever they are by now.
    assert all(f.sql for f in found.files)


def test_what_only_the_whole_shows_to_be_refused_is_a_comment_too(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE plans (id varchar(36) PRIMARY KEY);
        CREATE TABLE tasks (id varchar(36) PRIMARY KEY);
        CREATE TABLE base (note text);
        CREATE TABLE parts (plan_id varchar(36) REFERENCES plans) INHERITS (base);
        INSERT INTO plans SELECT md5(n::text)::uuid FROM generate_series(1, 3) AS n;
        INSERT INTO tasks SELECT md5(n::text)::uuid FROM generate_series(1, 3) AS n;
        """,
    )
    assert found.table("tasks").uuids == ("id",)
    # A child table gets no paragraph, so the key that it refers to cannot be converted.
    assert found.table("plans").uuids == ()
    assert found.table("plans").name == "plan"
    assert "but only public.plans.id is converted" in found.text


def test_statistics_serve_where_no_table_may_be_read(database: str, tmp_path: Path) -> None:
    schema = """
        CREATE TABLE plans (id varchar(36) PRIMARY KEY, state text, tags text[]);
        INSERT INTO plans SELECT md5(n::text)::uuid, 'active', ARRAY['chat']
        FROM generate_series(1, 500) AS n;
        ANALYZE plans;
    """
    found = propose(database, tmp_path, schema, scan=False, enums_module="pyorm.enums")
    plans = found.table("plans")
    assert plans.uuids == ("id",)
    assert "statistics: all " in found.text
    assert found.warnings == ()


def test_tables_that_a_role_may_not_read_are_told(
    database: str, tmp_path: Path, roles: None
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(REFUSED.encode())
        connection.execute("GRANT SELECT ON steps TO trueup_test_report")
        connection.execute("CREATE POLICY p ON tasks USING (false)")
        connection.execute("ALTER TABLE tasks ENABLE ROW LEVEL SECURITY")
        connection.execute("GRANT SELECT ON tasks TO trueup_test_report")
    dsn = psycopg.conninfo.make_conninfo(database, user="trueup_test_report")
    done = run_trueup("propose", "s", dsn=dsn)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "not read, as this role may not see all its rows: public.plans",
        "not read, as this role may not see all its rows: public.tasks",
    ]
    assert '"id",  # all 3 values are uuids' in done.stdout


def test_odd_names_are_written_so_that_they_load(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE "My ""Plans""
# x" (
            "the 'id'" varchar(36) PRIMARY KEY,
            "a.b" text CHECK ("a.b" IN ('x', 'y')),
            "c\\d" varchar(36)
        );
        INSERT INTO "My ""Plans""
# x" SELECT md5(n::text)::uuid, 'x', md5(n::text)::uuid FROM generate_series(1, 3) AS n;
        """,
    )
    (table,) = found.standard.tables
    assert table.old == 'My "Plans"\n# x'
    assert table.uuids == ("the 'id'", "c\\d")
    assert list(table.enums) == ["a.b"]
