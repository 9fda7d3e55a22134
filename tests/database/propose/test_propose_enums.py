"""Which columns are proposed as enums, and what these are called."""

from __future__ import annotations

from pathlib import Path

from support.proposals import propose

from runner.standard import load_standard


def test_an_exact_list_in_a_check_is_an_enum_even_of_an_empty_table(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE DOMAIN mood AS text CHECK (VALUE IN ('good', 'bad')) CHECK (VALUE <> 'ugly');
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
    assert "# its values are not plain words: check the names:\n# enums.j" in found.text
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
    # What lower case gives back need not be said.
    assert enum.back == {"FULL_SCREEN": "Full Screen"}


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
        "# it looks like an enum, but no CHECK says so:\n"
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


def test_types_and_columns_give_an_enum_a_name_of_words(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TYPE trialintermediatevaluetype AS ENUM ('finite', 'nan');
        CREATE TYPE "navigationMenuItem_type_enum" AS ENUM ('view', 'link');
        CREATE TYPE enum_posts_status AS ENUM ('draft', 'done');
        CREATE TYPE coalescepolicy AS ENUM ('first', 'last');
        CREATE TYPE unheardof AS ENUM ('u', 'v');
        CREATE TYPE priority AS ENUM ('low', 'high');
        CREATE TYPE platform AS ENUM ('web', 'app');
        CREATE TABLE forms (id integer PRIMARY KEY, prio priority, runs_on platform);
        CREATE TABLE trial_intermediate_values (
            id integer PRIMARY KEY, intermediate_value_type trialintermediatevaluetype
        );
        CREATE TABLE "menuItems" (id integer PRIMARY KEY, type "navigationMenuItem_type_enum");
        CREATE TABLE posts (id integer PRIMARY KEY, a enum_posts_status, b unheardof);
        CREATE TABLE jobs (id integer PRIMARY KEY, coalesce coalescepolicy);
        CREATE TABLE "ORDERS" ("ID" integer, "STATE" text CHECK ("STATE" IN ('x', 'y')));
        CREATE TABLE runs (id integer, run_status text CHECK (run_status IN ('p', 'q')));
        """,
    )
    names = [e.name for t in found.standard.tables for e in t.enums.values()]
    assert sorted(names) == [
        "CoalescePolicy",
        "NavigationMenuItemType",
        "OrderState",
        "Platform",
        "PostStatus",
        "Priority",
        "RunStatus",
        "TrialIntermediateValueType",
        "Unheardof",
    ]


def test_columns_with_the_same_values_share_one_enum(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TYPE color AS ENUM ('red', 'blue');
        CREATE TABLE plans (id integer PRIMARY KEY, state text CHECK (state IN ('open', 'shut')));
        CREATE TABLE tasks (id integer PRIMARY KEY, state text CHECK (state IN ('shut', 'open')));
        CREATE TABLE parts (
            id integer PRIMARY KEY, color color, shade text CHECK (shade IN ('blue', 'red')),
            state text CHECK (state IN ('OPEN', 'SHUT'))
        );
        """,
    )
    plans, tasks, parts = map(found.table, ("plans", "tasks", "parts"))
    assert plans.enums["state"] is tasks.enums["state"] is not parts.enums["state"]
    assert plans.enums["state"].name == "State"
    assert parts.enums["shade"] is parts.enums["color"]
    # Its old spelling is another one, so it is another enum.
    assert parts.enums["state"].back == {"OPEN": "OPEN", "SHUT": "SHUT"}
    assert 'values = ["OPEN", "SHUT"]\nback = "upper"\n' in found.text
    assert found.text.count("[enum.") == 3


def test_ids_digests_keys_and_free_text_are_no_enums(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE owners (id text PRIMARY KEY);
        CREATE TABLE things (
            id integer PRIMARY KEY, owner text REFERENCES owners, tenant_id text, etag text,
            content_hash text, api_key text, title text, note text, host text, worker text,
            "userName" text, mood text
        );
        INSERT INTO owners VALUES ('anna'), ('bert');
        INSERT INTO things
        SELECT n, (ARRAY['anna', 'bert'])[1 + n % 2], 'x' || chr(97 + n % 2),
            'e' || chr(97 + n % 2), 'deadbeef' || n % 2,
            'k' || chr(97 + n % 2), (ARRAY['one', 'two'])[1 + n % 2],
            (ARRAY['yes', 'no'])[1 + n % 2], (ARRAY['eu', 'us'])[1 + n % 2], 'worker' || n % 3,
            (ARRAY['anna', 'bert'])[1 + n % 2], (ARRAY['good', 'bad'])[1 + n % 2]
        FROM generate_series(1, 60) AS n;
        """,
    )
    assert [line for line in found.text.splitlines() if line.startswith("# enums.")] == [
        '# enums.mood = "ThingMood"  # 2 values in 60 rows: bad, good',
    ]


def test_values_within_documents_are_suggested_at_their_paths(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        r"""
        CREATE TABLE calls (id integer PRIMARY KEY, body jsonb, raw json);
        INSERT INTO calls
        SELECT n,
            jsonb_build_object(
                'kind', (ARRAY['chat', 'audio'])[1 + n % 2],
                'limits', jsonb_build_object('the level', (ARRAY['low', 'high'])[1 + n % 2]),
                'id', 'x' || chr(97 + n % 2), 'n', n % 2, 'text', 'word' || n,
                'list', '[{"kind": "chat"}]'::jsonb, 'SIZE', (ARRAY['S', 'L'])[1 + n % 2]
            ),
            (CASE WHEN n = 7 THEN '{"a": "\u0000"}' ELSE '{"state": "' ||
                (ARRAY['on', 'off'])[1 + n % 2] || '"}' END)::json
        FROM generate_series(1, 40) AS n;
        """,
    )
    lines = [line for line in found.text.splitlines() if line.startswith("# json.")]
    assert lines == [
        '# json.body.kind = "CallKind"  # 2 values in 40 of 40 documents: audio, chat',
        '# json.body.limits."the level" = "CallTheLevel"  # 2 values in 40 of 40 documents: high, '
        "low",
        '# json.raw.state = "CallState"  # 2 values in 39 of 39 documents: off, on',
    ]
    # With the # away it is in force.
    agreed = tmp_path / "agreed.toml"
    text = found.text.replace("# json.", "json.")
    agreed.write_text(
        text.replace("# [enum.", "[enum.").replace("# values", "values"), encoding="utf-8"
    )
    (table,) = load_standard(agreed).tables
    assert {c: [p.keys for p in paths] for c, paths in table.json.items()} == {
        "body": [("kind",), ("limits", "the level")],
        "raw": [("state",)],
    }


def test_an_array_whose_values_are_in_both_cases_says_that_generate_refuses_it(
    database: str, tmp_path: Path
) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE pets (id integer PRIMARY KEY, likes text[] NOT NULL, hates text[] NOT NULL);
        INSERT INTO pets SELECT n, '{walks,Food}', '{baths,vets}' FROM generate_series(1, 40) AS n;
        """,
    )
    lines = found.text.splitlines()
    likes = next(i for i, line in enumerate(lines) if line.startswith("# enums.likes"))
    hates = next(i for i, line in enumerate(lines) if line.startswith("# enums.hates"))
    assert lines[likes - 1].startswith("# generate refuses it: an array cannot restore")
    assert lines[hates - 1] == "# it looks like an enum, but no CHECK says so:"


def test_a_cast_that_the_owner_of_a_type_made_is_never_run(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TYPE citext AS ENUM ('good', 'bad');
        CREATE DOMAIN feeling AS citext CHECK (VALUE IN ('good', 'bad'));
        CREATE FUNCTION run(citext) RETURNS text LANGUAGE plpgsql
            AS 'BEGIN RAISE EXCEPTION ''code of the owner runs''; END';
        CREATE CAST (citext AS text) WITH FUNCTION run(citext) AS IMPLICIT;
        CREATE TABLE days (id integer PRIMARY KEY, a citext, b feeling, c citext[]);
        INSERT INTO days VALUES (1, 'good', 'bad', '{bad}'), (2, 'bad', NULL, NULL);
        """,
    )
    (enum,) = {e.name: e for t in found.standard.tables for e in t.enums.values()}.values()
    assert enum.values == ("GOOD", "BAD")
