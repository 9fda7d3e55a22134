"""The rules for the values of a column, as SQL that a scan evaluates once a row.

A rule puts a value into a class. PostgreSQL's regular expressions with counts cost about 4 us a
value; LIKE and one without counts cost a tenth of it and settle almost every row, so they come
first. Nothing here needs the schema trueup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from runner.catalog import Column, Constraint
from runner.generate.column_change import ColumnChange
from runner.generate.kinds.check import broken as broken_by
from runner.generate.kinds.json_path import UNKNOWN_TO_JSONB
from runner.generate.model import CheckChange, TableChange
from runner.generate.wording.json_paths import path_sql
from runner.generate.wording.predicates import check_condition
from runner.preflight.report import Severity
from runner.quoting import quote_ident
from runner.standard.model import JsonPath

# The same as trueup.is_uuid of the toolkit: what uuid's input function takes.
UUID_PATTERN = r"^([0-9a-f]{4}-?){7}[0-9a-f]{4}$|^\{([0-9a-f]{4}-?){7}[0-9a-f]{4}\}$"
_DASHED = "________-____-____-____-____________"

OTHER_SPELLING = "other"
REVERSAL = "; the reversal table"


@dataclass(frozen=True, slots=True)
class Rule:
    """A class of values that are not as they should be.

    Args:
        condition: SQL that is true for the class, when no rule before it was.
        severity: whether it stops the conversion.
        problem: what is said about the column.
        shown_by: SQL that is true for the class by itself; None when it is `condition`.
        buckets: over how many groups different values are spread, to have different samples.
        spelling: the name of a spelling that converts, when the class is one.
    """

    condition: str
    severity: Severity
    problem: str
    shown_by: str | None = None
    buckets: int = 1
    spelling: str | None = None

    @property
    def where(self) -> str:
        """SQL that is true for the rows, by itself."""
        return self.shown_by or self.condition


@dataclass(frozen=True, slots=True)
class ColumnRules:
    """A column's rules: `fine` first, then the first rule whose condition is true."""

    name: str
    value: str  # the SQL of the value, as text
    fine: str
    rules: tuple[Rule, ...]


def as_text(change: ColumnChange) -> str:
    """SQL for the text that a column's conversion gives to uuid's input function."""
    return change.new_from(_spelled(change)).removesuffix("::uuid")


def _spelled(change: ColumnChange) -> str:
    """SQL for a value by its spelling: a pattern fails on a collation that folds case."""
    name = quote_ident(change.name)
    return f"({change.compared(name)})" if change.folds else name


def is_canonical(text: str) -> str:
    """SQL: whether a text is a uuid as uuid's output function writes it."""
    return (
        f"{text} LIKE '{_DASHED}'"
        f" AND {text} ~ '^[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$'"
    )


def is_uuid(text: str) -> str:
    """SQL: whether uuid's input function takes a text; the frequent case is cheap."""
    return f"({is_canonical(text)} OR {text} ~* '{UUID_PATTERN}')"


def same_uuid(text: str) -> str:
    """SQL that is equal for texts that are one uuid, and never fails."""
    return f"lower(translate({text}, '{{-}}', ''))"


def column_rules(
    change: ColumnChange, column: Column, values: Sequence[str], spellings: Iterable[str]
) -> ColumnRules:
    """The rules for a converted column.

    Args:
        change: how the column is converted.
        column: the column as it is.
        values: the enum's values, empty for a uuid.
        spellings: SQL literals of what the values are derived back to, when that is cheap to
            compare with.
    """
    if change.new_type == "uuid":
        return _uuid_rules(change)
    return _enum_rules(change, column, values, tuple(spellings))


def _uuid_rules(change: ColumnChange) -> ColumnRules:
    name, text = quote_ident(change.name), as_text(change)

    def spelled(condition: str, spelling: str, shape: str) -> Rule:
        return Rule(
            condition,
            Severity.KNOW,
            f"holds uuids {shape}{REVERSAL} keeps their spelling",
            spelling=spelling,
        )

    upper = (
        f"{text} LIKE '{_DASHED}'"
        f" AND {text} ~ '^[0-9A-F]+-[0-9A-F]+-[0-9A-F]+-[0-9A-F]+-[0-9A-F]+$' AND {text} ~ '[A-F]'"
    )
    fine, digits = is_canonical(text), f"length({text}) = 32 AND {text} !~ '[^0-9a-f]'"
    others = [spelled(digits, "hex", "as 32 hexadecimal digits")]
    if change.to_old != "{}::text":
        # It, or what refers to it, has no room for dashes: the old contract gets digits back.
        fine, others = digits, []
    rules = (
        *_null_rule(change),
        *others,
        spelled(upper, "upper", "in upper case"),
        Rule(
            f"{text} ~* '{UUID_PATTERN}'",
            Severity.KNOW,
            f"holds uuids in another format{REVERSAL} keeps their spelling",
            shown_by=f"{text} ~* '{UUID_PATTERN}' AND NOT ({fine}) AND NOT ({digits})"
            f" AND NOT ({upper})",
            buckets=4,
            spelling=OTHER_SPELLING,
        ),
        Rule(
            f"{name} IS NOT NULL",
            Severity.STOPS,
            "holds values that are not uuids",
            shown_by=f"{text} !~* '{UUID_PATTERN}'",
            buckets=16,
        ),
    )
    return ColumnRules(change.name, text, fine, rules)


