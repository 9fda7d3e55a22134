"""What a service meets: errors that travel, secrets, tracing, altered tables, wrong arguments."""

from __future__ import annotations

import copy
import pickle
import traceback
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from pyorm import AsyncRepository, Model, ModelStatus, Repository, column, entity
from pyorm.ddl import create_table
from pyorm.errors import (
    ContractChanged,
    DataException,
    DeclarationError,
    InvalidValue,
    PyormError,
    UniqueViolation,
    UnknownEnumValue,
)
from pyorm.observe import Query

from .conftest import Made


@entity("account")
class Account:
    id: int
    name: str = column(length=20)
    token: str = column(repr=False, unique=True, length=20, default="")

    def __fields__(self, **fields: Any) -> None: ...


class TestErrors:
    @pytest.mark.parametrize(
        "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
    )
    def test_are_the_same_after_pickle_and_copy(self, again: Any) -> None:
        with pytest.raises(UnknownEnumValue) as caught:
            ModelStatus("gone")
        unique = UniqueViolation("x", hint="h", entity="E", field="f", value=1, constraint="c")
        for error in (caught.value, unique, DeclarationError("y")):
            twin = again(error)
            assert type(twin) is type(error)
            assert (str(twin), vars(twin)) == (str(error), vars(error))

    def test_of_values_that_only_the_server_refuses_are_ours(self, database: str) -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CREATE TABLE account (id smallint, name varchar(3), token varchar)")
            accounts: Repository[Account] = Repository(Account, connection)
            for wrong in (Account(id=100_000, name="a"), Account(id=1, name="abcd")):
                with pytest.raises(DataException):
                    accounts.add(wrong)
                with pytest.raises(DataException):
                    accounts.add_many([wrong])
            connection.execute(create_table(Model).encode())
            with pytest.raises(DataException, match="cannot adapt type 'dict'"):
                Repository(Model, connection).query(
                    "SELECT {columns} FROM {table} WHERE model_id = %s", [{"a": 1}]
                )

    def test_of_a_conflict_without_an_index_are_ours(self, made: Made) -> None:
        accounts: Repository[Account] = Repository(Account, made(Account))
        with pytest.raises(InvalidValue, match="no unique index"):
            accounts.upsert(Account(id=1, name="a"), "name", changing="token")


class TestSecrets:
    SECRET = "hunter2"

    def whole(self, error: PyormError) -> str:
        return "".join(traceback.format_exception(error)) + str(vars(error))

    def test_stay_out_of_errors_with_their_causes(self, made: Made) -> None:
        accounts: Repository[Account] = Repository(Account, made(Account))
        accounts.add(Account(id=1, name="a", token=self.SECRET))
        failing = (
            lambda: accounts.add(Account(id=2, name="b", token=self.SECRET)),
            lambda: accounts.add(Account(id=2, name="b", token=self.SECRET + "\0")),
            lambda: accounts.add(Account(id=2, name="b", token=self.SECRET * 9)),
            lambda: accounts.one(token=self.SECRET + "x"),
            lambda: accounts.update(1, token=self.SECRET * 9),
            lambda: accounts.find(token=self.SECRET + "\0"),
        )
        for fail in failing:
            with pytest.raises(PyormError) as caught:
                fail()
            assert self.SECRET not in self.whole(caught.value)
        assert self.SECRET not in repr(accounts.get(1))

    def test_stay_out_of_what_the_server_refuses(self, database: str) -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE account "
                "(id int, name varchar NOT NULL CHECK (name <> 'x'), token int)"
            )
            accounts: Repository[Account] = Repository(Account, connection)
            with pytest.raises(DataException) as caught:
                accounts.add(Account(id=1, name="a", token=self.SECRET))
            assert self.SECRET not in self.whole(caught.value)
            connection.execute("ALTER TABLE account ALTER token TYPE varchar")
            with pytest.raises(PyormError) as refused:
                accounts.add(Account(id=1, name="x", token=self.SECRET))
            assert self.SECRET not in self.whole(refused.value)


