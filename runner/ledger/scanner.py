"""Splits SQL text into statements exactly where PostgreSQL ends them.

Follows psql's lexer (src/fe_utils/psqlscan.l): quotes with and without escapes, dollar quotes,
nested comments, and the bodies of BEGIN ATOMIC functions, with standard_conforming_strings on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Written as what they are not: ASCII alone compiles ten times as fast as ranges of Unicode.
_LETTER = r"[^\x00-@\[-^`{-\x7f]"
_LETTER_DIGIT = r"[^\x00-/:-@\[-^`{-\x7f]"
_LETTER_DIGIT_DOLLAR = r"[^\x00-#%-/:-@\[-^`{-\x7f]"
_TOKEN = re.compile(
    rf"""
      (?P<space>[ \t\n\r\f\v]+)
    | (?P<line_comment>--[^\n\r]*)
    | (?P<block_comment>/\*)
    | (?P<escape_quote>[eE]')
    | (?P<quote>(?:[bBxXnN]|[uU]&)?')
    | (?P<name>(?:[uU]&)?")
    | (?P<word>{_LETTER}{_LETTER_DIGIT_DOLLAR}*)
    | (?P<dollar>\$(?:{_LETTER}{_LETTER_DIGIT}*)?\$)
    | (?P<end>;)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<backslash>\\)
    | (?P<other>[0-9.,=<>+*%!?&|^~#@:\[\]{{}}`]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_QUOTE_END = re.compile(r"'(?!')|''")
_ESCAPE_QUOTE_END = re.compile(r"\\.|''|'", re.DOTALL)
_NAME_END = re.compile(r'"(?!")|""')
# A string goes on after white space that holds a line break; it keeps its kind.
_CONTINUATION = re.compile(r"(?:[ \t\f\v]|--[^\n\r]*)*+[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*+'")


@dataclass(frozen=True)
class Statement:
    """One SQL statement of a file.

    Args:
        text: from its first word to its semicolon, comments before it left out.
        offset: characters before it in the file.
        line: its first line in the file, counted from 1.
        words: its first words in upper case, up to 8: enough to tell what kind it is.
        quoted: where its strings and quoted names begin and end in the file.
    """

    text: str
    offset: int
    line: int
    words: tuple[str, ...]
    quoted: tuple[tuple[int, int], ...] = field(default=(), compare=False, repr=False)

    def quotes(self, offset: int) -> bool:
        """Whether a place in the file is within one of its strings: what stands there is data."""
        return any(start <= offset < end for start, end in self.quoted)


class ScanError(ValueError):
    """SQL text that no lexer can split.

    Args:
        message: what is wrong.
        offset: characters before the place.
    """

    def __init__(self, message: str, offset: int) -> None:
        """Keep the place beside the message."""
        super().__init__(message)
        self.offset = offset


def split(sql: str) -> list[Statement]:
    """Split SQL text into its statements.

    Args:
        sql: the text of a file.

    Returns:
        The statements in order; comments and empty statements are left out.

    Raises:
        ScanError: for a quote or comment that never ends, and for a psql command.
    """
    statements: list[Statement] = []
    line, counted = 1, 0
    start: int | None = None
    words: list[str] = []
    quoted: list[tuple[int, int]] = []
    parens = begins = 0
    position = last = 0
    while position < len(sql):
        token = _TOKEN.match(sql, position)
        assert token is not None
        kind = token.lastgroup
        position = token.end()
        if kind in ("space", "line_comment"):
            continue
        if kind in _REACHES:
            position = _end_of(sql, token)
        if kind == "block_comment":
            continue
        if kind == "end" and start is None:
            continue
        if start is None:
            start = token.start()
        if kind == "word":
            word = token.group().upper()
            if len(words) < 8:
                words.append(word)
            if parens == 0 and word in _BLOCK_WORDS and _defines_routine(words):
                if word == "END":
                    begins = max(0, begins - 1)
                elif word == "BEGIN" or begins:
                    begins += 1
        elif kind == "open":
            parens += 1
        elif kind == "close":
            parens = max(0, parens - 1)
        elif kind == "backslash":
            raise ScanError("a backslash starts a psql command, which is not SQL", token.start())
        elif kind == "end" and parens == 0 and begins == 0:
            line, counted = line + _line_breaks(sql, counted, start), start
            statements.append(
                Statement(sql[start:position], start, line, tuple(words), tuple(quoted))
            )
            start, words, quoted = None, [], []
        if kind in ("quote", "escape_quote", "name", "dollar"):
            quoted.append((token.start(), position))
        last = position
    if start is not None:
        line += _line_breaks(sql, counted, start)
        statements.append(Statement(sql[start:last], start, line, tuple(words), tuple(quoted)))
    return statements


def psql_commands(sql: str) -> list[tuple[int, int]]:
    """Where lines that are commands of psql begin and end: none inside a quote or a comment.

    Of `\\;` and `\\:`, which may stand anywhere in SQL, the backslash alone.

    Args:
        sql: the text of a file; what stands behind a quote that never ends is no command.
    """
    found: list[tuple[int, int]] = []
    position, begins_line = 0, True
    while position < len(sql):
        token = _TOKEN.match(sql, position)
        assert token is not None
        kind, position = token.lastgroup, token.end()
        if kind == "space":
            begins_line = begins_line or "\n" in token.group()
            continue
        if kind == "backslash" and sql[position : position + 1] in (";", ":"):
            found.append((token.start(), position))  # To psql what follows it is SQL.
        elif kind == "backslash" and begins_line:
            end = _COMMAND_END.search(sql, position)
            position = end.end() if end else len(sql)
            found.append((token.start(), position))
        elif kind in _REACHES:
            try:
                position = _end_of(sql, token)
            except ScanError:
                break
        begins_line = False
    return found


# A line, or the \\ behind which psql reads SQL again.
_COMMAND_END = re.compile(r"\\\\|(?=[\r\n])")
_BLOCK_WORDS = frozenset({"BEGIN", "CASE", "END"})


def _defines_routine(words: list[str]) -> bool:
    if words[1:3] == ["OR", "REPLACE"]:
        return words[0] == "CREATE" and words[3:4] in (["FUNCTION"], ["PROCEDURE"])
    return words[0] == "CREATE" and words[1:2] in (["FUNCTION"], ["PROCEDURE"])


def _line_breaks(sql: str, start: int, end: int) -> int:
    return sql.count("\n", start, end)


_REACHES = frozenset({"block_comment", "dollar", "escape_quote", "name", "quote"})


def _end_of(sql: str, token: re.Match[str]) -> int:
    """Where a comment, string or quoted name ends that a token opens."""
    match token.lastgroup:
        case "block_comment":
            return _comment_end(sql, token.start())
        case "quote":
            return _quoted_end(sql, token, _QUOTE_END, "string")
        case "escape_quote":
            return _quoted_end(sql, token, _ESCAPE_QUOTE_END, "string")
        case "name":
            return _quoted_end(sql, token, _NAME_END, "quoted identifier")
    end = sql.find(token.group(), token.end())
    if end < 0:
        raise ScanError(f"the {token.group()} quote is never closed", token.start())
    return end + len(token.group())


def _comment_end(sql: str, start: int) -> int:
    depth, position = 1, start + 2
    while depth:
        edge = _COMMENT_EDGE.search(sql, position)
        if edge is None:
            raise ScanError("the /* comment is never closed", start)
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position


def _quoted_end(sql: str, opening: re.Match[str], edges: re.Pattern[str], what: str) -> int:
    quote = opening.group()[-1]
    position = opening.end()
    while True:
        edge = edges.search(sql, position)
        if edge is None:
            raise ScanError(f"the {what} never ends", opening.start())
        position = edge.end()
        if edge.group() != quote:
            continue
        continuation = _CONTINUATION.match(sql, position) if quote == "'" else None
        if continuation is None:
            return position
        position = continuation.end()
