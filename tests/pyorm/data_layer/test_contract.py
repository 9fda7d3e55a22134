"""Which contract a repository finds, and how it follows the database to the other one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

import pyorm
from pyorm import (
    Model,
    ModelCapability,
    ModelProvider,
    ModelStatus,
    Repository,
    Request,
    one_of,
    operations,
)
from pyorm import contract as contracts
from pyorm.ddl import create_table
from pyorm.entity import declaration
from pyorm.errors import ContractChanged, DeclarationError, NotFound, UniqueViolation
from pyorm.mapping import declared_mapping
from pyorm.sources import forget_databases
from pyorm.transactions import in_transaction

from .conftest import LEGACY
from .entities import a_model, a_request

COMMON = Path("sql/model_orchestration/common")
ONLINE = Path("sql/model_orchestration/online")
SWITCH = ONLINE / "switch"
WINDOW = Path("sql/model_orchestration/window")


def files(folder: Path, first: str, last: str = "9999") -> list[Path]:
    paths = sorted(path for path in folder.glob("*.sql") if ".rollback." not in path.name)
    return [path for path in paths if first <= path.name[:4] <= last]


WINDOW_FILES = [*files(COMMON, "0051"), *files(WINDOW, "0051")]


class Database:
    """A database whose contract the test moves by hand, with the shipped SQL."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.admin = psycopg.connect(dsn, autocommit=True)
        self.admin.execute("SET trueup.waiting_period = '0'")
        self.admin.execute(LEGACY.read_bytes())

    def apply(self, paths: list[Path]) -> None:
        for path in paths:
            self._run(path)

    def roll_back(self, paths: list[Path]) -> None:
        for path in reversed(paths):
            self._run(path.with_suffix(".rollback.sql"))

    def _run(self, path: Path) -> None:
        # Of a pair only the forward file says whether it runs in a transaction.
        forward = path.with_name(path.name.replace(".rollback", ""))
        if "-- transactional: false" in forward.read_text():
            self.admin.execute(path.read_bytes())
            return
        with self.admin.transaction():
            self.admin.execute(path.read_bytes())

    def expand_and_backfill(self) -> None:
        self.apply([*files(COMMON, "0051"), *files(ONLINE, "0051", "0299")])

    def enforce(self) -> None:
        self.apply(files(ONLINE, "0301", "0399"))

    def names(self) -> set[str]:
        rows = self.admin.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'v')"
        )
        return {row[0] for row in rows}


@pytest.fixture
def moving(database: str) -> Iterator[Database]:
    moving = Database(database)
    yield moving
    moving.admin.close()


