"""Which columns are proposed as uuids: those that keys prove, and no others."""

from __future__ import annotations

from pathlib import Path

from support.proposals import propose

UID = "md5(n::text)::uuid"


def test_keys_become_uuid_with_all_that_is_tied_to_them_or_not_at_all(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        f"""
        CREATE TABLE plans (id varchar(36) PRIMARY KEY);
        CREATE TABLE tasks (id text PRIMARY KEY, plan_id varchar(36) REFERENCES plans);
        CREATE TABLE steps (id char(36) PRIMARY KEY, task_id text REFERENCES tasks);
        CREATE TABLE notes (id varchar(36) PRIMARY KEY, plan_id varchar(36) REFERENCES plans);
        CREATE TABLE empty (id varchar(36) PRIMARY KEY);
        INSERT INTO plans SELECT {UID} FROM generate_series(1, 3) AS n;
        INSERT INTO tasks SELECT upper({UID}::text), {UID} FROM generate_series(1, 3) AS n;
        INSERT INTO notes SELECT 'note ' || n, {UID} FROM generate_series(1, 3) AS n;
        INSERT INTO plans VALUES ('none');
        INSERT INTO notes VALUES ('n', 'none');
        """,
    )
    # A reference that holds something else keeps its key, and all that refers to it.
    assert found.table("plans").uuids == ()
    assert found.table("notes").uuids == ()
    assert found.table("tasks").uuids == ("id",)
    assert found.table("steps").uuids == ("task_id",)
    assert (
        '# "plan_id",  # all 3 values are uuids; it is tied to public.notes.plan_id: 1 of 4 values '
        "are not uuids" in found.text
    )
    assert '"task_id",  # no row to look at, and tied to public.tasks.id' in found.text
    assert '"id",  # all 3 values are uuids, 3 in upper case' in found.text
    assert '# "id",  # no row to look at' in found.text


def test_a_column_of_any_width_may_hold_uuids(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        f"""
        CREATE TABLE runs (id serial PRIMARY KEY, run_id varchar(255) UNIQUE, code varchar(255));
        CREATE TABLE tags (id serial PRIMARY KEY, run_id varchar(64) REFERENCES runs (run_id));
        CREATE TABLE users (id varchar(64) PRIMARY KEY);
        CREATE TABLE items (id text PRIMARY KEY);
        CREATE TABLE parts (id char(80) PRIMARY KEY);
        CREATE TABLE short (id varchar(31) PRIMARY KEY);
        CREATE DOMAIN "an id" AS varchar(36) CHECK (VALUE <> ' DEFAULT ');
        CREATE DOMAIN deep AS "an id" CHECK (VALUE ~ '^[0-9a-f-]{{36}}$');
        CREATE TABLE orders (id "an id" PRIMARY KEY);
        CREATE TABLE lines (order_id "an id" PRIMARY KEY REFERENCES orders, other deep);
        CREATE DOMAIN many AS text[];
        CREATE TABLE marks (id deep PRIMARY KEY, ids many);
        CREATE TABLE joined (id text PRIMARY KEY);
        CREATE TABLE notes (id text, n integer);
        CREATE VIEW noted AS SELECT n FROM joined JOIN notes USING (id);
        INSERT INTO runs (run_id, code) SELECT {UID}, repeat('x', 40) FROM generate_series(1, 3) n;
        INSERT INTO tags (run_id) SELECT run_id FROM runs;
        INSERT INTO users SELECT run_id FROM runs;
        INSERT INTO items SELECT run_id FROM runs;
        INSERT INTO parts SELECT run_id FROM runs;
        INSERT INTO short SELECT n FROM generate_series(1, 3) n;
        INSERT INTO joined SELECT run_id FROM runs;
        INSERT INTO notes VALUES ('no uuid', 1);
        INSERT INTO orders SELECT run_id FROM runs;
        INSERT INTO lines SELECT id, id FROM orders;
        INSERT INTO marks SELECT {UID} FROM generate_series(7, 9) n;
        """,
    )
    assert {t.old: t.uuids for t in found.standard.tables if t.uuids} == {
        "runs": ("run_id",),
        "tags": ("run_id",),
        "users": ("id",),
        "items": ("id",),
        "parts": ("id",),
        "orders": ("id",),
        "lines": ("order_id", "other"),
        "marks": ("id",),
    }
    why = (
        "view public.noted cannot be made on the new columns: operator does not exist: uuid = text"
    )
    assert f'# "id",  # all 3 values are uuids; {why}' in found.text


