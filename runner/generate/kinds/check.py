"""A CHECK: the enum's own, and those over several columns in the words of the new contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner.catalog import Column, Relation
from runner.errors import StandardError
from runner.generate.column_change import ColumnChange, one_to_one
from runner.generate.files import File
from runner.generate.kinds import not_null
from runner.generate.kinds.naming import follow
from runner.generate.model import CheckChange, Obstacle, TableChange
from runner.generate.statement import (
    Statement,
    alter,
    comment_on_constraint,
    lock,
    setting,
)
from runner.generate.wording.conditions import in_new_words, is_about_case, is_list, of_column
from runner.generate.wording.predicates import Wording, check_condition
from runner.postgres.locks import LockMode
from runner.quoting import Name, quote_ident, quote_name, shorten, unused
from runner.standard.model import TableStandard

NEVER_VALIDATED = (
    "trueup: ignore not-valid-never-validated because the old CHECK was never validated either"
)


def change(
    relation: Relation, new: Name, changes: Sequence[ColumnChange], renamed: Mapping[str, str]
) -> Iterator[CheckChange]:
    """The CHECKs of a table and its domains that say something of a converted column.

    One that only lists the values of a column gives way to the enum's.

    Args:
        relation: the table.
        new: its new name.
        changes: its converted columns.
        renamed: its columns that only get another name.

    Raises:
        StandardError: it cannot be told what a CHECK would mean afterwards.
    """
    converted = {c.name: c for c in changes}
    taken = {k.name for k in relation.constraints}
    own = {name for c in changes for name, _ in c.checks}
    for constraint in relation.constraints:
        if constraint.kind != "c" or converted.keys().isdisjoint(constraint.columns):
            continue
        condition = check_condition(constraint.definition)
        if _gives_way(condition, constraint.columns, converted):
            continue
        what = f"the CHECK {constraint.name} of {relation.qualified}"
        if not renamed.keys().isdisjoint(constraint.columns):
            raise StandardError(
                f"{what} names a column that gets another name: {constraint.definition}",
                hint="Drop it first, and create it again for the new contract afterwards.",
            )
        name = follow(constraint.name, relation.name, new.name)
        if name in own:
            name = unused(name, "_rule", taken | own)
        elif name != constraint.name and name in taken:
            name = constraint.name
        yield CheckChange(
            old_name=constraint.name,
            build_name=unused(name, "__new", taken) if name == constraint.name else name,
            name=name,
            condition=reworded(what, condition, constraint.columns, relation, converted),
            columns=constraint.columns,
            validated=constraint.validated,
            comment=constraint.comment,
        )
    taken |= own
    for column in relation.columns:
        if column.name in converted:
            yield from _of_domain(column, relation, new, converted, taken)


def _of_domain(
    column: Column,
    relation: Relation,
    new: Name,
    converted: Mapping[str, ColumnChange],
    taken: set[str],
) -> Iterator[CheckChange]:
    """What a column's domain holds it to: the new column is none of the domain's."""
    for rule, definition in column.rules:
        condition = of_column(check_condition(definition), column.name)
        if _gives_way(condition, (column.name,), converted):
            continue
        if column.type.endswith("[]"):
            raise StandardError(
                f"{relation.qualified}.{column.name} is {column.type}, whose rule {rule} holds for "
                f"each element: {definition}",
                hint="Give the column a type that is no array of a domain before.",
            )
        name = unused(f"{new.name}_{column.name}", "_rule", taken)
        yield CheckChange(
            old_name="",
            build_name=name,
            name=name,
            condition=reworded(
                f"the rule {rule} of the domain of {relation.qualified}.{column.name}",
                condition,
                (column.name,),
                relation,
                converted,
            ),
            columns=(column.name,),
            validated=True,
        )


def _gives_way(
    condition: str, columns: Sequence[str], converted: Mapping[str, ColumnChange]
) -> bool:
    """Whether the enum's own CHECK says all that a CHECK said: which values there are."""
    if len(columns) != 1:
        return False
    column = converted[columns[0]]
    return column.check is not None and (
        is_list(condition, column.name) or is_about_case(condition, column.name)
    )


