"""Writes migration files as a user would."""

from __future__ import annotations

from pathlib import Path


def write_migration(
    folder: Path,
    name: str,
    forward: str,
    rollback: str | None = "SELECT 1;",
    *,
    depends: str = "",
    transactional: bool = True,
) -> Path:
    """Write a forward file with its header, and its rollback file.

    Args:
        folder: made when it is missing.
        name: the id.
        forward: the SQL.
        rollback: the SQL that undoes it; None for no rollback file.
        depends: ids, separated by spaces.
        transactional: False for a file outside a transaction.

    Returns:
        The forward file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    header = f"-- Migration {name}.\n--\n"
    header += f"-- depends: {depends}\n" if depends else ""
    header += "" if transactional else "-- transactional: false\n"
    path = folder / f"{name}.sql"
    path.write_text(header + forward + "\n", encoding="utf-8")
    if rollback is not None:
        (folder / f"{name}.rollback.sql").write_text(rollback + "\n", encoding="utf-8")
    return path


def write_tables(folder: Path, count: int) -> None:
    """Write migrations that each create one table, each after the one before."""
    before = ""
    for number in range(1, count + 1):
        name = f"{number:04}_expand_table"
        write_migration(
            folder,
            name,
            f"CREATE TABLE public.t{number} (id integer PRIMARY KEY);",
            f"DROP TABLE public.t{number};",
            depends=before,
        )
        before = name
