"""What a CHECK says when it says nothing but a list: `status IN ('a', 'b')`."""

from __future__ import annotations

import re

# What PostgreSQL prints for such a list, as tokens; casts and parentheses do not change it.
_TOKEN = re.compile(
    r"""\s+|[()]|
    ::\s*(?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))?(?:\ varying)?(?:\(\d+\))?(?:\[\])*|
    (?P<literal>'(?:[^']|'')*'|-?\d+\b)|
    (?P<word>"(?:[^"]|"")+"|[^\W\d]\w*)|
    (?P<sign>=|<@|\[|\]|,)""",
    re.VERBOSE,
)
_LITERAL = "\0"
_LIST = ["ARRAY", "[", _LITERAL, "]"]


def listed_values(definition: str, column: str) -> tuple[str, ...]:
    """The values that a CHECK allows, when it is an exact list of them for one column.

    Args:
        definition: of pg_get_constraintdef().
        column: the column's name; `VALUE` in a domain.

    Returns:
        The values in order, without doubles; empty when the CHECK says something else.
    """
    if not definition.startswith("CHECK "):
        return ()
    words: list[str] = []
    values: list[str] = []
    position = len("CHECK ")
    while position < len(definition):
        token = _TOKEN.match(definition, position)
        if token is None:
            return ()
        position = token.end()
        if literal := token["literal"]:
            values.append(literal[1:-1].replace("''", "'") if literal[0] == "'" else literal)
            # A list of literals is as one literal.
            if words[-2:] == [_LITERAL, ","]:
                words.pop()
            else:
                words.append(_LITERAL)
        elif word := token["word"]:
            words.append(word[1:-1].replace('""', '"') if word[0] == '"' else word)
        elif token["sign"]:
            words.append(token["sign"])
    one = [column, "=", _LITERAL]
    parts = [part for part in _split(words) if part != [column, "IS", "NULL"]]
    lists = ([column, "=", "ANY", *_LIST], [column, "<@", *_LIST])
    if (len(parts) == 1 and parts[0] in lists) or (parts and all(part == one for part in parts)):
        return tuple(dict.fromkeys(values))
    return ()


def _split(words: list[str]) -> list[list[str]]:
    """The parts between one OR and the next."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "OR":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts
