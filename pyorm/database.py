# Made from database_async.py by `make sync`: change that, not this.
"""A service's database: its repositories, its transactions, and SQL that is no one entity's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from psycopg import Connection, sql
from psycopg.pq import TransactionStatus

from pyorm import checking
from pyorm.contract import Contract
from pyorm.entity import entity
from pyorm.enums import SharedEnum
from pyorm.errors import DeclarationError, InvalidValue, SchemaMismatch
from pyorm.joined import joined, joining
from pyorm.observe import OnQuery
from pyorm.own_sql import Parameters
from pyorm.repository import Repository
from pyorm.retries import Attempts, Isolation, sleep
from pyorm.sources import check_place, is_sqlite, signing_key

if TYPE_CHECKING:
    import sqlite3

    from psycopg_pool import ConnectionPool

E = TypeVar("E")
T = TypeVar("T")


@entity("", key="nothing")
class _NoEntity:
    """Stands for the entity of SQL that names none."""

    nothing: int


class Database:
    """The repositories and transactions of one database.

    Args:
        on: a psycopg connection or pool, or an sqlite3 connection.
        contract: as for a repository.
        pause_collector: as for a repository.
        cursor_key: as for a repository.
        on_query: as for a repository.

    `db[Model]` is the repository of an entity.
    """

    def __init__(
        self,
        on: Connection[Any] | ConnectionPool[Any] | sqlite3.Connection,
        *,
        contract: Contract = "new",
        pause_collector: bool = True,
        cursor_key: str | bytes | None = None,
        on_query: OnQuery | None = None,
    ) -> None:
        check_place(on, Connection)
        if contract not in get_args(Contract):
            raise InvalidValue(f"a contract is 'new', 'old' or 'auto', not {contract!r}")
        self._on = on
        self._contract = contract
        # Told here, so that a transaction's connection signs as the pool does.
        self._options: dict[str, Any] = {
            "contract": contract,
            "pause_collector": pause_collector,
            "cursor_key": signing_key(cursor_key, on) or None,
            "on_query": on_query,
        }
        self._repositories: dict[type[Any], Repository[Any]] = {}

    def __getitem__(self, entity: type[E]) -> Repository[E]:
        found = self._repositories.get(entity)
        if found is None:
            found = Repository(entity, self._on, **self._options)
            self._repositories[entity] = found
        return found

    def transaction(
        self, *, isolation: Isolation | None = None, read_only: bool = False, retry: int = 0
    ) -> Transaction:
        """A transaction, for a `with` block or for a function that may be run again.

            async with db.transaction() as tx:
                await tx[Model].add(model)

            total = await db.transaction(isolation="serializable", retry=5).run(work)

        Inside another transaction it is a savepoint, which can be undone alone.

        Args:
            isolation: the level, None for the server's default.
            read_only: whether writing is refused.
            retry: how often at most a function is run again from the start after its transaction
                lost to another one (SQLSTATE 40001, 40P01). A block cannot be run again.
        """
        return Transaction(self, isolation, read_only, retry)

    def check(self, *entities: type[Any], sql: Iterable[str] = ()) -> None:
        """Compare entities with the catalog: do it at start-up, not at the first request.

        Of a table: columns, types, lengths, NOT NULL, the key, unique indexes, what the server
        makes, and the CHECKs of enums. Of a view: its columns and their types. Of an SQLite table:
        columns, NOT NULL and the key.

        Args:
            entities: the entities of the service.
            sql: your own SQL texts; a literal in them that is the value of an enum, and finds
                nothing under one of the contracts, is a difference.

        Raises:
            SchemaMismatch: with every difference.
        """
        texts = tuple(sql)
        follows = self._contract == "auto"
        found: list[str] = []
        for one in entities:
            operation = checking.check(texts, follows=follows)
            try:
                told: list[str] = self[one]._run(operation)
                found += told
            except DeclarationError as error:
                found.append(error.message)
        if found:
            raise SchemaMismatch(tuple(dict.fromkeys(found)))

    def rows(
        self,
        row_type: type[T],
        text: str,
        parameters: Parameters = None,
        *,
        join: Iterable[type[Any]] = (),
    ) -> list[T]:
        """The rows that your own SQL returns, as values of your own dataclass.

        Args:
            row_type: a dataclass with a field for each column.
            text: the SQL, or sql_file(path); `{Model}` is the table of an entity that join names.
            parameters: by position for `%s`, by name for `%(name)s`.
            join: the entities that the SQL names.

        Raises:
            InvalidValue: if the columns do not match the fields; nothing was sent.
            MappingError: if a value does not have the type of its field.
        """
        first, others = self._named(parameters, join)
        return first.rows(row_type, text, parameters, join=others)

    def scalars(
        self,
        value_type: type[T],
        text: str,
        parameters: Parameters = None,
        *,
        join: Iterable[type[Any]] = (),
    ) -> list[T]:
        """The values that a query of one column returns; parameters as for rows."""
        first, others = self._named(parameters, join)
        return first.scalars(value_type, text, parameters, join=others)

    def execute(
        self, text: str, parameters: Parameters = None, *, join: Iterable[type[Any]] = ()
    ) -> int:
        """Run your own SQL, as for rows, and return how many rows it touched."""
        first, others = self._named(parameters, join)
        return first.execute(text, parameters, join=others)

    def _named(
        self, parameters: Parameters, join: Iterable[type[Any]]
    ) -> tuple[Repository[Any], tuple[type[Any], ...]]:
        """The repository that runs SQL of one's own, and the further entities that it names."""
        entities = tuple(join)
        if entities:
            return self[entities[0]], entities[1:]
        values = parameters.values() if isinstance(parameters, dict) else parameters or ()
        if self._contract != "new" and any(isinstance(value, SharedEnum) for value in values):
            raise InvalidValue(
                "how an enum is stored is told by the entity, and the query names none",
                hint="join=[Model], the entities whose tables it names",
            )
        return Repository(_NoEntity, self._on, **self._options | {"contract": "new"}), ()

    def _within(self, connection: Any) -> Database:
        return Database(connection, **self._options)

    @contextmanager
    def _begun(self, isolation: Isolation | None, read_only: bool) -> Iterator[Database]:
        """This database within a transaction that is committed at the end of the block."""
        with ExitStack() as stack:
            on: Any = self._on
            if is_sqlite(on):
                from pyorm.sqlite import transaction

                stack.enter_context(transaction(on))
                yield self
                return
            connection: Any = on if isinstance(on, Connection) else joined(on)
            if connection is None:
                connection = stack.enter_context(on.connection())
            idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
            modes = _modes(isolation, read_only)
            if modes and not idle:
                raise InvalidValue(
                    "a transaction is open already, whose isolation and mode stay as they are",
                    hint="say them where it begins",
                )
            stack.enter_context(connection.transaction())
            if modes:
                connection.execute(sql.SQL("SET TRANSACTION {}").format(modes))
            if connection is not on:
                stack.enter_context(joining(on, connection))
            yield self._within(connection)

    def _is_open(self) -> bool:
        """Whether a transaction is open here already."""
        on: Any = self._on
        if is_sqlite(on):
            return bool(on.in_transaction)
        connection: Any = on if isinstance(on, Connection) else joined(on)
        return (
            connection is not None
            and connection.pgconn.transaction_status != TransactionStatus.IDLE
        )


