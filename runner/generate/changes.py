"""standard + catalog -> what changes in each table: the model that both strategies render."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.catalog import Catalog, Column, Constraint, Index, Name, Relation
from runner.errors import StandardError
from runner.generate.predicates import convert_literals, restate
from runner.quoting import quote_ident, quote_literal, quote_name, shorten
from runner.standard.model import EnumStandard, Standard, TableStandard


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows that cannot be converted: an SQL condition on the old column, and what is wrong."""

    condition: str
    reason: str


@dataclass(frozen=True, slots=True)
class Parent:
    """What a converted reference refers to.

    Args:
        table: the parent's new name.
        name: the parent's column.
        old_name: the same column on the old side.
        pairs: all columns of the foreign key, each with the parent's.
    """

    table: Name
    name: str
    old_name: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that is converted: in type, in value, or in both.

    `to_new` and `to_old` are SQL expressions in which `{}` stands for the value. `kept` names the
    new column that keeps the old value, when the standard wants one.
    """

    name: str
    old_name: str
    old_type: str
    new_type: str
    to_new: str
    to_old: str
    not_null: bool
    refusals: tuple[Refusal, ...]
    old_default: str | None = None
    new_default: str | None = None
    check_name: str | None = None
    check: str | None = None
    storage: tuple[str, ...] = ()  # SET STORAGE and SET COMPRESSION, where they are not the default
    values: tuple[str, ...] = ()  # of its enum
    parent: Parent | None = None
    kept: str | None = None

    def new_from(self, value: str) -> str:
        """The new value as SQL, from SQL that gives the old one."""
        return self.to_new.replace("{}", value)

    def old_from(self, value: str, original: str | None = None) -> str:
        """The old value as SQL, from SQL that gives the new one and what was kept of the old."""
        derived = self.to_old.replace("{}", value)
        if original is None:
            return derived
        return (
            f"CASE WHEN {self.new_from(original)} = {value}"
            f" THEN {original}::{self.old_type} ELSE {derived} END"
        )


@dataclass(frozen=True, slots=True)
class IndexChange:
    """An index that is built anew on converted columns, or that only gets a new name."""

    old_name: str
    build_name: str  # while the old one lives
    name: str
    unique: bool
    method: str  # the old definition from USING on
    new_method: str  # the same for the new contract's values
    converted: bool
    constraint: str | None  # "PRIMARY KEY", "UNIQUE" or None
    columns: tuple[str, ...]
    comment: str | None = None
    constraint_comment: str | None = None
    clustered: bool = False
    replica_identity: bool = False


@dataclass(frozen=True, slots=True)
class ForeignKeyChange:
    """A foreign key of a table of the standard: converted, or only renamed."""

    table: Name
    old_name: str
    name: str
    columns: tuple[str, ...]
    references: Name
    referenced_columns: tuple[str, ...]
    options: str  # what follows the referenced columns: MATCH, ON DELETE, DEFERRABLE ...
    converted: bool
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class TableChange:
    """A table on its way from the old to the new contract."""

    old: Name
    new: Name
    relation: Relation
    columns: tuple[ColumnChange, ...]
    indexes: tuple[IndexChange, ...]
    foreign_keys: tuple[ForeignKeyChange, ...]
    unit: int
    marker: str
    renamed: Mapping[str, str] = field(default_factory=dict)  # columns that only change their name
    sequences: tuple[tuple[str, str], ...] = ()  # old name, new name
    integer_checks: tuple[tuple[str, str, str], ...] = ()  # column, name, condition

    @property
    def converted(self) -> Mapping[str, ColumnChange]:
        """The converted columns by name."""
        return {c.name: c for c in self.columns}

    @property
    def anchor(self) -> ColumnChange | None:
        """A converted column that is never null: it tells who wrote a row, and what is done."""
        return next((c for c in self.columns if c.not_null), None)

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key's columns, empty when there is none."""
        key = self.relation.primary_key
        return key.columns if key else ()

    @property
    def moved(self) -> tuple[Column, ...]:
        """The unconverted columns that stand behind the first converted one.

        Rolling back contract makes them again too, so that the old physical order comes back.
        """
        converted, columns = self.converted, self.relation.columns
        first = next((i for i, c in enumerate(columns) if c.name in converted), len(columns))
        return tuple(c for c in self.relation.columns[first:] if c.name not in converted)


