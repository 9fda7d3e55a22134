"""The SQL of suggestions: names quoted, definitions written out again from the parse tree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from runner.lint import parser, tree
from runner.lint.blocks import shown_sql
from runner.lint.tree import TableKey
from runner.quoting import quote_ident, quote_literal, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.lint.steps import Step
    from runner.lint.tree import Node

# Columns of a type that other places of a tree name are stand-ins until deparsed.
_CAST = "SELECT NULL::"
_ADD = "ALTER TABLE t ADD "
# Before a partition is added beside the default one.
REST_IS_READ = """-- before it, in files of their own: a CHECK that {rest} has no such row,
-- NOT VALID, then
ALTER TABLE {rest} VALIDATE CONSTRAINT {check};"""


class Sql(str):
    """A piece of SQL that stands in a suggestion as it is."""

    __slots__ = ()


@dataclass(frozen=True)
class Identifier:
    """A name as a suggestion's template takes it.

    `{table}` is the name as SQL, `{table:_new}` the name with an ending, in the same schema, and
    `{table:'}` or `{table:_new'}` the same as a literal.

    Args:
        name: as the catalog holds it.
        schema: as the file writes it; empty when it writes none.
    """

    name: str
    schema: str = ""

    def __format__(self, spec: str) -> str:
        """The name as SQL."""
        name = shorten(shown_sql(self.name), spec.rstrip("'"))
        schema = f"{quote_ident(shown_sql(self.schema))}." if self.schema else ""
        text = schema + quote_ident(name)
        return quote_literal(text) if spec.endswith("'") else text


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill a template in.

    Args:
        template: SQL with `{table}`, `{column}` and the like.
        values: for each a name as the catalog holds it, a table, or a piece of SQL.

    Returns:
        The suggestion.
    """
    return template.format_map(_Parts(values))


class _Parts(dict[str, str]):
    """Values as a template takes them: those it does not ask for are not made."""

    def __getitem__(self, key: str) -> Any:
        return _part(super().__getitem__(key))


def _part(value: str) -> object:
    if isinstance(value, Sql):
        return value
    if isinstance(value, TableKey):
        return Identifier(value.name, value.schema)
    return Identifier(value)


def made(*parts: str) -> str:
    """A name made of others, as PostgreSQL makes them: without schemas, cut to 63 bytes."""
    words = [part.name if isinstance(part, TableKey) else part for part in parts]
    return shorten("_".join(word for word in words[:-1] if word), f"_{words[-1]}")


def listed(names: Iterable[str]) -> Sql:
    """Names as a list in SQL."""
    return Sql(", ".join(str(f"{Identifier(name)}") for name in names))


def literal(value: str) -> Sql:
    """A text as a literal."""
    return Sql(quote_literal(value))


def statement(node: Node, **changes: Any) -> Sql:
    """A statement written out again.

    Args:
        node: its tree, which stays as it is.
        changes: fields of the tree that are other in the text.

    Returns:
        The statement, its semicolon left out.
    """
    return Sql(_readable(parser.deparse(changed(node, **changes))))


def changed(node: Node, **changes: Any) -> Node:
    """A copy of a tree with other values in some fields; None empties a field."""
    copy = type(node)()
    copy.CopyFrom(node)
    for field, value in changes.items():
        if value is None:
            copy.ClearField(field)
        elif isinstance(value, list):
            copy.ClearField(field)
            for item in value:
                tree.wrap(item, getattr(copy, field).add())
        elif hasattr(value, "DESCRIPTOR"):
            tree.wrap(value, getattr(copy, field))
        else:
            setattr(copy, field, value)
    return copy


@cache
def _template(sql: str) -> Node:
    """A statement to be copied and changed."""
    return parser.parse(sql)[0][0]


def expression(node: Node) -> Sql:
    """An expression written out again."""
    select = changed(_template("SELECT NULL"))
    tree.wrap(tree.inner(node), select.target_list[0].res_target.val)
    return Sql(_readable(parser.deparse(select)).removeprefix("SELECT "))


