"""What a certificate takes for the same schema."""

from __future__ import annotations

from dataclasses import replace

from runner.catalog import Catalog, Column, Constraint, Index, Relation
from runner.quoting import Name
from runner.review.fingerprint import schema_fingerprint

TABLE = Relation(
    schema="public",
    name="item",
    kind="r",
    owner="postgres",
    acl=("app=SELECT",),
    columns=(Column("id", "integer", True), Column("a.b", "text", False)),
    constraints=(Constraint("item_pkey", "p", "PRIMARY KEY (id)", ("id",), True),),
    indexes=(Index("item_pkey", "CREATE UNIQUE INDEX ...", ("id",), True, True),),
)


def fingerprint(*relations: Relation) -> str:
    found = {Name(r.schema, r.name): r for r in relations}
    return schema_fingerprint(Catalog(180000, ("public",), found))


def view(definition: str) -> Relation:
    return Relation("public", "items", "v", "postgres", (), definition=definition)


def test_owners_grants_and_the_order_of_columns_do_not_count() -> None:
    other = replace(TABLE, owner="app", acl=(), columns=TABLE.columns[::-1])
    assert fingerprint(other) == fingerprint(TABLE)


def test_what_clients_and_files_see_counts() -> None:
    changed = replace(TABLE.columns[0], type="uuid")
    assert fingerprint(replace(TABLE, columns=(changed, TABLE.columns[1]))) != fingerprint(TABLE)
    assert fingerprint(replace(TABLE, constraints=())) != fingerprint(TABLE)
    assert fingerprint(replace(TABLE, indexes=())) != fingerprint(TABLE)
    assert fingerprint() != fingerprint(TABLE)


def test_what_only_newer_servers_write_down_does_not_count() -> None:
    not_null = Constraint("item_id_not_null", "n", "NOT NULL id", ("id",), True)
    newer = replace(TABLE, constraints=(*TABLE.constraints, not_null))
    assert fingerprint(newer) == fingerprint(TABLE)

    old = ' SELECT item.id,\n    upper("It em"."a.b") AS b\n   FROM public.item;'
    new = ' SELECT id,\n    upper("a.b") AS b\n   FROM public.item;'
    assert fingerprint(view(old)) == fingerprint(view(new))
    elsewhere = new.replace("public.item", "other.item")
    assert fingerprint(view(elsewhere)) != fingerprint(view(new))


def test_an_index_that_a_stopped_run_left_invalid_does_not_count() -> None:
    invalid = Index("item_b", "CREATE INDEX ...", ("a.b",), False, False)
    assert fingerprint(replace(TABLE, indexes=(*TABLE.indexes, invalid))) == fingerprint(TABLE)
