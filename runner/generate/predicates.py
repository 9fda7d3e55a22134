"""Literals of index and constraint definitions, from the old contract's values to the new."""

from __future__ import annotations

import re
from collections.abc import Collection

from runner.errors import StandardError

_TEXT_TYPES = {"text", "character varying", "bpchar", "character"}
# PostgreSQL prints every literal of an expression with its type.
_LITERAL = re.compile(
    r"""'((?:[^']|'')*)'::((?:"(?:[^"]|"")+"|[\w ]+?)(?:\.(?:"(?:[^"]|"")+"|\w+))?(?:\(\d+\))?)"""
    r"""(?=[^\w.(]|$)"""
)


def convert_literals(
    definition: str,
    *,
    what: str,
    values: Collection[str],
    native_types: Collection[str],
    text_columns: Collection[str],
    uuid_columns: Collection[str],
) -> str:
    """Rewrite the values in a definition that PostgreSQL printed.

    Args:
        definition: an index's definition from `USING` on, or a constraint's.
        what: the object's name, for errors.
        values: the new values of the converted enum columns that the definition mentions.
        native_types: the native enum types of these columns, as PostgreSQL prints them.
        text_columns: the unconverted text columns that it mentions: a literal could be theirs.
        uuid_columns: the columns it mentions that become uuid.

    Returns:
        The definition with its values in upper case, and without casts to the native types.

    Raises:
        StandardError: it cannot be told what the definition would mean afterwards.
    """
    for column in uuid_columns:
        if re.search(rf"\({re.escape(column)}\)::text|\(\({re.escape(column)}\)::", definition):
            raise StandardError(
                f"{what} uses {column} as text, which becomes uuid: {definition}",
                hint="Drop it before, and make it again for uuid afterwards.",
            )

    def convert(match: re.Match[str]) -> str:
        value, type_name = match[1].replace("''", "'"), match[2]
        if type_name in native_types:
            return "'" + value.upper().replace("'", "''") + "'"
        if type_name.partition("(")[0] not in _TEXT_TYPES or not values:
            return match[0]
        if value.upper() not in values:
            return match[0]
        if text_columns:
            raise StandardError(
                f"{what}: {match[0]} may be a value of {', '.join(sorted(text_columns))} or of a "
                f"converted column: {definition}",
                hint="Drop it before, and make it again for the new values afterwards.",
            )
        return f"'{value.upper()}'::{type_name}"

    return _LITERAL.sub(convert, definition)


_VARCHAR_LIST = re.compile(
    r"""\(\((?P<column>"(?:[^"]|"")+"|\w+)\)::text (?P<operator>= ANY|<> ALL)"""
    r""" \(\(ARRAY\[(?P<values>(?:'(?:[^']|'')*'::character varying(?:, )?)+)\]\)::text\[\]\)\)"""
)


def restate(definition: str) -> str:
    """Give a definition that PostgreSQL printed the form in which it prints it again.

    What PostgreSQL prints for `column IN ('a', 'b')` on a varchar column, it reads as something
    else than it printed; every other form that it prints is stable.

    Args:
        definition: of pg_get_constraintdef() or pg_get_indexdef().

    Returns:
        The same definition, with such lists as IN and NOT IN.
    """

    def convert(match: re.Match[str]) -> str:
        values = match["values"].replace("::character varying", "")
        operator = "IN" if match["operator"] == "= ANY" else "NOT IN"
        return f"({match['column']} {operator} ({values}))"

    return _VARCHAR_LIST.sub(convert, definition)


def check_condition(definition: str) -> str:
    """The expression in `CHECK (...)`, in its parentheses, without what may follow it."""
    return re.sub(
        r"(?: NO INHERIT| NOT VALID| NOT ENFORCED)*$", "", definition.removeprefix("CHECK ")
    )


def calls_function_on(definition: str, column: str) -> bool:
    """Whether a definition calls a function on a column: `lower((status)::text)`."""
    call = rf"\b(?!ANY|ALL|btree|hash|gin|gist|brin)\w+\(\(?{re.escape(column)}\b"
    return re.search(call, definition) is not None