def type_(node: Node) -> Sql:
    """A type written out again."""
    select = changed(_template("SELECT NULL::integer"))
    select.target_list[0].res_target.val.type_cast.type_name.CopyFrom(node)
    return Sql(parser.deparse(select).removeprefix(_CAST))


def definition(node: Node, **changes: Any) -> Sql:
    """A constraint or a column as it stands behind ADD.

    Args:
        node: its tree.
        changes: fields of the tree that are other in the text.

    Returns:
        Its definition.
    """
    is_column = tree.kind(node) == "ColumnDef"
    alter = changed(_template(_ADD + ("COLUMN a int" if is_column else "CHECK (a)")))
    tree.wrap(changed(node, **changes), getattr(alter.cmds[0].alter_table_cmd, "def"))
    text = parser.deparse(alter).removeprefix(_ADD).removeprefix("COLUMN ")
    return Sql(_readable(text))


def column_without(node: Node, *kinds: str) -> Sql:
    """A column's definition without constraints of these kinds."""
    kept = [
        tree.inner(item)
        for item in node.constraints
        if tree.enum_name(tree.inner(item), "contype").removeprefix("CONSTR_") not in kinds
    ]
    return definition(node, constraints=kept)


def alone(step: Step, node: Node | None = None) -> Sql:
    """A step of an ALTER TABLE as a statement of its own.

    Args:
        step: the step.
        node: what to write in place of its command.

    Returns:
        The statement.
    """
    command = step.node if node is None else node
    if tree.kind(command) != "AlterTableCmd":
        return statement(command)
    alter = changed(_template("ALTER TABLE t ADD a int"))
    alter.relation.CopyFrom(range_var(step.table))
    whole = step.statement.node
    if whole is not None and tree.kind(whole) == "AlterTableStmt":
        alter.relation.CopyFrom(whole.relation)
        alter.objtype = whole.objtype
    alter.cmds[0].alter_table_cmd.CopyFrom(command)
    return Sql(_readable(parser.deparse(alter)))


def range_var(table: str) -> Node:
    """A table as a statement names it."""
    identifier = _part(table)
    found = parser.parse("LOCK TABLE t")[0][0].relations[0].range_var
    if isinstance(identifier, Identifier):
        found.relname, found.schemaname = identifier.name, identifier.schema
    return found


def index_element(column: str) -> Node:
    """A plain column of an index."""
    element = parser.parse("CREATE INDEX ON t (a)")[0][0].index_params[0].index_elem
    element.name = column
    return element


def _readable(text: str) -> str:
    """Without what the deparser writes though nobody did."""
    return text.replace(" USING btree (", " (")


def not_valid(constraint: Node, name: str, **changes: Any) -> Sql:
    """A constraint under a name, NOT VALID.

    Args:
        constraint: its tree.
        name: for a constraint that has none yet.
        changes: further fields that are other in the text.

    Returns:
        Its definition, as it stands behind ADD.
    """
    return definition(
        constraint, conname=name, skip_validation=True, initially_valid=False, **changes
    )


def names_of(names: Iterable[str]) -> list[Node]:
    """Names as a parse tree holds a list of them."""
    found = []
    for name in names:
        node = tree.inner(parser.parse("COMMENT ON TABLE a IS ''")[0][0].object).items[0]
        node.string.sval = name
        found.append(node)
    return found


def bound(node: Node) -> Sql:
    """A partition's bounds: FOR VALUES ... or DEFAULT."""
    create = changed(_template("CREATE TABLE a PARTITION OF b DEFAULT"))
    create.partbound.CopyFrom(node)
    return Sql(parser.deparse(create).removeprefix("CREATE TABLE a PARTITION OF b "))


def tables(names: Iterable[str]) -> Sql:
    """Tables as a list in SQL."""
    return Sql(", ".join(fill("{table}", {"table": name}) for name in names))