@pytest.fixture
def connection(moving: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(moving.dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def models(connection: psycopg.Connection[Any]) -> Repository[Model]:
    return Repository(Model, connection, contract="auto")


@pytest.fixture
def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call looks, so that a test need not wait for the next look."""
    monkeypatch.setattr(contracts, "LOOK_AGAIN", 0.0)


@pytest.fixture
def never_look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a failed statement makes a repository look."""
    monkeypatch.setattr(contracts, "LOOK_AGAIN", 3600.0)


def use_everything(models: Repository[Model], requests: Repository[Request]) -> None:
    """Every kind of call, on rows of its own."""
    model = models.add(a_model(capabilities=[ModelCapability.CHAT]))
    assert models.get(model.id) == model
    assert models.find(id=one_of(model.id), status=ModelStatus.ACTIVE) == [model]
    assert models.count(capabilities=[ModelCapability.CHAT]) >= 1
    assert model in models.page(limit=1000).items
    assert model in list(models.stream(provider=ModelProvider.OPENAI))
    assert models.upsert(model, "model_id", changing="status").id == model.id
    assert models.update(model.id, status=ModelStatus.INACTIVE).status is ModelStatus.INACTIVE
    assert requests.add_many(a_request(model) for _ in range(3)) == 3
    assert requests.add_many([a_request(model)]) == 1
    joined = requests.query(
        "SELECT {r.columns} FROM {table} AS r JOIN {Model} AS m ON m.id = r.model_id "
        "WHERE m.id = %s AND m.status = %s",
        [model.id, ModelStatus.INACTIVE],
        join=[Model],
    )
    assert len(joined) == 4
    with pytest.raises(UniqueViolation) as caught:
        models.add(a_model(model_id=model.model_id))
    assert caught.value.field == "model_id"
    other = models.add(a_model())
    models.delete(other.id)
    with pytest.raises(NotFound):
        models.get(other.id)


@pytest.mark.usefixtures("look_at_once")
def test_every_call_works_in_every_phase_there_and_back(
    moving: Database, connection: psycopg.Connection[Any], models: Repository[Model]
) -> None:
    requests = Repository(Request, connection, contract="auto")
    steps: list[Callable[[], None]] = [
        lambda: None,
        lambda: moving.apply([*files(COMMON, "0051"), *files(ONLINE, "0051", "0102")]),
        lambda: moving.apply(files(ONLINE, "0103", "0202")),
        lambda: moving.apply(files(ONLINE, "0203", "0306")),
        lambda: moving.apply(files(ONLINE, "0307")),
        lambda: moving.apply(files(SWITCH, "0401", "0401")),
        lambda: moving.apply(files(SWITCH, "0402")),
    ]
    for step in steps:
        step()
        use_everything(models, requests)
    assert "models" in moving.names()
    moving.roll_back(files(SWITCH, "0402"))
    use_everything(models, requests)
    moving.roll_back(files(SWITCH, "0401", "0401"))
    use_everything(models, requests)
    moving.roll_back(files(ONLINE, "0103"))
    use_everything(models, requests)
    moving.roll_back([*files(COMMON, "0051"), *files(ONLINE, "0051", "0102")])
    use_everything(models, requests)
    assert moving.names() == {"models", "requests", "provider_quotas"}


@pytest.mark.usefixtures("look_at_once")
def test_the_new_contract_is_used_once_it_has_the_table_and_no_sooner(
    moving: Database, models: Repository[Model]
) -> None:
    row = models.add(a_model())

    def table_used() -> str:
        statement = models.query("SELECT {columns} FROM {table}")
        assert statement == [row]
        source = models._source
        assert isinstance(source, contracts.Auto)
        return str(source.agreed(new=True).relation.as_string(None))

    assert table_used() == '"public"."models"'
    moving.expand_and_backfill()
    assert table_used() == '"public"."models"'
    moving.enforce()
    assert table_used() == '"public"."models"'
    moving.apply(files(SWITCH, "0401", "0401"))
    assert table_used() == '"public"."model"'
    moving.roll_back(files(SWITCH, "0401", "0401"))
    assert table_used() == '"public"."models"'


@pytest.mark.usefixtures("look_at_once")
def test_a_service_may_start_with_a_check_in_every_phase(
    moving: Database, connection: psycopg.Connection[Any]
) -> None:
    auto = pyorm.Database(connection, contract="auto")
    auto.check(Model, Request)
    moving.expand_and_backfill()
    auto.check(Model, Request)
    moving.enforce()
    auto.check(Model, Request)
    pyorm.Database(connection).check(Model, Request)
    moving.apply(files(SWITCH, "0401"))
    auto.check(Model, Request)
    pyorm.Database(connection).check(Model, Request)


@pytest.mark.usefixtures("look_at_once")
def test_a_table_that_somebody_makes_under_the_other_name_is_not_used(
    moving: Database, connection: psycopg.Connection[Any]
) -> None:
    used = Repository(Model, connection, contract="auto")
    used.count()
    moving.admin.execute(create_table(Model).encode())
    used.add(a_model())
    forget_databases()
    # After a restore nothing tells which of two whole tables was there first.
    with pytest.raises(DeclarationError, match="models and model are both tables"):
        Repository(Model, connection, contract="auto").add(a_model())
    assert moving.admin.execute("SELECT count(*) FROM model").fetchone() == (0,)

    moving.admin.execute("DROP TABLE model")
    moving.apply(WINDOW_FILES)
    moving.admin.execute("CREATE TABLE models AS SELECT * FROM model")
    models = Repository(Model, connection, contract="auto")
    models.delete(models.one().id)
    assert moving.admin.execute("SELECT count(*) FROM models").fetchone() == (1,)


@pytest.mark.usefixtures("never_look_again")
def test_a_statement_that_failed_because_the_contract_changed_is_sent_once_more(
    moving: Database, connection: psycopg.Connection[Any], models: Repository[Model]
) -> None:
    first = models.add(a_model())
    for _ in range(10):
        models.get(first.id)  # often enough to be prepared on the server
    moving.apply(WINDOW_FILES)
    assert moving.names() == {"model", "request", "provider_quota"}
    assert models.get(first.id) == first
    moving.roll_back(WINDOW_FILES)
    second = models.add(a_model())
    assert {model.id for model in models.find()} == {first.id, second.id}
    moving.apply(WINDOW_FILES)
    assert models.add_many(a_model() for _ in range(5)) == 5
    moving.roll_back(WINDOW_FILES)
    assert len(list(models.stream())) == 7


@pytest.mark.usefixtures("never_look_again")
def test_a_connection_without_autocommit_keeps_its_transaction_open(moving: Database) -> None:
    with psycopg.connect(moving.dsn) as connection:
        models = Repository(Model, connection, contract="auto")
        models.find()
        connection.rollback()
        moving.apply(WINDOW_FILES)
        models.add(a_model())
        assert connection.info.transaction_status.name == "INTRANS"
        connection.rollback()
        assert models.count() == 0


@pytest.mark.usefixtures("never_look_again")
def test_within_the_callers_transaction_it_is_the_caller_who_runs_again(
    moving: Database, connection: psycopg.Connection[Any], models: Repository[Model]
) -> None:
    models.find()
    moving.apply(WINDOW_FILES)
    with pytest.raises(ContractChanged) as caught, connection.transaction():
        models.add(a_model())
    assert isinstance(caught.value.__cause__, psycopg.errors.UndefinedTable)
    with connection.transaction():
        models.add(a_model())
    assert models.count() == 1


@pytest.mark.usefixtures("never_look_again")
def test_in_transaction_runs_the_whole_work_again(moving: Database) -> None:
    with ConnectionPool(moving.dsn, min_size=1, open=True) as pool:
        Repository(Model, pool, contract="auto").find()
        tries: list[str] = []

        def work(connection: psycopg.Connection[Any]) -> Model:
            models = Repository(Model, connection, contract="auto")
            if not tries:
                models.find()
                tries.append("first")
                raise ContractChanged("moved", entity="Model")
            tries.append("again")
            return models.add(a_model())

        added = in_transaction(pool, work)
        assert tries == ["first", "again"]
        assert Repository(Model, pool, contract="auto").find() == [added]


@pytest.mark.usefixtures("never_look_again")
def test_a_settled_contract_costs_no_query(
    moving: Database, connection: psycopg.Connection[Any], models: Repository[Model]
) -> None:
    models.find()
    sent: list[str] = []
    original = psycopg.Cursor.execute

    def counting(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        sent.append(str(query))
        return original(self, query, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", counting)
        models.find()
        models.count()
    assert len(sent) == 2


def test_neither_contract_is_an_error_that_names_both(database: str) -> None:
    wanted = pytest.raises(DeclarationError, match="no table model and no models")
    with psycopg.connect(database, autocommit=True) as connection, wanted:
        Repository(Model, connection, contract="auto").find()


@pytest.mark.parametrize("case", [str.upper, str.lower], ids=["variant B", "variant C"])
@pytest.mark.usefixtures("look_at_once")
def test_native_enums_and_uuids_of_the_old_contract(
    database: str, case: Callable[[str], str]
) -> None:
    labels = ", ".join(f"'{case(member.value)}'" for member in ModelProvider)
    states = ", ".join(f"'{case(member.value)}'" for member in ModelStatus)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(LEGACY.read_bytes())
        connection.execute(f"""
            CREATE TYPE modelprovider AS ENUM ({labels});
            CREATE TYPE modelstatus AS ENUM ({states});
            ALTER TABLE requests DROP CONSTRAINT requests_model_id_fkey;
            ALTER TABLE models
                ALTER id TYPE uuid USING id::uuid,
                ALTER provider TYPE modelprovider USING provider::modelprovider,
                ALTER status DROP DEFAULT,
                ALTER status TYPE modelstatus USING status::modelstatus
        """)
        models = Repository(Model, connection, contract="auto")
        model = models.add(a_model(capabilities=[ModelCapability.CHAT]))
        assert models.get(model.id) == model
        found = models.find(
            status=one_of(ModelStatus.ACTIVE), provider=one_of(ModelProvider.OPENAI), id=model.id
        )
        assert found == [model]
        assert models.count(provider=ModelProvider.OLLAMA) == 0
        assert models.add_many(a_model() for _ in range(3)) == 3
        changed = models.update(model.id, status=ModelStatus.DEPRECATED)
        assert changed.status is ModelStatus.DEPRECATED
        stored = connection.execute("SELECT DISTINCT provider::text, capabilities FROM models")
        assert (case("OPENAI"), ["chat"]) in stored.fetchall()


def test_a_generator_that_a_failed_copy_has_read_is_sent_again_or_missed_loudly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows that were read are not lost without a word, however late the server refuses them."""
    monkeypatch.setattr(operations, "REPLAYED", 3)
    mapping = declared_mapping(declaration(Model))

    def read(count: int) -> list[int]:
        operation = operations.add_many(a_model() for _ in range(count))
        return [len(list(operation.step(mapping).rows)) for _ in range(2)]  # type: ignore[union-attr]

    assert read(3) == [3, 3]
    with pytest.raises(ContractChanged, match="cannot be read again"):
        read(4)
