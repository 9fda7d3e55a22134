"""Where a definition takes ids for text without saying so, and how it says so of uuids."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import pairwise

from runner.quoting import quote_ident

NAME = r"""(?:"(?:[^"]|"")+"|\w+)"""
_STRING = r"'(?:[^']|'')*'"
_TEXT = r"(?:text|bpchar|character varying|character)(?:\(\d+\))?"
ID = r"'[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}'"
_QUOTED = r'"(?:[^"]|"")*"'
# What gives one of its arguments, or a function of one's own, called by its schema and name.
# Strings and quoted names are found so that nothing is found in them.
_CHOICE = re.compile(
    rf"(?<![\w\".])(?:(?:(?P<chooses>COALESCE|GREATEST|LEAST)|{NAME}\.{NAME})(?P<call>\()"
    rf"""|(?P<case>CASE)\b)|{_STRING}|"(?:[^"]|"")*\""""
)
# The queries of a text, and the parentheses around them.
_QUERIES = re.compile(
    rf"{_STRING}|{_QUOTED}|(?P<query>\b(?:SELECT (?:DISTINCT (?!ON\b))?|VALUES ))"
    r"|(?P<opens>\()|\)"
)
_UNITES = re.compile(r"^$|\($|\b(?:UNION|INTERSECT|EXCEPT)(?: ALL)?$")
# What compares with the rows of a query; its list begins behind it.
_QUERY = re.compile(r" (?:NOT )?(?:IN|(?:=|<>) ANY|(?:=|<>) ALL) \( SELECT (?:DISTINCT )?")
_CONSTANT = re.compile(rf"(NULL|(?P<id>{ID}))::{_TEXT}")
_TOKEN = re.compile(rf"""{_STRING}|"(?:[^"]|"")*"|[()\[\],]|\b(?:CASE|WHEN|THEN|ELSE|END)\b""")
_OPENING, _BETWEEN, _CLOSING = ("(", "[", "CASE"), (",", "WHEN", "THEN", "ELSE"), (")", "]", "END")


def cast_ids(text: str, ids: Collection[str]) -> str:
    """Cast the ids that a choice among values, or a function of one's own, takes for text.

    PostgreSQL prints a cast wherever it makes text of a varchar column; these take it as it is.

    Args:
        text: an expression or a query on varchar columns, as PostgreSQL prints it.
        ids: those among them that become uuid.

    Returns:
        The same for uuid columns.
    """
    if not ids:
        return text
    names = "|".join(re.escape(quote_ident(name)) for name in sorted(ids))
    column = rf"(?:{NAME}\.)?(?:{names})"
    # From the last to the first: what is changed moves nothing before it, and what is nested in
    # something has been cast before that.
    for found in reversed([*_CHOICE.finditer(text)]):
        if found["case"]:
            text = _one_type(text, list(_branches(text, found.end())), column)
            text = _one_type(text, list(_compared(text, found.end())), column)
        elif found["call"]:
            cast = _one_type if found["chooses"] else _as_text
            text = cast(text, list(arguments(text, found.end())), column)
    text = _cast_unions(text, column)
    return _cast_lists(text, column)


def compare_with_queries(text: str, ids: Collection[str]) -> str:
    """Compare ids with what a query gives as uuids, where that is one; else as the text it was.

    Args:
        text: a condition or a query on varchar columns, as PostgreSQL prints it.
        ids: those among them that become uuid.

    Returns:
        The same for uuid columns: `(thing_id IN ( SELECT things.id`.
    """
    names = "|".join(re.escape(quote_ident(name)) for name in sorted(ids))
    column = rf"(?:{NAME}\.)?(?:{names})"
    own = rf"(?:\((?P<cast>{column})\)::{_TEXT}|(?P<bare>{column}))"
    for query in reversed(list(_QUERY.finditer(text) if ids else ())):
        begin, end = query.end(), _end_of_list(text, query.end())
        given = split_list(text[begin:end])
        place = _left_of(text[: query.start()], own)
        own_text = text[place : query.start()]
        left = [own_text] if len(given) == 1 else split_list(own_text[1:-1])
        if len(left) != len(given):
            continue
        found = [re.fullmatch(own, value) for value in left]
        told = [re.fullmatch(rf"(?P<own>{column})(?P<called> AS {NAME})?", g) for g in given]
        for number, (here, there) in enumerate(zip(found, told, strict=True)):
            if here and there:
                left[number] = here["cast"] or here["bare"]
            elif here and here["bare"]:
                left[number] = f"({here['bare']})::text"
            elif there:
                given[number] = f"({there['own']})::text{there['called'] or ''}"
        said = left[0] if len(left) == 1 else f"({', '.join(left)})"
        text = f"{text[:place]}{said}{query[0]}{', '.join(given)}{text[end:]}"
    return text


