"""What tables are proposed to be called."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support.proposals import propose
from support.runs import run_trueup


def test_the_users_words_win(database: str, tmp_path: Path) -> None:
    words = tmp_path / "words.toml"
    words.write_text('leaves = "leaf"\npeople = "human"\n', encoding="utf-8")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE leaves (); CREATE TABLE people (); CREATE TABLE data ()")
    done = run_trueup("propose", "s", "--words", str(words), dsn=database)
    assert 'name = "leaf"' in done.stdout
    assert 'name = "human"' in done.stdout
    assert "# Unchanged: 1 table: public.data" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("leaves = 1", "leaves must be text, not 1"),
        ("leaves", "is not TOML"),
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
    for reason, free in (
        ("state is taken by the type of that name", "s_state"),
        ("user is a reserved word", "s_user"),
        ("2 tables would get the name index", "s_index"),
        ("task is taken by the view of that name", "s_task"),
        ("part is taken by the index of that name", "s_part"),
        ("analysis is taken by the table of that name", "s_analysis"),
    ):
        said = f'# {reason}, {free} is free:\n# name = "{free}"\n'
        assert said in found.text, reason
    assert (
        "# view public.open_tasks keeps its name: only tables are renamed (else to open_task)"
        in found.text
    )


def test_a_migration_tool_s_table_keeps_its_name(database: str, tmp_path: Path) -> None:
    found = propose(database, tmp_path, "CREATE TABLE schema_migrations (version text);")
    assert found.table("schema_migrations").name == "schema_migrations"
    assert "# schema_migrations is the name by which a migration tool looks for it" in found.text


def test_a_name_keeps_the_convention_of_its_table(database: str, tmp_path: Path) -> None:
    found = propose(
        database,
        tmp_path,
        """
        CREATE TABLE "userRoles" (id integer PRIMARY KEY);
        CREATE TABLE "OrderLines" (id integer PRIMARY KEY);
        CREATE TABLE "ORDER_LINES" (id integer PRIMARY KEY);
        CREATE TABLE "Order Lines" (id integer PRIMARY KEY);
        CREATE TABLE "Categories" (id integer PRIMARY KEY);
        CREATE TABLE "Category" (id integer PRIMARY KEY);
        """,
    )
    assert {t.old: t.name for t in found.standard.tables if t.old != t.name} == {
        "userRoles": "userRole",
        "OrderLines": "OrderLine",
        "ORDER_LINES": "ORDER_LINE",
        "Order Lines": "Order Line",
    }
    assert (
        "# Category is taken by the table of that name, SCategory is free:\n"
        '# name = "SCategory"\n' in found.text
    )
