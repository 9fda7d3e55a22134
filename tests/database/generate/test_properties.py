"""Properties of both strategies, on random schemas with random rows and odd names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import given
from support.databases import DatabaseFactory
from support.journey import LAST, assert_same
from support.random_schemas import drawn
from support.random_schemas.contract import refusals, standard, window_reasons, write_files
from support.random_schemas.make import make
from support.random_schemas.model import SCHEMAS, Schema, schemas
from support.variants import Service

from runner.catalog import Catalog, read_catalog
from runner.errors import StandardError
from runner.generate import generate
from runner.preflight import check
from runner.propose.source import Wishes, propose_from_database
from runner.service.write import generate_service
from runner.standard import load_standard

State = tuple[Catalog, dict[str, bytes]]


@contextmanager
def services(factory: DatabaseFactory, schema: Schema) -> Iterator[Callable[[], Service]]:
    """`new()` makes the schema in a database of its own; all go at the end, as does the folder."""
    with TemporaryDirectory() as folder:

        def new() -> Service:
            dsn = factory()
            with psycopg.connect(dsn, autocommit=True) as connection:
                make(connection, schema)
            return Service(dsn, Path(folder))

        yield new
        factory.drop(but_templates=True)


def there_and_back(service: Service, strategy: str, schema: Schema) -> State:
    """Bring a service up and back to what it was; gives what it was like in between."""
    __tracebackhide__ = True
    before = service.state(*SCHEMAS)
    service.up(LAST[strategy])
    between = service.state(*SCHEMAS)
    service.down(strategy)
    # PostgreSQL adds the old columns that contract dropped behind the others.
    assert_same(before, service.state(*SCHEMAS), strategy, column_order=strategy == "window")
    return between


@drawn
@given(schema=schemas())
def test_any_schema_goes_there_and_back_or_is_refused_by_name(
    database_factory: DatabaseFactory, schema: Schema
) -> None:
    with services(database_factory, schema) as new:
        service = new()
        with psycopg.connect(service.dsn, autocommit=True) as connection:
            catalog = read_catalog(connection, SCHEMAS)
            said = [f"{f.object} {f.problem}" for f in check(connection, standard(schema)).stops]
            version = connection.info.server_version // 10000
        if reasons := refusals(schema, version):
            with pytest.raises(StandardError) as error:
                generate(standard(schema), catalog, baseline=None)
            assert any(reason in error.value.message for reason in reasons), error.value
            assert any(reason in line for reason in reasons for line in said), said
            return
        only_window = write_files(service.folder, schema, catalog).only_window
        reasons = window_reasons(schema, version)
        for reason in reasons:
            assert any(reason in line for line in only_window), (reason, only_window)
        window = there_and_back(service, "window", schema)
        if reasons:
            return
        assert only_window == ()
        assert said == []
        assert_same(there_and_back(new(), "online", schema), window, "both", column_order=False)


@drawn
@given(schema=schemas())
def test_what_is_proposed_for_any_schema_is_generated_and_goes_there_and_back(
    database_factory: DatabaseFactory, schema: Schema
) -> None:
    with services(database_factory, schema) as new:
        service = new()
        used = tuple(s for s in SCHEMAS if any(t.schema == s for t in schema))
        proposed = propose_from_database(service.dsn, Wishes("any", used), scan=True)
        path = service.folder / "standard.toml"
        path.write_text(proposed.text, encoding="utf-8")
        if not load_standard(path).tables:
            return  # all of it is left to a person
        with psycopg.connect(service.dsn, autocommit=True) as connection:
            said = [f.problem for f in check(connection, load_standard(path)).stops]
        if any("may create in it" in line for line in said):
            return  # the owner of a table that is left to a person
        written = generate_service(service.folder, dsn=service.dsn, dry=False)
        for strategy in LAST:
            if any(path.startswith(f"{strategy}/") for path in written.added):
                there_and_back(new(), strategy, schema)
