"""A view, materialized or not: it shows the old contract until it is made again for the new one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.catalog import Relation
from runner.generate.dependent import (
    AFTER,
    BEFORE,
    Beside,
    DependentChange,
    Reword,
    Standing,
    with_drop,
)
from runner.generate.kinds import rule, statistics, trigger
from runner.generate.kinds.index import placed
from runner.generate.model import Obstacle
from runner.generate.statement import Paragraph, Statement
from runner.generate.wording.types import COMPRESSION, STORAGE
from runner.quoting import Name, quote_ident, quote_literal, quote_name, shorten

# What may show other rows each time: of those that sort alike, any can be the first.
_VARIES = re.compile(
    r"\b(?:LIMIT|OFFSET|FETCH FIRST|TABLESAMPLE|DISTINCT ON|row_number|ntile|\w+_value|lag|lead"
    r"|mode|random\w*|gen_random_uuid|uuidv\d|uuid_generate_\w+|nextval|clock_timestamp|\w+_agg|ctid|xmin)\b"
)
_CHANGES = {"INSERT", "UPDATE", "DELETE", "TRUNCATE"}
_OWN = {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}


def change(o: Standing) -> DependentChange:
    """What it becomes on the new columns."""
    view = o.relation
    drop = Statement(f"DROP {_kind(view)} {quote_name(view.qualified)};")
    return DependentChange(
        o,
        old=with_drop(_made(view, o.old), drop),
        new=with_drop(_made(view, o.new), drop),
        old_query=query(o, o.old),
        new_query=query(o, o.new),
        beside=_beside(o, view) if view.kind == "m" else None,
    )


def obstacles(o: Standing) -> Iterator[Obstacle]:
    """What keeps it from being made again, or from being made while the tables are used."""
    yield from o.takes_rows()
    yield from o.groups_by_keys()
    if o.kind == "materialized view" and o.moves_with:
        yield o.obstacle(
            f"is made together with the primary key of {o.moves_with[0]}, and cannot be filled "
            "before",
            "Before: list behind GROUP BY each column that a query shows; it then needs no key.",
            online_only=True,
        )
    if o.kind == "materialized view" and o.is_on_a_view:
        yield o.obstacle(
            "stands on a view of converted columns: it cannot be filled before that is made again",
            online_only=True,
        )


def query(o: Standing, reword: Reword) -> str:
    """What it shows, in the words of a contract."""
    return reword(o.relation.definition or "").strip().removesuffix(";")


def trial(d: DependentChange, before: Reword, after: Reword) -> Paragraph:
    """It on what both contracts show, and the question whether it shows the same."""
    name = quote_ident(d.of.name.name)
    names = f"{quote_literal(quote_name(d.of.name))}, {quote_literal(name)}"
    words = dict(sorted(d.of.words.items()))
    if words:
        pairs = (f"[{quote_literal(old)}, {quote_literal(new)}]" for old, new in words.items())
        names += f",\n    words => ARRAY[{', '.join(pairs)}]"
    if _VARIES.search(d.old_query) or {w.upper() for w in words} & {*words.values()}:
        names += ", only_counted => true"
    return [
        Statement(f"CREATE VIEW {BEFORE}.{name} AS\n{before(d.old_query)};"),
        Statement(f"CREATE VIEW {AFTER}.{name} AS\n{after(d.new_query)};"),
        Statement(f"CALL trueup.require_same_view({names});"),
    ]


def _beside(o: Standing, view: Relation) -> Beside:
    """The new materialized view beside the old one."""
    name = view.qualified
    beside = Name("trueup", shorten(o.stem, "__next"))
    moved = Name(name.schema, beside.name)
    return Beside(
        beside,
        build=with_drop(
            [
                _create(view, o.new, beside, fill=False),
                *_indexes(view, beside, o.new),
            ],
            Statement(f"DROP MATERIALIZED VIEW {quote_name(beside)};"),
        ),
        settle=(
            _put(
                beside,
                f"SET SCHEMA {quote_ident(name.schema)}",
                moved,
                f"SET SCHEMA {quote_ident(beside.schema)}",
            ),
            _put(
                moved,
                f"RENAME TO {quote_ident(name.name)}",
                name,
                f"RENAME TO {quote_ident(beside.name)}",
            ),
            *_settings(view, o.new),
            *_index_settings(view, o.new),
        ),
        is_filled=view.populated,
    )


def _put(view: Name, does: str, then: Name, undoes: str) -> Statement:
    """What gives a materialized view another place or name, and takes it back."""
    back = Statement(f"ALTER MATERIALIZED VIEW {quote_name(then)} {undoes};")
    return Statement(f"ALTER MATERIALIZED VIEW {quote_name(view)} {does};", undo=(back,))


def _kind(view: Relation) -> str:
    """What PostgreSQL calls a view of one or the other kind, in capitals."""
    return "MATERIALIZED VIEW" if view.kind == "m" else "VIEW"


def _made(view: Relation, reword: Reword) -> Iterator[Statement]:
    yield _create(view, reword, view.qualified, fill=True)
    yield from _indexes(view, view.qualified, reword)
    yield from _settings(view, reword)
    yield from _index_settings(view, reword)


def _create(view: Relation, reword: Reword, name: Name, *, fill: bool) -> Statement:
    options = f" WITH ({', '.join(view.options)})" if view.options else ""
    if view.tablespace is not None:
        options += f" TABLESPACE {quote_ident(view.tablespace)}"
    tail = "\nWITH DATA" if fill and view.populated else "\nWITH NO DATA"
    query = reword(view.definition or "").strip().removesuffix(";")
    stored = tail if view.kind == "m" else ""
    return Statement(f"CREATE {_kind(view)} {quote_name(name)}{options} AS\n{query}{stored};")


def _settings(view: Relation, reword: Reword) -> Iterator[Statement]:
    """Its owner, grants, comments, defaults, rules and triggers."""
    name, kind = quote_name(view.qualified), _kind(view)
    yield Statement(f"ALTER {kind} {name} OWNER TO {quote_ident(view.owner)};")
    yield Statement(f"CALL trueup.revoke_all({quote_literal(name)});")
    yield from _grants(view)
    if view.comment is not None:
        yield Statement(f"COMMENT ON {kind} {name} IS {quote_literal(view.comment)};")
    for column in view.columns:
        own = quote_ident(column.name)
        alter = f"ALTER {kind} {name} ALTER COLUMN {own}"
        if column.comment is not None:
            comment = quote_literal(column.comment)
            yield Statement(f"COMMENT ON COLUMN {name}.{own} IS {comment};")
        if column.default is not None:
            yield Statement(f"{alter} SET DEFAULT {reword(column.default)};")
        if column.statistics_target is not None:
            yield Statement(f"{alter} SET STATISTICS {column.statistics_target};")
        if view.kind == "m" and (column.has_own_storage or column.compression):
            stored = (STORAGE[column.storage], COMPRESSION.get(column.compression))
            said = [quote_literal(s) if s else "NULL" for s in stored]
            yield Statement(
                f"CALL trueup.store_column({quote_literal(name)}, {quote_literal(column.name)}, "
                f"{', '.join(said)});"
            )
        if column.options:
            yield Statement(f"{alter} SET ({', '.join(column.options)});")
        for grantee, option, privileges in _privileges(column.acl):
            listed = [f"{privilege} ({own})" for privilege in privileges]
            yield _grant(view, listed, privileges, grantee, option)
    for r in view.rules:
        yield from rule.statements(view.qualified, r, reword)
    for t in view.triggers:
        yield from trigger.statements(view.qualified, t, reword)


def _grants(view: Relation) -> Iterator[Statement]:
    name, owner = quote_name(view.qualified), quote_ident(view.owner)
    for grantee, option, privileges in _privileges(view.acl):
        if grantee != owner:
            yield _grant(view, privileges, privileges, grantee, option)
        elif not set(privileges) >= _OWN - {"MAINTAIN"}:
            yield Statement(f"REVOKE ALL ON {name} FROM {owner};")
            yield Statement(f"GRANT {', '.join(privileges)} ON {name} TO {owner};")


def _grant(
    view: Relation, listed: Iterable[str], privileges: Iterable[str], grantee: str, option: str
) -> Statement:
    is_open = grantee == "PUBLIC" and not _CHANGES.isdisjoint(privileges)
    return Statement(
        f"GRANT {', '.join(listed)} ON {quote_name(view.qualified)} TO {grantee}{option};",
        note="trueup: ignore grant-to-public because PUBLIC had this before" if is_open else "",
    )


def _privileges(acl: Iterable[str]) -> list[tuple[str, str, list[str]]]:
    """Entries such as `app=SELECT*` by grantee and grant option."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for entry in acl:
        grantee, _, privilege = entry.rpartition("=")
        option = " WITH GRANT OPTION" if privilege.endswith("*") else ""
        grouped.setdefault((grantee, option), []).append(privilege.rstrip("*"))
    return [(grantee, option, found) for (grantee, option), found in grouped.items()]


def _indexes(view: Relation, name: Name, reword: Reword) -> Iterator[Statement]:
    """A materialized view's indexes, below this or another name of it."""
    for found in view.indexes:
        unique = "UNIQUE " if found.unique else ""
        own, method = quote_ident(found.name), placed(reword(found.method), found.tablespace)
        yield Statement(f"CREATE {unique}INDEX {own} ON {quote_name(name)} {method};")


def _index_settings(view: Relation, reword: Reword) -> Iterator[Statement]:
    """What a materialized view's indexes have beside their definitions, and its statistics."""
    for index in view.indexes:
        if index.comment is not None:
            name = quote_name(Name(view.schema, index.name))
            yield Statement(f"COMMENT ON INDEX {name} IS {quote_literal(index.comment)};")
        if index.clustered:
            table = quote_name(view.qualified)
            yield Statement(
                f"ALTER MATERIALIZED VIEW {table} CLUSTER ON {quote_ident(index.name)};"
            )
    for found in view.statistics:
        yield from statistics.statements(found, reword)
