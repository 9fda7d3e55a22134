"""A schema's way to the standard and back: what each test of a kind of object asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runner.catalog import Catalog, diff, read_catalog
from runner.errors import StandardError
from runner.generate import generate
from runner.preflight import check
from runner.standard import load_standard
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
        dsn, path = self._prepare(schema, standard)
        write_generated(path, dsn, self.folder, schemas=self.schemas)
        return Service(dsn, self.folder)

    def _prepare(self, schema: str, standard: str) -> tuple[str, Path]:
        path = self.folder / "standard.toml"
        path.write_text('[service]\nname = "journey"\n' + standard, encoding="utf-8")
        return self.factory(_Load(schema)), path

    def stopped(self, schema: str, standard: str, reason: str) -> None:
        """Both strategies refuse the schema for a reason, and `trueup check` says the same."""
        __tracebackhide__ = True
        dsn, path = self._prepare(schema, standard)
        with psycopg.connect(dsn, autocommit=True) as connection:
            catalog = read_catalog(connection, self.schemas)
            with pytest.raises(StandardError, match=re.escape(reason)):
                generate(load_standard(path), catalog, baseline=None)
            _assert_checked(connection, path, reason)

    def only_in_a_window(self, schema: str, standard: str, reason: str) -> None:
        """The online strategy and `trueup check` refuse the schema; the window converts it."""
        __tracebackhide__ = True
        dsn, path = self._prepare(schema, standard)
        with psycopg.connect(dsn, autocommit=True) as connection:
            catalog = read_catalog(connection, self.schemas)
            refused = generate(load_standard(path), catalog, baseline=None).only_window
            assert any(reason in why for why in refused), refused
            _assert_checked(connection, path, reason)
        self.there_and_back(schema, standard, ["window"])

    def there_and_back(
        self,
        schema: str,
        standard: str,
        strategies: Sequence[str] = ("online", "window"),
    ) -> None:
        """Bring the schema to the standard, back, and there again; by each strategy.

        The catalog and the rows come back as they were, and both strategies end alike; but the
        online strategy does not bring back the order of the columns.
        """
        __tracebackhide__ = True
        ends: list[tuple[Catalog, dict[str, bytes]]] = []
        for strategy in strategies:
            service = self.start(schema, standard)
            before = service.state(*self.schemas)
            service.up(LAST[strategy])
            ends.append(service.state(*self.schemas))
            service.down(strategy)
            in_order = strategy == "window"
            assert_same(before, service.state(*self.schemas), strategy, column_order=in_order)
            service.up(LAST[strategy])
            assert_same(ends[-1], service.state(*self.schemas), strategy, column_order=False)
        assert_same(ends[0], ends[-1], "both strategies", column_order=False)


def _assert_checked(connection: psycopg.Connection[Any], standard: Path, reason: str) -> None:
    __tracebackhide__ = True
    stops = check(connection, load_standard(standard)).stops
    said = [f"{finding.object} {finding.problem}" for finding in stops]
    assert any(reason in line for line in said), said


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
