"""ALTER COLUMN ... TYPE rewrites the table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.lint import suggest, tree
from runner.lint.model import Hit, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.lint.context import Context
    from runner.lint.steps import Step

_NUMBERS = re.compile(r"\((\d+)(?:,(-?\d+))?\)")
_SIMILAR = frozenset({"varchar", "text"})
_MAY_FIT = {
    "varchar": "a shorter varchar",
    "text": "varchar",
    "numeric": "a numeric of no more digits and the same scale",
}
_PRECISE = frozenset({"timestamp", "timestamptz", "time", "time with time zone", "interval"})


def _numbers(type_: str) -> tuple[int, ...]:
    match = _NUMBERS.search(type_)
    return tuple(int(part) for part in match.groups() if part is not None) if match else ()


def keeps_rows(old: str, new: str) -> bool:
    """Whether PostgreSQL changes the type in the catalog alone."""
    if old == new:
        return True
    if old.endswith("[]") or new.endswith("[]"):
        return False
    before, after = _numbers(old), _numbers(new)
    one, other = tree.base_type(old), tree.base_type(new)
    if one in _SIMILAR and other in _SIMILAR:
        return not after or (one == "varchar" and bool(before) and after[0] >= before[0])
    if one != other:
        return (one, other) == ("cidr", "inet")
    if one == "numeric":
        scale = before[1:] or (0,)
        return not after or (
            bool(before) and after[0] >= before[0] and (after[1:] or (0,)) == scale
        )
    if one in (*_PRECISE, "varbit"):
        return not after or (bool(before) and after[0] >= before[0])
    return False


def _old_type(step: Step, context: Context) -> str:
    """The type before: of the chain, else what the rollback sets it back to."""
    known = context.world.table(step.table).columns.get(step.name)
    if known is not None and known.type:
        return known.type
    for other in context.pair.down.steps if context.pair.down else ():
        if other.verb == "AlterColumnType" and (other.table, other.name) == (step.table, step.name):
            return tree.type_name(getattr(other.node, "def").column_def.type_name)
    return ""


def _differ_by_zone(old: str, new: str) -> bool:
    """Whether it is timestamp and timestamptz of the same precision; an unknown type may be."""
    zoned = {"timestamp", "timestamptz"}
    if not old:
        return tree.base_type(new) in zoned
    types = {tree.base_type(old), tree.base_type(new)}
    return types == zoned and _numbers(old) == _numbers(new)


def _check(step: Step, context: Context) -> Iterator[Hit]:
    if step.target == "TYPE":
        return
    definition = getattr(step.node, "def").column_def
    new, old = tree.type_name(definition.type_name), _old_type(step, context)
    using = definition.raw_default if definition.HasField("raw_default") else None
    uses = using is not None and tree.column(using) != step.name
    converted = uses or definition.HasField("coll_clause")  # Its indexes are built again.
    if not converted and (keeps_rows(old, new) if old else new in _SIMILAR):
        return
    if context.utc and _differ_by_zone(old, new):
        return  # The bytes are the same.
    shown = f"from {old} to {new}" if old else f"to {new}"
    may_fit = "" if old or uses else _MAY_FIT.get(tree.base_type(new), "")
    yield Hit(
        f"{step.table}.{step.name} becomes {new}, and no file shows what it was: only from"
        f" {may_fit} is this no work; else each row is read or written under ACCESS EXCLUSIVE"
        if may_fit
        else f"changing {step.table}.{step.name} {shown} rewrites the table and its indexes under"
        " ACCESS EXCLUSIVE, and breaks clients that still send the old type",
        level="warning" if may_fit else None,
        names={
            "type": suggest.type_(definition.type_name),
            "column": step.name,
        },
    )


RULE = Rule(
    name="alter-column-type",
    level="error",
    title="ALTER COLUMN ... TYPE rewrites the table",
    why="Unless the stored bytes stay the same (a longer varchar, varchar to text, a numeric of"
    " more digits and the same scale), every row is converted and every index on it built"
    " again, while nobody can read the table. A shorter varchar is checked row by row in the"
    " same way.",
    instead="""ALTER TABLE {table} ADD COLUMN {column:_new} {type};
-- keep both in step by a trigger, fill the old rows in batches, then swap the names:
ALTER TABLE {table} RENAME COLUMN {column} TO {column:_old};
ALTER TABLE {table} RENAME COLUMN {column:_new} TO {column};""",
    flagged=(
        "ALTER TABLE orders ALTER COLUMN id TYPE bigint;",
        "ALTER TABLE users ALTER COLUMN id TYPE uuid USING id::uuid;",
        "CREATE TABLE t (c varchar(50));\n-- file: 0002_shorter.sql\n"
        "ALTER TABLE t ALTER COLUMN c TYPE varchar(20);",
        "ALTER TABLE users ALTER COLUMN name TYPE text USING upper(name);",
        "ALTER TABLE orders ALTER COLUMN n TYPE numeric(12,4);",
        "CREATE TABLE t (c numeric(10,2));\n-- file: 0002_scale.sql\n"
        "ALTER TABLE t ALTER COLUMN c TYPE numeric(12,4);",
    ),
    passed=(
        "CREATE TABLE t (c varchar(50));\n-- file: 0002_longer.sql\n"
        "ALTER TABLE t ALTER COLUMN c TYPE varchar(100);",
        "ALTER TABLE users ALTER COLUMN name TYPE text;",
        "CREATE TABLE t (c numeric(10,2));\n-- file: 0002_digits.sql\n"
        "ALTER TABLE t ALTER COLUMN c TYPE numeric(12,2);",
    ),
    step=_check,
    verbs=frozenset({"AlterColumnType"}),
    window=False,
    squawk=("changing-column-type",),
)
