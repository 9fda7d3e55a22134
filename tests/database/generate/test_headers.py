"""What a file's header says of locks and costs is what happens, there and on the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from support.runs import query
from support.variants import EARLY, KEPT, ODD, MakeService, Variant

from runner.ledger.files import Migration
from runner.ledger.header import parse_header
from runner.ledger.scanner import Statement
from runner.postgres.locks import LockMode
from runner.postgres.trace import Trace, Tracer

# Weaker ones hold up nobody who reads or writes, and no DDL that matters here.
STRONG = LockMode.SHARE_UPDATE_EXCLUSIVE.number
MODES = "|".join(sorted(LockMode, key=len, reverse=True))
SAID = re.compile(
    rf"\b({MODES}) on (.+?)"
    rf"(?=, (?:{MODES}) on | for a few ms| until it is done|: reads and writes|, as any|$)"
)
AT_THE_END = re.compile(r"at the end SHARE UPDATE EXCLUSIVE")


def strong_locks_said(text: str) -> dict[str, LockMode]:
    """By table or view."""
    return {
        name.removeprefix("the view "): LockMode(mode)
        for mode, names in SAID.findall(text)
        for name in re.split(r", | and ", names)
        if LockMode(mode).number >= STRONG
    }


def _is_of_service(relation: str) -> bool:
    """Whether a relation is none of trueup's own: also in the schema of tables that keep names."""
    return not relation.startswith("trueup.") and "yoyo" not in relation


# Functions of trueup's that run with the rights of another role than the one that migrates.
GIVEN = """
    SELECT oid FROM pg_proc
    WHERE pronamespace = to_regnamespace('trueup') AND proowner <> current_user::regrole
"""


OWNED = """
    DO $$
    DECLARE
        name regclass;
    BEGIN
        FOR name IN
            SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        LOOP
            EXECUTE format('ALTER TABLE %s OWNER TO trueup_test_owner', name);
        END LOOP;
    END $$
"""


class Told:
    """What running one file did to what was there of the service before.

    Args:
        traces: of its statements.
        given: whether a function of trueup's got another owner.
    """

    def __init__(self, traces: Sequence[Trace], *, given: bool = False) -> None:
        self.given = given
        self.strong: dict[str, LockMode] = {}
        for lock in (lock for trace in traces for lock in trace.locks):
            name = lock.relation.removeprefix("public.")
            known = self.strong.get(name)
            if _is_of_service(lock.relation) and not lock.new and lock.mode.number >= STRONG:
                self.strong[name] = max(known or lock.mode, lock.mode, key=lambda m: m.number)
        touches = [t for trace in traces for t in trace.touches if _is_of_service(t.relation)]
        self.rewritten = {t.relation.removeprefix("public.") for t in touches if t.rewritten}
        self.scanned = {t.relation.removeprefix("public.") for t in touches if t.scans and t.read}
        self.written = {
            t.relation.removeprefix("public.") for t in touches if t.inserted + t.updated
        }


def run(dsn: str, statements: Sequence[Statement], *, in_transaction: bool) -> Told:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET trueup.waiting_period = '0'")
        tracer = Tracer(connection)
        if not in_transaction:
            return Told([tracer.run_outside(s.text, dsn) for s in statements])
        given = {*connection.execute(GIVEN)}
        with connection.transaction():
            tracer.begin()
            traces = [tracer.run(s.text) for s in statements]
        return Told(traces, given=bool({*connection.execute(GIVEN)} - given))


def wrong(path: Path, text: str, told: Told, *, sampled: bool) -> Iterator[str]:
    """What the header of a file says that is not so, or does not say that is."""
    header = parse_header(path, text).metadata
    said, cost = strong_locks_said(header["locks"]), header["cost"]
    taken = {} if AT_THE_END.search(header["locks"]) else told.strong
    if sampled:  # a short one may have been missed
        said = {name: mode for name, mode in said.items() if name in taken}
    if said != taken:
        yield f"{path.name}: says {said}, takes {taken}"
    if bool(told.rewritten) != ("rewrites" in cost):
        yield f"{path.name}: cost is {cost!r}, rewritten is {told.rewritten}"
    if told.scanned and not re.search(r"reads|rewrites|writes|samples", cost):
        yield f"{path.name}: cost is {cost!r}, read is {told.scanned}"
    # Which of two tables is read by an index is the planner's choice.
    if re.search(r"\breads (?:\w+|the table) (?:once|twice)", cost) and not told.scanned:
        yield f"{path.name}: cost is {cost!r}, and it reads none"
    if told.given and not re.search(r"gives each function of a trigger", header["does"]):
        yield f"{path.name}: does is {header['does']!r}, and a function got another owner"
    if told.written and not re.search(r"rewrites|writes", cost):
        yield f"{path.name}: cost is {cost!r}, written is {told.written}"


@pytest.mark.parametrize(
    ("variant", "strategy"),
    [(ODD, "online"), (ODD, "window"), (KEPT, "online"), (EARLY, "online")],
    ids=str,
)
def test_headers_are_true(make_service: MakeService, variant: Variant, strategy: str) -> None:
    service = make_service(variant)
    files = [m for m in service.migrations(strategy) if m.phase != "baseline"]
    query(service.dsn, OWNED)
    if variant is EARLY:  # its others are like those above
        files = [m for m in files if m.phase in ("toolkit", "check", "expand")]
    found: list[str] = []
    for m in files:
        told = run(service.dsn, m.statements, in_transaction=m.transactional)
        found += wrong(m.path, m.text, told, sampled=not m.transactional)
    for m in reversed(files):
        told = run(service.dsn, m.rollback_statements, in_transaction=m.transactional)
        found += _back(m, told)
    assert not found, "\n".join(found)


def _back(m: Migration, told: Told) -> list[str]:
    assert m.rollback_path is not None
    if m.rollback_text.startswith("-- no-op: "):
        assert not m.rollback_statements
        return []
    return list(wrong(m.rollback_path, m.rollback_text, told, sampled=not m.transactional))
