"""The standard of one service as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from runner.quoting import shorten

LONGEST = 63  # bytes that PostgreSQL keeps of a name


@dataclass(frozen=True, slots=True)
class EnumStandard:
    """A shared enum as the database sees it.

    Args:
        name: its name.
        values: its uppercase values in order.
        mapping: the new value of each old one, in upper case, that does not stay what it is.
        back: the old value, as the old contract spells it, that stands for a new one to which
            several old ones, or none, are mapped.
        unknown: the line of its module that does not tell a value, empty where all are told; there
            are no values then.
    """

    name: str
    values: tuple[str, ...]
    mapping: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] = field(default_factory=dict)
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path of a JSON column that holds values of an enum: its keys, the outermost first."""

    keys: tuple[str, ...]
    enum: EnumStandard


@dataclass(frozen=True, slots=True)
class TableStandard:
    """The new contract of one table.

    Args:
        old: the table's old name.
        name: its new name.
        uuids: the columns that become native `uuid`.
        enums: the columns that become uppercase text with a CHECK, each with its enum.
        checks: names of CHECKs that do not follow `{table}_{column}_check`, by column.
        columns: the columns that only get another name, each with it.
        keep_original: by enum column, the new column that keeps the old value.
        json: by JSON column, the paths in it that hold enum values.
        integers: the integer columns that get a CHECK, each with its values.
        at_expand: whether its old name becomes a view at expand already, not at the switch.
    """

    schema: str
    old: str
    name: str
    uuids: tuple[str, ...] = ()
    enums: Mapping[str, EnumStandard] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    keep_original: Mapping[str, str] = field(default_factory=dict)
    integers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    json: Mapping[str, tuple[JsonPath, ...]] = field(default_factory=dict)
    at_expand: bool = False


@dataclass(frozen=True, slots=True)
class Standard:
    """The new contract of one service.

    Args:
        service: its name.
        schema: the schema of the tables that name none.
        tables: all of them.
    """

    service: str
    schema: str
    tables: tuple[TableStandard, ...]

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas of its tables, its own first."""
        return tuple(dict.fromkeys([self.schema, *(t.schema for t in self.tables)]))

    @property
    def places(self) -> tuple[str, ...]:
        """Its schemas, and those in which tables stand for the while that keep their names."""
        kept = (self.transition(t.schema) for t in self.tables if t.name == t.old)
        return tuple(dict.fromkeys([*self.schemas, *kept]))

    def of(self, names: Collection[tuple[str, ...]]) -> Standard:
        """The same standard for the tables alone that have one of these schemas and names."""
        kept = (t for t in self.tables if {(t.schema, t.old), (t.schema, t.name)} & {*names})
        return replace(self, tables=tuple(kept))

    def prefix(self, schema: str) -> str:
        """What the names of files for a schema's tables begin with."""
        return "" if schema == self.schema else f"{schema}__"

    def transition(self, schema: str) -> str:
        """The schema in which the new contract of a schema's tables stands that keep their names.

        From expand until contract, as one schema cannot show both under one name.
        """
        return shorten(f"{self.service}{'' if schema == self.schema else f'_{schema}'}", "_new")

    @staticmethod
    def own_prefix(schema: str) -> str:
        """What the names of trueup's own objects for a schema's tables begin with.

        It is the same in every standard: two services of one database may have tables of one name.
        """
        return "" if schema == "public" else f"{schema}__"
