"""Drafts of migrations -> the text of their files."""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jinja2

from runner.errors import StandardError
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


def number(
    drafts: Sequence[Draft], baseline: str | None, existing: Iterable[str] = ()
) -> list[File]:
    """Give drafts their numbers and render them.

    Args:
        drafts: all drafts of one strategy, in order within each phase.
        baseline: the id of the baseline, on which what depends on nothing else depends.
        existing: ids of files that are there: a draft of the same name keeps its number, a new
            one comes behind them.

    Returns:
        The files in the order of their ids.

    Raises:
        StandardError: the numbers of the files that are there leave no room.
    """
    names = _file_names(drafts)
    needed = Counter(draft.phase for draft in drafts)
    # The other strategy may need numbers of another width.
    taken = {
        name: digits
        for digits, _, name in (i.partition("_") for i in existing)
        if name.startswith("window_") == ("window" in needed)
    }
    step = 100
    while max(needed.values(), default=0) >= step:
        step *= 10
    width = max(4, len(str(step * 6)))
    if taken and {len(n) for n in taken.values()} != {width}:
        raise StandardError(
            f"the files need numbers of {width} digits, and those that are there have fewer",
            hint="Write the new tables' files into a service folder of their own.",
        )
    last = {phase: base * step for phase, base in _PHASES.items()}
    for name, digits in taken.items():
        phase = name.partition("_")[0]
        last[phase] = max(last.get(phase, 0), int(digits))
    ids: dict[str, str] = {}
    for draft in drafts:
        name = names[draft.key]
        if name not in taken:
            last[draft.phase] += 1
            taken[name] = f"{last[draft.phase]:0{width}}"
        ids[draft.key] = f"{taken[name]}_{name}"
    files = [_file(draft, ids, baseline) for draft in drafts]
    return sorted(files, key=lambda f: f.id)


def _file_names(drafts: Sequence[Draft]) -> dict[str, str]:
    """A name for each draft that any file system and yoyo's `depends` take."""
    names: dict[str, str] = {}
    given: set[str] = set()
    for draft in drafts:
        subject = re.sub(r"[^a-z0-9]+", "_", draft.subject.lower()).strip("_")
        name = f"{draft.phase}_{subject or 'table'}"
        if name in given:
            name += "_" + hashlib.sha256(draft.key.encode()).hexdigest()[:4]
        given.add(name)
        names[draft.key] = name
    return names


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
        auto_reload=False,
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