def _end_of_list(text: str, begin: int) -> int:
    """Where the list of a SELECT ends."""
    depth = 0
    words = "FROM|WHERE|GROUP|HAVING|WINDOW|UNION|INTERSECT|EXCEPT|ORDER|LIMIT|OFFSET|FETCH"
    for token in re.finditer(rf"{_STRING}|{_QUOTED}|[()]|\b(?:{words})\b", text):
        if token.start() < begin:
            continue
        depth += (token[0] == "(") - (token[0] == ")")
        if depth < 0 or (depth == 0 and token[0].isalpha()):
            return len(text[: token.start()].rstrip())
    return len(text)


def _left_of(before: str, own: str) -> int:
    """Where the left side of a comparison begins: a column, or a row in parentheses."""
    found = re.search(rf"(?<![\w\".]){own}$", before)
    if found or not before.endswith(")"):
        return found.start() if found else len(before)
    opened: list[int] = []
    for token in re.finditer(rf"{_STRING}|{_QUOTED}|[()]", before):
        if token[0] == "(":
            opened.append(token.start())
        elif token[0] == ")" and opened:
            last = opened.pop()
            if token.end() == len(before):
                return last
    return len(before)


def is_one_call(expression: str) -> bool:
    """Whether an expression is a call of a function, or a CASE, and nothing more."""
    begin = len("CASE") if expression.startswith("CASE") else expression.index("(") + 1
    *_, end = _marks(expression, begin)
    return end.end() == len(expression)


def split_list(text: str) -> list[str]:
    """The parts of a list between its own commas."""
    parts, begin = [], 0
    for mark in _marks(f"{text})", 0):
        parts.append(text[begin : mark.start()].strip())
        begin = mark.end()
    return parts


def is_balanced(expression: str) -> bool:
    """Whether no parenthesis closes that the expression did not open."""
    depth = 0
    for token in _TOKEN.finditer(expression):
        depth += (token[0] in _OPENING) - (token[0] in _CLOSING)
        if depth < 0:
            return False
    return True


def _one_type(text: str, places: list[tuple[int, int]], column: str) -> str:
    """Make the values at these places of a text of one type: uuid if they can be, text else."""
    values = [text[begin:end] for begin, end in places]
    if not any(_is_id(value, column) for value in values):
        return text
    if not all(_is_id(value, column) or _CONSTANT.fullmatch(value) for value in values):
        return _as_text(text, places, column)
    for begin, end in reversed(places):
        value = _CONSTANT.sub(
            lambda m: f"{m['id'].lower() if m['id'] else m[1]}::uuid", text[begin:end]
        )
        text = text[:begin] + value + text[end:]
    return text


def _as_text(text: str, places: list[tuple[int, int]], column: str) -> str:
    """Cast the ids at these places of a text."""
    for begin, end in reversed(places):
        if _is_id(text[begin:end], column):
            text = f"{text[:begin]}({text[begin:end]})::text{text[end:]}"
    return text


def _is_id(value: str, column: str) -> bool:
    """Whether a value is a uuid: what is nested in it has been cast before it."""
    if re.fullmatch(column, value) or re.match(rf"\(\s*SELECT {column}\s", value):
        return True
    found = re.match(r"(?:COALESCE|GREATEST|LEAST)\(|CASE\b", value)
    if found is None or not is_one_call(value):
        return False
    places = (_branches if found[0] == "CASE" else arguments)(value, found.end())
    chosen = [value[begin:end] for begin, end in places]
    return any(_is_id(v, column) for v in chosen) and all(
        _is_id(v, column) or v.endswith("::uuid") for v in chosen
    )


def arguments(text: str, begin: int) -> Iterator[tuple[int, int]]:
    """The places of a call's arguments; begin is behind its parenthesis."""
    for mark in _marks(text, begin):
        if mark[0] in (",", ")"):
            yield _stripped(text, begin, mark.start())
            begin = mark.end()


