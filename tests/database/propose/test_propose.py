"""A proposal: what is sure is in force, the rest is told, and the generator takes it as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest
from support.runs import run_trueup

from runner.catalog import read_catalog
from runner.generate import generate
from runner.propose.source import Wishes, propose_from_database
from runner.standard import Standard, TableStandard, load_standard

UID = "md5(n::text)::uuid"


class Proposed:
    """A proposal from a database that SQL made.

    Args:
        dsn: the database, empty.
        folder: where the standard.toml goes.
        sql: what the database is to hold.
    """

    def __init__(
        self,
        dsn: str,
        folder: Path,
        sql: str,
        *,
        schemas: Sequence[str] = ("public",),
        scan: bool = True,
        **wishes: object,
    ) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(sql.encode())
        found = propose_from_database(dsn, Wishes("s", schemas, **wishes), scan=scan)  # type: ignore[arg-type]
        self.text, self.warnings = found.text, found.warnings
        path = folder / "standard.toml"
        path.write_text(self.text, encoding="utf-8")
        self.standard: Standard = load_standard(path)
        with psycopg.connect(dsn) as connection:
            catalog = read_catalog(connection, schemas)
        # Whatever was proposed, no edit is needed.
        self.files = generate(self.standard, catalog, baseline=None).files

    def table(self, old: str) -> TableStandard:
        """The table of that old name."""
        return next(t for t in self.standard.tables if t.old == old)


def propose(dsn: str, folder: Path, sql: str, **more: object) -> Proposed:
    return Proposed(dsn, folder, sql, **more)  # type: ignore[arg-type]


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


def test_the_users_words_win(database: str, tmp_path: Path) -> None:
    words = tmp_path / "words.toml"
    words.write_text('leaves = "leaf"\npeople = "human"\n', encoding="utf-8")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE leaves (); CREATE TABLE people (); CREATE TABLE data ()")
    done = run_trueup("propose", "s", "--words", str(words), dsn=database)
    assert 'name = "leaf"' in done.stdout
    assert 'name = "human"' in done.stdout
    assert 'name = "data"' in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("leaves = 1", "leaves must be text, not 1"),
        ("leaves", "is no TOML"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_word_list_that_is_none_is_refused(
    database: str, tmp_path: Path, text: str | None, message: str
) -> None:
    words = tmp_path / "words.toml"
    if text is not None:
        words.write_text(text, encoding="utf-8")
    done = run_trueup("propose", "s", "--words", str(words), dsn=database)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr


def test_an_exact_list_in_a_check_is_an_enum_even_of_an_empty_table(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE DOMAIN mood AS text CHECK (VALUE IN ('good', 'bad'));
        CREATE DOMAIN half AS integer CHECK (VALUE IN (1, 2));
        CREATE TABLE plans (
            id integer PRIMARY KEY,
            a varchar(20) NOT NULL DEFAULT 'open' CHECK (a IN ('open', 'closed')),
            b text CHECK (b = 'x' OR b = 'y' OR b IS NULL),
            c text[] CHECK (c <@ ARRAY['p', 'q']),
            d text CHECK (d IN ('x') OR d LIKE 'y%'),
            e text CHECK (e IN ('x', 'y') AND length(id::text) > 1),
            f text CHECK (lower(f) IN ('x', 'y')),
            g text CHECK (g NOT IN ('x', 'y')),
            h mood,
            i varchar CHECK (i IN ('UP', 'DOWN')),
            l text CHECK (l IN ('UP', 'DOWN')),
            j text CHECK (j IN ('in progress', 'done')),
            k text DEFAULT 'none' CHECK (k IN ('x', 'y')),
            m smallint CHECK (m IN (1, 2)),
            n date CHECK (n IN ('2024-01-01', '2024-07-01')),
            o half
        );
        """,
    )
    enums = {c: e.values for c, e in found.table("plans").enums.items()}
    assert enums == {
        "a": ("OPEN", "CLOSED"),
        "b": ("X", "Y"),
        "c": ("P", "Q"),
        "h": ("GOOD", "BAD"),
        "l": ("UP", "DOWN"),
    }
    # Its old CHECK takes no other case.
    assert found.table("plans").enums["l"].back == {"UP": "UP", "DOWN": "DOWN"}
    assert "# its values are no plain words, a person must name them:\n# enums.j" in found.text
    assert "# its default 'none'::text is none of its values:\n# enums.k" in found.text
    assert "# labels: open, closed; its default 'open' follows\n" in found.text
    assert "# a CHECK guards it already:\n# integers.m = [1, 2]" in found.text
    assert "enums.m" not in found.text
    assert "enums.n" not in found.text
    assert "enums.o" not in found.text