def _enum_rules(
    change: ColumnChange, column: Column, values: Sequence[str], spellings: Sequence[str]
) -> ColumnRules:
    name = quote_ident(change.name)
    listed = ", ".join(values)
    again = change.compared(change.derived_again(name))
    spelled = _spelled(change)
    keeper = f"; the column {change.kept}" if change.kept else REVERSAL
    unknown = f"holds {'lists with ' if column.is_array else ''}values that are not one of {listed}"
    rules = (
        *_null_rule(change),
        *(
            Rule(
                refusal.condition,
                Severity.STOPS,
                unknown if refusal.reason.endswith(listed) else f"{refusal.reason}",
                buckets=16,
            )
            for refusal in change.refusals
        ),
        Rule(
            f"{spelled} IS DISTINCT FROM {again}",
            Severity.KNOW,
            f"holds values that the new contract cannot give back{keeper} keeps them",
            buckets=16,
            spelling=OTHER_SPELLING,
        ),
    )
    if not spellings or (column.is_array and change.folds):
        fine = f"{name} IS NULL" if not change.not_null else "false"
    elif column.is_array:
        fine = f"{name} <@ ARRAY[{', '.join(spellings)}]::{change.old_type}"
    else:
        fine = f"{spelled} IN ({', '.join(spellings)})"
    return ColumnRules(change.name, f"{spelled}::text", fine, rules)


def path_rules(change: ColumnChange, path: JsonPath) -> ColumnRules:
    """The rules for one path of a JSON column; a document without it is fine.

    Args:
        change: how the column is converted.
        path: one of its paths.
    """
    name, at = quote_ident(change.name), path_sql(path.keys)
    place = ".".join(path.keys)
    again = f"({change.derived_again(name)}) #>> {at}"
    rules = (
        *_null_rule(change),
        *(
            Rule(r.condition, Severity.STOPS, r.reason, buckets=16)
            for r in change.refusals
            if r.reason == UNKNOWN_TO_JSONB or r.reason.startswith(f"holds values at {place} ")
        ),
        Rule(
            f"{name} #>> {at} IS DISTINCT FROM {again}",
            Severity.KNOW,
            f"holds values that the new contract cannot give back{REVERSAL} keeps them",
            buckets=16,
        ),
    )
    fine = "false" if change.not_null else f"{name} IS NULL"
    value = f"({name} #>> {at})"
    if change.refusals[0].reason == UNKNOWN_TO_JSONB:
        value = f"CASE WHEN {change.refusals[0].condition} THEN {name}::text ELSE {value} END"
    return ColumnRules(f"{change.name}.{place}", value, fine, rules)


def without_reversal(change: TableChange, column: str, rule: Rule) -> Rule:
    """A rule on a table without a primary key: there is no reversal table for its values.

    Args:
        change: the table.
        column: what the rule is about, a column or a path in one.
        rule: the rule.
    """
    if change.key or REVERSAL not in rule.problem:
        return rule
    converted = next(c for c in change.columns if f"{column}.".startswith(f"{c.name}."))
    if converted.parent is not None and converted.parent.is_sure:
        return rule  # it is spelled as its parent
    problem = f"{rule.problem.partition(REVERSAL)[0]}, which could not be restored: the table has "
    return replace(rule, severity=Severity.STOPS, problem=f"{problem}no primary key")


def integer_rules(column: str, condition: str) -> ColumnRules:
    """The rules for an integer column that only gets a CHECK."""
    problem = f"holds values that its new CHECK refuses: {condition}"
    rule = Rule(f"NOT ({condition})", Severity.STOPS, problem, buckets=16)
    return ColumnRules(column, f"{quote_ident(column)}::text", condition, (rule,))


def carried_rules(change: TableChange, check: CheckChange) -> ColumnRules:
    """The rules for a CHECK that the new contract takes over, asked of what a row becomes."""
    asked = [change.converted[c] for c in check.columns if c in change.converted]
    # What is no uuid is told of its column, and would end the query.
    valid = [is_uuid(as_text(c)) for c in asked if c.new_type == "uuid"]
    broken = broken_by(change, check)
    condition = f"CASE WHEN {' AND '.join(valid)} THEN {broken} END" if valid else broken
    problem = f"would break the CHECK {check.name} of the new contract: {check.condition}"
    rule = Rule(condition, Severity.STOPS, problem, buckets=16)
    name = quote_ident(asked[0].name)
    return ColumnRules(asked[0].name, f"{name}::text", "false", (rule,))


def unproven_rules(constraint: Constraint) -> ColumnRules:
    """The rules for a CHECK that was never validated: a row that breaks it cannot be written."""
    condition = check_condition(constraint.definition)
    problem = (
        f"breaks the CHECK {constraint.name}, which was never validated: the online strategy could "
        "not write the row"
    )
    rule = Rule(f"{condition} IS FALSE", Severity.STOPS, problem, buckets=16)
    name = constraint.columns[0]
    fine = f"{condition} IS NOT FALSE"
    return ColumnRules(name, f"{quote_ident(name)}::text", fine, (rule,))


def _null_rule(change: ColumnChange) -> tuple[Rule, ...]:
    """PostgreSQL 18 can have a NOT NULL that was never validated."""
    if not change.not_null:
        return ()
    return (
        Rule(f"{quote_ident(change.name)} IS NULL", Severity.STOPS, "is null, and must not be"),
    )
