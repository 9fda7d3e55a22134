"""The databases that the standard must fit: a schema, rows, and the files that migrate them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from runner.catalog import Catalog, Relation, read_catalog
from runner.execute.engine import Outcome, Settings, apply, rollback
from runner.execute.old_names import begin_waiting
from runner.generate import generate
from runner.ledger.files import Migration, read_migrations
from runner.standard import load_standard
from support.toolkit import assert_complete

HERE = Path(__file__).parent
SHIPPED = HERE.parents[2] / "sql" / "model_orchestration"
BASELINE = "0001_baseline_legacy_schema"
FIRST = "0051_toolkit_model_orchestration_common"  # of the files that are generated

# Contract may follow at once: nobody has to be waited for.
AT_ONCE = Settings(deadline=20.0, waiting_period="0 seconds")


@dataclass(frozen=True)
class Variant:
    """A legacy database.

    Args:
        name: for test ids.
        schema: the SQL file that makes it.
        standard: its standard.toml.
        rows: the SQL files that fill it, in order.
    """

    name: str
    schema: Path
    standard: Path
    rows: tuple[str, ...]

    def __str__(self) -> str:
        return self.name

    def load(self, dsn: str, *, filled: bool = True) -> None:
        """Make the legacy database, empty or filled."""
        if self.schema == _LEGACY:
            apply(dsn, read_migrations([SHIPPED / "legacy"]))
        else:
            run_files(dsn, self.schema)
        run_files(dsn, *(HERE / name for name in self.rows if filled))

    @property
    def is_shipped(self) -> bool:
        """Whether its migrations are the committed ones."""
        return self.standard.parent == SHIPPED


_LEGACY = SHIPPED / "legacy" / f"{BASELINE}.sql"
_SHIPPED = SHIPPED / "standard.toml"
TEXT = Variant("text", _LEGACY, _SHIPPED, ("text_rows.sql",))
ODD = Variant("text-odd", _LEGACY, _SHIPPED, ("text_rows.sql", "odd_spellings.sql"))
DIRTY = Variant("text-dirty", _LEGACY, _SHIPPED, ("text_rows.sql", "unconvertible.sql"))
LIVE = Variant("live", _LEGACY, _SHIPPED, (*ODD.rows, "app_grants.sql"))
KEPT = Variant("kept", _LEGACY, HERE / "kept.toml", LIVE.rows)
EARLY = Variant("early", _LEGACY, HERE / "early.toml", LIVE.rows)
# Generated from its own catalog: the shipped files do not know its policies and settings.
PRODUCTION = Variant("production", _LEGACY, HERE / "production.toml", (*ODD.rows, "production.sql"))
NATIVE_UPPER = Variant(
    "native-upper",
    HERE / "native_upper.sql",
    HERE / "native_upper.toml",
    ("native_upper_rows.sql",),
)
NATIVE_LOWER = Variant(
    "native-lower",
    HERE / "native_lower.sql",
    HERE / "native_lower.toml",
    ("native_lower_rows.sql",),
)


def run_files(dsn: str, *paths: Path) -> None:
    """Run SQL files as a person would with psql."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for path in paths:
            connection.execute(path.read_text(encoding="utf-8"))


def write_generated(
    standard: Path,
    dsn: str,
    folder: Path,
    baseline: str | None = None,
    schemas: Sequence[str] = ("public",),
) -> None:
    """Generate the files for a database, and write them below a folder."""
    with psycopg.connect(dsn) as connection:
        catalog = read_catalog(connection, schemas)
    files = generate(load_standard(standard), catalog, baseline=baseline).files
    assert_complete(files)
    for file in files:
        target = folder / file.folder
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{file.id}.sql").write_text(file.sql, encoding="utf-8")
        (target / f"{file.id}.rollback.sql").write_text(file.rollback, encoding="utf-8")


