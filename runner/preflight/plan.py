"""What of the standard is still to be converted in a database, and what keeps it from being so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from runner.catalog import Catalog, Relation
from runner.errors import StandardError
from runner.generate import plan_units
from runner.generate.changes import apart, is_converted, plan_changes, shows_new_contract
from runner.generate.model import TableChange
from runner.generate.unit import Unit
from runner.preflight.again import Reference
from runner.preflight.report import Finding, Severity
from runner.quoting import Name
from runner.standard.model import Standard, TableStandard


@dataclass(frozen=True)
class Plan:
    """What can be read.

    Args:
        changes: the tables that are at the old contract, each with its standard.
        findings: what was found on the way.
        refusal: why the generator would write no files, None when it would.
        planned: what the generator plans, where it plans all tables.
    """

    changes: tuple[tuple[TableChange, TableStandard], ...]
    findings: tuple[Finding, ...]
    refusal: Finding | None
    planned: tuple[TableChange, ...] | None = None

    @cached_property
    def parents_by_name(self) -> Mapping[str, list[tuple[Name, str]]]:
        """The tables with a uuid for a key, by what a column that references them is called."""
        found: dict[str, list[tuple[Name, str]]] = {}
        for change, table in self.changes:
            key = change.key
            converted = change.converted.get(key[0]) if len(key) == 1 else None
            if converted and converted.new_type == "uuid":
                found.setdefault(f"{table.name}_{key[0]}", []).append((change.old, key[0]))
        return found


def make_plan(standard: Standard, catalog: Catalog) -> Plan:
    """Plan what can be planned, and turn each error into a finding.

    The generator refuses at the first object that is in the way. So that the rest is looked at
    too, it is shown the tables without these objects: check_objects finds them all.

    Args:
        standard: the new contract.
        catalog: the database.

    Returns:
        The changes of the tables that are at the old contract.
    """
    findings: list[Finding] = []
    old = [t for t in standard.tables if not _standing(standard, t, catalog, findings)]
    bare = _with(catalog, _bare)
    # Without foreign keys an error is about the table itself.
    alone = _with(bare, _without_foreign_keys)
    part, refusal = replace(standard, tables=tuple(old)), None
    planned: tuple[TableChange, ...] | None = None
    try:
        planned = plan_changes(part, catalog)
    except StandardError as error:
        refusal = _stopped(standard.schema, error)
        part = replace(standard, tables=tuple(_plannable(part, alone, findings)))
    try:
        is_bare = all(bare.relations[name] is r for name, r in catalog.relations.items())
        changes = planned if planned is not None and is_bare else plan_changes(part, bare)
    except StandardError as error:
        # The partner of a key is not there: say so only when that is news.
        if len(part.tables) == len(standard.tables):
            findings.append(_stopped(standard.schema, error))
        changes = plan_changes(part, alone)
    tables = {Name(t.schema, t.old): t for t in part.tables}
    return Plan(
        tuple((c, tables[c.old]) for c in changes),
        tuple(findings),
        refusal,
        planned if len(old) == len(standard.tables) else None,
    )


def _plannable(
    standard: Standard, catalog: Catalog, findings: list[Finding]
) -> Sequence[TableStandard]:
    """The tables that can be planned; each other one becomes a finding."""
    try:
        plan_changes(standard, catalog)
        return standard.tables
    except StandardError:
        pass  # it tells of one table; the others are asked for one by one
    good = []
    for table in standard.tables:
        try:
            plan_changes(replace(standard, tables=(table,)), catalog)
            good.append(table)
        except StandardError as error:
            findings.append(_stopped(f"{table.schema}.{table.old}", error))
    return good


def units(standard: Standard, catalog: Catalog, plan: Plan) -> list[Unit]:
    """The units that files are made for; none where something is in the way.

    Args:
        standard: the new contract.
        catalog: the database.
        plan: what can be read of it.
    """
    try:
        return plan_units(standard, catalog, plan.planned)
    except StandardError:
        return []  # told as what is in the way


def only_window(in_a_window: Sequence[Unit], tables: int) -> str:
    """Which tables only the window strategy converts, and why, as a line; empty for none.

    Args:
        in_a_window: the units that only that strategy converts.
        tables: how many the standard has.
    """
    names = [str(t.new) for u in in_a_window for t in u.tables]
    if not names:
        return ""
    why = "; ".join(dict.fromkeys(reason for u in in_a_window for reason in u.only_window))
    return (
        f"{len(names)} of {tables} tables only by --strategy window: {', '.join(names)}. Why: {why}"
    )


def _stopped(name: str, error: StandardError) -> Finding:
    problem = error.message
    if problem.startswith(f"{name}."):  # of a column
        name, _, problem = problem.partition(" ")
    return Finding(Severity.STOPS, name, problem, hint=error.hint or None)


def _standing(
    standard: Standard, table: TableStandard, catalog: Catalog, findings: list[Finding]
) -> bool:
    """Whether the conversion of a table has begun already."""
    old = catalog.relations.get(Name(table.schema, table.old))
    new = catalog.relations.get(apart(standard, table))
    if new is None and is_converted(standard, table, catalog):
        new, old = old, None
    if new is None:
        return False
    if old is not None and old.kind in "rp" and shows_new_contract(table, old, new):
        problem = f"shows the new contract of {old.qualified} already, which was not read"
    elif new.kind not in "rp":
        return False
    elif old is None:
        what = "contract" if table.name == table.old else "name"
        problem = f"has its new {what} already, and was not read"
    elif old.kind == "v":
        problem = f"is live beside its old contract {old.qualified}, and was not read"
    else:
        return False
    hint = "`trueup verify` says what is left."
    findings.append(Finding(Severity.KNOW, str(new.qualified), problem, hint=hint))
    return True


def _with(catalog: Catalog, change: Callable[[Relation], Relation]) -> Catalog:
    return replace(catalog, relations={n: change(r) for n, r in catalog.relations.items()})


def _without_foreign_keys(relation: Relation) -> Relation:
    kept = tuple(k for k in relation.constraints if k.kind != "f")
    return replace(relation, constraints=kept)


def _bare(relation: Relation) -> Relation:
    """A table without what makes the generator refuse it; itself, where it has nothing such."""
    kept = tuple(k for k in relation.constraints if k.kind != "x")
    own = [c for c in relation.columns if c.identity or c.generated]
    if not (relation.dependents or own) and len(kept) == len(relation.constraints):
        return relation
    return replace(
        relation,
        dependents=(),
        constraints=kept,
        columns=tuple(replace(c, identity="", generated="") for c in relation.columns),
    )


def references(
    change: TableChange, plan: Plan, catalog: Catalog, readable: frozenset[Name]
) -> Iterator[Reference]:
    """What a table's converted columns must be found in: by foreign keys, else by their names."""
    known: set[str] = set()
    for key in catalog.relations[change.old].constraints:
        if key.kind != "f" or key.references is None:
            continue
        known.update(key.columns)
        if key.references in readable and change.converted.keys() & set(key.columns):
            is_uuid = all(
                c in change.converted and change.converted[c].new_type == "uuid"
                for c in key.columns
            )
            yield Reference(
                key.columns,
                key.references,
                key.referenced_columns,
                key.name,
                is_uuid=is_uuid,
                is_proven=key.validated,
            )
    for column in change.columns:
        parent = None
        if column.new_type == "uuid":
            named = plan.parents_by_name.get(column.name, ())
            parent = next((p for p in reversed(named) if p[0] in readable), None)
        if parent is not None and column.name not in known | set(change.key):
            yield Reference((column.name,), parent[0], (parent[1],), None, is_uuid=True)
