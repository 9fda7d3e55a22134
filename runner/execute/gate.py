"""Contract's gate: what it cannot let through yet is refused before any work."""

from __future__ import annotations

import re
from datetime import timedelta
from shlex import quote
from typing import TYPE_CHECKING

from psycopg import DataError, Error

from runner.errors import StillUsedError, UsageError
from runner.execute.old_names import await_counts, open_standbys, read_again, read_old_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence, Set

    from psycopg import Connection

    from runner.execute.old_names import OldName, Standby
    from runner.ledger.files import Migration

_GATE = re.compile(r"\bCALL\s+trueup\.require_unused\('((?:[^']|'')+)'\)")
_SEE = "see who uses it: `trueup status`"


def removed_by(texts: Iterable[str]) -> list[str]:
    """The old names that files remove once they are unused; to --force where nobody can use them.

    Args:
        texts: of the files.
    """
    found = {name.replace("''", "'") for text in texts for name in _GATE.findall(text)}
    return sorted(found)


def require_unused(
    connection: Connection,
    migrations: Sequence[Migration],
    forced: Collection[str] = (),
    standbys: Sequence[str] = (),
    *,
    read: bool = True,
) -> None:
    """Refuse a run that would remove an old name that may be in use, before it changes anything.

    Args:
        connection: the run's, under the lock; its trueup.waiting_period is what the files read.
        migrations: what is about to run.
        forced: the old names that are removed although they may be in use, as status shows them.
        standbys: the same database on standbys, whose clients may use the names, too.
        read: read the counters of what may be in use, so that its waiting period begins.

    Raises:
        UsageError: the run does not remove a name of `forced`, or removes none and names standbys;
            the waiting period is none.
        StillUsedError: a name that may be in use was not typed.
        ConnectionFailedError: a standby cannot be reached.
    """
    gated = {m.id: removed_by([m.text]) for m in migrations}
    removed = {name for names in gated.values() for name in names}
    for name in sorted(set(forced) - removed):
        raise UsageError(
            f"--force {name}: this run does not remove that name",
            hint=f"it removes: {', '.join(sorted(removed)) or 'no old name'}",
        )
    if standbys and not removed:
        raise UsageError(
            "--standby: this run removes no old name",
            hint="name standbys with --to contract, or ask them with `trueup status --standby`",
        )
    held = removed - set(forced)
    if not held:
        return
    said, period = _waiting_period(connection)
    with open_standbys(connection, standbys) as asked:
        await_counts(connection)
        found = {n.name: n for n in read_old_names(connection, period, asked)}
        if period > timedelta(minutes=1):
            _require_switched(gated, held - found.keys(), said)
        now = connection.execute("SELECT clock_timestamp()").fetchone()
        assert now is not None
        used = [
            n
            for name, n in found.items()
            if name in held and (n.allowed_from is None or n.allowed_from > now[0])
        ]
        if not used:
            return
        begun = [
            n.name for n in used if read and _wants_reading(n) and _begin(connection, n.name, asked)
        ]
    raise StillUsedError(
        "\n".join(_refusal(n, n.name in begun, bool(forced)) for n in used),
        hint=f"{_SEE}; --waiting-period sets how long a name must be unused, now {said};"
        " to remove it all the same, add"
        f" {' '.join(f'--force {quote(n.name)}' for n in used)}",
    )


def _waiting_period(connection: Connection) -> tuple[str, timedelta]:
    try:
        row = connection.execute(
            "SELECT p, p::interval FROM (SELECT coalesce(nullif("
            "current_setting('trueup.waiting_period', true), ''), '24 hours')) AS s (p)"
        ).fetchone()
    except DataError as error:
        raise UsageError(
            f"the waiting period: {error.diag.message_primary}",
            hint="write it as a PostgreSQL interval: --waiting-period 24h",
        ) from None
    assert row is not None
    return row[0], row[1]


def _require_switched(gated: dict[str, list[str]], unknown: Set[str], period: str) -> None:
    """Refuse a run that would end at the gate for certain: it makes the name that it removes.

    Old names are counted from the switch on, so a run that comes to both cannot prove that one
    was unused for the waiting period.
    """
    first = next((file for file, names in gated.items() if unknown & set(names)), None)
    if first is not None:
        raise StillUsedError(
            f"{first} cannot run yet: old names are counted from the switch on, and must be"
            f" unused for {period}",
            hint="run `trueup apply --to switch` first, and --to contract when `trueup status`"
            " says that it is allowed; --waiting-period sets how long",
        )


def _begin(connection: Connection, name: str, standbys: Sequence[Standby]) -> bool:
    """Whether the counters could be read: what stands in the way, the witnesses have said."""
    try:
        return read_again(connection, name, standbys)
    except Error:
        return False


def _wants_reading(name: OldName) -> bool:
    """Whether only a new reading can begin its waiting period."""
    return any(w.objects and w.name.endswith(("counter", "statements")) for w in name.witnesses)


def _refusal(name: OldName, begun: bool, forced: bool) -> str:
    lines = [f"{name.name} may still be in use{', and --force does not name it' * forced}"]
    if name.allowed_from is not None:
        lines[0] += f": contract is allowed from {name.allowed_from:%Y-%m-%d %H:%M:%S %Z} on"
    lines += [f"    {witness}" for witness in name.witnesses]
    if begun:
        lines.append("    the counter has been read now: its waiting period begins")
    return "\n".join(lines)
