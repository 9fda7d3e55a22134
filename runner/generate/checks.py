"""CHECKs over several columns: they hold for the new values as they did for the old ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runner.catalog import Relation
from runner.errors import StandardError
from runner.generate.attached import follow
from runner.generate.model import CheckChange, ColumnChange
from runner.generate.wording.predicates import Wording, check_condition
from runner.quoting import Name, unused


def check_changes(
    relation: Relation, new: Name, changes: Sequence[ColumnChange], renamed: Mapping[str, str]
) -> Iterator[CheckChange]:
    """The CHECKs of a table that name a converted column and another one.

    A CHECK of one column alone gives way to the enum's, or to what uuid takes.

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
    for constraint in relation.constraints:
        mentioned = [converted[c] for c in constraint.columns if c in converted]
        if constraint.kind != "c" or not mentioned or len(constraint.columns) == 1:
            continue
        what = f"the CHECK {constraint.name} of {relation.qualified}"
        if any(c.paths for c in mentioned) or not renamed.keys().isdisjoint(constraint.columns):
            raise StandardError(
                f"{what} names a column that gets another name, or a JSON document that is "
                f"converted: {constraint.definition}",
                hint="Drop it before, and make it again for the new contract afterwards.",
            )
        name = follow(constraint.name, relation.name, new.name)
        if name != constraint.name and name in taken:
            name = constraint.name
        enums = [c for c in mentioned if c.check]
        types = {c.name: c.type for c in relation.columns}
        wording = Wording(
            what,
            values={v for c in enums for v in c.values},
            mapping={old: target for c in enums for old, target in c.mapping.items()},
            native_types={types[c.name] for c in enums} - {"text", "character varying"},
            enum_columns={c.name for c in enums},
            text_columns={
                c
                for c in constraint.columns
                if c not in converted and types[c].startswith(("char", "text"))
            },
            uuid_columns={c.name for c in mentioned if c.new_type == "uuid"},
        )
        yield CheckChange(
            old_name=constraint.name,
            build_name=unused(name, "__new", taken) if name == constraint.name else name,
            name=name,
            condition=wording.converted(check_condition(constraint.definition)),
            columns=constraint.columns,
            validated=constraint.validated,
            comment=constraint.comment,
        )
