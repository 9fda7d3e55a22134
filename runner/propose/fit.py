"""Holds a proposal against the generator: what it would refuse is for you to decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from psycopg import Connection

from runner.catalog import Catalog
from runner.errors import StandardError
from runner.generate import plan_units
from runner.propose import only_window
from runner.quoting import Name
from runner.service.asked import misfits
from runner.standard.model import Standard
from runner.standard.proposal import Entry, Paragraph, Proposal

_Group = Sequence[Entry]


def fit(proposal: Proposal, catalog: Catalog, connection: Connection[Any]) -> None:
    """Take out of force, with the generator's reason, the entries that it would refuse.

    Args:
        proposal: it is changed in place.
        catalog: the database that it was made from.
        connection: to that database; nothing is changed in it.
    """

    def refusal() -> str:
        standard = proposal.standard()
        if refused := _refusal(standard, catalog):
            return refused
        units = plan_units(standard, catalog)
        found = (m for u in units for m in misfits(connection, u.tables, u.dependents))
        return next((m.reason for m in found), "")

    _keep_ties(proposal)
    if refusal():
        _take_out(proposal, catalog)
    if refusal():
        _settle(_groups(proposal), refusal)
    proposal.notes += only_window.notes(plan_units(proposal.standard(), catalog))


def _take_out(proposal: Proposal, catalog: Catalog) -> None:
    # Without foreign keys what is wrong is wrong with one table, so few entries are tried.
    alone = _without_foreign_keys(catalog)
    for paragraph in _refused(proposal, proposal.paragraphs, alone):

        def refusal(paragraph: Paragraph = paragraph) -> str:
            return _refusal(proposal.standard([paragraph]), alone)

        _settle([[e] for e in paragraph.entries if not e.reason], refusal)
    _keep_ties(proposal)


def _refusal(standard: Standard, catalog: Catalog) -> str:
    try:
        plan_units(standard, catalog)
    except StandardError as error:
        return error.message
    return ""


def _without_foreign_keys(catalog: Catalog) -> Catalog:
    return replace(
        catalog,
        relations={
            name: replace(r, constraints=tuple(k for k in r.constraints if k.kind != "f"))
            for name, r in catalog.relations.items()
        },
    )


def _refused(
    proposal: Proposal, paragraphs: Sequence[Paragraph], catalog: Catalog
) -> list[Paragraph]:
    """The paragraphs that are refused, each looked at by itself."""
    if not paragraphs or not _refusal(proposal.standard(paragraphs), catalog):
        return []
    if len(paragraphs) == 1:
        return [*paragraphs]
    half = len(paragraphs) // 2
    return [
        *_refused(proposal, paragraphs[:half], catalog),
        *_refused(proposal, paragraphs[half:], catalog),
    ]


def _settle(groups: Sequence[_Group], refusal: Callable[[], str]) -> None:
    """Put groups of entries in force, the most that are not refused, in their order."""
    for group in groups:
        _set(group, "not tried")
    _add(groups, refusal)


def _add(groups: Sequence[_Group], refusal: Callable[[], str]) -> None:
    for group in groups:
        _set(group, "")
    reason = refusal()
    if not reason:
        return
    if len(groups) == 1:
        _set(groups[0], reason)
        return
    for group in groups:
        _set(group, "not tried")
    half = len(groups) // 2
    _add(groups[:half], refusal)
    _add(groups[half:], refusal)


def _set(group: _Group, reason: str) -> None:
    for entry in group:
        entry.reason = reason


def _groups(proposal: Proposal) -> list[_Group]:
    """The entries in force, names first; columns that become uuid together are one group."""
    names: list[_Group] = []
    others: list[_Group] = []
    tied: dict[int, list[Entry]] = {}
    for paragraph in proposal.paragraphs:
        for entry in paragraph.entries:
            members = proposal.ties.get((paragraph.table.qualified, entry.column))
            if entry.reason:
                continue
            if entry.kind == "uuids" and members:
                tied.setdefault(id(members), []).append(entry)
            else:
                (names if entry.kind == "name" else others).append([entry])
    return [*names, *tied.values(), *others]


def _keep_ties(proposal: Proposal) -> None:
    """A key is converted with all its references, or not at all."""
    entries: dict[tuple[Name, str], Entry] = {
        (p.table.qualified, e.column): e
        for p in proposal.paragraphs
        for e in p.entries
        if e.kind == "uuids"
    }
    for key, entry in entries.items():
        if entry.reason:
            for other in proposal.ties.get(key, ()):
                tied = entries.get(other)
                if tied is not None and not tied.reason:
                    tied.reason = f"it is tied to {key[0]}.{key[1]}, which is for you to decide"
