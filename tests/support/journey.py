"""A schema's way to the standard and back: what each test of a kind of object asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from runner.catalog import Catalog, diff
from support.databases import DatabaseFactory
from support.variants import Service, describe, write_generated

LAST = {"online": "contract", "window": "window"}


@dataclass(frozen=True)
class _Load:
    """Fills a database by SQL; once, so that random ids are the same in its clones."""

    schema: str

    def __call__(self, dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(self.schema.encode())


@dataclass(frozen=True)
class Journey:
    """One schema with its standard, and databases that hold it.

    Args:
        factory: makes the databases.
        folder: where the standard and the generated files go.
        schemas: the schemas whose catalog is compared.
    """

    factory: DatabaseFactory
    folder: Path
    schemas: Sequence[str] = ("public",)

    def start(self, schema: str, standard: str) -> Service:
        """Make a database from SQL, and generate the files of its standard.toml.

        Args:
            schema: the SQL that makes the old contract, with rows.
            standard: the paragraphs of standard.toml behind [service].

        Raises:
            StandardError: the files cannot be generated.
        """
        dsn = self.factory(_Load(schema))
        path = self.folder / "standard.toml"
        path.write_text('[service]\nname = "journey"\n' + standard, encoding="utf-8")
        write_generated(path, dsn, self.folder, schemas=self.schemas)
        return Service(dsn, self.folder)

    def there_and_back(
        self,
        schema: str,
        standard: str,
        strategies: Sequence[str] = ("online", "window"),
        *,
        column_order: bool = True,
    ) -> None:
        """Bring the schema to the standard, back, and there again; by each strategy.

        The catalog and the rows come back as they were, and both strategies end alike. Without
        column_order the online strategy may bring the columns back in another order.
        """
        __tracebackhide__ = True
        ends: list[tuple[Catalog, dict[str, bytes]]] = []
        for strategy in strategies:
            service = self.start(schema, standard)
            before = service.state(*self.schemas)
            service.up(LAST[strategy])
            ends.append(service.state(*self.schemas))
            service.down(strategy)
            ordered = column_order or strategy == "window"
            assert_same(before, service.state(*self.schemas), strategy, column_order=ordered)
            service.up(LAST[strategy])
            assert_same(ends[-1], service.state(*self.schemas), strategy, column_order=False)
        assert_same(ends[0], ends[-1], "both strategies", column_order=False)


def assert_same(
    expected: tuple[Catalog, dict[str, bytes]],
    found: tuple[Catalog, dict[str, bytes]],
    what: str,
    *,
    column_order: bool = True,
) -> None:
    """Hold a catalog and rows against the expected ones."""
    __tracebackhide__ = True
    differences = describe(diff(expected[0], found[0], column_order=column_order))
    assert not differences, f"{what}: {differences}"
    assert found[1] == expected[1], what
