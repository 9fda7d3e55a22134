"""The stages of a conversion as scratch databases: the schema of now, expanded, switched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from psycopg import Error, errors, sql

from runner.errors import ScratchError
from runner.ledger.files import Migration
from runner.postgres.connect import connect
from runner.postgres.plain import run_plain
from runner.postgres.scratch import ScratchServer
from runner.quoting import quote_ident
from runner.workload.model import Stage

_NAME = "trueup workload"
_BEFORE_SWITCH = ("expand", "backfill", "enforce")
_FIRST = ("toolkit", "check")


def is_online(pending: Sequence[Migration]) -> bool:
    """Whether files lead through stages at which the old release goes on."""
    return any(m.phase in (*_BEFORE_SWITCH, "switch") for m in pending)


def make_stages(
    scratch: ScratchServer, now: str, pending: Sequence[Migration]
) -> Iterator[tuple[Stage, str]]:
    """Each stage that is still to come, with the DSN of a database that stands at it.

    Args:
        scratch: the server.
        now: the database that holds the schema of now.
        pending: the files that are not applied, in their order.

    Raises:
        ScratchError: a file fails on the schema of now.
    """
    yield Stage.NOW, now
    last = now
    for stage, phases in (
        (Stage.EXPANDED, (*_FIRST, *_BEFORE_SWITCH)),
        (Stage.SWITCHED, ("switch",)),
    ):
        files = [m for m in pending if m.phase in phases]
        if not files:
            continue
        last = scratch.create(template=last)
        for migration in files:
            _apply(scratch, last, migration)
        yield stage, last


def _apply(scratch: ScratchServer, dsn: str, migration: Migration) -> None:
    with connect(dsn, application_name=_NAME) as connection:
        try:
            if migration.transactional:
                with connection.transaction():
                    for statement in migration.statements:
                        run_plain(connection, statement.text, scratch.allowance)
            else:
                for statement in migration.statements:
                    run_plain(connection, statement.text, scratch.allowance)
        except Error as error:
            parts = (error.diag.message_primary or str(error).strip(), error.diag.message_detail)
            said = "; ".join(" ".join(part.split()) for part in parts if part)
            raise ScratchError(f"{migration.id} fails on a copy of this schema: {said}") from None


def let_look_up(dsn: str, search_path: str, schemas: Sequence[str]) -> None:
    """Let a scratch database look names up as the live one does, then in a standard's schemas.

    Args:
        dsn: the scratch database, before it is cloned.
        search_path: of the live database.
        schemas: of the standard's tables.
    """
    path = ", ".join([*filter(None, [search_path.strip()]), *map(quote_ident, schemas)])
    with connect(dsn, application_name=_NAME) as connection:
        database = sql.Identifier(connection.info.dbname)
        with suppress(errors.InvalidParameterValue):
            connection.execute("SELECT set_config('search_path', %s, false)", [path])
            kept = "ALTER DATABASE {} SET search_path FROM CURRENT"
            connection.execute(sql.SQL(kept).format(database))
