"""The standard of a random schema, and what generate must say of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.catalog import Catalog
from runner.generate import Generated, generate
from runner.standard import JsonPath, Standard, TableStandard
from support.random_schemas.kinds import PATHS, STATES
from support.random_schemas.model import Column, Schema, Table, references
from support.random_schemas.things import REFUSED, WINDOW


def standard(schema: Schema) -> Standard:
    """The new contract."""
    return Standard("random", "public", tuple(_table(schema, t) for t in schema))


def _table(schema: Schema, table: Table) -> TableStandard:
    def of(*kinds: str) -> Iterator[Column]:
        return (c for c in table.columns if c.kind in kinds)

    return TableStandard(
        table.schema,
        table.old.name,
        table.new.name,
        ("id", *(f"{stem}_id" for stem, _, _ in references(schema, table))),
        {c.name: c.of.enum for c in table.columns if c.of.enum and not c.of.is_json},
        columns={c.name: c.new_name for c in of("renamed")},
        keep_original={c.name: f"{c.name[:50]} was" for c in table.columns if c.keeps},
        integers={c.name: (1, 2, 3) for c in of("level")},
        json={c.name: tuple(JsonPath(p, STATES) for p in PATHS) for c in of("json", "jsonb")},
    )


def refusals(schema: Schema, version: int) -> list[str]:
    """What generate must say, in one of these ways, before it writes anything."""
    return [
        thing.says.replace("{table}", str(table.old))
        for table in schema
        for name, thing in table.things.items()
        if name in REFUSED and thing.since <= version
    ] + [
        "publishes its updates and has neither a key that identifies its rows"
        for table in schema
        if _hides_generated(table, version) and _identity(table) != "key"
    ]


def window_reasons(schema: Schema, version: int) -> list[str]:
    """What generate must say, in all these ways, of what only the window converts."""
    found = [
        thing.says.replace("{table}", str(table.old))
        for table in schema
        for name, thing in table.things.items()
        if name in WINDOW
    ]
    for table in schema:
        if table.partitions and any(far.partitions for _, _, far in references(schema, table)):
            found.append("refers from a partitioned table to a partitioned one")
        if (
            not _hides_generated(table, version)
            and _is_published(table)
            and _identity(table) == "none"
        ):
            found.append("publishes its updates and has no replica identity")
    return found


def _is_published(table: Table) -> bool:
    return not table.things.keys().isdisjoint({"published", "published without identity"})


def _hides_generated(table: Table, version: int) -> bool:
    """Whether PostgreSQL would take generated columns for what identifies a row, and refuses."""
    return version >= 18 and _is_published(table) and "generated" in table.things


def _identity(table: Table) -> str:
    """What tells a subscriber which row was changed: key, full, or none."""
    if "published without identity" in table.things:
        return "none"
    # A partition has one of its own.
    if "full identity" in table.things and not table.partitions:
        return "key" if "identity of an index" in table.things else "full"
    return "key" if table.key in ("single", "composite") else "none"


def write_files(folder: Path, schema: Schema, catalog: Catalog) -> Generated:
    """Generate the files of both strategies below a folder."""
    generated = generate(standard(schema), catalog, baseline=None)
    for file in generated.files:
        (folder / file.folder).mkdir(parents=True, exist_ok=True)
        (folder / file.folder / f"{file.id}.sql").write_text(file.sql, encoding="utf-8")
        rollback = folder / file.folder / f"{file.id}.rollback.sql"
        rollback.write_text(file.rollback, encoding="utf-8")
    return generated
