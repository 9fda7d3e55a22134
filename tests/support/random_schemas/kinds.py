"""The kinds of columns that a random schema draws: types, defaults, values under both contracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.standard import EnumStandard

STATES = EnumStandard("State", ("OPEN", "CLOSED", "ON_HOLD"))
# Three old values become one: only what is kept tells them apart.
PHASES = EnumStandard(
    "Phase",
    ("ACTIVE", "INACTIVE"),
    {"CREATED": "INACTIVE", "PAUSED": "INACTIVE"},
    {"INACTIVE": "paused"},
)
# Values that a literal, a body or a comment would stumble over.
ODDS = EnumStandard("Odd", ("IT'S", "$$ %S", "BACK\\SLASH", "LINE\nFEED", "{}"))

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of column.

    Args:
        type: its old type.
        default: SQL.
        values: what it may hold, each as the old and as the new contract says it; of several
            that the new one says alike, the first is what it derives for the old one.
        odd: what it may hold besides, where a key tells which row held what.
        enum: what becomes of its values.
        method: of an index on it; empty where it can have none.
        words: whether its values are plain words, that a condition can name.
    """

    type: str
    default: str
    values: tuple[Pair, ...]
    odd: tuple[Pair, ...] = ()
    enum: EnumStandard | None = None
    method: str = "btree"
    words: bool = False

    @property
    def is_json(self) -> bool:
        """Whether its enum's values stand at paths."""
        return self.type in ("json", "jsonb")

    def old(self, new: Any) -> Any:
        """What the old contract sees of what the new one wrote."""
        return next(old for old, known in self.values if known == new)


def _same(*values: Any) -> tuple[Pair, ...]:
    return tuple((value, value) for value in values)


_STATES = (("open", "OPEN"), ("closed", "CLOSED"), ("on_hold", "ON_HOLD"))
_ODD = (("Closed", "CLOSED"), ("ON_HOLD", "ON_HOLD"))
_ODDS = tuple((value.lower(), value) for value in ODDS.values)
_LISTS: tuple[Pair, ...] = (
    (["open", "on_hold"], ["OPEN", "ON_HOLD"]),
    ([], []),
    (["closed"], ["CLOSED"]),
)
_DOCUMENTS = (
    ({"kind": "open", "n": 1}, {"kind": "OPEN", "n": 1}),
    ({"deep": {"state": "closed"}}, {"deep": {"state": "CLOSED"}}),
    ({"kind": None, "other": "open"}, {"kind": None, "other": "open"}),
)
_ODD_DOCUMENTS = (
    ({"kind": "Open", "n": 1}, {"kind": "OPEN", "n": 1}),
    ({"deep": {"state": "CLOSED"}}, {"deep": {"state": "CLOSED"}}),
)
# Where they are in a document.
PATHS = (("kind",), ("deep", "state"))

KINDS: Mapping[str, Kind] = {
    "text": Kind("varchar(40)", "'x'", _same("a", "it's", "")),
    "int": Kind("integer", "7", _same(1, 2, 30)),
    "note": Kind("text", "now()::text", _same("n", "n" * 50)),
    "renamed": Kind("text", "'x'", _same("r", "s")),
    "level": Kind("integer", "2", _same(1, 2, 3)),
    "state": Kind("varchar(20)", "'open'", _STATES, _ODD, STATES, words=True),
    "native": Kind("public.state", "'open'", _STATES, (), STATES, words=True),
    "states": Kind(
        "varchar[]",
        "'{open}'",
        _LISTS,
        ((["Open", "ON_HOLD"], ["OPEN", "ON_HOLD"]),),
        STATES,
        "gin",
    ),
    "natives": Kind("public.state[]", "'{open}'", _LISTS, (), STATES, "gin"),
    "domain": Kind("public.word", "'open'", _STATES, _ODD, STATES),
    "ruled": Kind("public.ruled", "'on_hold'", _STATES, _ODD, STATES),
    "by letters": Kind('varchar(20) COLLATE "C"', "'open'", _STATES, _ODD, STATES, words=True),
    "folded": Kind("text COLLATE public.folded", "'open'", _STATES, _ODD, STATES, words=True),
    "odd": Kind("varchar(30)", "'$$ %s'", _ODDS, (("It's", "IT'S"),), ODDS),
    "lossy": Kind(
        "varchar(20)",
        "'paused'",
        (("active", "ACTIVE"), ("paused", "INACTIVE")),
        (("created", "INACTIVE"), ("Inactive", "INACTIVE")),
        PHASES,
    ),
    "json": Kind("json", '\'{"kind": "open"}\'', _DOCUMENTS, _ODD_DOCUMENTS, STATES, ""),
    "jsonb": Kind("jsonb", "'{}'", _DOCUMENTS, _ODD_DOCUMENTS, STATES, "gin"),
}
