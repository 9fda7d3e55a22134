"""The protocol of two contracts on one table as a small model, walked through all interleavings.

What PostgreSQL does in one go under a lock of its own is one step; READ COMMITTED alone. A table
holds rows with two sides, each with a unique index; sessions are transactions of few operations. A
rule can be taken out, to see that the walk finds what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Contract = Literal["old", "new"]
Rule = Literal[
    "hold absent keys",
    "hold no key that is there",
    "convert what moves",
    "look again after waiting",
    "switch under a lock",
]
RULES: frozenset[Rule] = frozenset(Rule.__args__)  # type: ignore[attr-defined]
DEFAULT = "default"


@dataclass(frozen=True)
class Values:
    """A version of a row: a converted value on both sides, a counter, and where it lies."""

    old: str | None
    new: str | None
    count: int
    page: int


@dataclass(frozen=True)
class Row:
    """A row: what is committed, what a transaction made of it, and its index entries."""

    key: int
    committed: Values | None
    dirty: Values | None = None
    owner: int | None = None
    entries: frozenset[Contract] = frozenset({"old", "new"})


@dataclass(frozen=True)
class Operation:
    """One statement.

    Args:
        kind: upsert is ON CONFLICT DO UPDATE by the key of its contract; get is DO NOTHING; touch
            changes no converted column; backfill commits after each page.
        contract: who sends it.
        key: of the row.
        value: what is written to the converted column.
    """

    kind: Literal["upsert", "get", "update", "touch", "delete", "backfill", "switch"]
    contract: Contract = "old"
    key: int = 1
    value: str = ""


@dataclass(frozen=True)
class Session:
    """A transaction underway."""

    operations: tuple[Operation, ...]
    at: int = 0
    step: str = "start"
    own: int = -1  # the row that it works on
    seen: Values | None = None
    open: bool = False  # whether it holds a lock on the table
    acknowledged: tuple[int, ...] = ()  # keys that it incremented
    planned: bool = False  # whether its statement was planned after the switch
    failed: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it has nothing left to do."""
        return bool(self.failed) or (self.at >= len(self.operations) and not self.open)


@dataclass(frozen=True)
class World:
    """A moment."""

    rows: tuple[Row, ...]
    sessions: tuple[Session, ...]
    held: frozenset[tuple[int, int]] = frozenset()  # advisory locks: key, session
    switched: bool = False


def table(*rows: Values) -> tuple[Row, ...]:
    """Rows that are committed, with the keys 1, 2 and so on."""
    return tuple(Row(key, values) for key, values in enumerate(rows, start=1))


def walk(
    rows: tuple[Row, ...],
    transactions: Sequence[Sequence[Operation]],
    *,
    without: Rule | None = None,
) -> tuple[set[World], set[str]]:
    """Go all ways.

    Args:
        rows: what is there.
        transactions: one for each session.
        without: a rule to leave out.

    Returns:
        All worlds in which they ended, and what went wrong on the way.
    """
    rules = RULES - {without}
    first = World(rows, tuple(Session(tuple(t)) for t in transactions))
    ahead, known, ends, wrong = [first], {first}, set[World](), set[str]()
    while ahead:
        world = ahead.pop()
        found = [w for s in range(len(world.sessions)) for w in _Step(world, s, rules).worlds()]
        wrong.update(s.failed for s in world.sessions if s.failed)
        if all(s.is_done for s in world.sessions):
            ends.add(world)
        elif not found:
            wrong.add("deadlock")
        fresh = set(found) - known
        known |= fresh
        ahead += fresh
    return ends, wrong


