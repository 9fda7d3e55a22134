"""Upper and lower case that depends on no locale: in Turkish, `upper('image')` is not 'IMAGE'."""

from __future__ import annotations

from collections.abc import Iterable

from runner.quoting import quote_literal


def upper(value: str, words: Iterable[str] = ()) -> str:
    """SQL for a text in upper case, whatever the collation of its column or the database is.

    Args:
        value: SQL for the text.
        words: the values that it may be or become; their letters beyond ASCII are named one by one.
    """
    return _cased("upper", value, sorted(_beyond_ascii(words)))


def lower(value: str, words: Iterable[str] = ()) -> str:
    """SQL for the same in lower case, where that is another one letter for letter."""
    pairs = {(c, s) for s, c in _beyond_ascii(words) if c.lower() == s and not c.isascii()}
    return _cased("lower", value, sorted(pairs))


def _cased(function: str, value: str, pairs: list[tuple[str, str]]) -> str:
    cased = f'{function}({value} COLLATE "C")'
    if not pairs:
        return cased
    letters, instead = ("".join(half) for half in zip(*pairs, strict=True))
    return f"translate({cased}, {quote_literal(letters)}, {quote_literal(instead)})"


def _beyond_ascii(words: Iterable[str]) -> set[tuple[str, str]]:
    """Small letters that are not ASCII, each with its capital."""
    letters = {letter for word in words for letter in (*word, *word.upper())}
    smalls = {letter.lower() for letter in letters} | letters
    return {
        (small, small.upper())
        for small in smalls
        if len(small) == 1 == len(small.upper()) and not small.isascii() and small.upper() != small
    }
