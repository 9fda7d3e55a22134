"""The standard is edited, and its files are generated again."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support.migration_files import write_migration
from support.runs import run_trueup, run_yoyo

STANDARD = """
[service]
name = "shop"

[enum.State]
values = [{values}]

[table.orders]
name = "{name}"
enums.state = "State"

[table.carts]
name = "cart"
"""


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Path:
    """A service with its files, applied nowhere."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE orders (id int PRIMARY KEY, state text NOT NULL, note text);"
            "CREATE TABLE carts (id int PRIMARY KEY);"
            "INSERT INTO orders SELECT n, 'open' FROM generate_series(1, 9) AS n"
        )
    folder = tmp_path / "sql" / "shop"
    folder.mkdir(parents=True)
    edit(folder, "order", "OPEN")
    generate(folder, database)
    return folder


def edit(folder: Path, name: str, *values: str) -> None:
    text = STANDARD.format(name=name, values=", ".join(f'"{v}"' for v in values))
    (folder / "standard.toml").write_text(text, encoding="utf-8")


def with_legacy(folder: Path) -> None:
    (folder / "legacy").mkdir()
    (folder / "legacy" / "0001_baseline_shop.sql").write_text(
        "CREATE TABLE orders (id int PRIMARY KEY, state text NOT NULL, note text);"
        "CREATE TABLE carts (id int PRIMARY KEY);",
        encoding="utf-8",
    )
    (folder / "legacy" / "0001_baseline_shop.rollback.sql").write_text(
        "DROP TABLE orders; DROP TABLE carts;", encoding="utf-8"
    )


def generate(folder: Path, dsn: str, *more: str, code: int = 0) -> str:
    done = run_trueup("generate", "--service", str(folder), "--dsn", dsn, *more, cwd=folder)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text("utf-8") for p in folder.rglob("*.sql")}


def test_files_that_are_recorded_nowhere_are_replaced(shop: Path, database: str) -> None:
    first = files(shop)
    own = shop / "online" / "0350_enforce_own.sql"
    own.write_text("SELECT 1;", encoding="utf-8")
    edit(shop, "sale", "OPEN", "PAID")

    said = generate(shop, database, code=2)
    assert "files differ from what would be generated" in said
    assert "Where no database has them recorded: --replace. Where one has them: `trueup" in said
    assert files(shop).items() >= first.items()

    # What would be done, first.
    said = generate(shop, database, "--replace", "--check", code=1)
    assert "removed: " in said
    assert files(shop).items() >= first.items()

    generate(shop, database, "--replace")
    found = files(shop)
    assert not any("_order." in path for path in found)
    assert "'PAID'" in "".join(found.values())
    # Whoever wrote a file without the header of generated ones keeps it.
    assert found.pop("online/0350_enforce_own.sql") == "SELECT 1;"
    own.unlink()
    # As if it had been so from the beginning, numbers included.
    for path in shop.rglob("*.sql"):
        path.unlink()
    generate(shop, database)
    assert files(shop) == found
    assert "unchanged: " in generate(shop, database, "--check")


def test_files_that_are_recorded_are_not(shop: Path, database: str) -> None:
    with_legacy(shop)
    generate(shop, database, "--replace")
    for verb in (["baseline"], ["apply", "--to", "expand"]):
        done = run_trueup(*verb, "--service", str(shop), dsn=database)
        assert done.returncode == 0, done.stderr
    before = files(shop)
    edit(shop, "order", "OPEN", "PAID")
    # From the baseline, and from the database itself.
    done = run_trueup("generate", "--service", str(shop), "--replace", dsn=database)
    assert done.returncode == 2
    assert "are recorded in the database: common/0061_check_order.sql" in done.stderr
    assert "Instead: `trueup rollback` there first, or leave standard.toml as it" in done.stderr
    said = generate(shop, database, "--replace", code=2)
    assert "the database has the new names of public.order, public.cart already" in said
    assert files(shop) == before

    rolled = run_trueup("rollback", "--service", str(shop), "--all", dsn=database)
    assert rolled.returncode == 0, rolled.stderr
    assert "replaced: " in generate(shop, database, "--replace")


def test_without_a_database_it_says_that_none_was_asked(shop: Path, tmp_path: Path) -> None:
    with_legacy(shop)
    edit(shop, "sale", "OPEN")
    done = run_trueup("generate", "--service", str(shop), "--replace", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "no database is named, so none was asked whether it has files recorded\n"
    assert "replaced: " in done.stdout


def test_files_of_an_earlier_version_that_are_recorded_stay(shop: Path, database: str) -> None:
    """They had the toolkit in each strategy's folder; a database may have them."""
    with_legacy(shop)
    generate(shop, database, "--replace")
    for path in {*shop.glob("common/*.sql"), *shop.glob("*/*_toolkit_*.sql")}:
        path.unlink()
    header = "-- does: a\n-- locks: a\n-- cost: a\n-- undo: a\n"
    write_migration(shop / "online", "0101_expand_toolkit", "SELECT 1;")
    old = shop / "online" / "0101_expand_toolkit.sql"
    old.write_text(header + old.read_text(encoding="utf-8"), encoding="utf-8")
    run_yoyo("apply", str(shop / "online"), "-r", old.stem, dsn=database)

    said = run_trueup("generate", "--service", str(shop), dsn=database)
    assert said.returncode == 2
    assert "are no longer generated, and may have been applied: online/0101" in said.stderr
    said = run_trueup("generate", "--service", str(shop), "--replace", dsn=database)
    assert said.returncode == 2
    assert "are recorded in the database: online/0101_expand_toolkit.rollback.sql" in said.stderr
    assert "`trueup rollback` there first" in said.stderr