def _branches(text: str, begin: int) -> Iterator[tuple[int, int]]:
    """The places of the values that a CASE gives; begin is behind that word."""
    is_value = False
    for mark in _marks(text, begin):
        if is_value and mark[0] in ("WHEN", "ELSE", "END"):
            yield _stripped(text, begin, mark.start())
        is_value, begin = mark[0] in ("THEN", "ELSE"), mark.end()


def _compared(text: str, begin: int) -> Iterator[tuple[int, int]]:
    """The places of what a CASE compares and of its values; none where it has conditions."""
    marks = list(_marks(text, begin))
    if marks and text[begin : marks[0].start()].strip():
        yield _stripped(text, begin, marks[0].start())
        for mark, following in pairwise(marks):
            if mark[0] == "WHEN":
                yield _stripped(text, mark.end(), following.start())


def _marks(text: str, begin: int) -> Iterator[re.Match[str]]:
    """Commas and words of what begins here, not of what is nested in it, and its end."""
    depth = 0
    for token in _TOKEN.finditer(text, begin):
        if token[0] in _CLOSING:
            depth -= 1
        if depth < 0 or (depth == 0 and token[0] in _BETWEEN):
            yield token
        if depth < 0:
            return
        if token[0] in _OPENING:
            depth += 1


def closing(text: str, begin: int) -> int:
    """Where the parenthesis is closed in which a place of a text is; its end when in none."""
    *_, end = (None, *_marks(text, begin))
    return end.start() if end is not None and end[0] == ")" else len(text)


def _stripped(text: str, begin: int, end: int) -> tuple[int, int]:
    value = text[begin:end]
    return begin + len(value) - len(value.lstrip()), begin + len(value.rstrip())


def _cast_unions(text: str, column: str) -> str:
    """Make each column of what UNION, INTERSECT or EXCEPT put together one type."""
    groups = len(_united(text))
    for number in range(groups):
        lists = _united(text)[number]
        for place in range(len(lists[0])):
            text = _one_type(text, [values[place] for values in _united(text)[number]], column)
    return text


def _united(text: str) -> list[list[list[tuple[int, int]]]]:
    """The lists of the queries that are put together, each with the places of its values."""
    if not re.search(r"\b(?:UNION|INTERSECT|EXCEPT)\b", text):
        return []
    found: list[list[int]] = []  # where their lists begin
    levels: list[list[int]] = [[]]
    # Each parenthesis, and whether a query in it is one of those around it.
    opened: list[bool] = []
    for token in _QUERIES.finditer(text):
        if token["query"]:
            levels[-1].append(token.end())
        elif token["opens"]:
            before = text[: token.start()].rstrip()
            is_part = bool(_UNITES.search(before))
            opened.append(is_part)
            if not is_part:
                levels.append([])
        elif token[0] == ")" and opened and not opened.pop():
            found.append(levels.pop())
    found += levels
    united = ([_listed(text, begin) for begin in level] for level in found if len(level) > 1)
    return [lists for lists in united if len({len(values) for values in lists}) == 1]


def _listed(text: str, begin: int) -> list[tuple[int, int]]:
    """The places of the values that a query gives, without the names that it gives them."""
    end = _end_of_list(text, begin)
    places = []
    for mark in _marks(f"{text[:end]})", begin):
        if mark[0] in (",", ")"):
            start, stop = _stripped(text, begin, mark.start())
            if called := re.search(rf" AS {NAME}$", text[start:stop]):
                stop = start + called.start()
            places.append((start, stop))
            begin = mark.end()
    return places


def _cast_lists(text: str, column: str) -> str:
    """Compare ids with lists of what are no ids as text: each is none of them, as before."""
    if " IN (" not in text:
        return text

    def convert(match: re.Match[str]) -> str:
        values = match["values"].split(", ")
        if all(re.fullmatch(ID, value) for value in values):
            return match[0]
        return f"(({match['column']})::text {match['operator']} ({match['values']}))"

    operator = r"(?P<operator>(?:NOT )?IN)"
    values = rf"\((?P<values>{_STRING}(?:, {_STRING})*)\)"
    return re.sub(rf"\((?P<column>{column}) {operator} {values}\)", convert, text)
