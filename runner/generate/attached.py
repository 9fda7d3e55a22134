"""What hangs on columns and follows them: foreign keys, indexes, sequences, names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runner.catalog import Catalog, Constraint, Index, Relation
from runner.errors import StandardError
from runner.generate.model import (
    ColumnChange,
    ForeignKeyChange,
    IndexChange,
    Obstacle,
    Parent,
    TableChange,
)
from runner.generate.unharmed import in_the_way
from runner.generate.wording.predicates import calls_function_on, convert_literals, restate
from runner.quoting import Name, quote_ident, quote_name, shorten, unused

KEEPS_ITS_NAME = "keeps its name, and one name cannot show both contracts"


def foreign_key_changes(
    relation: Relation,
    new_names: Mapping[Name, Name],
    columns: Mapping[Name, tuple[ColumnChange, ...]],
) -> Iterable[ForeignKeyChange]:
    """The foreign keys of a table: converted together with what they refer to, or renamed."""
    own = {c.name: c for c in columns[relation.qualified]}
    new = new_names[relation.qualified]
    taken = {k.name for k in relation.constraints}
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
        name = follow(key.name, relation.name, new.name)
        if name in taken:
            name = key.name
        taken.add(name)
        yield ForeignKeyChange(
            table=new,
            old_name=key.name,
            build_name=unused(name, "__new", taken) if name == key.name else name,
            name=name,
            columns=key.columns,
            references=new_names.get(key.references, key.references),
            referenced_columns=key.referenced_columns,
            options=_options(key),
            converted=any(here in own for here, _ in pairs),
            comment=key.comment,
            validated=key.validated,
            temporal=f"PERIOD {quote_ident(key.columns[-1])})" in key.definition,
        )


def _options(key: Constraint) -> str:
    """What stands behind `REFERENCES table(columns)` in a foreign key's definition."""
    tail = key.definition[key.definition.index(" REFERENCES ") :]
    match = re.match(
        r""" REFERENCES (?:[^"(]|"(?:[^"]|"")*")+\((?:[^")]|"(?:[^"]|"")*")+\)""", tail
    )
    assert match, key.definition
    return tail[match.end() :]


def with_parent(
    change: ColumnChange,
    relation: Relation,
    keys: Iterable[ForeignKeyChange],
    old_names: Mapping[Name, Name],
    columns: Mapping[Name, tuple[ColumnChange, ...]],
) -> ColumnChange:
    """A reference's old spelling is its parent's, not one that is derived."""
    nullable = {c.name for c in relation.columns if not c.not_null}
    for key in sorted(keys, key=lambda k: (not k.validated, len(k.columns))):
        if key.converted and change.name in key.columns:
            # A key of which one column is null does not look at the others.
            is_partial = len(key.columns) > 1 and not nullable.isdisjoint(key.columns)
            pairs = tuple(zip(key.columns, key.referenced_columns, strict=True))
            far = dict(pairs)[change.name]
            parent = next(c for c in columns[old_names[key.references]] if c.name == far)
            return replace(
                change,
                parent=Parent(
                    key.references,
                    parent.name,
                    parent.old_name,
                    pairs,
                    is_sure=key.validated and (not is_partial or "MATCH FULL" in key.options),
                ),
            )
    return change


def names_taken(catalog: Catalog) -> dict[str, set[str]]:
    """By schema, the names that no further table or index there can have."""
    taken: dict[str, set[str]] = defaultdict(set)
    for name, relation in catalog.relations.items():
        taken[name.schema] |= {name.name, *(i.name for i in relation.indexes)}
    for name in catalog.types:
        taken[name.schema].add(name.name)
    return taken


@dataclass(frozen=True, slots=True)
class NamesInUse:
    """What each table's new names are held against.

    Args:
        relations: all relations.
        sequences: the sequences by the column that owns them.
    """

    relations: frozenset[Name]
    sequences: Mapping[str, tuple[Relation, ...]]

    @staticmethod
    def of(catalog: Catalog) -> NamesInUse:
        """Gather them."""
        relations = catalog.relations.values()
        sequences: dict[str, tuple[Relation, ...]] = defaultdict(tuple)
        for relation in relations:
            if relation.kind == "S" and relation.owned_by:
                sequences[relation.owned_by] += (relation,)
        return NamesInUse(frozenset(catalog.relations), sequences)


def index_changes(
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
                hint="Drop it before, and make it again for the new contract afterwards.",
            )
    converted = convert_literals(
        method,
        what=f"the index {index.name}",
        values={v for c in enums for v in c.values},
        native_types={types[c.name] for c in enums} - {"text", "character varying"},
        text_columns={
            name
            for name in index.columns
            if name not in {c.name for c in mentioned} and types[name].startswith(("char", "text"))
        },
        uuid_columns={c.name for c in mentioned if c.new_type == "uuid"},
        mapping={old: new for c in enums for old, new in c.mapping.items()},
        enum_columns={c.name for c in enums},
    )
    if any(c.old_type.startswith("char") for c in mentioned):
        converted = converted.replace(" bpchar_pattern_ops", " varchar_pattern_ops")
    return restate(converted)


def sequence_renames(
    relation: Relation, new: Name, in_use: NamesInUse
) -> Iterable[tuple[str, str]]:
    """The sequences of the table's columns that are named after the table."""
    for column in relation.columns:
        owner = f"{quote_name(relation.qualified)}.{column.name}"
        for sequence in in_use.sequences.get(owner, ()):
            name = follow(sequence.name, relation.name, new.name)
            if name != sequence.name and Name(sequence.schema, name) not in in_use.relations:
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
    keeps_name = change.old == change.new
    if keeps_name:
        yield Obstacle(
            str(table),
            KEEPS_ITS_NAME,
            "Give it another name in standard.toml for the online strategy.",
            online_only=True,
        )
    if not converted:
        return
    if relation.partition_bound is not None:
        yield Obstacle(
            str(table),
            f"is a partition of {relation.parents[0]}, and is converted with it",
            f"Name {relation.parents[0]} in standard.toml in its place.",
        )
    elif relation.parents or (relation.children and relation.kind != "p"):
        kin = relation.parents or relation.children
        yield Obstacle(
            str(table),
            f"shares columns with {', '.join(kin)} by inheritance, and such a table cannot "
            "be converted",
            "Leave its paragraph out of standard.toml, or partition it by declaration before.",
        )
    # What else keeps it from being converted online is no news then.
    yield from (o for o in in_the_way(change, relation) if not (keeps_name and o.online_only))
    for index in change.indexes:
        if index.new_method != index.method and any(
            calls_function_on(index.method, column) for column in converted
        ):
            yield Obstacle(
                f"the index {index.old_name}",
                f"calls a function on a column whose values change: {index.method}",
                "Drop it before, and make it again for the new contract afterwards.",
            )
