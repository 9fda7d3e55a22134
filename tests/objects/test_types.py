"""Columns whose type does not fit what the standard wants of them, and CHECKs of integers."""

from __future__ import annotations

import psycopg
import pytest
from support.journey import Journey
from support.runs import query

from objects.things import ENUM, PARTS, STANDARD, things
from runner.errors import StatementError
from runner.preflight import check
from runner.standard import load_standard

THING = '[table.things]\nname = "thing"\n'

# The column, what the standard wants of it, and what is said of it.
MISFITS = {
    "an integer as a uuid": ("n integer", 'uuids = ["n"]', "integer, which cannot become uuid"),
    "an array as a uuid": ("n text[]", 'uuids = ["n"]', "text[], which cannot become uuid"),
    "a boolean as a uuid": ("n boolean", 'uuids = ["n"]', "boolean, which cannot become uuid"),
    "an integer as an enum": (
        "n integer NOT NULL DEFAULT 1",
        'enums.n = "Status"',
        "integer, which holds no words of an enum",
    ),
    "a date as an enum": ("n date", 'enums.n = "Status"', "date, which holds no words of an enum"),
    "a domain over an integer as an enum": (
        "n level",
        'enums.n = "Status"',
        "public.level, which holds no words of an enum",
    ),
    "a text as an integer": ("n text", "integers.n = [1]", "text, and integers are wanted"),
    "a text with a CHECK as an integer": (
        "n text CHECK (n <> '')",
        "integers.n = [1]",
        "text, and integers are wanted",
    ),
}


@pytest.mark.parametrize(("column", "entry", "reason"), MISFITS.values(), ids=MISFITS)
def test_a_column_of_another_type_is_refused(
    journey: Journey, column: str, entry: str, reason: str
) -> None:
    schema = f"CREATE DOMAIN level AS integer CHECK (VALUE > 0); {things(column)}"
    journey.stopped(schema, ENUM + THING + entry, f"public.things.n is {reason}")


UUID_DEFAULTS = {
    "gen_random_uuid()": "gen_random_uuid()",
    "upper(replace(gen_random_uuid()::text, '-', ''))": "gen_random_uuid()",
    "md5(random()::text || clock_timestamp()::text)": (
        "(md5(((random())::text || (clock_timestamp())::text)))::uuid"
    ),
    "uuid_in(md5(random()::text)::cstring)": "uuid_in((md5((random())::text))::cstring)",
    "(substr(md5('a') || md5('b'), 1, 32)::uuid)::text": (
        "(substr((md5('a'::text) || md5('b'::text)), 1, 32))::uuid"
    ),
    "'0A0B0C0D00004000800000000000000F'": "'0a0b0c0d-0000-4000-8000-00000000000f'::uuid",
}


@pytest.mark.parametrize(("default", "new"), UUID_DEFAULTS.items(), ids=UUID_DEFAULTS)
def test_a_default_that_gives_uuids_comes_through(journey: Journey, default: str, new: str) -> None:
    schema = things(f"owner_id varchar(36) NOT NULL DEFAULT {default}")
    standard = STANDARD.replace('["id"]', '["id", "owner_id"]')
    journey.there_and_back(schema, standard)
    service = journey.start(schema, standard)
    found = "SELECT column_default FROM information_schema.columns WHERE table_name = 'thing'"
    for phase, same, table in (
        ("enforce", "owner_id__new = owner_id::uuid", "things"),
        ("switch", "owner_id = owner_id__old::uuid", "thing"),
    ):
        service.up(phase)
        query(service.dsn, "INSERT INTO public.things (status) VALUES ('open')")
        query(service.dsn, "INSERT INTO public.thing (status) VALUES ('OPEN')")
        assert query(service.dsn, f"SELECT bool_and({same}) FROM public.{table}") == [(True,)]
        assert query(service.dsn, f"{found} AND column_name = 'owner_id'") == [(new,)]


@pytest.mark.parametrize(
    "default",
    ["ARRAY['open', 'closed']", "ARRAY[]::varchar(20)[]", "'{open}'", "ARRAY['open']::text[]"],
)
@pytest.mark.parametrize("kind", ["text[]", "varchar(20)[]"])
def test_a_constant_array_as_a_default_comes_through(
    journey: Journey, kind: str, default: str
) -> None:
    schema = things(f"states {kind} NOT NULL DEFAULT {default}")
    journey.there_and_back(schema, STANDARD + 'enums.states = "Status"')


@pytest.mark.parametrize("default", ["'x'", "lower('x')", "md5('a') || md5('b')", "'n' || id_of()"])
def test_a_default_that_may_give_no_uuid_is_refused(journey: Journey, default: str) -> None:
    schema = f"""
        CREATE FUNCTION id_of() RETURNS text LANGUAGE sql AS 'SELECT $$x$$';
        {things(f"owner_id text DEFAULT {default}")}
    """
    standard = STANDARD.replace('["id"]', '["id", "owner_id"]')
    journey.stopped(schema, standard, "only one that calls a function for a new uuid")


