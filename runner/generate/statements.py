"""Parts of the catalog -> the statements that make them again as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from runner.catalog import (
    Function,
    Index,
    Policy,
    Relation,
    Rule,
    Statistics,
    Trigger,
)
from runner.errors import StandardError
from runner.quoting import Name, quote_ident, quote_literal, quote_name

Reword = Callable[[str], str]

_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"}
_ENABLE = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
STORAGE = {"p": "PLAIN", "m": "MAIN", "e": "EXTERNAL", "x": "EXTENDED"}
COMPRESSION = {"p": "pglz", "l": "lz4"}
_CHANGES = {"INSERT", "UPDATE", "DELETE", "TRUNCATE"}
_OWN = {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}


def create_view(view: Relation, query: str, name: Name | None = None, *, fill: bool = True) -> str:
    """The statement that makes a view of one or the other kind.

    Args:
        view: what it is.
        query: its query.
        name: another name.
        fill: for a materialized view, whether it is filled at once.
    """
    options = f" WITH ({', '.join(view.options)})" if view.options else ""
    stored = "MATERIALIZED " if view.kind == "m" else ""
    tail = "" if not stored else "\nWITH DATA" if fill and view.populated else "\nWITH NO DATA"
    body = query.strip().removesuffix(";")
    return f"CREATE {stored}VIEW {quote_name(name or view.qualified)}{options} AS\n{body}{tail};"


def view_kind(view: Relation) -> str:
    """What PostgreSQL calls a view of one or the other kind, in capitals."""
    return "MATERIALIZED VIEW" if view.kind == "m" else "VIEW"


def view_settings(view: Relation, reword: Reword) -> Iterator[str]:
    """The statements that give a view its owner, grants, comments, defaults, rules and triggers.

    Args:
        view: what it is.
        reword: turns a definition into the contract's words.
    """
    name, kind = quote_name(view.qualified), view_kind(view)
    yield f"ALTER {kind} {name} OWNER TO {quote_ident(view.owner)};"
    yield f"CALL trueup.revoke_all({quote_literal(name)});"
    yield from _grants(view)
    if view.comment is not None:
        yield f"COMMENT ON {kind} {name} IS {quote_literal(view.comment)};"
    for column in view.columns:
        own = quote_ident(column.name)
        alter = f"ALTER {kind} {name} ALTER COLUMN {own}"
        if column.comment is not None:
            yield f"COMMENT ON COLUMN {name}.{own} IS {quote_literal(column.comment)};"
        if column.default is not None:
            yield f"{alter} SET DEFAULT {reword(column.default)};"
        if column.statistics_target is not None:
            yield f"{alter} SET STATISTICS {column.statistics_target};"
        if view.kind == "m" and (column.has_own_storage or column.compression):
            stored = (STORAGE[column.storage], COMPRESSION.get(column.compression))
            said = [quote_literal(s) if s else "NULL" for s in stored]
            yield (
                f"CALL trueup.store_column({quote_literal(name)}, {quote_literal(column.name)}, "
                f"{', '.join(said)});"
            )
        if column.options:
            yield f"{alter} SET ({', '.join(column.options)});"
        for grantee, option, privileges in _privileges(column.acl):
            listed = ", ".join(f"{privilege} ({own})" for privilege in privileges)
            yield f"{_open(grantee, privileges)}GRANT {listed} ON {name} TO {grantee}{option};"
    for rule in view.rules:
        yield from rule_statements(view.qualified, rule, reword)
    for trigger in view.triggers:
        yield from trigger_statements(view.qualified, trigger, reword)


def _grants(view: Relation) -> Iterator[str]:
    name, owner = quote_name(view.qualified), quote_ident(view.owner)
    for grantee, option, privileges in _privileges(view.acl):
        if grantee == owner:
            if not set(privileges) >= _OWN - {"MAINTAIN"}:
                yield f"REVOKE ALL ON {name} FROM {owner};"
                yield f"GRANT {', '.join(privileges)} ON {name} TO {owner};"
            continue
        listed = ", ".join(privileges)
        yield f"{_open(grantee, privileges)}GRANT {listed} ON {name} TO {grantee}{option};"


def _open(grantee: str, privileges: Iterable[str]) -> str:
    """The comment that tells lint why PUBLIC may change data; empty when there is no need."""
    if grantee != "PUBLIC" or not _CHANGES.intersection(privileges):
        return ""
    return "-- trueup: ignore grant-to-public because PUBLIC had this before\n"


def _off(switched: Trigger | Rule) -> str:
    """The comment that tells lint why something is disabled; empty when it is not."""
    if switched.enabled != "D":
        return ""
    return "-- trueup: ignore disable-trigger because it was disabled before\n"


def _privileges(acl: Iterable[str]) -> list[tuple[str, str, list[str]]]:
    """Entries such as `app=SELECT*` by grantee and grant option."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for entry in acl:
        grantee, _, privilege = entry.rpartition("=")
        option = " WITH GRANT OPTION" if privilege.endswith("*") else ""
        grouped.setdefault((grantee, option), []).append(privilege.rstrip("*"))
    return [(grantee, option, found) for (grantee, option), found in grouped.items()]


