"""A table that keeps its name: until contract, its new contract stands in a schema of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.journey import Journey
from support.runs import query, run_trueup
from support.variants import Service

from pyorm import Repository, SharedEnum, column, entity
from pyorm import contract as contracts
from runner.errors import StatementError

SCHEMA = """
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TABLE model (
        id varchar(36) PRIMARY KEY,
        status text NOT NULL DEFAULT 'active'
            CONSTRAINT model_status_check CHECK (status IN ('active', 'closed')),
        mood mood,
        n bigint GENERATED ALWAYS AS IDENTITY,
        count serial,
        parent varchar(36) REFERENCES model,
        name text NOT NULL,
        CONSTRAINT name_status UNIQUE (name, status)
    );
    CREATE INDEX model_status_idx ON model (status) WHERE mood = 'glad';
    COMMENT ON TABLE model IS 'What is kept';
    CREATE TABLE requests (
        id serial PRIMARY KEY,
        model_id varchar(36) NOT NULL REFERENCES model (id) ON DELETE CASCADE,
        state text CHECK (state IN ('new', 'done'))
    );
    CREATE TABLE kind ("Order" text PRIMARY KEY, label text);
    CREATE STATISTICS kind_stats ON "Order", label FROM kind;
    CREATE TABLE event (
        id varchar(36) NOT NULL, at date NOT NULL, status text NOT NULL, PRIMARY KEY (id, at)
    ) PARTITION BY RANGE (at);
    CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE event_2 PARTITION OF event DEFAULT;
    CREATE VIEW active AS SELECT id, name FROM model WHERE status = 'active';
    INSERT INTO model (id, status, mood, name)
    SELECT upper(gen_random_uuid()::text), 'active', 'glad', n::text
    FROM generate_series(1, 30) AS n;
    UPDATE model SET parent = (SELECT min(id) FROM model) WHERE name > '2';
    INSERT INTO requests (model_id, state) SELECT id, 'done' FROM model;
    INSERT INTO kind VALUES ('closed', 'x'), ('active', 'y');
    INSERT INTO event
    SELECT gen_random_uuid()::text, '2020-05-01'::date + 200 * (n % 3), 'Closed'
    FROM generate_series(1, 30) AS n;
"""
STANDARD = """
[enum.Status]
values = ["ACTIVE", "CLOSED"]
[enum.Mood]
values = ["GLAD", "SAD"]
[enum.State]
values = ["NEW", "DONE"]
[table.model]
uuids = ["id", "parent"]
enums = {status = "Status", mood = "Mood"}
[table.requests]
name = "request"
uuids = ["model_id"]
enums = {state = "State"}
[table.kind]
enums = {Order = "Status"}
columns = {label = "title"}
[table.event]
uuids = ["id"]
enums = {status = "Status"}
"""


def test_it_goes_both_ways(journey: Journey) -> None:
    journey.there_and_back(SCHEMA, STANDARD)


class Status(SharedEnum):
    ACTIVE = "ACTIVE"
    CLOSED = "CLOSED"


@entity("task", old="task")
class Task:
    id: UUID = column(default_factory=uuid4)
    status: Status = Status.ACTIVE


TASKS = """
    CREATE TABLE task (
        id varchar(36) PRIMARY KEY, status text NOT NULL CHECK (status IN ('active', 'closed'))
    );
    GRANT ALL ON task TO PUBLIC;