def test_an_id_that_a_type_beside_it_explains_is_left_to_a_person(
    database: str, tmp_path: Path
) -> None:
    """A row of another type may have another kind of id, whatever the rows of today have."""
    found = propose(
        database,
        tmp_path,
        f"""
        CREATE TABLE runs (id varchar(36) PRIMARY KEY);
        CREATE TABLE links (
            id varchar(36) PRIMARY KEY, source_type text, source_id text,
            "targetKind" text, "targetId" text, content_type_id integer, object_id text
        );
        CREATE TABLE marks (record_type text, record_id text, PRIMARY KEY (record_type, record_id));
        CREATE TABLE events (event_id varchar(36) PRIMARY KEY, event_type text);
        INSERT INTO runs SELECT {UID} FROM generate_series(1, 9) AS n;
        INSERT INTO links SELECT id, 'run', id, 'run', id, 1, id FROM runs;
        INSERT INTO marks SELECT 'run', id FROM runs;
        INSERT INTO events SELECT id, 'start' FROM runs;
        """,
    )
    assert found.table("links").uuids == ("id",)
    assert found.table("marks").uuids == ()
    # The type of an event does not say what its key is.
    assert found.table("events").uuids == ("event_id",)
    for column, kind in (
        ("source_id", "source_type"),
        ("targetId", "targetKind"),
        ("object_id", "content_type_id"),
        ("record_id", "record_type"),
    ):
        said = f'# "{column}",  # all 9 values are uuids; {kind} tells what it is the id of'
        assert said in found.text, column


def test_digests_are_no_uuids(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE files (
            id serial PRIMARY KEY, part varchar(64) UNIQUE, sha256 text, token_hash varchar(36)
        );
        CREATE TABLE blobs (digest char(32) PRIMARY KEY, ref varchar(255));
        CREATE TABLE copies (id serial PRIMARY KEY, part varchar(64) REFERENCES files (part));
        INSERT INTO files (part, sha256, token_hash)
        SELECT md5(n::text), encode(sha256(n::text::bytea), 'hex'), gen_random_uuid()
        FROM generate_series(1, 40) AS n;
        INSERT INTO blobs SELECT md5(n::text), md5(n::text) FROM generate_series(1, 40) AS n;
        INSERT INTO copies (part) SELECT part FROM files;
        """,
    )
    assert not any(t.uuids for t in found.standard.tables)
    counted = (
        '# "{}",  # all 40 values are uuids, 40 of 32 hex digits; {} of 40 values have no uuid'
    )
    assert counted.format("part", 34) in found.text
    assert counted.format("digest", 34) in found.text
    assert '# "token_hash",  # all 40 values are uuids; its name is a digest\'s\n' in found.text
    assert '"sha256"' not in found.text


def test_a_column_that_no_key_speaks_for_is_sure_if_its_values_are_known_ids(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        f"""
        CREATE TABLE plans (id varchar(36) PRIMARY KEY);
        CREATE TABLE "per%cent" (id uuid PRIMARY KEY);
        CREATE TABLE tasks (
            id integer PRIMARY KEY, plan_id varchar(255), user_id text, old_plan text, trace text
        );
        INSERT INTO plans SELECT {UID} FROM generate_series(1, 30) AS n;
        INSERT INTO "per%cent" SELECT md5('u' || n)::uuid FROM generate_series(1, 30) AS n;
        INSERT INTO tasks SELECT n, {UID}, md5('u' || n), {UID}, md5('t' || n)::uuid
        FROM generate_series(1, 20) AS n;
        UPDATE tasks SET user_id = user_id::uuid;
        UPDATE tasks SET old_plan = gen_random_uuid() WHERE id > 17;
        """,
    )
    assert found.table("tasks").uuids == ("plan_id", "user_id")
    assert '"plan_id",  # all 20 values are uuids, and ids of public.plans.id' in found.text
    assert '"user_id",  # all 20 values are uuids, and ids of public.per%cent.id' in found.text
    unproven = "all 20 values are uuids; no primary or foreign key of its own proves them ids, and"
    assert f'# "old_plan",  # {unproven} 3 of them are not ids of public.plans.id' in found.text
    assert f'# "trace",  # {unproven} none of its values is a known id' in found.text


def test_what_joins_to_a_key_goes_with_it(database: str, tmp_path: Path) -> None:
    """Ids that lose their key to a person would be uuids beside texts."""
    found = propose(
        database,
        tmp_path,
        f"""
        CREATE TABLE plans (id varchar(36) PRIMARY KEY DEFAULT lower('x'));
        CREATE TABLE tasks (id integer PRIMARY KEY, plan_id varchar(36));
        INSERT INTO plans SELECT {UID} FROM generate_series(1, 30) AS n;
        INSERT INTO tasks SELECT n, {UID} FROM generate_series(1, 20) AS n;
        """,
    )
    assert (found.table("plans").uuids, found.table("tasks").uuids) == ((), ())
    assert "it is tied to public.plans.id, which is for you to decide" in found.text


def test_what_nearly_qualifies_is_told_with_the_count_against_it(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        f"""
        CREATE TABLE plans (id varchar(255) PRIMARY KEY, note text);
        INSERT INTO plans SELECT {UID}, 'n' FROM generate_series(1, 30) AS n;
        INSERT INTO plans VALUES ('default', {UID.replace("n::text", "'x'")});
        """,
    )
    assert found.table("plans").uuids == ()
    assert '# "id",  # 1 of 31 values are not uuids\n' in found.text
    # One uuid in a text is no sign.
    assert '"note"' not in found.text
