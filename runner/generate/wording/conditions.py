"""The condition of a CHECK: whether it is a mere list of values, and what it says of new values."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from runner.errors import StandardError
from runner.generate.wording.casts import ID, NAME
from runner.generate.wording.predicates import Wording, with_values
from runner.quoting import quote_ident

_TYPE = rf"(?:character varying|(?:{NAME}\.)?{NAME})(?:\(\d+\))?(?:\[\])?"
_VALUE = rf"\(*E?'(?:[^']|'')*'(?:::{_TYPE})?\)*(?:::{_TYPE})?"
_LIST = rf"\(*ARRAY\[{_VALUE}(?:, {_VALUE})*\]\)*(?:::{_TYPE})?\)*"
# Stands for what was understood; no name of a column can hold it.
_DONE = "\0"


def is_list(condition: str, column: str) -> bool:
    """Whether a condition lists the values that a column may have, and says nothing else.

    Args:
        condition: as PostgreSQL prints it.
        column: the only column in it; of one value, or an array of them.
    """
    own = _own([column])
    text = re.sub(rf"{own} (?:= ANY|<@) {_LIST}", _DONE, condition)
    text = re.sub(rf"{own} = {_VALUE}", _DONE, text)
    text = re.sub(rf"{own} IS NULL", _DONE, text)
    return _DONE in text and not re.sub(rf"OR|[() {_DONE}]", "", text)


def is_about_case(condition: str, column: str) -> bool:
    """Whether a condition only asks that a value is in lower case, or in upper case."""
    own = _own([column])
    call = rf"(?:lower|upper)\(\(*{_names([column])}\)*(?:::{_TYPE})?\)*"
    return re.fullmatch(rf"\(*(?:{own} = {call}|{call} = {own})\)*", condition) is not None


def of_column(condition: str, column: str) -> str:
    """A domain's condition on VALUE as one on a column."""
    token = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\bVALUE\b"""
    return re.sub(token, lambda m: quote_ident(column) if m[0] == "VALUE" else m[0], condition)


def in_new_words(condition: str, wording: Wording, old: Mapping[str, str]) -> str:
    """A condition on old values as one on the new ones that they became.

    Args:
        condition: as PostgreSQL prints it, in parentheses.
        wording: of the converted columns in it.
        old: by converted column, SQL for its old value as the new one gives it.

    Returns:
        The condition in the new contract's words, where it only compares with values; else the
        same condition, asked of what the old contract would see.
    """
    uuids = set(wording.uuid_columns)
    orders = len(re.findall(r" [<>]=? ", condition))
    ranked = bool(wording.ranks) and wording.orders(condition) == orders
    if _compares_only(condition, old.keys() - uuids, uuids, ranked=ranked):
        try:
            return wording.converted(condition)
        except StandardError:
            pass  # two old values became one, or a literal may be another column's
    return with_values(condition, {name: f"({value})" for name, value in old.items()})


def _compares_only(
    condition: str, enums: Collection[str], uuids: Collection[str], *, ranked: bool
) -> bool:
    """Whether columns are only compared with values, for equality, or asked whether they are null.

    Whatever else is done to a value may depend on how it is spelled.
    """
    known = [rf"{_own([*enums, *uuids])} IS (?:NOT )?NULL"]
    if enums:
        own = _own(enums)
        known += [
            rf"{own} (?:= ANY|<> ALL|<@|@>|&&) {_LIST}",
            rf"(?<![\w(]){_VALUE} = ANY {own}",
            rf"{own} (?:=|<>) {_VALUE}",
            rf"{own} [<>]=? {_VALUE}" if ranked else "(?!)",
            rf"(?:cardinality|array_ndims|array_length)\({_names(enums)}(?:, \d+)?\)",
        ]
    if uuids:
        own = _own(uuids)
        known.append(rf"{own} (?:=|<>) (?:{ID}::{_TYPE}|{own})")
    for pattern in known:
        condition = re.sub(pattern, _DONE, condition)
    left = with_values(condition, dict.fromkeys([*enums, *uuids], "\1"))
    return "\1" not in left


def _own(columns: Collection[str]) -> str:
    """A column as PostgreSQL prints it in a comparison."""
    return rf"""(?<![\w"(])\(*{_names(columns)}(?![\w"])\)*(?:::{_TYPE})?\)*"""


def _names(columns: Collection[str]) -> str:
    return "(?:" + "|".join(re.escape(quote_ident(name)) for name in sorted(columns)) + ")"
