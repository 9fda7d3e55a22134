"""What clients send, tried during a rehearsal: what expand breaks fails it, the rest is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from runner.ledger.files import Migration
from runner.postgres.scratch import ScratchServer
from runner.quoting import Name
from runner.workload import Refusal
from runner.workload.command import sent_by_clients, try_on
from runner.workload.show import describe, order_of_switch

_SHOWN = 5


def try_statements(
    server: ScratchServer,
    base: str,
    pending: Sequence[Migration],
    tables: Sequence[Name],
    *,
    dsn: str | None,
    given: Sequence[Path],
    listener: Callable[[str], None],
) -> tuple[list[str], list[str]]:
    """Try what clients send on clones of a rehearsal's database.

    Args:
        server: the scratch server.
        base: the database that is cloned; it has the schema of now.
        pending: the files that are rehearsed.
        tables: those that they convert, by their old names.
        dsn: the live database, for what it has recorded; None for the files alone.
        given: files of statements, instead.
        listener: told what is done now.

    Returns:
        What makes the rehearsal fail, and what there is to know.
    """
    sent, notes = sent_by_clients(dsn, given)
    if not sent:
        return [], []
    now = server.create(template=base)
    tried = try_on(server, now, pending, tables, sent, notes=notes, listener=listener)
    problems = [_line(r) for r in tried.refusals if r.is_of_expand]
    later = [r for r in tried.refusals if not r.is_of_expand]
    found = [*tried.not_looked_at, *filter(None, [order_of_switch(tried)])]
    found += [_line(refusal) for refusal in later[:_SHOWN]]
    if len(later) > _SHOWN:
        found.append(f"and {len(later) - _SHOWN} statements more: `trueup check --all` lists them")
    return problems, found


def _line(refusal: Refusal) -> str:
    said = "; ".join(line.strip() for line in describe(refusal))
    return f"{refusal.stage.value}: {said}"
