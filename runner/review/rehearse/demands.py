"""What rows must meet because the files are going to ask for it: keys and checks to come.

It is found by running the files on empty tables, where nothing breaks them, and looking at what
stands on the columns that were there before. Tables and columns are told by their numbers in the
catalog, so a rename hides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection

from runner.catalog import Catalog, Column, Constraint, Index, Relation
from runner.quoting import Name

_COLUMNS = """
SELECT a.attrelid::bigint, a.attnum, n.nspname, c.relname, a.attname
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""
_RULES = """
SELECT c.contype::text, c.conrelid::bigint, c.conkey::int[], c.confrelid::bigint, c.confkey::int[],
    pg_catalog.pg_get_expr(c.conbin, c.conrelid)
FROM pg_catalog.pg_constraint AS c
WHERE c.contype IN ('c', 'f') AND c.conparentid = 0
UNION ALL
SELECT 'u', i.indrelid::bigint, i.indkey::int[], 0, NULL, NULL
FROM pg_catalog.pg_index AS i
WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
UNION ALL
SELECT 'n', a.attrelid::bigint, ARRAY[a.attnum::int], 0, NULL, NULL
FROM pg_catalog.pg_attribute AS a
WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped
"""

_Place = tuple[int, int]  # a table's oid and a column's number


@dataclass(frozen=True)
class Rule:
    """A constraint that files will put on columns that are there.

    Args:
        kind: c, f, u or n, as in pg_constraint.contype.
        table: the table, by its name of before.
        columns: its columns, by their names of before.
        references: of a foreign key, the other table.
        referenced: of a foreign key, the other table's columns.
        check: of a CHECK, its expression; empty when it names columns by other names.
    """

    kind: str
    table: Name
    columns: tuple[str, ...]
    references: Name | None = None
    referenced: tuple[str, ...] = ()
    check: str = ""


@dataclass
class Lookout:
    """Collects rules while files run on empty tables.

    Args:
        connection: to the database, before the first file.
    """

    connection: Connection[Any]

    def __post_init__(self) -> None:
        """Remember what is there before."""
        self._before = _columns(self.connection)
        self._known = set(self._read(self._before))
        self.rules: dict[Rule, None] = {}

    def look(self) -> None:
        """Add what has come since."""
        self.rules.update(
            dict.fromkeys(rule for rule in self._read(self._before) if rule not in self._known)
        )

    def _read(self, before: Mapping[_Place, tuple[Name, str]]) -> list[Rule]:
        now = _columns(self.connection)
        found = []
        for kind, oid, numbers, other, others, check in self.connection.execute(_RULES):
            places = [(oid, number) for number in numbers or ()]
            targets = [(other, number) for number in others or ()]
            if not places or not all(place in before for place in (*places, *targets)):
                continue
            # The expression speaks in the names of now.
            same = all(before[place][1] == now[place][1] for place in places if place in now)
            found.append(
                Rule(
                    kind,
                    before[places[0]][0],
                    tuple(before[place][1] for place in places),
                    before[targets[0]][0] if targets else None,
                    tuple(before[target][1] for target in targets),
                    check if check and same else "",
                )
            )
        return found


def _columns(connection: Connection[Any]) -> dict[_Place, tuple[Name, str]]:
    return {
        (oid, number): (Name(schema, table), column)
        for oid, number, schema, table, column in connection.execute(_COLUMNS)
    }


def with_rules(catalog: Catalog, rules: list[Rule]) -> Catalog:
    """The catalog as if its tables had the rules already."""
    relations = dict(catalog.relations)
    for rule in rules:
        table = relations.get(rule.table)
        if table is not None:
            relations[rule.table] = _ruled(table, rule)
    return replace(catalog, relations=relations)


def _ruled(table: Relation, rule: Rule) -> Relation:
    if rule.kind == "n":
        columns: tuple[Column, ...] = tuple(
            replace(c, not_null=True) if c.name in rule.columns else c for c in table.columns
        )
        return replace(table, columns=columns)
    if rule.kind == "u":
        index = Index("", "", rule.columns, unique=True, valid=True)
        return replace(table, indexes=(*table.indexes, index))
    constraint = Constraint(
        "",
        rule.kind,
        f"CHECK ({rule.check})" if rule.kind == "c" else "FOREIGN KEY",
        rule.columns,
        validated=False,
        references=rule.references,
        referenced_columns=rule.referenced,
    )
    return replace(table, constraints=(*table.constraints, constraint))
