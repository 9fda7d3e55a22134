"""An index: built anew on converted columns beside the old one, or only renamed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from runner.catalog import Constraint, Index, Relation
from runner.errors import StandardError
from runner.generate.column_change import ColumnChange, one_to_one
from runner.generate.files import File
from runner.generate.kinds.naming import follow
from runner.generate.model import IndexChange, Obstacle, TableChange
from runner.generate.statement import Statement, comment_on_constraint, lock
from runner.generate.wording.casts import closing, split_list
from runner.generate.wording.predicates import Wording, calls_function_on, restate
from runner.generate.wording.ranks import by_rank, uses_order
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_literal, quote_name, unused

_TAIL = re.compile(r'((?:"[^"]*"|[^"])*?)((?: WHERE | DEFERRABLE).*|)', re.DOTALL)
_CHOOSES = "(?:COALESCE|NULLIF|GREATEST|LEAST)"
_AGAIN = "Drop it first, and create it again for the new contract afterwards."


def change(
    relation: Relation, new: Name, changes: Sequence[ColumnChange], taken: set[str]
) -> Iterable[IndexChange]:
    """The indexes of a table: built anew for converted columns, or renamed.

    Args:
        relation: the table.
        new: its new name.
        changes: its converted columns.
        taken: the names of the schema's relations and indexes; those of new ones are added.
    """
    converted = {c.name for c in changes}
    constraints = {k.name for k in relation.constraints}
    kinds = {"p": "PRIMARY KEY", "u": "UNIQUE", "x": "EXCLUDE"}
    for index in relation.indexes:
        constraint = relation.constraint(index.constraint) if index.constraint else None
        name = follow(index.name, relation.name, new.name)
        if name in taken or (index.constraint and name in constraints):
            name = index.name
        taken.add(name)
        is_converted = bool(converted.intersection(index.columns))
        is_exclusion = constraint is not None and constraint.kind == "x"
        method = constraint.definition if constraint and is_exclusion else index.method
        is_rebuilt = is_converted and not is_exclusion
        yield IndexChange(
            old_name=index.name,
            build_name=unused(name, "__new", taken)
            if is_converted and name == index.name
            else name,
            name=name,
            unique=index.unique,
            method=restate(method),
            new_method=_new_method(index, method, relation, changes)
            if is_converted
            else restate(method),
            converted=is_converted,
            constraint=kinds.get(constraint.kind) if constraint else None,
            columns=index.columns,
            comment=index.comment,
            constraint_comment=constraint.comment if constraint else None,
            clustered=index.clustered,
            replica_identity=index.replica_identity,
            options=index.options,
            statistics_targets=index.statistics_targets,
            deferral=_deferral(constraint),
            tablespace=index.tablespace,
            back_name=unused(index.name, "__back", taken) if is_rebuilt else "",
            again_name=unused(name, "__again", taken) if is_rebuilt else "",
        )


def _deferral(constraint: Constraint | None) -> str:
    found = re.search(
        r" DEFERRABLE(?: INITIALLY DEFERRED)?$", constraint.definition if constraint else ""
    )
    return found[0] if found else ""


def _new_method(
    index: Index, method: str, relation: Relation, changes: Sequence[ColumnChange]
) -> str:
    mentioned = [c for c in changes if c.name in index.columns]
    enums = [c for c in mentioned if c.check]
    types = {c.name: c.type for c in relation.columns}
    literals = {v.upper() for v in re.findall(r"'((?:[^']|'')*)'", index.method)}
    for column in mentioned:
        if column.paths and literals.intersection(column.values):
            raise StandardError(
                f"the index {index.name} holds values that stand in the JSON column "
                f"{column.name}: {index.method}",
                hint="Drop it first, and create it again for the new contract afterwards.",
            )
    ranks = {c.name: c.ranked for c in enums if c.labels} if _sorts_anew(enums) else {}
    labels = {label: new for c in enums for label, new in c.labels.items()}
    ranked, count = by_rank(method, ranks, labels)
    if ranks and count != index.orders:
        raise uses_order(f"the index {index.name}", method)
    uuids = {c.name for c in mentioned if c.new_type == "uuid"}
    if index.unique:
        _require_no_letters(index, method, uuids)
    wording = Wording(
        f"the index {index.name}",
        values={v for c in enums for v in c.values},
        native_types={types[c.name] for c in enums} - {"text", "character varying"},
        text_columns={
            name
            for name in index.columns
            if name not in {c.name for c in mentioned} and types[name].startswith(("char", "text"))
        },
        uuid_columns=uuids,
        bare_columns={name for name in uuids if not types[name].startswith("character varying")},
        mapping={old: new for c in enums for old, new in c.mapping.items()},
        enum_columns={c.name for c in enums},
        one_to_one=one_to_one(enums),
    )
    if any(calls_function_on(method, c.name) for c in enums):  # of_functions() tells
        only_ids = Wording(wording.what, uuid_columns=uuids, bare_columns=wording.bare_columns)
        converted = only_ids.converted(wording.with_new_values(ranked))
    else:
        converted = wording.converted(ranked)
    for name in sorted(uuids.intersection(index.not_for_uuid)):
        converted = _on_text(converted, quote_ident(name))
    if any(c.old_type.startswith("char") for c in mentioned):
        converted = converted.replace(" bpchar_pattern_ops", " varchar_pattern_ops")
    return converted


def _require_no_letters(index: Index, method: str, uuids: Iterable[str]) -> None:
    """What is unique by the letters of ids would be so by others: those that uuid prints.

    Raises:
        StandardError: an index is.
    """
    for column in sorted(uuids):
        own = re.escape(quote_ident(column))
        called = rf"(?!btree\b|{_CHOOSES}\b)\b\w+\({own}[,)]"
        if re.search(rf"(?<!COALESCE\()(?<!NULLIF\()\({own}\)::|{called}", method):
            raise StandardError(
                f"the index {index.name} is unique by {column} as text, which becomes uuid:"
                f" {method}",
                hint="Drop it first, and create it again for uuid afterwards.",
            )


def _sorts_anew(columns: Iterable[ColumnChange]) -> bool:
    return any(c.sorts_anew for c in columns)


def _on_text(method: str, column: str) -> str:
    """An index on the text of an id, where uuid lacks its operator class or collation."""
    begin = method.index("(") + 1
    end = closing(method, begin)
    keys = [
        re.sub(rf"^{re.escape(column)}(?= |$)", lambda _: f"(({column})::text)", key)
        for key in split_list(method[begin:end])
    ]
    keys = [
        re.sub(r" (?:varchar|bpchar)_pattern_ops\b", " text_pattern_ops", key)
        if key.startswith(f"(({column})::text)")
        else key
        for key in keys
    ]
    return f"{method[:begin]}{', '.join(keys)}{method[end:]}"


def obstacles(t: TableChange) -> Iterator[Obstacle]:
    """The indexes that cannot be made on uuids, nor on their texts: those of keys."""
    uuids = {c.name for c in t.columns if c.new_type == "uuid"}
    for index in t.relation.indexes:
        if not (index.constraint or index.replica_identity):
            continue
        if special := uuids.intersection(index.not_for_uuid):
            yield Obstacle(
                f"index {t.old.schema}.{index.name}",
                f"indexes {', '.join(sorted(special))} by an operator class or a collation that "
                f"uuid has not: {index.method}",
                _AGAIN,
            )


def of_functions(t: TableChange) -> Iterator[Obstacle]:
    """The indexes that call functions on values that change."""
    values = [c.name for c in t.columns if c.new_type != "uuid"]
    for i in t.indexes:
        if i.new_method != i.method and any(calls_function_on(i.method, c) for c in values):
            yield Obstacle(
                f"the index {i.old_name}",
                f"calls a function on a column whose values change: {i.method}",
                _AGAIN,
            )


def placed(method: str, tablespace: str | None) -> str:
    """A definition from USING on, or a constraint's, in a tablespace.

    Args:
        method: the definition.
        tablespace: its name, None for the database's.
    """
    if tablespace is None:
        return method
    end = closing(method, method.index("(") + 1) + 1
    tail = _TAIL.fullmatch(method[end:])
    assert tail is not None
    using = "" if method.startswith("USING ") else " USING INDEX"
    return f"{method[:end]}{tail[1]}{using} TABLESPACE {quote_ident(tablespace)}{tail[2]}"


def settings(i: IndexChange, name: str, table: Name) -> Iterator[Statement]:
    """What an index under a name has beside its definition."""
    qualified = quote_name(Name(table.schema, name))
    if i.constraint_comment is not None:
        yield comment_on_constraint(table, name, i.constraint_comment)
    for place, target in i.statistics_targets:
        yield Statement(f"ALTER INDEX {qualified} ALTER COLUMN {place} SET STATISTICS {target};")
    if i.comment is not None:
        yield Statement(f"COMMENT ON INDEX {qualified} IS {quote_literal(i.comment)};")
    on = f"ALTER TABLE {quote_name(table)}"
    if i.clustered:
        yield Statement(f"{on} CLUSTER ON {quote_ident(name)};")
    if i.replica_identity:
        yield Statement(f"{on} REPLICA IDENTITY USING INDEX {quote_ident(name)};")


def create(i: IndexChange, name: str, table: Name, *, new: bool) -> Statement:
    """The index under a name, on a table, for the old or the new contract's values."""
    unique = "UNIQUE " if i.unique else ""
    method = placed(i.new_method if new else i.method, i.tablespace)
    if i.constraint == "EXCLUDE":
        return Statement(
            f"ALTER TABLE {quote_name(table)} ADD CONSTRAINT {quote_ident(name)} {method};"
        )
    return Statement(
        f"CREATE {unique}INDEX {quote_ident(name)} ON {quote_name(table)} {method};",
        undo=(Statement(f"DROP INDEX {quote_name(Name(table.schema, name))};"),),
    )


