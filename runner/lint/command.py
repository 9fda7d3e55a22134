"""What the verb `lint` does."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from runner.errors import UsageError
from runner.layouts import layout_named
from runner.lint.engine import Report, all_rules, lint
from runner.lint.output import render
from runner.lint.parallel import processes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


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
        layout: a layout or a tool that uses it; None to find it out.
        squawk: whether to ask Squawk; None: when it is installed.
        traced: whether to run the files on an embedded server.
        schema: SQL that runs before them there.

    Returns:
        The report and its text.

    Raises:
        UsageError: for a layout that does not exist, and a schema without tracing.
    """
    layout = layout and layout_named(layout)
    if schema is not None and not traced:
        raise UsageError("--schema is for --trace", hint="add --trace")
    gc.disable()  # the trees stay to the end: walking through them takes a third of the time
    report = lint(
        paths,
        layout=layout,
        with_squawk=squawk,
        traced=traced,
        schema=schema,
        jobs=processes(),
    )
    return report, render(report, form)


def list_rules() -> str:
    """Every rule in a line."""
    width = max(len(rule.name) for rule in all_rules())
    return "\n".join(f"{rule.name:<{width}}  {rule.level:<7}  {rule.title}" for rule in all_rules())
