"""What tests of `trueup verify` have in common: the standards, and how they are verified."""

from __future__ import annotations

from pathlib import Path

import psycopg

from runner.standard import Standard, load_standard
from runner.verify import Verification, verify
from support.variants import SHIPPED, Variant

STANDARD = load_standard(SHIPPED / "standard.toml")
_PLANNING = Path(__file__).parents[1] / "services" / "planning"
PLANNING = Variant("planning", _PLANNING / "schema.sql", _PLANNING / "standard.toml", ())


def run(dsn: str, standard: Standard = STANDARD) -> Verification:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return verify(connection, standard)


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
