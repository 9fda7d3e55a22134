"""The order of a native enum's labels: kept by what uses it, though values as text have another."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
import pytest
from support.journey import Journey
from support.runs import query
from support.variants import Service

from runner.errors import StatementError
from runner.preflight import check
from runner.standard import load_standard

STANDARD = """
[enum.Severity]
values = ["LOW", "MEDIUM", "HIGH", "CRITICAL"]

[table.incidents]
name = "incident"
uuids = ["id"]
enums.severity = "Severity"
enums.was = "Severity"
enums.seen = "Severity"
"""


def incidents(then: str, labels: str = "'low', 'medium', 'high', 'critical'") -> str:
    """Six incidents, and what stands on them."""
    return f"""
        CREATE TYPE severity AS ENUM ({labels});
        CREATE TABLE incidents (
            id varchar(36) PRIMARY KEY,
            severity severity NOT NULL DEFAULT 'low',
            was severity,
            n integer NOT NULL,
            seen severity[]
        );
        INSERT INTO incidents
        SELECT gen_random_uuid()::text, s::severity, w::severity, n, ARRAY[s, s]::severity[]
        FROM (VALUES
            (1, 'low', NULL), (2, 'medium', 'high'), (3, 'high', 'low'), (4, 'critical', 'high'),
            (5, 'high', 'critical'), (6, 'medium', 'medium')
        ) AS v (n, s, w);
        {then}
    """


# What a view shows under both contracts, but for the case of its words.
VIEWS = {
    "at least": "SELECT n FROM incidents WHERE severity >= 'high'",
    "less than the least": "SELECT n FROM incidents WHERE severity < 'low' OR was <= 'low'",
    "a label first": "SELECT n, 'high' > severity AS lower FROM incidents",
    "between": "SELECT n FROM incidents WHERE severity BETWEEN 'medium' AND 'high'",
    "each other": "SELECT n, severity < was AS better FROM incidents",
    "sorted": "SELECT row_number() OVER () AS place, n FROM ("
    "SELECT n FROM incidents ORDER BY severity DESC, was NULLS FIRST, n) AS s",
    "ranked": "SELECT n, rank() OVER (PARTITION BY was ORDER BY severity DESC) AS place"
    " FROM incidents",
    "the most": "SELECT max(severity) AS a, min(was) FILTER (WHERE n > 1) AS b FROM incidents",
    "the most of a window": "SELECT n, max(severity) OVER (ORDER BY severity) AS m FROM incidents",
    "grouped": "SELECT severity, count(*), min(was) FROM incidents GROUP BY severity"
    " HAVING max(severity) > 'low' ORDER BY severity",
    "greatest": "SELECT n, greatest(severity, was, 'medium') AS g FROM incidents",
    "a list": "SELECT array_agg(n ORDER BY severity, n) AS ns FROM incidents",
    "of a view": "SELECT n FROM renamed WHERE s >= 'high' AND s <> 'critical'",
    "the first of each": "SELECT DISTINCT ON (n % 2) n % 2 AS odd, severity FROM incidents"
    " ORDER BY n % 2, n",
}
RENAMED = "CREATE VIEW renamed AS SELECT severity AS s, n FROM incidents;"


@pytest.mark.parametrize("shown", VIEWS.values(), ids=VIEWS)
def test_a_view_keeps_the_order(journey: Journey, shown: LiteralString) -> None:
    service = journey.start(incidents(f"{RENAMED} CREATE VIEW shown AS {shown};"), STANDARD)
    seen: LiteralString = "SELECT upper(s::text) FROM shown AS s ORDER BY 1"
    before = query(service.dsn, seen)
    service.up("contract")
    assert query(service.dsn, seen) == before
    service.down("online")
    assert query(service.dsn, seen) == before


def test_what_uses_the_order_goes_there_and_back(journey: Journey) -> None:
    views = [f"CREATE VIEW shown_{n} AS {v};" for n, v in enumerate(VIEWS.values())]
    others = """
        CREATE UNIQUE INDEX one_urgent ON incidents (n) WHERE severity >= 'high';
        CREATE INDEX worse ON incidents ((severity > was));
        ALTER TABLE incidents ADD CHECK (severity >= 'low'),
            ADD CHECK (was IS NULL OR was <> 'low' OR severity > was), ADD CHECK (n < 9);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER urgent AFTER INSERT ON incidents
            FOR EACH ROW WHEN (NEW.severity >= 'high') EXECUTE FUNCTION f();
        CREATE MATERIALIZED VIEW stored AS SELECT n FROM incidents WHERE severity > 'low';
        CREATE STATISTICS s ON (severity > 'low'), n FROM incidents;
        CREATE FUNCTION urgent() RETURNS bigint LANGUAGE sql STABLE
            BEGIN ATOMIC SELECT count(*) FROM incidents WHERE severity >= 'high'; END;
    """
    journey.there_and_back(incidents(RENAMED + "".join(views) + others), STANDARD)


def test_a_policy_keeps_the_order(journey: Journey, since: Any) -> None:
    since(15)
    journey.there_and_back(
        incidents("""
            ALTER TABLE incidents ENABLE ROW LEVEL SECURITY;
            CREATE POLICY lesser ON incidents USING (severity <= 'medium' AND n > 0)
                WITH CHECK (severity < 'critical');
        """),
        STANDARD,
    )


REFUSED = {
    "a view of all that differ": "CREATE VIEW v AS"
    " SELECT DISTINCT severity FROM incidents ORDER BY severity;",
    "a view of two queries": "CREATE VIEW v AS SELECT severity FROM incidents"
    " UNION ALL SELECT was FROM incidents ORDER BY 1;",
    "a view of the middle": "CREATE VIEW v AS"
    " SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY severity) AS m FROM incidents;",
    "a view of rows": "CREATE VIEW v AS SELECT n FROM incidents"
    " WHERE (severity, n) > ('low'::severity, 2);",
    "a view of any": "CREATE VIEW v AS"
    " SELECT n FROM incidents WHERE severity > ANY (ARRAY['low', 'high']::severity[]);",
    "a function with a parsed body": """
        CREATE FUNCTION v(lowest severity) RETURNS bigint LANGUAGE sql STABLE
            BEGIN ATOMIC SELECT count(*) FROM incidents WHERE severity >= lowest; END;
    """,
    "a view sorted by lists": "CREATE VIEW v AS SELECT n FROM incidents ORDER BY n % 2, seen DESC;",
    "a view of the most of lists": "CREATE VIEW v AS SELECT max(seen) AS m FROM incidents;",
    "a view that ranks lists": "CREATE VIEW v AS"
    " SELECT n, rank() OVER (ORDER BY seen) AS r FROM incidents;",
    "a view that compares lists": "CREATE VIEW v AS"
    " SELECT n FROM incidents WHERE seen >= '{high}';",
    "a view of greater lists": "CREATE VIEW v AS"
    " SELECT greatest(seen, '{high}') AS g FROM incidents;",
    "a list in the order of lists": "CREATE VIEW v AS"
    " SELECT array_agg(n ORDER BY seen) AS ns FROM incidents;",
    "a view sorted by what it collects": "CREATE VIEW v AS SELECT n FROM incidents GROUP BY n"
    " ORDER BY array_agg(severity);",
    "a view sorted by rows": "CREATE VIEW v AS SELECT n FROM incidents ORDER BY (severity, n);",
    "a view of the most of rows": "CREATE VIEW v AS"
    " SELECT (SELECT i.n FROM incidents AS i ORDER BY ROW(i.severity, i.n) DESC LIMIT 1) AS n;",
    "a view that compares rows of lists": "CREATE VIEW v AS"
    " SELECT n FROM incidents WHERE (n, seen) < (3, '{high}'::severity[]);",
    "a view of a part of a list": "CREATE VIEW v AS"
    " SELECT n, seen[1] > 'low' AS more FROM incidents;",
    "an index of those less": "CREATE INDEX v ON incidents (n) WHERE seen < '{high}';",
    "an index": "CREATE INDEX v ON incidents ((greatest(severity, coalesce(was, 'low'))));",
}


@pytest.mark.parametrize("then", REFUSED.values(), ids=REFUSED)
def test_an_order_that_cannot_be_spelled_out_is_refused_by_name(
    journey: Journey, then: str
) -> None:
    journey.stopped(incidents(then), STANDARD, "uses the order of an enum's labels")


FREE = {
    "by a path": "SELECT severity, n FROM incidents ORDER BY ARRAY[n % 2, n], severity",
    "by a row": "SELECT severity, n FROM incidents ORDER BY (n % 2, n)",
    "the same lists": "SELECT DISTINCT seen FROM incidents WHERE seen <> '{low}'",
}


@pytest.mark.parametrize("shown", FREE.values(), ids=FREE)
def test_the_order_of_other_lists_and_rows_is_none_of_labels(
    journey: Journey, shown: LiteralString
) -> None:
    journey.there_and_back(incidents(f"CREATE VIEW shown AS {shown};"), STANDARD, ["window"])


def test_an_order_of_labels_that_become_one_is_refused(journey: Journey) -> None:
    standard = STANDARD.replace('enums.seen = "Severity"', "")
    standard = standard.replace(', "CRITICAL"]', ']\nmap.CRITICAL = "HIGH"\nback.HIGH = "high"')
    then = "CREATE VIEW v AS SELECT n FROM incidents WHERE severity >= 'high';"
    journey.stopped(incidents(then), standard, "uses the order of an enum's labels")


def test_an_order_that_is_the_alphabets_stays_as_it_is_written(journey: Journey) -> None:
    standard = STANDARD.replace(
        '"LOW", "MEDIUM", "HIGH", "CRITICAL"', '"CRITICAL", "HIGH", "LOW", "MEDIUM"'
    )
    service = journey.start(
        incidents(
            "CREATE VIEW v AS SELECT n FROM incidents WHERE severity >= 'low' ORDER BY severity;",
            "'critical', 'high', 'low', 'medium'",
        ),
        standard,
    )
    service.up("contract")
    ((shown,),) = query(service.dsn, "SELECT pg_get_viewdef('v'::regclass)")
    assert "array_position" not in shown
    assert "'LOW'" in shown


@pytest.mark.parametrize(
    "labels",
    [
        "'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'",
        "'critical', 'high', 'medium', 'low'",
        "'low', 'medium', 'high', 'critical', 'odd, ''one'''",
    ],
)
def test_files_for_other_labels_are_refused_by_check_and_by_themselves(
    journey: Journey, labels: str
) -> None:
    other = journey.start(incidents(""), STANDARD)
    dsn = journey.factory()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE TYPE severity AS ENUM ({labels})".encode())
        connection.execute(
            "CREATE TABLE incidents (id varchar(36) PRIMARY KEY, severity severity NOT NULL,"
            " was severity, n integer NOT NULL, seen severity[])"
        )
        found = check(
            connection, load_standard(other.folder / "standard.toml"), folder=other.folder
        )
    assert any("generated from another schema" in stop.problem for stop in found.stops)
    service = Service(dsn, other.folder)
    for strategy in ("expand", "window"):
        with pytest.raises(StatementError, match=r"incidents\.severity: has the labels"):
            service.up(strategy)
    assert query(dsn, "SELECT to_regclass('incident')") == [(None,)]
