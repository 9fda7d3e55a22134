"""What statements of ours lock, cost and give away, read from their text.

Only the forms that the kinds write are known here; a test holds what the headers of all files say
against what happens when they run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from runner.generate.statement import Lock, Statement, lock
from runner.postgres.locks import LockMode
from runner.quoting import Name

_PART = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_NAME = rf"({_PART}\.{_PART})"
_PARTS = re.compile(_PART)
_LEFT_OUT = re.compile(r"--[^\n]*|'(?:[^']|'')*'")
_IF = "(?:IF EXISTS )?"
_OWN = "trueup"
_CALL = "CALL trueup."

_ALTER = re.compile(rf"\bALTER TABLE {_IF}(?:ONLY )?{_NAME}\s+([^;]*);")
_RENAME = re.compile(rf"^ALTER (?:TABLE|VIEW) {_NAME} RENAME TO ({_PART});")
_MOVED = re.compile(rf"^ALTER TABLE {_NAME} SET SCHEMA ({_PART});")
_MADE = re.compile(
    rf"\bCREATE (?:OR REPLACE )?(?:UNLOGGED )?(?:MATERIALIZED )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?"
    rf"{_NAME}"
)
_REFERENCES = re.compile(rf"\bREFERENCES {_NAME}")
_ROUTINE = re.compile(r"CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE)\b")
_WEAK = (
    (re.compile(rf"(?:VALIDATE CONSTRAINT {_PART},?\s*)+"), LockMode.SHARE_UPDATE_EXCLUSIVE),
    (re.compile(r"(?:DISABLE|ENABLE)\b[^,]*TRIGGER[^,]*"), LockMode.SHARE_ROW_EXCLUSIVE),
    (re.compile(r"ATTACH PARTITION\b.*", re.DOTALL), LockMode.SHARE_UPDATE_EXCLUSIVE),
    (
        re.compile(rf"ALTER COLUMN {_PART} SET (?:STATISTICS|\()[^,]*"),
        LockMode.SHARE_UPDATE_EXCLUSIVE,
    ),
    (re.compile(r"(?:CLUSTER ON|SET WITHOUT CLUSTER)\b.*"), LockMode.SHARE_UPDATE_EXCLUSIVE),
    (
        re.compile(rf"ADD CONSTRAINT {_PART}\s+FOREIGN KEY (?:(?!,\n).)*", re.DOTALL),
        LockMode.SHARE_ROW_EXCLUSIVE,
    ),
)
# Each with a word without which it finds nothing: to look for that takes a tenth of the time.
_OTHERS = (
    ("DROP TRIGGER ", rf"\bDROP TRIGGER {_IF}{_PART} ON {_NAME}", LockMode.ACCESS_EXCLUSIVE),
    (" VIEW ", rf"\b(?:ALTER|DROP) VIEW {_IF}{_NAME}", LockMode.ACCESS_EXCLUSIVE),
    ("DROP ", rf"\bDROP (?:MATERIALIZED VIEW|TABLE) {_IF}{_NAME}", LockMode.ACCESS_EXCLUSIVE),
    ("POLICY ", rf"\bPOLICY {_PART}[^;]*? (?:ON|TO) {_NAME}", LockMode.ACCESS_EXCLUSIVE),
    ("RULE ", rf"\bRULE {_PART}[^;]*? (?:ON|TO) {_NAME}", LockMode.ACCESS_EXCLUSIVE),
    (
        "TRIGGER ",
        rf"\bCREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER [^;]*? ON {_NAME}",
        LockMode.SHARE_ROW_EXCLUSIVE,
    ),
    (
        " INDEX CONCURRENTLY ",
        rf"\bCREATE (?:UNIQUE )?INDEX CONCURRENTLY {_PART}\s+ON (?:ONLY )?{_NAME}",
        LockMode.SHARE_UPDATE_EXCLUSIVE,
    ),
    (
        " INDEX ",
        rf"\bCREATE (?:UNIQUE )?INDEX (?!CONC){_PART}\s+ON (?:ONLY )?{_NAME}",
        LockMode.SHARE,
    ),
    ("COMMENT ", rf"\bCOMMENT ON (?:TABLE|VIEW) {_NAME}", LockMode.SHARE_UPDATE_EXCLUSIVE),
    ("COMMENT ", rf"\bCOMMENT ON COLUMN {_NAME}\.", LockMode.SHARE_UPDATE_EXCLUSIVE),
    (
        "COMMENT ",
        rf"\bCOMMENT ON (?:CONSTRAINT|TRIGGER|POLICY|RULE) {_PART} ON {_NAME}",
        LockMode.SHARE_UPDATE_EXCLUSIVE,
    ),
    (
        "CREATE STATISTICS ",
        rf"\bCREATE STATISTICS [^;]*? FROM {_NAME}",
        LockMode.SHARE_UPDATE_EXCLUSIVE,
    ),
    ("ANALYZE ", rf"\bANALYZE {_NAME}", LockMode.SHARE_UPDATE_EXCLUSIVE),
    ("UPDATE ", rf"\bUPDATE {_NAME}", LockMode.ROW_EXCLUSIVE),
    ("INSERT ", rf"\bINSERT INTO {_NAME}", LockMode.ROW_EXCLUSIVE),
    ("DELETE ", rf"\bDELETE FROM {_NAME}", LockMode.ROW_EXCLUSIVE),
    ("FROM ", rf"(?<!DISTINCT )\bFROM {_NAME}", LockMode.ACCESS_SHARE),
    ("JOIN ", rf"(?<!DISTINCT )\bJOIN {_NAME}", LockMode.ACCESS_SHARE),
)
_FOUND_BY = tuple((word, re.compile(pattern), mode) for word, pattern, mode in _OTHERS)
_LOCKED = re.compile(rf"\bLOCK TABLE ({_NAME}(?:,\s*{_NAME})*)\s+IN ([A-Z ]+) MODE")

_TYPE = re.compile(rf"ALTER COLUMN {_PART} (?:SET DATA )?TYPE\b")
_BUILT = re.compile(rf"\bCREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?{_PART}\s+ON (?:ONLY )?{_NAME}")
_WRITTEN = re.compile(rf"\bUPDATE {_NAME}")


def locks(statements: Iterable[Statement]) -> list[Lock]:
    """The strongest lock on each relation that was there before, in the order of the statements.

    Args:
        statements: of one transaction.
    """
    found: dict[Name, Lock] = {}
    said: list[Lock] = []
    made: set[Name] = set()

    def keep(name: Name, taken: Lock, *, alone: bool) -> None:
        known = found.get(name)
        if name in made or name.schema == _OWN:
            return
        if known is None or known.mode.number < taken.mode.number:
            found[name] = lock(taken.mode, name, said=taken.said) if alone else taken

    for sql, statement, was in _with_names(statements):
        for taken in statement.locks:
            if not taken.relations:
                said.append(taken)
            for name in taken.relations:
                keep(was.get(name, name), taken, alone=len(taken.relations) == 1)
        for mode, name in _taken(sql):
            known = found.get(was.get(name, name))
            if known is None or known.mode is not mode:
                keep(was.get(name, name), lock(mode), alone=True)
        if "CREATE " in sql:
            made.update(_name(m[1]) for m in _MADE.finditer(sql))
    return list(dict.fromkeys([*found.values(), *said]))


def costs(statements: Iterable[Statement]) -> str:
    """What statements cost, by the size of tables."""
    found: list[str] = []
    for sql, _, was in _with_names(statements):

        def called(text: str, was: Mapping[Name, Name] = was) -> str:
            return was.get(_name(text), _name(text)).name

        for m in _ALTER.finditer(sql) if "ALTER TABLE " in sql else ():
            table = called(m[1])
            if _TYPE.search(m[2]):
                found.append(f"rewrites {table} and its indexes once")
            elif "VALIDATE CONSTRAINT" in m[2]:
                found.append(f"reads {table} once")
        for m in _BUILT.finditer(sql) if " INDEX " in sql else ():
            waits = " and waits for transactions that are older" if m[1] else ""
            found.append(f"reads {called(m[2])} {'twice' if m[1] else 'once'}{waits}")
        if "DROP INDEX CONCURRENTLY" in sql:
            found.append("waits for transactions that are older")
        for m in _WRITTEN.finditer(sql) if "UPDATE " in sql else ():
            if _name(m[1]).schema != _OWN:
                found.append(f"writes rows of {called(m[1])}")
        if "CALL trueup.require_clean" in sql or "CALL trueup.refuse_" in sql:
            found.append("reads the table once")
    return "; ".join(dict.fromkeys(found)) or "no rewrite, no scan"


def gifts(statements: Iterable[Statement]) -> str:
    """What statements give to somebody else, as the end of a sentence; empty where nothing."""
    if not any(s.sql.startswith("CALL trueup.hand_over(") for s in statements):
        return ""
    return "; gives each function of a trigger to its table's owner, with whose rights it runs"


def _with_names(
    statements: Iterable[Statement],
) -> Iterator[tuple[str, Statement, Mapping[Name, Name]]]:
    """The text of each that is no routine's, with what its names were called at the beginning."""
    was: dict[Name, Name] = {}
    for statement in statements:
        if statement.is_setting and not statement.locks:
            continue
        sql = _read(statement.sql)
        if not (sql.startswith("CREATE ") and _ROUTINE.match(sql)):
            yield sql, statement, was
        if not sql.startswith("ALTER "):
            continue
        if renamed := _RENAME.match(sql):
            old = _name(renamed[1])
            was[Name(old.schema, _unquoted(renamed[2]))] = was.pop(old, old)
        elif moved := _MOVED.match(sql):
            old = _name(moved[1])
            was[Name(_unquoted(moved[2]), old.name)] = was.pop(old, old)


