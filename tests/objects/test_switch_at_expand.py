"""The switch in expand: the old name is a view at once, and old clients never see a new column."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import pytest
from support.journey import Journey
from support.processes import eventually
from support.runs import query, run_trueup, run_yoyo, start_trueup
from support.variants import Service

from objects import test_same_name
from pyorm import Repository, SharedEnum, column, entity
from pyorm import contract as contracts

EARLY = 'switch = "expand"\n'
# A trigger that lists a converted column, a renamed one, an old value that is kept, row security.
SCHEMA = (
    test_same_name.SCHEMA
    + """
    CREATE TABLE logs (id serial PRIMARY KEY);
    CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO logs DEFAULT VALUES; RETURN NULL; END';
    CREATE TRIGGER logged AFTER UPDATE OF state ON requests FOR EACH ROW EXECUTE FUNCTION log();
    ALTER TABLE requests ADD note text, ENABLE ROW LEVEL SECURITY;
    CREATE POLICY done ON requests USING (state = 'done');
    GRANT SELECT (id, state) ON requests TO PUBLIC;
    """
)
STANDARD = EARLY + test_same_name.STANDARD.replace(
    'enums = {state = "State"}\n',
    'enums = {state = "State"}\nkeep_original = {state = "was"}\ncolumns = {note = "remark"}\n',
)


def test_it_goes_both_ways(journey: Journey, since: Callable[[int], None]) -> None:
    since(15)  # before, a view cannot keep row security
    journey.there_and_back(SCHEMA, STANDARD)


def test_expand_is_undone_as_it_was_found(journey: Journey) -> None:
    service = journey.start(test_same_name.SCHEMA, EARLY + test_same_name.STANDARD)
    before = service.state()
    for last in ("expand", "enforce"):
        service.up(last)
        service.down("online", "toolkit")
        (catalog, rows), (was, had) = service.state(), before
        tables = {name: r for name, r in catalog.relations.items() if name.schema == "public"}
        assert tables == {name: r for name, r in was.relations.items() if name.schema == "public"}
        assert {name: rows[name] for name in had} == had


def test_one_table_takes_its_unit_with_it_and_no_other(journey: Journey) -> None:
    service = journey.start(
        """
        CREATE TABLE plans (id varchar(36) PRIMARY KEY);
        CREATE TABLE tasks (id int PRIMARY KEY, plan_id varchar(36) REFERENCES plans);
        CREATE TABLE notes (id varchar(36) PRIMARY KEY);
        """,
        "".join(
            f'[table.{old}]\nname = "{old[:-1]}"\nuuids = ["{key}"]\n{more}'
            for old, key, more in (
                ("plans", "id", ""),
                ("tasks", "plan_id", EARLY),
                ("notes", "id", ""),
            )
        ),
    )
    views = "SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY 1"
    service.up("expand")
    assert query(service.dsn, views) == [("note",), ("plans",), ("tasks",)]
    service.up("switch")
    assert query(service.dsn, views) == [("notes",), ("plans",), ("tasks",)]
    service.up("contract")
    assert query(service.dsn, views) == []


class Status(SharedEnum):
    ACTIVE = "ACTIVE"
    CLOSED = "CLOSED"


@dataclass(frozen=True)
class Way:
    """A table that gets another name or keeps it."""

    standard: str
    new: str
    path: str

    def __str__(self) -> str:
        return self.new


TASKS = test_same_name.TASKS.replace(" CHECK", ", n int NOT NULL DEFAULT 0 CHECK")
TASKS_STANDARD = EARLY + test_same_name.TASKS_STANDARD
ANOTHER = Way(TASKS_STANDARD.replace("[table.task]", '[table.task]\nname = "job"'), "job", "public")
SAME = Way(TASKS_STANDARD, "task", "journey_new, public")
either_way = pytest.mark.parametrize("way", [ANOTHER, SAME], ids=str)

# What each client sends all the time; the last one adds to a counter.
STATEMENTS = (
    "SELECT * FROM {} WHERE id = %s",
    "INSERT INTO {} (id, status) VALUES (%s, '{active}') ON CONFLICT (id) DO UPDATE"
    " SET status = excluded.status",
    "UPDATE {} SET n = n + 1, status = '{closed}' WHERE id = %s",
)


class Crowd:
    """A client of one release in a thread, with prepared statements, until it is retired."""

    def __init__(self, service: Service, way: Way, key: UUID, *, new: bool, shown: str) -> None:
        self._dsn, self._way, self._key, self._new = service.dsn, way, key, new
        self._shown = shown
        self._retired, self.added, self.error = threading.Event(), 0, ""
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        case = str.upper if self._new else str.lower
        values = {"active": case("active"), "closed": case("closed")}
        name, path = (self._way.new, self._way.path) if self._new else ("task", "public")
        try:
            with psycopg.connect(self._dsn, autocommit=True) as client:
                client.execute(
                    f"SET search_path = {path}; SET plan_cache_mode = force_generic_plan"
                )
                while not self._retired.is_set():
                    for statement in STATEMENTS:
                        text = statement.replace("*", self._shown).format(name, **values)
                        client.execute(text, [str(self._key)], prepare=True)
                    self.added += 1
        except Exception as error:
            self.error = str(error)

    def retire(self) -> int:
        """Let it end; what it added."""
        self._retired.set()
        self._thread.join()
        assert not self.error
        assert self.added > 4
        return self.added


def _is_begun(dsn: str) -> bool:
    """Whether a backfill has committed a batch."""
    there = query(dsn, "SELECT to_regclass('trueup.progress') IS NOT NULL") == [(True,)]
    return there and bool(query(dsn, "SELECT FROM trueup.progress"))


def kill_within(service: Service, phase: str) -> None:
    """A run that is killed as soon as it has begun to fill rows."""
    arguments = ("apply", "--service", str(service.folder), "--to", phase)
    with start_trueup(*arguments, dsn=service.dsn) as process:
        eventually(lambda: process.poll() is not None or _is_begun(service.dsn))
        process.kill()


@either_way
def test_clients_of_both_contracts_notice_nothing(journey: Journey, way: Way) -> None:
    service = journey.start(TASKS, way.standard)
    with psycopg.connect(service.dsn, autocommit=True) as client:
        client.execute(
            "INSERT INTO task SELECT gen_random_uuid(), 'active' FROM generate_series(1, 20000)"
        )
    key = uuid4()
    old = Crowd(service, way, key, new=False, shown="*")
    for last in ("expand", "backfill", "enforce"):
        service.up(last)
    for last in ("backfill", "expand", "toolkit"):
        service.down("online", last)
    kill_within(service, "enforce")
    service.up("enforce")
    new = Crowd(service, way, key, new=True, shown="id, status, n")
    service.down("online", "enforce")
    added = old.retire()
    service.up("contract")
    service.down("online", "enforce")
    # What contract's rollback does not bring back, the order of columns, shows from here on.
    old = Crowd(service, way, key, new=False, shown="id, status, n")
    added += new.retire()
    for last in ("backfill", "expand", "toolkit"):
        service.down("online", last)
    added += old.retire()
    assert query(service.dsn, "SELECT n FROM task WHERE id::text = %s", str(key)) == [(added,)]


def test_plain_yoyo_goes_the_same_way(journey: Journey) -> None:
    service = journey.start(TASKS, ANOTHER.standard)
    sources = [str(service.folder / name) for name in ("common", "online")]
    tables = service.rows()
    with psycopg.connect(service.dsn, autocommit=True) as client:
        client.execute("PREPARE p AS SELECT * FROM task")
        run_yoyo("apply", *sources, dsn=service.dsn)
        assert client.execute("EXECUTE p").fetchall() == []
        client.execute("INSERT INTO task (id, status) VALUES (gen_random_uuid(), 'active')")
        assert query(service.dsn, "SELECT status FROM job") == [("ACTIVE",)]
        client.execute("DELETE FROM task")
        run_yoyo("rollback", "--all", *sources, dsn=service.dsn)
        assert client.execute("EXECUTE p").fetchall() == []
    assert service.rows() == tables


@pytest.mark.parametrize("kind", ["uuid and enum", "a column that may be null"])
def test_pyorm_uses_the_old_view_until_enforce_is_done(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(contracts, "LOOK_AGAIN", 0.0)
    if kind == "uuid and enum":

        @entity("job", old="task")
        class Job:
            id: UUID = column(default_factory=uuid4)
            status: Status = Status.ACTIVE

        service = journey.start(TASKS, ANOTHER.standard)
    else:

        @entity("job", old="task")
        class Job:  # type: ignore[no-redef]
            id: int
            owner: UUID | None = None

        service = journey.start(
            "CREATE TABLE task (id int PRIMARY KEY, owner varchar(36))",
            EARLY + '[table.task]\nname = "job"\nuuids = ["owner"]\n',
        )
    told: list[str] = []
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        repository = Repository(
            Job, connection, contract="auto", on_query=lambda q: told.append(q.text)
        )
        for phase, table in (
            ("expand", "task"),
            ("backfill", "task"),
            ("enforce", "job"),
            ("contract", "job"),
        ):
            service.up(phase)
            told.clear()
            assert repository.find() == []
            assert told[-1].split(" FROM ")[1].split()[0].strip('"') == table, (phase, told)


def test_each_verb_knows_the_order(journey: Journey) -> None:
    rows = "INSERT INTO task SELECT gen_random_uuid(), 'active' FROM generate_series(1, 9)"
    service = journey.start(TASKS + rows, ANOTHER.standard)

    def said(*arguments: str, code: int = 0) -> str:
        done = run_trueup(*arguments, "--service", str(service.folder), dsn=service.dsn)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    service.up("expand")
    assert "left: 1 for backfill, 6 for enforce, 7 for contract" in said("verify", code=6)
    assert said("status").endswith("expand is done, next: trueup apply\n")
    assert "converted already, no files needed: public.job" in said("generate")
    assert "applied: 4 files" in said("apply", "--to", "switch")
    assert "left: 8 for contract" in said("verify", code=6)
    assert said("status").endswith("enforce is done, next: trueup apply --to contract\n")
    found = said("rehearse", "--rows", "9", "--output", str(service.folder / "certificate.json"))
    assert "passed: up, down, up and down" in found