def test_values_that_are_no_words_are_named_by_a_guess(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TYPE shape AS ENUM ('tab', 'slim-window', 'Full Screen');
        CREATE TYPE form AS ENUM ('', 'radio');
        CREATE TABLE apps (id integer PRIMARY KEY, shape shape DEFAULT 'slim-window', form form);
        """,
    )
    assert found.table("apps").enums == {}
    assert "labels: tab, slim-window, Full Screen" in found.text
    assert "# labels: '', radio" in found.text
    # With the # away it is in force, and every label has its way there and back.
    agreed = tmp_path / "agreed.toml"
    agreed.write_text(
        "".join(
            line.removeprefix("# ")
            if line.startswith(("# [enum.S", "# values", "# map", "# back"))
            or "enums.shape" in line
            else line
            for line in found.text.splitlines(keepends=True)
            if "RADIO" not in line
        ),
        encoding="utf-8",
    )
    enum = load_standard(agreed).tables[0].enums["shape"]
    assert enum.values == ("TAB", "SLIM_WINDOW", "FULL_SCREEN")
    assert enum.mapping == {"SLIM-WINDOW": "SLIM_WINDOW", "FULL SCREEN": "FULL_SCREEN"}
    assert enum.back == {"TAB": "tab", "SLIM_WINDOW": "slim-window", "FULL_SCREEN": "Full Screen"}


def test_a_check_of_one_value_is_left_to_a_person(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE positions (lock char(1) DEFAULT 'X' UNIQUE, n integer, CHECK (lock = 'X'));
        """,
    )
    assert found.table("positions").enums == {}
    assert "# its CHECK allows one value only" in found.text


def test_what_only_a_window_converts_is_told(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE users (id varchar(36) PRIMARY KEY);
        CREATE TABLE tasks (id integer PRIMARY KEY, user_id varchar(36) REFERENCES users);
        CREATE TABLE pool (id integer PRIMARY KEY, kind text CHECK (kind IN ('a', 'b')));
        CREATE TABLE staff (id integer PRIMARY KEY, kind text CHECK (kind IN ('a', 'b')));
        INSERT INTO users SELECT md5(n::text)::uuid FROM generate_series(1, 3) AS n;
        """,
    )
    assert found.text.startswith(
        "# The new contract of s, proposed from its database.\n"
        "# In force: 1 of 4 tables renamed, 2 columns to uuid, 2 to an enum.\n"
        "# Left to a person: 1 line.\n"
    )
    end = found.text.partition("# Left to a person:\n")[2].splitlines()
    assert end == [
        "# only a window converts these 2 together: public.users, public.tasks. Why: public.users "
        "keeps its name, and one name cannot show both contracts",
        "# only a window converts: 2 tables keep their names, and one name cannot show both "
        "contracts: public.pool, public.staff",
    ]


def test_a_spelling_that_case_does_not_give_back_is_kept_for_the_old_contract(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TYPE state AS ENUM ('Todo', 'inDoing', 'DONE');
        CREATE TABLE tasks (id integer PRIMARY KEY, state state NOT NULL DEFAULT 'Todo');
        CREATE TABLE steps (id integer PRIMARY KEY, states state[]);
        INSERT INTO tasks VALUES (1, 'inDoing');
        """,
    )
    enum = found.table("tasks").enums["state"]
    assert (enum.name, enum.values) == ("State", ("TODO", "INDOING", "DONE"))
    assert enum.back == {"TODO": "Todo", "INDOING": "inDoing", "DONE": "DONE"}
    # A type that tables share is one enum.
    assert found.text.count("[enum.") == 1


def test_arrays_and_integers_that_behave_as_enums_are_suggested(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE tasks (
            id integer PRIMARY KEY,
            tags text[],
            priority integer CHECK (priority IN (1, 2, 3)),
            level smallint,
            amount integer,
            made text GENERATED ALWAYS AS (CASE WHEN amount > 0 THEN 'more' ELSE 'none' END) STORED
        );
        INSERT INTO tasks
        SELECT n, ARRAY[(ARRAY['hot', 'cold'])[1 + n % 2]], 1 + n % 3, n % 2, n % 2
        FROM generate_series(1, 40) AS n;
        """,
    )
    table = found.table("tasks")
    assert (table.enums, table.integers) == ({}, {})
    assert "# a CHECK guards it already:\n# integers.priority = [1, 2, 3]" in found.text
    assert "# 2 integers in 40 rows, may be an enum:\n# integers.level = [0, 1]" in found.text
    assert "integers.amount" not in found.text
    assert "enums.made" not in found.text
    assert (
        "# it behaves as an enum, no CHECK says so:\n"
        '# enums.tags = "TaskTag"  # 2 values in 40 rows: cold, hot' in found.text
    )
    # With the # away it is in force, and loads.
    agreed = tmp_path / "agreed.toml"
    text = found.text.replace("# [enum.TaskTag]\n# values", "[enum.TaskTag]\nvalues")
    text = text.replace("# enums.tags", "enums.tags").replace("# integers.", "integers.")
    agreed.write_text(text, encoding="utf-8")
    (table,) = load_standard(agreed).tables
    assert table.enums["tags"].values == ("COLD", "HOT")
    assert table.integers == {"priority": (1, 2, 3), "level": (0, 1)}


def test_a_shared_enum_is_recognised_in_values_and_arrays(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE models (
            id integer PRIMARY KEY, status text, capabilities varchar[], name text
        );
        INSERT INTO models VALUES (1, 'active', '{chat,embedding}', 'x');
        """,
        enums_module="pyorm.enums",
    )
    assert {c: e.name for c, e in found.table("models").enums.items()} == {
        "status": "ModelStatus",
        "capabilities": "ModelCapability",
    }


