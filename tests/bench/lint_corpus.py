"""Migrations as teams write them, for each layout: tables, columns, keys, indexes, data, undo."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

PROJECT = 80  # migrations
_NOUNS = "account invoice customer order item payment session ticket team member".split()
_TYPES = (
    "text NOT NULL",
    "varchar(255)",
    "integer NOT NULL DEFAULT 0",
    "bigint",
    "boolean NOT NULL DEFAULT false",
    "timestamptz NOT NULL DEFAULT now()",
    "jsonb",
    "numeric(12,2)",
    "uuid",
)
_Change = tuple[str, str]


def write_corpus(folder: Path, files: int, seed: int = 7) -> int:
    """Write projects of each layout until there are enough files.

    Args:
        folder: an empty one.
        files: how many SQL files at least.
        seed: of what is in them.

    Returns:
        How many SQL files there are.
    """
    chance = random.Random(seed)
    written, project = 0, 0
    layouts = list(_LAYOUTS.items())
    while written < files:
        name, lay_out = layouts[project % len(layouts)]
        root = folder / f"{name}_{project:03}"
        changes = [_change(chance, number) for number in range(PROJECT)]
        for path, text in lay_out(changes):
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
            written += path.endswith(".sql")
        project += 1
    return written


def _change(chance: random.Random, number: int) -> _Change:
    """One migration's SQL, and what undoes it."""
    table = f"{chance.choice(_NOUNS)}_{number // 4}"
    if number % 4 == 0 or chance.random() < 0.2:
        return _new_table(chance, f"{chance.choice(_NOUNS)}_{number}")
    parts = [_alteration(chance, table, n) for n in range(chance.randint(1, 3))]
    return "\n".join(up for up, _ in parts), "\n".join(down for _, down in reversed(parts))


def _new_table(chance: random.Random, table: str) -> _Change:
    names = chance.sample(range(90), chance.randint(4, 14))
    columns = ",\n".join(f"    field_{n} {chance.choice(_TYPES)}" for n in names)
    up = f"-- what the service knows of each {table}\nCREATE TABLE {table} (\n"
    up += f"    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n{columns}\n);\n"
    up += f"CREATE INDEX {table}_{names[0]}_idx ON {table} (field_{names[0]});\n"
    up += f"COMMENT ON TABLE {table} IS 'it''s the {table}';\n"
    return up, f"DROP TABLE {table};\n"


def _alteration(chance: random.Random, table: str, n: int) -> _Change:
    column, kind = f"extra_{n}", chance.choice(_TYPES)
    return chance.choice(
        (
            (
                f"ALTER TABLE {table} ADD COLUMN {column} {kind};\n",
                f"ALTER TABLE {table} DROP COLUMN {column};\n",
            ),
            (
                f"CREATE INDEX {table}_{column}_idx ON {table} ({column}, lower(name))\n"
                f"    WHERE {column} IS NOT NULL;\n",
                f"DROP INDEX {table}_{column}_idx;\n",
            ),
            (
                f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_fkey FOREIGN KEY ({column})\n"
                "    REFERENCES account_0 (id) ON DELETE CASCADE;\n",
                f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_fkey;\n",
            ),
            (
                f"UPDATE {table} SET {column} = coalesce({column}, 'none') WHERE id < 1000;\n",
                f"UPDATE {table} SET {column} = NULL WHERE {column} = 'none';\n",
            ),
            (
                f"CREATE FUNCTION touch_{table}_{n}() RETURNS trigger LANGUAGE plpgsql AS $$\n"
                "BEGIN\n    NEW.updated_at := now();\n    RETURN NEW;\nEND;\n$$;\n",
                f"DROP FUNCTION touch_{table}_{n}();\n",
            ),
            (
                f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\n",
                f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;\n",
            ),
        )
    )


def _stamp(number: int) -> str:
    return f"2024{number // 28 + 1:02}{number % 28 + 1:02}120000"


def _yoyo(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    for n, (up, down) in enumerate(changes):
        depends = f"{n - 1:04}_change" if n else ""
        yield f"migrations/{n:04}_change.sql", f"-- depends: {depends}\n\n{up}"
        yield f"migrations/{n:04}_change.rollback.sql", down


def _dbmate(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    for n, (up, down) in enumerate(changes):
        text = f"-- migrate:up\n{up}\n-- migrate:down\n{down}"
        yield f"db/migrations/{_stamp(n)}_change.sql", text


def _goose(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    for n, (up, down) in enumerate(changes):
        yield f"migrations/{n + 1:05}_change.sql", f"-- +goose Up\n{up}\n-- +goose Down\n{down}"


def _flyway(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    for n, (up, _) in enumerate(changes):
        yield f"db/migration/V{n + 1}__change.sql", up


def _up_down(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    for n, (up, down) in enumerate(changes):
        yield f"migrations/{n + 1:06}_change.up.sql", up
        yield f"migrations/{n + 1:06}_change.down.sql", down


def _prisma(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    yield "prisma/migrations/migration_lock.toml", 'provider = "postgresql"\n'
    for n, (up, _) in enumerate(changes):
        yield f"prisma/migrations/{_stamp(n)}_change/migration.sql", up


def _diesel(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    for n, (up, down) in enumerate(changes):
        yield f"migrations/{_stamp(n)}_change/up.sql", up
        yield f"migrations/{_stamp(n)}_change/down.sql", down


def _sqitch(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    plan = "%syntax-version=1.0.0\n%project=shop\n\n"
    for n, (up, down) in enumerate(changes):
        name = f"part_{n % 5}/change_{n}"
        plan += f"{name} 2024-01-01T00:00:00Z Ann <ann@example.com> # change\n"
        yield f"deploy/{name}.sql", f"BEGIN;\n{up}COMMIT;\n"
        yield f"revert/{name}.sql", f"BEGIN;\n{down}COMMIT;\n"
    yield "sqitch.plan", plan


def _node_pg_migrate(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    for n, (up, down) in enumerate(changes):
        text = f"-- Up Migration\n{up}\n-- Down Migration\n{down}"
        yield f"migrations/{1_700_000_000_000 + n}_change.sql", text


def _liquibase(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    included = ""
    for n, (up, down) in enumerate(changes):
        undo = "".join(f"--rollback {line}\n" for line in down.splitlines())
        included += f"  - include:\n      file: changes/{n:03}.sql\n"
        text = f"--liquibase formatted sql\n\n--changeset ann:{n}\n{up}{undo}"
        yield f"changes/{n:03}.sql", text
    yield "changelog-master.yaml", f"databaseChangeLog:\n{included}"


def _supabase(changes: list[_Change]) -> Iterator[tuple[str, str]]:
    for n, (up, _) in enumerate(changes):
        yield f"supabase/migrations/{_stamp(n)}_change.sql", up


_LAYOUTS: dict[str, Callable[[list[_Change]], Iterator[tuple[str, str]]]] = {
    "yoyo": _yoyo,
    "dbmate": _dbmate,
    "goose": _goose,
    "flyway": _flyway,
    "up_down": _up_down,
    "prisma": _prisma,
    "diesel": _diesel,
    "sqitch": _sqitch,
    "node_pg_migrate": _node_pg_migrate,
    "liquibase": _liquibase,
    "supabase": _supabase,
}
