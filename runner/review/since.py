"""The migration that comes before those which a branch brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lint.changed import changed_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.ledger.files import Migration


def base_before(migrations: Sequence[Migration], since: str) -> str | None:
    """The last migration before the first one that was changed.

    Args:
        migrations: in their order.
        since: a commit or branch; what was changed after leaving it.

    Returns:
        Its id; empty when the first migration was changed; None when none was.

    Raises:
        UsageError: outside a repository, and for a commit that is not there.
    """
    changed = changed_files({migration.path.parent for migration in migrations}, since)
    before = ""
    for migration in migrations:
        files = (migration.path, migration.rollback_path)
        if any(path is not None and path.resolve() in changed for path in files):
            return before
        before = migration.id
    return None