def plan_changes(standard: Standard, catalog: Catalog) -> tuple[TableChange, ...]:
    """Work out what changes in each table of the standard.

    Args:
        standard: the new contract.
        catalog: the database at the old contract.

    Returns:
        A change for each table that is not at the standard yet, parents first. A table of which
        only the new name is there has been converted before.

    Raises:
        StandardError: the standard does not fit the catalog.
    """
    tables = [t for t in standard.tables if not _is_converted(t, catalog)]
    standards = {Name(t.schema, t.old): t for t in tables}
    new_names = {Name(t.schema, t.old): Name(t.schema, t.name) for t in tables}
    columns = {Name(t.schema, t.old): _columns(t, _relation(t, catalog), catalog) for t in tables}
    foreign_keys = {
        name: tuple(_foreign_keys(catalog.relations[name], new_names, columns)) for name in columns
    }
    units = _units(foreign_keys, new_names)
    changes = []
    for name in _parents_first(columns, foreign_keys, new_names):
        relation, new = catalog.relations[name], new_names[name]
        changed = tuple(
            _with_parent(c, foreign_keys[name], new_names, columns) for c in columns[name]
        )
        if not changed and name == new and not standards[name].columns:
            continue
        changes.append(
            TableChange(
                old=name,
                new=new,
                relation=relation,
                columns=changed,
                indexes=tuple(_indexes(relation, new, changed, catalog)),
                foreign_keys=foreign_keys[name],
                unit=units[name],
                marker=shorten(name.name, "_used"),
                renamed=standards[name].columns,
                sequences=tuple(_sequences(relation, new, catalog)),
                integer_checks=tuple(_integer_checks(standards[name], relation)),
            )
        )
    return tuple(changes)


def _is_converted(table: TableStandard, catalog: Catalog) -> bool:
    old = catalog.relations.get(Name(table.schema, table.old))
    return (old is None or old.kind == "v") and Name(table.schema, table.name) in catalog.relations


def _relation(table: TableStandard, catalog: Catalog) -> Relation:
    name = Name(table.schema, table.old)
    relation = catalog.relations.get(name)
    if relation is None or relation.kind not in "rp":
        raise StandardError(
            f"the standard names the table {name}, which the database does not have",
            hint="Correct the name in standard.toml, or the database that --dsn names.",
        )
    if table.name != table.old and Name(table.schema, table.name) in catalog.relations:
        raise StandardError(
            f"{name} cannot become {table.schema}.{table.name}: that name is taken",
            hint="Give the table another name in standard.toml.",
        )
    named = (*table.uuids, *table.enums, *table.columns, *table.keep_original, *table.integers)
    for column in named:
        if relation.column(column) is None:
            raise StandardError(
                f"the standard names the column {name}.{column}, which the table does not have"
            )
    for old, new in table.columns.items():
        if old in table.uuids or old in table.enums:
            raise StandardError(f"{name}.{old} cannot get another name and be converted at once")
        if relation.column(new) is not None:
            raise StandardError(f"{name}.{old} cannot become {new}: the table has such a column")
        if any(
            old in i.columns and {*table.uuids, *table.enums} & {*i.columns}
            for i in relation.indexes
        ):
            raise StandardError(
                f"{name}.{old} cannot become {new}: an index holds it with a converted column"
            )
    return relation


def _columns(
    table: TableStandard, relation: Relation, catalog: Catalog
) -> tuple[ColumnChange, ...]:
    changes = []
    for column in relation.columns:
        if column.name in table.uuids and column.type != "uuid":
            changes.append(_uuid_change(column, relation))
        elif column.name in table.enums:
            check = table.checks.get(column.name) or shorten(
                f"{table.name}_{column.name}", "_check"
            )
            native = catalog.types.get(column.type_name) if column.type_name else None
            labels = native.labels if native else ()
            change = _enum_change(column, table.enums[column.name], check, labels)
            kept = table.keep_original.get(column.name)
            if kept is not None and relation.column(kept) is not None:
                raise StandardError(
                    f"{relation.qualified} has a column {kept} already, which is to keep the old "
                    f"values of {column.name}"
                )
            changes.append(replace(change, kept=kept))
    return tuple(changes)