def reworded(
    what: str,
    condition: str,
    columns: Sequence[str],
    relation: Relation,
    converted: Mapping[str, ColumnChange],
) -> str:
    """A condition on a row's old values as one on its new ones.

    Args:
        what: whose condition it is, for errors.
        condition: as PostgreSQL prints it, in parentheses.
        columns: those that it mentions.
        relation: the table.
        converted: its converted columns by name.
    """
    mentioned = [converted[c] for c in columns if c in converted]
    enums = [c for c in mentioned if c.check]
    types = {c.name: c.type for c in relation.columns}
    wording = Wording(
        what,
        values={v for c in enums for v in c.values},
        mapping={old: target for c in enums for old, target in c.mapping.items()},
        native_types={types[c.name] for c in enums} - {"text", "character varying"},
        enum_columns={c.name for c in enums},
        text_columns={
            c for c in columns if c not in converted and types[c].startswith(("char", "text"))
        },
        uuid_columns={c.name for c in mentioned if c.new_type == "uuid"},
        ranks={c.name: c.ranked for c in enums if c.ranked},
        labels={label: new for c in enums for label, new in c.labels.items()},
        one_to_one=one_to_one(enums),
    )
    return in_new_words(condition, wording, {c.name: _as_before(c) for c in mentioned})


def _as_before(column: ColumnChange) -> str:
    """SQL for what the old contract sees of a column."""
    old = column.old_from(quote_ident(column.name))
    # Blanks at the end of a char(n), and case in a citext, make no difference.
    keeps_type = column.old_type.startswith("character(") or "citext" in column.old_type
    return f"({old})::{column.old_type}" if keeps_type else old


def broken(t: TableChange, check: CheckChange) -> str:
    """The condition that an old row, once it is converted, would break a CHECK."""
    shown = ", ".join(
        f"{t.converted[c].new_from(q)} AS {q}" if c in t.converted else f"{q} AS {q}"
        for c in check.columns
        for q in [quote_ident(c)]
    )
    # A comparison with null is no breach.
    return f"NOT coalesce((SELECT {check.condition} FROM (SELECT {shown}) AS converted), true)"


def of_integers(table: TableStandard, relation: Relation) -> Iterable[tuple[str, str, str]]:
    """The CHECKs of integer columns that have none yet."""
    for column, values in table.integers.items():
        if not any(k.kind == "c" and k.columns == (column,) for k in relation.constraints):
            name = table.checks.get(column) or shorten(f"{table.name}_{column}", "_check")
            yield column, name, f"{quote_ident(column)} IN ({', '.join(map(str, values))})"


def obstacles(t: TableChange) -> Iterator[Obstacle]:
    """The constraints that have the name of a CHECK to come."""
    constraints = {k.name: k for k in t.relation.constraints}
    for column in t.columns:
        name = column.check_name
        if name is None or name not in constraints:
            continue
        goes = constraints[name].kind == "c" and not t.converted.keys().isdisjoint(
            constraints[name].columns
        )
        if not goes:  # else the new one has another name for the while
            yield Obstacle(
                f"constraint {name} on {t.old}",
                f"has the name that a CHECK of {column.name} gets",
                "Rename it before, or name the CHECK in standard.toml.",
            )
    for name in {not_null.filled(t.old.name), not_null.filled(t.new.name)} & constraints.keys():
        yield Obstacle(
            f"constraint {name} on {t.old}",
            "has the name that a CHECK gets until NOT NULL is set",
            "Rename it before, or convert the table by the window strategy.",
            online_only=True,
        )
    for column_name, name, _ in t.integer_checks:
        if name in constraints:
            yield Obstacle(
                f"constraint {name} on {t.old}",
                f"has the name that the CHECK of {column_name} gets",
                "Rename it before, or name the CHECK in standard.toml.",
            )


def own(t: TableChange, *, built: bool = False) -> list[tuple[str, str]]:
    """The CHECKs that the standard asks for: of integer enums, then of the converted ones.

    Args:
        t: the table.
        built: whether they have their names while the old columns live.
    """
    found = [(name, check) for _, name, check in t.integer_checks]
    names = t.built_checks if built else {}
    return found + [(names.get(n, n), check) for c in t.columns for n, check in c.checks]


