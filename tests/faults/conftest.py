"""Legacy databases, the files that migrate them as they are now, and runs that fail on order."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support.databases import DatabaseFactory
from support.variants import ODD, SHIPPED, Service

from faults.failing_runs import FailingRuns
from faults.outcome import State, state_of

COMPLETE = os.environ.get("FAULTS") == "full"


@pytest.fixture(scope="session")
def service_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of Model Orchestration: a chain must not change while it is walked."""
    return Path(shutil.copytree(SHIPPED, tmp_path_factory.mktemp("service") / SHIPPED.name))


@pytest.fixture(scope="session")
def failing_runs() -> Iterator[FailingRuns]:
    """The runs that fail on order."""
    with FailingRuns() as runs:
        yield runs


@pytest.fixture(scope="session")
def load() -> Callable[[str], None]:
    """Fills a database at the old contract, odd spellings included."""
    return partial(ODD.load, filled=True)


@pytest.fixture
def service(
    database_factory: DatabaseFactory, load: Callable[[str], None], service_folder: Path
) -> Service:
    """A database at the old contract with its migrations."""
    return Service(database_factory(load), service_folder)


@pytest.fixture(scope="module")
def make_expected(
    _session_databases: DatabaseFactory, load: Callable[[str], None], service_folder: Path
) -> Callable[[str], State]:
    """`make_expected(to)` gives the state after an undisturbed run up to a phase or id."""

    def make(to: str) -> State:
        service = Service(_session_databases(load), service_folder)
        service.apply("online", to)
        return state_of(service)

    return make
