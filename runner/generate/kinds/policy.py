"""A row security policy: on the old columns until contract makes it again on the new ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from runner.catalog import Policy
from runner.generate.dependent import DependentChange, Reword, Standing, on_table
from runner.generate.model import Obstacle
from runner.generate.statement import Paragraph, Statement
from runner.quoting import Name, dollar_quote, quote_ident, quote_literal, quote_name

_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"}


def change(o: Standing) -> DependentChange:
    """What it becomes on the new columns."""
    made = partial(_statements, o.name, _found(o))
    return on_table(o, "POLICY", made, condition=_condition(o, o.new))


def obstacles(o: Standing) -> Iterator[Obstacle]:
    """What keeps it from being made again."""
    yield from o.groups_by_keys()


def query(o: Standing, reword: Reword) -> str:
    """The rows that it lets pass, in the words of a contract."""
    return f"SELECT FROM {quote_name(o.name)} WHERE {_condition(o, reword)}"


def _condition(o: Standing, reword: Reword) -> str:
    policy = _found(o)
    said = [reword(c) for c in (policy.using, policy.with_check) if c is not None]
    return " AND ".join(f"({c})" for c in said)


def _found(o: Standing) -> Policy:
    return next(p for p in o.relation.policies if p.name == o.dependent.name)


def trial(d: DependentChange, _: Reword, after: Reword) -> Paragraph:
    """Its condition, asked of what the new contract will show."""
    return [
        Statement(
            "DO "
            + dollar_quote(
                f"\nBEGIN\n    PERFORM\n    FROM {after(quote_name(d.of.name))}\n"
                f"    WHERE {after(d.new_query)}\n    LIMIT 0;\nEND\n"
            )
            + ";"
        )
    ]


def _statements(table: Name, policy: Policy, reword: Reword) -> Iterator[Statement]:
    name, on = quote_ident(policy.name), quote_name(table)
    clauses = [
        f"CREATE POLICY {name} ON {on}",
        f"AS {'PERMISSIVE' if policy.permissive else 'RESTRICTIVE'}",
        f"FOR {_COMMANDS[policy.command]}",
        f"TO {', '.join(policy.roles)}",
    ]
    if policy.using is not None:
        clauses.append(f"USING ({reword(policy.using)})")
    if policy.with_check is not None:
        clauses.append(f"WITH CHECK ({reword(policy.with_check)})")
    yield Statement("\n    ".join(clauses) + ";")
    if policy.comment is not None:
        yield Statement(f"COMMENT ON POLICY {name} ON {on} IS {quote_literal(policy.comment)};")
