"""Drafts of migrations -> the text of their files."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jinja2

from runner.quoting import quote_ident, quote_literal, quote_name

_WIDTH = 100


@dataclass(frozen=True, slots=True)
class File:
    """A generated migration: its id and the text of its two files."""

    id: str
    folder: str
    sql: str
    rollback: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A migration that has no number yet.

    Args:
        key: what other drafts depend on it by.
        folder: where it goes, below the service's folder.
        phase: its phase.
        subject: the last part of its name.
        template: the template of the forward file; the rollback's has `.rollback` before `.sql`.
        title: the first line of its header.
        header: does, locks, cost, undo.
        rollback_title: the first line of the rollback's header.
        after: the keys of the drafts that must have run.
        transactional: False for a file that runs outside a transaction.
    """

    key: str
    folder: str
    phase: str
    subject: str
    template: str
    title: str
    header: Mapping[str, str]
    rollback_title: str
    after: Sequence[str] = ()
    transactional: bool = True
    context: Mapping[str, Any] = field(default_factory=dict)


_PHASES = {"expand": 1, "backfill": 2, "enforce": 3, "contract": 4, "window": 5}


def number(drafts: Sequence[Draft], baseline: str | None) -> list[File]:
    """Give drafts their numbers and render them.

    Args:
        drafts: all drafts of one strategy, in order within each phase.
        baseline: the id of the baseline, on which what depends on nothing else depends.

    Returns:
        The files in the order of their ids.
    """
    per_phase: dict[str, int] = dict.fromkeys(_PHASES, 0)
    for draft in drafts:
        per_phase[draft.phase] += 1
    step = 100
    while max(per_phase.values()) >= step:
        step *= 10
    ids: dict[str, str] = {}
    counts = dict.fromkeys(_PHASES, 0)
    for draft in drafts:
        counts[draft.phase] += 1
        value = _PHASES[draft.phase] * step + counts[draft.phase]
        width = max(4, len(str(step * 6)))
        ids[draft.key] = f"{value:0{width}}_{draft.phase}_{draft.subject}"
    files = [_file(draft, ids, baseline) for draft in drafts]
    return sorted(files, key=lambda f: f.id)


def _file(draft: Draft, ids: Mapping[str, str], baseline: str | None) -> File:
    depends = [ids[key] for key in draft.after] or ([baseline] if baseline else [])
    context = {**draft.context, "id": ids[draft.key]}
    header = _header(draft.title, draft.header, depends, draft.transactional)
    name = draft.template.removesuffix(".sql")
    sql = f"{header}\n\n{_render(draft.template, context)}"
    body = _render(f"{name}.rollback.sql", context)
    rollback = f"-- {draft.rollback_title}\n" + (f"\n{body}" if body else "")
    return File(ids[draft.key], draft.folder, sql, rollback)


def _header(
    title: str, entries: Mapping[str, str], depends: Sequence[str], transactional: bool
) -> str:
    lines = [f"-- {title}", "--"]
    for key, text in entries.items():
        wrapped = textwrap.wrap(text, _WIDTH - 12, break_long_words=False, break_on_hyphens=False)
        lines.append(f"-- {key + ':':<9}{wrapped[0]}")
        lines += [f"--          {line}" for line in wrapped[1:]]
    if not transactional:
        lines.append("-- transactional: false")
    if depends:
        lines.append(f"-- depends: {' '.join(depends)}")
    return "\n".join(lines)


def _render(template: str, context: Mapping[str, Any]) -> str:
    text = _environment().get_template(template).render(context)
    lines = [line.rstrip() for line in text.splitlines()]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return text + "\n" if text else ""


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("runner.generate"),
        autoescape=False,  # SQL, quoted by the filters below
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        q=quote_ident, n=quote_name, lit=quote_literal, qs=_quoted_list, in_literal=_in_literal
    )
    return environment


def _quoted_list(names: Iterable[str]) -> str:
    return ", ".join(map(quote_ident, names))


def _in_literal(text: str) -> str:
    """A text inside a RAISE format string."""
    return text.replace("'", "''").replace("%", "%%")