@lru_cache(1 << 10)  # it is asked for locks, then for costs
def _read(sql: str) -> str:
    if sql.startswith(_CALL) and "$" not in sql:
        return sql.partition("(")[0]  # the rest is literals
    return _LEFT_OUT.sub("", sql) if "'" in sql or "--" in sql else sql


def _taken(sql: str) -> Iterator[tuple[LockMode, Name]]:
    if sql.startswith(_CALL) and "(" not in sql:
        return
    for m in _LOCKED.finditer(sql) if "LOCK TABLE " in sql else ():
        for name in re.findall(_NAME, m[1]):
            yield LockMode(m[4]), _name(name)
    for m in _ALTER.finditer(sql) if "ALTER TABLE " in sql else ():
        weak = [mode for pattern, mode in _WEAK if pattern.fullmatch(m[2].strip())]
        yield weak[0] if weak else LockMode.ACCESS_EXCLUSIVE, _name(m[1])
        for there in _REFERENCES.findall(m[2]) if "REFERENCES " in m[2] else ():
            yield LockMode.SHARE_ROW_EXCLUSIVE, _name(there)
    for word, pattern, mode in _FOUND_BY:
        if word in sql:
            for name in pattern.findall(sql):
                yield mode, _name(name)


@lru_cache(1 << 12)
def _name(text: str) -> Name:
    schema, name = _PARTS.findall(text)
    return Name(_unquoted(schema), _unquoted(name))


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
