"""Who uses views and policies meanwhile: served by the old contract, then by the new one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
import pytest
from support.journey import Journey
from support.variants import Service

from objects.things import STANDARD, things
from runner.errors import StandardError
from runner.quoting import quote_ident


def rows(service: Service, query: LiteralString, role: str | None = None) -> list[Any]:
    with psycopg.connect(service.dsn, autocommit=True) as client:
        if role:
            client.execute(f"SET ROLE {quote_ident(role)}".encode())
        cursor = client.execute(query)
        return cursor.fetchall() if cursor.description is not None else []


@pytest.fixture
def guest(server_dsn: str) -> str:
    """A role that row security holds."""
    name = f"trueup_test_guest_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name}".encode())
    return name


def test_a_view_shows_the_rows_of_both_contracts(journey: Journey) -> None:
    service = journey.start(
        things(then="CREATE VIEW open_things AS SELECT * FROM things WHERE status = 'open';"),
        STANDARD,
    )
    service.up("enforce")
    rows(service, "INSERT INTO things (status) VALUES ('open')")
    rows(service, "INSERT INTO thing (id, status) VALUES (gen_random_uuid(), 'OPEN')")
    rows(service, "INSERT INTO open_things (status) VALUES ('open')")
    # One row has said 'OPEN' all along: the old contract's readers never saw it.
    assert rows(service, "SELECT DISTINCT status FROM open_things") == [("open",)]
    assert rows(service, "SELECT count(*) FROM open_things") == [(4,)]

    service.up("switch")
    rows(service, "INSERT INTO things (status) VALUES ('open')")
    rows(service, "INSERT INTO thing (status) VALUES ('OPEN')")
    rows(service, "INSERT INTO open_things (status) VALUES ('open')")
    assert rows(service, "SELECT DISTINCT status FROM open_things") == [("open",)]
    assert rows(service, "SELECT count(*) FROM open_things") == [(7,)]

    rows(service, "INSERT INTO open_things (status) VALUES ('closed')")
    assert rows(service, "SELECT status FROM things WHERE status = 'closed'") == [("closed",)]

    service.up("contract")
    assert rows(service, "SELECT DISTINCT status, pg_typeof(id)::text FROM open_things") == [
        ("OPEN", "uuid")
    ]
    assert rows(service, "SELECT count(*) FROM open_things") == [(8,)]
    rows(service, "INSERT INTO open_things (id, status) VALUES (gen_random_uuid(), 'OPEN')")

    service.down("online")
    assert rows(service, "SELECT DISTINCT status FROM open_things") == [("open",)]
    assert rows(service, "SELECT count(*) FROM open_things") == [(8,)]


def test_a_policy_holds_both_contracts(
    journey: Journey, guest: str, since: Callable[[int], None]
) -> None:
    since(15)
    service = journey.start(
        things(
            "n integer DEFAULT 0",
            then="""
                ALTER TABLE things ENABLE ROW LEVEL SECURITY;
                CREATE POLICY open_only ON things USING (status = 'open');
            """,
        ),
        STANDARD,
    )
    try:
        rows(service, f"GRANT ALL ON things TO {guest}")
        assert rows(service, "SELECT status FROM things", guest) == [("open",)]
        for written, phase in enumerate(("enforce", "switch"), 1):
            service.up(phase)
            assert rows(service, "SELECT status FROM things", guest) == [("open",)] * written
            assert rows(service, "SELECT status FROM thing", guest) == [("OPEN",)] * written
            rows(service, "INSERT INTO thing (status) VALUES ('OPEN')", guest)
            for view, status in (("thing", "CLOSED"), ("things", "closed")):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    rows(service, f"UPDATE {view} SET status = '{status}'", guest)
        service.up("contract")
        # The row that said 'OPEN' from the beginning is open for everyone now.
        assert rows(service, "SELECT status FROM thing", guest) == [("OPEN",)] * 4
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(service, "UPDATE thing SET status = 'CLOSED'", guest)
        service.down("online")
        assert rows(service, "SELECT status FROM things", guest) == [("open",)] * 3
    finally:
        rows(service, f"DROP OWNED BY {guest}; DROP ROLE {guest}")


def test_a_policy_of_an_id_takes_it_in_any_spelling_afterwards(
    journey: Journey, guest: str, since: Callable[[int], None]
) -> None:
    since(15)
    service = journey.start(
        things(
            then="""
                ALTER TABLE things ENABLE ROW LEVEL SECURITY;
                CREATE POLICY own ON things USING (id = current_setting('app.thing', true));
            """
        ),
        STANDARD,
    )
    try:
        rows(service, f"GRANT ALL ON things TO {guest}")
        service.up("contract")
        with psycopg.connect(service.dsn, autocommit=True) as client:
            (id_,) = client.execute("SELECT id FROM thing LIMIT 1").fetchone() or ()
            client.execute(f"SET ROLE {guest}".encode())
            assert client.execute("SELECT id FROM thing").fetchall() == []
            client.execute("SELECT set_config('app.thing', %s, false)", [str(id_).upper()])
            assert client.execute("SELECT id FROM thing").fetchall() == [(id_,)]
            client.execute("SELECT set_config('app.thing', '', false)")
            assert client.execute("SELECT id FROM thing").fetchall() == []
    finally:
        rows(service, f"DROP OWNED BY {guest}; DROP ROLE {guest}")


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ("SELECT id FROM things WHERE lower(status) = 'open'", "calls a function on status"),
        ("SELECT id FROM things WHERE coalesce(kind, status) = 'open'", "may be a value of kind"),
        ("SELECT id FROM things WHERE status LIKE 'op%'", "compares a part of a value"),
        ("SELECT t, t.status FROM things AS t", "shows whole rows of public.things"),
    ],
)
def test_a_view_whose_words_cannot_be_told_is_refused(
    journey: Journey, view: str, message: str
) -> None:
    with pytest.raises(StandardError, match=message):
        journey.start(things("kind text", then=f"CREATE VIEW v AS {view};"), STANDARD)


def test_a_view_that_groups_by_the_key_serves_throughout(journey: Journey) -> None:
    service = journey.start(
        things(
            "n integer DEFAULT 1",
            then="""
                CREATE VIEW per_thing AS
                    SELECT id, status, n, count(*) AS many FROM things GROUP BY id;
                CREATE VIEW open_things AS SELECT n FROM per_thing WHERE status = 'open';
            """,
        ),
        STANDARD,
    )
    shown: LiteralString = "SELECT n, many FROM per_thing ORDER BY id::text"
    for phase in ("expand", "enforce", "switch", "contract"):
        service.up(phase)
        assert rows(service, shown) == [(1, 1)] * 3
    assert rows(service, "SELECT DISTINCT pg_typeof(id)::text FROM per_thing") == [("uuid",)]
    # The row that said 'OPEN' is open for everyone now.
    assert rows(service, "SELECT count(*) FROM open_things") == [(2,)]
    service.down("online", "switch")
    assert rows(service, "SELECT DISTINCT pg_typeof(id)::text FROM per_thing") == [
        ("character varying",)
    ]
    assert rows(service, "SELECT count(*) FROM open_things") == [(1,)]