def create_indexes(view: Relation, name: Name, reword: Reword) -> Iterator[str]:
    """The statements that make a materialized view's indexes, below another name of it."""
    for index in view.indexes:
        yield create_index(index, name, reword(index.method))


def create_index(index: Index, table: Name, method: str) -> str:
    """The statement that makes an index under its own name."""
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {quote_ident(index.name)} ON {quote_name(table)} {method};"


def index_settings(view: Relation, reword: Reword) -> Iterator[str]:
    """The statements for a materialized view's indexes and extended statistics."""
    for index in view.indexes:
        if index.comment is not None:
            name = quote_name(Name(view.schema, index.name))
            yield f"COMMENT ON INDEX {name} IS {quote_literal(index.comment)};"
        if index.clustered:
            table = quote_name(view.qualified)
            yield f"ALTER MATERIALIZED VIEW {table} CLUSTER ON {quote_ident(index.name)};"
    for statistics in view.statistics:
        yield from statistics_statements(statistics, reword)


def policy_statements(table: Name, policy: Policy, reword: Reword) -> Iterator[str]:
    """The statements that make a row security policy."""
    name, on = quote_ident(policy.name), quote_name(table)
    yield (
        "\n    ".join(
            [
                f"CREATE POLICY {name} ON {on}",
                f"AS {'PERMISSIVE' if policy.permissive else 'RESTRICTIVE'}",
                f"FOR {_COMMANDS[policy.command]}",
                f"TO {', '.join(policy.roles)}",
                *([f"USING ({reword(policy.using)})"] if policy.using is not None else []),
                *(
                    [f"WITH CHECK ({reword(policy.with_check)})"]
                    if policy.with_check is not None
                    else []
                ),
            ]
        )
        + ";"
    )
    if policy.comment is not None:
        yield f"COMMENT ON POLICY {name} ON {on} IS {quote_literal(policy.comment)};"


def trigger_statements(table: Name, trigger: Trigger, reword: Reword) -> Iterator[str]:
    """The statements that make a trigger."""
    name, on = quote_ident(trigger.name), quote_name(table)
    yield f"{reword(trigger.definition)};"
    if trigger.enabled in _ENABLE:
        yield f"{_off(trigger)}ALTER TABLE {on} {_ENABLE[trigger.enabled]} TRIGGER {name};"
    if trigger.comment is not None:
        yield f"COMMENT ON TRIGGER {name} ON {on} IS {quote_literal(trigger.comment)};"


def rule_statements(table: Name, rule: Rule, reword: Reword) -> Iterator[str]:
    """The statements that make a rewrite rule."""
    name, on = quote_ident(rule.name), quote_name(table)
    yield reword(rule.definition)
    if rule.enabled in _ENABLE:
        yield f"{_off(rule)}ALTER TABLE {on} {_ENABLE[rule.enabled]} RULE {name};"
    if rule.comment is not None:
        yield f"COMMENT ON RULE {name} ON {on} IS {quote_literal(rule.comment)};"


def statistics_statements(statistics: Statistics, reword: Reword) -> Iterator[str]:
    """The statements that make an extended statistics object."""
    name = quote_name(Name(statistics.schema, statistics.name))
    yield f"{reword(statistics.definition)};"
    yield f"ALTER STATISTICS {name} OWNER TO {quote_ident(statistics.owner)};"
    if statistics.target is not None:
        yield f"ALTER STATISTICS {name} SET STATISTICS {statistics.target};"
    if statistics.comment is not None:
        yield f"COMMENT ON STATISTICS {name} IS {quote_literal(statistics.comment)};"


def function_parts(function: Function) -> tuple[str, str]:
    """What stands before a function's parsed body, and the body.

    Raises:
        StandardError: its body is a text, which PostgreSQL does not read before it is called.
    """
    match = re.search(r"\n(?:BEGIN ATOMIC\n|RETURN )", function.definition)
    if match is None:
        raise StandardError(f"function {function.schema}.{function.signature} has no parsed body")
    return function.definition[: match.start()], function.definition[match.start() :]


def comment_on_constraint(table: Name, name: str, comment: str) -> str:
    """The statement that gives a constraint its comment."""
    return (
        f"COMMENT ON CONSTRAINT {quote_ident(name)} ON {quote_name(table)}"
        f" IS {quote_literal(comment)};"
    )