def migrations_of(service: Path, strategy: str) -> tuple[Migration, ...]:
    """The migrations of one strategy below a service's folder."""
    on_request = []
    if strategy == "online":
        found = (service / "online" / name for name in ("switch", "contract"))
        on_request = [folder for folder in found if [*folder.glob("*.sql")]]
    shared = [folder for name in ("legacy", "common") if (folder := service / name).exists()]
    return read_migrations([*shared, service / strategy], on_request=on_request)


@dataclass(frozen=True)
class Service:
    """A database and the migrations that fit it.

    Args:
        dsn: the database.
        folder: what holds the folders common, online, online/switch, online/contract and window.
    """

    dsn: str
    folder: Path

    def migrations(self, strategy: str) -> tuple[Migration, ...]:
        """The migrations of one strategy."""
        return migrations_of(self.folder, strategy)

    def up(self, to: str) -> Outcome:
        """Apply up to a phase: "window", or one of online's."""
        if to == "contract":
            self.read_odometers()
        return self.apply("window" if to == "window" else "online", to)

    def read_odometers(self) -> None:
        """What an operator does before contract: a clone has other counters than were read."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            begin_waiting(connection)

    def apply(self, strategy: str, to: str, settings: Settings = AT_ONCE) -> Outcome:
        """Apply the migrations of one strategy up to a phase or id."""
        return apply(self.dsn, self.migrations(strategy), to=to, settings=settings)

    def down(self, strategy: str, to: str | None = None) -> Outcome:
        """Roll back to a phase, or everything."""
        return rollback(
            self.dsn,
            self.migrations(strategy),
            to=to,
            everything=to is None,
            settings=AT_ONCE,
        )

    def catalog(self, *schemas: str) -> Catalog:
        """What the service's schemas hold, without the ledgers of yoyo and trueup."""
        with psycopg.connect(self.dsn) as connection:
            found = read_catalog(connection, schemas or ("public", "trueup"))
        relations = {n: r for n, r in found.relations.items() if not _is_ledger(r)}
        return Catalog(found.version, found.schemas, relations, found.functions, found.types)

    def state(self, *schemas: str) -> tuple[Catalog, dict[str, bytes]]:
        """The catalog and the rows."""
        return self.catalog(*schemas), self.rows(*schemas)

    def rows(self, *schemas: str) -> dict[str, bytes]:
        """Every table of the service as COPY writes it, its columns and rows in a fixed order.

        And where each sequence stands.
        """
        relations = self.catalog(*(schemas or ("public",))).relations.values()
        with psycopg.connect(self.dsn) as connection:
            return {
                r.name if r.schema == "public" else str(r.qualified): (
                    _value(connection, r) if r.kind == "S" else _copy(connection, r)
                )
                for r in relations
                if r.kind in "rpS" and r.schema != "trueup"
            }


MakeService = Callable[..., Service]


def _is_ledger(relation: Relation) -> bool:
    return relation.name.startswith(("_yoyo", "yoyo_lock")) or (
        relation.schema == "trueup" and relation.name.startswith("ledger")
    )


def _copy(connection: psycopg.Connection, table: Relation) -> bytes:
    columns = sql.SQL(", ").join(
        sql.Identifier(name) for name in sorted(c.name for c in table.columns)
    )
    statement = sql.SQL(
        'COPY (SELECT {columns} FROM {table} ORDER BY ROW({columns})::text COLLATE "C") TO STDOUT'
    ).format(columns=columns, table=sql.Identifier(*table.qualified))
    with connection.cursor().copy(statement) as copy:
        return b"".join(copy)


def _value(connection: psycopg.Connection, sequence: Relation) -> bytes:
    query = sql.SQL("SELECT last_value, is_called FROM {}").format(
        sql.Identifier(*sequence.qualified)
    )
    return repr(connection.execute(query).fetchone()).encode()


def describe(differences: Iterable[object]) -> str:
    """Differences as lines, for the message of an assertion."""
    return "\n".join(map(str, differences))