def drop(i: IndexChange, table: Name) -> Statement:
    """The end of an index under its old name, or of its constraint."""
    if i.constraint:
        return Statement(
            f"ALTER TABLE {quote_name(table)} DROP CONSTRAINT {quote_ident(i.old_name)};"
        )
    return Statement(f"DROP INDEX {quote_name(Name(table.schema, i.old_name))};")


def rename(table: Name, old: str, new: str) -> Statement:
    """Another name for an index of a table."""
    return Statement(
        f"ALTER INDEX {quote_name(Name(table.schema, old))} RENAME TO {quote_ident(new)};"
    )


def build(
    t: TableChange,
    table: Name,
    i: IndexChange,
    name: str,
    after: Sequence[File],
    *,
    phase: str = "enforce",
) -> File:
    """The build of an index on the new columns while reads and writes go on."""
    unique, qualified = "UNIQUE " if i.unique else "", quote_name(Name(table.schema, name))
    built = Statement(
        f"CREATE {unique}INDEX CONCURRENTLY {quote_ident(name)} ON {quote_name(table)}"
        f" {placed(i.new_method, i.tablespace)};",
        undo=(
            Statement(
                f"DROP INDEX CONCURRENTLY IF EXISTS {qualified};",
                locks=(lock(LockMode.SHARE_UPDATE_EXCLUSIVE, table),),
                alone=True,
            ),
        ),
        locks=(lock(LockMode.SHARE_UPDATE_EXCLUSIVE, table),),
        alone=True,
    )
    return File(
        unlike=f"index {name} {table}",
        phase=phase,
        subject=t.prefix + name,
        title=f"Build the index {name} on the new columns of {table.name}.",
        does=f"builds what {i.old_name} is for the old columns",
        cost=f"reads {table.name} twice and waits for transactions that are older; if it "
        f"fails it leaves an invalid index: DROP INDEX CONCURRENTLY {qualified}, then run it again",
        undo="drops the index; reads and writes go on",
        body=[[built]],
        back="Drops the index; reads and writes go on.",
        after=after,
    )
