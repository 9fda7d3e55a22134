"""The schema `trueup`, with the functions and procedures that the other files call."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from runner.generate.files import HEAD, OWN_NAMES, File
from runner.generate.statement import Paragraph, Statement, between, plain
from runner.generate.text import text
from runner.quoting import quote_literal

PHASE = "toolkit"

_MADE = re.compile(
    r"(?:^--[^\n]*\n)*^CREATE (?:OR REPLACE |UNLOGGED )?(?:FUNCTION|PROCEDURE|TABLE)"
    r"(?: IF NOT EXISTS)? trueup\.(\w+)\b.*?(?:^\$\$;$|^\);$)",
    re.MULTILINE | re.DOTALL,
)
_CALL = "CALL trueup."
_NAMED = re.compile(r"\btrueup\.(\w+)")
# A routine whose parameters change gets another name: both may stand in one database, and a call
# with fewer of them would fit either.


@dataclass(frozen=True)
class _Idea:
    """What one file of the toolkit is about.

    Args:
        name: of the file.
        folder: where it goes: to what one strategy alone calls, if not both do.
        title: the first line of its header.
        parts: the texts in `sql/toolkit/`, file.macro, each with what it makes, in words.
        does: what else it does.
        always: what is needed wherever the folder has files: by trueup itself, or by hand.
        public: what any role may call.
    """

    name: str
    folder: str
    title: str
    parts: Mapping[str, str]
    does: str = ""
    always: tuple[str, ...] = ()
    public: tuple[str, ...] = ()

    def said(self, names: Collection[str]) -> str:
        """What a file of some of its routines and tables does, in words."""
        found = [said for part, said in self.parts.items() if not {*names}.isdisjoint(_text(part))]
        return f"{self.does}makes {'; '.join(found)}; touches no table of the service"


_IDEAS = (
    _Idea(
        "common",
        "common",
        "Make the schema trueup, with what the files of both strategies call.",
        {
            "schema.settings": "what makes each file independent of how role and server are set",
            "guard.guard": "what stops a file at a table that has changed since it was written",
            "rows.rows": "what stops one at rows that cannot be converted, and names them",
            "rows.views": "what tries views before anything changes",
            "guard.servers": "what lets one file fit every server",
            "spellings.spellings": "what keeps the old spellings that a rollback needs, and "
            "trueup.forget_spellings, which lets them go",
        },
        "refuses a schema trueup in which somebody else could put functions of his own, and a "
        "publication that would send its tables; then ",
        always=("fix_transaction", "require_settings", "is_called", "keep_private"),
        public=("is_own",),
    ),
    _Idea(
        "both_live",
        "online",
        "Keep owners, grants and keys right while both contracts live.",
        {
            "grants.grants_and_keys": "what copies owners and grants from one side to the "
            "other, with a table of those that both had, orders two inserts of one key and locks "
            "several tables",
            "backfill.backfill": "what fills columns in batches, with a table of how far it is",
        },
        public=("hold_key",),
    ),
    _Idea(
        "transition",
        "online",
        "Show two contracts of a table that keeps its name.",
        {
            "grants.transition": "what makes the schema in which the new contract of such "
            "tables stands while both live, and drops it"
        },
    ),
    _Idea(
        "usage_counter",
        "online",
        "Count the uses of old names, and stop contract while one may be in use.",
        {
            "usage_counter.counter": "what reads the usage counter of a compat view and asks the "
            "other witnesses, and the table that keeps what was read"
        },
        always=("read_odometer", "require_unused", "show_odometer", "witnesses"),
        public=("show_odometer", "witnesses"),
    ),
    _Idea(
        "set_aside",
        "window",
        "Set aside the triggers that would see values put back.",
        {
            "spellings.set_aside": "what silences triggers while a window's rollback writes, and "
            "wakes them"
        },
    ),
)


@dataclass(frozen=True)
class _Made:
    """A routine or table of the toolkit: the statement that makes it."""

    sql: str
    names: frozenset[str]  # what it calls


@cache
def _made(idea: str) -> Mapping[str, _Made]:
    """What belongs to an idea, each after what it calls."""
    parts = next(i.parts for i in _IDEAS if i.name == idea)
    return {name: made for part in parts for name, made in _text(part).items()}


@cache
def _text(part: str) -> Mapping[str, _Made]:
    return {m[1]: _Made(m[0], frozenset(_NAMED.findall(m[0]))) for m in _MADE.finditer(_kit(part))}


def _kit(part: str, **holes: str) -> str:
    file, _, macro = part.partition(".")
    return text(f"toolkit/{file}", macro, **holes)


def made_by(sql: str) -> frozenset[str]:
    """The routines and tables that the text of a file of the toolkit makes."""
    return frozenset(m[1] for m in _MADE.finditer(sql))


def files(
    callers: Sequence[File], service: str, existing: Mapping[str, Collection[str]]
) -> list[File]:
    """The files of the toolkit: what some file of the service calls, and nothing else.

    Args:
        callers: the other files.
        service: its name, which keeps the files of two services of one database apart.
        existing: what the files that are there make, by their names without numbers: they stay
            as they are, and what is called anew goes into files behind them.
    """
    needed = _needed(callers)
    parts = [
        (idea, subject, names)
        for idea in _IDEAS
        for subject, names in _parts(idea, f"{service}_{idea.name}", needed, existing)
    ]
    parts.sort(key=lambda part: f"{PHASE}_{part[1]}" not in existing)
    found: list[File] = []
    for idea, subject, names in parts:
        own = [f for f in found if f.folder == idea.folder][-1:]
        shared = [f for f in found if f.folder in ("common", idea.folder)][-1:]
        after = list(dict.fromkeys([*own, *shared]))
        found.append(_file(idea, subject, names, after, service))
    return found


def _needed(callers: Sequence[File]) -> set[str]:
    """The names that are called, and what these call."""
    made = {name: m for idea in _IDEAS for name, m in _made(idea.name).items()}
    folders = {"common", *(f.strategy for f in callers)}
    ready = {n for i in _IDEAS if i.folder in folders for n in i.always}
    for said in (t for f in callers for s in f.statements for t in (s.sql, s.note)):
        if said.startswith(_CALL) and said.find("trueup.", len(_CALL)) < 0:
            ready.add(said[len(_CALL) : said.index("(")])
        elif "trueup." in said:
            ready.update(_NAMED.findall(said))
    needed: set[str] = set()
    while ready := (ready & made.keys()) - needed:
        needed |= ready
        ready = {n for name in ready for n in made[name].names}
    return needed


def _parts(
    idea: _Idea, subject: str, needed: Collection[str], existing: Mapping[str, Collection[str]]
) -> Iterable[tuple[str, list[str]]]:
    """The files of one idea: those that are there with what they make, then one for the rest."""
    every = _made(idea.name)
    left = [name for name in every if name in needed]
    name, place = subject, 1
    while left or f"{PHASE}_{name}" in existing:
        there = existing.get(f"{PHASE}_{name}")
        names = left if there is None else [n for n in every if n in there]
        if names:
            yield name, names
        left = [n for n in left if n not in names]
        place += 1
        name = f"{subject}_{place}"


def _file(idea: _Idea, subject: str, names: list[str], after: list[File], service: str) -> File:
    made = _made(idea.name)
    is_first = not after
    body: list[Paragraph] = [[Statement(_kit("schema.begin"))]] if is_first else []
    body += [[Statement(made[name].sql)] for name in names]
    body.append(_closed(idea, names))
    if is_first:
        body.append(plain("CALL trueup.require_settings();", "CALL trueup.fix_transaction();"))
    return File(
        unlike=subject,
        folder=idea.folder,
        phase=PHASE,
        subject=subject,
        title=idea.title,
        does=idea.said(names),
        locks_said="only what it creates",
        cost="none",
        head=[OWN_NAMES] if is_first else HEAD,
        undo="drops what the toolkit's files made, unless files of another unit of tables, of the "
        "other strategy or of another service still call it"
        if is_first
        else "nothing to undo: it goes with the first file of the toolkit",
        body=body,
        rollback=[[Statement(_kit("schema.end", own_toolkit=_own(service)))]] if is_first else [],
        back="Drops what the toolkit's files made, and the schema when nothing else lives in it."
        if is_first
        else "no-op: it goes with the first file of the toolkit.",
        after=after,
    )


def _closed(idea: _Idea, names: list[str]) -> Paragraph:
    """The rights on what was made."""
    found = [
        Statement(
            between("CALL trueup.keep_private(", map(quote_literal, names), ");"),
            note="Clients call none of these.",
        )
    ]
    if public := [f"trueup.{n}" for n in idea.public if n in names]:
        found.append(
            Statement(
                f"GRANT EXECUTE ON ROUTINE {', '.join(public)} TO PUBLIC;",
                note="Any role may call these: they run with the rights of their caller.",
            )
        )
    return found


def _own(service: str) -> str:
    """What the ids of a service's own toolkit look like, as a literal."""
    ideas = "|".join(idea.name for idea in _IDEAS)
    return quote_literal(f"^[0-9]+_{PHASE}_{service}_({ideas})(_[0-9]+)?$")
