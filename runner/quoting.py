"""Names and texts as PostgreSQL quotes them, for SQL that is written to a file.

Code that runs against a database composes with `psycopg.sql` instead.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import NamedTuple


class Name(NamedTuple):
    """A schema-qualified name."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


# Every key word that is not "unreserved" in any of PostgreSQL 14 to 18: what quote_ident() quotes.
_KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit
    boolean both case cast char character check coalesce collate collation column concurrently
    constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user dec decimal default deferrable desc distinct do else end except
    exists extract false fetch float for foreign freeze from full grant greatest group grouping
    having ilike in initially inner inout int integer intersect interval into is isnull join json
    json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar
    json_serialize json_table json_value lateral leading least left like limit localtime
    localtimestamp merge_action national natural nchar none normalize not notnull null nullif
    numeric offset on only or order out outer overlaps overlay placing position precision primary
    real references returning right row select session_user setof similar smallint some substring
    symmetric system_user table tablesample then time timestamp to trailing treat trim true union
    unique user using values varchar variadic verbose when where window with xmlattributes
    xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize
    xmltable
    """.split()
)


_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_LINE_ENDS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


# Of a thousand tables each name is quoted some hundred times.
@lru_cache(1 << 16)
def quote_ident(name: str) -> str:
    """Quote an identifier, only where it must be.

    Args:
        name: the identifier as the catalog holds it.

    Returns:
        What `quote_ident()` of PostgreSQL 14 to 18 would accept as the same identifier.
    """
    if _PLAIN.fullmatch(name) and name not in _KEYWORDS:
        return name
    return _quoted(name)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quote_name(name: Name) -> str:
    """Quote a schema-qualified name."""
    return f"{quote_ident(name.schema)}.{quote_ident(name.name)}"


def told_name(*parts: str) -> str:
    """A qualified name for people: as it is, but quoted where a dot inside it would mislead."""
    return ".".join([_quoted(p) if "." in p or '"' in p else p for p in parts])


def quote_literal(value: str) -> str:
    """Quote a text as an SQL literal, safe whatever standard_conforming_strings says.

    It stays on one line and has no backslash before its end, which splitters take for a quote.
    """
    quoted = "'" + value.replace("'", "''") + "'"
    if quoted.isprintable() and "\\" not in quoted:
        return quoted
    escaped = re.sub(r"[\x00-\x1f\x7f\\]", lambda c: f"\\x{ord(c[0]):02x}", quoted)
    return f"E{escaped}" if escaped != quoted else quoted


def quote_without_holes(value: str) -> str:
    """The same, where no part of it can be taken for the place of a value, such as {}."""
    literal = quote_literal(value)
    if "{" not in literal:
        return literal
    return (literal if literal.startswith("E") else f"E{literal}").replace("{", "\\x7b")


def dollar_quote(text: str) -> str:
    """Quote a text as a literal that reads as it is written."""
    tags = itertools.chain(["$$"], (f"$q{n}$" for n in itertools.count(1)))
    tag = next(t for t in tags if t not in f"{text}$")
    return f"{tag}{text}{tag}"


def one_line(text: str) -> str:
    """A text for a comment, where the end of a line would end the comment."""
    return text if text.isprintable() else _LINE_ENDS.sub(" ", text)


def unquote_literal(literal: str) -> str:
    """The text of a literal as PostgreSQL prints it: 'it''s', or E'...' where it must be."""
    text = literal.removeprefix("E")[1:-1].replace("''", "'")
    if not literal.startswith("E"):
        return text
    return re.sub(r"\\(?:x([0-9a-f]{2})|(.))", lambda m: chr(int(m[1], 16)) if m[1] else m[2], text)


def unused(name: str, suffix: str, taken: set[str]) -> str:
    """Give a name a suffix, and a number where the result is taken; it is taken from then on."""
    for number in itertools.count(1):
        found = shorten(name, suffix if number == 1 else f"{suffix}{number}")
        if found not in taken:
            break
    taken.add(found)
    return found


def shorten(name: str, suffix: str = "") -> str:
    """Make a name and its suffix fit PostgreSQL's 63 bytes.

    Args:
        name: the name; when it must be cut, four digits of its hash keep it apart from others.
        suffix: what stands whole behind it.
    """
    room = 63 - len(suffix.encode())
    if len(name.encode()) > room:
        import hashlib  # takes longer than all names of a run that are short

        digest = hashlib.sha256(name.encode()).hexdigest()[:4]
        name = name.encode()[: room - 5].decode(errors="ignore") + "_" + digest
    return name + suffix
