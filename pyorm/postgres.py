# Made from postgres_async.py by `make sync`: change that, not this.
"""Taking a repository's steps on PostgreSQL: on a connection, or on a pool's connections.

Nothing here commits what it did not begin: on a connection a statement joins the transaction that
is open, or leaves open the one that psycopg begins for it; a pool commits its own connections.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import ClientCursor, Connection, Cursor, ServerCursor
from psycopg.generators import copy_end
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from pyorm.collector import PutOff
from pyorm.contract import Source, current
from pyorm.copying import begin_sending, close_later, end_sending, refuse_while_sending
from pyorm.describing import describe
from pyorm.errors import ContractChanged, InvalidValue
from pyorm.joined import joined
from pyorm.loading import Unreadable, column_names, read_again
from pyorm.observe import OnQuery, Timed
from pyorm.operation import (
    ATTEMPTS,
    CHUNK,
    CHUNKS,
    Copy,
    Execute,
    ExecuteMany,
    OpenCursor,
    Operation,
    Outcome,
    Rollback,
    Step,
    Steps,
    cursor_numbers,
    needs_transaction,
    raise_violation,
    run,
    run_again,
)
from pyorm.rows import Make

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

T = TypeVar("T")
IDLE, ACTIVE = TransactionStatus.IDLE, TransactionStatus.ACTIVE


class PostgresBackend:
    """Takes steps, each call on its own.

    Args:
        on: the connection or the pool.
        pause_collector: whether large results may put the garbage collector off.
        on_query: is called after each statement.
    """

    def __init__(
        self,
        on: Connection[Any] | ConnectionPool[Any],
        *,
        pause_collector: bool = True,
        on_query: OnQuery | None = None,
    ) -> None:
        self._on = on
        self._on_query = on_query
        self._pause = pause_collector

    @contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """The connection, or one of the pool's: that of its open transaction, or until the end."""
        if isinstance(self._on, Connection):
            yield self._on
        elif (open_one := joined(self._on)) is not None:
            yield open_one
        else:
            with self._on.connection() as connection:
                yield connection

    # Each wait goes through all coroutines that are open: of nearly every call this is run() alone,
    # which is why it takes the most frequent step itself.
    def run(self, source: Source[Any], operation: Operation[T]) -> T:
        """Do an operation."""
        pool = None
        if isinstance(self._on, Connection):
            connection = self._on
        elif (open_one := joined(self._on)) is not None:
            connection = open_one
        else:
            # As pool.connection() does, but for its generator and for a commit of nothing.
            pool = self._on
            connection = pool.getconn()
        try:
            idle = True
            if pool is None:
                status = connection.pgconn.transaction_status
                idle = status == IDLE
                if status == ACTIVE:
                    refuse_while_sending(connection)
            mapping = current(source)
            if mapping is None or operation.join:
                steps = run(source, operation, connection.pgconn)
                result = self._drive(connection, steps)
            else:
                # The first try is spared the generator.
                try:
                    step = operation.step(mapping)
                    if isinstance(step, Execute) and not (
                        step.locks or step.make_of or self._on_query
                    ):
                        cursor = connection.cursor(row_factory=tuple_row)
                        binary = not isinstance(cursor, ClientCursor)
                        cursor.execute(step.statement, step.parameters, binary=binary)
                        outcome = self._read(cursor, step)
                    else:
                        outcome = self._take(connection, step)
                    result = operation.finish(outcome)
                except psycopg.Error as error:
                    steps = run_again(source, operation, mapping, connection.pgconn, idle, error)
                    result = self._drive(connection, steps)
            if pool is not None and connection.pgconn.transaction_status != IDLE:
                try:
                    connection.commit()
                except psycopg.Error as error:  # of a deferred constraint
                    raise_violation(error, source, operation)
                    raise
            return result
        except BaseException:
            if pool is not None:
                with connection:
                    raise  # through psycopg's own block, which rolls back
            raise
        finally:
            if pool is not None:
                pool.putconn(connection)

    def stream(
        self, source: Source[Any], operation: Operation[tuple[Any, Make[T]]]
    ) -> Generator[T]:
        """Read rows as they are wanted, by a cursor that the server holds.

        On the caller's connection the cursor is held beyond the transaction that it is declared
        in, so what the caller does meanwhile is committed when the caller says so. A connection of
        the pool is the stream's own, and so is the transaction.
        """
        with self.connection() as connection:
            refuse_while_sending(connection)
            own = self._is_own(connection) and needs_transaction(connection)
            for attempts_left in reversed(range(ATTEMPTS)):
                try:
                    with connection.transaction() if own else nullcontext():
                        steps = run(source, operation, connection.pgconn)
                        cursor, make = self._drive(connection, steps)
                        try:
                            while rows := fetch(cursor, CHUNK):
                                yield from make(rows)
                                refuse_while_sending(connection)
                        finally:
                            if not close_later(connection, cursor):
                                cursor.close()
                    return
                except ContractChanged:
                    if not (own and attempts_left):
                        raise
                except Unreadable as error:
                    raise error.of(source.declared) from error.__cause__

    def _is_own(self, connection: Connection[Any]) -> bool:
        """Whether a connection is only for the call, so that nobody else writes on it."""
        return connection is not self._on and connection is not joined(self._on)

    def _drive(self, connection: Connection[Any], steps: Steps[T]) -> T:
        """Take a generator's steps until it has its result."""
        try:
            step = next(steps)
            while True:
                try:
                    outcome = self._take(connection, step)
                except psycopg.Error as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _take(self, connection: Connection[Any], step: Step) -> Outcome:
        """Take a step, and tell the hook of it."""
        if self._on_query is not None and not isinstance(step, Rollback):
            return self._timed(self._on_query, connection, step)
        if isinstance(step, Execute):
            return self._execute(connection, step)
        return self._do(connection, step)

    def _timed(
        self,
        on_query: OnQuery,
        connection: Connection[Any],
        step: Execute | Copy | ExecuteMany | OpenCursor,
    ) -> Outcome:
        timed = Timed(on_query, step.statement)
        try:
            if isinstance(step, Execute):
                outcome = self._execute(connection, step)
            else:
                outcome = self._do(connection, step)
        except Exception as error:
            timed.ended(-1, error)
            raise
        timed.ended(outcome.count)
        return outcome

    def _do(
        self, connection: Connection[Any], step: Copy | ExecuteMany | OpenCursor | Rollback
    ) -> Outcome:
        if isinstance(step, Copy):
            return self._copy(connection, step)
        if isinstance(step, ExecuteMany):
            cursor = connection.cursor()
            with connection.transaction() if connection.autocommit else nullcontext():
                cursor.executemany(step.statement, step.rows)
            return Outcome([], cursor.rowcount)
        if isinstance(step, OpenCursor):
            name = f"pyorm_{next(cursor_numbers)}"
            hold = not self._is_own(connection)
            opened = connection.cursor(name, row_factory=tuple_row, withhold=hold)
            opened.execute(step.statement, step.parameters, binary=True)
            return Outcome([opened], 0)
        connection.rollback()
        return Outcome([], 0)

    def _copy(self, connection: Connection[Any], step: Copy) -> Outcome:
        cursor = connection.cursor()
        begin_sending(connection)
        try:
            with cursor.copy(step.statement) as copy:
                copy.set_types(step.types)
                write_row = copy.write_row
                for row in step.rows:
                    write_row(row)
        except BaseException:
            self._end_copy(connection)
            raise
        finally:
            for unclosed in end_sending(connection):
                unclosed.close()
        return Outcome([], cursor.rowcount)

    def _end_copy(self, connection: Connection[Any]) -> None:
        """End a COPY that was cancelled while it began, which psycopg leaves open."""
        pgconn, lock = connection.pgconn, connection.lock
        # Who holds the lock is at work, and a COPY that waited for it has not begun.
        if pgconn.transaction_status != ACTIVE or pgconn.pipeline_status or lock.locked():
            return
        with lock:
            if pgconn.transaction_status == ACTIVE:
                with suppress(psycopg.Error):
                    connection.wait(copy_end(pgconn, b"cancelled"))
                if pgconn.transaction_status == ACTIVE:
                    connection.close()  # it would only say that a command is in progress

    def _execute(self, connection: Connection[Any], step: Execute) -> Outcome:
        if step.locks:
            self._check_lock(connection)
        if step.make_of is not None and not step.make_of.knows(step.statement):
            step.make_of.learn(step.statement, self._describe(connection, step))
        cursor = connection.cursor(row_factory=tuple_row)
        binary = not isinstance(cursor, ClientCursor)
        cursor.execute(step.statement, step.parameters, binary=binary)
        return self._read(cursor, step)

    def _read(self, cursor: Cursor[Any], step: Execute) -> Outcome:
        """What an executed statement gave."""
        rowcount = cursor.rowcount
        if rowcount < 0 and cursor.connection.pgconn.pipeline_status:
            with cursor.connection.pipeline():
                pass  # waits for the results of all that was sent
            rowcount = cursor.rowcount
        make = step.make
        if make is None:
            result = cursor.pgresult
            if result is None or not result.nfields:
                return Outcome([], rowcount)
            if step.make_of is None:
                return Outcome(fetch(cursor, rowcount), rowcount)
            make = step.make_of(column_names(result))
        if rowcount <= CHUNK:
            try:
                rows = cursor.fetchall()
            except Exception as error:
                rows = read_again(cursor.pgresult, cursor, error)
            return Outcome(make(rows), rowcount)
        made: list[Any] = []
        while len(made) < rowcount:
            # The rows are here already: no await in this block waits for the server.
            with PutOff() if self._pause else nullcontext():
                for _ in range(CHUNKS):
                    # A fetch that reads again gives all rows that are left.
                    if len(made) < rowcount:
                        made += make(fetch(cursor, CHUNK))
        return Outcome(made, rowcount)

    def _check_lock(self, connection: Connection[Any]) -> None:
        """Refuse to lock rows for no longer than the statement takes."""
        alone = connection.pgconn.transaction_status == IDLE
        if alone and (connection.autocommit or connection is not self._on):
            raise InvalidValue(
                "a lock lasts until the end of the transaction, and none is open",
                hint="with db.transaction() as tx: tx[Model].get(key, lock='update')",
            )

    def _describe(self, connection: Connection[Any], step: Execute) -> tuple[str, ...]:
        """The names of a statement's columns, before it is sent."""
        if connection.pgconn.pipeline_status:
            raise psycopg.NotSupportedError(
                "in pipeline mode the server cannot be asked first what SQL of your own returns"
            )
        if needs_transaction(connection):
            with connection.transaction():
                return self._describe(connection, step)
        if connection.pgconn.transaction_status == IDLE:
            connection.cursor().execute(b"SELECT 1")  # begins the caller's transaction
        with connection.lock:
            return connection.wait(describe(connection, step.statement, step.parameters))


def fetch(cursor: Cursor[Any] | ServerCursor[Any], rows: int) -> list[Any]:
    """The next rows of a cursor, so many; all that are left when psycopg cannot load one.

    Raises:
        Unreadable: for a value that Python has no type for.
    """
    first = 0 if isinstance(cursor, ServerCursor) else cursor.rownumber or 0
    try:
        return cursor.fetchmany(rows)
    except Exception as error:
        return read_again(cursor.pgresult, cursor, error, first)
