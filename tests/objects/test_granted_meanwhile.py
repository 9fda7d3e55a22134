"""Rights that are given or taken while both contracts live: both names have them, on either way."""

from __future__ import annotations

import pytest
from support.journey import Journey
from support.runs import query
from support.variants import Service

SCHEMA = """
    CREATE TABLE things (
        id varchar(36) PRIMARY KEY, status varchar(20) NOT NULL, note text, n integer
    );
    GRANT SELECT, UPDATE ON things TO object_app;
    GRANT SELECT (id, note), UPDATE (status) ON things TO object_report;
"""
STANDARD = """
    [enum.Status]
    values = ["OPEN", "DONE"]
    [table.things]
    name = "thing"
    uuids = ["id"]
    enums = { status = "Status" }
    columns = { note = "remark" }
"""
ASKED = """
    SELECT has_table_privilege('object_app', {0}, 'SELECT'),
        has_table_privilege('object_app', {0}, 'UPDATE'),
        has_table_privilege('object_owner', {0}, 'SELECT'),
        has_column_privilege('object_report', {0}, 'id', 'SELECT'),
        has_column_privilege('object_report', {0}, 'status', 'UPDATE'),
        has_column_privilege('object_report', {0}, 'n', 'SELECT')
"""
BEFORE = (True, True, False, True, True, False)
AFTER = (False, True, True, False, True, True)


@pytest.fixture
def service(journey: Journey, roles: None) -> Service:
    """Things at the old contract."""
    return journey.start(SCHEMA, STANDARD)


def change(service: Service, name: str) -> None:
    """Give and take rights on one name."""
    query(service.dsn, f"REVOKE SELECT ON {name} FROM object_app")
    query(service.dsn, f"GRANT SELECT ON {name} TO object_owner")
    query(service.dsn, f"REVOKE SELECT (id) ON {name} FROM object_report")
    query(service.dsn, f"GRANT SELECT (n) ON {name} TO object_report")


def rights(service: Service, name: str) -> tuple[bool, ...]:
    """What the roles may do with one name."""
    return query(service.dsn, ASKED.format(f"'public.{name}'"))[0]


@pytest.mark.parametrize("name", ["things", "thing"])
def test_the_switch_carries_what_was_changed_on_either_name(service: Service, name: str) -> None:
    service.up("enforce")
    assert rights(service, "things") == rights(service, "thing") == BEFORE
    change(service, name)
    service.up("switch")
    assert rights(service, "thing") == AFTER
    assert rights(service, "things") == AFTER
    service.up("contract")
    assert rights(service, "thing") == AFTER


@pytest.mark.parametrize("name", ["things", "thing"])
def test_contract_carries_what_was_changed_after_the_switch(service: Service, name: str) -> None:
    service.up("switch")
    change(service, name)
    service.up("contract")
    assert rights(service, "thing") == AFTER


@pytest.mark.parametrize("reached", ["expand", "switch"])
@pytest.mark.parametrize("name", ["things", "thing"])
def test_the_way_back_carries_them_too(service: Service, name: str, reached: str) -> None:
    service.up(reached)
    change(service, name)
    service.down("online")
    assert rights(service, "things") == AFTER


def test_a_role_that_is_gone_is_in_nobodys_way(service: Service) -> None:
    query(service.dsn, "CREATE ROLE object_leaver")
    query(service.dsn, "GRANT SELECT ON things TO object_leaver")
    service.up("enforce")
    query(service.dsn, "DROP OWNED BY object_leaver")
    query(service.dsn, "DROP ROLE object_leaver")
    service.up("contract")


def test_what_was_passed_on_by_who_loses_it_stays_where_the_view_has_it(service: Service) -> None:
    dsn = service.dsn
    query(dsn, "GRANT SELECT ON things TO object_owner WITH GRANT OPTION")
    query(dsn, "SET ROLE object_owner; GRANT SELECT ON things TO object_report")
    service.up("enforce")
    query(dsn, "REVOKE SELECT ON thing FROM object_owner")
    service.up("switch")
    for name in ("public.thing", "public.things"):
        assert query(
            dsn,
            "SELECT has_table_privilege('object_owner', %s, 'SELECT'),"
            " has_table_privilege('object_report', %s, 'SELECT')",
            name,
            name,
        ) == [(False, True)]
