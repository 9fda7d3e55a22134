"""What a migration is in every layout: a forward script and the one that undoes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from runner.errors import UsageError

LAYOUTS = (
    "yoyo",
    "dbmate",
    "goose",
    "flyway",
    "sqitch",
    "up-down",
    "prisma",
    "diesel",
    "node-pg-migrate",
    "liquibase",
    "supabase",
    "alembic",
    "dump",
    "plain",
)
# Tools that read files as another one does.
_SAME_AS = {
    "django": "plain",
    "golang-migrate": "up-down",
    "hasura": "diesel",
    "rails": "dump",
    "sql-migrate": "goose",
    "sqlx": "up-down",
}
# Their users go forward only, or write an undo where they want one.
UNDO_OPTIONAL = frozenset({"alembic", "dump", "flyway", "liquibase", "plain", "prisma", "supabase"})


def layout_named(name: str) -> str:
    """The layout of a tool.

    Args:
        name: one of LAYOUTS, or a tool that uses one of them.

    Returns:
        One of LAYOUTS.

    Raises:
        UsageError: when there is none of that name.
    """
    layout = _SAME_AS.get(name, name)
    if layout not in LAYOUTS:
        known = ", ".join(sorted({*LAYOUTS, *_SAME_AS}))
        raise UsageError(f"there is no layout {name!r}", hint=f"layouts: {known}")
    return layout


@dataclass(frozen=True, eq=False)
class ScriptText:
    """One direction of one migration.

    Args:
        path: the file.
        id: what the tool calls the migration.
        layout: one of LAYOUTS.
        up: True for the forward direction.
        content: the whole file.
        text: this direction's part; the rest is blanks, so that places are those of the file.
        transactional: whether the tool runs it inside a transaction.
        phase: one of trueup's phases, else empty.
        depends: ids that must come first.
        header: characters of the leading comment lines.
    """

    path: Path
    id: str
    layout: str
    up: bool
    content: str = field(repr=False)
    text: str = field(repr=False)
    transactional: bool
    phase: str = ""
    depends: frozenset[str] = frozenset()
    header: int = 0


Text = TypeVar("Text", bound=ScriptText)


@dataclass(frozen=True, eq=False)
class Pair(Generic[Text]):
    """A migration: its forward script and the one that undoes it.

    Args:
        up: the forward script.
        down: None when there is none.
    """

    up: Text
    down: Text | None

    @property
    def paths(self) -> set[Path]:
        """The files it stands in, one or two."""
        return {self.up.path} | ({self.down.path} if self.down else set())


@dataclass(frozen=True, eq=False)
class Chain(Generic[Text]):
    """Migrations that run one after the other.

    Args:
        pairs: in the order in which the tool runs them.
        unread: migrations among them that are no SQL, such as a Go file of goose.
    """

    pairs: list[Pair[Text]]
    unread: tuple[Path, ...] = ()
