"""A proposed standard: entries that are in force or left to a person, and the text they make."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from runner.catalog import Relation
from runner.quoting import Name
from runner.standard.model import EnumStandard, Standard, TableStandard

Kind = Literal["name", "uuids", "enums", "columns", "integers", "json"]


@dataclass
class Entry:
    """One entry of a table's paragraph.

    Args:
        kind: its key.
        column: the column that it is about; empty for the table's name.
        value: the new name, the enum's name, or the list of integers as it is written.
        evidence: what it rests on.
        reason: why it is for you to decide; empty when it is in force.
        keys: the path in the documents of a JSON column.
    """

    kind: Kind
    column: str
    value: str = ""
    evidence: str = ""
    reason: str = ""
    keys: tuple[str, ...] = ()


@dataclass
class Paragraph:
    """What is proposed for one table."""

    table: Relation
    entries: list[Entry]

    def of(self, kind: Kind) -> dict[str, str]:
        """The entries of a kind that are in force."""
        return {e.column: e.value for e in self.entries if e.kind == kind and not e.reason}

    @property
    def name(self) -> str:
        """The table's new name."""
        return self.of("name").get("", self.table.name)

    @property
    def left(self) -> int:
        """How many entries are left to a person."""
        return sum(bool(e.reason) for e in self.entries)

    @property
    def says_nothing(self) -> bool:
        """Whether the table stays as it is, and nothing is for you to decide."""
        return not self.left and self.name == self.table.name and len(self.entries) == 1


@dataclass
class Proposal:
    """What is proposed for a service.

    Args:
        service: its name.
        schema: the schema of the tables that name none.
        module: the module of its shared enums.
        enums: the enums that columns may refer to.
        own: the names of those that the file has to hold.
        paragraphs: one a table.
        ties: the columns that become uuid together, or not at all: by each, all of them.
        notes: what else a person should look at.
    """

    service: str
    schema: str
    module: str | None
    enums: Mapping[str, EnumStandard]
    own: Sequence[str]
    paragraphs: list[Paragraph]
    ties: Mapping[tuple[Name, str], Sequence[tuple[Name, str]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def standard(self, paragraphs: Iterable[Paragraph] | None = None) -> Standard:
        """What is in force, as load_standard() reads it from the text."""
        tables = []
        for paragraph in self.paragraphs if paragraphs is None else paragraphs:
            table = paragraph.table
            tables.append(
                TableStandard(
                    schema=table.schema,
                    old=table.name,
                    name=paragraph.name,
                    uuids=tuple(paragraph.of("uuids")),
                    enums={c: self.enums[e] for c, e in paragraph.of("enums").items()},
                    columns=paragraph.of("columns"),
                )
            )
        return Standard(self.service, self.schema, tuple(tables))

    def text(self) -> str:
        """The text of the standard.toml."""
        lines = [
            f"# The new contract of {_plain(self.service)}, proposed from its database.",
            *self._summary(),
            "# A line that starts with # has no effect: remove the # to accept it, or put one",
            "# before a line to leave it alone.",
            "",
            "[service]",
            f"name = {_text(self.service)}",
            f"schema = {_text(self.schema)}",
            f"enums = {_text(self.module)}" if self.module else '# enums = "package.enums"',
        ]
        used = {name for p in self.paragraphs for name in p.of("enums").values()}
        for name in self.own:
            if name in used:
                lines += ["", *_enum(self.enums[name])]
        told = [p for p in self.paragraphs if not p.says_nothing]
        for paragraph in (p for p in told if not p.left):
            lines += ["", *self._paragraph(paragraph)]
        if as_they_are := [p.table for p in self.paragraphs if p.says_nothing]:
            names = ", ".join(_plain(str(t.qualified)) for t in as_they_are)
            lines += ["", f"# Unchanged: {_many(len(as_they_are), 'table')}: {names}"]
        if any(p.left for p in told) or self.notes:
            lines += ["", f"# For you to decide: {self._left()}."]
        for name in self.own:
            if name not in used:
                lines += ["", *("# " + line for line in _enum(self.enums[name]))]
        for paragraph in (p for p in told if p.left):
            lines += ["", *self._paragraph(paragraph)]
        if self.notes:
            lines += ["", *(f"# {_plain(note)}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def _summary(self) -> Iterator[str]:
        """How much is in force, and how much is for you to decide."""
        count = Counter(e.kind for p in self.paragraphs for e in p.entries if not e.reason)
        renamed = sum(p.name != p.table.name for p in self.paragraphs)
        yield (
            f"# In effect: {renamed:,} of {_many(len(self.paragraphs), 'table')} renamed,"
            f" {_many(count['uuids'], 'column')} to uuid, {count['enums']:,} to an enum."
        )
        yield f"# For you to decide: {self._left()}."

    def _left(self) -> str:
        """How much a person has to decide."""
        tables = [p for p in self.paragraphs if p.left]
        left = []
        if tables:
            lines = _many(sum(p.left for p in tables), "line")
            left.append(f"{lines} of {_many(len(tables), 'table')}")
        if self.notes:
            left.append(_many(len(self.notes), "note"))
        return f"{' and '.join(left)}, at the end of this file" if left else "nothing"

    def _paragraph(self, paragraph: Paragraph) -> list[str]:
        table = paragraph.table
        place = "table" if table.schema == self.schema else f"schema.{_key(table.schema)}"
        lines = [f"[{place}.{_key(table.name)}]"]
        # What is in force first.
        entries = sorted(paragraph.entries, key=lambda e: bool(e.reason))
        uuids = [e for e in entries if e.kind == "uuids"]
        for entry in entries:
            if entry.kind == "uuids":
                if entry is uuids[0]:
                    lines += ["uuids = [", *(f"    {_uuid(e)}" for e in uuids), "]"]
                continue
            if entry.kind == "name" and entry.value == table.name:
                continue
            evidence = f"  # {_plain(entry.evidence)}" if entry.evidence else ""
            if entry.reason:
                lines += [f"# {_plain(entry.reason)}:", f"# {_assignment(entry)}{evidence}"]
            else:
                lines.append(_assignment(entry) + evidence)
        return lines


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' if count != 1 else ''}"


def _assignment(entry: Entry) -> str:
    if entry.kind == "name":
        return f"name = {_text(entry.value)}"
    value = entry.value if entry.kind == "integers" else _text(entry.value)
    path = ".".join(map(_key, (entry.kind, entry.column, *entry.keys)))
    return f"{path} = {value}"


def _uuid(entry: Entry) -> str:
    why = "; ".join(filter(None, (entry.evidence, entry.reason)))
    comment = f"  # {_plain(why)}" if why else ""
    return f"{'# ' if entry.reason else ''}{_text(entry.column)},{comment}"


def _enum(enum: EnumStandard) -> list[str]:
    lines = [f"[enum.{_key(enum.name)}]", f"values = {_texts(enum.values)}"]
    for key, given in (("map", enum.mapping), ("back", enum.back)):
        if given == {v: v for v in enum.values}:
            lines.append(f'{key} = "upper"')
        elif given:
            pairs = ", ".join(f"{_key(left)} = {_text(right)}" for left, right in given.items())
            lines.append(f"{key} = {{ {pairs} }}")
    return lines


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, but for the ones that JSON leaves alone.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: Iterable[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"


def _plain(text: str) -> str:
    """A text on one line of a comment."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
