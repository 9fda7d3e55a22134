"""What somebody adds to a table, or takes off it, while it is on its way: named, never dropped."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.journey import Journey
from support.runs import query
from support.variants import Service

from runner.errors import StatementError

SCHEMA = """
    CREATE TABLE things (
        id varchar(36) PRIMARY KEY,
        status varchar(20) NOT NULL DEFAULT 'open',
        n integer,
        m integer,
        note text
    );
    CREATE INDEX things_n_idx ON things (n);
    CREATE INDEX things_status_idx ON things (status);
    INSERT INTO things (id, n, m) SELECT gen_random_uuid(), n, n FROM generate_series(1, 20) AS n;
    CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
"""
STANDARD = """
    [enum.Status]
    values = ["OPEN", "DONE"]
    [table.things]
    name = "thing"
    uuids = ["id"]
    enums = { status = "Status" }
"""

# By what the file calls it, the statement that adds it; {} is the column `status` on the old side.
ADDED = {
    "index late_1 USING btree ({})": 'CREATE INDEX late_1 ON {table} ("{}")',
    "unique index late_2 USING btree ({}, id)": 'CREATE UNIQUE INDEX late_2 ON {table} ("{}", id)',
    "index late_3 USING btree (n) WHERE": "CREATE INDEX late_3 ON {table} (n)"
    " WHERE \"{}\" <> 'done'",
    "unique late_4 (n, {})": 'ALTER TABLE {table} ADD CONSTRAINT late_4 UNIQUE (n, "{}")',
    "check late_5 (n, {})": "ALTER TABLE {table}"
    " ADD CONSTRAINT late_5 CHECK (n > 0 OR \"{}\" <> 'x')",
    "index late_6 USING btree (note)": "CREATE INDEX late_6 ON {table} (note)",
    "statistics late": 'CREATE STATISTICS late ON n, "{}" FROM {table}',
    "policy late": "CREATE POLICY late ON {table} USING (true)",
    "row level security": "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "rule late": "CREATE RULE late AS ON DELETE TO {table} DO ALSO NOTHING",
    "trigger late": "CREATE TRIGGER late BEFORE DELETE ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION stamp()",
    "trigger zz_trueup_late": "CREATE TRIGGER zz_trueup_late BEFORE INSERT ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION stamp()",
    "inheritance": "CREATE TABLE late_child () INHERITS ({table})",
    "view public.late": 'CREATE VIEW late AS SELECT "{}" FROM {table}',
    "column late": "ALTER TABLE {table} ADD COLUMN late text",
    "column n DEFAULT": "ALTER TABLE {table} ALTER COLUMN n SET DEFAULT 0",
    "column m NOT NULL": "ALTER TABLE {table} ALTER COLUMN m SET NOT NULL",
    "publication late": "CREATE PUBLICATION late FOR TABLE {table}",
    "publication late_15": "CREATE PUBLICATION late_15 FOR TABLES IN SCHEMA public",
}

SECURED = {"policy late", "row level security"}


@pytest.fixture
def service(journey: Journey) -> Service:
    """Things at the old contract."""
    return journey.start(SCHEMA, STANDARD)


def add_everything(service: Service, table: str, column: str) -> set[str]:
    """Add all of it to a table, and return what a file calls it."""
    found = set()
    ((version,),) = query(service.dsn, "SELECT current_setting('server_version_num')::integer")
    for what, statement in ADDED.items():
        if what.endswith("_15") and version < 150000:
            continue
        query(service.dsn, statement.replace("{table}", table).replace("{}", column))
        called = what.replace("{}", column)
        name, _, columns = called.partition(" (")
        in_order = f"{name} ({', '.join(sorted(columns[:-1].split(', ')))})"
        found.add(in_order if columns and "USING" not in called else called)
    return found


def unknown(error: StatementError) -> set[str]:
    """What a refused file did not know."""
    return set(re.findall(r"unknown here: (.+?WHERE|.+)", str(error)))


@pytest.mark.parametrize(
    ("reached", "wanted", "table", "column"),
    [
        (None, "expand", "things", "status"),
        ("enforce", "switch", "things", "status"),
        ("switch", "contract", "thing", "status__old"),
        (None, "window", "things", "status"),
    ],
)
def test_what_was_added_stops_the_next_file_that_changes_the_table(
    service: Service, reached: str | None, wanted: str, table: str, column: str
) -> None:
    if reached:
        service.up(reached)
    added = add_everything(service, table, column)
    with pytest.raises(StatementError, match="is not as this file was written for") as caught:
        service.up(wanted)
    assert unknown(caught.value) == added


@pytest.mark.parametrize(
    ("reached", "strategy", "table", "column"),
    [
        ("expand", "online", "things", "status__new"),
        ("switch", "online", "thing", "status"),
        ("contract", "online", "thing", "status"),
        ("window", "window", "thing", "status"),
    ],
)
def test_what_was_added_stops_the_way_back(
    service: Service, reached: str, strategy: str, table: str, column: str
) -> None:
    service.up(reached)
    added = add_everything(service, table, column)
    if reached in ("expand", "switch"):
        added -= SECURED  # It stays.
    with pytest.raises(StatementError, match="is not as this file was written for") as caught:
        service.down(strategy)
    assert unknown(caught.value) == added


@pytest.mark.parametrize(("reached", "table"), [("enforce", "things"), ("switch", "thing")])
def test_row_security_that_comes_meanwhile_holds_for_both_contracts_and_stays_on_the_way_back(
    service: Service, roles: None, since: Callable[[int], None], reached: str, table: str
) -> None:
    since(15)

    def seen(name: str, role: str = "object_app") -> list[tuple[int]]:
        dsn = make_conninfo(service.dsn, options=f"-c role={role}")
        return query(dsn, f"SELECT count(*) FROM {name}")

    query(service.dsn, "GRANT SELECT ON things TO object_app")
    service.up(reached)
    view = "thing" if reached == "enforce" else "things"
    query(service.dsn, f"GRANT SELECT ON {view} TO object_report")
    secure = "CREATE POLICY own ON {0} USING (n = 1); ALTER TABLE {0} ENABLE ROW LEVEL SECURITY"
    query(service.dsn, secure.format(table))
    with pytest.raises(StatementError, match="unknown here: row level security") as refused:
        service.up("switch" if reached == "enforce" else "contract")
    assert "roll back to the baseline" in str(refused.value)
    # The run has let the other contract's view follow.
    assert [seen("things"), seen("thing")] == [[(1,)], [(1,)]]
    assert seen(view, "object_report") == [(1,)]  # who has rights on that alone, too
    if reached == "switch":
        service.down("online", "enforce")
        assert [seen("things"), seen("thing")] == [[(1,)], [(1,)]]
    service.down("online")
    assert seen("things") == [(1,)]


def test_what_stands_on_a_column_that_is_about_to_go_is_named_after_the_old_name_went(
    service: Service,
) -> None:
    service.up("switch")
    closed = min(m.id for m in service.migrations("online") if "_contract_" in m.id)
    service.apply("online", closed)
    query(service.dsn, "ALTER TABLE thing ADD CONSTRAINT late UNIQUE (n, status__old)")
    with pytest.raises(StatementError, match="unknown here: unique late"):
        service.up("contract")


def test_what_was_taken_off_is_named(service: Service) -> None:
    service.up("enforce")
    query(service.dsn, "DROP INDEX things_n_idx")
    with pytest.raises(StatementError, match=r"missing: index things_n_idx USING btree \(n\)"):
        service.up("switch")
    query(service.dsn, "CREATE INDEX things_n_idx ON things (n)")
    service.up("contract")


@pytest.mark.parametrize(
    ("reached", "wanted", "name", "made"),
    [
        (None, "expand", "things_n_idx", "ON things ((n + 1))"),
        ("enforce", "switch", "things_n_idx", "ON things (n DESC)"),
        ("switch", "contract", "things_n_idx", "ON thing (n) WHERE n > 0"),
        (None, "window", "things_n_idx", "ON things USING hash (n)"),
        (None, "expand", "things_status_idx", "ON things (status, n)"),
        ("enforce", "switch", "thing_status_idx", "ON things (status__new) INCLUDE (n)"),
        ("switch", "contract", "things_status_idx", "ON thing (status__old DESC)"),
    ],
)
def test_another_index_of_the_same_name_stops_the_next_file(
    service: Service, reached: str | None, wanted: str, name: str, made: str
) -> None:
    if reached:
        service.up(reached)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(f"DROP INDEX {name}; CREATE INDEX {name} {made}".encode())
    with pytest.raises(StatementError, match=f"unknown here: index {name} USING"):
        service.up(wanted)


def test_an_index_that_only_prints_another_text_stops_no_file(journey: Journey) -> None:
    """As after a dump and its restore, or on a server with other keywords."""
    service = journey.start(
        """
        CREATE TABLE things (
            id varchar(36) PRIMARY KEY, status varchar(20) NOT NULL, label varchar(9),
            "end" integer, "a, ""(b WHERE " varchar(9)
        );
        CREATE INDEX things_open_idx ON things (("end" + 1), status)
            WHERE status IN ('open', 'done');
        CREATE INDEX things_label_idx ON things (label DESC, "end") WHERE label IN ('a', 'b');
        CREATE INDEX things_in_idx ON things ((label IN ('a', 'b')), ("end" + 1));
        CREATE INDEX things_odd_idx ON things ("a, ""(b WHERE " COLLATE "C" DESC, lower(label))
            INCLUDE (status) WITH (fillfactor = 90);
        CREATE UNIQUE INDEX things_c_idx ON things (id, "a, ""(b WHERE " COLLATE "C")
            INCLUDE (label, "a, ""(b WHERE ") WITH (fillfactor = 90);
        CREATE INDEX things_status_idx ON things (status, "end") WITH (fillfactor = 90);
        """,
        STANDARD,
    )

    def restore() -> None:
        with psycopg.connect(service.dsn, autocommit=True) as connection:
            for name, made in connection.execute(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
                " AND (indexdef LIKE '%WHERE (%' OR indexdef LIKE '%ARRAY%')"
            ).fetchall():
                connection.execute(f"DROP INDEX {name}; {made}".encode())
            for (name,) in connection.execute(
                "SELECT indexname FROM pg_indexes WHERE indexname LIKE '%status_idx'"
            ).fetchall():
                connection.execute(f"ALTER INDEX {name} SET (fillfactor = 80)".encode())

    for phase in ("expand", "enforce", "switch", "contract"):
        restore()
        service.up(phase)
    restore()
    service.down("online")
    restore()
    service.up("window")


def test_an_index_that_was_left_invalid_is_no_index(service: Service) -> None:
    service.up("enforce")
    query(
        service.dsn,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'things_n_idx'::regclass",
    )
    with pytest.raises(StatementError, match="unknown here: invalid index things_n_idx USING"):
        service.up("switch")


def test_a_rollback_that_was_broken_off_can_go_forward_again(service: Service) -> None:
    service.up("contract")
    last = max(m.id for m in service.migrations("online") if "_contract_" in m.id)
    service.down("online", last)
    service.up("contract")
    service.down("online")


def test_what_one_partition_alone_got_stops_the_next_file(journey: Journey) -> None:
    service = journey.start(
        """
        CREATE TABLE events (
            id varchar(36) NOT NULL, day date NOT NULL, note text, PRIMARY KEY (id, day)
        ) PARTITION BY RANGE (day);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
        CREATE TABLE events_2 PARTITION OF events DEFAULT;
        """,
        '[table.events]\nname = "event"\nuuids = ["id"]\n',
    )
    for column, phase in (("id", "expand"), ("id__new", "switch"), ("id__old", "contract")):
        for name, made in (
            ("index late", f"CREATE INDEX late ON events_1 ({column})"),
            (
                "constraint late",
                f"ALTER TABLE events_1 ADD CONSTRAINT late CHECK ({column} IS NOT NULL)",
            ),
            ("statistics late", f"CREATE STATISTICS late ON {column}, note FROM events_1"),
        ):
            with psycopg.connect(service.dsn) as connection:
                connection.execute(made.encode())
            with pytest.raises(StatementError, match=f"events_1: {name}"):
                service.up(phase)
            kind = name.partition(" ")[0]
            drop = (
                "ALTER TABLE events_1 DROP CONSTRAINT" if kind == "constraint" else f"DROP {kind}"
            )
            with psycopg.connect(service.dsn) as connection:
                connection.execute(f"{drop} late".encode())
        if phase == "expand":
            query(service.dsn, "CREATE INDEX ON events_1 (note)")
        service.up({"expand": "enforce"}.get(phase, phase))
    service.down("online")
    service.up("window")