def _uuid_change(column: Column, relation: Relation) -> ColumnChange:
    name = quote_ident(column.name)
    # uuid's input function does not take the blanks that pad a char(n); text has none.
    to_new = "{}::text::uuid" if column.type.startswith("character(") else "{}::uuid"
    value = to_new.replace("{}", name)
    refusals = [Refusal(f"NOT trueup.is_uuid({name})", "is not a uuid")]
    unique = (i for i in relation.indexes if i.unique and i.columns == (column.name,))
    if next(unique, None):
        refusals.append(
            Refusal(
                f"{value} IN (SELECT {value} FROM {quote_name(relation.qualified)}"
                f" GROUP BY 1 HAVING count(*) > 1)",
                "is the same uuid as another row",
            )
        )
    new_default = None
    if column.default is not None:
        call = re.fullmatch(r"\(?((?:\w+\.)?\w*uuid\w*\(\))\)?::.*", column.default)
        if not call:
            raise StandardError(
                f"the default of {relation.qualified}.{column.name} is {column.default}: only one "
                "that calls a function for a new uuid can be converted"
            )
        new_default = call[1]
    return ColumnChange(
        name=column.name,
        old_name=shorten(column.name, "__old"),
        old_type=short_type(column.type),
        new_type="uuid",
        old_default=column.default,
        new_default=new_default,
        to_new=to_new,
        to_old="{}::text",
        not_null=column.not_null,
        refusals=tuple(refusals),
        storage=_storage(column, is_text=True),
    )


def _enum_change(
    column: Column, enum: EnumStandard, check: str, labels: tuple[str, ...]
) -> ColumnChange:
    name = quote_ident(column.name)
    values = ", ".join(quote_literal(v) for v in enum.values)
    old_type, new_type = short_type(column.type), _enum_type(column, enum)
    is_text = not labels
    as_text = "{}" if is_text and not column.is_array else "{}::text"
    uppercase = any(labels) and all(label == label.upper() for label in labels)
    to_new, to_old = f"upper({as_text})", as_text if uppercase else f"lower({as_text})"
    if enum.mapping:
        if column.is_array:
            raise StandardError(f"{column.name} is an array, and {enum.name} maps values")
        to_new = _case(f"upper({as_text})", enum.mapping, otherwise=f"upper({as_text})")
    back = _values_back(enum, labels, uppercase=uppercase)
    if back:
        to_old = _case("{}", back, otherwise=to_old)
    if column.is_array:
        to_new, to_old = f"{to_new}::{new_type}", f"{to_old}::{old_type}"
        check_sql = f"{name} <@ ARRAY[{values}]::{new_type}"
        refused = f"NOT {to_new.replace('{}', name)} <@ ARRAY[{values}]::{new_type}"
    else:
        if not is_text:
            plain = to_old.replace("::text", "")
            to_old = (f"({plain})" if back else plain) + f"::{old_type}"
        check_sql = f"{name} IN ({values})"
        refused = f"{to_new.replace('{}', name)} NOT IN ({values})"
    old_default = column.default
    new_default = None
    if old_default is not None:
        literal = re.fullmatch(r"'((?:[^']|'')*)'::.*", old_default)
        if not literal:
            raise StandardError(
                f"the default of {column.name} is {old_default}: only a constant can be converted"
            )
        value = enum.mapping.get(literal[1].upper(), literal[1].upper())
        new_default = f"'{value}'" + ("::" + new_type if column.is_array else "")
        old_default = f"'{literal[1]}'" + ("" if is_text else f"::{old_type}")
    return ColumnChange(
        name=column.name,
        old_name=shorten(column.name, "__old"),
        old_type=old_type,
        new_type=new_type,
        to_new=to_new,
        to_old=to_old,
        not_null=column.not_null,
        refusals=(Refusal(refused, f"is not one of {', '.join(enum.values)}"),),
        old_default=old_default,
        new_default=new_default,
        check_name=check,
        check=check_sql,
        values=enum.values,
        storage=_storage(column, is_text=is_text or column.is_array),
    )


def _case(value: str, pairs: Mapping[str, str], *, otherwise: str) -> str:
    whens = " ".join(f"WHEN {quote_literal(a)} THEN {quote_literal(b)}" for a, b in pairs.items())
    return f"CASE {value} {whens} ELSE {otherwise} END"


def _values_back(enum: EnumStandard, labels: tuple[str, ...], *, uppercase: bool) -> dict[str, str]:
    """The old value of each new one that is not the same word."""
    back = {}
    for new in enum.values:
        sources = [old for old, mapped in enum.mapping.items() if mapped == new]
        if new in enum.back:
            back[new] = enum.back[new]
        elif sources and new not in {label.upper() for label in labels}:
            back[new] = sources[0] if uppercase else sources[0].lower()
    return back


