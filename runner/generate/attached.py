"""What hangs on columns and follows them: foreign keys, indexes, sequences, names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from runner.catalog import Catalog, Constraint, Index, Name, Relation
from runner.errors import StandardError
from runner.generate.model import (
    ColumnChange,
    ForeignKeyChange,
    IndexChange,
    Obstacle,
    Parent,
    TableChange,
)
from runner.generate.predicates import calls_function_on, convert_literals, restate
from runner.quoting import quote_name, shorten


def foreign_key_changes(
    relation: Relation,
    new_names: Mapping[Name, Name],
    columns: Mapping[Name, tuple[ColumnChange, ...]],
) -> Iterable[ForeignKeyChange]:
    """The foreign keys of a table: converted together with what they refer to, or renamed."""
    own = {c.name: c for c in columns[relation.qualified]}
    new = new_names[relation.qualified]
    for key in relation.constraints:
        if key.kind != "f" or key.references is None or key.parent is not None:
            continue
        there = {c.name: c for c in columns.get(key.references, ())}
        pairs = list(zip(key.columns, key.referenced_columns, strict=True))
        for here, far in pairs:
            if (here in own) != (far in there) or (
                here in own and own[here].new_type != there[far].new_type
            ):
                changed = (
                    f"{key.references}.{far}" if far in there else f"{relation.qualified}.{here}"
                )
                raise StandardError(
                    f"{relation.qualified}.{here} references {key.references}.{far}, but only "
                    f"{changed} is converted",
                    hint="Name both columns in standard.toml: a key is converted with all its "
                    "references, as one unit.",
                )
        yield ForeignKeyChange(
            table=new,
            old_name=key.name,
            name=follow(key.name, relation.name, new.name),
            columns=key.columns,
            references=new_names.get(key.references, key.references),
            referenced_columns=key.referenced_columns,
            options=_options(key),
            converted=any(here in own for here, _ in pairs),
            comment=key.comment,
        )


def _options(key: Constraint) -> str:
    """What stands behind `REFERENCES table(columns)` in a foreign key's definition."""
    tail = key.definition[key.definition.index(" REFERENCES ") :]
    match = re.match(
        r""" REFERENCES (?:[^"(]|"(?:[^"]|"")*")+\((?:[^")]|"(?:[^"]|"")*")+\)""", tail
    )
    assert match, key.definition
    return tail[match.end() :].removesuffix(" NOT VALID")


def with_parent(
    change: ColumnChange,
    keys: Iterable[ForeignKeyChange],
    new_names: Mapping[Name, Name],
    columns: Mapping[Name, tuple[ColumnChange, ...]],
) -> ColumnChange:
    """A reference's old spelling is its parent's, not one that is derived."""
    old_names = {new: old for old, new in new_names.items()}
    for key in sorted(keys, key=lambda k: len(k.columns)):
        if key.converted and change.name in key.columns:
            pairs = tuple(zip(key.columns, key.referenced_columns, strict=True))
            far = dict(pairs)[change.name]
            parent = next(c for c in columns[old_names[key.references]] if c.name == far)
            return replace(
                change, parent=Parent(key.references, parent.name, parent.old_name, pairs)
            )
    return change


def index_changes(
    relation: Relation, new: Name, changes: Sequence[ColumnChange], catalog: Catalog
) -> Iterable[IndexChange]:
    """The indexes of a table: built anew for converted columns, or renamed."""
    converted = {c.name for c in changes}
    taken = {i.name for r in catalog.relations.values() for i in r.indexes}
    taken |= {r.name for r in catalog.relations.values() if r.schema == relation.schema}
    kinds = {"p": "PRIMARY KEY", "u": "UNIQUE"}
    for index in relation.indexes:
        constraint = relation.constraint(index.constraint) if index.constraint else None
        name = follow(index.name, relation.name, new.name)
        if name != index.name and name in taken:
            name = index.name
        is_converted = bool(converted.intersection(index.columns))
        yield IndexChange(
            old_name=index.name,
            build_name=shorten(name, "__new") if name in taken else name,
            name=name,
            unique=index.unique,
            method=restate(index.method),
            new_method=_new_method(index, relation, changes)
            if is_converted
            else restate(index.method),
            converted=is_converted,
            constraint=kinds.get(constraint.kind) if constraint else None,
            columns=index.columns,
            comment=index.comment,
            constraint_comment=constraint.comment if constraint else None,
            clustered=index.clustered,
            replica_identity=index.replica_identity,
        )