class TestTracing:
    def test_a_connections_own_cursors_are_used(self, database: str) -> None:
        seen: list[Any] = []

        class Logging(psycopg.Cursor[Any]):
            def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
                seen.append(query)
                return super().execute(query, params, **kwargs)

            def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> None:
                seen.append(query)
                super().executemany(query, params_seq, **kwargs)

        with psycopg.connect(database, autocommit=True, cursor_factory=Logging) as connection:
            connection.execute(create_table(Account).encode())
            seen.clear()
            accounts: Repository[Account] = Repository(Account, connection)
            accounts.add(Account(id=1, name="a"))
            accounts.find()
            accounts.update(1, name="b")
            assert len(seen) == 3

    def test_cursors_that_send_plain_text_work(self, database: str) -> None:
        with psycopg.connect(
            database, autocommit=True, cursor_factory=psycopg.ClientCursor
        ) as connection:
            connection.execute(create_table(Model).encode())
            models = Repository(Model, connection)
            from .entities import a_model

            model = models.add(a_model(configuration={"a": "%"}))
            assert models.get(model.id) == model
            assert models.find(id=model.id, status=ModelStatus.ACTIVE) == [model]
            assert models.add_many([a_model()]) == 1
            assert len(list(models.stream())) == 2

    def test_a_hook_is_told_of_each_statement(self, made: Made) -> None:
        told: list[Query] = []
        accounts: Repository[Account] = Repository(Account, made(Account), on_query=told.append)
        accounts.add(Account(id=1, name="a", token="secret"))
        accounts.find(name="a")
        with pytest.raises(UniqueViolation):
            accounts.add(Account(id=1, name="a"))
        assert [query.text.split()[0] for query in told] == ["INSERT", "SELECT", "INSERT"]
        assert [query.rows for query in told] == [1, 1, -1]
        assert [query.error is None for query in told] == [True, True, False]
        assert all(query.seconds > 0 for query in told)
        assert not any("secret" in query.text for query in told)


class TestAnAlteredTable:
    def test_heals_for_every_connection(self, database: str) -> None:
        with (
            psycopg.connect(database, autocommit=True) as one,
            psycopg.connect(database, autocommit=True) as two,
        ):
            one.execute(create_table(Account).encode())
            repositories: list[Repository[Account]] = [Repository(Account, c) for c in (one, two)]
            repositories[0].add(Account(id=1, name="a"))
            for repository in repositories * 7:
                repository.get(1)
            with psycopg.connect(database, autocommit=True) as other:
                other.execute("ALTER TABLE account ALTER name TYPE varchar(50)")
            for repository in repositories * 7:
                assert repository.get(1).name == "a"

    def test_within_a_transaction_says_that_it_can_be_run_again(self, database: str) -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(create_table(Account).encode())
            accounts: Repository[Account] = Repository(Account, connection)
            for _ in range(7):
                accounts.find()
            with psycopg.connect(database, autocommit=True) as other:
                other.execute("ALTER TABLE account ALTER name TYPE varchar(50)")
            with pytest.raises(ContractChanged), connection.transaction():
                accounts.find()
            with connection.transaction():
                assert accounts.find() == []


class TestWrongArguments:
    def test_are_refused_at_once(self, database: str) -> None:
        with psycopg.connect(database) as connection:
            wrong: list[Any] = [database, None, connection.cursor(), 5, ConnectionPool]
            for on in wrong:
                for repository in (Repository, AsyncRepository):
                    with pytest.raises(InvalidValue, match="works on a psycopg") as caught:
                        repository(Model, on)
                    assert database not in str(caught.value)
            with pytest.raises(InvalidValue, match="AsyncConnection"):
                AsyncRepository(Model, connection)  # type: ignore[arg-type]
            with pytest.raises(InvalidValue, match="'new', 'old' or 'auto'"):
                Repository(Model, connection, contract="newest")  # type: ignore[arg-type]
        pool = AsyncConnectionPool(database, open=False)
        AsyncRepository(Model, pool)
        with pytest.raises(InvalidValue, match="not on an AsyncConnectionPool"):
            Repository(Model, pool)  # type: ignore[arg-type]

    def test_a_subclass_is_an_entity_only_by_its_own_declaration(self) -> None:
        class Other(Model):
            pass

        with pytest.raises(DeclarationError, match="is not an entity"):
            Repository(Other, None)  # type: ignore[arg-type]
