"""Letters: values convert alike whatever collation a column or a database has."""

# ruff: noqa: RUF001 - letters that look alike are what it is about

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from support.journey import Journey
from support.runs import query
from support.variants import Service, write_generated

from runner.preflight import check
from runner.standard import load_standard

FILES = """
[enum.Kind]
values = ["IMAGE", "VIDEO", "INLINE"]

[table.files]
name = "file"
uuids = ["id"]
enums.kind = "Kind"
"""


def files(collation: str = "", type_name: str = "varchar(36)") -> str:
    """A table of ids and kinds in several spellings."""
    return f"""
        CREATE TABLE files (
            id {type_name} {collation} PRIMARY KEY,
            kind {type_name} {collation} NOT NULL DEFAULT 'image'
                CHECK (kind IN ('image', 'video', 'inline', 'Video', 'INLINE')),
            note text {collation}
        );
        CREATE UNIQUE INDEX ON files (kind, id) WHERE kind = 'video';
        CREATE VIEW inlined AS SELECT id FROM files WHERE kind = 'inline';
        INSERT INTO files
        SELECT CASE WHEN n % 2 = 0 THEN upper(gen_random_uuid()::text)
                ELSE gen_random_uuid()::text END,
            (ARRAY['image', 'video', 'inline', 'Video', 'INLINE'])[1 + n % 5], 'Note'
        FROM generate_series(1, 20) AS n;
    """


@pytest.mark.parametrize("collation", ["turkish", "folded"])
def test_a_column_with_a_collation_of_its_own_comes_through(
    journey: Journey, icu: str, collation: str
) -> None:
    journey.there_and_back(icu + files(f"COLLATE {collation}"), FILES)


def test_a_column_that_folds_case_by_its_type_comes_through(
    journey: Journey, extension: Callable[[str], str]
) -> None:
    journey.there_and_back(extension("citext") + files(type_name="citext"), FILES)


@pytest.mark.parametrize("collation", ["turkish", "folded"])
def test_check_reads_a_column_with_a_collation_of_its_own(
    journey: Journey, icu: str, collation: str
) -> None:
    service = journey.start(icu + files(f"COLLATE {collation}"), FILES)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        report = check(connection, load_standard(service.folder / "standard.toml"))
    assert [f"{f.object} {f.problem}" for f in report.stops] == []
    found = {f.object: f.rows for f in report.findings if "give back" in f.problem}
    assert found == {"public.files.kind": 8}


@pytest.fixture
def turkish_database(server_dsn: str, icu: str) -> Iterator[str]:
    name = sql.Identifier(f"test_{uuid.uuid4().hex[:16]}")
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        if connection.info.server_version < 150000:
            pytest.skip("a database's locale by ICU is new in PostgreSQL 15")
        connection.execute(
            sql.SQL(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING UTF8"
                " LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'"
            ).format(name)
        )
        yield psycopg.conninfo.make_conninfo(server_dsn, dbname=name.as_string().strip('"'))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def test_both_contracts_agree_in_a_turkish_database(turkish_database: str, tmp_path: Path) -> None:
    with psycopg.connect(turkish_database, autocommit=True) as connection:
        connection.execute(files().encode())
    standard = tmp_path / "standard.toml"
    standard.write_text('[service]\nname = "letters"\n' + FILES, encoding="utf-8")
    write_generated(standard, turkish_database, tmp_path)
    made = Service(turkish_database, tmp_path)
    for phase in ("enforce", "switch"):
        made.up(phase)
        query(made.dsn, "INSERT INTO file (id, kind) VALUES (gen_random_uuid(), 'INLINE')")
        query(made.dsn, "INSERT INTO files (id, kind) VALUES (gen_random_uuid()::text, 'image')")
        assert query(made.dsn, "SELECT count(*) FROM files WHERE kind ~ '[^A-Za-z]'") == [(0,)]
    made.up("contract")
    kinds = query(made.dsn, "SELECT DISTINCT kind FROM file ORDER BY 1")
    assert kinds == [("IMAGE",), ("INLINE",), ("VIDEO",)]
    made.down("online")


WORDS = """
[enum.Word]
values = ["GEÖFFNET", "KIRMIZI", "ΑΛΦΑ", "ON_HOLD"]
back.KIRMIZI = "kırmızı"

[table.things]
name = "thing"
uuids = ["id"]
enums.word = "Word"
"""


@pytest.mark.parametrize("type_name", ["varchar(20)", "word"])
def test_letters_beyond_ascii_come_through(journey: Journey, type_name: str) -> None:
    journey.there_and_back(
        f"""
        CREATE TYPE word AS ENUM ('geöffnet', 'kırmızı', 'αλφα', 'On_hold');
        CREATE TABLE things (
            id varchar(36) PRIMARY KEY, word {type_name} NOT NULL DEFAULT 'geöffnet'
        );
        INSERT INTO things SELECT gen_random_uuid(), w
        FROM unnest(ARRAY['geöffnet', 'kırmızı', 'αλφα', 'On_hold']::{type_name}[]) AS w;
        """,
        WORDS,
    )
