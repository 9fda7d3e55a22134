"""A rehearsed hand-made project, shared by the tests of everything that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.ledger.files import Migration, read_migrations
from runner.review.certificate import Certificate
from runner.review.rehearse import Options, rehearse

HAZARDS = Path(__file__).parent / "hazards" / "migrations"


@pytest.fixture(scope="session")
def hazards() -> tuple[Migration, ...]:
    """The migrations of the project with three hazards."""
    return read_migrations([HAZARDS])


@pytest.fixture(scope="session")
def hazardous(hazards: tuple[Migration, ...], server_dsn: str) -> Certificate:
    """Its rehearsal, from the files alone."""
    options = Options(rows=2000, scratch=server_dsn, base="0001_create_shop")
    return rehearse(None, hazards, options=options)
