"""What each step changes in what is known of the database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import tree
from runner.lint.blocks import block_text
from runner.lint.definitions import Part, contype, has_serial_type, index_columns, parts
from runner.lint.world import Constraint, Index, Table, View, World, WrittenColumn
from runner.quoting import unquote_literal

if TYPE_CHECKING:
    from runner.lint.layouts import Script
    from runner.lint.steps import Step
    from runner.lint.tree import Node


_LITERAL = re.compile(r"E?'(?:[^']|'')*'")
_REMEMBERED = frozenset({"PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUSION", "NOTNULL"})


def apply(world: World, step: Step, script: Script) -> None:
    """Remember what a step does.

    Args:
        world: what is known before the step, changed in place.
        step: the step.
        script: its file.
    """
    handler = _HANDLERS.get(step.verb)
    if handler is not None:
        handler(world, step, script)


def _constraint(
    node: Node, step: Step, script: Script, column: str, kind: str
) -> Constraint | None:
    if kind not in _REMEMBERED:
        return None
    columns = tree.strings(node.fk_attrs if kind == "FOREIGN" else node.keys) or (column,)
    references: tuple[str, tuple[str, ...]] = ("", ())
    mentions: frozenset[str] = frozenset()
    if kind == "CHECK":
        columns = tuple(sorted(tree.proves_not_null(node.raw_expr)))
        mentions = tree.columns_of(node.raw_expr)
    elif kind == "FOREIGN":
        references = (tree.relation(node.pktable), tree.strings(node.pk_attrs))
    return Constraint(
        node.conname,
        kind,
        columns,
        not node.skip_validation,
        references,
        step,
        script,
        mentions,
        written=bool(node.conname),
        deferrable=node.deferrable,
    )


def _define_column(
    table: Table, defined: Part, step: Step, script: Script, *, serial: bool
) -> None:
    numbered = serial and has_serial_type(defined.node)
    column = WrittenColumn(defined.node, numbered, numbered, script)
    table.columns[defined.name] = column
    for kind, part in defined.constraints:
        if kind == "IDENTITY":
            column.numbered = column.not_null = True
        if kind == "NOTNULL":
            column.not_null = True
            continue
        if kind == "DEFAULT":
            column.default_node = part.raw_expr
        elif kind in ("ATTR_DEFERRABLE", "ATTR_DEFERRED") and table.constraints:
            table.constraints[-1].deferrable = True
        constraint = _constraint(part, step, script, defined.name, kind)
        if constraint is None:
            continue
        if kind == "PRIMARY":
            column.not_null = True
        _add(table, constraint)


def _add(table: Table, constraint: Constraint) -> None:
    if not constraint.name:
        parts = [tree.bare(table.name)]
        if constraint.kind != "PRIMARY":
            parts += (
                sorted(constraint.mentions)[:1]
                if constraint.kind == "CHECK"
                else constraint.columns
            )
        ending = {"PRIMARY": "pkey", "UNIQUE": "key", "CHECK": "check", "FOREIGN": "fkey"}
        constraint.name = "_".join([*parts, ending.get(constraint.kind, "excl")])
    table.constraints.append(constraint)
    if constraint.kind == "PRIMARY":
        for name in constraint.columns:
            table.column(name).not_null = True


def _create(world: World, step: Step, script: Script) -> None:
    node = step.node
    if node.if_not_exists and step.table in world.tables and world.tables[step.table].known:
        return
    sure = not (step.hidden or node.if_not_exists or node.HasField("of_typename"))
    table = Table(
        step.table, known=True, born=script, partitioned=node.HasField("partspec"), sure=sure
    )
    keys = [tree.inner(item).name for item in node.partspec.part_params]
    table.partition_key = tuple(keys) if all(keys) else ()
    for item in node.inh_relations:
        parent = world.tables.get(tree.relation(tree.inner(item)))
        table.sure = False  # What is done to the parent is done to it.
        if parent is not None:
            table.columns |= parent.columns
            table.known = parent.known
    world.tables[step.table] = table
    if step.may_hold("like"):
        like = any(tree.kind(tree.inner(item)) == "TableLikeClause" for item in node.table_elts)
        table.known, table.sure = table.known and not like, table.sure and not like

    def define(of: Table) -> None:
        serial = step.may_hold("serial")
        for part in parts(step):
            if part.name:
                _define_column(of, part, step, script, serial=serial)
            elif constraint := _constraint(part.node, step, script, "", part.constraints[0][0]):
                _add(of, constraint)

    table.written, table.define = step, define
    if node.inh_relations:
        table.settle()
    if node.partbound.is_default:
        world.table(tree.relation(tree.inner(node.inh_relations[0]))).rest = step.table


def _attach(world: World, step: Step, script: Script) -> None:
    command = getattr(step.node, "def").partition_cmd
    if step.target != "INDEX" and command.bound.is_default:
        world.table(step.table).rest = tree.relation(command.name)


def _detach(world: World, step: Step, script: Script) -> None:
    table = world.table(step.table)
    if tree.relation(getattr(step.node, "def").partition_cmd.name) == table.rest:
        table.rest = ""


def _create_as(world: World, step: Step, script: Script) -> None:
    empty = step.target == "MATVIEW" and step.node.into.skip_data
    table = Table(step.table, born=script, unfilled=empty)
    query = tree.inner(step.node.query)
    names = [tree.output_name(tree.inner(item)) for item in getattr(query, "target_list", ())]
    if all(names) and not tree.strings(step.node.into.col_names):
        table.known = True
        table.columns = {name: WrittenColumn(born=script) for name in names}
    world.tables[step.table] = table


def _refresh(world: World, step: Step, script: Script) -> None:
    world.table(step.table).unfilled = step.node.skip_data


def _add_column(world: World, step: Step, script: Script) -> None:
    table = world.table(step.table)
    if step.node.missing_ok and table.sure and step.name in table.columns:
        return
    _define_column(table, parts(step)[0], step, script, serial=step.may_hold("serial"))


def _add_constraint(world: World, step: Step, script: Script) -> None:
    node = getattr(step.node, "def").constraint
    constraint = _constraint(node, step, script, "", contype(node))
    if constraint is None:
        return
    table = world.table(step.table)
    if node.indexname:
        index = world.index(tree.beside(step.table, node.indexname))
        constraint.columns = index.columns if index is not None else constraint.columns
        constraint.name, constraint.written = node.conname or node.indexname, True
    if constraint.kind == "NOTNULL" and constraint.validated:
        table.column(constraint.columns[0]).not_null = True
    _add(table, constraint)


def _validate(world: World, step: Step, script: Script) -> None:
    for constraint in world.table(step.table).constraints:
        if constraint.name == step.name:
            constraint.validated = True


def _drop_constraint(world: World, step: Step, script: Script) -> None:
    table = world.table(step.table)
    table.constraints = [k for k in table.constraints if k.name != step.name]


def _drop_column(world: World, step: Step, script: Script) -> None:
    table = world.table(step.table)
    table.columns.pop(step.name, None)
    table.constraints = [
        k for k in table.constraints if step.name not in k.columns and step.name not in k.mentions
    ]
    for name in [
        n for n, i in world.indexes.items() if i.table == step.table and step.name in i.columns
    ]:
        del world.indexes[name]


def _set_not_null(world: World, step: Step, script: Script) -> None:
    world.table(step.table).column(step.name).not_null = True


def _drop_not_null(world: World, step: Step, script: Script) -> None:
    world.table(step.table).column(step.name).not_null = False


def _set_default(world: World, step: Step, script: Script) -> None:
    column = world.table(step.table).column(step.name)
    column.default_node = getattr(step.node, "def") if step.node.HasField("def") else None


def _alter_type(world: World, step: Step, script: Script) -> None:
    definition = getattr(step.node, "def").column_def
    column = world.table(step.table).column(step.name)
    column.type, column.converted = tree.type_name(definition.type_name), True


def _index(world: World, step: Step, script: Script) -> None:
    node = step.node
    columns = index_columns(node.index_params)
    name = node.idxname or "_".join([tree.bare(step.table), *columns, "idx"])
    world.add_index(Index(name, step.table, columns, node.HasField("where_clause"), node.unique))


def _drop(world: World, step: Step, script: Script) -> None:
    if step.target == "INDEX":
        world.indexes.pop(world.index_key(step.name), None)
    elif step.target == "VIEW":
        if view := world.views.pop(step.table, None):
            view.dropped = True
    elif step.target in ("TABLE", "MATVIEW"):
        world.tables.pop(step.table, None)
        for key in [k for k, index in world.indexes.items() if index.table == step.table]:
            del world.indexes[key]


def _rename(world: World, step: Step, script: Script) -> None:
    node = step.node
    for view in world.views.values() if step.target in ("TABLE", "COLUMN") else ():
        view.moved = view.moved or step.table in view.tables
    if step.target in ("TABLE", "MATVIEW"):
        _move(world, step.table, tree.beside(step.table, node.newname))
    elif step.target == "COLUMN" and step.table in world.views:
        world.views[step.table].columns = ()
    elif step.target == "COLUMN":
        table = world.table(step.table)
        column = table.columns.pop(node.subname, WrittenColumn())
        column.renamed = True
        table.columns[node.newname] = column
        swap = {node.subname: node.newname}
        for constraint in table.constraints:
            constraint.columns = tuple(swap.get(c, c) for c in constraint.columns)
        for index in world.indexes.values():
            if index.table == step.table:
                index.columns = tuple(swap.get(c, c) for c in index.columns)
    elif step.target == "TABCONSTRAINT":
        for constraint in world.table(step.table).constraints:
            if constraint.name == node.subname:
                constraint.name = node.newname
    elif step.target == "INDEX":
        if renamed := world.indexes.pop(world.index_key(step.table), None):
            renamed.name = node.newname
            world.add_index(renamed)
        for table in world.tables.values():
            for constraint in table.constraints:
                if tree.beside(table.name, constraint.name) == step.table:
                    constraint.name, constraint.written = node.newname, True


def _move(world: World, old: str, new: tree.TableKey) -> None:
    table = world.tables.pop(old, None) or Table(old)
    table.settle()  # Constraints are called after the name that it had.
    table.name = new
    world.tables[new] = table
    world.renamed.pop(new, None)
    world.renamed[old] = new
    for place, index in [(k, i) for k, i in world.indexes.items() if i.table == old]:
        index.table = new
        del world.indexes[place]
        world.add_index(index)
    for _, key in world.foreign_keys():
        if key.references[0] == old:
            key.references = (new, key.references[1])


def _set_schema(world: World, step: Step, script: Script) -> None:
    for view in world.views.values():
        view.moved = view.moved or step.table in view.tables
    if step.target in ("TABLE", "MATVIEW"):
        _move(world, step.table, tree.table_key(step.name, tree.bare(step.table)))


def _view(world: World, step: Step, script: Script) -> None:
    tables = frozenset(
        tree.relation(n) for n in tree.walk(step.node.query) if tree.kind(n) == "RangeVar"
    )
    stands_for = world.renamed.get(step.table, "")
    before = world.views.get(step.table)
    view = View(
        step.table,
        step,
        script,
        tables,
        stands_for if stands_for in tables else "",
        columns=tree.output_names(step.node),
    )
    view.granted = before is not None and before.granted
    world.views[step.table] = view
    world.past_views.append(view)


def _grant(world: World, step: Step, script: Script) -> None:
    if step.node.is_grant and step.table in world.views:
        world.views[step.table].granted = True
    if step.node.is_grant and tree.enum_name(step.node, "targtype") == "ACL_TARGET_ALL_IN_SCHEMA":
        for view in world.views.values():
            view.granted = True


def _routine_call(world: World, step: Step, script: Script) -> None:
    """A routine that is given a view's name may copy the table's grants to it."""
    body = block_text(step.node) if step.verb == "Do" else step.statement.text
    for name, body_of in world.functions.items():
        if name in body:
            body += body_of
    if not re.search(r"\bGRANT\b", body, re.IGNORECASE):
        return
    # A name in a literal is quoted twice.
    texts = "\n".join([body, *map(unquote_literal, _LITERAL.findall(body))]).replace('""', '"')
    for view in world.views.values():
        if re.search(rf"(?<!\w){re.escape(view.name)}(?!\w)", texts):
            view.granted = True


def _create_function(world: World, step: Step, script: Script) -> None:
    world.functions[step.table] = block_text(step.node)
    volatility = tree.option(step.node.options, "volatility")
    if volatility is not None and tree.inner(volatility.arg).sval in ("immutable", "stable"):
        world.steady.add(step.table)


def _row_security(world: World, step: Step, script: Script) -> None:
    forced = step.verb == "ForceRowSecurity"
    world.table(step.table).forced_security = forced
    world.forces_security = world.forces_security or forced


def _enum(world: World, step: Step, script: Script) -> None:
    world.enum_types.add(step.table)
    world.new_types[step.table] = script


_HANDLERS = {
    "Create": _create,
    "AttachPartition": _attach,
    "DetachPartition": _detach,
    "CreateTableAs": _create_as,
    "RefreshMatView": _refresh,
    "AddColumn": _add_column,
    "AddConstraint": _add_constraint,
    "ValidateConstraint": _validate,
    "DropConstraint": _drop_constraint,
    "DropColumn": _drop_column,
    "SetNotNull": _set_not_null,
    "DropNotNull": _drop_not_null,
    "AlterColumnType": _alter_type,
    "ColumnDefault": _set_default,
    "Index": _index,
    "Drop": _drop,
    "Rename": _rename,
    "SetSchema": _set_schema,
    "View": _view,
    "Grant": _grant,
    "Call": _routine_call,
    "Do": _routine_call,
    "CreateFunction": _create_function,
    "CreateEnum": _enum,
    "ForceRowSecurity": _row_security,
    "NoForceRowSecurity": _row_security,
    "DisableRowSecurity": _row_security,
}
