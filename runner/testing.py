"""What trueup lends to pyorm.testing, by entry points: its server, and a service migrated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.config import resolve_sources
from runner.execute.engine import Settings, apply
from runner.execute.gate import removed_by
from runner.ledger.files import read_migrations
from runner.postgres.embedded import FAST, start_server


@contextmanager
def server() -> Iterator[str]:
    """The embedded server, for as long as the context is open; gives the DSN of its database."""
    with start_server(settings=FAST) as started:
        yield started.dsn()


def migrate(dsn: str, service: str | Path, to: str) -> None:
    """Bring a database that nobody uses to a phase of a service's migrations.

    Args:
        dsn: the database.
        service: the service's folder, or its name in sql/.
        to: the last phase or id to apply; `window` takes the window strategy.
    """
    strategy = "window" if to == "window" else "online"
    sources = resolve_sources((), str(service), {}, strategy)
    migrations = read_migrations(sources.folders, on_request=sources.on_request)
    unused = removed_by(m.text for m in migrations) if to == "contract" else []
    settings = Settings(waiting_period="0", force=tuple(unused))
    apply(dsn, migrations, to=to, settings=settings)
