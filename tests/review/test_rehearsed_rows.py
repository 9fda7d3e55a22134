"""The rows of a rehearsal meet what the files are going to ask of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.databases import DatabaseFactory
from support.migration_files import write_migration
from support.runs import query

from runner.ledger.files import read_migrations
from runner.review.certificate import Certificate
from runner.review.rehearse import Options, rehearse

SHOP = """
CREATE TABLE public.customer (id bigint PRIMARY KEY, email text NOT NULL);
CREATE TABLE public.invoice (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL, total integer, state text,
    begun date, ended date, code text NOT NULL
);
"""
ADDED = {
    "a foreign key": "FOREIGN KEY (customer_id) REFERENCES public.customer (id)",
    "upper case": "CHECK (state = upper(state))",
    "a list": "CHECK (state IN ('OPEN', 'SHUT'))",
    "a range": "CHECK (total BETWEEN 1000 AND 2000)",
    "an order": "CHECK (begun < ended)",
    "a pattern": "CHECK (code LIKE 'INV-%')",
}


def write_shop(folder: Path, constraint: str, *, at_once: bool) -> None:
    write_migration(folder, "0001_base", SHOP, None)
    add = f"ALTER TABLE public.invoice ADD CONSTRAINT added {constraint}"
    drop = "ALTER TABLE public.invoice DROP CONSTRAINT added;"
    if at_once:
        write_migration(folder, "0002_add", f"{add};", drop, depends="0001_base")
        return
    write_migration(folder, "0002_add", f"{add} NOT VALID;", drop, depends="0001_base")
    validate = "ALTER TABLE public.invoice VALIDATE CONSTRAINT added;"
    write_migration(folder, "0003_validate", validate, depends="0002_add")


def rehearsed(folder: Path, server_dsn: str, live: str | None = None) -> Certificate:
    options = Options(rows=200, scratch=server_dsn, base="0001_base", clients=False)
    return rehearse(live, read_migrations([folder]), options=options)


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "not valid first"])
@pytest.mark.parametrize("constraint", ADDED.values(), ids=ADDED)
def test_made_up_rows_meet_a_constraint_that_is_added(
    tmp_path: Path, server_dsn: str, constraint: str, at_once: bool
) -> None:
    write_shop(tmp_path, constraint, at_once=at_once)
    found = rehearsed(tmp_path, server_dsn)
    assert found.problems == ()
    assert {size.relation: size.rows[-1] for size in found.sizes}["public.invoice"] == 200


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE public.invoice ALTER COLUMN total SET NOT NULL",
        "CREATE UNIQUE INDEX added ON public.invoice (total)",
        "ALTER TABLE public.invoice ALTER COLUMN state SET NOT NULL,"
        " ADD CONSTRAINT c CHECK (state = upper(state))",
    ],
    ids=["not null", "unique", "both"],
)
def test_and_so_do_columns(tmp_path: Path, server_dsn: str, statement: str) -> None:
    write_migration(tmp_path, "0001_base", SHOP, None)
    back = (
        "ALTER TABLE public.invoice ALTER COLUMN total DROP NOT NULL,"
        " ALTER COLUMN state DROP NOT NULL, DROP CONSTRAINT IF EXISTS c;"
        " DROP INDEX IF EXISTS public.added;"
    )
    write_migration(tmp_path, "0002_add", f"{statement};", back, depends="0001_base")
    assert rehearsed(tmp_path, server_dsn).problems == ()


def test_what_no_row_meets_is_told_as_such(tmp_path: Path, server_dsn: str) -> None:
    write_shop(tmp_path, "CHECK (code = md5(id::text))", at_once=True)
    found = rehearsed(tmp_path, server_dsn)
    assert any("no row could be made that meets its checks" in note for note in found.notes)


@pytest.fixture
def live(database_factory: DatabaseFactory) -> str:
    dsn = database_factory()
    query(dsn, SHOP.encode())  # type: ignore[arg-type]
    query(dsn, "INSERT INTO customer SELECT n, 'x' FROM generate_series(1, 3000) AS n")
    query(
        dsn,
        "INSERT INTO invoice (id, customer_id, code) SELECT n, 3001 - n, 'x'"
        " FROM generate_series(1, 3000) AS n",
    )
    query(dsn, "ANALYZE")
    return dsn


def pending(tmp_path: Path) -> Path:
    """Only what comes after the base: the live database has it."""
    write_shop(tmp_path, ADDED["a foreign key"], at_once=False)
    (tmp_path / "0001_base.sql").write_text("SELECT 1;\n")
    (tmp_path / "0001_base.rollback.sql").write_text("SELECT 1;\n")
    return tmp_path


def test_a_sample_comes_with_the_parents_of_a_key_to_come(
    tmp_path: Path, live: str, server_dsn: str
) -> None:
    assert rehearsed(pending(tmp_path), server_dsn, live).problems == ()


def test_live_rows_that_break_a_constraint_are_a_finding_about_the_data(
    tmp_path: Path, live: str, server_dsn: str
) -> None:
    query(live, "UPDATE invoice SET customer_id = -1")
    found = rehearsed(pending(tmp_path), server_dsn, live)
    assert "the data is at fault, not the file" in found.problems[0]
    assert "violates foreign key constraint" in found.problems[1]
