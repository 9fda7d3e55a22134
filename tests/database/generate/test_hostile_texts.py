"""Texts that would end a literal, a name, a body or a comment, wherever a text enters a file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import sql
from support.databases import DatabaseFactory
from support.journey import LAST, assert_same
from support.random_schemas import drawn
from support.runs import query, run_yoyo
from support.variants import Service

from runner.catalog import read_catalog
from runner.errors import StandardError
from runner.generate import generate
from runner.standard import EnumStandard, Standard, TableStandard

_PIECES = (
    "'", '"', "$$", "$q1$", "%", "%s", "\\", "\n", "\n\n", " \n", "\t", ";", "--", "/*", "*/", "{}",
    "{was}", "{{ 7 }}", "x') ; DROP TABLE public.victim; --", "\nDROP TABLE public.victim; --",
    "\ndepends: x", "transactional: false", "E'", "$", ",", "(", ")", "[", "a", "Bc", "ü", "::text",
    " ON ", " USING ", "\u2028", "\x0b", "public.", "NULL", "select",
)  # fmt: skip
_texts = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=4).map("".join)
# What stands before keeps names apart; a blank is left out of a name where the file would be.
_names = _texts.map(lambda text: text.encode()[:35].decode(errors="ignore"))


@st.composite
def _hostile(draw: st.DrawFn) -> dict[str, str]:
    found = {name: draw(_names) for name in ("table", "column", "object", "new")}
    return found | {name: draw(_texts) for name in ("value", "text", "label", "old")}


def _make(connection: psycopg.Connection, of: dict[str, str]) -> None:
    """A table of two columns of an enum, with all that can be named or commented on."""
    literal, name = sql.Literal, sql.Identifier
    holes = {
        "table": name(f"t{of['table']}"),
        "column": name(f"c{of['column']}"),
        "kind": name(f"k{of['column']}"),
        "id": name(f"id{of['column']}"),
        "type": name(f"e{of['object']}"),
        "value": literal(_value(of)),
        "label": literal(_label(of)),
        "old": literal(of["old"]),
        "text": literal(of["text"]),
        **{
            part: name(f"{part}{of['object']}")
            for part in (
                *("check", "index", "view", "stored", "policy", "trigger", "rule", "key"),
                *("late", "twin", "list", "by"),
            )
        },
    }
    for statement in (
        "CREATE TABLE public.victim (id integer)",
        "CREATE TYPE {type} AS ENUM ({label}, 'other')",
        "CREATE TABLE {table} ({id} varchar(36) CONSTRAINT {key} PRIMARY KEY,"
        " {column} varchar(90) NOT NULL DEFAULT {value}, {kind} {type} DEFAULT {label},"
        " n integer, CONSTRAINT {check} CHECK ({column} <> {value} OR n > 0))",
        "INSERT INTO {table} SELECT gen_random_uuid(), v, {label}, 1"
        " FROM unnest(ARRAY[{value}, {old}, 'other']) AS v",
        "COMMENT ON TABLE {table} IS {text}",
        "COMMENT ON COLUMN {table}.{column} IS {text}",
        "COMMENT ON CONSTRAINT {check} ON {table} IS {text}",
        "CREATE INDEX {index} ON {table} ({kind}) WHERE {column} = {value} AND {kind} <> {label}",
        "COMMENT ON INDEX {index} IS {text}",
        "CREATE VIEW {view} AS SELECT {id}, {kind} FROM {table}"
        " WHERE {column} = {value} OR {kind} = {label}",
        "COMMENT ON VIEW {view} IS {text}",
        "CREATE MATERIALIZED VIEW {stored} AS SELECT n FROM {table}"
        " WHERE {column} IN ({value}, 'x')",
        "CREATE FUNCTION public.quiet() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER {trigger} AFTER INSERT ON {table} FOR EACH ROW"
        " WHEN (NEW.{column} = {value}) EXECUTE FUNCTION public.quiet()",
        "COMMENT ON TRIGGER {trigger} ON {table} IS {text}",
        "CREATE TRIGGER {late} AFTER UPDATE OF {column}, n ON {table} FOR EACH ROW"
        " EXECUTE FUNCTION public.quiet()",
        "CREATE UNIQUE INDEX {twin} ON {table} ({column}, n, {id}) WHERE {column} <> {value}",
        "CREATE VIEW {by} AS SELECT {id}, {kind}, count(*) AS many FROM {table} GROUP BY {id}",
        *(
            [
                "CREATE PUBLICATION {list} FOR TABLE {table} ({id}, {column})"
                " WHERE ({column} <> {value}) WITH (publish = 'insert')"
            ]
            if connection.info.server_version >= 150000
            else []
        ),
        "CREATE POLICY {policy} ON {table} USING ({column} = {value})",
        "COMMENT ON POLICY {policy} ON {table} IS {text}",
    ):
        connection.execute(sql.SQL(statement).format(**holes))


def _value(of: dict[str, str]) -> str:
    return f"v{of['value']}".lower()


def _label(of: dict[str, str]) -> str:
    return f"l{of['label']}".encode()[:60].decode(errors="ignore").lower()


def _standard(of: dict[str, str]) -> Standard:
    value, label, old = (text.upper() for text in (_value(of), _label(of), of["old"]))
    words = EnumStandard("Words", (value, "OTHER"), {} if old in (value, "OTHER") else {old: value})
    if words.mapping:
        words = EnumStandard("Words", words.values, words.mapping, {value: _value(of)})
    labels = EnumStandard("Labels", (label, "OTHER"))
    enums = {f"c{of['column']}": words, f"k{of['column']}": labels}
    table = TableStandard(
        "public", f"t{of['table']}", f"n{of['new']}", (f"id{of['column']}",), enums
    )
    return Standard("hostile", "public", (table,))


def _write(folder: Path, dsn: str, of: dict[str, str]) -> None:
    with psycopg.connect(dsn) as connection:
        catalog = read_catalog(connection)
    for file in generate(_standard(of), catalog, baseline=None).files:
        (folder / file.folder).mkdir(parents=True, exist_ok=True)
        for name, text in (("", file.sql), (".rollback", file.rollback)):
            path = folder / file.folder / f"{file.id}{name}.sql"
            path.write_text(text, encoding="utf-8")


_NASTY = "x') ; DROP TABLE public.victim; --"
_PLAIN = dict.fromkeys(("table", "column", "object", "new", "value", "text", "label", "old"), "a")


# An example takes seconds: the first that fails is shown as it was drawn.
@drawn
@example(of=_PLAIN | {"value": _NASTY, "label": _NASTY, "old": "it's"})
@example(of=_PLAIN | {"table": "\nDROP TABLE public.victim; --", "new": "\ndepends: x"})
@example(of=_PLAIN | {"value": "$$; DROP TABLE public.victim; $$", "label": "\\", "old": "{}"})
@example(of=_PLAIN | {"text": "\n\n \nDROP TABLE public.victim; --", "value": " \n\n'\u2028$"})
@given(of=_hostile())
def test_no_text_leaves_its_place(database_factory: DatabaseFactory, of: dict[str, str]) -> None:
    with TemporaryDirectory() as folder:
        services = [Service(database_factory(), Path(folder)) for _ in range(2)]
        for service in services:
            with psycopg.connect(service.dsn, autocommit=True) as connection:
                _make(connection, of)
        try:
            _write(services[0].folder, services[0].dsn, of)
        except StandardError as refusal:
            assert "which yoyo reads as another one" in refusal.message  # noqa: PT017
            return
        by_trueup, by_yoyo = services
        before = by_trueup.state()
        by_trueup.up(LAST["online"])
        assert query(by_trueup.dsn, "SELECT to_regclass('public.victim') IS NOT NULL") == [(True,)]
        by_trueup.down("online")
        assert_same(before, by_trueup.state(), "online", column_order=False)
        before = by_yoyo.state()
        sources = [str(by_yoyo.folder / name) for name in ("common", "window")]
        run_yoyo("apply", *sources, dsn=by_yoyo.dsn)
        run_yoyo("rollback", "--all", *sources, dsn=by_yoyo.dsn)
        assert_same(before, by_yoyo.state(), "window")
        database_factory.drop(but_templates=True)


@pytest.mark.parametrize("name", ["ends with \\", "a\rb"])
def test_a_name_that_yoyo_would_misread_is_refused(
    database_factory: DatabaseFactory, tmp_path: Path, name: str
) -> None:
    dsn, of = database_factory(), _PLAIN | {"column": name}
    with psycopg.connect(dsn, autocommit=True) as connection:
        _make(connection, of)
    with pytest.raises(StandardError, match="which yoyo reads as another one"):
        _write(tmp_path, dsn, of)
