"""The standard of one service as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EnumStandard:
    """A shared enum as the database sees it: its name and its uppercase values in order."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableStandard:
    """The new contract of one table.

    Args:
        old: the table's old name.
        name: its new name.
        uuids: the columns that become native `uuid`.
        enums: the columns that become uppercase text with a CHECK, each with its enum.
        checks: names of CHECKs that do not follow `{table}_{column}_check`, by column.
    """

    schema: str
    old: str
    name: str
    uuids: tuple[str, ...] = ()
    enums: Mapping[str, EnumStandard] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standard:
    """The new contract of one service."""

    service: str
    schema: str
    tables: tuple[TableStandard, ...]
