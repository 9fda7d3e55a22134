"""catalog + evidence -> a standard.toml that a person decides on."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from runner.catalog import Catalog, Column, Name, Relation
from runner.quoting import quote_ident
from runner.standard.evidence import Evidence, is_text, may_hold_uuids
from runner.standard.model import EnumStandard
from runner.standard.naming import singular

_OWN_TABLES = {"_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock"}
_Key = tuple[str, str, str]


@dataclass
class _Paragraph:
    """What is proposed for one table: entries, each with its evidence, and what is left alone."""

    table: Relation
    name: str
    name_note: str = ""
    uuids: list[tuple[str, bool, str]] = field(default_factory=list)
    enums: list[tuple[str, str, str]] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)


def propose(
    service: str,
    catalog: Catalog,
    evidence: Mapping[_Key, Evidence],
    *,
    enums: Sequence[EnumStandard] = (),
    enums_module: str | None = None,
    words: Mapping[str, str] | None = None,
) -> str:
    """Write a standard.toml for a service.

    Args:
        service: its name.
        catalog: what its database holds.
        evidence: of `read_evidence`.
        enums: the shared enums, to recognise columns by their values.
        enums_module: the module that holds them.
        words: the user's own plurals and singulars.

    Returns:
        The file's text: what is sure as entries with their evidence, the rest as comments with
        the reason.
    """
    tables = [t for t in catalog.tables if t.name not in _OWN_TABLES and not t.parents]
    held = {(t.schema, t.name, c) for t in tables for c in catalog.partition_columns(t)}
    uuids = _uuid_closure(tables, evidence, held)
    own_enums: dict[str, tuple[str, ...]] = {}
    paragraphs = [
        _paragraph(t, catalog, evidence, uuids, enums, own_enums, words or {}) for t in tables
    ]
    lines = [
        f"# The new contract of {service}, proposed from its database. A line that starts with #",
        "# is not in force: take the # away to agree, or put one before a line to leave it alone.",
        "",
        "[service]",
        f"name = {_text(service)}",
        f"schema = {_text(catalog.schemas[0])}",
        f"enums = {_text(enums_module)}" if enums_module else '# enums = "package.enums"',
    ]
    for name, values in own_enums.items():
        lines += ["", f"[enum.{name}]", f"values = {_texts(values)}"]
    for paragraph in paragraphs:
        lines += _lines(paragraph)
    return "\n".join(lines) + "\n"


def _uuid_closure(
    tables: Sequence[Relation], evidence: Mapping[_Key, Evidence], held: Collection[_Key]
) -> dict[_Key, tuple[bool, str]]:
    """Each column that may become uuid: whether it is sure, and why."""
    keys = {(t.schema, t.name, c.name): c for t in tables for c in t.columns}
    verdicts: dict[_Key, tuple[bool, str]] = {}
    for key, column in keys.items():
        if not may_hold_uuids(column) or key not in evidence:
            continue
        seen = evidence[key]
        limited = "(" in column.type
        if key in held and seen.uuids:
            verdicts[key] = (False, _HELD)
        elif seen.uuids is None or not seen.filled:
            named = column.name == "id" or column.name.endswith(("_id", "uuid"))
            if limited and named:
                verdicts[key] = (False, "no row to look at")
        elif seen.uuids == seen.filled:
            how = f", {', '.join(seen.spellings)}" if seen.spellings else ""
            every = "all" if seen.whole else "statistics: all"
            verdicts[key] = (True, f"{every} {seen.filled:,} values are uuids{how}")
        elif seen.uuids:
            verdicts[key] = (False, f"{seen.filled - seen.uuids:,} of {seen.filled:,} are no uuids")
    # A key is converted with all its references, or not at all.
    references = [
        ((t.schema, t.name, here), (*k.references, there))
        for t in tables
        for k in t.constraints
        if k.kind == "f" and k.references
        for here, there in zip(k.columns, k.referenced_columns, strict=True)
    ]
    changed = True
    while changed:
        changed = False
        for child, parent in references:
            for one, other in ((child, parent), (parent, child)):
                mine, theirs = verdicts.get(one), verdicts.get(other)
                if not mine or not may_hold_uuids(keys.get(other, _NO_COLUMN)):
                    continue
                if mine[0] and (theirs is None or not theirs[0]):
                    seen = evidence.get(other, Evidence())
                    if seen.filled or other in held:
                        reason = f"{'.'.join(other[1:])}, which it is tied to, holds other values"
                        verdicts[one] = (False, reason)
                    else:
                        verdicts[other] = (True, f"empty, and tied to {'.'.join(one[1:])}")
                    changed = True
    return verdicts


_HELD = "in a partition key, which cannot be converted"
_NO_COLUMN = Column("", "integer", not_null=False)


def _paragraph(
    table: Relation,
    catalog: Catalog,
    evidence: Mapping[_Key, Evidence],
    uuids: Mapping[_Key, tuple[bool, str]],
    enums: Sequence[EnumStandard],
    own_enums: dict[str, tuple[str, ...]],
    words: Mapping[str, str],
) -> _Paragraph:
    name = singular(table.name, words)
    paragraph = _Paragraph(table, name)
    held = catalog.partition_columns(table)
    if name != table.name and Name(table.schema, name) in catalog.relations:
        paragraph.name, paragraph.name_note = table.name, f"{name} is taken"
    elif name != table.name and quote_ident(name) != name and quote_ident(table.name) == table.name:
        paragraph.name, paragraph.name_note = table.name, f"{name} is a reserved word"
    for column in table.columns:
        key = (table.schema, table.name, column.name)
        seen = evidence.get(key)
        if key in uuids:
            paragraph.uuids.append((column.name, *uuids[key]))
            continue
        if seen is not None and column.name in held:
            if seen.labels or seen.values:
                paragraph.unsure.append(f"{column.name} is {_HELD}")
        elif seen is not None:
            _propose_enum(paragraph, column, seen, enums, own_enums)
        if column.name == "metadata" and column.type in {"json", "jsonb"}:
            paragraph.unsure.append(f"rename the column metadata to {name}_metadata by hand")
    return paragraph


def _propose_enum(
    paragraph: _Paragraph,
    column: Column,
    seen: Evidence,
    enums: Sequence[EnumStandard],
    own_enums: dict[str, tuple[str, ...]],
) -> None:
    values = seen.labels or seen.values
    if not values or not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", v) for v in values):
        return
    upper = {v.upper() for v in values}
    fitting = [e for e in enums if upper <= set(e.values)]
    fitting.sort(
        key=lambda e: (not _named_alike(e.name, paragraph.name, column.name), len(e.values))
    )
    name = "".join(w.title() for w in f"{paragraph.name}_{column.name}".split("_"))
    source = "labels" if seen.labels else f"{len(values)} values in {seen.filled:,} rows"
    shown = f"{source}: {', '.join(values[:8])}"
    if fitting and (
        seen.labels or len(upper) > 1 or _named_alike(fitting[0].name, "", column.name)
    ):
        paragraph.enums.append((column.name, fitting[0].name, shown))
    elif seen.labels:
        own_enums[name] = tuple(v.upper() for v in values)
        paragraph.enums.append((column.name, name, shown))
    elif is_text(column) and seen.filled >= 5 * len(values) and len(values) > 1:
        paragraph.unsure += [
            f"enums.{_key(column.name)} = {_text(name)}  # behaves as an enum, {shown}; needs",
            f"[enum.{name}] with values = {_texts(sorted(upper))}",
        ]


def _named_alike(enum: str, table: str, column: str) -> bool:
    """`ModelStatus` for model.status, `ModelProvider` for provider."""
    parts = [w.lower() for w in re.findall(r"[A-Z][a-z0-9]*", enum)]
    wanted = [*table.split("_"), *column.split("_")]
    return bool(parts) and parts[-1] in {wanted[-1], singular(wanted[-1])}


def _lines(paragraph: _Paragraph) -> list[str]:
    lines = ["", f"[table.{_key(paragraph.table.name)}]"]
    if paragraph.name_note:
        wanted = singular(paragraph.table.name)
        lines.append(f"# name = {_text(wanted)}  # {paragraph.name_note}: choose another")
    else:
        lines.append(f"name = {_text(paragraph.name)}")
    if paragraph.uuids:
        lines += ["uuids = ["]
        lines += [
            f"    {'' if sure else '# '}{_text(column)},  # {why}"
            for column, sure, why in paragraph.uuids
        ]
        lines += ["]"]
    for column, enum, why in paragraph.enums:
        lines.append(f"enums.{_key(column)} = {_text(enum)}  # {why}")
    lines += [f"# {note}" for note in paragraph.unsure]
    return lines


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, but for the ones that JSON leaves alone.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"
