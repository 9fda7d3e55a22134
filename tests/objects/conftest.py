"""Journeys for tests of what a real schema holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.databases import DatabaseFactory
from support.journey import Journey


@pytest.fixture
def journey(database_factory: DatabaseFactory, tmp_path: Path) -> Journey:
    """Databases in the schema public."""
    return Journey(database_factory, tmp_path)