@dataclass(frozen=True)
class _Step:
    """The next step of one session; none where it waits."""

    world: World
    number: int
    rules: frozenset[Rule]

    @property
    def me(self) -> Session:
        return self.world.sessions[self.number]

    @property
    def operation(self) -> Operation:
        return self.me.operations[self.me.at]

    def worlds(self) -> Iterator[World]:
        if self.me.is_done:
            return
        if self.me.at >= len(self.me.operations):
            yield self._ended(commit=True)
        elif self.operation.kind == "switch":
            yield from self._switch()
        elif not self.me.open and self._is_locked():
            return
        elif self.operation.kind == "backfill":
            yield from self._backfill()
        elif self.operation.kind in ("upsert", "get"):
            yield from self._insert()
        else:
            yield from self._change()

    # What a step leads to.

    def _with(self, world: World | None = None, **changes: object) -> World:
        world = world or self.world
        sessions = list(world.sessions)
        sessions[self.number] = replace(sessions[self.number], **changes)  # type: ignore[arg-type]
        return replace(world, sessions=tuple(sessions))

    def _next(self, world: World | None = None, *, incremented: bool = False) -> World:
        keys = (*self.me.acknowledged, self.operation.key) if incremented else self.me.acknowledged
        return self._with(
            world, at=self.me.at + 1, step="start", own=-1, seen=None, acknowledged=keys
        )

    def _row(self, place: int, **changes: object) -> World:
        rows = list(self.world.rows)
        rows[place] = replace(rows[place], **changes)  # type: ignore[arg-type]
        return replace(self.world, rows=tuple(rows))

    def _ended(self, *, commit: bool, failed: str = "") -> World:
        rows = []
        for row in self.world.rows:
            if row.owner == self.number:
                kept = row.dirty if commit else row.committed
                row = replace(row, committed=kept, dirty=None, owner=None)
            rows.append(row)
        held = frozenset(h for h in self.world.held if h[1] != self.number)
        world = replace(self.world, rows=tuple(rows), held=held)
        return self._with(world, open=False, failed=failed)

    # Locks on the table.

    def _is_locked(self) -> bool:
        return "switch under a lock" in self.rules and any(
            s.step == "switching" for s in self.world.sessions
        )

    def _switch(self) -> Iterator[World]:
        others = [s for n, s in enumerate(self.world.sessions) if n != self.number]
        if self.me.step == "start":
            yield self._with(step="switching")
        elif "switch under a lock" not in self.rules or not any(s.open for s in others):
            yield self._next(replace(self.world, switched=True))

    # Rows.

    def _place(self) -> int | None:
        """The committed row with the key, as a snapshot sees it."""
        for place, row in enumerate(self.world.rows):
            mine = row.owner == self.number
            values = row.dirty if mine else row.committed
            if row.key == self.operation.key and values is not None:
                return place
        return None

    def _is_busy(self, place: int) -> bool:
        return self.world.rows[place].owner not in (None, self.number)

    def _current(self, place: int) -> Values | None:
        row = self.world.rows[place]
        return row.dirty if row.owner == self.number else row.committed

    def _written(self, place: int, was: Values) -> Values:
        """What the statement and the trigger make of a row."""
        operation = self.operation
        now = replace(was, count=was.count + 1, page=0)  # where there is room: behind the backfill
        if operation.kind != "touch":
            value = operation.value
            now = (
                replace(now, old=value) if operation.contract == "old" else replace(now, new=value)
            )
        fires = "convert what moves" in self.rules or (now.old, now.new) != (was.old, was.new)
        if fires and was.new is None:
            return replace(now, new=now.old)
        if fires and was.old is None:
            return replace(now, old=now.new)
        if fires and now.old != was.old:
            return replace(now, new=now.old)
        return replace(now, old=now.new) if fires else now

    def _change(self) -> Iterator[World]:
        """UPDATE and DELETE: find the row, wait for it, look at it again."""
        if self.me.step == "start":
            place = self._place()
            if place is None:
                yield self._next(self._with(open=True))
            else:
                seen = self._current(place)
                yield self._with(step="lock", own=place, seen=seen, open=True)
        elif not self._is_busy(self.me.own):
            yield self._changed(self.me.own)

    def _changed(self, place: int) -> World:
        was = self._current(place)
        if was is None:
            return self._next()
        if self.operation.kind == "delete":
            return self._next(self._row(place, dirty=None, owner=self.number))
        if "look again after waiting" not in self.rules:
            was = self.me.seen or was
        made = self._row(place, dirty=self._written(place, was), owner=self.number)
        return self._next(made, incremented=True)

    def _backfill(self) -> Iterator[World]:
        """The pages from the first to the last, one after the other: step 0, 1, then the end."""
        page = 0 if self.me.step == "start" else int(self.me.step)
        if page == 2:
            yield self._next()
            return
        rows = list(self.world.rows)
        for place, row in enumerate(rows):
            seen = row.committed
            if seen is None or seen.page != page or None not in (seen.old, seen.new):
                continue
            if row.owner is not None:
                return  # it comes again
            filled = seen.old or seen.new
            rows[place] = replace(row, committed=replace(seen, old=filled, new=filled))
        yield self._with(replace(self.world, rows=tuple(rows)), step=str(page + 1))

    # INSERT ... ON CONFLICT.

    def _insert(self) -> Iterator[World]:
        key = self.operation.key
        match self.me.step:
            case "start":
                yield self._with(step="look", open=True, planned=self.world.switched)
            case "look":  # in the trigger
                there = self._place() is not None and "hold no key that is there" in self.rules
                holds = not there and "hold absent keys" in self.rules
                yield self._with(step="hold" if holds else "arbitrate")
            case "hold":
                if not any(k == key and s != self.number for k, s in self.world.held):
                    held = self.world.held | {(key, self.number)}
                    yield self._with(replace(self.world, held=held), step="arbitrate")
            case "arbitrate":
                yield from self._arbitrate()
            case "update":
                place = self.me.own
                if not self._is_busy(place):
                    gone = self._current(place) is None
                    yield self._with(step="arbitrate", own=-1) if gone else self._changed(place)
            case "old" | "new":
                yield from self._index("old" if self.me.step == "old" else "new")

    def _rivals(self, index: Contract) -> Iterator[int]:
        """Rows that have the key in an index and are there, or may be."""
        for place, row in enumerate(self.world.rows):
            lives = row.committed is not None or row.dirty is not None
            other = row.key == self.operation.key and place != self.me.own
            if lives and other and index in row.entries:
                yield place

    def _arbitrate(self) -> Iterator[World]:
        for place in self._rivals(self.operation.contract):
            if not self._is_busy(place):
                if self._current(place) is None:
                    continue  # one that this transaction deleted
                update = self.operation.kind == "upsert"
                yield self._with(step="update", own=place) if update else self._next()
            return  # or it waits
        row = Row(self.operation.key, None, self._inserted(), self.number, frozenset())
        world = replace(self.world, rows=(*self.world.rows, row))
        yield self._with(world, step="old", own=len(self.world.rows))

    def _inserted(self) -> Values:
        """A new row after its trigger, which knows from the side without defaults who wrote it."""
        operation, switched = self.operation, self.world.switched
        given: dict[Contract, str | None] = {"old": None, "new": None}
        given["new" if self.me.planned else "old"] = DEFAULT
        given[operation.contract] = operation.value
        telling: Contract = "old" if switched else "new"
        writer = telling if given[telling] is not None else "new" if switched else "old"
        value = given[writer]
        return Values(value, value, 1, 0)

    def _index(self, index: Contract) -> Iterator[World]:
        """An entry in one index; the old one was made first."""
        own = self.me.own
        for place in self._rivals(index):
            if index == self.operation.contract:
                yield self._with(self._row(own, dirty=None, owner=None), step="arbitrate", own=-1)
            elif not self._is_busy(place) and self._current(place) is not None:
                yield self._ended(commit=False, failed="unique violation")
            elif not self._is_busy(place):
                continue
            return
        made = self._row(own, entries=self.world.rows[own].entries | {index})
        if index == "old":
            yield self._with(made, step="new")
        else:
            yield self._next(made, incremented=True)
