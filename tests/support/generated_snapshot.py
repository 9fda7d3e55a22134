"""What the generator writes for random schemas and for tests' services, kept to compare with later.

    python -m support.generated_snapshot keep FOLDER     # draws, reads the catalogs, generates
    python -m support.generated_snapshot compare FOLDER  # generates again from the same catalogs

The net below a change of structure: run `keep` before the first step, `compare` after each one.
Run it in tests/, with the project's Python. `compare` needs no server.
"""

from __future__ import annotations

import difflib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
from hypothesis import HealthCheck, Phase, given, seed, settings

from runner.catalog import Catalog, read_catalog
from runner.errors import StandardError
from runner.generate import generate
from runner.postgres.embedded import FAST, start_server
from runner.standard import Standard, load_standard
from support.databases import DatabaseFactory
from support.random_schemas.contract import standard
from support.random_schemas.make import make
from support.random_schemas.model import SCHEMAS, Schema, schemas
from support.variants import NATIVE_LOWER, NATIVE_UPPER, TEXT

SEED = 20261130
EXAMPLES = 300


def written(wanted: Standard, catalog: Catalog) -> dict[str, str]:
    """Each file by its path; or the refusal."""
    try:
        generated = generate(wanted, catalog, baseline="0001_baseline")
    except StandardError as error:
        return {"refusal": f"{error}\n{error.hint or ''}"}
    found = {"only window": "\n".join(generated.only_window)}
    for file in generated.files:
        found[f"{file.folder}/{file.id}.sql"] = file.sql
        found[f"{file.folder}/{file.id}.rollback.sql"] = file.rollback
    return found


def _inputs() -> Iterator[tuple[str, Standard, Catalog]]:
    drawn: list[Schema] = []

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schema=schemas())
    def draw(schema: Schema) -> None:
        drawn.append(schema)

    draw()
    with start_server(settings=FAST) as server:
        factory = DatabaseFactory(server.dsn())
        for variant in (TEXT, NATIVE_UPPER, NATIVE_LOWER):
            dsn = factory()
            variant.load(dsn)
            with psycopg.connect(dsn) as connection:
                yield variant.name, load_standard(variant.standard), read_catalog(connection)
        for number, schema in enumerate(drawn):
            with psycopg.connect(factory(), autocommit=True) as connection:
                make(connection, schema)
                yield f"random {number}", standard(schema), read_catalog(connection, SCHEMAS)
            factory.drop()


def keep(folder: Path) -> None:
    """Draw and generate."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, wanted, catalog in _inputs():
        found = (wanted, catalog, written(wanted, catalog))
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(found))


def compare(folder: Path) -> int:
    """Generate again; print the first differences.

    Returns:
        How many schemas came out differently.
    """
    differing, files, refused, schemas = 0, 0, 0, 0
    for path in sorted(folder.glob("*.pickle")):
        wanted, catalog, before = pickle.loads(path.read_bytes())
        after = written(wanted, catalog)
        schemas, files = schemas + 1, files + len(after) - 1
        refused += "refusal" in after
        if before == after:
            continue
        differing += 1
        if differing <= 3:
            for name in [n for n in before | after if before.get(n) != after.get(n)][:2]:
                old, new = (x.get(name, "").splitlines(keepends=True) for x in (before, after))
                sys.stdout.writelines(difflib.unified_diff(old, new, f"{path.stem} {name}", "now"))
    print(f"{schemas} schemas ({refused} refused), {files} files; {differing} differ")
    return differing


if __name__ == "__main__":
    if sys.argv[1] == "keep":
        keep(Path(sys.argv[2]))
    else:
        sys.exit(bool(compare(Path(sys.argv[2]))))