def are_proven(t: TableChange) -> bool:
    """Whether each row is held to all of them."""
    return all(k.validated for k in t.checks)


def comments(t: TableChange, table: Name, *, built: bool) -> list[Statement]:
    """The comments of the CHECKs over several columns, while they are built or afterwards."""
    return [
        comment_on_constraint(table, k.build_name if built else k.name, k.comment)
        for k in t.checks
        if k.comment is not None
    ]


def in_step(t: TableChange) -> str:
    """The name of the CHECK that both sides of each row agree, while they do not have to yet."""
    return shorten(t.new.name, "_in_step")


def expand(t: TableChange, called: TableChange) -> list[str]:
    """The clauses that hold new and changed rows to the CHECKs of the new contract.

    Args:
        t: the table as it is until the switch.
        called: the table as the file leaves it, after whose names some of them are named.
    """
    return [
        f"ADD CONSTRAINT {quote_ident(name)} CHECK ({condition}) NOT VALID"
        for (name, _), (_, condition) in zip(_added(called), _added(t), strict=True)
    ]


def _added(t: TableChange) -> list[tuple[str, str]]:
    carried = [(k.build_name, k.condition[1:-1]) for k in t.checks]
    return own(t, built=True) + carried + not_null.checks(t) + agreeing(t)


def expand_back(t: TableChange) -> list[str]:
    """The clauses that drop the CHECKs which do not go with the new columns."""
    return [f"DROP CONSTRAINT {quote_ident(name)}" for _, name, _ in t.integer_checks]


def note(t: TableChange) -> str:
    """Why lint lets the CHECKs pass that were not proven under the old contract either."""
    return "" if are_proven(t) else NEVER_VALIDATED


def agreeing(t: TableChange) -> list[tuple[str, str]]:
    """The name and condition of the CHECK that both sides of a row agree."""
    if not t.columns:
        return []
    pairs = (
        f"{c.meant(quote_ident(c.name))} IS NOT DISTINCT FROM"
        f" {c.meant(c.new_from(quote_ident(c.old_name)))}"
        for c in t.columns
    )
    return [(in_step(t), " AND ".join(pairs))]


def enforce(t: TableChange, after: Sequence[File]) -> File:
    """The proof of the CHECKs for the rows that were there before.

    Args:
        t: the table as it is while its new columns are filled.
        after: the files that must have run.
    """
    unproven = {k.build_name for k in t.checks if not k.validated}
    names = [
        *(n for n, _ in own(t, built=True)),
        *(k.build_name for k in t.checks),
        *(n for n, _ in not_null.checks(t)),
    ]
    names += [n for n, _ in agreeing(t)]
    return _prove(t, [n for n in names if n not in unproven], after)


def _analyzed(t: TableChange) -> list[Statement]:
    if not (t.is_partitioned and t.columns):
        return []
    listed = ", ".join(quote_ident(c.name) for c in t.columns)
    return [
        Statement(
            f"ANALYZE {quote_name(t.new)} ({listed});",
            note="Autovacuum never looks at a partitioned table as a whole.",
        )
    ]


def _prove(t: TableChange, names: Sequence[str], after: Sequence[File]) -> File:
    new = t.new.name
    prove = Statement(
        alter(t.new, (f"VALIDATE CONSTRAINT {quote_ident(name)}" for name in names)),
        locks=(lock(LockMode.SHARE_UPDATE_EXCLUSIVE, t.new),),
    )
    return File(
        unlike=f"enforce validate {t.new}",
        phase="enforce",
        subject=f"{t.stem}_validate",
        title=f"Prove the new columns of {new} for every row that was there before.",
        does="validates in one scan that each row has its new values, that they are allowed, and "
        "that both sides agree",
        cost=f"reads {new} once",
        undo="nothing to undo: the CHECKs go with expand",
        body=[[setting("lock_timeout", "5s")], [prove], _analyzed(t)],
        back="no-op: the CHECKs go with expand.",
        after=after,
    )