"""
TASKS_STANDARD = """
[enum.Status]
values = ["ACTIVE", "CLOSED"]
[table.task]
uuids = ["id"]
enums = {status = "Status"}
"""


@pytest.fixture
def tasks(journey: Journey) -> Service:
    return journey.start(TASKS, TASKS_STANDARD)


@pytest.mark.parametrize(
    "standard",
    [
        'columns = {label = "title"}\n',
        'columns = {label = "title"}\nintegers = {n = [1, 2]}\n',
        'json.body.kind = "Kind"\n[enum.Kind]\nvalues = ["CHAT", "CALL"]\n',
    ],
    ids=["a column of another name", "that and a CHECK of integers", "a path of a document"],
)
def test_it_is_known_as_done_when_its_columns_keep_their_types(
    journey: Journey, standard: str
) -> None:
    service = journey.start(
        "CREATE TABLE kind (n integer PRIMARY KEY, label text, body jsonb);",
        f"[table.kind]\n{standard}",
    )
    where = ("--service", str(service.folder))

    def said(*arguments: str, code: int = 0) -> str:
        done = run_trueup(*arguments, *where, dsn=service.dsn)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout

    assert "tables: 1 old contract" in said("verify", code=1)
    for last in ("expand", "switch", "contract"):
        service.up(last)
        done = said("generate")
        assert said("check")
    assert "converted already, no files needed: public.kind" in done
    assert said("verify")
    service.down("online")
    assert "added: " not in said("generate")


def test_integers_that_are_checked_already_are_no_reason_to_refuse_it(journey: Journey) -> None:
    service = journey.start(
        "CREATE TABLE kind (n integer PRIMARY KEY CHECK (n IN (1, 2)));"
        "CREATE TABLE things (id varchar(36) PRIMARY KEY);",
        '[table.kind]\nintegers = {n = [1, 2]}\n[table.things]\nname = "thing"\nuuids = ["id"]\n',
    )
    service.up("contract")
    for verb in ("generate", "check", "verify"):
        done = run_trueup(verb, "--service", str(service.folder), dsn=service.dsn)
        assert done.returncode == 0, (verb, done.stdout, done.stderr)


def test_pyorm_follows_it_through_the_schemas(
    tasks: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the table in each phase, and never meets a view."""
    monkeypatch.setattr(contracts, "LOOK_AGAIN", 0.0)
    told: list[str] = []
    with psycopg.connect(tasks.dsn, autocommit=True) as connection:
        repository = Repository(
            Task, connection, contract="auto", on_query=lambda q: told.append(q.text)
        )

        def use(place: str, spelled: str) -> None:
            told.clear()
            task = repository.add(Task())
            assert repository.get(task.id) == task
            assert repository.update(task.id, status=Status.CLOSED).status is Status.CLOSED
            assert task.id in {t.id for t in repository.find(status=Status.CLOSED)}
            ((kind, status),) = connection.execute(
                f"SELECT c.relkind, t.status FROM {place} AS t"
                " JOIN pg_class AS c ON c.oid = t.tableoid WHERE t.id::text = %s",
                [str(task.id)],
            ).fetchall()
            assert (kind, status) == ("r", spelled)
            sent = [text for text in told if "pg_class" not in text]
            assert {"journey_new" in text for text in sent} == {"journey_new" in place}, sent

        use("public.task", "closed")
        for phase, place, spelled in (
            ("expand", "public.task", "closed"),
            ("enforce", "public.task", "closed"),
            ("switch", "journey_new.task", "CLOSED"),
            ("contract", "public.task", "CLOSED"),
        ):
            tasks.up(phase)
            use(place, spelled)
        tasks.down("online", "switch")
        use("journey_new.task", "CLOSED")
        tasks.down("online", "enforce")
        use("public.task", "closed")
        tasks.down("online")
        use("public.task", "closed")


def witnesses(connection: psycopg.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT witness, says FROM trueup.witnesses('public.task')")
    return {row[0]: row[1] for row in rows}


def test_contract_relies_on_the_counter_where_a_text_does_not_tell_which_contract_it_means(
    tasks: Service, since: Callable[[int], None]
) -> None:
    since(15)  # before, another process counts, half a second later
    tasks.up("switch")
    with psycopg.connect(tasks.dsn, autocommit=True) as client:
        client.execute(
            "CREATE FUNCTION of_either() RETURNS bigint LANGUAGE plpgsql"
            " AS 'BEGIN RETURN (SELECT count(*) FROM task); END'"
        )
        client.execute("SET search_path = journey_new, public")
        client.execute("SELECT of_either()")
        told = witnesses(client)
        assert told["definitions"].startswith("no view names it; of functions a text does not")
        assert told["counter"].startswith("no use")
        client.execute("SET search_path = public")
        client.execute("SELECT of_either()")
        told = witnesses(client)
        assert told["counter"].startswith("uses: 1")
    tasks.up("contract")
    assert query(tasks.dsn, "SELECT to_regnamespace('journey_new')") == [(None,)]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("CREATE SCHEMA journey_new", "was there before"),
        (
            "CREATE SCHEMA journey_new; GRANT CREATE ON SCHEMA journey_new TO PUBLIC;"
            " COMMENT ON SCHEMA journey_new"
            " IS 'trueup: the new contract of tables of public, until contract'",
            "PUBLIC could create in it",
        ),
    ],
)
def test_a_schema_of_somebody_else_is_refused(tasks: Service, statement: str, why: str) -> None:
    with psycopg.connect(tasks.dsn, autocommit=True) as connection:
        connection.execute(statement.encode())
    with pytest.raises(StatementError, match=f"schema journey_new: {why}"):
        tasks.up("expand")
    checked = run_trueup("check", "--service", str(tasks.folder), dsn=tasks.dsn)
    assert "journey_new" in checked.stdout, checked.stdout


