"""A CHECK that rows which are there break."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.definitions import allowed_values, check_expression
from runner.lint.model import Hit, Rule
from runner.lint.values import meets, spelled_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step
    from runner.lint.world import Constraint, Table


def _check(step: Step, context: Context) -> Iterator[Hit]:
    table = context.world.table(step.table)
    if step.verb == "ValidateConstraint":
        checks = [k for k in table.constraints if k.name == step.name and k.kind == "CHECK"]
    else:
        checks = []
    expression = check_expression(checks[0].step) if checks else check_expression(step)
    if expression is None or (step.verb == "AddConstraint" and _is_not_valid(step)):
        return
    columns = tree.columns_of(expression)
    column = next(iter(columns)) if len(columns) == 1 else ""
    if not column or _is_converted(column, step, context):
        return
    known = table.columns.get(column)
    if known is not None and known.born is context.script:
        return
    if spelled_column(expression) == column:
        example = known.default if known and isinstance(known.default, str) else ""
        shown = f", such as its default {example!r}" if example else ""
        reason = f"no file converts {column}: each value in another spelling{shown} stops it"
    elif values := _values_before(table, column, expression, checks):
        reason = f"{', '.join(map(repr, values))} was let in before, and no file converts it"
    else:
        return
    yield Hit(
        f"this fails on the rows of {step.table} that break it: {reason}",
        names={"column": column, "broken": suggest.Sql(f"NOT ({suggest.expression(expression)})")},
    )


def _is_not_valid(step: Step) -> bool:
    return bool(getattr(step.node, "def").constraint.skip_validation)


def _values_before(
    table: Table, column: str, expression: object, checks: list[Constraint]
) -> list[str]:
    """The values that an older CHECK of the column lets in and this one does not."""
    before = [k for k in table.constraints if k.kind == "CHECK" and k not in checks]
    values = {value for k in before for value in allowed_values(k.step, column)}
    return sorted(value for value in values if meets(expression, column, value) is False)[:3]


def _is_converted(column: str, step: Step, context: Context) -> bool:
    """Whether an earlier step writes to the column, by itself or in a body."""
    word = re.compile(rf"\b{re.escape(column)}\b", re.IGNORECASE)
    for pair in context.chain.pairs:
        for other in pair.up.steps:
            if other is step:
                return False
            if other.verb == "Update" and other.table == step.table:
                written = {tree.inner(target).name for target in other.node.target_list}
                if column in written:
                    return True
            if other.verb == "Delete" and other.table == step.table:
                return True
            if other.verb in ("Do", "Call", "CreateFunction") and word.search(other.statement.text):
                return True
    return False


RULE = Rule(
    name="check-dirty-rows",
    level="error",
    title="A CHECK that rows which are there break",
    why="A CHECK is validated against every row. Rows from before it have the old values until a"
    " file converts them, and the first that breaks it stops the migration.",
    instead="""-- first convert them, in batches; these are left:
SELECT count(*) FROM {table} WHERE {broken};""",
    flagged=(
        "CREATE TABLE t (state text DEFAULT 'open');\n-- file: 0002_check.sql\n"
        "ALTER TABLE t ADD CONSTRAINT c CHECK (state = upper(state)) NOT VALID;\n"
        "-- file: 0003_validate.sql\nALTER TABLE t VALIDATE CONSTRAINT c;",
        "CREATE TABLE t (state text);\n"
        "ALTER TABLE t ADD CONSTRAINT a CHECK (state IN ('open', 'shut'));\n"
        "-- file: 0002_check.sql\nALTER TABLE t ADD CONSTRAINT b CHECK (state IN ('OPEN'));",
    ),
    passed=(
        "CREATE TABLE t (state text);\n-- file: 0002_check.sql\n"
        "ALTER TABLE t ADD CONSTRAINT c CHECK (state = upper(state)) NOT VALID;\n"
        "-- file: 0003_fill.sql\nUPDATE t SET state = upper(state) WHERE id < 1000;\n"
        "-- file: 0004_validate.sql\nALTER TABLE t VALIDATE CONSTRAINT c;",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (n > 0) NOT VALID;\n"
        "-- file: 0002_validate.sql\nALTER TABLE t VALIDATE CONSTRAINT c;",
    ),
    step=_check,
    verbs=frozenset({"AddConstraint", "ValidateConstraint"}),
)