def _sequences(relation: Relation, new: Name, catalog: Catalog) -> Iterable[tuple[str, str]]:
    """The sequences of the table's columns that are named after the table."""
    owners = {f"{quote_name(relation.qualified)}.{c.name}" for c in relation.columns}
    for sequence in catalog.relations.values():
        if sequence.kind == "S" and sequence.owned_by in owners:
            name = follow(sequence.name, relation.name, new.name)
            if name != sequence.name and Name(sequence.schema, name) not in catalog.relations:
                yield sequence.name, name


def _integer_checks(table: TableStandard, relation: Relation) -> Iterable[tuple[str, str, str]]:
    """The CHECKs of integer columns that have none yet."""
    for column, values in table.integers.items():
        if not any(k.kind == "c" and k.columns == (column,) for k in relation.constraints):
            name = table.checks.get(column) or shorten(f"{table.name}_{column}", "_check")
            yield column, name, f"{quote_ident(column)} IN ({', '.join(map(str, values))})"


def _storage(column: Column, *, is_text: bool) -> tuple[str, ...]:
    """What a change of type would make PostgreSQL forget about a column."""
    if not is_text:
        return ()
    names = {"p": "PLAIN", "m": "MAIN", "e": "EXTERNAL"}
    methods = {"p": "pglz", "l": "lz4"}
    found = []
    if column.storage in names:
        found.append(f"SET STORAGE {names[column.storage]}")
    if column.compression in methods:
        found.append(f"SET COMPRESSION {methods[column.compression]}")
    return tuple(found)


def _enum_type(column: Column, enum: EnumStandard) -> str:
    if column.is_array:
        return "varchar[]"
    length = re.fullmatch(r"character varying\((\d+)\)", column.type)
    return f"varchar({max(int(length[1]) if length else 50, *map(len, enum.values))})"


def short_type(type_name: str) -> str:
    """A type as people write it: varchar(36), timestamptz."""
    return type_name.replace("character varying", "varchar").replace(
        "timestamp with time zone", "timestamptz"
    )


def _foreign_keys(
    relation: Relation,
    new_names: Mapping[Name, Name],
    columns: Mapping[Name, tuple[ColumnChange, ...]],
) -> Iterable[ForeignKeyChange]:
    own = {c.name: c for c in columns[relation.qualified]}
    new = new_names[relation.qualified]
    for key in relation.constraints:
        if key.kind != "f" or key.references is None:
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


def _with_parent(
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


def _indexes(
    relation: Relation, new: Name, changes: Sequence[ColumnChange], catalog: Catalog
) -> Iterable[IndexChange]:
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


def follow(name: str, old: str, new: str) -> str:
    """Give a name that holds the table's old name the new one: `models_pkey` -> `model_pkey`."""
    return shorten(re.sub(rf"(?<![^_]){re.escape(old)}(?![^_])", lambda _: new, name, count=1))


def _units(
    foreign_keys: Mapping[Name, tuple[ForeignKeyChange, ...]], new_names: Mapping[Name, Name]
) -> dict[Name, int]:
    """Number the closures of tables that converted foreign keys tie together."""
    old_names = {new: old for old, new in new_names.items()}
    root = {name: name for name in foreign_keys}

    def find(name: Name) -> Name:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for name, keys in foreign_keys.items():
        for key in keys:
            if key.converted:
                root[find(name)] = find(old_names[key.references])
    numbers: dict[Name, int] = {}
    return {name: numbers.setdefault(find(name), len(numbers)) for name in foreign_keys}


def _parents_first(
    columns: Mapping[Name, tuple[ColumnChange, ...]],
    foreign_keys: Mapping[Name, tuple[ForeignKeyChange, ...]],
    new_names: Mapping[Name, Name],
) -> list[Name]:
    old_names = {new: old for old, new in new_names.items()}
    done: dict[Name, None] = {}
    for start in columns:
        stack = [(start, False)]
        seen: set[Name] = set()
        while stack:
            name, ready = stack.pop()
            if ready:
                done.setdefault(name)
            elif name not in seen and name not in done:
                seen.add(name)
                stack.append((name, True))
                stack += [
                    (old_names[k.references], False)
                    for k in foreign_keys[name]
                    if k.references in old_names
                ]
    return list(done)
