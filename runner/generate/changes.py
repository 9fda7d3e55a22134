"""standard + catalog -> what changes in each table."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping

from runner.catalog import Catalog, Relation
from runner.errors import StandardError
from runner.generate.closure import Closure
from runner.generate.column_change import ColumnChange
from runner.generate.kinds import check, column, foreign_key, index, partition, sequence, uuid
from runner.generate.kinds.naming import NamesInUse, names_taken
from runner.generate.model import ForeignKeyChange, TableChange
from runner.quoting import Name, quote_literal, shorten
from runner.standard.model import EnumStandard, Standard, TableStandard


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
    tables = [t for t in standard.tables if not is_converted(standard, t, catalog)]
    taken = names_taken(catalog)
    standards = {Name(t.schema, t.old): t for t in tables}
    new_names = {Name(t.schema, t.old): Name(t.schema, t.name) for t in tables}
    columns = uuid.spelled_alike(
        {
            Name(t.schema, t.old): column.change(t, _relation(t, catalog, taken), catalog)
            for t in tables
        },
        catalog,
    )
    foreign_keys = {
        name: tuple(foreign_key.change(catalog.relations[name], new_names, columns))
        for name in columns
    }
    old_names = {new: old for old, new in new_names.items()}
    units = _units(foreign_keys, old_names, Closure(catalog, columns, new_names).ties)
    at_expand = {units[name] for name in columns if standards[name].at_expand}
    in_use = NamesInUse.of(catalog)
    changes = []
    for name in _parents_first(columns, foreign_keys, old_names):
        relation, new = catalog.relations[name], new_names[name]
        changed = tuple(
            foreign_key.with_parent(c, relation, foreign_keys[name], old_names, columns)
            for c in columns[name]
        )
        if not changed and name == new and not standards[name].columns:
            if [*check.of_integers(standards[name], relation)]:
                raise StandardError(
                    f"{name} gets nothing but CHECKs of integers",
                    hint="Add them in a migration of your own; trueup converts tables.",
                )
            continue
        changes.append(
            TableChange(
                old=name,
                new=new,
                apart=apart(standard, standards[name]),
                relation=relation,
                columns=changed,
                indexes=tuple(index.change(relation, new, changed, taken[new.schema])),
                foreign_keys=foreign_keys[name],
                unit=units[name],
                marker=Name(
                    "trueup", shorten(standard.own_prefix(name.schema) + name.name, "_used")
                ),
                own_stem=standard.own_prefix(new.schema) + new.name,
                stem=standard.prefix(name.schema) + new.name,
                prefix=standard.prefix(name.schema),
                renamed=standards[name].columns,
                sequences=tuple(sequence.change(relation, new, in_use)),
                owned=tuple(sequence.owned(relation, in_use)),
                integer_checks=tuple(check.of_integers(standards[name], relation)),
                checks=tuple(check.change(relation, new, changed, standards[name].columns)),
                partitions=partition.change(relation, changed, catalog, taken),
                at_expand=units[name] in at_expand,
            )
        )
    _require_own_names(changes)
    return tuple(changes)


def _require_own_names(changes: Iterable[TableChange]) -> None:
    """No two tables share what trueup makes for one of them."""
    owners: dict[str, TableChange] = {}
    for change in changes:
        made = [change.marker, change.sync, change.sync_switched, change.sync_back]
        made += [change.sides, change.reversal, change.forget]
        for name in (n.name for n in made):
            other = owners.setdefault(name, change)
            if other is not change:
                raise StandardError(
                    f"{other.old} and {change.old} would both have trueup.{name}, which trueup "
                    "makes for one table",
                    hint="Rename one of them before.",
                )


def outside_references(standard: Standard, catalog: Catalog) -> list[ForeignKeyChange]:
    """The foreign keys of tables that the standard leaves alone, to tables that it changes.

    Raises:
        StandardError: one of them refers to a column that is converted.
    """
    tables = {
        Name(t.schema, t.old): t for t in standard.tables if not is_converted(standard, t, catalog)
    }
    referring = [
        relation
        for relation in catalog.tables
        if relation.qualified not in tables
        and any(k.references in tables for k in relation.constraints)
    ]
    if not referring:
        return []
    new_names = {name: Name(t.schema, t.name) for name, t in tables.items()}
    taken = names_taken(catalog)
    columns = {
        name: column.change(t, _relation(t, catalog, taken), catalog) for name, t in tables.items()
    }
    changed = set(new_names.values())
    return [
        key
        for relation in referring
        for key in foreign_key.change(
            relation,
            ChainMap({relation.qualified: relation.qualified}, new_names),
            ChainMap({relation.qualified: ()}, columns),
        )
        if key.references in changed
    ]


def apart(standard: Standard, table: TableStandard) -> Name:
    """Where the new contract of a table stands from expand until its old name goes."""
    kept = table.old == table.name
    return Name(standard.transition(table.schema) if kept else table.schema, table.name)


def is_converted(standard: Standard, table: TableStandard, catalog: Catalog) -> bool:
    """Whether a table is on its way: its new contract is there, beside the old one or alone."""
    old = catalog.relations.get(Name(table.schema, table.old))
    new = catalog.relations.get(apart(standard, table))
    if new is None:
        has_name_alone = table.old == table.name and old is not None and old.kind in "rp"
        return has_name_alone and old is not None and has_new_contract(table, old)
    return old is None or old.kind == "v" or shows_new_contract(table, old, new)


def has_new_contract(table: TableStandard, relation: Relation) -> bool:
    """Whether a table that keeps its name, which so does not tell, has the new contract.

    Args:
        table: its standard.
        relation: the table.
    """
    done = conversions(table, relation)
    return bool(done) and all(done)


def conversions(table: TableStandard, relation: Relation) -> list[bool]:
    """Whether each change of a table is there that the table itself can tell.

    Args:
        table: its standard.
        relation: the table.
    """
    columns = [relation.column(name) for name in table.uuids]
    done = [column is not None and column.type == "uuid" for column in columns]
    done += [_lists(relation, name, e, quote_literal) for name, e in table.enums.items()]
    done += [
        _lists(relation, name, path.enum, lambda value: f'"{value}"')
        for name, paths in table.json.items()
        for path in paths
    ]
    done += [
        relation.column(new) is not None and relation.column(old) is None
        for old, new in table.columns.items()
    ]
    return done


def _lists(
    relation: Relation, column: str, wanted: EnumStandard, printed: Callable[[str], str]
) -> bool:
    """Whether a CHECK on a column lists the values of the new contract, as they are printed."""
    values = [printed(value) for value in wanted.values]
    return any(
        k.kind == "c" and k.columns == (column,) and all(v in k.definition for v in values)
        for k in relation.constraints
    )


def shows_new_contract(table: TableStandard, old: Relation, new: Relation) -> bool:
    """Whether a view shows the new contract of a table that has its old name still.

    Args:
        table: its standard.
        old: the table.
        new: what has the new name.
    """
    shown = [d.column or "" for d in old.dependents if (d.kind, d.host) == ("view", new.qualified)]
    converts = table.uuids or table.enums or table.json
    return new.kind == "v" and any(not converts or column.endswith("__new") for column in shown)


def _relation(table: TableStandard, catalog: Catalog, taken: Mapping[str, set[str]]) -> Relation:
    name = Name(table.schema, table.old)
    relation = catalog.relations.get(name)
    if relation is None or relation.kind not in "rp":
        raise StandardError(
            f"the standard names the table {name}, which the database does not have",
            hint="Correct the name in standard.toml, or the database that --dsn names.",
        )
    if table.name != table.old and table.name in taken[table.schema]:
        raise StandardError(
            f"{name} cannot become {table.schema}.{table.name}: that name is taken",
            hint="Give the table another name in standard.toml.",
        )
    converted = (*table.uuids, *table.enums, *table.json)
    named = (*converted, *table.columns, *table.keep_original, *table.integers)
    for wanted in named:
        if relation.column(wanted) is None:
            raise StandardError(
                f"the standard names the column {name}.{wanted}, which the table does not have"
            )
    column.require_fitting_types(table, relation, catalog)
    for old, new in table.columns.items():
        if old in converted:
            raise StandardError(f"{name}.{old} cannot get another name and be converted at once")
        if relation.column(new) is not None:
            raise StandardError(f"{name}.{old} cannot become {new}: the table has such a column")
        if any(old in i.columns and {*converted} & {*i.columns} for i in relation.indexes):
            raise StandardError(
                f"{name}.{old} cannot become {new}: an index holds it with a converted column"
            )
    return relation


def _units(
    foreign_keys: Mapping[Name, tuple[ForeignKeyChange, ...]],
    old_names: Mapping[Name, Name],
    ties: Iterable[frozenset[Name]],
) -> dict[Name, int]:
    """Number the closures of tables that converted foreign keys or one object tie together."""
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
    for first, *others in map(sorted, ties):
        for other in others:
            root[find(first)] = find(other)
    numbers: dict[Name, int] = {}
    return {name: numbers.setdefault(find(name), len(numbers)) for name in foreign_keys}


def _parents_first(
    columns: Mapping[Name, tuple[ColumnChange, ...]],
    foreign_keys: Mapping[Name, tuple[ForeignKeyChange, ...]],
    old_names: Mapping[Name, Name],
) -> list[Name]:
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