def test_whoever_migrates_need_not_be_a_superuser(tasks: Service) -> None:
    """Who owns the tables may own what stands in the other schema, and create nothing there."""
    deploy, owner = (f"{name}_{uuid4().hex[:8]}" for name in ("deploy", "owner"))
    with psycopg.connect(tasks.dsn, autocommit=True) as admin:
        admin.execute(
            f"CREATE ROLE {deploy} LOGIN; CREATE ROLE {owner}; GRANT {owner} TO {deploy};"
            f" GRANT CREATE ON DATABASE {admin.info.dbname} TO {deploy};"
            f" GRANT CREATE ON SCHEMA public TO {deploy}, {owner};"
            f" ALTER DEFAULT PRIVILEGES FOR ROLE {deploy} GRANT ALL ON SCHEMAS TO PUBLIC;"
            f" ALTER TABLE task OWNER TO {owner}".encode()
        )
        service = Service(make_conninfo(tasks.dsn, user=deploy), tasks.folder)
        try:
            for phase, is_back in (("switch", False), ("contract", False), ("switch", True)):
                if is_back:
                    service.down("online", phase)
                else:
                    service.up(phase)
                found = admin.execute(
                    "SELECT has_schema_privilege(%s, n.oid, 'USAGE'),"
                    " has_schema_privilege(%s, n.oid, 'CREATE'), c.relowner::regrole::text"
                    " FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid"
                    " AND c.relname = 'task' WHERE n.nspname = 'journey_new'",
                    [owner, owner],
                ).fetchall()
                assert set(found) <= {(True, False, owner)}
            assert found
            service.down("online")
        finally:
            for role in (owner, deploy):
                admin.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER".encode())
                admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


# What each client sends all the time; the last one adds to a counter.
STATEMENTS = (
    "SELECT status FROM task WHERE id = %s",
    "INSERT INTO task (id, status) VALUES (%s, '{active}') ON CONFLICT (id) DO UPDATE"
    " SET status = excluded.status",
    "UPDATE task SET n = n + 1, status = '{closed}' WHERE id = %s",
)


def test_clients_of_both_contracts_notice_nothing_of_switch_and_contract(
    journey: Journey,
) -> None:
    service = journey.start(
        TASKS.replace(" CHECK", ", n int NOT NULL DEFAULT 0 CHECK"), TASKS_STANDARD
    )
    key, errors = uuid4(), list[BaseException]()
    added = {"old": 0, "new": 0}
    retired = {"old": threading.Event(), "new": threading.Event()}

    def work(side: str) -> None:
        values = {"active": "active", "closed": "closed"}
        if side == "new":
            values = {name: value.upper() for name, value in values.items()}
        path = "journey_new, public" if side == "new" else "public"
        try:
            with psycopg.connect(service.dsn, autocommit=True) as client:
                client.execute(
                    f"SET search_path = {path}; SET plan_cache_mode = force_generic_plan"
                )
                while not retired[side].is_set():
                    for statement in STATEMENTS:
                        client.execute(statement.format(**values), [str(key)], prepare=True)
                    added[side] += 1
        except BaseException as error:
            errors.append(error)

    service.up("enforce")
    threads = {side: threading.Thread(target=work, args=[side]) for side in retired}
    for thread in threads.values():
        thread.start()
    for _ in range(4):
        service.up("switch")
        service.down("online", "enforce")
    service.up("switch")
    retired["old"].set()
    threads["old"].join()
    service.up("contract")
    service.down("online", "switch")
    service.up("contract")
    retired["new"].set()
    threads["new"].join()
    assert not errors
    assert min(added.values()) > 4
    assert query(service.dsn, "SELECT n FROM task") == [(sum(added.values()),)]
