"""What `trueup check` says of a database, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg

from runner.preflight import Finding, Report, check
from runner.standard import Standard, load_standard
from support.variants import (
    SHIPPED,
    Variant,
)

STANDARD = load_standard(SHIPPED / "standard.toml")
SERVICE = Path(__file__).parents[1] / "services" / "planning"
PLANNING = Variant("planning", SERVICE / "schema.sql", SERVICE / "standard.toml", ())


def run(dsn: str, standard: Standard = STANDARD) -> Report:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return check(connection, standard)


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def about(report: Report, object_: str) -> Finding:
    """The one finding about an object."""
    found = [f for f in report.findings if f.object == object_]
    assert len(found) == 1, [f.object for f in report.findings]
    return found[0]


def shown_rows(dsn: str, finding: Finding) -> int:
    assert finding.sql is not None
    with psycopg.connect(dsn) as connection:
        return len(connection.execute(finding.sql).fetchall())


def not_about_room(findings: Sequence[Finding]) -> list[Finding]:
    return [f for f in findings if "needs room" not in f.problem]
