"""Before the first file: what a change of a table's owner left behind goes to the new one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from psycopg import Connection, Error

from runner.execute.events import Noticed
from runner.execute.retry import Patience, retryable
from runner.ledger.owners import LeftBehind, find_left_behind

if TYPE_CHECKING:
    from runner.execute.events import Listener


# A toolkit that was made earlier takes no table alone.
_IS_THERE = """
    SELECT FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'trueup'
    WHERE p.proname = 'hand_over' AND p.pronargdefaults > 0
"""


def hand_over(connection: Connection, file: str, deadline: float, listener: Listener) -> None:
    """Give the triggers' functions and the views of both contracts to their tables' owners.

    Where that is impossible, a warning says so, and the run goes on: the table may be another
    service's, and a file that needs it gives them away itself, or stops.

    Args:
        connection: the run's, outside a transaction.
        file: id of the first file, which is told of.
        deadline: seconds to try while clients use a view.
        listener: called with a notice for each table.
    """
    if connection.execute(_IS_THERE).fetchone() is None:
        return
    for found in {left.name: left for left in find_left_behind(connection)}.values():
        patience = Patience(deadline)
        try:
            while not _is_done(connection, found, patience):
                pass
        except Error as error:
            reason = error.diag.message_primary or str(error)
            listener(Noticed(file, "WARNING", f"{found} failed: {reason}"))
            continue
        text = f"{found.what} had not followed {found.name}, so this was done: {found.mended_by}"
        listener(Noticed(file, "NOTICE", text))


def _is_done(connection: Connection, found: LeftBehind, patience: Patience) -> bool:
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', '200ms', true)")
            connection.execute(found.mended_by.encode())
    except Error as error:
        pause = patience.next_pause() if retryable(error) else None
        if pause is None:
            raise
        time.sleep(pause)
        return False
    return True