@pytest.mark.parametrize(
    "standard",
    [THING + "integers.n = [1, 2, 3]", STANDARD + "integers.n = [1, 2, 3]"],
    ids=["alone", "beside converted columns"],
)
@pytest.mark.parametrize("kind", ["smallint", "integer", "bigint"])
def test_a_check_of_integers_comes_through(journey: Journey, kind: str, standard: str) -> None:
    journey.there_and_back(things(f"n {kind} NOT NULL DEFAULT 1"), standard)


def test_a_check_of_integers_comes_through_on_partitions(journey: Journey) -> None:
    schema = """
        CREATE TABLE things (day integer NOT NULL, n integer) PARTITION BY RANGE (day);
        CREATE TABLE things_1 PARTITION OF things FOR VALUES FROM (1) TO (10);
        INSERT INTO things VALUES (1, 1), (2, 2);
    """
    journey.there_and_back(schema, THING + "integers.n = [1, 2, 3]")


@pytest.mark.parametrize("strategy", ["online", "window"])
@pytest.mark.parametrize("standard", [THING, STANDARD], ids=["alone", "beside converted columns"])
def test_an_integer_that_is_not_listed_is_found_before_anything_changes(
    journey: Journey, standard: str, strategy: str
) -> None:
    service = journey.start(things("n integer DEFAULT 7"), standard + "integers.n = [1, 2]")
    before = service.state()
    with pytest.raises(StatementError, match="would break the CHECK thing_n_check") as refusal:
        service.up("enforce" if strategy == "online" else "window")
    assert "_check_thing.sql" in str(refusal.value)
    service.down(strategy)
    assert service.state() == before


def test_an_integer_that_an_old_client_writes_meanwhile_is_found(journey: Journey) -> None:
    service = journey.start(things("n integer DEFAULT 1"), THING + "integers.n = [1, 2]")
    [checked] = [m.id for m in service.migrations("online") if m.id.endswith("_check_thing")]
    service.up(checked)
    _run(service.dsn, "UPDATE things SET n = 9")
    with pytest.raises(StatementError, match=r'"thing_n_check".* is violated by some row'):
        service.up("enforce")
    _run(service.dsn, "UPDATE things SET n = 2")
    with pytest.raises(psycopg.errors.CheckViolation, match="thing_n_check"):
        _run(service.dsn, "UPDATE things SET n = 9")
    service.up("enforce")


HEX = """
    CREATE TABLE things (id {1} PRIMARY KEY, status varchar(20) NOT NULL DEFAULT 'open');
    CREATE TABLE parts (id {0} PRIMARY KEY, thing_id {0} REFERENCES things);
    INSERT INTO things SELECT md5(n::text) FROM generate_series(1, 20) AS n;
    UPDATE things SET id = upper(id) WHERE id < '8';
    INSERT INTO parts SELECT md5(id), id FROM things;
"""


# Of the column, and of the key that it refers to.
KINDS = [
    ("char(32)", "char(32)"),
    ("varchar(32)", "varchar(32)"),
    ("char(32)", "varchar(36)"),
    ("varchar(35)", "text"),
]


@pytest.mark.parametrize(("kind", "key"), [*KINDS, ("text", "char(32)"), ("text", "text")])
def test_uuids_of_32_digits_come_through(journey: Journey, kind: str, key: str) -> None:
    journey.there_and_back(HEX.format(kind, key), STANDARD + PARTS)


@pytest.mark.parametrize(("kind", "key"), KINDS)
def test_a_column_of_32_digits_takes_what_a_new_client_writes(
    journey: Journey, kind: str, key: str
) -> None:
    service = journey.start(HEX.format(kind, key), STANDARD + PARTS)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        known = check(connection, load_standard(journey.folder / "standard.toml"))
        assert known.ready, known.stops
        assert not [f for f in known.findings if "32 hexadecimal" in f.problem]
    service.up("enforce")
    new = "0c0ffee0-0000-4000-8000-00000000000a"
    _run(service.dsn, f"INSERT INTO thing (id, status) VALUES ('{new}', 'OPEN')")
    _run(service.dsn, f"INSERT INTO part (id, thing_id) VALUES ('{new}', '{new}')")
    assert query(service.dsn, "SELECT id, thing_id FROM parts WHERE thing_id ~ '^0c0f'") == [
        (new.replace("-", ""), new.replace("-", ""))
    ]
    joined = (
        "SELECT t.id FROM things AS t JOIN parts AS p ON p.thing_id = t.id WHERE t.id ~ '^0c0f'"
    )
    assert query(service.dsn, joined) == [(new.replace("-", ""),)]
    service.up("contract")
    service.down("online")
    assert query(service.dsn, joined) == [(new.replace("-", ""),)]


def test_a_column_that_is_too_short_for_a_uuid_is_refused(journey: Journey) -> None:
    schema = "CREATE TABLE things (id varchar(31) PRIMARY KEY, status varchar(20));"
    journey.stopped(schema, STANDARD, "public.things.id is varchar(31), too short for a uuid")


def _run(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(statement.encode())
