"""Enum values that stand inside JSON columns."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest
from support.journey import Journey, assert_same

from runner.errors import StandardError, StatementError
from runner.preflight import Finding, Severity, check
from runner.standard import load_standard
from runner.verify import Distance, verify

STANDARD = """
[enum.Kind]
values = ["CHAT", "EMBEDDING"]
map = { TALK = "CHAT" }
back = { CHAT = "chat" }

[enum.Level]
values = ["LOW", "HIGH"]

[table.calls]
name = "call"
uuids = ["id"]
json.body.kind = "Kind"
json.body.limits.level = "Level"
"""

DOCUMENTS = (
    '{"kind": "chat"}',
    '{"kind":"Embedding",  "b": 1, "a": 1.50}',
    '{"b": {"kind": "other"}, "kind": "TALK", "kind": "talk", "limits": {"level": "Low"}}',
    '{"limits": {"level": "HIGH", "kind": "other"}, "kind": null}',
    '{"limits": {"level": null}}',
    '{"limits": "low"}',
    '{"limits": ["low"]}',
    "{}",
    "[]",
    '["kind"]',
    '"chat"',
    "null",
    "7",
)


def calls(kind: str, *more: str, then: str = "", key: str = "id varchar(36) PRIMARY KEY") -> str:
    """SQL for the table calls, one row for each document and one without."""
    columns = ", ".join((key, f"body {kind}", *more))
    rows = ", ".join(f"(gen_random_uuid(), '{d}')" for d in DOCUMENTS)
    return f"""
        CREATE TABLE calls ({columns});
        INSERT INTO calls (id, body) VALUES {rows}, (upper(gen_random_uuid()::text), NULL);
        {then}
    """


SCHEMAS = {
    "json": calls("json"),
    "jsonb": calls("jsonb"),
    "with a default": calls('jsonb DEFAULT \'{"kind": "talk", "n": 1.5}\''),
    "json with a default, not null": calls('json NOT NULL DEFAULT \'{"kind":"chat"}\'').replace(
        ", (upper(gen_random_uuid()::text), NULL)", ""
    ),
    "indexes": calls(
        "jsonb",
        then="""
            CREATE INDEX ON calls USING gin (body);
            CREATE INDEX ON calls USING gin (body jsonb_path_ops);
            CREATE INDEX ON calls ((body ->> 'kind'));
            CREATE UNIQUE INDEX ON calls (id, (body #>> '{limits,level}'));
        """,
    ),
    "a check and storage": calls(
        "jsonb CHECK (jsonb_typeof(body) <> 'boolean')",
        then="""
            ALTER TABLE calls ALTER body SET STORAGE EXTERNAL;
            COMMENT ON COLUMN calls.body IS 'b';
        """,
    ),
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_json_column_comes_through(journey: Journey, schema: str) -> None:
    journey.there_and_back(schema, STANDARD)


def test_one_path_that_no_other_column_is_converted_with(journey: Journey) -> None:
    standard = STANDARD.replace('uuids = ["id"]\n', "").replace("json.body.limits", "# json")
    journey.there_and_back(calls("json", key="id text PRIMARY KEY"), standard)


def test_without_a_key_only_what_can_be_derived_is_converted(journey: Journey) -> None:
    schema = """
        CREATE TABLE calls (id varchar(36), body jsonb);
        INSERT INTO calls VALUES (gen_random_uuid(), '{"kind": "chat", "a": "A"}'), (NULL, '{}');
    """
    journey.there_and_back(schema, STANDARD)
    service = journey.start(schema.replace('"chat"', '"Chat"'), STANDARD)
    with pytest.raises(StatementError, match="no primary key"):
        service.up("window")


def test_odd_names_and_keys(journey: Journey) -> None:
    schema = """
        CREATE TABLE calls (id varchar(36) PRIMARY KEY, "the.Body {}" jsonb);
        INSERT INTO calls VALUES (
            gen_random_uuid(),
            jsonb_build_object('a.b', jsonb_build_object($q$it's "{}" $$ \\ %s$q$, 'Low'))
        );
    """
    standard = (
        STANDARD.replace(
            "json.body.kind", """json."the.Body {}"."a.b"."it's \\"{}\\" $$ \\\\ %s" """
        )
        .replace('json.body.limits.level = "Level"', "")
        .replace('= "Kind"', '= "Level"')
    )
    journey.there_and_back(schema, standard)
    service = journey.start(schema, standard)
    service.up("window")
    with psycopg.connect(service.dsn) as connection:
        row = connection.execute('SELECT "the.Body {}"::text FROM call').fetchone()
    assert row
    assert json.loads(row[0]) == {"a.b": {'it\'s "{}" $$ \\ %s': "LOW"}}


@pytest.fixture(params=["json-enforce", "jsonb-enforce", "jsonb-switch"])
def both(request: pytest.FixtureRequest, journey: Journey) -> Iterator[psycopg.Connection]:
    """A connection while both contracts live: before the switch and after it."""
    kind, phase = request.param.split("-")
    service = journey.start(calls(kind), STANDARD)
    service.up(phase)
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        yield connection


def test_each_contract_sees_what_the_other_writes(both: psycopg.Connection) -> None:
    def value(query: str) -> object:
        row = both.execute(query).fetchone()
        return row and row[0]

    both.execute("DELETE FROM call")
    both.execute(
        "INSERT INTO calls VALUES (gen_random_uuid(), %s)",
        ['{"kind":"Talk", "limits":{"level":"low"}}'],
    )
    assert value("SELECT body FROM call") == {"kind": "CHAT", "limits": {"level": "LOW"}}
    assert value("SELECT body ->> 'kind' FROM calls") == "Talk"
    both.execute('UPDATE call SET body = \'{"kind": "EMBEDDING"}\'')
    assert value("SELECT body FROM calls") == {"kind": "embedding"}
    both.execute('UPDATE calls SET body = \'{"kind": "talk", "x": "y"}\'')
    assert value("SELECT body FROM call") == {"kind": "CHAT", "x": "y"}
    # What the new contract did not change keeps its spelling.
    both.execute('UPDATE call SET body = \'{"kind": "CHAT", "x": "z"}\'')
    assert value("SELECT body FROM calls") == {"kind": "talk", "x": "z"}
    both.execute('UPDATE call SET body = \'{"kind": "EMBEDDING", "x": "z"}\'')
    both.execute('UPDATE call SET body = \'{"kind": "CHAT", "x": "z"}\'')
    assert value("SELECT body FROM calls") == {"kind": "chat", "x": "z"}
    both.execute("DELETE FROM calls")
    both.execute('INSERT INTO call (id, body) VALUES (gen_random_uuid(), \'{"kind": "CHAT"}\')')
    assert value("SELECT body FROM calls") == {"kind": "chat"}
    both.execute("UPDATE call SET body = NULL")
    assert value("SELECT body FROM calls") is None


@pytest.mark.parametrize(
    "document",
    ['{"kind": "chat"}', '{"kind": "NONE"}', '{"kind": 7}', '{"kind": ["CHAT"]}', '{"kind": {}}'],
)
def test_the_new_contract_is_held_to_the_values(both: psycopg.Connection, document: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="call_body_kind_check"):
        both.execute("INSERT INTO call (id, body) VALUES (gen_random_uuid(), %s)", [document])


@pytest.mark.parametrize("kind", ["json", "jsonb"])
@pytest.mark.parametrize("strategy", ["expand", "window"])
@pytest.mark.parametrize("document", ['{"kind": "phone"}', '{"kind": true}', '{"kind": ["chat"]}'])
def test_unknown_values_are_refused_before_anything_changes(
    journey: Journey, kind: str, strategy: str, document: str
) -> None:
    schema = calls(kind, then=f"INSERT INTO calls VALUES (gen_random_uuid(), '{document}');")
    service = journey.start(schema, STANDARD)
    before = service.state("public")
    with pytest.raises(StatementError, match="holds values at kind that are not one of") as error:
        service.up(strategy)
    assert_same(before, service.state("public"), "refused")
    with psycopg.connect(service.dsn) as connection:
        query = str(error.value.hint).partition("See them with: ")[2].partition(";")[0]
        assert connection.execute(query.encode()).rowcount == 1
    stopping = findings(journey, service.dsn, Severity.STOPS)
    assert [f.object for f in stopping] == ["public.calls.body.kind"]
    assert stopping[0].rows == 1
    with psycopg.connect(service.dsn) as connection:
        assert connection.execute((stopping[0].sql or "").encode()).rowcount == 1


def findings(journey: Journey, dsn: str, severity: Severity) -> list[Finding]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        report = check(connection, load_standard(journey.folder / "standard.toml"))
    return [f for f in report.findings if f.severity is severity]


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_check_tells_which_values_cannot_be_given_back(journey: Journey, kind: str) -> None:
    service = journey.start(calls(kind), STANDARD)
    assert not findings(journey, service.dsn, Severity.STOPS)
    known = {f.object: f for f in findings(journey, service.dsn, Severity.KNOW)}
    kinds = known["public.calls.body.kind"]
    assert {s.value for s in kinds.samples} == {"Embedding", "talk"}
    assert kinds.rows == 2
    assert known["public.calls.body.limits.level"].rows == 2
    with psycopg.connect(service.dsn) as connection:
        assert connection.execute((kinds.sql or "").encode()).rowcount == 2


def test_a_json_document_that_jsonb_does_not_take_is_refused(journey: Journey) -> None:
    schema = calls("json", then=r"""INSERT INTO calls VALUES ('x', '{"a": "\u0000"}');""")
    service = journey.start(schema.replace("'x'", "gen_random_uuid()"), STANDARD)
    with pytest.raises(StatementError, match="unknown to jsonb"):
        service.up("expand")
    assert "unknown to jsonb" in findings(journey, service.dsn, Severity.STOPS)[0].problem


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_verify_tells_the_distance(journey: Journey, kind: str) -> None:
    schema = calls(f'{kind} DEFAULT \'{{"kind": "chat"}}\'')
    service = journey.start(schema, STANDARD)

    def distances() -> list[Distance]:
        with psycopg.connect(service.dsn, autocommit=True) as connection:
            found = verify(connection, load_standard(journey.folder / "standard.toml"))
        return list(found.distances)

    objects = {d.object: d for d in distances()}
    assert objects["constraint call_body_kind_check on public.calls"].found == "none"
    assert objects["default of column public.calls.body"].expected == "a value of Kind at kind"
    service.up("enforce")
    assert {d.left_for for d in distances()} == {"switch", "contract"}
    service.up("switch")
    assert {d.left_for for d in distances()} == {"contract"}
    service.down("online")
    service.up("window")
    assert distances() == []
    cast = "::jsonb" if kind == "json" else ""
    with psycopg.connect(service.dsn, autocommit=True) as connection:
        connection.execute(
            f"""
            ALTER TABLE call
                DROP CONSTRAINT call_body_kind_check,
                ADD CONSTRAINT call_body_kind_check
                    CHECK ((body{cast} #>> '{{kind}}') IN ('CHAT', 'chat')) NOT VALID
            """
        )
    found = {d.object: d.found for d in distances()}
    object_ = "constraint call_body_kind_check on public.call"
    assert found[object_] == "refuses 'EMBEDDING' and also passes 'chat'"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (calls("text"), "calls.body is text, and only json and jsonb have paths"),
        (calls("jsonb DEFAULT jsonb_build_object('kind', 'chat')"), "the default of public.calls"),
        (
            calls('jsonb DEFAULT \'{"kind": "chat", "n": 12.30000000000000000001}\''),
            "the default of public.calls",
        ),
        (
            calls("jsonb", then="CREATE INDEX i ON calls (id) WHERE body ->> 'kind' = 'chat';"),
            "the index i holds values that stand in the JSON column body",
        ),
    ],
    ids=["text", "a call", "a number", "an index"],
)
def test_what_cannot_be_converted_is_refused_by_name(
    journey: Journey, schema: str, message: str
) -> None:
    with pytest.raises(StandardError, match=message.replace(".", r"\.")):
        journey.start(schema, STANDARD)


@pytest.mark.parametrize(
    ("line", "message", "at"),
    [
        ('json.body = "Kind"', "'Kind' stands where a path should begin", 12),
        ('json.body.kind = "Nothing"', "calls.body.kind: there is no enum Nothing", 12),
        ("json.body.kind = 7", "calls.body.kind: there is no enum 7", 12),
        ('json.body."items[*]".kind = "Kind"', "every element of an array", 12),
        ('json.id.kind = "Kind"', "calls.id is in uuids and in json", 12),
        ('json = "Kind"', "json must be columns with their paths", 12),
        (
            "\n".join(f'json.body.k{n} = "Kind"' for n in range(5)),
            "5 paths are named, at most 4",
            None,
        ),
    ],
)
def test_what_a_standard_cannot_say(
    journey: Journey, line: str, message: str, at: int | None
) -> None:
    standard = STANDARD[: STANDARD.index("json.body")] + line + "\n"
    with pytest.raises(StandardError, match=message.replace("[", r"\[")) as error:
        journey.start(calls("jsonb"), standard)
    if at:
        assert f"standard.toml:{at + 3}:" in error.value.message
