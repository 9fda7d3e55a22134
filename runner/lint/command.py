"""What the verb `lint` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import UsageError
from runner.lint.engine import Report, all_rules, lint
from runner.lint.layouts import LAYOUTS
from runner.lint.output import render

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runner.lint.fix import Fixes


def run_lint(
    paths: Iterable[Path],
    *,
    form: str,
    layout: str | None = None,
    squawk: bool | None = None,
    traced: bool = False,
    schema: Path | None = None,
) -> tuple[Report, str]:
    """Lint files and write the report out.

    Args:
        paths: files and folders.
        form: text, json, sarif or github.
        layout: one of LAYOUTS; None to find it out.
        squawk: whether to ask Squawk; None: when it is installed.
        traced: whether to run the files on an embedded server.
        schema: SQL that runs before them there.

    Returns:
        The report and its text.

    Raises:
        UsageError: for a layout that does not exist, and a schema without tracing.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"there is no layout {layout!r}", hint=f"layouts: {', '.join(LAYOUTS)}")
    if schema is not None and not traced:
        raise UsageError("--schema is for --trace", hint="add --trace")
    report = lint(paths, layout=layout, with_squawk=squawk, traced=traced, schema=schema)
    return report, render(report, form)


def run_fix(
    paths: Iterable[Path], *, layout: str | None, write: bool, dsn: str | None, also_applied: bool
) -> tuple[Fixes, str]:
    """Rewrite files where the safe way changes nothing else, or tell what that would change.

    Args:
        paths: files and folders.
        layout: one of LAYOUTS; None to find it out.
        write: whether to change the files.
        dsn: a database whose ledger tells what has been applied; None to ask none.
        also_applied: whether to change files that may have been applied.

    Returns:
        The changes, and what to print.

    Raises:
        MigrationFileError: for a file that cannot be read or written.
        LedgerError: when the ledger cannot be read.
    """
    from runner.lint.fix import fix, show

    applied: set[str] = set()
    asked = False
    if dsn is not None:
        from runner.config import ledger_schema
        from runner.ledger.records import read_ledger
        from runner.postgres.connect import connect

        with connect(dsn, application_name="trueup lint") as connection:
            ledger = read_ledger(connection, schema=ledger_schema(dsn))
        applied, asked = set(ledger.applied), ledger.exists
    fixes = fix(list(paths), layout=layout, write=write, applied=applied, also_applied=also_applied)
    return fixes, show(fixes, written=write, asked=asked)


def list_rules() -> str:
    """Every rule in a line."""
    width = max(len(rule.name) for rule in all_rules())
    return "\n".join(f"{rule.name:<{width}}  {rule.level:<7}  {rule.title}" for rule in all_rules())