class Transaction:
    """A transaction that has not begun yet; Database.transaction tells its arguments."""

    def __init__(
        self, database: Database, isolation: Isolation | None, read_only: bool, retry: int
    ) -> None:
        if isolation is not None and isolation not in get_args(Isolation):
            levels = ", ".join(map(repr, get_args(Isolation)))
            raise InvalidValue(f"an isolation is one of {levels}, not {isolation!r}")
        self._database = database
        self._isolation: Isolation | None = isolation
        self._read_only = read_only
        Attempts(retry)  # refuses what is no number of times
        self._retry = retry
        self._block: Any = None

    def __enter__(self) -> Database:
        if self._retry:
            raise InvalidValue(
                "a block cannot be run again: only a function can",
                hint="db.transaction(retry=5).run(work), with work(tx)",
            )
        if self._block is not None:
            raise InvalidValue(
                "this transaction is open already",
                hint="db.transaction() makes another one, or a part of this one",
            )
        self._block = self._database._begun(self._isolation, self._read_only)
        try:
            within: Database = self._block.__enter__()
        except BaseException:
            self._block = None
            raise
        return within

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        block, self._block = self._block, None
        ended: bool | None = block.__exit__(kind, error, trace)
        return ended

    def run(self, work: Callable[[Database], T]) -> T:
        """Run a function in the transaction, and again from the start as often as retry says.

        It is also run again if the contract changed meanwhile.

        Args:
            work: takes the database inside the transaction; before it is called again, everything
                that it did in the database is undone.

        Returns:
            What the function returned, once the transaction is committed; None if it raised
            psycopg.Rollback, which undoes the transaction and goes no further.
        """
        attempts = Attempts(self._retry)
        while True:
            outermost = not self._database._is_open()
            try:
                with self._database._begun(self._isolation, self._read_only) as within:
                    return work(within)
                return cast("T", None)  # psycopg.Rollback ended the block
            except Exception as error:
                # A part of another transaction is not what lost.
                if not outermost or not attempts.left_for(error):
                    raise
            sleep(attempts.wait())


def _modes(isolation: Isolation | None, read_only: bool) -> sql.Composable | None:
    modes: list[sql.Composable] = []
    if isolation:
        modes.append(sql.SQL("ISOLATION LEVEL ") + sql.SQL(isolation.upper()))
    if read_only:
        modes.append(sql.SQL("READ ONLY"))
    return sql.SQL(", ").join(modes) if modes else None
