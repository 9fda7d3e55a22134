"""An operator who stops after any file and goes back, and who goes on after turning back.

What a file's rollback undoes depends on how far the files after it had come: those that never ran
left nothing to build upon.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from support.databases import DatabaseFactory
from support.runs import query
from support.variants import SHIPPED, Service, migrations_of

from faults.conftest import COMPLETE
from faults.outcome import assert_at_rest, clone, state_of
from runner.catalog import diff
from runner.errors import StatementError
from runner.postgres.databases import create_database, drop_database

IDS = [m.id for m in migrations_of(SHIPPED, "online") if m.phase != "baseline"]
CONTRACT = [i for i in IDS if "_contract_" in i]
# One of each kind of file that has a rollback of its own kind.
REDUCED = [
    next(i for i in CONTRACT if i.endswith(name))
    for name in ("_model_close", "_model_keys", "_model_pkey_again", "_model_fill", "_request")
]
CASES = IDS if COMPLETE else REDUCED


@pytest.fixture(scope="module")
def walked(
    _session_databases: DatabaseFactory, load: Callable[[str], None], service_folder: Path
) -> Service:
    return Service(_session_databases(load), service_folder)


@contextmanager
def copy_of(service: Service) -> Iterator[Service]:
    """A clone, dropped afterwards."""
    name = f"fault_{uuid.uuid4().hex[:12]}"
    values = psycopg.conninfo.conninfo_to_dict(service.dsn)
    server = psycopg.conninfo.make_conninfo(service.dsn, dbname="postgres")
    create_database(server, name, str(values["dbname"]))
    try:
        yield clone(service, name)
    finally:
        drop_database(server, name)


@pytest.mark.parametrize("last", CASES)
def test_a_conversion_that_stopped_after_any_file_goes_back_and_comes_again(
    walked: Service, last: str
) -> None:
    before = {"contract": "switch"}.get(last.split("_")[1], "baseline")
    walked.apply("online", last)
    with copy_of(walked) as service:
        service.down("online", to=before)
        turned = state_of(service)
        assert_at_rest(service.dsn)
        service.up("contract")
        service.down("online", to=before)
        again = state_of(service)
        differences = diff(turned.catalog, again.catalog, column_order=False)
        assert not differences, "\n".join(map(str, differences))
        assert turned.rows == again.rows
        assert turned.applied == again.applied


def test_a_large_table_is_not_held_up_for_an_index_that_the_way_back_needs(
    service: Service,
) -> None:
    query(
        service.dsn,
        "INSERT INTO public.requests (id, request_id, request_type, model_id, provider,"
        " request_data, success, error_message)"
        " SELECT gen_random_uuid()::text, 'many_' || n, 'chat',"
        " (SELECT min(id) FROM public.models), 'openai', '{}', true, repeat('x', 1100)"
        " FROM generate_series(1, 9000) AS n",
    )
    service.apply("online", next(i for i in CONTRACT if i.endswith("_request_keys")))
    with pytest.raises(StatementError, match=r"request has no index requests_pkey__back"):
        service.down("online", to="switch")
    for index, column in (("requests_pkey__back", "id__old"), ("request_pkey__again", "id")):
        build = sql.SQL("CREATE UNIQUE INDEX CONCURRENTLY {} ON public.request USING btree ({})")
        with psycopg.connect(service.dsn, autocommit=True) as operator:
            operator.execute(build.format(sql.Identifier(index), sql.Identifier(column)))
    service.down("online", to="switch")
    assert_at_rest(service.dsn)