def test_names_that_cannot_be_are_left_to_a_person(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        f"""
        CREATE TYPE state AS ENUM ('a');
        CREATE TABLE states (id integer PRIMARY KEY);
        CREATE TABLE users (id integer PRIMARY KEY);
        CREATE TABLE indices (id integer PRIMARY KEY);
        CREATE TABLE indexes (id integer PRIMARY KEY);
        CREATE TABLE tasks (id integer PRIMARY KEY);
        CREATE VIEW task AS SELECT 1 AS one;
        CREATE TABLE parts (id integer PRIMARY KEY);
        CREATE INDEX part ON parts (id);
        CREATE VIEW open_tasks AS SELECT 1 AS one;
        CREATE TABLE analysis (id integer PRIMARY KEY);
        CREATE TABLE analyses (id integer PRIMARY KEY);
        CREATE TABLE "{"é" * 31}s" (id integer PRIMARY KEY);
        """,
    )
    assert {t.old for t in found.standard.tables if t.old != t.name} == {"é" * 31 + "s"}
    for reason in (
        "state is taken by the type of that name",
        "user is a reserved word",
        "2 tables want the name index",
        "task is taken by the view of that name",
        "part is taken by the index of that name",
        "analysis is taken by the table of that name",
    ):
        assert f"# {reason}, choose another:\n# name = " in found.text, reason
    assert "# view public.open_tasks: named as tables are, would be open_task;" in found.text


def test_a_migration_tool_s_table_keeps_its_name(database: str, tmp_path: Path) -> None:
    found = propose(database, tmp_path, "CREATE TABLE schema_migrations (version text);")
    assert found.table("schema_migrations").name == "schema_migrations"
    assert "# schema_migrations is the name by which a migration tool looks for it" in found.text


def test_keys_become_uuid_with_all_that_is_tied_to_them_or_not_at_all(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        f"""
        CREATE TABLE plans (id varchar(36) PRIMARY KEY);
        CREATE TABLE tasks (id text PRIMARY KEY, plan_id varchar(40) REFERENCES plans);
        CREATE TABLE steps (id char(36) PRIMARY KEY, task_id text REFERENCES tasks);
        CREATE TABLE notes (id varchar(36) PRIMARY KEY, plan_id varchar(36) REFERENCES plans);
        CREATE TABLE empty (id varchar(36) PRIMARY KEY);
        INSERT INTO plans SELECT {UID} FROM generate_series(1, 3) AS n;
        INSERT INTO tasks SELECT upper({UID}::text), {UID} FROM generate_series(1, 3) AS n;
        INSERT INTO notes SELECT 'note ' || n, {UID} FROM generate_series(1, 3) AS n;
        """,
    )
    # varchar(40) holds more than uuids, so plans.id and notes.plan_id stay with it.
    assert found.table("plans").uuids == ()
    assert found.table("notes").uuids == ()
    assert found.table("tasks").uuids == ("id",)
    assert found.table("steps").uuids == ("task_id",)
    assert (
        '# "id",  # all 3 values are uuids; it is tied to public.tasks.plan_id: is character '
        "varying(40)" in found.text
    )
    assert '"task_id",  # no row to look at, and tied to public.tasks.id' in found.text
    assert '"id",  # all 3 values are uuids, 3 in upper case' in found.text
    assert '# "id",  # no row to look at' in found.text


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
    plans, steps, tasks = found.standard.tables
    assert (plans.name, plans.uuids, list(plans.enums)) == ("plan", (), ["kind"])
    assert (tasks.name, tasks.uuids) == ("task", ("id",))
    assert (steps.name, steps.uuids) == ("step", ("id",))
    assert "the default of public.plans.id is lower('x'::text): only one that calls" in found.text
    assert "# the default of state is lower('OPEN'::text): only a constant" in found.text
    assert "it is tied to public.plans.id, which is left to a person" in found.text
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