def _new_method(index: Index, relation: Relation, changes: Sequence[ColumnChange]) -> str:
    mentioned = [c for c in changes if c.name in index.columns]
    enums = [c for c in mentioned if c.check]
    types = {c.name: c.type for c in relation.columns}
    converted = convert_literals(
        index.method,
        what=f"the index {index.name}",
        values={v for c in enums for v in c.values},
        native_types={types[c.name] for c in enums} - {"text", "character varying"},
        text_columns={
            name
            for name in index.columns
            if name not in {c.name for c in mentioned} and types[name].startswith(("char", "text"))
        },
        uuid_columns={c.name for c in mentioned if c.new_type == "uuid"},
    )
    return restate(converted)


def sequence_renames(relation: Relation, new: Name, catalog: Catalog) -> Iterable[tuple[str, str]]:
    """The sequences of the table's columns that are named after the table."""
    owners = {f"{quote_name(relation.qualified)}.{c.name}" for c in relation.columns}
    for sequence in catalog.relations.values():
        if sequence.kind == "S" and sequence.owned_by in owners:
            name = follow(sequence.name, relation.name, new.name)
            if name != sequence.name and Name(sequence.schema, name) not in catalog.relations:
                yield sequence.name, name


def follow(name: str, old: str, new: str) -> str:
    """Give a name that holds the table's old name the new one: `models_pkey` -> `model_pkey`."""
    return shorten(re.sub(rf"(?<![^_]){re.escape(old)}(?![^_])", lambda _: new, name, count=1))


def obstacles(change: TableChange) -> Iterator[Obstacle]:
    """What a table holds that cannot be brought through unharmed.

    Args:
        change: the table and its changes.
    """
    relation, converted = change.relation, set(change.converted)
    table = relation.qualified
    if change.old == change.new:
        yield Obstacle(
            f"{table} keeps its name, and one name cannot show both contracts",
            "Give it another name in standard.toml for the online strategy.",
            online_only=True,
        )
    if not converted:
        return
    if relation.partition_bound is not None:
        yield Obstacle(
            f"{table} is a partition of {relation.parents[0]}, and is converted with it",
            f"Name {relation.parents[0]} in standard.toml in its place.",
        )
    elif relation.parents or (relation.children and relation.kind != "p"):
        kin = relation.parents or relation.children
        yield Obstacle(
            f"{table} shares columns with {', '.join(kin)} by inheritance, and such a table cannot "
            "be converted",
            "Leave its paragraph out of standard.toml, or partition it by declaration before.",
        )
    for dependent in relation.dependents:
        if dependent.column in converted:
            yield Obstacle(
                f"{dependent.name} uses {table}.{dependent.column}, which is to be converted",
                "Drop it before, and make it again for the new contract afterwards.",
            )
    for constraint in relation.constraints:
        if constraint.kind == "x" and converted.intersection(constraint.columns):
            yield Obstacle(
                f"{table}: the exclusion constraint {constraint.name} holds a converted column",
                "Drop it before, and make it again for the new contract afterwards.",
            )
    for index in change.indexes:
        if index.new_method != index.method and any(
            calls_function_on(index.method, column) for column in converted
        ):
            yield Obstacle(
                f"the index {index.old_name} calls a function on a column whose values change: "
                f"{index.method}",
                "Drop it before, and make it again for the new contract afterwards.",
            )
    behind = False
    for column in relation.columns:
        behind = behind or column.name in converted
        if behind and (column.identity or column.generated):
            yield Obstacle(
                f"{table}.{column.name} is {'an identity' if column.identity else 'a generated'} "
                "column behind a converted one: rolling back contract could not make it again",
                "Turn it into a plain column with a default before.",
            )
